//! Rule: files are small.

use super::{Problem, Tree};
use crate::source::File;
use crate::workspace::Workspace;

/// No file is longer than this.
const LONGEST: usize = 600;

/// Half of the library's files are no longer than this.
const MEDIAN: usize = 200;

/// A file that fits in the head can be changed safely. The limit on the median keeps the other one
/// from becoming the usual length.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    let too_long = |file: &&File| lines(file) > LONGEST;
    let mut problems: Vec<_> = tree
        .rust()
        .filter(too_long)
        .map(|file| {
            let text = format!("{} lines, more than {LONGEST}", lines(file));
            Problem::new(&file.path, 0, text)
        })
        .collect();
    let median = median(tree);
    if median > MEDIAN {
        let text = format!("the median file has {median} lines, more than {MEDIAN}");
        problems.push(Problem::new("crates, backends", 0, text));
    }
    problems
}

/// The numbers behind the rule, shown at every run so that a drift is seen early.
pub(super) fn summary(tree: &Tree) -> String {
    let longest = tree.rust().max_by_key(|file| lines(file));
    let (count, median) = (library(tree).count(), median(tree));
    match longest {
        None => "no Rust files".to_owned(),
        Some(file) => format!(
            "{count} Rust files in crates and backends, median {median} lines; longest: {} ({})",
            file.path,
            lines(file)
        ),
    }
}

fn lines(file: &File) -> usize {
    file.text.lines().count()
}

fn library(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.rust()
        .filter(|file| file.path.starts_with("crates/") || file.path.starts_with("backends/"))
}

fn median(tree: &Tree) -> usize {
    let mut all: Vec<_> = library(tree).map(lines).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    #[test]
    fn long_files_and_a_long_median_are_problems() {
        let of = |count: usize| "//\n".repeat(count);
        let (small, middle, full, long) = (of(10), of(201), of(600), of(601));
        let good = [
            ("crates/a.rs", &*small),
            ("crates/b.rs", &small),
            ("c/c.rs", &full),
        ];
        assert!(problems(check, &good).is_empty());
        assert_eq!(problems(check, &[("examples/a.rs", &*long)]).len(), 1);
        let bad = [("crates/a.rs", &*small), ("backends/b.rs", &middle)];
        let found = problems(check, &bad);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("median file has 201"));
    }
}
