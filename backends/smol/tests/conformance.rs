//! Executors of smol's, with threads of their own and without, keep the contract.

use kumi_conformance::{Capability, Harness};
use kumi_core::runtime::Owned;
use kumi_smol::Smol;

/// An executor with this many threads of its own.
struct OnSmol(usize);

impl Harness for OnSmol {
    type Runtime = Smol;

    fn fresh(&self, _: u64) -> Owned<Smol> {
        match self.0 {
            0 => Smol::current_thread(),
            threads => Smol::threads(threads).expect("smol starts"),
        }
    }

    fn lacks(&self) -> &[Capability] {
        // Its reactor belongs to the whole process.
        match self.0 {
            0 | 1 => &[Capability::OwnReactor, Capability::ParallelTasks],
            _ => &[Capability::OwnReactor],
        }
    }
}

mod current_thread {
    use super::*;

    kumi_conformance::suite!(mod contract, OnSmol(0));
    kumi_conformance::local_suite!(mod local, OnSmol(0));
    kumi_conformance::io_suite!(mod io, OnSmol(0));
    kumi_conformance::everywhere_suite!(mod everywhere, OnSmol(0));
    kumi_conformance::combinator_suite!(mod combinators, OnSmol(0));
}

mod one_thread {
    use super::*;

    kumi_conformance::suite!(mod contract, OnSmol(1));
    kumi_conformance::local_suite!(mod local, OnSmol(1));
    kumi_conformance::io_suite!(mod io, OnSmol(1));
    kumi_conformance::everywhere_suite!(mod everywhere, OnSmol(1));
    kumi_conformance::combinator_suite!(mod combinators, OnSmol(1));
}

mod two_threads {
    use super::*;

    kumi_conformance::suite!(mod contract, OnSmol(2));
    kumi_conformance::local_suite!(mod local, OnSmol(2));
    kumi_conformance::io_suite!(mod io, OnSmol(2));
    kumi_conformance::everywhere_suite!(mod everywhere, OnSmol(2));
    kumi_conformance::combinator_suite!(mod combinators, OnSmol(2));
}
