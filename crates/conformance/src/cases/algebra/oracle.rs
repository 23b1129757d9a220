//! What has to happen in a combination of two nested scopes, by the rules alone.
//!
//! # The rules
//!
//! 1. The body is polled with the knowledge of every request that was made; a value that it returns in
//!    that poll wins. A deadline is looked at after the body.
//! 2. A pending body is unwound: its regions clean up, then it is dropped.
//! 3. Then the inner scope reports, if it was asked to end; but if a cancel of the outer one is in force
//!    by then, or both are due by deadlines that are reached together, only the outer one does, and
//!    the code between does not run.
//! 4. A cancel of the outer scope takes effect where the code in it suspends next.
//! 5. A shield hides it from the inner scope, and the outer one waits.
//!
//! So everything that ends a scope has a place in one order, the *moment*: requests of a tick come
//! before the poll of the tick, that before the look at the deadlines.

use super::scene::{Child, Form, Given, LAST, LATE, Scene, TAIL, Trace};

/// A place in the order of everything that happens.
type Moment = u32;

const NEVER: Moment = Moment::MAX;

/// Requests from outside, of the tick.
fn before_poll(tick: u32) -> Moment {
    tick * 3
}

/// What the bodies do in the poll of the tick.
fn in_poll(tick: u32) -> Moment {
    tick * 3 + 1
}

/// The deadlines of the tick.
fn after_poll(tick: u32) -> Moment {
    tick * 3 + 2
}

/// The tick of a moment.
fn tick_of(moment: Moment) -> u32 {
    moment / 3
}

/// When a scope is to end.
fn moment(form: Form, at: Option<u32>) -> Moment {
    match (at, form) {
        (None, _) => NEVER,
        (Some(at), Form::Handle) => before_poll(at),
        (Some(at), Form::Deadline | Form::Limit) => after_poll(at),
    }
}

