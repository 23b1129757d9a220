//! What `cargo metadata` knows about the members of the workspace.
//!
//! Every check asks here which packages, targets and features there are, so that a new one is
//! checked from its first day on and no list has to be kept in step by hand.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{Cmd, Failure, Result};

/// The workspace and how to call cargo in it.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target_dir: PathBuf,
    pub(crate) packages: Vec<Package>,
    /// In CI the lock file is a fact: a command that would have to change it fails.
    locked: bool,
}

#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the root, with `/`.
    pub(crate) dir: String,
    pub(crate) published: bool,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) optional: bool,
    /// Not needed by users of the package, only by its own tests.
    pub(crate) dev: bool,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: String,
}

impl Workspace {
    /// The workspace around the current folder.
    pub(crate) fn load() -> Result<Workspace> {
        let mut ask = Cmd::new(cargo_program(), Path::new("."));
        ask = ask.args(["metadata", "--no-deps", "--format-version", "1"]);
        let text = ask.quiet_stdout("metadata")?;
        let json = serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("step `metadata` failed: {error}")))?;
        let locked = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        Workspace::parse(&json, locked)
    }

    /// Reads the JSON of `cargo metadata --format-version 1`.
    pub(crate) fn parse(json: &Value, locked: bool) -> Result<Workspace> {
        let root = PathBuf::from(text(&json["workspace_root"])?);
        let mut packages = Vec::new();
        for package in list(&json["packages"])? {
            packages.push(Package::parse(package, &root)?);
        }
        Ok(Workspace {
            target_dir: PathBuf::from(text(&json["target_directory"])?),
            root,
            packages,
            locked,
        })
    }

    /// `cargo <subcommand>` at the root of the workspace.
    pub(crate) fn cargo(&self, subcommand: &str) -> Cmd {
        let cmd = Cmd::new(cargo_program(), &self.root).args([subcommand]);
        // `cargo fmt` resolves nothing and knows no `--locked`.
        if self.locked && subcommand != "fmt" {
            cmd.args(["--locked"])
        } else {
            cmd
        }
    }

    /// `cargo <subcommand>` in a folder outside the workspace, with a lock file of its own.
    pub(crate) fn cargo_elsewhere(&self, subcommand: &str, dir: &Path) -> Cmd {
        Cmd::new(cargo_program(), dir).args([subcommand])
    }

    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .ok_or_else(|| Failure::new(format!("the workspace has no package `{name}`")))
    }

    pub(crate) fn backends(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_backend())
    }

    /// Every package with a test target of this name; having none is an error, because a check
    /// that finds nothing to check would pass for ever.
    pub(crate) fn with_test(&self, name: &str) -> Result<Vec<&Package>> {
        let found: Vec<_> = self
            .packages
            .iter()
            .filter(|package| package.has_test(name))
            .collect();
        if found.is_empty() {
            return Err(Failure::new(format!(
                "step `{name}` failed: no package has a test target named `{name}`"
            )));
        }
        Ok(found)
    }
}

impl Package {
    fn parse(json: &Value, root: &Path) -> Result<Package> {
        let manifest = PathBuf::from(text(&json["manifest_path"])?);
        let dir = manifest.parent().unwrap_or(root);
        let dir = dir.strip_prefix(root).unwrap_or(dir);
        let mut dependencies = Vec::new();
        for dependency in list(&json["dependencies"])? {
            dependencies.push(Dependency {
                name: text(&dependency["name"])?,
                optional: dependency["optional"] == Value::Bool(true),
                dev: dependency["kind"] == "dev",
            });
        }
        let mut targets = Vec::new();
        for target in list(&json["targets"])? {
            targets.push(Target {
                name: text(&target["name"])?,
                kind: text(&target["kind"][0])?,
            });
        }
        let features = json["features"].as_object();
        Ok(Package {
            name: text(&json["name"])?,
            dir: dir.to_string_lossy().replace('\\', "/"),
            published: json["publish"] != Value::Array(Vec::new()),
            features: features.map_or_else(Vec::new, |map| map.keys().cloned().collect()),
            dependencies,
            targets,
        })
    }

    pub(crate) fn is_backend(&self) -> bool {
        self.dir.starts_with("backends/")
    }

    pub(crate) fn has_test(&self, name: &str) -> bool {
        let is = |target: &Target| target.kind == "test" && target.name == name;
        self.targets.iter().any(is)
    }

    /// The features a user chooses: not the default set, nor the private ones.
    pub(crate) fn public_features(&self) -> impl Iterator<Item = &str> {
        let features = self.features.iter().map(String::as_str);
        features.filter(|name| !name.starts_with('_') && *name != "default")
    }

    /// Whether the user meant this package: by its folder (`tokio`) or its name (`kumi-tokio`).
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.dir.rsplit('/').next() == Some(name)
    }
}

/// The cargo that runs us, if one does: with several toolchains installed, the same one.
fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn text(value: &Value) -> Result<String> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| Failure::new(format!("step `metadata` failed: no text in {value}")))
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    let list = value.as_array();
    list.ok_or_else(|| Failure::new(format!("step `metadata` failed: no list in {value}")))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A package as `cargo metadata` describes it; dependencies are (name, kind, optional).
    pub(crate) fn package(
        name: &str,
        dir: &str,
        dependencies: &[(&str, Option<&str>, bool)],
    ) -> Value {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|(name, kind, optional)| json!({"name": name, "kind": kind, "optional": optional}))
            .collect();
        json!({
            "name": name,
            "manifest_path": format!("/ws/{dir}/Cargo.toml"),
            "publish": null,
            "features": {"default": ["a"], "a": [], "_b": []},
            "targets": [{"name": "alloc", "kind": ["test"]}],
            "dependencies": dependencies,
        })
    }

    pub(crate) fn workspace(packages: Vec<Value>) -> Workspace {
        let json = json!({
            "workspace_root": "/ws",
            "target_directory": "/ws/target",
            "packages": packages,
        });
        Workspace::parse(&json, false).unwrap()
    }

    #[test]
    fn members_are_read_from_the_metadata() {
        let ws = workspace(vec![package("kumi-tokio", "backends/tokio", &[])]);
        let package = ws.package("kumi-tokio").unwrap();
        assert_eq!(package.dir, "backends/tokio");
        assert!(package.published && package.is_backend());
        assert!(package.is_called("tokio") && package.is_called("kumi-tokio"));
        assert_eq!(package.public_features().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_check_with_nothing_to_check_fails() {
        let ws = workspace(vec![package("kumi-core", "crates/core", &[])]);
        assert_eq!(ws.with_test("alloc").unwrap().len(), 1);
        assert!(ws.with_test("loom").is_err());
    }
}
