//! How cancellation works here, for those who know asyncio and for those who know tokio.
//!
//! # In short
//!
//! Rust cancels a future by dropping it: at once, and its clean-up cannot await. That is the *hard*
//! way, and everything here is safe under it. On top of it Kumi has the *soft* way: a cancel is a
//! request to a *scope* (a task, a [`CancelScope`](crate::CancelScope), a timeout, a group). The scope
//! is polled once more with that knowledge; a value wins. Otherwise the clean-ups alive inside it
//! run, from the inside out, each to its end; then the code is dropped, and the scope says that it
//! was cancelled. It works on every backend, and through foreign combinators.
//!
//! # If you know asyncio
//!
//! | asyncio | here | the difference |
//! |---|---|---|
//! | `task.cancel()` | [`JoinHandle::cancel`](crate::JoinHandle::cancel) | cannot be swallowed: code after the await that was cancelled never runs |
//! | `try: ... finally: await f()` | [`finally`](crate::finally) | the clean-up is shielded from the cancel |
//! | `except CancelledError: await f(); raise` | [`on_cancel`](crate::on_cancel) | |
//! | `async with a as x: ...` | [`bracket`](crate::bracket) | the release runs even if the future is dropped |
//! | `AsyncExitStack` | [`ExitStack`](crate::ExitStack) | |
//! | `asyncio.timeout` | [`timeout`](crate::timeout), or a [`CancelScope`](crate::CancelScope) with a deadline | nested and due together: only the outer one reports |
//! | `asyncio.shield` | [`shield`](crate::shield) | can be awaited again; errors are reported once |
//! | (none) | [`uncancellable`](crate::uncancellable) | protects the code that awaits, not only what is awaited |
//! | `TaskGroup` | [`task_group`](crate::task_group) | first error typed; background children, `start`, limit, supervisor, `cancel` |
//! | `task.uncancel()`, `cancelling()` | (none) | not needed: a scope knows whether it was meant |
//! | `contextvars` | [`task_local!`](crate::task_local) | |
//!
//! # If you know tokio
//!
//! | tokio | here | the difference |
//! |---|---|---|
//! | dropping a future | the same | `bracket` and `ExitStack` hand their release to the runtime then |
//! | `JoinHandle::abort` | [`JoinHandle::cancel`](crate::JoinHandle::cancel) | async clean-up runs first; dropping the handle cancels, `detach()` lets go |
//! | `tokio::time::timeout` | [`timeout`](crate::timeout) | returns after the clean-ups inside have ended |
//! | `CancellationToken` | [`CancelScope`](crate::CancelScope), [`cancelled`](crate::cancelled), [`cancel_requested`](crate::cancel_requested) | found by itself, nothing to pass around |
//! | `JoinSet` | [`task_group`](crate::task_group) | leaves only when every child has ended |
//! | `tokio::select!` | works | the branches it drops are dropped the hard way |
//!
//! # Clean-up runs, and is awaited
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # kumi::run_on(kumi::BackendKind::Sim, async {
//! use std::{cell::Cell, future::pending, time::Duration};
//!
//! let closed = Cell::new(false);
//! let work = kumi::finally(pending::<()>(), async {
//!     kumi::sleep(Duration::from_millis(50)).await; // it may await
//!     closed.set(true);
//! });
//! let limited = kumi::timeout(Duration::from_millis(10), work).await;
//! assert!(limited.is_err());
//! assert!(closed.get(), "the timeout has waited for it");
//! # });
//! ```
//!
//! # The value wins
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # kumi::run_on(kumi::BackendKind::Sim, async {
//! let task = kumi::spawn(async {
//!     kumi::cancelled().await; // somebody wants us to end
//!     "what I have so far"
//! });
//! kumi::yield_now().await;
//! assert_eq!(task.cancel_and_join().await.unwrap(), "what I have so far");
//! # });
//! ```
//!
//! # Nothing runs after a cancelled await
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # kumi::run_on(kumi::BackendKind::Sim, async {
//! let scope = kumi::CancelScope::new();
//! let handle = scope.handle();
//! let outcome = scope.run(async {
//!     handle.cancel_with("no longer needed");
//!     kumi::checkpoint().await;
//!     unreachable!("there is nothing to catch, and nothing to forget to re-raise");
//! });
//! assert_eq!(outcome.await.unwrap_err().to_string(), "cancelled: no longer needed");
//! # });
//! ```
//!
//! # Who reports
//!
//! Of two nested limits that are due together the outer one reports, and the code between does not
//! run. If only the inner one is due, its code goes on.
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # kumi::run_on(kumi::BackendKind::Sim, async {
//! use std::{future::pending, time::Duration};
//! const SECOND: Duration = Duration::from_secs(1);
//!
//! let both = kumi::timeout(SECOND, async {
//!     let _ = kumi::timeout(SECOND, pending::<()>()).await;
//!     unreachable!();
//! });
//! assert!(both.await.is_err());
//!
//! let inner = kumi::timeout(SECOND * 2, async {
//!     let quick = kumi::timeout(SECOND, pending::<&str>()).await;
//!     quick.unwrap_or("a default")
//! });
//! assert_eq!(inner.await, Ok("a default"));
//! # });
//! ```
//!
//! # What must not be cut
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # kumi::run_on(kumi::BackendKind::Sim, async {
//! use std::{cell::Cell, time::Duration};
//!
//! let (committed, mailed) = (Cell::new(false), Cell::new(false));
//! let order = async {
//!     kumi::uncancellable(async {
//!         kumi::sleep(Duration::from_secs(3)).await;
//!         committed.set(true);
//!     })
//!     .await;
//!     kumi::sleep(Duration::from_secs(1)).await; // the cancel takes effect here
//!     mailed.set(true);
//! };
//! assert!(kumi::timeout(Duration::from_secs(1), order).await.is_err());
//! assert!(committed.get() && !mailed.get());
//! # });
//! ```
//!
//! # Through foreign combinators
//!
//! A request finds the clean-ups wherever they are: here in two branches of a foreign `join`. So does
//! one that comes through `FuturesUnordered`, `tokio::join!` or a combinator of your own.
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # kumi::run_on(kumi::BackendKind::Sim, async {
//! use std::{cell::Cell, future::{Future, pending, poll_fn}, pin::pin, task::Poll, time::Duration};
//!
//! /// Any combinator, written by somebody who has never heard of Kumi.
//! async fn join(a: impl Future, b: impl Future) {
//!     let (mut a, mut b) = (pin!(a), pin!(b));
//!     poll_fn(|cx| match (a.as_mut().poll(cx), b.as_mut().poll(cx)) {
//!         (Poll::Ready(_), Poll::Ready(_)) => Poll::Ready(()),
//!         _ => Poll::Pending,
//!     })
//!     .await;
//! }
//!
//! let cleaned = Cell::new(0);
//! let branch = || kumi::finally(pending::<()>(), async {
//!     kumi::sleep(Duration::from_millis(5)).await;
//!     cleaned.set(cleaned.get() + 1);
//! });
//! let _ = kumi::timeout(Duration::from_secs(1), join(branch(), branch())).await;
//! assert_eq!(cleaned.get(), 2);
//! # });
//! ```
//!
//! # A future that is dropped
//!
//! A foreign `select!` drops what it does not need. A release that owns what it needs survives that:
//! the runtime runs it, and the end of the run waits for it.
//!
//! ```
//! # #[cfg(feature = "sim")] {
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//!
//! let journal = Arc::new(Mutex::new(Vec::new()));
//! let log = Arc::clone(&journal);
//! kumi::run_on(kumi::BackendKind::Sim, async move {
//!     let mut session = Box::pin(kumi::bracket(
//!         async { "session" },
//!         async |_session: &mut &str| std::future::pending::<()>().await,
//!         |session| async move {
//!             kumi::sleep(Duration::from_secs(1)).await;
//!             log.lock().unwrap().push(format!("{session} closed"));
//!         },
//!     ));
//!     assert!(kumi::timeout(Duration::ZERO, std::future::poll_fn(|cx| session.as_mut().poll(cx))).await.is_err());
//!     drop(session);
//! });
//! assert_eq!(*journal.lock().unwrap(), ["session closed"]);
//! # }
//! # use std::future::Future;
//! ```
//!
//! # Groups
//!
//! Nothing that a group started outlives it.
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # kumi::run_on(kumi::BackendKind::Sim, async {
//! use std::{future::pending, time::Duration};
//!
//! let failed = kumi::task_group(async |group| {
//!     group.spawn(async {
//!         kumi::finally(pending::<()>(), async { /* runs when the sibling fails */ }).await;
//!         Ok(())
//!     });
//!     group.spawn(async {
//!         kumi::sleep(Duration::from_millis(1)).await;
//!         Err::<(), _>("disk full")
//!     });
//!     Ok(())
//! });
//! let error = failed.await.unwrap_err();
//! assert_eq!(error.into_vec(), ["disk full"]);
//! # });
//! ```
//!
//! # What it cannot do
//!
//! - Code that never awaits cannot be cancelled. Kumi's own operations share a budget, so that a loop
//!   over something that is always ready gives way, and is cancelled there.
//! - While clean-ups run, plain code *beside* them in the same scope can still be polled by the
//!   combinator that holds both; it gets no further than the next operation of Kumi's.
//! - A `finally` that borrows cannot run when its future is dropped from outside: that is
//!   [reported](crate::report). Use [`bracket`](crate::bracket) where that may happen.
//! - A clean-up that never ends holds up the scope that was cancelled. Give the scope a
//!   [grace period](crate::CancelScope::grace); a run has one of ten seconds.
