//! Seeds faults, one at a time, and requires that the model meant for each of them fails.
//!
//! A model that passes shows nothing by itself: it may not reach the code, or assert too little.
//! So code that asks `fault("NAME")` weakens an ordering or skips a step if the answer is yes, and
//! `tests/loom/teeth.txt` beside the models says, in lines `NAME MODEL`, which model must notice.
//! Every model has to be in the list, or what it shows is unknown.
//!
//! The answer comes from the environment, in models and in tests under a sanitizer only: elsewhere it is a constant
//! no. So all faults are in the one build whose models were just seen to pass.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Model, in_parallel, one};
use crate::process::{Failure, Result, read};
use crate::workspace::{Package, Workspace};

/// Names the fault for the program that runs the models.
const FAULT: &str = "KUMI_SEEDED_FAULT";

/// A model that needs longer to notice has no teeth either.
const LIMIT: Duration = Duration::from_secs(120);

/// A fault and the model that must notice it.
#[derive(Debug, PartialEq, Eq)]
struct Tooth {
    fault: String,
    model: String,
}

/// A tooth, and the program that has its model.
pub(super) struct Placed {
    tooth: Tooth,
    program: PathBuf,
}

/// Reads the teeth of a package, and sees that list, models and sources agree.
pub(super) fn read_of(
    ws: &Workspace,
    package: &Package,
    program: &Path,
    models: &[Model<'_>],
) -> Result<Vec<Placed>> {
    let fail = |text: String| {
        let name = &package.name;
        Failure::new(format!("step `teeth ({name})` failed: {text}"))
    };
    let dir = ws.root.join(&package.dir);
    let teeth = parse(&read(&dir.join("tests/loom/teeth.txt"))?).map_err(fail)?;
    let mut sources = Vec::new();
    read_sources(&dir.join("src"), &mut sources)?;
    let models: Vec<_> = models.iter().map(|model| model.name.clone()).collect();
    compare(&teeth, &models, &seeded(&sources)).map_err(fail)?;
    let program = program.to_owned();
    let placed = |tooth| Placed {
        tooth,
        program: program.clone(),
    };
    Ok(teeth.into_iter().map(placed).collect())
}

/// Checks all teeth.
pub(super) fn check(ws: &Workspace, teeth: &[Placed]) -> Result {
    let toothless = in_parallel(teeth, |Placed { tooth, program }| {
        let Tooth { fault, model } = tooth;
        let cmd = one(ws, program, model).env(FAULT, fault);
        let finished = cmd.within(LIMIT, "teeth")?;
        let ending = finished.ending();
        if finished.status.is_some() && !finished.succeeded() {
            println!("fault {fault}: noticed by {model} ({ending})");
            return Ok(None);
        }
        println!("fault {fault}: NOT noticed by {model} ({ending})");
        Ok(Some(format!("model {model} has no teeth: fault {fault}")))
    })?;
    match toothless.is_empty() {
        true => Ok(()),
        false => {
            let toothless = toothless.join("; ");
            Err(Failure::new(format!("step `teeth` failed: {toothless}")))
        }
    }
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
        for marker in ["fault(\"", "order_unless(\""] {
            for part in source.split(marker).skip(1) {
                faults.extend(part.split('"').next().map(str::to_owned));
            }
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
    for model in models {
        if !teeth.iter().any(|tooth| tooth.model == *model) {
            return Err(format!("teeth.txt names no fault for the model `{model}`"));
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
        let source = r#"if fault("relaxed") {} if !crate::loom::fault("skip") {}"#;
        let order = r#"order_unless("weak", Ordering::Release)"#;
        let seeded = seeded(&[source.to_owned(), order.to_owned()]);
        assert_eq!(
            seeded.iter().collect::<Vec<_>>(),
            ["relaxed", "skip", "weak"]
        );
        let models = ["a".to_owned()];
        let good = || ["relaxed", "skip", "weak"].map(|fault| tooth(fault, "a"));
        assert!(compare(&good(), &models, &seeded).is_ok());
        assert!(compare(&good()[1..], &models, &seeded).is_err());
        for more in [tooth("skip", "b"), tooth("other", "a")] {
            let bad: Vec<_> = good().into_iter().chain([more]).collect();
            assert!(compare(&bad, &models, &seeded).is_err(), "{bad:?}");
        }
        let models = ["a", "b"].map(str::to_owned);
        assert!(
            compare(&good(), &models, &seeded).is_err(),
            "no fault for b"
        );
    }
}
