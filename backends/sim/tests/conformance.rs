//! The simulator keeps the contract: in the order of waking, under many seeds, and, with patience,
//! beside threads of which it knows nothing.
//!
//! `KUMI_ROUNDS=2` takes so many seeds instead of 64.

use std::time::Duration;

use kumi_conformance::{Capability, Harness};
use kumi_core::runtime::Owned;
use kumi_sim::Sim;

/// What no simulator can: run closures or tasks beside tasks, let time pass by itself, be driven by two.
const NEVER: [Capability; 4] = [
    Capability::ParallelBlocking,
    Capability::RealTime,
    Capability::ConcurrentBlockOn,
    Capability::ParallelTasks,
];

struct Fifo;

impl Harness for Fifo {
    type Runtime = Sim;

    fn fresh(&self, _: u64) -> Owned<Sim> {
        Sim::new()
    }

    fn lacks(&self) -> &[Capability] {
        &[
            NEVER[0],
            NEVER[1],
            NEVER[2],
            NEVER[3],
            Capability::ForeignThreads,
        ]
    }
}

struct Seeds;

impl Harness for Seeds {
    type Runtime = Sim;

    fn fresh(&self, round: u64) -> Owned<Sim> {
        Sim::with_seed(round)
    }

    fn rounds(&self) -> u64 {
        std::env::var("KUMI_ROUNDS").map_or(64, |rounds| rounds.parse().expect("a number"))
    }

    fn lacks(&self) -> &[Capability] {
        Fifo.lacks()
    }
}

struct Patient;

impl Harness for Patient {
    type Runtime = Sim;

    fn fresh(&self, _: u64) -> Owned<Sim> {
        Sim::builder().patience(Duration::from_secs(20)).build()
    }

    fn lacks(&self) -> &[Capability] {
        &NEVER
    }
}

kumi_conformance::suite!(mod fifo, Fifo);
kumi_conformance::suite!(mod seeds, Seeds);
kumi_conformance::suite!(mod patient, Patient);
kumi_conformance::local_suite!(mod local_fifo, Fifo);
kumi_conformance::local_suite!(mod local_seeds, Seeds);
kumi_conformance::everywhere_suite!(mod everywhere_fifo, Fifo, counted);
kumi_conformance::combinator_suite!(mod combinators_fifo, Fifo);
kumi_conformance::combinator_suite!(mod combinators_seeds, Seeds);
kumi_conformance::everywhere_suite!(mod everywhere_seeds, Seeds);
