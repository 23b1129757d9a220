//! Clocks that are fast, slow, wrong, or jump: libfaketime, and sleeps that the program measures.
//!
//! What must stay true, by the clock that the program sees: no sleep ends more than a millisecond too early,
//! the tenth as little as the first, and none much too late; the shortest and the longest sleep are what they
//! should be.
//!
//! libfaketime reaches what is called by way of the C library. smol's threads wait by system calls of their
//! own, until a time that they have from the false clock and that the kernel takes for one of its own; so on
//! smol only the time of day is false.
//!
//! A jump of the time of day ([`Clock::Wall`]) is what happens on a real machine, and concerns nobody here. A
//! monotonic clock that jumps is what a machine sees that was suspended; one that jumps back does not exist,
//! and what is asked is only that nobody panics, and that sleeps end.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::Run;
use super::trace::{Program, Seen};
use crate::process::{Cmd, Failure, Finished, Result, read};
use crate::tools;

/// By how much a sleep may end too early, in microseconds.
const EARLY: i64 = 1000;

/// By how much a sleep may end too late, in microseconds of the system's clock: this machine has others to
/// serve as well.
const LATE: f64 = 100_000.0;

const LIMIT: Duration = Duration::from_secs(60);

/// Which clocks are false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// Only the time of day.
    Wall,
    /// All.
    All,
}

/// A false clock.
#[derive(Debug)]
struct Lie {
    name: &'static str,
    clock: Clock,
    /// In libfaketime's words.
    at_first: &'static str,
    /// And during the third sleep.
    then: Option<&'static str>,
    /// How many of its seconds are one of the system's.
    speed: f64,
    /// How long a sleep is, in milliseconds of the false clock.
    sleep: u64,
    /// The one sleep during which it jumped may be that much too late.
    jumps: bool,
}

const LIES: &[Lie] = &[
    Lie::steady("a true clock", "+0", 1.0, 20),
    Lie::steady("a hundred times too fast", "+0 x100", 100.0, 1000),
    Lie::steady("ten times too slow", "+0 x0.1", 0.1, 10),
    Lie::steady("thirty days ahead", "+30d", 1.0, 20),
    Lie::jump("the time of day jumps ahead", Clock::Wall, "+30d"),
    Lie::jump("the time of day jumps back", Clock::Wall, "-30d"),
    Lie::jump("all clocks jump ahead", Clock::All, "+30d"),
    Lie::jump("all clocks jump back", Clock::All, "-0.05"),
];

impl Lie {
    const fn steady(name: &'static str, at_first: &'static str, speed: f64, sleep: u64) -> Self {
        Self {
            name,
            clock: Clock::All,
            at_first,
            then: None,
            speed,
            sleep,
            jumps: false,
        }
    }

    const fn jump(name: &'static str, clock: Clock, then: &'static str) -> Self {
        Self {
            name,
            clock,
            at_first: "+0",
            then: Some(then),
            speed: 1.0,
            sleep: 100,
            jumps: matches!(clock, Clock::All),
        }
    }
}

/// The path of libfaketime.
pub(crate) fn library() -> Result<PathBuf> {
    const NAME: &str = "libfaketimeMT.so.1";
    let program = tools::need(&["faketime"], "faketime")?;
    // Beside the program: PREFIX/bin, PREFIX/lib, and Debian has a directory for each architecture.
    let lib = program
        .parent()
        .and_then(Path::parent)
        .map(|prefix| prefix.join("lib"));
    let lib = lib.ok_or_else(|| Failure::new("faketime is nowhere"))?;
    let dirs = fs::read_dir(&lib).into_iter().flatten().flatten();
    let mut candidates = dirs.map(|dir| dir.path()).chain([lib.clone()]);
    candidates
        .find_map(|dir| Some(dir.join("faketime").join(NAME)).filter(|file| file.is_file()))
        .ok_or_else(|| Failure::new(format!("there is no {NAME} below {}", lib.display())))
}

pub(crate) fn runs<'a>(
    program: &'a Program,
    backend: &'static str,
    library: &'a Path,
) -> Vec<Run<'a>> {
    let run = |lie: &'static Lie| Run {
        name: format!("{backend} clock: {}", lie.name),
        what: Box::new(move || measure(program, backend, library, lie)),
    };
    let lies = LIES
        .iter()
        .filter(|lie| backend != "smol" || lie.clock == Clock::Wall);
    lies.map(run).collect()
}

