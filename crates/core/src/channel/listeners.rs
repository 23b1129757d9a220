//! Who waits for a change: in no order, since all of them are woken.

use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::shared::{Key, clone};
use super::wakes::Wakes;
use crate::loom::{Lock, fault};
use crate::util::drop_foreign;

/// Those who wait; one that was woken stays, without its waker, until it leaves.
pub(super) struct Listeners(Slab<Option<Waker>>);

impl Listeners {
    pub(super) const fn new() -> Self {
        Self(Slab::new())
    }

    /// Takes all wakers, to be woken once the lock is free.
    pub(super) fn tell(&mut self, wakes: &mut Wakes) {
        for (_, waker) in &mut self.0 {
            wakes.add(waker.take());
        }
    }

    fn knows(&self, key: Key, waker: &Waker) -> bool {
        let known = key.and_then(|key| self.0[key].as_ref());
        known.is_some_and(|known| known.will_wake(waker))
    }

    /// Waits with `waker`; gives back the one that it had.
    fn wait(&mut self, key: &mut Key, waker: Waker) -> Option<Waker> {
        match *key {
            Some(key) => self.0[key].replace(waker),
            None => {
                *key = Some(self.0.insert(Some(waker)));
                None
            }
        }
    }
}

/// Changes a state, and then wakes whom `f` has [told](Listeners::tell) of it.
pub(super) fn change<S, R>(state: &Lock<S>, f: impl FnOnce(&mut S, &mut Wakes) -> R) -> R {
    let mut wakes = Wakes::default();
    let result = state.with(|state| f(state, &mut wakes));
    wakes.wake();
    result
}

/// What `look` finds, or waits with those `listeners` for a change; `key` is to [`leave`] in the end.
pub(super) fn poll_look<S, R>(
    state: &Lock<S>,
    listeners: fn(&mut S) -> &mut Listeners,
    key: &mut Key,
    cx: &Context<'_>,
    mut look: impl FnMut(&mut S) -> Option<R>,
) -> Poll<R> {
    let (found, known) = state.with(|state| {
        let found = look(state);
        let known = found.is_none() && listeners(state).knows(*key, cx.waker());
        (found, known)
    });
    match found {
        Some(found) => return Poll::Ready(found),
        None if known => return Poll::Pending,
        None => {}
    }
    // The waker is cloned while the lock is free, so things may have changed.
    let waker = clone(cx);
    let (found, old) = state.with(|state| {
        let found = match fault("a_listener_waits_without_a_second_look") {
            true => None,
            false => look(state),
        };
        match found {
            Some(found) => (Poll::Ready(found), Some(waker)),
            None => (Poll::Pending, listeners(state).wait(key, waker)),
        }
    });
    drop_foreign(old);
    found
}

/// Waits no more, if it did.
#[inline]
pub(super) fn leave<S>(state: &Lock<S>, listeners: fn(&mut S) -> &mut Listeners, key: &mut Key) {
    if let Some(key) = key.take() {
        let waker = state.with(|state| listeners(state).0.remove(key));
        drop_foreign(waker);
    }
}
