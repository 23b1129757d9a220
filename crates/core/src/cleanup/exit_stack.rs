//! Releases that are collected while code goes on: [`ExitStack`].

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::bracket::runtime_here;
use super::region::{After, CleanUp, Place, Region, report_error};
use crate::context::{self, report_panic};
use crate::loom::Mutex;
use crate::runtime::AnyRuntime;
use crate::task::spawn_clean_up;

type BoxError = Box<dyn Error + Send + Sync>;
type Exit = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A stack of releases, run in the opposite order when it is left (Python's `AsyncExitStack`).
///
/// [`run`](Self::run) runs a body with a stack as a region: however the body ends, all releases run,
/// shielded, each to its end. The value is a handle; clones push onto the same stack.
///
/// # Examples
///
/// ```
/// use kumi_core::cleanup::ExitStack;
/// use kumi_core::runtime::Runtime;
///
/// let sim = kumi_sim::Sim::new();
/// let sum = sim.block_on(ExitStack::run(async |stack| {
///     let mut sum = 0;
///     for number in [1, 2, 3] {
///         stack.push(async move {
///             println!("closing {number}"); // 3, then 2, then 1
///             Ok(())
///         });
///         sum += number;
///     }
///     sum
/// }));
/// assert_eq!(sum.unwrap(), 6);
/// ```
#[derive(Clone)]
pub struct ExitStack {
    shared: Arc<Shared>,
}

struct Shared {
    exits: Mutex<Vec<Exit>>,
    /// Who takes over what is left; known from the first push on.
    runtime: Mutex<Option<AnyRuntime>>,
    location: &'static Location<'static>,
}

impl Default for ExitStack {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl ExitStack {
    /// An empty stack, to be closed by [`close`](Self::close).
    ///
    /// When the last handle is dropped first, what is on the stack goes to the runtime.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                exits: Mutex::new(Vec::new()),
                runtime: Mutex::new(None),
                location: Location::caller(),
            }),
        }
    }

    /// Adds a release; it is polled only when the stack is left.
    ///
    /// # Panics
    ///
    /// Outside of any runtime: nobody could run the release if the stack were dropped.
    #[track_caller]
    pub fn push<F>(&self, release: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let known = self.shared.runtime.lock().is_some();
        if !known {
            *self.shared.runtime.lock() = Some(runtime_here("ExitStack::push"));
        }
        self.shared.exits.lock().push(Box::pin(release));
    }

    /// Adds a release that does not wait for anything.
    ///
    /// # Panics
    ///
    /// As [`push`](Self::push).
    #[track_caller]
    pub fn push_fn(&self, release: impl FnOnce() + Send + 'static) {
        self.push(async move {
            release();
            Ok(())
        });
    }

    /// Returns how many releases are on the stack.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.exits.lock().len()
    }

    /// Whether nothing is on the stack.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves everything to a stack of its own; nothing runs when this one is left.
    #[must_use = "dropping the new stack makes the runtime run what is on it"]
    pub fn pop_all(&self) -> Self {
        let exits = std::mem::take(&mut *self.shared.exits.lock());
        let runtime = self.shared.runtime.lock().clone();
        Self {
            shared: Arc::new(Shared {
                exits: Mutex::new(exits),
                runtime: Mutex::new(runtime),
                location: self.shared.location,
            }),
        }
    }

    /// Runs everything on the stack, last first, each to its end, although one fails or panics.
    ///
    /// # Cancel safety
    ///
    /// A cancel waits for it. When it is dropped, what has not ended goes to the runtime.
    ///
    /// # Errors
    ///
    /// All errors of the releases, in the order in which they came.
    ///
    /// # Panics
    ///
    /// With the first panic of a release, after the others have run.
    pub async fn close(self) -> Result<(), ExitErrors> {
        let errors = Arc::new(Mutex::new(Vec::new()));
        let unwind = Unwind::new(&self, Arc::clone(&errors));
        let place = self.place();
        Region::new(async {}, unwind, place).await;
        let errors = std::mem::take(&mut *errors.lock());
        match errors.is_empty() {
            true => Ok(()),
            false => Err(ExitErrors { errors }),
        }
    }

    /// Runs `body` with a new stack, and leaves the stack however `body` ends.
    ///
    /// # Cancel safety
    ///
    /// A cancel unwinds the stack before the scope resolves; the errors of the releases are then
    /// [reported](crate::report). When this is dropped from outside, the runtime runs what is on the
    /// stack, as a task that cannot be cancelled, and the end of the run waits for it.
    ///
    /// # Errors
    ///
    /// [`ExitFailed`] if a release failed; it has the value of `body`, and all errors.
    ///
    /// # Panics
    ///
    /// With the panic of `body`, or the first one of a release, after all have run.
    #[track_caller]
    pub fn run<B, F>(
        body: B,
    ) -> impl Future<Output = Result<F::Output, ExitFailed<F::Output>>> + use<B, F>
    where
        B: FnOnce(Self) -> F,
        F: Future,
    {
        let stack = Self::new();
        async move {
            let errors = Arc::new(Mutex::new(Vec::new()));
            let unwind = Unwind::new(&stack, Arc::clone(&errors));
            let place = stack.place();
            let value = Region::new(body(stack), unwind, place).await;
            let errors = std::mem::take(&mut *errors.lock());
            match errors.is_empty() {
                true => Ok(value),
                false => Err(ExitFailed {
                    value,
                    errors: ExitErrors { errors },
                }),
            }
        }
    }

    fn place(&self) -> Place {
        Place {
            name: "ExitStack",
            location: self.shared.location,
        }
    }
}

