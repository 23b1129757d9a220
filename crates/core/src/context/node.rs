//! The nodes of scopes: made only when a region, a listener or a cancel handle needs one.
//!
//! # What ends what
//!
//! A *scope* is anything that can be cancelled: a task, a [`CancelScope`], a timeout, a group. A
//! *region* is a scope that has to end before the scopes around it may drop it, because it has a
//! clean-up to run, or is not to be cut. The future of a scope owns its node. A node is *tied* to the
//! node of the scope around it while something below it counts: a region that is alive, somebody
//! who listens. So a cancel finds everyone below, and a scope knows whether somebody is alive in it.
//! The future unties its node when it ends or is dropped; two nodes that are tied keep each other, so
//! a future that is forgotten leaks its nodes, and nothing more.
//!
//! # PROTOCOL
//!
//! Whether a cancel is in force is decided in each poll, from the outside in, by the frames. The
//! tree of nodes serves two things only: to wake those who have to look, and to count those who
//! are alive.
//!
//! - Whoever cancels writes the request first, and then walks the tree and wakes. Whoever enters adds
//!   itself under the lock of its parent, and then looks at the frames. So one of the two sees the
//!   other. A scope that finds itself cancelled in a poll walks once more ([`Node::unwind`]): it
//!   catches those whom a walk has missed.
//! - No two locks are held at the same time, and no waker is woken, cloned or dropped under one.
//! - `live` of a node counts the regions below it: its region children, and its other children whose
//!   own count is above zero. Regions may end on any thread, and only the thread that polls a scope
//!   ties something below it. So a region may be counted off before it was counted, and the count be
//!   below zero, but only while that thread is at it, and not while it looks.
//! - A scope goes from the one around it when nothing is left that ties it and the count is zero: whoever
//!   counts off is to find the way up.
//! - Nothing that has ended is tied: the end sees a tie that came first, and a tie the end.
//!
//! [`CancelScope`]: crate::cancel::CancelScope

use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::time::Instant;

use slab::Slab;

use super::frame;
use super::panics::report_panic;
use super::reason::CancelReason;
use crate::loom::{AtomicBool, Mutex, Ordering, assert_unlocked, fault};
use crate::runtime::Task;
use crate::util::{drop_foreign, wake_contained};

/// What stands between a scope and those around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wall {
    /// Nothing: cancels from outside are in force inside.
    None,
    /// Cancels from outside wait until the scope has ended; inside one can ask for them.
    Defer,
    /// Cancels from outside are not seen inside.
    Hide,
}

/// Somebody whom a cancel of the scope concerns.
#[derive(Debug)]
enum Child {
    /// A scope inside.
    Scope(Arc<Node>),
    /// Somebody who waits for the cancel, until woken.
    Listener(Option<Waker>),
}

impl Child {
    /// It is out of its place; a listener's waker is foreign code.
    fn leave(self) {
        if let Self::Listener(waker) = self {
            drop_foreign(waker);
        }
    }
}

/// The tasks that belong to a scope: those of a group.
pub(crate) trait Members: Send + Sync {
    /// Adds those that are alive to `list`.
    fn list(&self, list: &mut Vec<Task>);

    /// Where the group was made, unless each of its tasks says it.
    fn location(&self) -> Option<&'static Location<'static>> {
        None
    }
}

/// Where a group was made, and its tasks that are alive.
pub(crate) type Group = (Option<&'static Location<'static>>, Vec<Task>);

/// The shared record of a scope.
pub(crate) struct Node {
    /// A cancel of this very scope was asked for.
    requested: AtomicBool,
    /// A cancel from above, or of this scope, has come by: what is added now is concerned.
    told: AtomicBool,
    /// Everybody below was woken because of a cancel.
    unwinding: AtomicBool,
    /// Something in `inner` wants the scope's attention besides a request: its deadline has moved.
    moved: AtomicBool,
    /// The group whose scope it is.
    members: OnceLock<Weak<dyn Members>>,
    inner: Mutex<Inner>,
}

struct Inner {
    wall: Wall,
    /// Counted in its parent for its own sake.
    region: bool,
    /// The scope has ended: requests come too late.
    ended: bool,
    live: isize,
    children: Slab<Child>,
    /// The node around, and the place there.
    parent: Option<(Arc<Node>, usize)>,
    /// Who polls the scope.
    waker: Option<Waker>,
    reason: Option<CancelReason>,
    deadline: Option<Instant>,
    /// A panic of a clean-up that ran because of a cancel: it goes on where the cancel ends.
    panic: Option<Box<dyn Any + Send>>,
}

impl Node {
    /// The node of a scope.
    pub(crate) fn new(wall: Wall) -> Self {
        Self::with(wall, false)
    }

