//! Seeds faults, one at a time, and requires that the model meant for each of them fails.
//!
//! A model that passes shows nothing by itself: it may not reach the code, or assert too little.
//! So code guarded by `cfg(kumi_fault = "NAME")` weakens an ordering or skips a step, and
//! `tests/loom/teeth.txt` beside the models says, in lines `NAME MODEL`, which model must notice.
//!
//! Only members of the workspace know the faults, so only they are rebuilt for each. `RUSTFLAGS`
//! cannot do that, since they reach every dependency. Instead this program stands in front of rustc
//! as `RUSTC_WORKSPACE_WRAPPER` and adds the flag. Cargo tells builds apart by the wrapper's
//! path, so each fault has a copy of its own in a folder named after the fault.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::{FLAGS, build, executable, run_one};
use crate::process::{Failure, Result, read};
use crate::workspace::{Package, Workspace};

/// Where the builds with faults live, in the target folder.
const FOLDER: &str = "loom-teeth";

/// Set while faults are seeded; tells this program to stand in for rustc.
const FAULT: &str = "KUMI_SEEDED_FAULT";

/// A model that needs longer to notice has no teeth either.
const LIMIT: Duration = Duration::from_secs(120);

/// A fault and the model that must notice it.
#[derive(Debug, PartialEq, Eq)]
struct Tooth {
    fault: String,
    model: String,
}

/// Checks all teeth of a package.
pub(crate) fn check(ws: &Workspace, package: &Package, models: &[String]) -> Result {
    let step = format!("teeth ({})", package.name);
    let fail = |text: String| Failure::new(format!("step `{step}` failed: {text}"));
    let dir = ws.root.join(&package.dir);
    let teeth = parse(&read(&dir.join("tests/loom/teeth.txt"))?).map_err(fail)?;
    let mut sources = Vec::new();
    read_sources(&dir.join("src"), &mut sources)?;
    compare(&teeth, models, &seeded(&sources)).map_err(fail)?;
    let mut toothless = Vec::new();
    for fault in teeth.iter().map(|t| &t.fault).collect::<BTreeSet<_>>() {
        let build = build(ws, package, FOLDER)
            .env("RUSTFLAGS", FLAGS)
            .env(FAULT, fault)
            .env("RUSTC_WORKSPACE_WRAPPER", wrapper(ws, fault)?);
        let program = executable(build, &step)?;
        for tooth in teeth.iter().filter(|tooth| tooth.fault == *fault) {
            let finished = run_one(ws, &program, &tooth.model, LIMIT, &step)?;
            let (model, ending) = (&tooth.model, finished.ending());
            if finished.status.is_some() && !finished.succeeded() {
                println!("fault {fault}: noticed by {model} ({ending})");
            } else {
                println!("fault {fault}: NOT noticed by {model} ({ending})");
                toothless.push(format!("model {model} has no teeth: fault {fault}"));
            }
        }
    }
    match toothless.is_empty() {
        true => Ok(()),
        false => Err(fail(toothless.join("; "))),
    }
}

/// If cargo called us in place of rustc: calls rustc, with the fault seeded.
pub(crate) fn run_as_rustc_wrapper() -> Option<ExitCode> {
    let fault = std::env::var(FAULT).ok()?;
    let mut args = std::env::args_os().skip(1);
    let status = Command::new(args.next()?)
        .args(args)
        .args(["--cfg", &format!("kumi_fault=\"{fault}\"")])
        .status();
    let succeeded = status.is_ok_and(|status| status.success());
    Some(match succeeded {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// This program under a path that names the fault.
fn wrapper(ws: &Workspace, fault: &str) -> Result<PathBuf> {
    let place = || {
        let this = std::env::current_exe()?;
        let dir = ws.target_dir.join(FOLDER).join("wrappers").join(fault);
        fs::create_dir_all(&dir)?;
        let copy = dir.join("kumi-xtask");
        if copy.exists() {
            fs::remove_file(&copy)?;
        }
        fs::hard_link(&this, &copy).or_else(|_| fs::copy(&this, &copy).map(drop))?;
        Ok(copy)
    };
    place().map_err(|error: std::io::Error| {
        Failure::new(format!("cannot place the wrapper of {fault}: {error}"))
    })
}

fn parse(text: &str) -> std::result::Result<Vec<Tooth>, String> {
    let mut teeth = Vec::new();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            [fault, model] => teeth.push(Tooth {
                fault: fault.to_owned(),
                model: model.to_owned(),
            }),
            _ => return Err(format!("teeth.txt: expected `fault model`, not `{line}`")),
        }
    }
    match teeth.is_empty() {
        true => Err("teeth.txt lists no fault".to_owned()),
        false => Ok(teeth),
    }
}

/// The faults that the sources can seed.
fn seeded(sources: &[String]) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    for source in sources {
        for part in source.split("kumi_fault").skip(1) {
            let value = part.trim_start().strip_prefix('=').map(str::trim_start);
            let name = value.and_then(|value| value.strip_prefix('"')?.split('"').next());
            faults.extend(name.map(str::to_owned));
        }
    }
    faults
}

/// List, models and sources must speak of the same things, or a spelling mistake goes unseen.
fn compare(
    teeth: &[Tooth],
    models: &[String],
    seeded: &BTreeSet<String>,
) -> std::result::Result<(), String> {
    for Tooth { fault, model } in teeth {
        if !models.contains(model) {
            return Err(format!("teeth.txt: there is no model `{model}`"));
        }
        if !seeded.contains(fault) {
            return Err(format!("teeth.txt: no source seeds the fault `{fault}`"));
        }
    }
    for fault in seeded {
        if !teeth.iter().any(|tooth| tooth.fault == *fault) {
            return Err(format!("teeth.txt names no model for the fault `{fault}`"));
        }
    }
    Ok(())
}

fn read_sources(dir: &Path, sources: &mut Vec<String>) -> Result {
    let entries = fs::read_dir(dir)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", dir.display())))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            read_sources(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(read(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tooth(fault: &str, model: &str) -> Tooth {
        Tooth {
            fault: fault.to_owned(),
            model: model.to_owned(),
        }
    }

    #[test]
    fn the_list_is_read_strictly() {
        let teeth = parse("# why\n\nrelaxed wake::lost\n").unwrap();
        assert_eq!(teeth, [tooth("relaxed", "wake::lost")]);
        assert!(parse("relaxed\n").is_err());
        assert!(parse("# nothing\n").is_err());
    }

    #[test]
    fn list_models_and_sources_must_agree() {
        let source = r#"if cfg!(kumi_fault = "relaxed") {} #[cfg(not(kumi_fault="skip"))]"#;
        let seeded = seeded(&[source.to_owned()]);
        assert_eq!(seeded.iter().collect::<Vec<_>>(), ["relaxed", "skip"]);
        let models = ["a".to_owned()];
        let good = [tooth("relaxed", "a"), tooth("skip", "a")];
        assert!(compare(&good, &models, &seeded).is_ok());
        let all_bad = [
            vec![tooth("relaxed", "a")],
            vec![tooth("relaxed", "a"), tooth("skip", "b")],
            vec![
                tooth("relaxed", "a"),
                tooth("skip", "a"),
                tooth("other", "a"),
            ],
        ];
        for bad in all_bad {
            assert!(compare(&bad, &models, &seeded).is_err(), "{bad:?}");
        }
    }
}
