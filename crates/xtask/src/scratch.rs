//! The view from outside: a crate beside the workspace, with one backend and nothing else.
//!
//! Inside the workspace a missing feature or a forgotten re-export is easily hidden, because some
//! member or some test's dependency supplies it. A user has only `kumi` and one feature.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checks::FACADE;
use crate::process::{Cmd, Failure, Result};
use crate::workspace::Workspace;

/// Crates that must not come along with another backend, beside the backend's own.
///
/// mio is not among them: tokio uses it as well.
const RUNTIMES: &[(&str, &str)] = &[("tokio", "tokio"), ("smol", "async-executor")];

const MAIN: &str = r#"//! Spawns a task and waits for it.

#[kumi::main]
async fn main() {
    let h = kumi::spawn(async { 20 + 22 });
    assert_eq!(h.await.unwrap(), 42);
    println!("ok");
}
"#;

/// Without a backend there is nothing to run, but the crate must build.
const MAIN_WITHOUT_BACKEND: &str = "//! Only links the crate.

use kumi as _;

fn main() {}
";

pub(crate) fn run(ws: &Workspace) -> Result {
    let backends: Vec<_> = ws
        .backends()
        .filter_map(|p| p.dir.rsplit('/').next())
        .collect();
    let features: Vec<_> = ws
        .package(FACADE)?
        .public_features()
        .filter(|feature| backends.contains(feature))
        .collect();
    if features.is_empty() {
        return Err(Failure::new(
            "step `scratch` failed: the facade has no feature named after a backend",
        ));
    }
    let folder = Folder::create()?;
    let user = |name: &str, feature: Option<&str>, main: &str| {
        let step = format!("scratch ({name})");
        println!("a crate that depends on `{FACADE}` only: {name}");
        let dir = write_crate(ws, &folder.path, name, feature, main)?;
        let cargo = |subcommand: &str| -> Cmd {
            ws.cargo_elsewhere(subcommand, &dir)
                .env("CARGO_TARGET_DIR", ws.target_dir.join("scratch"))
        };
        let printed = cargo("run").args(["--quiet"]).stdout(&step)?;
        if feature.is_some() && printed.trim_end() != "ok" {
            return Err(Failure::new(format!(
                "step `{step}` failed: it printed {printed:?} and not `ok`"
            )));
        }
        let tree = cargo("tree")
            .args(["--prefix", "none", "-e", "normal"])
            .stdout(&step)?;
        let intruders = intruders(&tree, feature, &features);
        match intruders.is_empty() {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "step `{step}` failed: it also builds {}",
                intruders.join(", ")
            ))),
        }
    };
    for feature in &features {
        user(&format!("feature {feature}"), Some(feature), MAIN)?;
    }
    user("no feature", None, MAIN_WITHOUT_BACKEND)
}

/// The crates in a dependency tree that belong to a backend nobody asked for.
fn intruders(tree: &str, wanted: Option<&str>, features: &[&str]) -> Vec<String> {
    let built: Vec<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let mut intruders = Vec::new();
    for feature in features.iter().filter(|feature| Some(**feature) != wanted) {
        let runtimes = RUNTIMES.iter().filter(|(name, _)| name == feature);
        let runtimes = runtimes.map(|(_, runtime)| (*runtime).to_owned());
        let forbidden = runtimes.chain([format!("{FACADE}-{feature}")]);
        intruders.extend(forbidden.filter(|name| built.contains(&name.as_str())));
    }
    intruders
}

fn write_crate(
    ws: &Workspace,
    folder: &Path,
    name: &str,
    feature: Option<&str>,
    main: &str,
) -> Result<PathBuf> {
    let name = name.replace(' ', "-");
    let dir = folder.join(&name);
    let path = ws.root.join(&ws.package(FACADE)?.dir);
    let feature = feature.map_or_else(String::new, |feature| format!("\"{feature}\""));
    // A table `workspace` of its own, in case a parent of the temporary folder is one.
    let manifest = format!(
        "[package]\nname = \"scratch-{name}\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies.{FACADE}]\npath = '{}'\ndefault-features = false\nfeatures = [{feature}]\n",
        path.display()
    );
    let write = || {
        fs::create_dir_all(dir.join("src"))?;
        fs::write(dir.join("Cargo.toml"), manifest)?;
        // The versions that the workspace is tested with, and no look at the registry.
        fs::copy(ws.root.join("Cargo.lock"), dir.join("Cargo.lock"))?;
        fs::write(dir.join("src/main.rs"), main)
    };
    write().map_err(|error| Failure::new(format!("cannot write {}: {error}", dir.display())))?;
    Ok(dir)
}

/// A folder that goes away with this value.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn create() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("kumi-scratch-{}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| Failure::new(format!("cannot create {}: {error}", path.display())))?;
        Ok(Folder { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // If it cannot be removed, the system clears its temporary folder in time.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_backend_in_the_tree_is_an_intruder() {
        let features = ["loop", "smol", "tokio"];
        let tree =
            "scratch v0.1.0\nkumi v0.1.0 (/ws)\nkumi-tokio v0.1.0\ntokio v1.0.0\nmio v1.0.0\n";
        assert!(intruders(tree, Some("tokio"), &features).is_empty());
        assert_eq!(
            intruders(tree, Some("loop"), &features),
            ["tokio", "kumi-tokio"]
        );
        let tree = "kumi-smol v0.1.0\nasync-executor v1.0.0\n";
        assert_eq!(
            intruders(tree, None, &features),
            ["async-executor", "kumi-smol"]
        );
    }
}
