//! The least that can run tasks: a queue of boxes, polled in turn until the awaited future is ready.
//!
//! Nobody can be woken, so whoever is pending is polled again in the next turn. That is enough for tasks that
//! are ready or yield, and is what any executor does for them and more.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{Host, TOKIO, Who};

type Queue = RefCell<VecDeque<Pin<Box<dyn Future<Output = ()>>>>>;

/// A queue of boxes.
pub(crate) struct Floor(Rc<Queue>);

impl Floor {
    pub(crate) fn new() -> Self {
        Self(Rc::default())
    }
}

impl Host for Floor {
    type Handle = Rc<Queue>;
    type Join<T: Send + 'static> = Rc<Cell<Option<T>>>;

    fn who(&self) -> Who {
        Who {
            name: "floor: a queue of boxes",
            base: TOKIO,
            one_thread: true,
            woken_from_elsewhere: false,
        }
    }

    fn handle(&self) -> Rc<Queue> {
        Rc::clone(&self.0)
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let mut cx = Context::from_waker(Waker::noop());
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            // Those that are there at the beginning of the turn.
            let turn = self.0.borrow().len();
            for _ in 0..turn {
                let Some(mut task) = self.0.borrow_mut().pop_front() else {
                    break;
                };
                if task.as_mut().poll(&mut cx).is_pending() {
                    self.0.borrow_mut().push_back(task);
                }
            }
        }
    }

    fn spawn<F>(queue: &Rc<Queue>, future: F) -> Rc<Cell<Option<F::Output>>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let join = Rc::new(Cell::new(None));
        let output = Rc::clone(&join);
        queue.borrow_mut().push_back(Box::pin(async move {
            output.set(Some(future.await));
        }));
        join
    }

    fn join<T: Send + 'static>(join: Rc<Cell<Option<T>>>) -> impl Future<Output = T> {
        poll_fn(move |_| join.take().map_or(Poll::Pending, Poll::Ready))
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }
}
