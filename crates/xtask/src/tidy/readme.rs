//! Rule: the first example of the README is a tested one.

use super::{Problem, Tree};
use crate::workspace::Workspace;

const README: &str = "README.md";
const LIBRARY: &str = "crates/kumi/src/lib.rs";

/// The example that everyone copies must compile. The one in the crate's documentation does, being
/// a doctest; so the two are the same, apart from lines that the documentation hides.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    let lines_of = |path: &str| {
        let file = tree.file(path);
        file.map_or_else(Vec::new, |file| file.text.lines().collect())
    };
    let readme = lines_of(README);
    let library = lines_of(LIBRARY);
    let docs = library
        .iter()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect::<Vec<_>>();
    // In Markdown at large a block with no name is not Rust; in rustdoc it is.
    let shown = first_block(&readme, |info| info.split(',').next() == Some("rust"));
    let tested = first_block(&docs, is_rust);
    match (shown, tested) {
        (None, _) => vec![Problem::new(README, 0, "it has no Rust example")],
        (_, None) => vec![Problem::new(LIBRARY, 0, "its docs have no Rust example")],
        (Some(shown), Some(tested)) if shown != tested => {
            let text = format!("its first example differs from that of {LIBRARY}");
            vec![Problem::new(README, 0, text)]
        }
        _ => Vec::new(),
    }
}

/// Whether rustdoc takes a block with this information for Rust.
fn is_rust(info: &str) -> bool {
    let known = [
        "",
        "rust",
        "no_run",
        "ignore",
        "should_panic",
        "compile_fail",
    ];
    let is_known = |word: &str| known.contains(&word) || word.starts_with("edition");
    info.split(',').map(str::trim).all(is_known)
}

/// The visible lines of the first block whose information is accepted.
fn first_block<'a>(lines: &[&'a str], accepts: impl Fn(&str) -> bool) -> Option<Vec<&'a str>> {
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let block = lines.by_ref().take_while(|line| !line.starts_with("```"));
        let is_hidden = |line: &str| line == "#" || line.starts_with("# ");
        let block = block
            .map(|line| line.trim_end())
            .filter(|line| !is_hidden(line));
        let block = block.collect::<Vec<_>>();
        if accepts(info.trim()) {
            return Some(block);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    #[test]
    fn both_examples_are_the_same() {
        let readme =
            "# K\n\n```sh\ncargo add kumi\n```\n\n```rust\n#[kumi::main]\nfn a() {\n\n}\n```\n";
        let good = "//! K.\n//!\n//! ```text\n//! x\n//! ```\n//! ```no_run\n//! # use x;\n\
            //! #[kumi::main]\n//! fn a() {\n//!\n//! }\n//! ```\nmod a;\n";
        assert!(problems(check, &[(README, readme), (LIBRARY, good)]).is_empty());
        let bad = good.replace("fn a", "fn b");
        assert_eq!(
            problems(check, &[(README, readme), (LIBRARY, &bad)]).len(),
            1
        );
        assert_eq!(
            problems(check, &[(README, "# K\n"), (LIBRARY, good)]).len(),
            1
        );
        assert_eq!(
            problems(check, &[(README, readme), (LIBRARY, "//! K.\n")]).len(),
            1
        );
    }
}
