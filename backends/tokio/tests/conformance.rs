//! Both flavours of tokio keep the contract.

use kumi_conformance::{Capability, Harness};
use kumi_core::runtime::Owned;
use kumi_tokio::Tokio;

/// The flavour that runs its tasks where it is driven.
struct CurrentThread;

impl Harness for CurrentThread {
    type Runtime = Tokio;

    fn fresh(&self, _: u64) -> Owned<Tokio> {
        Tokio::current_thread().expect("tokio starts")
    }

    fn lacks(&self) -> &[Capability] {
        &[Capability::ParallelTasks]
    }
}

mod current_thread {
    use super::*;

    kumi_conformance::suite!(mod contract, CurrentThread);
    kumi_conformance::local_suite!(mod local, CurrentThread);
    kumi_conformance::io_suite!(mod io, CurrentThread);
    kumi_conformance::combinator_suite!(mod combinators, CurrentThread);
    kumi_conformance::everywhere_suite!(mod everywhere, CurrentThread);
}

mod two_workers {
    use super::*;

    kumi_conformance::suite!(mod contract, || Tokio::workers(2).expect("tokio starts"));
    kumi_conformance::local_suite!(mod local, || Tokio::workers(2).expect("tokio starts"));
    kumi_conformance::io_suite!(mod io, || Tokio::workers(2).expect("tokio starts"));
    kumi_conformance::combinator_suite!(mod combinators, || {
        Tokio::workers(2).expect("tokio starts")
    });
    kumi_conformance::everywhere_suite!(mod everywhere, || {
        Tokio::workers(2).expect("tokio starts")
    });
}
