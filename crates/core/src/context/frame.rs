//! The frame on the stack, and the pointer to the innermost one.
//!
//! # Invariants
//!
//! 1. The pointer is null, or points to a frame that a caller further up this thread's stack keeps
//!    alive: `enter` sets it, holds the frame by reference and restores before it returns.
//! 2. A frame is lent out only for the length of a closure, so nobody can keep it longer than `enter`
//!    runs.
//! 3. `outer` is null, or points to a frame that was the current one when this frame was made and
//!    entered on the same thread, so it lives as long as this frame is current (1).
//!
//! They rest on calls of one thread that end in the reverse of the order in which they began. Libraries
//! that switch stacks in the middle of a poll (stackful coroutines) break that, as for everything that
//! a thread-local points to on the stack; code in them must not leave a poll of Kumi's suspended.
#![allow(
    unsafe_code,
    reason = "pointers to frames on the stack; see the invariants"
)]

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Instant;

use super::node::{Node, Wall};
use super::vars::Vars;
use crate::loom::{fault, thread_local};
use crate::runtime::{AmbientSource, Header, header};

/// How many operations of Kumi's a task may do in one poll; as many as tokio's resources allow.
const BUDGET: i64 = 128;

/// The budget of code that no task of Kumi's surrounds: it takes centuries to use it up.
const NO_BUDGET: i64 = i64::MAX;

/// What kind of code a frame surrounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A poll: it must not block.
    Async,
    /// A closure on a thread that may block.
    Blocking,
}

/// Where the node of a frame's scope is, once it is needed.
enum Slot<'a> {
    /// In the task's header.
    Task(&'a NonNull<Header>),
    /// In the scope's future, which lends it for the length of the poll.
    Here(&'a Cell<Option<Arc<Node>>>),
    /// The frame is no scope: the next one outwards has it.
    Through,
}

/// What frames inside of one another have in common; on the stack, like them.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    source: Option<&'a dyn AmbientSource>,
    task: Option<&'a NonNull<Header>>,
    vars: Option<&'a Vars>,
    kind: Kind,
    /// Where a wake of the task from inside of its poll is noted, if its runner looks there.
    woken: Option<&'a Cell<bool>>,
    /// The grace period of a scope is over, and its body is being dropped.
    cut: bool,
}

impl<'a> Base<'a> {
    /// That of a poll of `task`, whose runtime is found through `source`.
    #[inline]
    pub(crate) fn task(
        source: &'a dyn AmbientSource,
        task: &'a NonNull<Header>,
        kind: Kind,
        woken: Option<&'a Cell<bool>>,
    ) -> Self {
        Self {
            source: Some(source),
            task: Some(task),
            vars: header::vars(task),
            kind,
            woken,
            cut: false,
        }
    }

    /// That of code in no frame at all.
    const NOWHERE: Self = Self {
        source: None,
        task: None,
        vars: None,
        kind: Kind::Async,
        woken: None,
        cut: false,
    };
}

/// Runs `f` with another base than here: what `change` makes of a copy. No new scope.
fn enter_changed<'a, T>(change: impl FnOnce(&mut Base<'a>), f: impl FnOnce() -> T) -> T {
    // SAFETY: invariant 1. The copy does not outlive this call, and what it refers to is alive as long
    // as the frame that is current now, so as long as this call lasts.
    let around = unsafe { current().as_ref() };
    let base = around.and_then(|frame| frame.base);
    let mut base = base.copied().unwrap_or(Base::NOWHERE);
    change(&mut base);
    enter(&Frame::through(&base), f)
}

/// Runs `f` with the runtime that `source` finds; it belongs to no task.
pub(crate) fn enter_source<T>(source: &dyn AmbientSource, kind: Kind, f: impl FnOnce() -> T) -> T {
    enter_changed(
        |base| {
            base.source = Some(source);
            base.task = None;
            base.kind = kind;
        },
        f,
    )
}

/// Runs `f` with `vars` in force.
pub(crate) fn enter_vars<T>(vars: &Vars, f: impl FnOnce() -> T) -> T {
    enter_changed(|base| base.vars = Some(vars), f)
}

/// Runs `f`, which drops something because a grace period is over.
pub(crate) fn enter_cut<T>(f: impl FnOnce() -> T) -> T {
    enter_changed(|base| base.cut = true, f)
}

/// What surrounds a poll; lives on the stack of whoever polls.
pub(crate) struct Frame<'a> {
    outer: *const Frame<'static>,
    base: Option<&'a Base<'a>>,
    /// What stands between this scope and those around it.
    wall: Wall,
    /// A cancel is in force here.
    cancelled: Cell<bool>,
    /// The time at which this scope is due by itself.
    deadline: Option<Instant>,
    slot: Slot<'a>,
}