fn measure(program: &Program, backend: &str, library: &Path, lie: &Lie) -> Result<Vec<String>> {
    let (facts, time) = program.files();
    let set = |words: &str| {
        // By a rename, so that nobody reads half of it.
        let new = time.with_extension("new");
        let written = fs::write(&new, format!("{words}\n")).and_then(|()| fs::rename(&new, &time));
        written.map_err(|error| Failure::new(format!("cannot write {}: {error}", time.display())))
    };
    set(lie.at_first)?;
    let mut command = program.command(backend, &facts);
    // Only for the program: `timeout` has to keep the true time.
    let at = command
        .iter()
        .position(|word| word.ends_with("faulty"))
        .unwrap_or(0);
    let mut lies = vec!["env".to_owned()];
    lies.push(format!("LD_PRELOAD={}", library.display()));
    lies.push(format!("FAKETIME_TIMESTAMP_FILE={}", time.display()));
    lies.push("FAKETIME_NO_CACHE=1".to_owned());
    if lie.clock == Clock::Wall {
        lies.push("FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned());
    }
    command.splice(at..at, lies);
    let sleep = lie.sleep.to_string();
    let cmd = Cmd::new(&command[0], &program.dir)
        .args(&command[1..])
        .args(["clocks", "--sleep", &sleep]);
    let said = || {
        let mut seen = Seen::default();
        seen.read_facts(&read(&facts).unwrap_or_default());
        seen
    };
    let (finished, jumped) = thread::scope(|scope| {
        let jump = scope.spawn(|| match lie.then {
            Some(then) => jump(&said, || set(then)),
            None => Ok(()),
        });
        let finished = cmd.within(LIMIT, "faults");
        (finished, jump.join())
    });
    jumped.map_err(|_| Failure::new("the clock panicked"))??;
    Ok(judge(lie, &finished?, &said()))
}

/// Changes the clock in the middle of the third sleep.
fn jump(said: &dyn Fn() -> Seen, change: impl FnOnce() -> Result) -> Result {
    let began = Instant::now();
    let second = |seen: &Seen| sleeps(seen).any(|(number, _)| number == 2);
    while !second(&said()) {
        if began.elapsed() > LIMIT {
            return Err(Failure::new("the program does not say how long it slept"));
        }
        thread::sleep(Duration::from_millis(2));
    }
    thread::sleep(Duration::from_millis(30));
    change()
}

/// The sleeps: number, and by how many microseconds it ended too late.
fn sleeps(seen: &Seen) -> impl Iterator<Item = (usize, i64)> {
    let sleeps = seen.facts.iter().filter(|(name, _)| name == "sleep");
    sleeps.filter_map(|(_, what)| {
        let (number, late) = what.split_once(' ')?;
        Some((number.parse().ok()?, late.parse().ok()?))
    })
}

fn judge(lie: &Lie, finished: &Finished, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    if !finished.succeeded() || finished.stderr.contains("panicked") {
        wrong.push(format!("{}: {}", finished.ending(), finished.stderr));
    }
    let all: Vec<_> = sleeps(seen).collect();
    if all.len() != 10 {
        wrong.push(format!("{} sleeps ended", all.len()));
    }
    let bound = LATE * lie.speed;
    for &(number, late) in &all {
        if late < -EARLY {
            wrong.push(format!("sleep {number} ended {} us too early", -late));
        }
        let in_a_jump = lie.jumps && number == 3;
        if late as f64 > bound && !in_a_jump {
            wrong.push(format!("sleep {number} ended {late} us too late"));
        }
    }
    if lie
        .then
        .is_some_and(|then| then == "+30d" && lie.clock == Clock::All)
    {
        let jumped = all.iter().any(|(_, late)| *late > 1_000_000);
        if !jumped {
            wrong.push("the clock did not jump".to_owned());
        }
    }
    for name in ["shortest", "longest"] {
        if seen.fact(name) != Some("ok") {
            wrong.push(format!("the {name} sleep: {:?}", seen.fact(name)));
        }
    }
    wrong
}
