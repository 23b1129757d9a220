//! The faults, and what is to come of each.
//!
//! What is not here, and why:
//!
//! - Interruptions (`EINTR`) and early returns that persist: no signal comes that often, and what is tried
//!   again would have to be tried for ever.
//! - Transfers that are cut short by injection: the kernel would keep the rest and say nothing further, which
//!   a kernel never does: a short transfer means that the socket is drained or full (epoll(7)), and the
//!   next event comes when it is not. So they are cut short for real: messages in pieces, and large ones.
//! - `write` to the eventfd by which a thread is woken: it gives no error but `EAGAIN`.

use std::fmt;

/// Which calls of a kind fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Never,
    /// The first.
    First,
    /// The second.
    Second,
    /// The second, and every third after it.
    EveryThird,
    /// The first eight.
    Eight,
    /// All, until the program ends.
    All,
}

use When::{All, Eight, EveryThird, First, Second};

impl When {
    /// As strace says it; the calls before the first that counts are `before`.
    pub(crate) fn expression(self, before: usize) -> Option<String> {
        let (first, second) = (before + 1, before + 2);
        Some(match self {
            When::Never => return None,
            First => format!("{first}"),
            Second => format!("{second}"),
            EveryThird => format!("{second}+3"),
            Eight => format!("{first}..{}", before + 8),
            All => format!("{first}+"),
        })
    }

    /// Whether the fault is there until the end, or comes again and again.
    pub(crate) fn persists(self) -> bool {
        matches!(self, All | EveryThird)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            When::Never => "never",
            First => "1",
            Second => "2",
            EveryThird => "2+3",
            Eight => "1..8",
            All => "1+",
        })
    }
}

/// Where the calls are counted from, on each thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// The start of the process.
    Start,
    /// The moment at which the main thread has its runtime, and begins.
    Began,
}

/// What is to come of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// One of these operations gives the error out.
    Error(&'static [&'static str]),
    /// Nobody sees anything.
    Nothing,
    /// Conversations may take too long; there is no error.
    Stall,
    /// The runtime is not made, and says why.
    NoStart,
    /// A closure waits for its thread, and nobody else sees anything.
    NoThread,
    /// A foreign runtime panics, with these words.
    Panic(&'static str),
    /// A foreign runtime cannot cope: what is found wrong may begin with these words.
    Foreign(&'static [&'static str]),
}

use Expect::{Error, Foreign, NoStart, NoThread, Nothing, Panic, Stall};

/// Whether there is a thread for Ctrl-C, and whether it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It ends a second run.
    Tried,
    /// Its thread is there, or could not be made.
    Heeded,
    /// Nothing of it: its thread has a socket of its own, which the fault would meet as well, though no
    /// kernel fails there.
    Off,
}

/// A fault of one system call.
#[derive(Debug)]
pub(crate) struct Case {
    /// The call, or several that do the same.
    pub(crate) calls: &'static str,
    /// As strace says it.
    pub(crate) fault: &'static str,
    pub(crate) since: Since,
    pub(crate) when: &'static [When],
    pub(crate) expect: Expect,
    /// Where a foreign runtime has another way: backend, outcome, reason.
    pub(crate) except: &'static [(&'static str, Expect, &'static str)],
    /// How the program sends.
    pub(crate) message: &'static str,
    pub(crate) signal: Signal,
    /// The backends that make such calls; all if none is named.
    only: &'static [&'static str],
    /// Whether the call may not be made at all: a thread that is awake is not woken.
    pub(crate) may_miss: bool,
    /// How many calls are made in a row before one waits.
    pub(crate) burst: usize,
}

impl Case {
    const fn new(
        calls: &'static str,
        fault: &'static str,
        when: &'static [When],
        expect: Expect,
    ) -> Self {
        Self {
            calls,
            fault,
            since: Since::Began,
            when,
            expect,
            except: &[],
            message: "line",
            signal: Signal::Tried,
            only: &[],
            may_miss: false,
            burst: 1,
        }
    }

    const fn only(self, only: &'static [&'static str]) -> Self {
        Self { only, ..self }
    }

    const fn without_signal(self) -> Self {
        Self {
            signal: Signal::Off,
            ..self
        }
    }

    const fn heeding_signals(self) -> Self {
        Self {
            signal: Signal::Heeded,
            ..self
        }
    }

    const fn may_miss(self) -> Self {
        Self {
            may_miss: true,
            ..self
        }
    }

    const fn burst(self, burst: usize) -> Self {
        Self { burst, ..self }
    }

    /// From the start of the process on.
    const fn at_start(self) -> Self {
        Self {
            since: Since::Start,
            signal: Signal::Heeded,
            ..self
        }
    }

    const fn except(self, except: &'static [(&'static str, Expect, &'static str)]) -> Self {
        Self { except, ..self }
    }

    const fn sending(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    /// What is to come of it on one backend.
    pub(crate) fn expected(&self, backend: &str) -> Expect {
        let other = self.except.iter().find(|(name, ..)| *name == backend);
        other.map_or(self.expect, |(_, expect, _)| *expect)
    }

    /// Which runs CI does: each fault once, and one of each kind for as long as the program runs.
    ///
    /// None where a foreign runtime cannot cope: that takes long, and nothing of ours is learnt.
    pub(crate) fn quick(&self, backend: &str) -> Vec<When> {
        if matches!(self.expected(backend), Foreign(_)) {
            return Vec::new();
        }
        let alike = |other: &&Case| other.calls == self.calls && other.expect == self.expect;
        let first = CASES.iter().find(alike);
        let is_first = first.is_some_and(|first| std::ptr::eq(first, self));
        let mut when = self.when.to_vec();
        when.retain(|when| *when != All || is_first || self.when.len() == 1);
        let long = when.last().copied().filter(|last| *last == All);
        when.truncate(1);
        when.extend(long.filter(|long| when[0] != *long));
        when
    }

    /// Whether the backend makes such calls at all.
    pub(crate) fn is_for(&self, backend: &str) -> bool {
        self.only.is_empty() || self.only.contains(&backend)
    }
}

