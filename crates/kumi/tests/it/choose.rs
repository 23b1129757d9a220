//! Is the backend chosen as documented, and never in silence?

use kumi::BackendKind;

#[test]
fn names_are_those_of_the_features() {
    for kind in BackendKind::compiled_in() {
        assert_eq!(kind.name().parse::<BackendKind>().as_ref(), Ok(kind));
    }
}

#[test]
fn an_unknown_name_is_answered_with_those_that_exist() {
    let error = "tokyo"
        .parse::<BackendKind>()
        .expect_err("there is none")
        .to_string();
    assert_eq!(
        error,
        "there is no backend `tokyo` (compiled in: loop, tokio, smol, sim)"
    );
}

#[test]
fn with_several_compiled_in_the_program_has_to_say() {
    // The variable is read in a process of its own, since others here run beside.
    let error = BackendKind::choose()
        .expect_err("four are compiled in")
        .to_string();
    assert!(
        error.contains("several backends are compiled in (loop, tokio, smol, sim)"),
        "{error}"
    );
    assert!(error.contains("#[kumi::main(loop)]"), "{error}");
}