/// What is known of a poll after it, besides its result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// A cancel from outside of the scope is in force.
    pub(crate) outer: bool,
}

impl<'a> Frame<'a> {
    /// The frame of a poll of a task: a scope with nothing around it.
    #[inline]
    pub(crate) fn task(base: &'a Base<'a>, task: &'a NonNull<Header>, cancelled: bool) -> Self {
        Self {
            outer: ptr::null(),
            base: Some(base),
            wall: Wall::None,
            cancelled: Cell::new(cancelled),
            deadline: None,
            slot: Slot::Task(task),
        }
    }

    /// A frame that is no scope. A poll stays in the scopes around it, a closure is in none.
    #[inline]
    fn through(base: &'a Base<'a>) -> Self {
        let mut frame = Self::inside(Slot::Through, Wall::None, false, None);
        frame.base = Some(base);
        if base.kind == Kind::Blocking {
            frame.outer = ptr::null();
            frame.cancelled = Cell::new(false);
        }
        frame
    }

    /// A frame inside the current one; `own` says that its scope is cancelled itself.
    #[inline]
    fn inside(slot: Slot<'a>, wall: Wall, own: bool, deadline: Option<Instant>) -> Self {
        let outer = current();
        // SAFETY: invariant 1. What is copied out of the frame is used only while this frame is
        // current, so while the outer one is alive (3).
        let around = unsafe { outer.as_ref() };
        let above = wall == Wall::None && around.is_some_and(|frame| frame.cancelled.get());
        Self {
            outer,
            base: around.and_then(|frame| frame.base),
            wall,
            cancelled: Cell::new(own || above),
            deadline,
            slot,
        }
    }

    /// The frame around this one, if it is in the same task.
    fn outer(&self) -> Option<&Self> {
        // SAFETY: invariant 3; a frame is only looked at while it is current or around the current.
        // The lifetime is shortened to that of the borrow.
        unsafe { self.outer.as_ref() }
    }

    fn cancelled_outside(&self) -> bool {
        self.wall == Wall::None && self.outer().is_some_and(|frame| frame.cancelled.get())
    }

    /// Whether a cancel was asked for here, in force or waiting for an uncancellable region.
    fn requested(&self) -> bool {
        let mut frame = self;
        loop {
            if frame.cancelled.get() {
                return true;
            }
            // Up to the wall that hides the cancel, and beyond it if it only defers.
            while frame.wall == Wall::None {
                match frame.outer() {
                    Some(outer) => frame = outer,
                    None => return false,
                }
            }
            match (frame.wall, frame.outer()) {
                (Wall::Defer, Some(outer)) => frame = outer,
                _ => return false,
            }
        }
    }

    /// Whether this is the frame of the scope of `node`.
    fn is_of(&self, node: &Arc<Node>) -> bool {
        match &self.slot {
            Slot::Task(task) => {
                let scope = header::deref(task).scope.get();
                scope.is_some_and(|scope| Arc::ptr_eq(&scope, node))
            }
            Slot::Here(slot) => {
                let held = slot.take();
                let same = held.as_ref().is_some_and(|held| Arc::ptr_eq(held, node));
                slot.set(held);
                same
            }
            Slot::Through => false,
        }
    }

    /// The innermost frame of a scope, this one or further outwards.
    fn scope(&self) -> Option<&Self> {
        let mut frame = self;
        while matches!(frame.slot, Slot::Through) {
            frame = frame.outer()?;
        }
        Some(frame)
    }

    /// The innermost frame of a scope around this one.
    fn outer_scope(&self) -> Option<&Self> {
        self.outer().and_then(Self::scope)
    }

    /// The node of the scope, made if there is none; this is the frame of one.
    fn node(&self) -> Arc<Node> {
        match &self.slot {
            Slot::Through => unreachable!("`scope` skips such frames"),
            Slot::Task(task) => {
                let scope = &header::deref(task).scope;
                Arc::clone(&scope.get_or_init(|| Arc::new(Node::new(Wall::None))))
            }
            Slot::Here(slot) => {
                let node = slot
                    .take()
                    .unwrap_or_else(|| Arc::new(Node::new(self.wall)));
                slot.set(Some(Arc::clone(&node)));
                node
            }
        }
    }
}

/// What a thread is at.
struct Current {
    frame: Cell<*const Frame<'static>>,
    /// How many more operations the task that is being polled may do before it gives way; less than
    /// zero if it did not.
    budget: Cell<i64>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            frame: Cell::new(ptr::null()),
            budget: Cell::new(NO_BUDGET),
        }
    };
}