/// How the body of the inner scope ends, and in which tick.
enum Exit {
    Value(u32, Result<u32, &'static str>),
    Panic(u32, &'static str),
    /// It is dropped, after its clean-ups.
    Cut(u32),
    Never,
}

/// Says what has to happen.
pub(super) fn expect(scene: &Scene) -> Trace {
    let mut trace = Trace::default();
    let mut inner = moment(scene.forms.inner, scene.inner);
    let mut outer = moment(scene.forms.outer, scene.outer);
    // The one whom the child asks, and whether that is the first request.
    let child_asks = asks(scene, &mut inner, &mut outer);
    let cut = match scene.forms.shield {
        true => inner,
        false => inner.min(outer),
    };
    let exit = exit(scene.child, cut, &mut trace);
    trace.begun.push(0);

    let ended = match exit {
        Exit::Value(at, _) | Exit::Panic(at, _) | Exit::Cut(at) => at,
        Exit::Never => NEVER,
    };
    trace.dropped = vec![ended.min(LAST + 1)];
    let given = match exit {
        Exit::Never => None,
        Exit::Value(_, value) => Some(Given::Value(value)),
        Exit::Panic(at, text) => {
            trace.outer.push((at, Given::Panic(text.to_owned())));
            None
        }
        // In force around it when it has unwound, or due together with it.
        Exit::Cut(at) if !scene.forms.shield && outer <= inner.max(in_poll(at)) => {
            let why = reason(scene.forms.outer, outer, "outer");
            trace.outer.push((at, Given::Ended(why)));
            None
        }
        Exit::Cut(_) => Some(Given::Ended(reason(scene.forms.inner, inner, "inner"))),
    };
    if let Some(given) = given {
        trace.between.push((ended, given));
        if outer > after_poll(ended) {
            trace.after.push(ended);
        }
        let end = match tick_of(outer) < TAIL {
            true => {
                let why = reason(scene.forms.outer, outer, "outer");
                (tick_of(outer).max(ended), Given::Ended(why))
            }
            false => (TAIL, Given::Value(Ok(TAIL))),
        };
        trace.outer.push(end);
    }
    let outer_ended = trace.outer.first().map_or(NEVER, |(at, _)| *at);
    trace.asked = asked(scene, child_asks, ended, outer_ended);
    trace
}

/// Adds the request that the child itself makes, if it comes to it; says whom it asks, when, and
/// whether that is the first request.
fn asks(scene: &Scene, inner: &mut Moment, outer: &mut Moment) -> Option<(u32, bool)> {
    let cut = match scene.forms.shield {
        true => *inner,
        false => *inner.min(outer),
    };
    let (at, scope) = match scene.child {
        Child::CancelsInner { at, .. } => (at, inner),
        Child::CancelsOuter { at, .. } => (at, outer),
        _ => return None,
    };
    if at > tick_of(cut) {
        return None;
    }
    let first = *scope > in_poll(at);
    *scope = (*scope).min(in_poll(at));
    Some((at, first))
}

/// How the body of the inner scope ends, if a cancel is in force in it from `cut` on.
fn exit(child: Child, cut: Moment, trace: &mut Trace) -> Exit {
    let end = tick_of(cut);
    // What is ready in the tick of the cancel still counts.
    let value = |at, value| match at <= end {
        true => Exit::Value(at, value),
        false => Exit::Cut(end),
    };
    let mut clean_up = |begun, takes| {
        trace.clean_ups.0.push(begun);
        trace.clean_ups.1.push(begun + takes);
        begun + takes
    };
    match child {
        Child::Returns(at) => value(at, Ok(1)),
        Child::Fails(at) => value(at, Err("failed")),
        Child::Panics(at) if at <= end => Exit::Panic(at, "of the child"),
        Child::CancelsInner { at, returns: true } | Child::CancelsOuter { at, returns: true } => {
            value(at, Ok(1))
        }
        Child::Pending
        | Child::Panics(_)
        | Child::CancelsInner { .. }
        | Child::CancelsOuter { .. } => match cut {
            NEVER => Exit::Never,
            _ => Exit::Cut(end),
        },
        Child::Finally { at, takes } => match at <= end {
            true => Exit::Value(clean_up(at, takes), Ok(1)),
            false => Exit::Cut(clean_up(end, takes)),
        },
        Child::FinallyPanics { at, takes } => {
            Exit::Panic(clean_up(at.min(end), takes), "of the clean-up")
        }
        Child::OnCancel { at, takes } => match at <= end {
            true => Exit::Value(at, Ok(1)),
            false => Exit::Cut(clean_up(end, takes)),
        },
        Child::Bracket { at, .. } if at > end => Exit::Cut(end),
        Child::Bracket { takes, .. } => match LATE <= end {
            true => Exit::Value(clean_up(LATE, takes), Ok(1)),
            false => Exit::Cut(clean_up(end, takes)),
        },
        // It does not begin in a cancelled scope.
        Child::Uncancellable(_) | Child::UncancellableThenCheckpoint(_)
            if cut == before_poll(0) =>
        {
            Exit::Cut(0)
        }
        Child::UncancellableThenCheckpoint(at) if cut <= after_poll(at) => Exit::Cut(at),
        Child::Uncancellable(at) | Child::UncancellableThenCheckpoint(at) => Exit::Value(at, Ok(1)),
        Child::Told if cut == NEVER => Exit::Never,
        Child::Told => Exit::Value(end, Ok(2)),
    }
}

/// Why a scope says that it has ended.
fn reason(form: Form, moment: Moment, name: &str) -> String {
    if moment == in_poll(tick_of(moment)) {
        return "child".to_owned();
    }
    match form {
        Form::Handle => name.to_owned(),
        Form::Deadline => "deadline".to_owned(),
        Form::Limit => "elapsed".to_owned(),
    }
}

/// What those who ask are told: true if it is the first request and the scope is alive.
fn asked(
    scene: &Scene,
    child: Option<(u32, bool)>,
    inner_ended: u32,
    outer_ended: u32,
) -> Vec<(&'static str, bool)> {
    let by_child = |it: bool| child.filter(|_| it).map_or(NEVER, |(at, _)| at);
    let of_inner = by_child(matches!(scene.child, Child::CancelsInner { .. }));
    let of_outer = by_child(matches!(scene.child, Child::CancelsOuter { .. }));
    let forms = scene.forms;
    let mut scopes = [
        ("inner", forms.inner, scene.inner, inner_ended, of_inner),
        ("outer", forms.outer, scene.outer, outer_ended, of_outer),
    ];
    if scene.outer_first {
        scopes.reverse();
    }
    let mut asked = Vec::new();
    for (name, form, at, ended, by_child) in scopes {
        // At tick 0 a deadline is part of the scope; a limit is asked by nobody.
        let calls = match form {
            Form::Handle => at,
            Form::Deadline => at.filter(|at| *at > 0),
            Form::Limit => None,
        };
        let first = |at| ended >= at && by_child >= at;
        asked.extend(calls.map(|at| (before_poll(at), name, first(at))));
    }
    asked.extend(child.map(|(at, first)| (in_poll(at), "child", first)));
    // A stable sort: the order within one tick stays.
    asked.sort_by_key(|(moment, ..)| *moment);
    asked
        .into_iter()
        .map(|(_, who, told)| (who, told))
        .collect()
}
