//! The smallest whole backend passes the suite.

#[path = "../../core/tests/it/tiny_backend.rs"]
pub mod tiny_backend;

use kumi_conformance::{Capability, Harness};
use kumi_core::runtime::Owned;
use tiny_backend::Tiny;

struct OfTiny;

impl Harness for OfTiny {
    type Runtime = Tiny;

    fn fresh(&self, _round: u64) -> Owned<Tiny> {
        Tiny::new()
    }

    fn lacks(&self) -> &[Capability] {
        &[Capability::ConcurrentBlockOn, Capability::ParallelTasks]
    }
}

kumi_conformance::suite!(mod tiny, OfTiny);
kumi_conformance::local_suite!(mod tiny_local, OfTiny);

#[test]
fn tiny_backend_works() {
    tiny_backend::tiny_backend_works();
}
