//! The own loop keeps the contract.

use kumi_conformance::{Capability, Harness};
use kumi_core::runtime::Owned;
use kumi_loop::Loop;

struct OnLoop;

impl Harness for OnLoop {
    type Runtime = Loop;

    fn fresh(&self, _: u64) -> Owned<Loop> {
        Loop::new().expect("the loop starts")
    }

    fn lacks(&self) -> &[Capability] {
        // A loop belongs to one thread.
        &[Capability::ConcurrentBlockOn, Capability::ParallelTasks]
    }
}

kumi_conformance::suite!(mod contract, OnLoop);
kumi_conformance::local_suite!(mod local, OnLoop);
kumi_conformance::io_suite!(mod io, OnLoop);
kumi_conformance::everywhere_suite!(mod everywhere, OnLoop);
kumi_conformance::combinator_suite!(mod combinators, OnLoop);
