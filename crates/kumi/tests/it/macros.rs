//! Do the attributes expand to what they promise?

/// A test may return a `Result`.
#[kumi::test]
async fn a_test_may_return_a_result() -> Result<(), std::num::ParseIntError> {
    let number: u32 = "42".parse()?;
    assert_eq!(number, 42);
    Ok(())
}

#[kumi::test(loop, sim, seeds = 3)]
async fn a_test_may_name_its_backends() {
    use kumi::BackendKind::{Loop, Sim};
    assert!(matches!(kumi::Backend::current().kind(), Some(Loop | Sim)));
}

#[kumi::test(sim)]
#[should_panic(expected = "the test returned an error: \"no\"")]
async fn an_error_fails_the_test() -> Result<(), &'static str> {
    Err("no")
}

mod program {
    #[kumi::main(sim)]
    pub(super) async fn main() -> u32 {
        kumi::spawn(async { 42 }).await.expect("the task returns")
    }
}

#[test]
fn main_runs_on_the_named_backend() {
    assert_eq!(program::main(), 42);
}
