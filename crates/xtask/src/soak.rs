//! Long runs on each backend, and their short form: `kumi-soak`, whose docs say what is checked.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::process::{Cmd, Failure, Result};
use crate::workspace::Workspace;

/// The package of the programs.
const PACKAGE: &str = "kumi-soak";

/// Where they run: the simulator has no sockets, and no time that passes.
pub(crate) const BACKENDS: [&str; 3] = ["loop", "tokio", "smol"];

/// Ten times what the slowest backend takes.
const LIMIT: Duration = Duration::from_secs(900);

/// What `cargo x soak` can be told.
#[derive(Debug, Default, Args)]
pub(crate) struct Soak {
    /// loop, tokio or smol; all if none is named
    #[arg(long)]
    backend: Vec<String>,
    /// A hundredth of each size
    #[arg(long)]
    quick: bool,
    /// Passed on: sizes (`--tasks`, `--timers`, `--connections`, `--churn`, `--messages`) and parts
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// The short form, for CI.
pub(crate) fn quick(ws: &Workspace) -> Result {
    let soak = Soak {
        quick: true,
        ..Soak::default()
    };
    run(ws, &soak)
}

pub(crate) fn run(ws: &Workspace, soak: &Soak) -> Result {
    let program = program(ws, "soak")?;
    let mut failed = Vec::new();
    for backend in chosen(&soak.backend)? {
        let quick: &[&str] = if soak.quick { &["--quick"] } else { &[] };
        let cmd = Cmd::new(&program, &ws.root)
            .args(["--backend", backend])
            .args(quick)
            .args(&soak.args);
        cmd.show();
        let finished = cmd.within(LIMIT, "soak")?;
        print!("{}{}", finished.stdout, finished.stderr);
        if !finished.succeeded() {
            failed.push(format!("{backend} ({})", finished.ending()));
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => {
            let failed = failed.join(", ");
            Err(Failure::new(format!("step `soak` failed: {failed}")))
        }
    }
}

/// The backends that were named, or all.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static str>> {
    for name in names {
        if !BACKENDS.contains(&name.as_str()) {
            let all = BACKENDS.join(", ");
            return Err(Failure::new(format!("`{name}` is not one of {all}")));
        }
    }
    let named = |backend: &&str| names.is_empty() || names.iter().any(|name| name == backend);
    Ok(BACKENDS.into_iter().filter(named).collect())
}

/// Builds the programs and returns one of them.
///
/// With the examples, so that the libraries are built with the same features, and once for both.
pub(crate) fn program(ws: &Workspace, name: &str) -> Result<PathBuf> {
    let built = ws
        .cargo("build")
        .args(["--release", "--bins", "--all-features"])
        .args(["--package", crate::examples::PACKAGE, "--package", PACKAGE])
        .executables("build the soak")?;
    let found = built.into_iter().find(|program| program.target == name);
    found
        .map(|program| program.path)
        .ok_or_else(|| Failure::new(format!("there is no program `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_chosen_by_name() {
        assert_eq!(chosen(&[]).unwrap(), BACKENDS);
        assert_eq!(chosen(&["smol".to_owned()]).unwrap(), ["smol"]);
        assert!(chosen(&["sim".to_owned()]).is_err());
    }
}