/// The program as it is.
pub(crate) const NO_FAULT: Case = Case::new("", "", &[], Nothing);

const EPOLL_WAIT: &str = "epoll_wait,epoll_pwait,epoll_pwait2";

/// Each at most eight times: what is done again at once.
const AGAIN: &[When] = &[First, Second, EveryThird, Eight];
const ALWAYS: &[When] = &[First, Second, EveryThird, Eight, All];

const REGISTER: Expect = Error(&["listen", "connect", "accept"]);
const HEAR: Expect = Error(&["read", "hear"]);
const SPEAK: Expect = Error(&["write", "answer"]);

/// Each conversation waits for its limit, so eight would take too long.
const SELDOM: &[When] = &[First, Second, EveryThird];

/// smol has no way to say that it has no reactor.
const SMOL_REACTOR: &[(&str, Expect, &str)] = &[(
    "smol",
    Panic("cannot initialize I/O event notification"),
    "async-io makes its reactor when it is first needed, and nobody can be told",
)];

/// polling takes a pipe instead.
const SMOL_PIPE: &[(&str, Expect, &str)] = &[("smol", Nothing, "polling wakes by a pipe instead")];

/// smol arms each descriptor anew for each wait.
const SMOL_ARMS: &[(&str, Expect, &str)] = &[(
    "smol",
    Foreign(&[
        "it spins",
        "a conversation",
        "last",
        "timer",
        "signal",
        "the error",
    ]),
    "async-io arms descriptors, and the timer of its reactor, by epoll_ctl before each wait; if that fails \
     it tries again at once, or waits for what was not armed",
)];

/// Every fault.
pub(crate) static CASES: &[Case] = &[
    // Accepting: an error is for the server, and the next accept waits.
    Case::new("accept4", "error=EMFILE", ALWAYS, Error(&["accept"])),
    Case::new("accept4", "error=ENFILE", ALWAYS, Error(&["accept"])),
    Case::new("accept4", "error=ECONNABORTED", AGAIN, Nothing),
    // Each is another connection of the queue, so 32 are passed over before a pause.
    Case::new("accept4", "error=ECONNABORTED", &[All], Stall).burst(32),
    Case::new("accept4", "error=EINTR", AGAIN, Nothing),
    Case::new("accept4", "error=EAGAIN", SELDOM, Stall),
    // Starting.
    Case::new("epoll_create1", "error=EMFILE", &[First], NoStart)
        .at_start()
        .except(SMOL_REACTOR),
    Case::new("epoll_create1", "error=ENOMEM", &[First], NoStart)
        .at_start()
        .except(SMOL_REACTOR),
    Case::new("eventfd2", "error=EMFILE", &[First], NoStart)
        .at_start()
        .except(SMOL_PIPE),
    Case::new("eventfd2", "error=ENOMEM", &[First], NoStart)
        .at_start()
        .except(SMOL_PIPE),
    Case::new("timerfd_create", "error=EMFILE", &[First, All], Nothing)
        .at_start()
        .only(&["smol"]),
    Case::new("timerfd_create", "error=ENOMEM", &[First, All], Nothing)
        .at_start()
        .only(&["smol"]),
    Case::new("epoll_ctl", "error=ENOMEM", &[First], NoStart)
        .at_start()
        .except(SMOL_REACTOR),
    // Registering a socket.
    Case::new("epoll_ctl", "error=ENOSPC", ALWAYS, REGISTER).except(SMOL_ARMS),
    Case::new("epoll_ctl", "error=ENOMEM", ALWAYS, REGISTER).except(SMOL_ARMS),
    Case::new("epoll_ctl", "error=EEXIST", ALWAYS, REGISTER).except(SMOL_ARMS),
    // Waiting.
    Case::new(EPOLL_WAIT, "error=EINTR", AGAIN, Nothing),
    Case::new(EPOLL_WAIT, "retval=0", AGAIN, Nothing),
    // Making sockets, and connecting them.
    Case::new("socket", "error=EMFILE", ALWAYS, SOCKET),
    Case::new("socket", "error=ENOBUFS", ALWAYS, SOCKET),
    Case::new("connect", "error=ETIMEDOUT", ALWAYS, Error(&["connect"])),
    Case::new(
        "connect",
        "error=EADDRNOTAVAIL",
        ALWAYS,
        Error(&["connect"]),
    ),
    Case::new("connect", "error=EINTR", AGAIN, Nothing),
    // Reading and writing.
    Case::new("recvfrom", "error=EIO", ALWAYS, HEAR).without_signal(),
    Case::new("recvfrom", "error=ECONNRESET", ALWAYS, HEAR).without_signal(),
    Case::new("recvfrom", "error=EINTR", AGAIN, Nothing),
    Case::new("sendto", "error=EPIPE", ALWAYS, SPEAK).without_signal(),
    Case::new("sendto", "error=ENOBUFS", ALWAYS, SPEAK).without_signal(),
    Case::new("sendto", "error=EINTR", AGAIN, Nothing).without_signal(),
    Case::new("writev", "error=EPIPE", ALWAYS, SPEAK).sending("parts"),
    Case::new("writev", "error=ENOBUFS", ALWAYS, SPEAK).sending("parts"),
    Case::new("writev", "error=EINTR", AGAIN, Nothing).sending("parts"),
    Case::new("short", "reads", &[When::Never], Nothing).sending("pieces"),
    Case::new("short", "writes", &[When::Never], Nothing).sending("large"),
    // The eventfds of the runtimes.
    Case::new("read", "error=EINTR", AGAIN, Nothing).only(&["smol"]),
    Case::new("write", "error=EAGAIN", &[First, Eight], Nothing).may_miss(),
    // Threads: first that of Ctrl-C, then, on smol, that of the reactor, then those of closures.
    Case::new("clone3", "error=EAGAIN", &[First], Nothing).at_start(),
    Case::new(
        "clone3",
        "error=EAGAIN",
        &[Second, EveryThird, Eight],
        Nothing,
    )
    .at_start()
    .except(NO_THREADS),
    Case::new("clone3", "error=EAGAIN", &[All], NoThread)
        .at_start()
        .except(NO_THREADS),
    // On smol, those of closures alone.
    Case::new("clone3", "error=EAGAIN", &[First], Nothing)
        .heeding_signals()
        .only(&["smol"]),
    Case::new("clone3", "error=EAGAIN", &[All], NoThread)
        .heeding_signals()
        .only(&["smol"])
        .except(NO_CLOSURES),
];

