//! Rule: `unsafe` only where `ARCHITECTURE.md` says so.

use std::collections::BTreeSet;

use super::{Problem, Tree};
use crate::source::{File, words};
use crate::workspace::{Package, Workspace};

const LIST: &str = "ARCHITECTURE.md";
const BEGIN: &str = "<!-- unsafe-files -->";
const END: &str = "<!-- /unsafe-files -->";
const FORBID: &str = "#![forbid(unsafe_code)]";

/// An audit must know where to look, and each of these files has earned its place by a measurement
/// that stands in the list. So the list is complete, names nothing that no longer needs it, and
/// the compiler forbids `unsafe` wherever a whole crate can do without.
pub(super) fn check(tree: &Tree, ws: &Workspace) -> Vec<Problem> {
    let listed = match listed(tree) {
        Ok(listed) => listed,
        Err(problem) => return vec![problem],
    };
    let mut problems = Vec::new();
    for file in tree.rust() {
        let found = words(&file.code).find(|(_, word)| *word == "unsafe");
        let is_listed = listed.contains(file.path.as_str());
        match found {
            Some((at, _)) if !is_listed => {
                let text = format!("`unsafe` in a file that {LIST} does not list");
                problems.push(Problem::new(&file.path, file.line_of(at), text));
            }
            None if is_listed => {
                let text = format!("{LIST} lists it, but it has no `unsafe`");
                problems.push(Problem::new(&file.path, 0, text));
            }
            _ => {}
        }
    }
    for path in listed.iter().filter(|path| tree.file(path).is_none()) {
        problems.push(Problem::new(LIST, 0, format!("`{path}` does not exist")));
    }
    for package in &ws.packages {
        let inside = format!("{}/src/", package.dir);
        if !listed.iter().any(|path| path.starts_with(&inside)) {
            problems.extend(not_forbidden(package, tree));
        }
    }
    problems
}

/// The paths in backticks between the two markers.
fn listed(tree: &Tree) -> Result<BTreeSet<&str>, Problem> {
    let problem = |text: String| Problem::new(LIST, 0, text);
    let file = tree
        .file(LIST)
        .ok_or_else(|| problem("there is no such file".to_owned()))?;
    let (_, rest) = file
        .text
        .split_once(BEGIN)
        .ok_or_else(|| problem(format!("it has no line `{BEGIN}`")))?;
    let (list, _) = rest
        .split_once(END)
        .ok_or_else(|| problem(format!("it has no line `{END}`")))?;
    let quoted = list
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    Ok(quoted.filter(|word| word.ends_with(".rs")).collect())
}

/// The crate roots of a member that leave `unsafe` possible.
fn not_forbidden(package: &Package, tree: &Tree) -> Vec<Problem> {
    let forbids = |file: &File| file.code.lines().any(|line| line.trim() == FORBID);
    ["lib.rs", "main.rs"]
        .iter()
        .filter_map(|name| tree.file(&format!("{}/src/{name}", package.dir)))
        .filter(|file| !forbids(file))
        .map(|file| Problem::new(&file.path, 0, format!("it lacks `{FORBID}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{problems, problems_in};
    use super::*;
    use crate::workspace::tests::{package, workspace};

    const TABLE: &str = "# A\n\n<!-- unsafe-files -->\n| file | why |\n|---|---|\n\
        | `crates/core/src/a.rs` | `Pin` |\n<!-- /unsafe-files -->\n\n`crates/other.rs`\n";

    #[test]
    fn the_list_is_exact() {
        let good = [
            (LIST, TABLE),
            ("crates/core/src/a.rs", "unsafe fn a() {}"),
            (
                "crates/core/src/b.rs",
                "// unsafe\n#![deny(unsafe_code)]\nfn a() { \"unsafe\" }",
            ),
        ];
        assert_eq!(problems(check, &good), [""; 0]);
        let unlisted = [
            good[0],
            good[1],
            ("examples/x.rs", "fn a() { unsafe { b() } }"),
        ];
        assert_eq!(problems(check, &unlisted).len(), 1);
        let needless = [good[0], ("crates/core/src/a.rs", "fn a() {}")];
        assert_eq!(problems(check, &needless).len(), 1);
        assert_eq!(
            problems(check, &[good[0]]).len(),
            1,
            "the listed file is gone"
        );
        assert_eq!(problems(check, &[(LIST, "# A\n")]).len(), 1);
        assert_eq!(problems(check, &[]).len(), 1);
    }

    #[test]
    fn other_crates_forbid_it() {
        let ws = workspace(vec![
            package("kumi-core", "crates/core", &[]),
            package("kumi", "crates/kumi", &[]),
        ]);
        let common = [
            (LIST, TABLE),
            ("crates/core/src/a.rs", "unsafe fn a() {}"),
            ("crates/core/src/lib.rs", "mod a;"),
        ];
        let with = |facade| problems_in(check, &[&common[..], &[facade]].concat(), &ws);
        let path = "crates/kumi/src/lib.rs";
        assert!(with((path, "//! K.\n#![forbid(unsafe_code)]\n")).is_empty());
        assert_eq!(
            with((path, "//! K.\n// #![forbid(unsafe_code)]\n")).len(),
            1
        );
        assert_eq!(with((path, "//! K.\n")).len(), 1);
    }
}
