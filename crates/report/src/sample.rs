//! A made-up run that exercises every part of a report, for its own tests and for the check of the page.
//!
//! Its numbers are computed from names and sizes by a fixed rule: it is the same every time.

use crate::data::{Capability, Clock, Competitor, FORMAT, Kind, Machine, Run, Scenario};

/// One who takes part, with these rounds.
#[must_use]
pub fn competitor(name: &str, kind: Kind, runtime: &str, rounds: &[f64]) -> Competitor {
    Competitor {
        name: name.to_owned(),
        kind,
        runtime: runtime.to_owned(),
        native: None,
        clock: Clock::Thread,
        threads: 1,
        rounds: rounds.to_vec(),
        allocations: None,
        bytes: None,
        instructions: None,
    }
}

/// A scenario of tasks, with those who take part.
#[must_use]
pub fn scenario(name: &str, size: Option<u64>, competitors: Vec<Competitor>) -> Scenario {
    Scenario {
        group: "Tasks".to_owned(),
        name: name.to_owned(),
        about: "Tasks are spawned and waited for.".to_owned(),
        unit: "task".to_owned(),
        size,
        size_of: size.map_or("", |_| "tasks").to_owned(),
        competitors,
    }
}

/// A run of these scenarios.
#[must_use]
pub fn run(scenarios: Vec<Scenario>) -> Run {
    let can = |name: &str, about: &str, yes: [bool; 4]| Capability {
        name: name.to_owned(),
        about: about.to_owned(),
        backends: ["loop", "tokio", "smol", "sim"]
            .map(str::to_owned)
            .into_iter()
            .zip(yes)
            .collect(),
    };
    Run {
        format: FORMAT,
        version: "0.1.0".to_owned(),
        at: 1_764_163_000,
        mode: "full".to_owned(),
        command: "cargo x compare".to_owned(),
        machine: Machine {
            os: "linux".to_owned(),
            processor: "A made-up processor".to_owned(),
            cores: 2,
            compiler: "rustc 1.0.0 (made up)".to_owned(),
        },
        capabilities: vec![
            can("Spawn", "tasks, from any thread", [true; 4]),
            can("SpawnLocal", "tasks that are not `Send`", [true; 4]),
            can("Io", "TCP, UDP, Unix sockets", [true, true, true, false]),
            can(
                "several threads",
                "tasks run at the same time",
                [false, true, true, false],
            ),
            can(
                "virtual time",
                "an hour of sleep takes no time: for tests",
                [false, false, false, true],
            ),
        ],
        scenarios,
    }
}

/// Time in nanoseconds, spread of the rounds and allocations of somebody in a scenario.
struct Cost(f64, f64, f64);

/// Rounds around a time; the numbers of those with another seed lie otherwise.
fn rounds(cost: &Cost, seed: usize) -> Vec<f64> {
    (0..9usize)
        .map(|round| {
            let place = (round * 4 + seed * 7) % 9;
            cost.0 * (1.0 + cost.1 * (place as f64 - 4.0) / 8.0)
        })
        .collect()
}

/// All who may take part: name, kind, runtime, native, whether several threads work, time as a factor.
#[rustfmt::skip]
const ALL: [(&str, Kind, &str, &str, bool, f64); 14] = [
    ("kumi on loop", Kind::Kumi, "loop", "", false, 1.0),
    ("kumi on tokio, current thread", Kind::Kumi, "tokio, current thread", "tokio, current thread", false, 2.1),
    ("kumi on tokio, 2 workers", Kind::Kumi, "tokio, 2 workers", "tokio, 2 workers", true, 3.4),
    ("kumi on smol, 1 thread", Kind::Kumi, "smol, 1 thread", "smol, 1 thread", false, 2.2),
    ("kumi on smol, 2 threads", Kind::Kumi, "smol, 2 threads", "smol, 2 threads", true, 3.9),
    ("tokio, current thread", Kind::Native, "tokio, current thread", "", false, 2.0),
    ("tokio, 2 workers", Kind::Native, "tokio, 2 workers", "", true, 3.5),
    ("smol, 1 thread", Kind::Native, "smol, 1 thread", "", false, 1.9),
    ("smol, 2 threads", Kind::Native, "smol, 2 threads", "", true, 3.3),
    ("monoio, epoll", Kind::Peer, "", "", false, 1.2),
    ("glommio", Kind::Peer, "", "", false, 1.9),
    ("compio", Kind::Peer, "", "", false, 1.6),
    ("a <peer> & \"friends\", with a name that goes on for longer than any line", Kind::Peer, "", "", false, 7.0),
    ("floor: a ring without atomics", Kind::Floor, "", "", false, 0.4),
];