/// The innermost frame, or null; null, too, in a thread that is being torn down.
#[inline]
fn current() -> *const Frame<'static> {
    CURRENT
        .try_with(|current| current.frame.get())
        .unwrap_or(ptr::null())
}

/// Puts the frame back that was current before.
struct Restore(*const Frame<'static>);

impl Drop for Restore {
    #[inline]
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.frame.set(self.0));
    }
}

/// Runs `f` with `frame` as the current one.
#[inline]
pub(crate) fn enter<T>(frame: &Frame<'_>, f: impl FnOnce() -> T) -> T {
    let erased = ptr::from_ref(frame).cast::<Frame<'static>>();
    // In a thread that is being torn down there is no slot: code then finds no runtime.
    let _restore = CURRENT.try_with(|current| Restore(current.frame.replace(erased)));
    f()
}

/// Runs `f`, a poll of a task, with `frame` as the current one and a fresh budget.
#[inline]
pub(crate) fn enter_poll<T>(frame: &Frame<'_>, f: impl FnOnce() -> T) -> T {
    /// Puts frame and budget back.
    struct Restore(*const Frame<'static>, i64);
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            let _ = CURRENT.try_with(|current| {
                current.frame.set(self.0);
                current.budget.set(self.1);
            });
        }
    }
    let erased = ptr::from_ref(frame).cast::<Frame<'static>>();
    let _restore = CURRENT.try_with(|current| {
        Restore(
            current.frame.replace(erased),
            current.budget.replace(BUDGET),
        )
    });
    f()
}

/// Runs `f`, a poll of what is no task, with a fresh budget.
pub(crate) fn with_budget<T>(f: impl FnOnce() -> T) -> T {
    /// Puts the budget back.
    struct Restore(i64);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = CURRENT.try_with(|current| current.budget.set(self.0));
        }
    }
    let _restore = CURRENT.try_with(|current| Restore(current.budget.replace(BUDGET)));
    f()
}

/// Takes one from the budget of the task that is being polled; false if it is used up.
///
/// Outside of Kumi's tasks there is no budget: it is never used up.
#[inline]
pub(crate) fn spend() -> bool {
    let spend = |current: &Current| {
        let left = current.budget.get() - 1;
        current.budget.set(left);
        left >= 0
    };
    CURRENT.try_with(spend).unwrap_or(true)
}

/// Runs `f`, a poll of the body of a scope, in a frame of its own.
///
/// `node` is the scope's node, if it has one; afterwards, also if `f` panics, it has one if somebody
/// inside needed it.
#[inline(always)]
pub(crate) fn enter_scope<T>(
    node: &mut Option<Arc<Node>>,
    wall: Wall,
    own: bool,
    deadline: Option<Instant>,
    f: impl FnOnce() -> T,
) -> (T, Seen) {
    if let Some(node) = &node {
        tie_here(node);
    }
    let frame = Frame::inside(Slot::Here(Cell::from_mut(node)), wall, own, deadline);
    let result = enter(&frame, f);
    let outer = frame.cancelled_outside();
    (result, Seen { outer })
}

