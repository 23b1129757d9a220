//! What is combined: how a child ends, what each of the two scopes is, and when each is to end.

/// A tick at which nothing happens by itself any more: every cancel has come before.
pub(super) const LATE: u32 = 6;

/// The tick at which the outer body returns, if it has come so far.
pub(super) const TAIL: u32 = 9;

/// The last tick: what is pending then stays so.
pub(super) const LAST: u32 = 10;

/// What the inner scope runs. Ticks count from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    /// Returns at a tick.
    Returns(u32),
    /// Returns an error at a tick.
    Fails(u32),
    /// Panics at a tick.
    Panics(u32),
    /// Is pending for ever.
    Pending,
    /// Cancels the scope that runs it, at a tick; then returns, or is pending for ever.
    CancelsInner { at: u32, returns: bool },
    /// Cancels the scope around that one.
    CancelsOuter { at: u32, returns: bool },
    /// Returns at a tick; in any case it cleans up for some ticks.
    Finally { at: u32, takes: u32 },
    /// The same, and the clean-up ends with a panic.
    FinallyPanics { at: u32, takes: u32 },
    /// Returns at a tick; if it is cancelled, it cleans up for some ticks.
    OnCancel { at: u32, takes: u32 },
    /// Acquires at a tick, uses until [`LATE`], and releases for some ticks.
    Bracket { at: u32, takes: u32 },
    /// Returns at a tick, and is not to be cut.
    Uncancellable(u32),
    /// The same, with a checkpoint before it returns.
    UncancellableThenCheckpoint(u32),
    /// Waits until it is told of a cancel, and returns.
    Told,
}

/// How a scope is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A `CancelScope`, by its handle.
    Handle,
    /// A `CancelScope`, by its deadline.
    Deadline,
    /// A `timeout`.
    Limit,
}

/// Two nested scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forms {
    pub(super) inner: Form,
    pub(super) outer: Form,
    /// The inner one hides cancels from outside.
    pub(super) shield: bool,
}

/// One combination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    pub(super) forms: Forms,
    pub(super) child: Child,
    /// When the inner scope is to end: at tick 0 means before the first poll.
    pub(super) inner: Option<u32>,
    pub(super) outer: Option<u32>,
    /// Of two requests in the same tick the outer one is made first.
    pub(super) outer_first: bool,
}

/// What a scope gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// What its body returned.
    Value(Result<u32, &'static str>),
    /// That it was to end, and why.
    Ended(String),
    /// A panic went through it.
    Panic(String),
}

/// What happened, each with its tick: what was seen, or what is expected.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Trace {
    /// The first poll of the child.
    pub(super) begun: Vec<u32>,
    /// Clean-ups that began, and that ended.
    pub(super) clean_ups: (Vec<u32>, Vec<u32>),
    /// The end of the future of the child.
    pub(super) dropped: Vec<u32>,
    /// What the inner scope gave to the code after it, which so ran.
    pub(super) between: Vec<(u32, Given)>,
    /// The code after the next checkpoint ran.
    pub(super) after: Vec<u32>,
    /// What the outer scope gave.
    pub(super) outer: Vec<(u32, Given)>,
    /// Who asked for a cancel, and whether that was the first request in time.
    pub(super) asked: Vec<(&'static str, bool)>,
}

impl Trace {
    /// Whether everything has happened that is expected until a tick, except for requests.
    pub(super) fn has_all(&self, expected: &Self, tick: u32) -> bool {
        fn has<T>(seen: &[T], expected: &[T], due: impl Fn(&T) -> bool) -> bool {
            seen.len() >= expected.iter().filter(|event| due(event)).count()
        }
        let at = |at: &u32| *at <= tick;
        let given = |(at, _): &(u32, Given)| *at <= tick;
        has(&self.begun, &expected.begun, at)
            && has(&self.clean_ups.0, &expected.clean_ups.0, at)
            && has(&self.clean_ups.1, &expected.clean_ups.1, at)
            && has(&self.dropped, &expected.dropped, at)
            && has(&self.between, &expected.between, given)
            && has(&self.after, &expected.after, at)
            && has(&self.outer, &expected.outer, given)
    }
}

/// Every child.
pub(super) fn children() -> Vec<Child> {
    let early = [0, 1, 2];
    let mut all = vec![Child::Pending, Child::Told];
    for at in early {
        all.extend([Child::Returns(at), Child::Fails(at), Child::Panics(at)]);
        all.extend([
            Child::Uncancellable(at),
            Child::UncancellableThenCheckpoint(at),
        ]);
        for returns in [false, true] {
            all.push(Child::CancelsInner { at, returns });
            all.push(Child::CancelsOuter { at, returns });
        }
        for takes in early {
            all.push(Child::Finally { at, takes });
            all.push(Child::Bracket { at, takes });
        }
    }
    for at in [1, LATE] {
        for takes in early {
            all.push(Child::FinallyPanics { at, takes });
            all.push(Child::OnCancel { at, takes });
        }
    }
    all.extend(early.map(|takes| Child::Finally { at: LATE, takes }));
    all
}

/// Every combination of two such scopes.
pub(super) fn scenes(forms: Forms) -> Vec<Scene> {
    let times = [None, Some(0), Some(1), Some(2), Some(3)];
    let mut all = Vec::new();
    for child in children() {
        // A limit has no handle.
        let possible = match child {
            Child::CancelsInner { .. } => forms.inner != Form::Limit,
            Child::CancelsOuter { .. } => forms.outer != Form::Limit,
            _ => true,
        };
        if !possible {
            continue;
        }
        for inner in times {
            for outer in times {
                for outer_first in [false, true] {
                    // Only two requests in the same tick have an order.
                    let asked = forms.inner != Form::Limit && forms.outer != Form::Limit;
                    if outer_first && !(asked && inner == outer && inner.is_some()) {
                        continue;
                    }
                    all.push(Scene {
                        forms,
                        child,
                        inner,
                        outer,
                        outer_first,
                    });
                }
            }
        }
    }
    all
}