    /// The node of a region; not tied yet.
    pub(crate) fn region(wall: Wall) -> Self {
        Self::with(wall, true)
    }

    fn with(wall: Wall, region: bool) -> Self {
        Self {
            requested: AtomicBool::new(false),
            told: AtomicBool::new(false),
            unwinding: AtomicBool::new(false),
            moved: AtomicBool::new(false),
            members: OnceLock::new(),
            inner: Mutex::new(Inner {
                wall,
                region,
                ended: false,
                live: 0,
                children: Slab::new(),
                parent: None,
                waker: None,
                reason: None,
                deadline: None,
                panic: None,
            }),
        }
    }

    /// Whether a cancel of this very scope was asked for.
    #[inline]
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Whether a cancel concerns the scope, its own or one from above that has come by.
    pub(crate) fn is_told(&self) -> bool {
        self.is_requested() || self.told.load(Ordering::Acquire)
    }

    /// Whether the scope has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.inner.lock().ended
    }

    /// Returns why the scope was cancelled, if it was.
    pub(crate) fn reason(&self) -> Option<CancelReason> {
        self.inner.lock().reason.clone()
    }

    /// Stores who polls the scope; to be called before each look at the request.
    pub(crate) fn register(&self, waker: &Waker) {
        let same = |old: &Option<Waker>| old.as_ref().is_some_and(|old| old.will_wake(waker));
        if same(&self.inner.lock().waker) {
            return;
        }
        assert_unlocked();
        let fresh = Some(waker.clone());
        let old = std::mem::replace(&mut self.inner.lock().waker, fresh);
        drop_foreign(old);
    }

    /// Asks the scope to end; true if this was the first request and the scope is alive.
    ///
    /// Wakes everybody whom it concerns, and is in force at once on a thread that is inside.
    pub(crate) fn request(self: &Arc<Self>, reason: CancelReason) -> bool {
        if fault("walk_before_the_request") {
            self.walk();
        }
        {
            let mut inner = self.inner.lock();
            if inner.ended {
                return false;
            }
            if self.is_requested() && !fault("every_request_is_the_first") {
                return false;
            }
            inner.reason = Some(reason);
            self.requested.store(true, Ordering::Release);
        }
        frame::mark_scope(self);
        if !fault("request_wakes_nobody") && !fault("walk_before_the_request") {
            self.walk();
        }
        true
    }

    /// The scope is due by its deadline, which is a request as well; the scope itself says so.
    pub(crate) fn expire(&self) {
        let mut inner = self.inner.lock();
        if !self.is_requested() {
            inner.reason = Some(CancelReason::Deadline);
            self.requested.store(true, Ordering::Release);
        }
    }

    /// Wakes everybody below, if that was not done before. True if it was done now and there is
    /// somebody: then the body is to be polled once more, so that they can act on it.
    ///
    /// For the scope that finds itself cancelled.
    pub(crate) fn unwind(self: &Arc<Self>) -> bool {
        let first = !self.unwinding.swap(true, Ordering::AcqRel);
        if first {
            self.walk();
        }
        first && (self.members.get().is_some() || !self.inner.lock().children.is_empty())
    }

    /// Wakes the scope and everybody below whom a cancel of it concerns, and asks the tasks of its
    /// groups to end.
    ///
    /// A waker is taken out of its place; whoever is polled puts it back.
    pub(crate) fn walk(self: &Arc<Self>) {
        let mut wakers = Vec::new();
        // A node, and whether only those below it who listen are concerned.
        let mut next = vec![(Arc::clone(self), false)];
        while let Some((node, mut listeners)) = next.pop() {
            {
                let mut inner = node.inner.lock();
                if !Arc::ptr_eq(&node, self) {
                    match inner.wall {
                        Wall::None => {}
                        Wall::Defer => listeners = true,
                        Wall::Hide => continue,
                    }
                }
                if !listeners {
                    node.told.store(true, Ordering::Release);
                }
                wakers.extend(inner.waker.take());
                for (_, child) in &mut inner.children {
                    match child {
                        Child::Scope(scope) => next.push((Arc::clone(scope), listeners)),
                        Child::Listener(waker) => wakers.extend(waker.take()),
                    }
                }
            }
            let members = node.members.get().filter(|_| !listeners);
            let mut tasks = Vec::new();
            if let Some(group) = members.and_then(Weak::upgrade) {
                group.list(&mut tasks);
            }
            for task in tasks {
                if task.request() {
                    next.extend(task.scope().map(|scope| (scope, false)));
                }
            }
        }
        wake_contained(wakers);
    }

    /// Says whether a region is alive below.
    pub(crate) fn has_live(&self) -> bool {
        self.inner.lock().live > 0
    }

    /// The same, for a scope that has not registered who polls it; that one is woken by the last region.
    pub(crate) fn waits_for_live(&self, waker: &Waker) -> bool {
        if !self.has_live() {
            return false;
        }
        if fault("task_waits_without_a_waker") {
            return true;
        }
        self.register(waker);
        self.has_live()
    }

    /// What stands around the scope.
    pub(crate) fn wall(&self) -> Wall {
        self.inner.lock().wall
    }

    /// The groups in the scope: where each was made, and its tasks that are alive.
    pub(crate) fn groups(self: &Arc<Self>) -> Vec<Group> {
        let mut groups = Vec::new();
        let mut next = vec![Arc::clone(self)];
        while let Some(node) = next.pop() {
            for (_, child) in &node.inner.lock().children {
                if let Child::Scope(scope) = child {
                    next.push(Arc::clone(scope));
                }
            }
            if let Some(group) = node.members.get().and_then(Weak::upgrade) {
                let mut tasks = Vec::new();
                group.list(&mut tasks);
                groups.push((group.location(), tasks));
            }
        }
        groups
    }

    /// Says what stands around the scope from now on.
    pub(crate) fn set_wall(&self, wall: Wall) {
        self.inner.lock().wall = wall;
    }

    /// Raises or lowers the wall of a scope that is a region only as long as it has one.
    pub(crate) fn set_shield(self: &Arc<Self>, shield: bool) {
        let (parent, change) = {
            let mut inner = self.inner.lock();
            if inner.ended || inner.region == shield {
                return;
            }
            inner.wall = if shield { Wall::Hide } else { Wall::None };
            let before = inner.counts();
            inner.region = shield;
            // Under the same lock: a region that begins or ends now counts what it finds after this.
            let change = match (before, inner.counts()) {
                (false, true) => 1,
                (true, false) => -1,
                _ => 0,
            };
            let parent = inner.parent.as_ref().map(|(parent, _)| Arc::clone(parent));
            (parent, change)
        };
        if let (Some(parent), true) = (parent, change != 0) {
            parent.add_live(change);
        }
        // What was hidden may be in force now: the scope has to look.
        if fault("lowered_shield_wakes_nobody") {
            return;
        }
        let waker = self.inner.lock().waker.take();
        wake_contained(waker);
    }

    /// Keeps a panic of a clean-up for whoever ends the cancel; a second one is reported.
    pub(crate) fn keep_panic(&self, panic: Box<dyn Any + Send>) {
        let lost = {
            let mut inner = self.inner.lock();
            match &inner.panic {
                None => {
                    inner.panic = Some(panic);
                    None
                }
                Some(_) => Some(panic),
            }
        };
        if let Some(panic) = lost {
            report_panic(panic);
        }
    }

    /// Takes the panic of a clean-up, if there was one.
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.inner.lock().panic.take()
    }

    /// Moves the deadline; false if it is too late.
    pub(crate) fn move_deadline(&self, deadline: Option<Instant>) -> bool {
        let waker = {
            let mut inner = self.inner.lock();
            if inner.ended || self.is_requested() {
                return false;
            }
            inner.deadline = deadline;
            self.moved.store(true, Ordering::Release);
            inner.waker.take()
        };
        wake_contained(waker);
        true
    }

    /// The deadline, if it was moved since the last look.
    pub(crate) fn take_deadline(&self) -> Option<Option<Instant>> {
        let early = fault("deadline_read_before_its_mark").then(|| self.inner.lock().deadline);
        // First the mark, then the deadline: a move in between is seen now, and once more.
        let moved = self.moved.load(Ordering::Relaxed) && self.moved.swap(false, Ordering::AcqRel);
        moved.then(|| early.unwrap_or_else(|| self.inner.lock().deadline))
    }

    // ===== the tree =====

    /// Says whose scope it is.
    pub(crate) fn set_members(&self, members: Weak<dyn Members>) {
        let first = self.members.set(members);
        debug_assert!(first.is_ok(), "a scope is that of one group");
    }

    /// Adds somebody who waits for the cancel; the place is for `remove` and `listen`.
    pub(crate) fn add_listener(&self, waker: &Waker) -> usize {
        assert_unlocked();
        let fresh = Child::Listener(Some(waker.clone()));
        self.inner.lock().children.insert(fresh)
    }

    /// Replaces the waker of a listener.
    pub(crate) fn listen(&self, place: usize, waker: &Waker) {
        assert_unlocked();
        let fresh = Child::Listener(Some(waker.clone()));
        let old = std::mem::replace(&mut self.inner.lock().children[place], fresh);
        old.leave();
    }

    /// Takes away what was added.
    pub(crate) fn remove(self: &Arc<Self>, place: usize) {
        let child = self.inner.lock().children.remove(place);
        child.leave();
        self.untie_if_idle();
    }

    /// Unties a scope in which nothing is left that counts.
    fn untie_if_idle(self: &Arc<Self>) {
        let parent = {
            let mut inner = self.inner.lock();
            let idle =
                !inner.wants_tie() && (inner.live == 0 || fault("scope_goes_before_the_count"));
            idle.then(|| inner.parent.take()).flatten()
        };
        if let Some((parent, place)) = parent {
            parent.remove_scope(place, false);
        }
    }

    /// Whether the node is tied to `parent`.
    pub(crate) fn is_tied_to(&self, is_parent: impl FnOnce(&Arc<Self>) -> bool) -> bool {
        let parent = self
            .inner
            .lock()
            .parent
            .as_ref()
            .map(|(parent, _)| Arc::clone(parent));
        parent.is_some_and(|parent| is_parent(&parent))
    }

    /// Whether the node has to be tied to the one around it.
    pub(crate) fn wants_tie(&self) -> bool {
        let inner = self.inner.lock();
        !inner.ended && inner.wants_tie()
    }

    /// Ties the node to `parent`, and no longer to another; false if it was tied to it already, or has
    /// ended.
    pub(crate) fn tie(self: &Arc<Self>, parent: &Arc<Self>) -> bool {
        if self.is_tied_to(|old| Arc::ptr_eq(old, parent)) {
            return false;
        }
        self.untie();
        let place = {
            let child = Child::Scope(Arc::clone(self));
            parent.inner.lock().children.insert(child)
        };
        let (ended, counts) = {
            let mut inner = self.inner.lock();
            let ended = inner.ended && !fault("what_has_ended_is_tied");
            if !ended {
                inner.parent = Some((Arc::clone(parent), place));
            }
            (ended, inner.counts())
        };
        if ended {
            parent.remove_scope(place, false);
            return false;
        }
        if counts {
            parent.add_live(1);
        }
        true
    }

    /// Unties the node: what is below it concerns nobody above any more.
    pub(crate) fn untie(self: &Arc<Self>) {
        let (parent, counts) = {
            let mut inner = self.inner.lock();
            (inner.parent.take(), inner.counts())
        };
        if let Some((parent, place)) = parent {
            parent.remove_scope(place, counts);
        }
    }

    /// The scope has ended, or its future is gone: requests are too late, nothing is tied. A panic
    /// that nobody took goes to the scope around, or is reported.
    pub(crate) fn end(self: &Arc<Self>) {
        let (panic, waker, above) = {
            let mut inner = self.inner.lock();
            inner.ended = !fault("end_leaves_no_mark");
            let above = inner.parent.as_ref().map(|(parent, _)| Arc::clone(parent));
            (inner.panic.take(), inner.waker.take(), above)
        };
        drop_foreign(waker);
        // Before it is untied: a scope around in which nothing else is left stays tied for the panic.
        match (panic, above) {
            (Some(panic), Some(above)) => above.keep_panic(panic),
            (Some(panic), None) => report_panic(panic),
            (None, _) => {}
        }
        self.untie();
    }

    fn remove_scope(self: &Arc<Self>, place: usize, counts: bool) {
        let child = self.inner.lock().children.remove(place);
        drop(child);
        if counts && !fault("ended_region_counts") {
            self.add_live(-1);
        }
        self.untie_if_idle();
    }

    /// Counts a region more or less, here and, as far as it shows, above.
    fn add_live(self: &Arc<Self>, change: isize) {
        let mut node = Arc::clone(self);
        loop {
            let (parent, waker) = {
                let mut inner = node.inner.lock();
                let before = inner.counts();
                inner.live += change;
                let gone = inner.live == 0 && change < 0;
                // Whoever waits for the last one may not be around it on the stack.
                let wanted = gone && node.unwinding.load(Ordering::Relaxed);
                let wanted = wanted && !fault("last_region_wakes_nobody");
                let waker = wanted.then(|| inner.waker.take()).flatten();
                let changed = before != inner.counts();
                let parent = inner.parent.as_ref().map(|(parent, _)| Arc::clone(parent));
                (changed.then_some(parent).flatten(), waker)
            };
            wake_contained(waker);
            match parent {
                Some(parent) => node = parent,
                None => return,
            }
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("requested", &self.is_requested())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Whether something is here that concerns the scopes around.
    fn wants_tie(&self) -> bool {
        self.region || !self.children.is_empty() || self.panic.is_some()
    }

    /// Whether the node counts as a live one in its parent.
    fn counts(&self) -> bool {
        self.region || self.live > 0
    }
}
