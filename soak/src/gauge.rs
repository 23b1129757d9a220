//! What a process holds: bytes, descriptors; and what it has used: processor time.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use kumi::{Backend, BackendKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::ALLOCATOR;
use crate::report::Checks;

/// How many bytes more than before are nothing to talk about: a table that grew.
const SLACK: usize = 128 * 1024;

/// The same where a runtime has several threads: each keeps cells for its next tasks.
const THREADS: usize = 1 << 20;

/// The same when a runtime has ended: cells of all sizes are kept by this thread.
const CELLS: usize = 4 << 20;

/// How long other threads of a runtime may take to drop the last of what has ended.
const LIMIT: Duration = Duration::from_secs(3);

/// For how long nothing changes where nothing goes on.
const QUIET: Duration = Duration::from_millis(50);

/// How many bytes more than before are nothing to talk about on the runtime of this task.
///
/// # Panics
///
/// Outside of any runtime.
#[must_use]
pub fn slack() -> usize {
    match Backend::current().kind() {
        Some(BackendKind::Loop) => SLACK,
        _ => THREADS,
    }
}

/// What this process holds at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    /// Bytes that are allocated.
    pub bytes: usize,
    /// Bytes of memory that are in use, with what the allocator keeps for later.
    pub resident: usize,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Gauge {
    /// Looks.
    ///
    /// # Panics
    ///
    /// Without `/proc`.
    #[must_use]
    pub fn now() -> Self {
        Self {
            bytes: ALLOCATOR.allocated(),
            resident: resident(),
            descriptors: descriptors(),
        }
    }

    /// Looks when nothing changes any more: threads of a runtime that has ended may still be on their way.
    #[must_use]
    pub fn settled() -> Self {
        let began = Instant::now();
        let (mut last, mut since) = (Self::now(), began);
        while since.elapsed() < QUIET && began.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(1));
            let now = Self::now();
            if (now.bytes, now.descriptors) != (last.bytes, last.descriptors) {
                (last, since) = (now, Instant::now());
            }
        }
        last
    }

    /// Checks that no more is held now than at `self`, inside a runtime.
    pub async fn check(self, what: &str, checks: &mut Checks) {
        let began = Instant::now();
        while !self.is_back(slack()) && began.elapsed() < LIMIT {
            kumi::sleep(Duration::from_millis(1)).await;
        }
        self.judge(Self::now(), slack(), what, checks);
    }

    /// The same after a runtime has ended.
    pub fn check_outside(self, what: &str, checks: &mut Checks) {
        let began = Instant::now();
        while !self.is_back(CELLS) && began.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(1));
        }
        self.judge(Self::now(), CELLS, what, checks);
    }

    fn is_back(self, slack: usize) -> bool {
        let now = Self::now();
        now.bytes <= self.bytes + slack && now.descriptors == self.descriptors
    }

    /// Checks that `now` is no more than `self`, with so many bytes let pass.
    pub fn judge(self, now: Self, slack: usize, what: &str, checks: &mut Checks) {
        checks.line(&format!("{what}: {self} before, {now} after"));
        checks.that(now.bytes <= self.bytes + slack, || {
            let more = now.bytes.saturating_sub(self.bytes);
            format!("{what}: {} are not given back", Bytes(more))
        });
        let descriptors = format!("{what}: descriptors");
        checks.equal(&descriptors, now.descriptors, self.descriptors);
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} allocated, {} resident, {} descriptors",
            Bytes(self.bytes),
            Bytes(self.resident),
            self.descriptors
        )
    }
}

/// Prints with a unit that fits.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ 0..=9_999 => write!(f, "{bytes} B"),
            bytes if bytes < 10 << 20 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{} MiB", bytes >> 20),
        }
    }
}

/// How many descriptors this process has open.
///
/// # Panics
///
/// Without `/proc`.
#[must_use]
pub fn descriptors() -> usize {
    let entries = fs::read_dir("/proc/self/fd").expect("there is /proc");
    // One of them is that of the look.
    entries.count() - 1
}

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("there is /proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let word = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: usize = word.and_then(|word| word.parse().ok()).expect("a number");
    kib << 10
}

/// How much processor time this process has used, of all its threads.
///
/// # Panics
///
/// Never: the clock does not run backwards.
#[must_use]
pub fn cpu() -> Duration {
    // Not from `/proc`: there may be no descriptor left for that.
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(used).expect("no less than nothing")
}

/// Sees to it that this process may have `wanted` descriptors.
///
/// # Errors
///
/// If it may not; the text says what is missing.
pub fn allow_descriptors(wanted: u64) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|now| now >= wanted) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < wanted) {
        return Err(format!(
            "this needs {wanted} descriptors, and the hard limit is {most}: raise it (`ulimit -Hn`, \
             `LimitNOFILE=`, `/etc/security/limits.conf`), or ask for fewer connections"
        ));
    }
    let raised = Rlimit {
        current: Some(wanted),
        ..limit
    };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("the limit of descriptors cannot be raised to {wanted}: {error}"))
}