impl fmt::Debug for ExitStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExitStack")
            .field("len", &self.len())
            .finish()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let exits = std::mem::take(&mut *self.exits.lock());
        let runtime = self.runtime.lock().take();
        if let (false, Some(runtime)) = (exits.is_empty(), runtime) {
            spawn_clean_up(
                &runtime,
                "ExitStack",
                self.location,
                RunAll::reporting(exits),
            );
        }
    }
}

/// The clean-up of a stack's region.
struct Unwind {
    shared: Arc<Shared>,
    errors: Arc<Mutex<Vec<BoxError>>>,
}

impl Unwind {
    fn new(stack: &ExitStack, errors: Arc<Mutex<Vec<BoxError>>>) -> Self {
        Self {
            shared: Arc::clone(&stack.shared),
            errors,
        }
    }

    fn take(&self, report: bool) -> RunAll {
        RunAll {
            exits: std::mem::take(&mut *self.shared.exits.lock()),
            errors: (!report).then(|| Arc::clone(&self.errors)),
            panic: Mutex::new(None),
        }
    }

    fn hand_over(&self, rest: RunAll, region: &Place) {
        let runtime = self.shared.runtime.lock().clone();
        if let (false, Some(runtime)) = (rest.exits.is_empty(), runtime) {
            spawn_clean_up(&runtime, region.name, region.location, rest);
        }
    }
}

impl CleanUp for Unwind {
    type Future = RunAll;

    fn begin(&mut self, after: After) -> Option<RunAll> {
        // Without a value nobody is given the errors.
        Some(self.take(after != After::Value))
    }

    fn lost(&mut self, region: &Place) {
        self.hand_over(self.take(true), region);
    }

    fn cut(&mut self, mut running: Pin<&mut Option<RunAll>>, region: &Place) {
        let Some(mut rest) = running.take() else {
            return;
        };
        rest.report_errors();
        if context::is_cut() {
            region.report_lost(true);
            // The one that ran is cut; those that had not begun still run.
            drop(rest.exits.pop());
        }
        self.hand_over(rest, region);
    }
}

/// Runs releases, last first, each to its end.
struct RunAll {
    exits: Vec<Exit>,
    /// Where errors go; reported if nowhere.
    errors: Option<Arc<Mutex<Vec<BoxError>>>>,
    /// The first panic. In a lock only so that regions are `Sync`.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl RunAll {
    fn reporting(exits: Vec<Exit>) -> Self {
        Self {
            exits,
            errors: None,
            panic: Mutex::new(None),
        }
    }

    /// The errors that came so far have nobody to go to any more, nor have those that come.
    fn report_errors(&mut self) {
        let errors = self.errors.take();
        for error in errors
            .iter()
            .flat_map(|errors| std::mem::take(&mut *errors.lock()))
        {
            report_error(error.to_string());
        }
    }

    fn panicked(&self, panic: Box<dyn Any + Send>) {
        let mut first = self.panic.lock();
        if first.is_none() {
            *first = Some(panic);
            return;
        }
        drop(first);
        report_panic(panic);
    }
}

impl Future for RunAll {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        while let Some(exit) = this.exits.last_mut() {
            match catch_unwind(AssertUnwindSafe(|| exit.as_mut().poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(()))) => {}
                Ok(Poll::Ready(Err(error))) => match &this.errors {
                    Some(errors) => errors.lock().push(error),
                    None => report_error(error.to_string()),
                },
                Err(panic) => this.panicked(panic),
            }
            let done = this.exits.pop();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(done))) {
                this.panicked(panic);
            }
        }
        let panic = this.panic.lock().take();
        match panic {
            Some(panic) => {
                this.report_errors();
                resume_unwind(panic)
            }
            None => Poll::Ready(()),
        }
    }
}

/// The errors of the releases of an [`ExitStack`], in the order in which they came.
#[derive(Debug)]
pub struct ExitErrors {
    errors: Vec<BoxError>,
}

impl ExitErrors {
    /// Returns the errors.
    #[must_use]
    pub fn into_vec(self) -> Vec<BoxError> {
        self.errors
    }

    /// Returns the errors, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &(dyn Error + Send + Sync + 'static)> {
        self.errors.iter().map(|error| &**error)
    }
}

impl fmt::Display for ExitErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("releases failed: ")?;
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl Error for ExitErrors {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let first = self.errors.first()?;
        Some(&**first)
    }
}

/// The body of an [`ExitStack`] returned, but releases failed.
#[derive(Debug)]
pub struct ExitFailed<T> {
    /// What the body returned.
    pub value: T,
    /// What the releases returned.
    pub errors: ExitErrors,
}

impl<T> fmt::Display for ExitFailed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.errors.fmt(f)
    }
}

impl<T: fmt::Debug> Error for ExitFailed<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.errors)
    }
}
