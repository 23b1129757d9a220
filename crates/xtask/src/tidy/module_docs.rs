//! Rule: every file says what it is about.

use super::{Problem, Tree};
use crate::source::{File, close};
use crate::workspace::Workspace;

/// A file has one subject, and its first line says which: the quickest way to find a place in code
/// that one does not know, and a warning when a second subject moves in.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    tree.rust()
        .filter(|file| !first_line(file).starts_with("//!"))
        .map(|file| Problem::new(&file.path, 1, "it does not begin with a `//!` line"))
        .collect()
}

/// The first line after `#!`, empty lines and inner attributes.
fn first_line(file: &File) -> &str {
    let mut at = 0;
    if file.text.starts_with("#!") && !file.text.starts_with("#![") {
        at = file.text.find('\n').unwrap_or(file.text.len());
    }
    loop {
        let rest = &file.text[at..];
        at += rest.len() - rest.trim_start().len();
        if !file.text[at..].starts_with("#![") {
            break;
        }
        at = close(&file.code, at + 2).unwrap_or(file.text.len());
    }
    file.text[at..].lines().next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    #[test]
    fn a_file_begins_with_its_docs() {
        for good in [
            "//! A.\n",
            "#![cfg(all(\n    unix,\n))]\n\n//! A.\n",
            "#!/usr/bin/env x\n//! A.\n",
        ] {
            assert!(problems(check, &[("a.rs", good)]).is_empty(), "{good}");
        }
        for bad in ["", "mod a;\n", "// A.\n", "#![no_std]\nmod a;\n//! A.\n"] {
            assert_eq!(problems(check, &[("a.rs", bad)]).len(), 1, "{bad}");
        }
    }
}
