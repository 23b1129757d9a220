//! Why a task gave no value.

use std::any::Any;
use std::fmt;

use crate::loom::Mutex;
use crate::runtime::TaskInfo;
use crate::util::panic_message;

/// A task ended without a value: it was cancelled, or it panicked.
///
/// Says which task, by number, name and place.
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::Runtime;
/// use kumi_core::task::SpawnExt;
///
/// let sim = kumi_sim::Sim::new();
/// let error = sim.block_on(async {
///     let task = sim.spawn(std::future::pending::<()>());
///     task.cancel();
///     task.await.unwrap_err()
/// });
/// assert!(error.is_cancelled());
/// ```
pub struct JoinError(
    // Thin, because it lies in the place of every value that a task gives.
    Box<Inner>,
);

struct Inner {
    task: TaskInfo,
    // The lock only makes the payload `Sync`; it is never contended.
    panic: Option<Mutex<Box<dyn Any + Send>>>,
}

impl JoinError {
    pub(crate) fn cancelled(task: TaskInfo) -> Self {
        Self(Box::new(Inner { task, panic: None }))
    }

    pub(crate) fn panicked(task: TaskInfo, payload: Box<dyn Any + Send>) -> Self {
        let panic = Some(Mutex::new(payload));
        Self(Box::new(Inner { task, panic }))
    }

    /// Whether the task was cancelled, or its runtime was shut down.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.panic.is_none()
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.0.panic.is_some()
    }

    /// Returns what the task panicked with, to be passed on with
    /// [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Errors
    ///
    /// The error itself, if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        if self.is_cancelled() {
            return Err(self);
        }
        let payload = self
            .0
            .panic
            .expect("it is there: the task was not cancelled");
        Ok(payload.into_inner())
    }

    /// Returns what the task panicked with.
    ///
    /// # Panics
    ///
    /// If the task did not panic: ask [`is_panic`](Self::is_panic) first, or use
    /// [`try_into_panic`](Self::try_into_panic).
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("`into_panic` on an error that is no panic: {error}"),
        }
    }

    /// Goes on with the task's panic in this thread, if it panicked; otherwise returns the error.
    #[must_use = "it was no panic: the task was cancelled"]
    pub fn resume_panic(self) -> Self {
        match self.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            Err(error) => error,
        }
    }

    /// Returns which task it was.
    #[must_use]
    pub fn task(&self) -> &TaskInfo {
        &self.0.task
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.panic {
            None => write!(f, "{} was cancelled", self.0.task),
            Some(payload) => {
                let payload = payload.lock();
                write!(f, "{} panicked: {}", self.0.task, panic_message(&**payload))
            }
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

/// `Interrupted` for a cancelled task, `Other` for a panic, with this error inside.
impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        let kind = match error.is_cancelled() {
            true => std::io::ErrorKind::Interrupted,
            false => std::io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
