//! Places that are kept for values that do not exist yet.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Channel;
use super::error::SendError;
use super::shared::Key;
use super::sharing::{Sharing, Threads};
use super::state::State;
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, noted};

/// A place in a channel, of [`Sender::reserve`](super::Sender::reserve).
///
/// Dropping it gives the place to the next sender. One that is forgotten (`mem::forget`) takes the
/// place with it until the last sender is gone.
#[must_use = "dropping it gives the place back: use it with `send`"]
pub struct Permit<'a, T, S: Sharing = Threads> {
    channel: &'a Channel<T, S>,
    used: bool,
}

impl<'a, T, S: Sharing> Permit<'a, T, S> {
    pub(super) fn new(channel: &'a Channel<T, S>) -> Self {
        Self {
            channel,
            used: false,
        }
    }

    /// Sends `value`, at once. It can be sent and received although the channel was closed meanwhile.
    ///
    /// # Errors
    ///
    /// The value, if all receivers are gone.
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        self.used = true;
        let values = &self.channel.values;
        let sent = values.change(|state, wakes| state.commit(value, wakes));
        sent.map_err(SendError)
    }
}

impl<T, S: Sharing> Drop for Permit<'_, T, S> {
    fn drop(&mut self) {
        if !self.used {
            self.channel.values.change(State::give_up);
        }
    }
}

impl<T, S: Sharing> fmt::Debug for Permit<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// The future of [`Sender::reserve`](super::Sender::reserve).
#[must_use = "futures do nothing unless polled"]
pub struct Reserve<'a, T, S: Sharing = Threads> {
    channel: &'a Channel<T, S>,
    key: Key,
}

impl<'a, T, S: Sharing> Reserve<'a, T, S> {
    pub(super) fn new(channel: &'a Channel<T, S>) -> Self {
        Self { channel, key: None }
    }
}

impl<'a, T, S: Sharing> Future for Reserve<'a, T, S> {
    type Output = Result<Permit<'a, T, S>, SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(poll_checkpoint(cx));
        let channel = self.channel;
        let reserved = channel.values.poll_reserve(&mut self.key, cx);
        let reserved = ready!(noted(reserved, || WaitsFor::Other("a place in a channel")));
        Poll::Ready(reserved.map(|()| Permit::new(channel)))
    }
}

impl<T, S: Sharing> Drop for Reserve<'_, T, S> {
    fn drop(&mut self) {
        self.channel.values.leave(&mut self.key);
    }
}

impl<T, S: Sharing> fmt::Debug for Reserve<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").finish_non_exhaustive()
    }
}
