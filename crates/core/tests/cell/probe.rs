//! The future of the task, its output, and what it panics with.

use std::any::Any;
use std::future::Future;
use std::panic::{self, panic_any};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

/// What a poll does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Poll {
    /// Each is ready.
    #[default]
    Ready,
    /// The first is pending, the second ready.
    ReadySecond,
    /// Each is pending.
    Never,
    /// The first panics.
    Panic,
    /// The first is pending, the second panics.
    PanicSecond,
}

/// How a future behaves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kind {
    pub(crate) polls: Poll,
    /// The waker of a pending poll is kept; otherwise it is used for nothing.
    pub(crate) keeps_waker: bool,
    /// The destructor of the future panics.
    pub(crate) drop_panics: bool,
    /// The destructor of the output panics.
    pub(crate) output_panics: bool,
    /// The destructor of whatever they panic with panics.
    pub(crate) bombs: bool,
}

impl Kind {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let kind = |polls, drop_panics, output_panics, bombs| Self {
            polls,
            keeps_waker: true,
            drop_panics,
            output_panics,
            bombs,
        };
        [
            kind(Poll::Ready, false, false, false),
            kind(Poll::Ready, true, true, false),
            kind(Poll::Ready, true, true, true),
            kind(Poll::ReadySecond, false, false, false),
            kind(Poll::ReadySecond, true, false, true),
            kind(Poll::Never, false, false, false),
            kind(Poll::Never, true, false, true),
            kind(Poll::Panic, false, false, false),
            kind(Poll::Panic, true, false, true),
            kind(Poll::PanicSecond, true, false, false),
            Self {
                polls: Poll::Never,
                ..Self::default()
            },
            Self {
                polls: Poll::Never,
                drop_panics: true,
                bombs: true,
                ..Self::default()
            },
        ]
        .into_iter()
    }
}

/// What was made and dropped.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) polls: AtomicUsize,
    pub(crate) futures_dropped: AtomicUsize,
    pub(crate) outputs_made: AtomicUsize,
    pub(crate) outputs_dropped: AtomicUsize,
    /// The waker of the last pending poll, if the future keeps it.
    pub(crate) waker: Mutex<Option<Waker>>,
}

fn count(counter: &AtomicUsize) -> usize {
    counter.fetch_add(1, Ordering::Relaxed)
}

/// The text of every panic here.
const BANG: &str = "bang";

/// A payload whose destructor panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{BANG}");
    }
}

fn bang(kind: Kind) -> ! {
    match kind.bombs {
        true => panic_any(Bomb),
        false => panic!("{BANG}"),
    }
}

/// Whether this is what the task panicked with.
pub(crate) fn is_bang(payload: &(dyn Any + Send)) -> bool {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    payload.is::<Bomb>() || text == Some(BANG)
}

/// Prints no panic that is part of the test.
pub(crate) fn quiet() {
    use std::sync::Once;
    static SET: Once = Once::new();
    SET.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let expected = payload.is::<Bomb>()
                || payload.downcast_ref::<&str>() == Some(&BANG)
                || payload
                    .downcast_ref::<String>()
                    .is_some_and(|text| text == BANG);
            if !expected {
                others(info);
            }
        }));
    });
}

pub(crate) struct Probe {
    kind: Kind,
    counts: Arc<Counts>,
}

impl Probe {
    pub(crate) fn new(kind: Kind, counts: Arc<Counts>) -> Self {
        Self { kind, counts }
    }
}

impl Future for Probe {
    type Output = Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> std::task::Poll<Output> {
        let first = count(&self.counts.polls) == 0;
        match (self.kind.polls, first) {
            (Poll::Ready, _) | (Poll::ReadySecond, false) => {
                count(&self.counts.outputs_made);
                std::task::Poll::Ready(Output {
                    kind: self.kind,
                    counts: Arc::clone(&self.counts),
                })
            }
            (Poll::Panic, _) | (Poll::PanicSecond, false) => bang(self.kind),
            (Poll::Never, _) | (_, true) => {
                if self.kind.keeps_waker {
                    let old = self
                        .counts
                        .waker
                        .lock()
                        .unwrap()
                        .replace(cx.waker().clone());
                    drop(old);
                }
                std::task::Poll::Pending
            }
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        count(&self.counts.futures_dropped);
        if self.kind.drop_panics {
            bang(self.kind);
        }
    }
}

pub(crate) struct Output {
    kind: Kind,
    counts: Arc<Counts>,
}

impl Drop for Output {
    fn drop(&mut self) {
        count(&self.counts.outputs_dropped);
        if self.kind.output_panics {
            bang(self.kind);
        }
    }
}