const NO_CLOSURES: &[(&str, Expect, &str)] = &[(
    "smol",
    Foreign(&[
        "exit status: 137",
        "signal: 9",
        "it spins",
        "descriptors",
        "timer",
        "closure",
    ]),
    "blocking asks for a thread again and again, without a pause, on the thread that called; see the issue 79 \
     of smol-rs/blocking",
)];

const SOCKET: Expect = Error(&["listen", "connect"]);

const NO_THREADS: &[(&str, Expect, &str)] = &[
    (
        "tokio",
        Panic("OS can't spawn worker thread"),
        "spawn_blocking panics if there is no thread at all; see tokio's issue 8406",
    ),
    (
        "smol",
        Panic("cannot spawn async-io thread"),
        "async-io cannot do without its thread, and nobody can be told",
    ),
];

/// The number of an error.
pub(crate) fn number(fault: &str) -> Option<&'static str> {
    let name = fault.strip_prefix("error=")?;
    let all = [
        ("EINTR", "4"),
        ("EIO", "5"),
        ("EAGAIN", "11"),
        ("ENOMEM", "12"),
        ("EEXIST", "17"),
        ("ENFILE", "23"),
        ("EMFILE", "24"),
        ("ENOSPC", "28"),
        ("EPIPE", "32"),
        ("EADDRNOTAVAIL", "99"),
        ("ECONNABORTED", "103"),
        ("ECONNRESET", "104"),
        ("ENOBUFS", "105"),
        ("ETIMEDOUT", "110"),
    ];
    let found = all.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_number() {
        for case in CASES.iter().filter(|case| case.fault.starts_with("error=")) {
            assert!(number(case.fault).is_some(), "{case}");
        }
    }

    #[test]
    fn no_case_is_listed_twice() {
        let names = |case: &Case| {
            let with = |when: &When| format!("{case} {when} {:?} {:?}", case.since, case.only);
            case.when.iter().map(with).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = CASES.iter().flat_map(names).collect();
        all.sort();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn ci_runs_each_fault_and_each_kind_for_long() {
        let quick = |at: usize| CASES[at].quick("loop");
        assert_eq!(quick(0), [First, All]);
        assert_eq!(quick(1), [First], "as the one before");
        assert!(CASES.iter().all(|case| !case.quick("loop").is_empty()));
        let foreign = |case: &&Case| matches!(case.expected("smol"), Foreign(_));
        let mut foreign = CASES.iter().filter(foreign);
        assert!(foreign.all(|case| case.quick("smol").is_empty()));
    }

    #[test]
    fn calls_are_counted_behind_those_before() {
        assert_eq!(EveryThird.expression(4).unwrap(), "6+3");
        assert_eq!(Eight.expression(0).unwrap(), "1..8");
        assert_eq!(When::Never.expression(0), None);
    }
}
