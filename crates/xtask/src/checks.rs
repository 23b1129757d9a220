//! The checks that are a few calls of cargo each.

use std::path::PathBuf;

use crate::process::{Failure, Result};
use crate::workspace::Workspace;

/// The package whose users choose a backend by feature.
pub(crate) const FACADE: &str = "kumi";

/// The package that measures, and counts allocations.
const BENCHES: &str = "kumi-benches";

/// `cargo fmt`, as a check or (with `fix`) for real.
pub(crate) fn fmt(ws: &Workspace, fix: bool) -> Result {
    let check: &[&str] = if fix { &[] } else { &["--check"] };
    ws.cargo("fmt").args(["--all"]).args(check).run("fmt")
}

/// Lints everything at once, and then each published crate with no feature and each one alone.
///
/// The first run cannot see an import that is missing, or unused, without some feature: the
/// workspace's own members turn on nearly all of them.
pub(crate) fn clippy(ws: &Workspace) -> Result {
    ws.cargo("clippy")
        .args(["--workspace", "--all-targets", "--all-features"])
        .args(["--", "-D", "warnings"])
        .run("clippy (workspace)")?;
    for package in ws.packages.iter().filter(|package| package.published) {
        if package.features.is_empty() {
            continue;
        }
        let alone = |feature: &[&str], step: &str| {
            // No tests here: their dependencies may turn on features of ours.
            ws.cargo("clippy")
                .args(["--package", &package.name, "--no-default-features"])
                .args(feature)
                .args(["--", "-D", "warnings"])
                .run(&format!("clippy ({}, {step})", package.name))
        };
        alone(&[], "no features")?;
        for feature in package.public_features() {
            alone(&["--features", feature], &format!("only {feature}"))?;
        }
    }
    Ok(())
}

/// Builds the documentation; a broken link is an error.
pub(crate) fn doc(ws: &Workspace) -> Result {
    ws.cargo("doc")
        .args(["--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run("doc")
}

/// All tests, and once more those of the libraries without debug assertions and optimised.
///
/// What only holds because of a debug assertion, or only while nothing is inlined, shows in the
/// second run; so does task memory that is recycled, which debug builds do not do. Of the backends
/// only the default one is run twice: optimising the suite for each would take longer than all else.
/// The benches have no test here, and their peers take long to build.
pub(crate) fn test(ws: &Workspace) -> Result {
    ws.cargo("test")
        .args(["--workspace", "--exclude", BENCHES, "--all-features"])
        .run("test")?;
    let mut optimised = ws.cargo("test").args(["--profile", "testrelease"]);
    for package in ["kumi-core", FACADE, "kumi-loop"] {
        optimised = optimised.args(["--package", package]);
    }
    optimised
        .args(["--all-features", "--lib", "--tests"])
        .run("test (testrelease)")
}

/// The conformance suite on the named backends, or on all.
pub(crate) fn conformance(ws: &Workspace, names: &[String]) -> Result {
    for name in names {
        if !ws.backends().any(|package| package.is_called(name)) {
            return Err(Failure::new(format!("there is no backend `{name}`")));
        }
    }
    for package in ws.backends() {
        if !names.is_empty() && !names.iter().any(|name| package.is_called(name)) {
            continue;
        }
        ws.cargo("test")
            .args(["--package", &package.name, "--test", "conformance"])
            .args(["--all-features"])
            .run(&format!("conformance ({})", package.name))?;
    }
    Ok(())
}

/// The tests that count allocations: one thread, so that each sees only its own, and optimised,
/// because that is the code whose cost is promised.
///
/// One command for all packages, so that what they depend on is built once.
pub(crate) fn alloc(ws: &Workspace) -> Result {
    let (benches, others): (Vec<_>, Vec<_>) = ws
        .with_test("alloc")?
        .into_iter()
        .partition(|package| package.name == BENCHES);
    // The peers of the benches allocate what they like.
    for (packages, features) in [(others, &["--all-features"][..]), (benches, &[])] {
        if packages.is_empty() {
            continue;
        }
        let mut test = ws.cargo("test").args(["--release", "--test", "alloc"]);
        for package in &packages {
            test = test.args(["--package", &package.name]);
        }
        test.args(features)
            .args(["--", "--test-threads=1"])
            .run("alloc")?;
    }
    Ok(())
}

/// The benches, with their own arguments and with all peers.
pub(crate) fn bench(ws: &Workspace, args: &[String]) -> Result {
    run_benches(ws, &["--features", "peers"], args, "bench")
}

/// Every bench once: not to measure, only to see that none of them is broken. Without the peers that take
/// long to build: `clippy` sees whether they compile.
pub(crate) fn bench_smoke(ws: &Workspace) -> Result {
    run_benches(ws, &[], &["--smoke".to_owned()], "bench-smoke")
}

/// Builds the benches and returns one of their programs.
pub(crate) fn benches(
    ws: &Workspace,
    features: &[&str],
    name: &str,
    step: &str,
) -> Result<PathBuf> {
    let built = ws
        .cargo("build")
        .args(["--release", "--package", BENCHES, "--bins"])
        .args(features)
        .executables(step)?;
    let found = built.into_iter().find(|program| program.target == name);
    let missing = || Failure::new(format!("step `{step}` failed: no program `{name}`"));
    found.map(|program| program.path).ok_or_else(missing)
}

fn run_benches(ws: &Workspace, features: &[&str], args: &[String], step: &str) -> Result {
    ws.cargo("run")
        .args(["--release", "--package", BENCHES])
        .args(features)
        .args(["--"])
        .args(args)
        .run(step)
}
