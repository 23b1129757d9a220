//! One who takes part in a scenario, and what it has promised.

use kumi_report::data::{Clock, Kind};

use crate::host::{SMOL, SMOL_2, SMOL_LOCAL, TOKIO, TOKIO_2};
use crate::watch::Watch;

/// One who takes part in a scenario.
pub(crate) struct Competitor {
    /// Also says what it is: see [`kind`](Competitor::kind) and [`runtime`](Competitor::runtime).
    pub(crate) name: &'static str,
    /// The competitor to whom the ratio is printed.
    pub(crate) base: &'static str,
    pub(crate) clock: Clock,
    /// What this one has promised.
    pub(crate) marks: Vec<Mark>,
    /// Runs the scenario once and checks its result.
    pub(crate) work: Work,
}

/// How a run is measured.
pub(crate) enum Work {
    /// From start to end.
    Whole(Box<dyn FnMut()>),
    /// In those parts that it hands to the watch.
    Parts(Box<dyn FnMut(&mut Watch)>),
}

/// The native APIs of those runtimes that Kumi has a backend for.
const NATIVE: [&str; 5] = [TOKIO, TOKIO_2, SMOL, SMOL_2, SMOL_LOCAL];

impl Competitor {
    /// What it is.
    pub(crate) fn kind(&self) -> Kind {
        match self.name {
            name if name.starts_with("kumi") => Kind::Kumi,
            name if name.starts_with("floor") => Kind::Floor,
            name if NATIVE.contains(&name) => Kind::Native,
            _ => Kind::Peer,
        }
    }

    /// The runtime below it; the same word for Kumi on it and for its native API. None for a variant, such as
    /// the loop's local tasks: it is no backend of its own.
    pub(crate) fn runtime(&self) -> &'static str {
        match self.kind() {
            Kind::Native => self.name,
            _ if self.name.ends_with("local tasks") => "",
            _ => self.name.strip_prefix("kumi on ").unwrap_or_default(),
        }
    }

    /// Whether each run of it takes as many instructions. Kumi by itself does; tokio and smol draw random numbers
    /// and look at the clock.
    pub(crate) fn is_steady(&self) -> bool {
        self.kind() == Kind::Kumi && ["", "loop"].contains(&self.runtime())
    }

    /// How many threads run its tasks.
    pub(crate) fn threads(&self) -> usize {
        let two = [TOKIO_2, SMOL_2]
            .into_iter()
            .any(|name| self.name.ends_with(name));
        if two { 2 } else { 1 }
    }

    /// Who of `all` does the same with the native API of the same runtime, if this is Kumi.
    pub(crate) fn native(&self, all: &[Self]) -> Option<&'static str> {
        let runtime = self.runtime();
        let native = |other: &&Self| other.kind() == Kind::Native && other.name == runtime;
        let found = all.iter().find(native).map(|other| other.name);
        found.filter(|_| self.kind() == Kind::Kumi)
    }
}

/// Takes part with a run that is measured from start to end, all of it on the thread that runs it.
pub(crate) fn competitor(
    name: &'static str,
    base: &'static str,
    run: impl FnMut() + 'static,
) -> Competitor {
    let mut new = Competitor {
        name,
        base,
        clock: Clock::Thread,
        marks: Vec::new(),
        work: Work::Whole(Box::new(run)),
    };
    if new.threads() > 1 {
        new.clock = Clock::Wall;
    }
    new
}

/// The same where other threads work as well.
pub(crate) fn with_threads(
    name: &'static str,
    base: &'static str,
    run: impl FnMut() + 'static,
) -> Competitor {
    Competitor {
        clock: Clock::Wall,
        ..competitor(name, base, run)
    }
}

/// The most that a competitor may take, as a ratio to the best of some others.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) at_most: f64,
    pub(crate) best_of: BestOf,
}

/// To whom a mark is taken.
#[derive(Clone, Debug)]
pub(crate) enum BestOf {
    /// All in the scenario who are neither ours nor a floor.
    Peers,
    /// These, if they take part.
    These(&'static [&'static str]),
}

impl BestOf {
    pub(crate) fn includes(&self, other: &Competitor) -> bool {
        match self {
            Self::Peers => matches!(other.kind(), Kind::Native | Kind::Peer),
            Self::These(names) => names.contains(&other.name),
        }
    }
}
