//! What was measured, as data.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io, thread};

use kumi_report::Run;
use kumi_report::data::{self, FORMAT, Machine};

use crate::capabilities;
use crate::competitor::Competitor;
use crate::topics::Topic;

/// A run while it goes on.
#[derive(Debug)]
pub(crate) struct Record(Run);

impl Record {
    pub(crate) fn new(mode: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let quick = if mode == "quick" { " --quick" } else { "" };
        Self(Run {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: since.map_or(0, |since| since.as_secs()),
            mode: mode.to_owned(),
            command: format!("cargo x compare{quick}"),
            machine: machine(),
            capabilities: capabilities::all(),
            scenarios: Vec::new(),
        })
    }

    pub(crate) fn add(
        &mut self,
        topic: &Topic,
        size: Option<usize>,
        competitors: &[Competitor],
        times: Vec<Vec<f64>>,
    ) {
        let both = competitors.iter().zip(times);
        self.0.scenarios.push(data::Scenario {
            group: topic.group.to_owned(),
            name: topic.name.to_owned(),
            about: topic.about.to_owned(),
            unit: topic.unit.to_owned(),
            size: size.map(|size| size as u64),
            size_of: topic.size_of.to_owned(),
            competitors: both
                .map(|(one, rounds)| data::Competitor {
                    name: one.name.to_owned(),
                    kind: one.kind(),
                    runtime: one.runtime().to_owned(),
                    native: one.native(competitors).map(str::to_owned),
                    clock: one.clock,
                    threads: one.threads(),
                    rounds,
                    allocations: None,
                    bytes: None,
                    instructions: None,
                })
                .collect(),
        });
    }

    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        fs::write(file, serde_json::to_string(&self.0)?)
    }
}

fn machine() -> Machine {
    Machine {
        os: std::env::consts::OS.to_owned(),
        processor: processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: thread::available_parallelism().map_or(1, usize::from),
        compiler: compiler().unwrap_or_default(),
    }
}

/// As Linux calls it.
fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = info.lines().find(|line| line.starts_with("model name"))?;
    Some(name.split_once(':')?.1.trim().to_owned())
}

fn compiler() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned())
}
