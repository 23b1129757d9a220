//! One run of the program under strace, and what was seen of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::table::{Case, Signal, Since, When};
use crate::process::{Cmd, Result, read};

/// After how many seconds a program is killed that hangs. Its own waits are over long before.
pub(crate) const LIMIT: u32 = 12;

/// For how many milliseconds there are conversations.
const WINDOW: &str = "300";

/// What strace writes down. More would only slow the program.
const CALLS: &str = "accept4,epoll_create1,eventfd2,timerfd_create,epoll_ctl,epoll_wait,epoll_pwait,\
                     epoll_pwait2,read,recvfrom,write,sendto,writev,socket,connect,clone3,pwrite64";

/// The program, and where its files go.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) strace: PathBuf,
    pub(crate) dir: PathBuf,
}

impl Program {
    /// Paths for the files of one more run: the facts, and strace's.
    pub(crate) fn files(&self) -> (PathBuf, PathBuf) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: the number only has to be different each time.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = self.dir.join(number.to_string());
        (base.with_extension("facts"), base.with_extension("strace"))
    }

    /// The program on a backend, killed after [`LIMIT`].
    ///
    /// Not by us: strace would be killed, and the program go on.
    pub(crate) fn command(&self, backend: &str, facts: &std::path::Path) -> Vec<String> {
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let words = [
            "timeout",
            "-s",
            "KILL",
            &LIMIT.to_string(),
            &text(&self.path),
        ];
        let mut words: Vec<_> = words.map(str::to_owned).into();
        words.extend(["--backend".to_owned(), backend.to_owned()]);
        words.extend(["--facts".to_owned(), text(facts)]);
        words
    }
}

/// What a run has left behind.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The exit code was zero.
    pub(crate) ended_well: bool,
    /// In words.
    pub(crate) ending: String,
    pub(crate) stderr: String,
    /// What the program has said: names, and what there was to say.
    pub(crate) facts: Vec<(String, String)>,
    /// How many calls of each kind there were.
    pub(crate) calls: BTreeMap<String, usize>,
    /// How many of them the main thread had made before it began.
    pub(crate) before: BTreeMap<String, usize>,
    /// And how many there were after that, of all threads.
    pub(crate) after: BTreeMap<String, usize>,
    /// How many faults were injected.
    pub(crate) injected: usize,
    /// From the first call to the last.
    pub(crate) took: Duration,
}

impl Seen {
    /// What the program has said of `name`.
    pub(crate) fn fact(&self, name: &str) -> Option<&str> {
        let found = self.facts.iter().find(|(fact, _)| fact == name);
        found.map(|(_, what)| what.as_str())
    }

    /// The errors: operation, number or name, how often.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let errors = self.facts.iter().filter(|(name, _)| name == "error");
        errors.filter_map(|(_, what)| {
            let mut words = what.split_whitespace();
            Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
        })
    }

    /// How many calls there were of these kinds.
    pub(crate) fn count(&self, calls: &str) -> usize {
        let count = |call| self.calls.get(call).copied().unwrap_or_default();
        calls.split(',').map(count).sum()
    }

    /// How often the kernel was waited for.
    pub(crate) fn turns(&self) -> usize {
        self.count("epoll_wait,epoll_pwait,epoll_pwait2")
    }
}

/// Why no program can be traced here, if that is so: a container may forbid it.
pub(crate) fn forbidden(program: &Program) -> Result<Option<String>> {
    let finished = Cmd::new(&program.strace, &program.dir)
        .args(["-f", "-qq", "--seccomp-bpf", "-e", "trace=none", "true"])
        .within(Duration::from_secs(u64::from(LIMIT)), "faults")?;
    let why = || format!("{}: {}", finished.ending(), finished.stderr.trim());
    Ok((!finished.succeeded()).then(why))
}

/// Runs the program while a system call fails; `usual` is what it does otherwise.
pub(crate) fn run(
    program: &Program,
    backend: &str,
    case: &Case,
    when: When,
    usual: &Seen,
) -> Result<Seen> {
    let more: &[&str] = if when.persists() {
        &["--persists"]
    } else {
        &[]
    };
    run_with(program, backend, case, when, usual, more)
}

