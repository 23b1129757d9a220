//! A future that is not to be cut: [`uncancellable`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::context::{self, Node, Wall};

/// Runs `future` to its end although its scope is cancelled; the cancel waits for it.
///
/// The value is delivered, and the cancel takes effect where the code after it suspends next: what
/// stands before the next await still runs, and if there is no such await, the scope gives its value,
/// although it is late. Inside,
/// [`cancel_requested`](crate::cancel::cancel_requested) tells that somebody waits, and awaiting
/// [`cancelled`](crate::cancel::cancelled) lets code finish early by itself.
/// In a scope that is cancelled already it does not begin.
/// (Kotlin's `NonCancellable`; a region of the awaiting task, unlike
/// [`shield`](crate::task::shield), which makes a task.)
///
/// # Cancel safety
///
/// Dropping it drops `future`: that is the hard way, and nothing protects from it.
///
/// # Panics
///
/// With the panic of `future`; when polled after it was ready.
///
/// # Examples
///
/// ```
/// use kumi_core::cleanup::uncancellable;
/// use kumi_core::combine::timeout;
/// use kumi_core::runtime::{Clock, Runtime};
/// use std::{cell::Cell, time::Duration};
///
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// sim.block_on(async {
///     let (committed, after) = (Cell::new(false), Cell::new(false));
///     let pay = async {
///         uncancellable(async {
///             rt.sleep(Duration::from_secs(5)).await;
///             committed.set(true);
///         })
///         .await;
///         rt.sleep(Duration::from_secs(5)).await;
///         after.set(true);
///     };
///     assert!(timeout(&rt, Duration::from_secs(1), pay).await.is_err());
///     assert!(committed.get() && !after.get());
/// });
/// ```
pub fn uncancellable<F: Future>(future: F) -> Uncancellable<F> {
    Uncancellable {
        future: Some(future),
        node: None,
    }
}

pin_project! {
    /// The future of [`uncancellable`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Uncancellable<F> {
        #[pin]
        future: Option<F>,
        // There from the first poll to the end.
        node: Option<Arc<Node>>,
    }

    impl<F> PinnedDrop for Uncancellable<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let node = this.node.take();
            context::drop_then(|| this.future.set(None), || node.iter().for_each(Node::end));
        }
    }
}

impl<F: Future> Future for Uncancellable<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut();
        let future = future.expect("`uncancellable` was polled after it was ready");
        match this.node {
            Some(node) => node.register(cx.waker()),
            None if context::is_cancelled() => return Poll::Pending,
            None => {
                let node = Arc::new(Node::region(Wall::Defer));
                context::tie_here(&node);
                *this.node = Some(node);
            }
        }
        let poll = || future.poll(cx);
        let (poll, _) = context::enter_scope(this.node, Wall::Defer, false, None, poll);
        let value = ready!(poll);
        this.future.set(None);
        if let Some(node) = this.node.take() {
            let panic = node.take_panic();
            node.end();
            if let Some(panic) = panic {
                std::panic::resume_unwind(panic);
            }
        }
        Poll::Ready(value)
    }
}

impl<F> fmt::Debug for Uncancellable<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uncancellable")
            .field("begun", &self.node.is_some())
            .finish_non_exhaustive()
    }
}
