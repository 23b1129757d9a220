//! Rule: the changelog is there and open.

use super::{Problem, Tree};
use crate::workspace::Workspace;

const PATH: &str = "CHANGELOG.md";

/// A change that users can see is noted when it is made, because nobody remembers all of them at
/// the release; so there is always a heading to note it under.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    let Some(file) = tree.file(PATH) else {
        return vec![Problem::new(PATH, 0, "there is no changelog")];
    };
    if file.text.lines().any(|line| line == "## Unreleased") {
        return Vec::new();
    }
    vec![Problem::new(PATH, 0, "it has no heading `## Unreleased`")]
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    #[test]
    fn there_must_be_an_open_section() {
        assert!(problems(check, &[(PATH, "# Changelog\n\n## Unreleased\n")]).is_empty());
        assert_eq!(
            problems(check, &[(PATH, "# Changelog\n\n## 0.1.0\n")]).len(),
            1
        );
        assert_eq!(problems(check, &[]).len(), 1);
    }
}
