//! Rule: every conformance case is run.

use std::collections::BTreeSet;

use super::{Problem, Tree};
use crate::source::words;
use crate::workspace::Workspace;

const CASES: &str = "crates/conformance/src/cases/";
const SUITE: &str = "crates/conformance/src/suite.rs";
/// The parts of the list.
const PARTS: &str = "crates/conformance/src/suite/";

/// A backend runs the cases that the macros in `suite.rs` and its parts name. A case that is missing
/// there compiles, reads like a check, and checks nothing.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    let Some(suite) = tree.file(SUITE) else {
        return vec![Problem::new(SUITE, 0, "there is no list of the cases")];
    };
    let parts = tree.rust().filter(|file| file.path.starts_with(PARTS));
    let lists = std::iter::once(suite).chain(parts);
    let listed: BTreeSet<_> = lists
        .flat_map(|list| words(&list.code))
        .map(|(_, word)| word)
        .collect();
    let mut problems = Vec::new();
    let mut count = 0;
    for file in tree.rust().filter(|file| file.path.starts_with(CASES)) {
        for (index, line) in file.code.lines().enumerate() {
            let Some(name) = case(line) else { continue };
            count += 1;
            if !listed.contains(name) {
                let text = format!("case `{name}` is not listed in {SUITE}");
                problems.push(Problem::new(&file.path, index + 1, text));
            }
        }
    }
    if count == 0 {
        problems.push(Problem::new(CASES, 0, "there are no cases"));
    }
    problems
}

/// The name of the public function that begins on this line.
fn case(line: &str) -> Option<&str> {
    let words: Vec<_> = words(line).map(|(_, word)| word).take(4).collect();
    let public = line.starts_with("pub ");
    match words[..] {
        ["pub", "fn", name, ..] | ["pub", "async", "fn", name] if public => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    const GATHER: &str = "crates/conformance/src/cases/gather.rs";

    #[test]
    fn a_case_must_be_listed() {
        let cases = "pub async fn empty() {}\npub fn order<R>(rt: &R) {}\nfn helper() {}\n";
        let good = [(GATHER, cases), (SUITE, "list! { gather: empty, order }")];
        assert!(problems(check, &good).is_empty());
        let apart = [
            (GATHER, cases),
            (SUITE, "list! { gather: empty }"),
            ("crates/conformance/src/suite/more.rs", "list! { order }"),
        ];
        assert!(problems(check, &apart).is_empty());
        let bad = [
            (GATHER, cases),
            (SUITE, "list! { gather: empty_input, order } // empty"),
        ];
        let found = problems(check, &bad);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("case `empty`"));
        let part = "crates/conformance/src/suite/part.rs";
        let good = [(GATHER, cases), (SUITE, "order"), (part, "empty")];
        assert!(problems(check, &good).is_empty());
    }

    #[test]
    fn a_suite_without_cases_is_a_problem() {
        assert_eq!(problems(check, &[(SUITE, "")]).len(), 1);
        assert_eq!(problems(check, &[(GATHER, "pub fn a() {}\n")]).len(), 1);
    }
}
