//! The rules of the workspace that no compiler knows.
//!
//! Each rule is one function from the files and the metadata to a list of problems, with the
//! reason for it in its documentation, and with a test that feeds it a good and a bad sample.

mod attributes;
mod cancel_docs;
mod changelog;
mod dependencies;
mod layers;
mod manifests;
mod module_docs;
mod readme;
mod sizes;
mod suite;
mod text;
mod unsafe_files;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::process::{Cmd, Failure, Result};
use crate::source::File;
use crate::workspace::Workspace;

/// A broken rule at a place.
#[derive(Debug)]
struct Problem {
    path: String,
    /// 0 for the file as a whole.
    line: usize,
    text: String,
}

impl Problem {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Problem {
        Problem {
            path: path.to_owned(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

/// All text files of the workspace that a rule may read.
#[derive(Debug)]
struct Tree {
    files: Vec<File>,
}

impl Tree {
    fn load(root: &Path) -> Result<Tree> {
        let mut files = Vec::new();
        for path in tracked(root)? {
            if !is_text(&path) {
                continue;
            }
            match fs::read(root.join(&path)).map(String::from_utf8) {
                Ok(Ok(text)) => files.push(File::new(path, text)),
                Ok(Err(_)) => return Err(Failure::new(format!("{path} is not UTF-8"))),
                // Deleted, but git has not been told yet.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::new(format!("cannot read {path}: {error}"))),
            }
        }
        Ok(Tree { files })
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File::new(*path, *text);
        Tree {
            files: files.iter().map(file).collect(),
        }
    }
}

fn is_text(path: &str) -> bool {
    let endings = [".rs", ".md", ".toml", ".sh", ".txt"];
    path == ".ci/run" || endings.iter().any(|ending| path.ends_with(ending))
}

/// What git tracks or would track; without git (an unpacked archive), all that is not built.
fn tracked(root: &Path) -> Result<Vec<String>> {
    let list = Cmd::new("git", root)
        .args(["ls-files", "-co", "--exclude-standard", "-z"])
        .stdout("tidy (files)");
    let mut paths = match list {
        Ok(list) => list.split_terminator('\0').map(str::to_owned).collect(),
        Err(failure) => {
            println!("{failure}; looking at every file instead");
            let mut paths = Vec::new();
            walk(root, "", &mut paths)
                .map_err(|error| Failure::new(format!("cannot list the files: {error}")))?;
            paths
        }
    };
    paths.sort();
    // A file with a merge conflict is listed once for each side.
    paths.dedup();
    Ok(paths)
}

fn walk(dir: &Path, prefix: &str, paths: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() {
            paths.push(format!("{prefix}{name}"));
        } else if entry.file_type()?.is_dir() && name != "target" && name != ".git" {
            walk(&entry.path(), &format!("{prefix}{name}/"), paths)?;
        }
    }
    Ok(())
}

type Rule = fn(&Tree, &Workspace) -> Vec<Problem>;

const RULES: &[(&str, Rule)] = &[
    ("layers", layers::check),
    ("dependencies", dependencies::check),
    ("unsafe files", unsafe_files::check),
    ("file sizes", sizes::check),
    ("cancel safety docs", cancel_docs::check),
    ("conformance suite", suite::check),
    ("test attributes", attributes::check),
    ("module docs", module_docs::check),
    ("readme example", readme::check),
    ("text files", text::check),
    ("manifests", manifests::check),
    ("changelog", changelog::check),
];

/// Runs all rules, so that one run shows everything that is to be put right.
pub(crate) fn run(ws: &Workspace) -> Result {
    let tree = Tree::load(&ws.root)?;
    println!("{}", sizes::summary(&tree));
    let mut broken = Vec::new();
    for (name, rule) in RULES {
        let problems = rule(&tree, ws);
        let word = if problems.is_empty() { "ok" } else { "BROKEN" };
        println!("rule {name}: {word}");
        for problem in &problems {
            println!("  {problem}");
        }
        if !problems.is_empty() {
            broken.push(*name);
        }
    }
    match broken.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "step `tidy` failed: {}",
            broken.join(", ")
        ))),
    }
}

/// What the tests of the rules share.
#[cfg(test)]
mod testing {
    use super::{Rule, Tree};
    use crate::workspace::Workspace;
    use crate::workspace::tests::workspace;

    /// The problems of a rule that needs no metadata.
    pub(super) fn problems(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
        problems_in(rule, files, &workspace(Vec::new()))
    }

    pub(super) fn problems_in(rule: Rule, files: &[(&str, &str)], ws: &Workspace) -> Vec<String> {
        let problems = rule(&Tree::of(files), ws);
        problems.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_git_every_file_outside_target_is_found() {
        let root = std::env::temp_dir().join(format!("kumi-x-walk-{}", std::process::id()));
        for dir in ["a/b", "target", ".git"] {
            fs::create_dir_all(root.join(dir)).unwrap();
            fs::write(root.join(dir).join("x.rs"), "//! X.\n").unwrap();
        }
        let mut paths = Vec::new();
        walk(&root, "", &mut paths).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(paths, ["a/b/x.rs"]);
        assert!(is_text(".ci/run") && is_text("a.md") && !is_text("a.png"));
    }
}
