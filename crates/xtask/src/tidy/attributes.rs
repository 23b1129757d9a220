//! Rule: no test is switched off, and no panic is accepted unseen.

use super::{Problem, Tree};
use crate::source::{close, words};
use crate::workspace::Workspace;

/// An ignored test is a comment that looks like a promise. A test that accepts any panic also
/// accepts that of its own mistake; with `expected` it accepts one.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.rust() {
        for (start, _) in file.code.match_indices("#[") {
            let end = close(&file.code, start + 1).unwrap_or(file.code.len());
            let attribute = &file.code[start..end];
            let has = |name: &str| words(attribute).any(|(_, word)| word == name);
            let mut problem = |text| {
                problems.push(Problem::new(&file.path, file.line_of(start), text));
            };
            if has("ignore") {
                problem("an ignored test: mend or remove it");
            }
            if has("should_panic") && !has("expected") {
                problem("`should_panic` without `expected`");
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    #[test]
    fn tests_run_and_name_their_panics() {
        let good = "// #[ignore]\n#[test]\n#[should_panic(expected = \"full\")]\nfn a() {}\n";
        assert!(problems(check, &[("a.rs", good)]).is_empty());
        for bad in [
            "#[ignore]\nfn a() {}\n",
            "#[ignore = \"slow\"]\nfn a() {}\n",
            "#[cfg_attr(miri, ignore)]\nfn a() {}\n",
            "#[should_panic]\nfn a() {}\n",
        ] {
            assert_eq!(problems(check, &[("a.rs", bad)]).len(), 1, "{bad}");
        }
    }
}
