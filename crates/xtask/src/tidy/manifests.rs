//! Rule: versions, lints and the edition are said once, at the root.

use super::{Problem, Tree};
use crate::workspace::Workspace;

const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// Two members with different versions of a crate build it twice and do not fit together; one that
/// forgets the lints is checked less than the rest. So all of it stands in the root manifest, and a
/// member only refers to it. The one exception are our own crates as dev-dependencies, by path and
/// with no version, since a published version there would make publishing circular.
pub(super) fn check(tree: &Tree, ws: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in &ws.packages {
        let path = format!("{}/Cargo.toml", package.dir);
        let Some(file) = tree.file(&path) else {
            problems.push(Problem::new(&path, 0, "it is not among the files"));
            continue;
        };
        problems.extend(check_manifest(&path, &file.text));
    }
    problems
}

fn check_manifest(path: &str, text: &str) -> Vec<Problem> {
    let entries = entries(text);
    let mut problems = Vec::new();
    let inherits = |section: &str, key: &str| {
        let mut of_section = entries.iter().filter(|entry| entry.section == section);
        of_section.any(|entry| entry.key == key && refers_to_root(&entry.value))
    };
    for key in INHERITED {
        if !inherits("package", key) {
            let text = format!("it does not inherit `{key}.workspace = true`");
            problems.push(Problem::new(path, 0, text));
        }
    }
    let lints = |entry: &Entry| {
        entry.section == "lints" && entry.key == "workspace" && entry.value == "true"
    };
    if !entries.iter().any(lints) {
        problems.push(Problem::new(path, 0, "it lacks `[lints] workspace = true`"));
    }
    for entry in &entries {
        let Some(kind) = dependency_kind(&entry.section) else {
            continue;
        };
        let ours = kind == "dev-dependencies" && has_key(&entry.value, "path");
        let fixed = entry.value.starts_with('"') || has_key(&entry.value, "version");
        if fixed || !(refers_to_root(&entry.value) || ours) {
            let text = format!("`{}` must be taken with `workspace = true`", entry.key);
            problems.push(Problem::new(path, entry.line, text));
        }
    }
    problems
}

/// One key of a manifest; `a.b = c` and `[x.a] b = c` both read as `a` with the value `{b=c}`.
#[derive(Debug)]
struct Entry {
    section: String,
    key: String,
    /// Without spaces.
    value: String,
    line: usize,
}

fn dependency_kind(section: &str) -> Option<&'static str> {
    let kinds = ["dev-dependencies", "build-dependencies", "dependencies"];
    let is = |kind: &&str| section == *kind || section.ends_with(&format!(".{kind}"));
    kinds.into_iter().find(is)
}

fn refers_to_root(value: &str) -> bool {
    value == "{workspace=true}" || value.starts_with("{workspace=true,") || {
        value.ends_with(",workspace=true}") || value.contains(",workspace=true,")
    }
}

fn has_key(value: &str, key: &str) -> bool {
    value.contains(&format!("{{{key}=")) || value.contains(&format!(",{key}="))
}

/// Reads as much of TOML as our manifests use, which has no strings over several lines.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = without_comment(line);
        let (start, whole) = match open.take() {
            Some((start, before)) => (start, before + &line),
            None => (index + 1, line),
        };
        let is_header = whole.starts_with('[');
        if !is_header && depth(&whole) > 0 {
            open = Some((start, whole));
        } else if is_header {
            section = whole.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, value)) = whole.split_once('=') {
            add(&mut entries, &section, key, value, start);
        }
    }
    entries
}

fn add(entries: &mut Vec<Entry>, section: &str, key: &str, value: &str, line: usize) {
    // `[dependencies.a] b = c` is `[dependencies] a.b = c`.
    let (parent, last) = section.rsplit_once('.').unwrap_or(("", section));
    let (section, key) = match dependency_kind(parent) {
        Some(_) if dependency_kind(section).is_none() => (parent, format!("{last}.{key}")),
        _ => (section, key.to_owned()),
    };
    let Some((key, inner)) = key.split_once('.') else {
        entries.push(Entry {
            section: section.to_owned(),
            key,
            value: value.to_owned(),
            line,
        });
        return;
    };
    let known = entries
        .iter_mut()
        .find(|entry| entry.section == section && entry.key == key);
    match known {
        Some(entry) => {
            entry.value.pop();
            entry.value.push_str(&format!(",{inner}={value}}}"));
        }
        None => entries.push(Entry {
            section: section.to_owned(),
            key: key.to_owned(),
            value: format!("{{{inner}={value}}}"),
            line,
        }),
    }
}

/// The line without its comment and without spaces, those in strings too: nothing here needs them.
fn without_comment(line: &str) -> String {
    let mut quote = None;
    let mut kept = String::new();
    for c in line.chars() {
        match quote {
            None if c == '#' => break,
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(end) if c == end => quote = None,
            _ => {}
        }
        if !c.is_whitespace() {
            kept.push(c);
        }
    }
    kept
}

/// How many brackets are open; none of our strings holds one.
fn depth(text: &str) -> usize {
    let opened = text.matches(['[', '{']).count();
    opened.saturating_sub(text.matches([']', '}']).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\n\
        edition = { workspace = true }\nrust-version.workspace = true\nlicense.workspace = true\n\n\
        [lints]\nworkspace = true\n";

    fn problems(rest: &str) -> Vec<String> {
        let problems = check_manifest("Cargo.toml", &format!("{GOOD}{rest}"));
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_member_refers_to_the_root() {
        assert_eq!(problems(""), [""; 0]);
        for line in ["license.workspace = true\n", "[lints]\nworkspace = true\n"] {
            let bad = GOOD.replace(line, "");
            assert_eq!(check_manifest("Cargo.toml", &bad).len(), 1, "{line}");
        }
        let own = GOOD.replace("\nversion.workspace = true", "\nversion = \"1.0.0\"");
        assert_eq!(check_manifest("Cargo.toml", &own).len(), 1);
    }

    #[test]
    fn dependencies_come_from_the_root() {
        for good in [
            "[dependencies]\na.workspace = true # \"1\"\nb = { workspace = true, optional = true }\n",
            "[target.'cfg(unix)'.dependencies]\na = { optional = true, workspace = true }\n",
            "[dependencies]\na = { workspace = true, features = [\n    \"x\", # y\n    \"z\",\n] }\n",
            "[dependencies.a]\nworkspace = true\nfeatures = [\"x\"]\n",
            "[dev-dependencies]\nkumi-sim = { path = \"../../backends/sim\" }\n",
            "[features]\ndefault = [\"a\"]\nversion = []\n\n[[test]]\nname = \"it\"\n",
        ] {
            assert_eq!(problems(good), [""; 0], "{good}");
        }
        for bad in [
            "[dependencies]\na = \"1\"\n",
            "[dependencies]\na = { version = \"1\", optional = true }\n",
            "[dependencies.a]\nversion = \"1\"\n",
            "[build-dependencies]\na.version = \"1\"\n",
            "[target.'cfg(unix)'.dependencies.a]\ngit = \"x\"\n",
            "[dependencies]\nkumi-sim = { path = \"../sim\" }\n",
            "[dev-dependencies]\nkumi-sim = { path = \"../sim\", version = \"0.1\" }\n",
        ] {
            assert_eq!(problems(bad).len(), 1, "{bad}");
        }
    }
}
