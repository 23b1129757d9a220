//! Two causes at once: every combination of two nested scopes, of what runs in the inner one, and of
//! when each of them is to end, against an `oracle` that knows only the rules.
//!
//! A cancel is never swallowed by a scope that was not its target, never delivered twice, never lost;
//! a value wins over it; of two that are due together the outer one reports, and the code between
//! does not run. Time is moved by hand, tick by tick. A failure names its combination.

mod drive;
mod group;
mod oracle;
mod scene;
mod shield;
mod turns;

use std::fmt::Debug;

use kumi_core::runtime::{Clock, Runtime};

use self::scene::{Form, Forms, scenes};

/// Compares every combination with what the rules say; there are `count`.
fn all(clock: &impl Clock, forms: Forms, count: usize) {
    let scenes = scenes(forms);
    compare(&scenes, |scene| {
        (drive::see(scene, clock), oracle::expect(scene))
    });
    assert_eq!(scenes.len(), count, "so many combinations");
}

/// The same, of a child of a group.
async fn of_group<R: Runtime>(rt: &R, body: group::Body, count: usize) {
    let scenes = group::scenes(body);
    for scene in &scenes {
        let expected = group::expect(scene);
        let seen = group::see(scene, &expected, rt).await;
        assert_eq!(seen, expected, "seen, expected, in {scene:?}");
    }
    assert_eq!(scenes.len(), count, "so many combinations");
}

/// Asserts that in each of the scenes what was seen is what was expected; names those where not.
fn compare<S: Debug, T: Debug + PartialEq>(scenes: &[S], look: impl Fn(&S) -> (T, T)) {
    let mut wrong = Vec::new();
    for scene in scenes {
        let (seen, expected) = look(scene);
        if seen != expected {
            wrong.push(format!(
                "in {scene:?}\n     seen {seen:?}\n expected {expected:?}"
            ));
        }
    }
    let (count, some) = (wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    assert!(count == 0, "{count} combinations went wrong:\n{some}");
}

const fn forms(outer: Form, inner: Form) -> Forms {
    Forms {
        inner,
        outer,
        shield: false,
    }
}

const fn shielded(outer: Form, inner: Form) -> Forms {
    Forms {
        shield: true,
        ..forms(outer, inner)
    }
}

/// Two scopes that are cancelled by their handles.
pub async fn a_scope_in_a_scope<R: Runtime>(rt: R) {
    all(&rt, forms(Form::Handle, Form::Handle), 1798);
}

/// The inner one ends at its deadline.
pub async fn a_deadline_in_a_scope<R: Runtime>(rt: R) {
    all(&rt, forms(Form::Handle, Form::Deadline), 1798);
}

/// The outer one ends at its deadline.
pub async fn a_scope_in_a_deadline<R: Runtime>(rt: R) {
    all(&rt, forms(Form::Deadline, Form::Handle), 1798);
}

/// Both end at their deadlines.
pub async fn a_deadline_in_a_deadline<R: Runtime>(rt: R) {
    all(&rt, forms(Form::Deadline, Form::Deadline), 1798);
}

/// A limit, in a scope that is cancelled.
pub async fn a_limit_in_a_scope<R: Runtime>(rt: R) {
    all(&rt, forms(Form::Handle, Form::Limit), 1400);
}

/// A scope that is cancelled, in a limit.
pub async fn a_scope_in_a_limit<R: Runtime>(rt: R) {
    all(&rt, forms(Form::Limit, Form::Handle), 1400);
}

/// A limit in a limit.
pub async fn a_limit_in_a_limit<R: Runtime>(rt: R) {
    all(&rt, forms(Form::Limit, Form::Limit), 1250);
}

/// A scope that hides cancels from outside, in one that is cancelled.
pub async fn a_shielded_scope_in_a_scope<R: Runtime>(rt: R) {
    all(&rt, shielded(Form::Handle, Form::Handle), 1798);
    all(&rt, shielded(Form::Handle, Form::Deadline), 1798);
}

/// A scope that hides cancels from outside, in one that ends at its deadline.
pub async fn a_shielded_scope_in_a_deadline<R: Runtime>(rt: R) {
    all(&rt, shielded(Form::Deadline, Form::Handle), 1798);
    all(&rt, shielded(Form::Deadline, Form::Deadline), 1798);
    all(&rt, shielded(Form::Limit, Form::Handle), 1400);
}

/// A child, its group, whose body has returned, and the scope around the group are cancelled.
pub async fn a_child_of_a_group<R: Runtime>(rt: R) {
    of_group(&rt, group::Body::Returns, 1650).await;
}

/// The body of the group waits for something else.
pub async fn a_child_beside_a_body<R: Runtime>(rt: R) {
    of_group(&rt, group::Body::Waits, 1650).await;
}

/// The body of the group waits for the child.
pub async fn a_child_that_is_joined<R: Runtime>(rt: R) {
    of_group(&rt, group::Body::Joins, 1650).await;
}

/// Shielded work, the scope that awaits it and the scope around that one are cancelled.
pub async fn shielded_work<R: Runtime>(rt: R) {
    let scenes = shield::scenes();
    for scene in &scenes {
        let expected = shield::expect(scene);
        let seen = shield::see(scene, &expected.0, &rt).await;
        assert_eq!(seen, expected, "seen, expected, in {scene:?}");
    }
    assert_eq!(scenes.len(), 2000, "so many combinations");
}
