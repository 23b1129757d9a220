//! The smallest whole backend passes the suite.

#[path = "../../core/tests/it/tiny_backend.rs"]
pub mod tiny_backend;

use tiny_backend::Tiny;

kumi_conformance::suite!(mod tasks, Tiny::new);
kumi_conformance::local_suite!(mod local_tasks, Tiny::new);

#[test]
fn tiny_backend_works() {
    tiny_backend::tiny_backend_works();
}