/// Lends the current frame to `f`.
#[inline]
pub(super) fn with_frame<T>(f: impl FnOnce(Option<&Frame<'_>>) -> T) -> T {
    let current = current();
    // SAFETY: invariant 1: null, or a live frame further up this thread's stack, shared and not
    // written to. The reference cannot leave the closure (`f` is generic over its lifetime), and
    // the frame outlives the closure because the `enter` that set it is still running.
    f(unsafe { current.as_ref() })
}

/// Lends what the frames here have in common to `f`.
#[inline]
fn with_base<T>(f: impl FnOnce(Option<&Base<'_>>) -> T) -> T {
    with_frame(|frame| f(frame.and_then(|frame| frame.base)))
}

/// Lends what finds the runtime to `f`.
pub(super) fn with_source<T>(f: impl FnOnce(Option<&dyn AmbientSource>) -> T) -> T {
    with_base(|base| f(base.and_then(|base| base.source)))
}

/// Lends the variables that are set here to `f`.
#[inline]
pub(super) fn with_vars<T>(f: impl FnOnce(Option<&Vars>) -> T) -> T {
    with_base(|base| f(base.and_then(|base| base.vars)))
}

/// Lends the task that is being polled to `f`.
pub(super) fn with_task<T>(f: impl FnOnce(Option<&NonNull<Header>>) -> T) -> T {
    with_base(|base| f(base.and_then(|base| base.task)))
}

/// Notes a wake of `task` that comes from inside of its own poll; false if it does not, or its runner
/// does not look there.
#[inline]
pub(crate) fn wake_running(task: NonNull<Header>) -> bool {
    with_base(|base| match base {
        Some(base) if base.task == Some(&task) => match base.woken {
            Some(woken) => {
                woken.set(true);
                true
            }
            None => false,
        },
        _ => false,
    })
}

/// The kind of the code that runs; none outside of frames.
pub(super) fn kind() -> Option<Kind> {
    with_base(|base| base.map(|base| base.kind))
}

/// Whether a cancel is in force where the code that runs right now is.
#[inline]
pub(crate) fn is_cancelled() -> bool {
    with_frame(|frame| frame.is_some_and(|frame| frame.cancelled.get()))
}

/// Whether a cancel was asked for, in force or waiting for an uncancellable region.
pub(crate) fn is_requested() -> bool {
    with_frame(|frame| frame.is_some_and(Frame::requested))
}

/// Whether what is being dropped is so because a grace period is over.
pub(crate) fn is_cut() -> bool {
    with_base(|base| base.is_some_and(|base| base.cut))
}

/// Whether a scope around the current one is due at `now` by its own deadline.
///
/// Only those whose cancel would be in force here.
pub(crate) fn is_outer_due(now: Instant) -> bool {
    with_frame(|frame| {
        let mut next = frame;
        while let Some(frame) = next {
            if frame.deadline.is_some_and(|deadline| deadline <= now) {
                return true;
            }
            next = (frame.wall == Wall::None).then(|| frame.outer()).flatten();
        }
        false
    })
}

/// The earliest deadline of the scopes here, through no wall; of a cancelled scope it has passed.
pub(crate) fn effective_deadline() -> Option<Instant> {
    with_frame(|frame| {
        let (mut next, mut earliest) = (frame, None::<Instant>);
        while let Some(frame) = next {
            earliest = match (earliest, frame.deadline) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            next = (frame.wall == Wall::None).then(|| frame.outer()).flatten();
        }
        earliest
    })
}

/// Lends the node of the innermost scope to `add`, which adds something to it, and ties it to those around
/// it: afterwards, since a node in which there is nothing is untied, perhaps by another thread. None
/// outside of frames.
pub(crate) fn add_here<T>(add: impl FnOnce(Arc<Node>) -> T) -> Option<T> {
    with_frame(|frame| {
        let frame = frame?.scope()?;
        let node = frame.node();
        let added = add(Arc::clone(&node));
        tie_up(frame, node);
        Some(added)
    })
}

/// Ties `node`, that of `frame`, to those around it, as far as it is not.
fn tie_up(frame: &Frame<'_>, mut node: Arc<Node>) {
    let mut next = frame.outer_scope();
    while let Some(outer) = next {
        let above = outer.node();
        if !node.tie(&above) {
            return;
        }
        (next, node) = (outer.outer_scope(), above);
    }
}

/// Ties the node of a scope that is about to be polled to the scope around it, if it is not and has
/// to be: its future may have been moved.
pub(crate) fn tie_here(node: &Arc<Node>) {
    with_frame(|frame| {
        let Some(frame) = frame.and_then(Frame::scope) else {
            return node.untie();
        };
        let is_tied = |parent: &_| frame.is_of(parent) || fault("moved_scope_stays_tied");
        if node.wants_tie() && !node.is_tied_to(is_tied) {
            let above = frame.node();
            node.tie(&above);
            tie_up(frame, above);
        }
    });
}

/// Whether `node` is that of the innermost scope.
pub(crate) fn is_here(node: &Arc<Node>) -> bool {
    with_frame(|frame| {
        frame
            .and_then(Frame::scope)
            .is_some_and(|frame| frame.is_of(node))
    })
}

/// Puts a cancel of the scope for which `is_it` holds in force, if this thread is inside of it.
fn mark(is_it: impl Fn(&Frame<'_>) -> bool) {
    with_frame(|frame| {
        let (mut next, mut from) = (frame, frame);
        while let Some(frame) = next {
            if is_it(frame) {
                let mut inner = from;
                while let Some(marked) = inner {
                    marked.cancelled.set(true);
                    if ptr::eq(marked, frame) {
                        return;
                    }
                    inner = marked.outer();
                }
                return;
            }
            next = frame.outer();
            if frame.wall != Wall::None {
                // What is behind the wall does not see cancels from here outwards.
                from = next;
            }
        }
    });
}

/// Puts a cancel of the scope of `node` in force, if this thread is inside of it.
pub(crate) fn mark_scope(node: &Arc<Node>) {
    mark(|frame| frame.is_of(node));
}

/// Puts a cancel of the task in force, if this thread is inside of its poll.
pub(crate) fn mark_task(header: NonNull<Header>) {
    mark(|frame| matches!(frame.slot, Slot::Task(task) if *task == header));
}
