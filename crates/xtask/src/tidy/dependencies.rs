//! Rule: which of our crates may depend on which.

use super::{Problem, Tree};
use crate::checks::FACADE;
use crate::workspace::{Package, Workspace};

/// Core knows no runtime, and a backend knows only core: so anyone's backend has the same standing
/// as ours, and a user builds the one runtime that was chosen. In the facade every backend is
/// optional for the same reason. Unpublished members are nobody's dependency and free.
pub(super) fn check(_: &Tree, ws: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in ws.packages.iter().filter(|package| package.published) {
        let mut problem = |text: String| {
            let path = format!("{}/Cargo.toml", package.dir);
            problems.push(Problem::new(&path, 0, text));
        };
        let Some(allowed) = allowed(package, ws) else {
            problem(format!(
                "no rule says what `{}` may depend on",
                package.name
            ));
            continue;
        };
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| !d.dev && is_ours(&d.name))
        {
            if !allowed.contains(&dependency.name.as_str()) {
                let (user, used) = (&package.name, &dependency.name);
                problem(format!("`{user}` must not depend on `{used}`"));
            } else if is_backend(&dependency.name, ws) && !dependency.optional {
                problem(format!(
                    "the backend `{}` must be optional",
                    dependency.name
                ));
            }
        }
    }
    problems
}

fn is_ours(name: &str) -> bool {
    name == FACADE || name.starts_with("kumi-")
}

fn is_backend(name: &str, ws: &Workspace) -> bool {
    ws.backends().any(|package| package.name == name)
}

/// Which of our crates this one may use, or `None` if that has not been decided.
fn allowed<'a>(package: &Package, ws: &'a Workspace) -> Option<Vec<&'a str>> {
    if package.is_backend() {
        return Some(vec!["kumi-core"]);
    }
    match package.name.as_str() {
        "kumi-core" | "kumi-macros" => Some(Vec::new()),
        "kumi-hyper" | "kumi-conformance" => Some(vec!["kumi-core"]),
        FACADE => {
            let backends = ws.backends().map(|package| package.name.as_str());
            Some(
                ["kumi-core", "kumi-macros"]
                    .into_iter()
                    .chain(backends)
                    .collect(),
            )
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::problems_in;
    use super::*;
    use crate::workspace::tests::{package, workspace};

    fn found(packages: Vec<Value>) -> Vec<String> {
        problems_in(check, &[], &workspace(packages))
    }

    #[test]
    fn the_intended_graph_passes() {
        let mut tool = package("kumi-xtask", "crates/xtask", &[("kumi", None, false)]);
        tool["publish"] = json!([]);
        let packages = vec![
            package(
                "kumi-core",
                "crates/core",
                &[("slab", None, false), ("kumi-sim", Some("dev"), false)],
            ),
            package("kumi-macros", "crates/macros", &[]),
            package(
                "kumi-tokio",
                "backends/tokio",
                &[("kumi-core", None, false)],
            ),
            package(
                "kumi",
                "crates/kumi",
                &[("kumi-core", None, false), ("kumi-tokio", None, true)],
            ),
            tool,
        ];
        assert_eq!(found(packages), [""; 0]);
    }

    #[test]
    fn each_forbidden_edge_is_found() {
        let all_bad = [
            package("kumi-core", "crates/core", &[("kumi-macros", None, false)]),
            package(
                "kumi-core",
                "crates/core",
                &[("kumi-sim", Some("build"), false)],
            ),
            package("kumi-tokio", "backends/tokio", &[("kumi", None, false)]),
            package("kumi-smol", "backends/smol", &[("kumi-tokio", None, true)]),
            package("kumi-hyper", "crates/hyper", &[("kumi", None, false)]),
            package("kumi", "crates/kumi", &[("kumi-hyper", None, true)]),
            package("kumi-new", "crates/new", &[]),
        ];
        for bad in all_bad {
            assert_eq!(found(vec![bad.clone()]).len(), 1, "{bad}");
        }
    }

    #[test]
    fn the_facade_does_not_choose_a_backend() {
        let packages = vec![
            package(
                "kumi-tokio",
                "backends/tokio",
                &[("kumi-core", None, false)],
            ),
            package("kumi", "crates/kumi", &[("kumi-tokio", None, false)]),
        ];
        let found = found(packages);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`kumi-tokio` must be optional"));
    }
}
