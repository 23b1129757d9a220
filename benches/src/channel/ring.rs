//! The floor: a ring for the tasks of one thread that does only what is unavoidable.
//!
//! Nobody who waits may go, nobody is told who was first, and nothing can be closed but by the last sender.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::{Ends, Shape};

struct Ring {
    values: VecDeque<u64>,
    capacity: usize,
    senders: usize,
    puts: VecDeque<Waker>,
    gets: VecDeque<Waker>,
}

pub(super) struct Tx(Rc<RefCell<Ring>>);

pub(super) struct Rx(Rc<RefCell<Ring>>);

impl Drop for Tx {
    fn drop(&mut self) {
        let mut ring = self.0.borrow_mut();
        ring.senders -= 1;
        if ring.senders == 0 {
            ring.gets.drain(..).for_each(Waker::wake);
        }
    }
}

pub(super) fn make(capacity: usize, shape: Shape) -> Ends<Tx, Rx> {
    let ring = Rc::new(RefCell::new(Ring {
        values: VecDeque::with_capacity(capacity),
        capacity,
        senders: shape.senders,
        puts: VecDeque::new(),
        gets: VecDeque::new(),
    }));
    let senders = (0..shape.senders).map(|_| Tx(Rc::clone(&ring))).collect();
    let receivers = (0..shape.receivers).map(|_| Rx(Rc::clone(&ring))).collect();
    (senders, receivers)
}

/// A ring cannot be without a receiver.
#[derive(Debug)]
pub(super) enum Never {}

impl Tx {
    pub(super) fn send(&self, value: u64) -> impl Future<Output = Result<(), Never>> {
        poll_fn(move |cx| {
            let mut ring = self.0.borrow_mut();
            if ring.values.len() == ring.capacity {
                ring.puts.push_back(cx.waker().clone());
                return Poll::Pending;
            }
            ring.values.push_back(value);
            if let Some(waker) = ring.gets.pop_front() {
                waker.wake();
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl Rx {
    pub(super) fn recv(&self) -> impl Future<Output = Option<u64>> {
        poll_fn(|cx| {
            let mut ring = self.0.borrow_mut();
            let Some(value) = ring.values.pop_front() else {
                if ring.senders == 0 {
                    return Poll::Ready(None);
                }
                ring.gets.push_back(cx.waker().clone());
                return Poll::Pending;
            };
            if let Some(waker) = ring.puts.pop_front() {
                waker.wake();
            }
            Poll::Ready(Some(value))
        })
    }
}