/// A scenario of some of them; `grow` is the power of the size with which the time per unit grows.
fn made(
    name: &str,
    size: Option<u64>,
    base: f64,
    grow: f64,
    spread: f64,
    who: &[usize],
) -> Scenario {
    let scale = base * (size.unwrap_or(1) as f64).powf(grow);
    let mut competitors = Vec::new();
    for &at in who {
        let (name, kind, runtime, native, wall, factor) = ALL[at];
        let cost = Cost(scale * factor, spread, factor.round() - 1.0);
        let mut one = competitor(name, kind, runtime, &rounds(&cost, at));
        let takes_part = who.iter().any(|&other| ALL[other].0 == native);
        one.native = takes_part.then(|| native.to_owned());
        if wall {
            (one.clock, one.threads) = (Clock::Wall, 2);
        } else {
            one.allocations = Some(cost.2.max(0.0));
            one.bytes = Some(cost.2.max(0.0) * 96.0);
            one.instructions = Some(cost.0 * 8.0);
        }
        competitors.push(one);
    }
    scenario(name, size, competitors)
}

/// The made-up run.
#[must_use]
pub fn sample() -> Run {
    let everybody: Vec<usize> = (0..ALL.len()).collect();
    let alone = [0, 1, 3, 5, 7, 9];
    let mut scenarios = Vec::new();
    for size in [1, 10, 1_000, 100_000] {
        scenarios.push(made("spawn.ready", Some(size), 41.0, 0.0, 0.02, &everybody));
    }
    for size in [1, 2, 4, 100] {
        scenarios.push(made("yield", Some(size), 9.0, 0.3, 0.05, &alone));
    }
    let mut add = |group: &str, unit: &str, size_of: &str, mut one: Scenario| {
        one.group = group.to_owned();
        one.unit = unit.to_owned();
        one.size_of = size_of.to_owned();
        scenarios.push(one);
    };
    for size in [10, 1_000, 100_000] {
        let mut gather = made("gather.ready", Some(size), 6.0, 0.9, 0.03, &[0, 9, 10]);
        gather.competitors[0].name = "kumi".to_owned();
        gather.competitors[0].runtime = String::new();
        gather.competitors[1].name = "futures-buffered".to_owned();
        gather.competitors[2].name = "futures".to_owned();
        gather.about = "Futures that are ready at once are awaited together.".to_owned();
        add("Combinators", "child", "children", gather);
    }
    for capacity in [1, 100] {
        let spsc = made(
            "chan.spsc",
            Some(capacity),
            53.0,
            -0.3,
            0.04,
            &[0, 1, 9, 13],
        );
        add("Channels", "message", "places", spsc);
    }
    let mut noisy = made("chan.noisy", None, 80.0, 0.0, 1.6, &[0, 1, 3]);
    for one in &mut noisy.competitors {
        // As quick as each other, were it not for the noise.
        let factor = ALL.iter().find(|(name, ..)| *name == one.name);
        let factor = factor.map_or(1.0, |(.., factor)| *factor);
        one.rounds.iter_mut().for_each(|time| *time /= factor);
    }
    add("Channels", "message", "", noisy);
    let timers = made("timers.create", Some(1_000), 46.0, 0.0, 0.01, &alone);
    add("Timers", "timer", "timers", timers);
    let echo = made("tcp.echo", Some(32), 18_000.0, 0.0, 0.06, &everybody[..9]);
    add("Network", "round trip", "connections", echo);
    let lonely = made("tcp.lonely", None, 900_000.0, 0.0, 0.01, &[0]);
    add("Network", "connection", "", lonely);
    let mut few = made("http.fetch", None, 3.0e6, 0.0, 0.01, &[0, 1, 5]);
    for one in &mut few.competitors {
        one.rounds.truncate(3);
    }
    add("Network", "request", "", few);
    run(scenarios)
}

/// The same run earlier: some of it changed, one scenario is new and one is gone, and the machine was slower.
#[must_use]
pub fn earlier() -> Run {
    let mut run = sample();
    run.at -= 86_400;
    run.scenarios.remove(4);
    run.scenarios[0].name = "gone".to_owned();
    for (at, scenario) in run.scenarios.iter_mut().enumerate() {
        for one in &mut scenario.competitors {
            let own = match (one.kind, at % 4) {
                (Kind::Kumi, 1) => 0.7,
                (Kind::Kumi, 2) => 1.5,
                _ => 1.0,
            };
            one.rounds.iter_mut().for_each(|time| *time *= 1.1 * own);
        }
    }
    run
}
