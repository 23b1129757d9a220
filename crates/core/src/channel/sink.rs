//! A sender as a sink.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use super::error::SendError;
use super::sender::Sender;
use super::shared::Key;
use super::sharing::{Sharing, Threads};
use super::state::State;
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, noted};

/// A [`Sender`] as a [`Sink`], of [`Sender::into_sink`].
///
/// Being ready is a place that it keeps; dropping it gives the place to the next sender. What was sent
/// is with the receivers, so there is nothing to flush. Closing it drops the sender.
pub struct SendSink<T, S: Sharing = Threads> {
    sender: Option<Sender<T, S>>,
    key: Key,
    ready: bool,
}

impl<T, S: Sharing> SendSink<T, S> {
    pub(super) fn new(sender: Sender<T, S>) -> Self {
        Self {
            sender: Some(sender),
            key: None,
            ready: false,
        }
    }

    /// Gives up its place, or its place in the line.
    fn clear(&mut self) {
        let Some(sender) = &self.sender else { return };
        sender.channel.values.leave(&mut self.key);
        if std::mem::take(&mut self.ready) {
            sender.channel.values.change(State::give_up);
        }
    }
}

impl<T, S: Sharing> Sink<T> for SendSink<T, S> {
    type Error = SendError<()>;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError<()>>> {
        ready!(poll_checkpoint(cx));
        let Self { sender, key, ready } = &mut *self;
        if *ready {
            return Poll::Ready(Ok(()));
        }
        let Some(sender) = sender else {
            return Poll::Ready(Err(SendError(())));
        };
        let reserved = sender.channel.values.poll_reserve(key, cx);
        let reserved = ready!(noted(reserved, || WaitsFor::Other("a place in a channel")));
        *ready = reserved.is_ok();
        Poll::Ready(reserved)
    }

    /// # Panics
    ///
    /// If it was not ready.
    fn start_send(mut self: Pin<&mut Self>, value: T) -> Result<(), SendError<()>> {
        let was_ready = std::mem::take(&mut self.ready);
        assert!(was_ready, "`start_send` before `poll_ready` was ready");
        let Some(sender) = &self.sender else {
            return Err(SendError(()));
        };
        let values = &sender.channel.values;
        let sent = values.change(|state, wakes| state.commit(value, wakes));
        sent.map_err(|value| {
            drop(value);
            SendError(())
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<(), SendError<()>>> {
        self.clear();
        self.sender = None;
        Poll::Ready(Ok(()))
    }
}

// The value is never pinned.
impl<T, S: Sharing> Unpin for SendSink<T, S> {}

impl<T, S: Sharing> Drop for SendSink<T, S> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T, S: Sharing> fmt::Debug for SendSink<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendSink").finish_non_exhaustive()
    }
}