/// The same with further arguments for the program.
pub(crate) fn run_with(
    program: &Program,
    backend: &str,
    case: &Case,
    when: When,
    usual: &Seen,
    more: &[&str],
) -> Result<Seen> {
    let (facts, log) = program.files();
    let before = |call: &str| usual.before.get(call).copied().unwrap_or_default();
    let inject = |call: &str| {
        let before = match case.since {
            Since::Start => 0,
            Since::Began => before(call),
        };
        let when = when.expression(before)?;
        Some(format!("--inject={call}:{}:when={when}", case.fault))
    };
    let signal = match case.signal {
        Signal::Tried => "tried",
        Signal::Heeded => "heeded",
        Signal::Off => "off",
    };
    let finished = Cmd::new(&program.strace, &program.dir)
        .args(["-f", "-qq", "--seccomp-bpf", "-ttt", "-e", "signal=none"])
        .args(["-e", &format!("trace={CALLS}"), "-o"])
        .args([&log])
        .args(case.calls.split(',').filter_map(inject))
        .args(program.command(backend, &facts))
        .args(["echo", "--window", WINDOW, "--message", case.message])
        .args(["--signal", signal])
        .args(more)
        .within(Duration::from_secs(2 * u64::from(LIMIT)), "faults")?;
    let mut seen = Seen {
        ended_well: finished.succeeded(),
        ending: finished.ending(),
        stderr: finished.stderr,
        ..Seen::default()
    };
    seen.read_facts(&read(&facts).unwrap_or_default());
    seen.read_log(&read(&log)?);
    Ok(seen)
}

impl Seen {
    pub(crate) fn read_facts(&mut self, text: &str) {
        let facts = text.lines().filter_map(|line| line.split_once(' '));
        self.facts = facts
            .map(|(name, what)| (name.to_owned(), what.to_owned()))
            .collect();
    }

    /// Reads what strace has written: lines of thread, time and call.
    fn read_log(&mut self, text: &str) {
        let (mut first, mut last) = (None, None);
        let mut by_thread: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(thread), Some(time)) = (words.next(), words.next()) else {
                continue;
            };
            if let Ok(time) = time.parse::<f64>() {
                first = first.or(Some(time));
                last = Some(time);
            }
            self.injected += usize::from(line.contains("(INJECTED)"));
            // A call that another thread's came between is there twice: its start counts.
            let Some((call, rest)) = line.split_once('(') else {
                continue;
            };
            let Some(call) = call.split_whitespace().nth(2) else {
                continue;
            };
            if call == "<..." {
                continue;
            }
            let calls = by_thread.entry(thread).or_default();
            if call == "pwrite64" && rest.contains("\"began ") {
                let counts = calls.iter();
                self.before = counts.map(|(call, n)| ((*call).to_owned(), *n)).collect();
                self.after.clear();
            }
            *self.after.entry(call.to_owned()).or_default() += 1;
            *calls.entry(call).or_default() += 1;
            *self.calls.entry(call.to_owned()).or_default() += 1;
        }
        if let (Some(first), Some(last)) = (first, last) {
            self.took = Duration::from_secs_f64(f64::max(last - first, 0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strace_writes_is_read() {
        let mut seen = Seen::default();
        seen.read_log(
            "7 100.0 epoll_create1(EPOLL_CLOEXEC)     = 3\n\
             7 100.5 pwrite64(4, \"began 9\\n\", 8, 0)   = 8\n\
             8 100.6 accept4(5, NULL, NULL, 0 <unfinished ...>\n\
             7 100.7 epoll_wait(3, [], 1024, 1) = 0\n\
             8 100.8 <... accept4 resumed>)  = -1 EMFILE (Too many open files) (INJECTED)\n",
        );
        assert_eq!(seen.count("accept4"), 1);
        assert_eq!(seen.turns(), 1);
        assert_eq!(seen.injected, 1);
        assert_eq!(seen.before.len(), 1);
        assert_eq!(seen.before["epoll_create1"], 1);
        assert_eq!(seen.took.as_millis(), 800);
    }

    #[test]
    fn what_the_program_says_is_read() {
        let mut seen = Seen::default();
        seen.read_facts("began 9\nerror accept 24 3\nlast ok\n");
        assert_eq!(seen.fact("last"), Some("ok"));
        assert_eq!(seen.errors().collect::<Vec<_>>(), [("accept", "24", 3)]);
    }
}
