//! Acquire, use, release: [`bracket`].

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use super::output::CleanUpOutput;
use super::region::{After, CleanUp, Place, Region, report_error};
use crate::context;
use crate::loom::Mutex;
use crate::runtime::AnyRuntime;
use crate::task::spawn_clean_up;

pub(super) type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Acquires something, uses it, and releases it, however the use ends.
///
/// (`async with` of Python, `bracket` of Haskell.) `acquire` is an ordinary future: it can be
/// cancelled while it waits. Once it has returned, nothing can come between it and the release: after
/// `use_it` has returned, panicked or was cancelled, `release` gets what was acquired, runs shielded,
/// and is waited for.
///
/// `release` and what it gets are `Send` and own what they need, so that they can go to the runtime if
/// this future is dropped. If it fails, the error is [reported](crate::report).
///
/// # Cancel safety
///
/// When this future is dropped from outside (by a foreign `select!`, by the abort of its task), the
/// runtime runs the release as a task of its own that cannot be cancelled, and the end of the run
/// waits for it. Nothing is lost.
///
/// # Panics
///
/// When polled outside of any runtime, before it acquires anything; with the panic of `use_it`, after
/// the release; with that of `release`.
///
/// # Examples
///
/// ```
/// use kumi_core::cleanup::bracket;
/// use kumi_core::runtime::Runtime;
///
/// struct Session;
/// impl Session {
///     async fn open() -> Self { Self }
///     async fn query(&mut self) -> u32 { 42 }
///     async fn close(self) { println!("closed") }
/// }
///
/// let sim = kumi_sim::Sim::new();
/// let answer = sim.block_on(bracket(
///     Session::open(),
///     async |session: &mut Session| session.query().await,
///     Session::close,
/// ));
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn bracket<A, U, T, R, C>(acquire: A, use_it: U, release: R) -> impl Future<Output = T>
where
    A: Future<Output: Send + 'static>,
    U: AsyncFnOnce(&mut A::Output) -> T,
    R: FnOnce(A::Output) -> C + Send + 'static,
    C: Future<Output: CleanUpOutput> + Send + 'static,
{
    let place = Place {
        name: "bracket",
        location: Location::caller(),
    };
    async move {
        let runtime = runtime_here("bracket");
        let acquired = acquire.await;
        // From here to the first poll of the region nothing waits, so nothing can come between.
        let slot = Arc::new(Mutex::new(None));
        let mut owner = Owner {
            acquired: Some(acquired),
            slot: Arc::clone(&slot),
        };
        let body = async move { use_it(owner.get()).await };
        let release = Release {
            slot,
            release: Some(release),
            runtime,
        };
        Region::new(body, release, place).await
    }
}

/// The runtime that takes over a clean-up whose region is dropped.
#[track_caller]
pub(super) fn runtime_here(what: &str) -> AnyRuntime {
    let runtime = context::with_current(|ambient| ambient.map(|found| found.to_any_runtime()));
    runtime.unwrap_or_else(|| {
        panic!(
            "`{what}` was used outside of any Kumi runtime, where nobody could run its release if \
             it were dropped: use it inside `kumi::run`, a task, or `Runtime::block_on`"
        )
    })
}

/// Holds what was acquired while it is used; puts it into the slot when the use has ended, however.
struct Owner<T> {
    acquired: Option<T>,
    slot: Arc<Mutex<Option<T>>>,
}

impl<T> Owner<T> {
    fn get(&mut self) -> &mut T {
        self.acquired
            .as_mut()
            .expect("it is here until this is dropped")
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        *self.slot.lock() = self.acquired.take();
    }
}

/// The release, and whom to hand it to.
struct Release<T, R> {
    slot: Arc<Mutex<Option<T>>>,
    release: Option<R>,
    runtime: AnyRuntime,
}

impl<T, R, C> CleanUp for Release<T, R>
where
    T: Send + 'static,
    R: FnOnce(T) -> C + Send + 'static,
    C: Future<Output: CleanUpOutput> + Send + 'static,
{
    type Future = BoxFuture;

    fn begin(&mut self, _: After) -> Option<BoxFuture> {
        let acquired = self.slot.lock().take()?;
        let release = self.release.take()?;
        Some(Box::pin(async move {
            if let Some(message) = release(acquired).await.into_error() {
                report_error(message);
            }
        }))
    }

    fn lost(&mut self, region: &Place) {
        if let Some(release) = self.begin(After::Cancel) {
            spawn_clean_up(&self.runtime, region.name, region.location, release);
        }
    }

    fn cut(&mut self, mut running: Pin<&mut Option<BoxFuture>>, region: &Place) {
        if context::is_cut() {
            region.report_lost(true);
        } else if let Some(release) = running.take() {
            spawn_clean_up(&self.runtime, region.name, region.location, release);
        }
    }
}
