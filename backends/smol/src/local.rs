//! Local tasks: one executor per thread and runtime, driven beside the future of `block_on`.
//!
//! It is made by the first `spawn_local`, so a `block_on` without local tasks pays one look at a cell
//! per poll.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_executor::LocalExecutor;
use kumi_core::runtime::LocalJob;
use pin_project_lite::pin_project;

/// The local tasks of one runtime on one thread.
#[derive(Default)]
pub(crate) struct Local {
    executor: OnceCell<LocalExecutor<'static>>,
    /// The waker of `block_on`, to be woken when the executor is made.
    driver: RefCell<Option<Waker>>,
}

thread_local! {
    /// The executors of this thread, by the number of their runtime.
    static LOCALS: RefCell<Vec<(u64, Rc<Local>)>> = const { RefCell::new(Vec::new()) };
}

/// The local tasks of runtime `id` on this thread, made if there are none.
fn get_or_make(id: u64) -> Rc<Local> {
    if let Some(local) = get(id) {
        return local;
    }
    let local = Rc::new(Local::default());
    LOCALS.with(|locals| locals.borrow_mut().push((id, Rc::clone(&local))));
    local
}

/// The local tasks of runtime `id` on this thread.
pub(crate) fn get(id: u64) -> Option<Rc<Local>> {
    LOCALS.with(|locals| {
        let locals = locals.borrow();
        locals
            .iter()
            .find(|(number, _)| *number == id)
            .map(|(_, local)| Rc::clone(local))
    })
}

/// Drops the local tasks of runtime `id` on this thread.
pub(crate) fn remove(id: u64) {
    let local = LOCALS.try_with(|locals| {
        let mut locals = locals.borrow_mut();
        let place = locals.iter().position(|(number, _)| *number == id)?;
        Some(locals.swap_remove(place))
    });
    // Destructors of tasks are foreign code: outside of the borrow.
    drop(local);
}

impl Local {
    pub(crate) fn spawn(&self, job: LocalJob) {
        let made = self.executor.get().is_none();
        self.executor
            .get_or_init(LocalExecutor::new)
            .spawn(job)
            .detach();
        if made {
            let driver = self.driver.take();
            if let Some(driver) = driver {
                driver.wake();
            }
        }
    }
}

/// Drives the local tasks of runtime `id` beside `future`.
pub(crate) fn beside<F: Future>(id: u64, future: F) -> Beside<F> {
    Beside {
        future,
        local: get_or_make(id),
        ticks: None,
    }
}

type Ticks = Pin<Box<dyn Future<Output = ()>>>;

pin_project! {
    /// The future of [`beside`].
    pub(crate) struct Beside<F> {
        #[pin]
        future: F,
        local: Rc<Local>,
        // Runs the local tasks, once there are any.
        ticks: Option<Ticks>,
    }
}

impl<F: Future> Future for Beside<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.local.executor.get().is_none() {
            this.local.driver.replace(Some(cx.waker().clone()));
        }
        if let Poll::Ready(value) = this.future.poll(cx) {
            return Poll::Ready(value);
        }
        if this.ticks.is_none() && this.local.executor.get().is_some() {
            let local = Rc::clone(this.local);
            *this.ticks = Some(Box::pin(async move {
                let executor = local.executor.get().expect("it was there");
                executor.run(std::future::pending()).await
            }));
        }
        if let Some(ticks) = this.ticks {
            // `run` of a future that is never ready is never ready.
            let _ = ticks.as_mut().poll(cx);
        }
        Poll::Pending
    }
}

/// A lock that nobody holds while foreign code runs; poison means nothing then.
pub(crate) fn lock<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
