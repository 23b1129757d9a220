//! A child of a task group: it is cancelled, its group is, the scope around the group is.

mod drive;
mod oracle;

pub(super) use self::drive::see;
pub(super) use self::oracle::expect;

/// A tick at which every request has come.
const LATE: u32 = 5;

/// The tick at which the outer body returns, if it has come so far.
const TAIL: u32 = 8;

/// The tick at which what is still pending is cancelled.
const LAST: u32 = 9;

/// The tick at which everything has ended.
const END: u32 = 11;

/// What the child does; it never does it in its first tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    Returns(u32),
    Fails(u32),
    Panics(u32),
    Pending,
    /// Asks for a cancel; then returns, or is pending for ever.
    Asks {
        at: u32,
        whom: Whom,
        returns: bool,
    },
    /// Is pending for ever, and cleans up for some ticks.
    Finally {
        takes: u32,
    },
    /// Returns at a tick, and is not to be cut.
    Uncancellable(u32),
    /// Waits until it is told of a cancel, and returns.
    Told,
}

/// Whom somebody asks to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    Child,
    Group,
    Outer,
}

/// What the body of the group does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Returns at once.
    Returns,
    /// Returns late.
    Waits,
    /// Returns what the child returned.
    Joins,
}

/// One combination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    child: Child,
    body: Body,
    /// When each is asked to end; at tick 0 before the child is spawned.
    of_child: Option<u32>,
    of_group: Option<u32>,
    of_outer: Option<u32>,
    /// Of requests in the same tick the innermost is made first.
    inner_first: bool,
}

impl Scene {
    /// When somebody is asked to end, from outside.
    fn of(&self, whom: Whom) -> Option<u32> {
        match whom {
            Whom::Child => self.of_child,
            Whom::Group => self.of_group,
            Whom::Outer => self.of_outer,
        }
    }

    /// In which order they are asked.
    fn order(&self) -> [Whom; 3] {
        match self.inner_first {
            true => [Whom::Child, Whom::Group, Whom::Outer],
            false => [Whom::Outer, Whom::Group, Whom::Child],
        }
    }
}

/// Every combination with such a body.
pub(super) fn scenes(body: Body) -> Vec<Scene> {
    let mut children = vec![Child::Pending, Child::Told];
    children.extend([0, 1, 2].map(|takes| Child::Finally { takes }));
    for at in [1, 2] {
        children.extend([Child::Returns(at), Child::Fails(at), Child::Panics(at)]);
        children.push(Child::Uncancellable(at));
        for whom in [Whom::Child, Whom::Group, Whom::Outer] {
            children.extend([false, true].map(|returns| Child::Asks { at, whom, returns }));
        }
    }
    let times = [None, Some(0), Some(1), Some(2)];
    let mut all = Vec::new();
    for child in children {
        // Whether a child that is cancelled just after it was spawned is polled, threads decide.
        for of_child in [None, Some(1), Some(2)] {
            for of_group in times {
                for of_outer in times {
                    let same = |a: Option<u32>, b| a == b && a > Some(0);
                    let ordered = same(of_child, of_group)
                        || same(of_group, of_outer)
                        || same(of_child, of_outer);
                    for inner_first in [false, true] {
                        if ordered || !inner_first {
                            all.push(Scene {
                                child,
                                body,
                                of_child,
                                of_group,
                                of_outer,
                                inner_first,
                            });
                        }
                    }
                }
            }
        }
    }
    all
}
