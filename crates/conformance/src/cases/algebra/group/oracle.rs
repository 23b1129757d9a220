//! What has to happen to a child of a group, and to the group.
//!
//! # The rules
//!
//! 1. A cancel of the scope is one of the group, and a cancel of the group one of the child. A child
//!    that is spawned into a cancelled group is never polled.
//! 2. A child that is cancelled is polled once more, and a value wins. Otherwise it is unwound.
//! 3. The first failure of the child cancels the group; a cancel of the child alone is no failure.
//! 4. The group ends when its body and its child have. Then a panic goes on; else it gives the error;
//!    else the value of the body, unless a cancel from outside is in force and the child was cut; else,
//!    if such a cancel is in force, it never resolves; else it gives that it was cancelled.
//! 5. A cancel of the outer scope takes effect where the code in it suspends next.

use super::super::scene::{Given, Trace};
use super::{Body, Child, LAST, LATE, Scene, TAIL, Whom};

const NEVER: u32 = u32::MAX;

/// How the child ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exit {
    Value(u32),
    Error,
    Panic,
    Cut,
}

/// Says what has to happen.
pub(in super::super) fn expect(scene: &Scene) -> Trace {
    let mut trace = Trace::default();
    let [of_child, of_group, of_outer] = [scene.of_child, scene.of_group, scene.of_outer];
    let [of_child, mut of_group, mut of_outer] =
        [of_child, of_group, of_outer].map(|at| at.unwrap_or(NEVER));
    of_outer = of_outer.min(LAST);
    let mut cut = of_child.min(of_group).min(of_outer);
    let never_begun = cut == 0;
    let mut by_child = None;
    if let Child::Asks { at, whom, .. } = scene.child {
        if at <= cut {
            by_child = Some((at, whom));
            cut = at;
            match whom {
                Whom::Child => {}
                Whom::Group => of_group = of_group.min(at),
                Whom::Outer => of_outer = of_outer.min(at),
            }
        }
    }
    let (exit, child_ended) = exit(scene.child, cut, never_begun, &mut trace);
    trace.dropped = vec![child_ended];

    let failed = matches!(exit, Exit::Error | Exit::Panic);
    let to_end = match failed {
        true => of_group.min(child_ended),
        false => of_group,
    };
    let to_end = to_end.min(of_outer);
    let (value, body_ended) = match (scene.body, exit) {
        (Body::Returns, _) => (Some(5), 0),
        (Body::Waits, _) if to_end < LATE => (None, to_end),
        (Body::Waits, _) => (Some(5), LATE),
        // Joining takes nothing in a cancelled scope.
        (Body::Joins, _) if to_end <= child_ended => (None, to_end),
        (Body::Joins, Exit::Value(value)) => (Some(value), child_ended),
        (Body::Joins, _) => (Some(100), child_ended),
    };
    let ended = child_ended.max(body_ended);
    let outside = of_outer <= ended;
    let given = match (exit, value) {
        (Exit::Panic, _) => {
            let panic = Given::Panic("of the child".to_owned());
            trace.outer.push((ended, panic));
            None
        }
        (Exit::Error, _) => Some(Given::Value(Err("failed"))),
        (exit, Some(value)) if !(outside && exit == Exit::Cut) => Some(Given::Value(Ok(value))),
        _ if outside => {
            trace.outer.push((ended, why_outer(scene, of_outer)));
            None
        }
        _ => {
            let asked = scene.of_group.is_some_and(|at| at <= of_group);
            let why = if asked { "group" } else { "child" };
            Some(Given::Ended(why.to_owned()))
        }
    };
    if let Some(given) = given {
        trace.between.push((ended, given));
        if !outside {
            trace.after.push(ended);
        }
        trace.outer.push(match outside || of_outer < TAIL {
            true => (of_outer.max(ended), why_outer(scene, of_outer)),
            false => (TAIL, Given::Value(Ok(TAIL))),
        });
    }
    let outer_ended = trace.outer.first().map_or(NEVER, |(at, _)| *at);
    let group_failed = if failed { child_ended } else { NEVER };
    let ends = [child_ended, ended, outer_ended];
    trace.asked = asked(scene, by_child, group_failed, ends);
    trace
}

/// How the child ends, and when.
fn exit(child: Child, cut: u32, never_begun: bool, trace: &mut Trace) -> (Exit, u32) {
    if never_begun {
        return (Exit::Cut, 0);
    }
    trace.begun.push(0);
    match child {
        Child::Returns(at) if at <= cut => (Exit::Value(1), at),
        Child::Fails(at) if at <= cut => (Exit::Error, at),
        Child::Panics(at) if at <= cut => (Exit::Panic, at),
        Child::Asks {
            at, returns: true, ..
        } if at <= cut => (Exit::Value(1), at),
        Child::Finally { takes } => {
            trace.clean_ups = (vec![cut], vec![cut + takes]);
            (Exit::Cut, cut + takes)
        }
        Child::Uncancellable(at) => (Exit::Value(1), at),
        Child::Told => (Exit::Value(2), cut),
        _ => (Exit::Cut, cut),
    }
}

/// Why the outer scope ends.
fn why_outer(scene: &Scene, at: u32) -> Given {
    let why = match scene.of_outer {
        Some(asked) if asked == at => "outer",
        _ if at == LAST => "last",
        _ => "child",
    };
    Given::Ended(why.to_owned())
}

/// What those who ask are told; `ends` are those of the child, the group and the outer scope.
fn asked(
    scene: &Scene,
    by_child: Option<(u32, Whom)>,
    group_failed: u32,
    ends: [u32; 3],
) -> Vec<(&'static str, bool)> {
    let mut asked = Vec::new();
    // Who was asked so far; a cancel further out is one of the child, too, but no request of the group.
    let (mut child, mut group, mut outer) = (false, false, false);
    for tick in 0..LAST {
        let from_outside = scene.order().into_iter();
        let from_outside = from_outside.filter(|whom| scene.of(*whom) == Some(tick));
        let by_child = by_child.filter(|(at, _)| *at == tick);
        let mut requests: Vec<_> = from_outside.map(|whom| (false, whom)).collect();
        if tick == 0 {
            // The outer one before everything, the group by its own body.
            requests.sort_by_key(|(_, whom)| *whom != Whom::Outer);
        }
        requests.extend(by_child.map(|(_, whom)| (true, whom)));
        for (itself, whom) in requests {
            let first = match whom {
                Whom::Child => !child && tick <= ends[0],
                Whom::Group => !group && tick <= ends[1] && tick <= group_failed,
                Whom::Outer => !outer && tick <= ends[2],
            };
            child = true;
            group |= whom == Whom::Group;
            outer |= whom == Whom::Outer;
            let name = match (itself, whom) {
                (true, _) => "child itself",
                (false, Whom::Child) => "child",
                (false, Whom::Group) => "group",
                (false, Whom::Outer) => "outer",
            };
            asked.push((name, first));
        }
    }
    asked
}
