//! A program of sends, receives and drops, beside the model.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use kumi_core::channel::{
    Permit, Receiver, Recv, Reserve, SendFuture, Sender, Sharing, TryRecvError, TrySendError,
};

use super::model::{Model, Served};

/// A value; its drops are counted.
#[derive(Debug)]
pub(crate) struct Token {
    id: usize,
    drops: Rc<RefCell<Vec<u32>>>,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.drops.borrow_mut()[self.id] += 1;
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

enum Future_<'a, S: Sharing> {
    Send(SendFuture<'a, Token, S>),
    Reserve(Reserve<'a, Token, S>),
    Recv(Recv<'a, Token, S>),
}

/// An operation that waits.
struct Live<'a, S: Sharing> {
    future: Future_<'a, S>,
    wakes: Arc<Wakes>,
}

struct Run<'a, S: Sharing> {
    choose: &'a mut dyn FnMut(usize) -> usize,
    sender: &'a Sender<Token, S>,
    receiver: &'a Receiver<Token, S>,
    model: Model,
    live: BTreeMap<usize, Live<'a, S>>,
    permits: Vec<Permit<'a, Token, S>>,
    drops: Rc<RefCell<Vec<u32>>>,
    operations: usize,
}

impl<'a, S: Sharing> Run<'a, S> {
    fn token(&mut self) -> Token {
        let mut drops = self.drops.borrow_mut();
        drops.push(0);
        Token {
            id: drops.len() - 1,
            drops: Rc::clone(&self.drops),
        }
    }

    /// Whether the value is gone.
    fn is_dropped(&self, id: usize) -> bool {
        self.drops.borrow()[id] == 1
    }

    fn begin(&mut self, future: Future_<'a, S>) {
        let operation = self.operations;
        self.operations += 1;
        let wakes = Arc::default();
        self.live.insert(operation, Live { future, wakes });
        self.poll(operation);
    }

    /// Polls, and compares what comes of it; with a fresh waker now and then.
    fn poll(&mut self, operation: usize) {
        let fresh = (self.choose)(4) == 0;
        let live = self.live.get_mut(&operation).expect("it waits");
        if fresh && live.wakes.0.load(Ordering::Relaxed) == 0 {
            live.wakes = Arc::default();
        }
        let waker = Waker::from(Arc::clone(&live.wakes));
        let cx = &mut Context::from_waker(&waker);
        let expected = self.model.served(operation);
        let is_over = match &mut live.future {
            Future_::Send(send) => match (Pin::new(send).poll(cx), expected) {
                (Poll::Pending, None) => false,
                (Poll::Ready(Ok(())), Some(Served::Sent)) => true,
                (Poll::Ready(Err(error)), Some(Served::Refused(id))) => {
                    assert_eq!(error.into_inner().id, id);
                    true
                }
                other => panic!("a send: {other:?}"),
            },
            Future_::Reserve(reserve) => match (Pin::new(reserve).poll(cx), expected) {
                (Poll::Pending, None) => false,
                (Poll::Ready(Ok(permit)), Some(Served::Reserved)) => {
                    self.permits.push(permit);
                    true
                }
                (Poll::Ready(Err(_)), Some(Served::Ended)) => true,
                other => panic!("a reserve: {other:?}"),
            },
            Future_::Recv(recv) => match (Pin::new(recv).poll(cx), expected) {
                (Poll::Pending, None) => false,
                (Poll::Ready(Ok(value)), Some(Served::Got(_, id))) => {
                    assert_eq!(value.id, id);
                    true
                }
                (Poll::Ready(Err(_)), Some(Served::Ended)) => true,
                other => panic!("a recv: {other:?}"),
            },
        };
        if is_over {
            self.model.finish(operation);
            self.live.remove(&operation);
        }
    }

    fn some_live(&mut self) -> Option<usize> {
        let count = self.live.len().max(1);
        let place = (self.choose)(count);
        self.live.keys().nth(place).copied()
    }

    fn step(&mut self) {
        match (self.choose)(16) {
            0..=2 => {
                let token = self.token();
                self.model.put(self.operations, Some(token.id));
                self.begin(Future_::Send(self.sender.send(token)));
            }
            3..=5 => {
                self.model.get(self.operations);
                self.begin(Future_::Recv(self.receiver.recv()));
            }
            6 => {
                self.model.put(self.operations, None);
                self.begin(Future_::Reserve(self.sender.reserve()));
            }
            7..=9 => {
                if let Some(operation) = self.some_live() {
                    self.poll(operation);
                }
            }
            10 | 11 => {
                if let Some(operation) = self.some_live() {
                    let dropped = self.model.leave(operation);
                    self.live.remove(&operation);
                    assert!(dropped.is_none_or(|id| self.is_dropped(id)));
                }
            }
            12 => self.try_send(),
            13 => {
                let seen = self.receiver.try_recv();
                match (self.model.try_get(), seen) {
                    (Some(id), Ok(value)) => assert_eq!(value.id, id),
                    (None, Err(TryRecvError::Empty)) => assert!(!self.model.is_over()),
                    (None, Err(TryRecvError::Closed)) => assert!(self.model.is_over()),
                    other => panic!("a try_recv: {other:?}"),
                }
            }
            14 => {
                if let Some(permit) = self.permits.pop() {
                    let token = self.token();
                    match (self.choose)(2) {
                        0 => {
                            self.model.commit(token.id);
                            permit.send(token).expect("there is a receiver");
                        }
                        _ => {
                            self.model.give_up();
                            drop(permit);
                        }
                    }
                }
            }
            _ => {
                if (self.choose)(40) == 0 {
                    assert_eq!(self.sender.close(), self.model.close());
                }
            }
        }
    }

    fn try_send(&mut self) {
        let token = self.token();
        let id = token.id;
        match (self.model.try_put(id), self.sender.try_send(token)) {
            (true, Ok(())) => {}
            (false, Err(TrySendError::Full(value))) => {
                assert!(!self.model.is_closed());
                assert_eq!(value.id, id);
            }
            (false, Err(TrySendError::Closed(value))) => {
                assert!(self.model.is_closed());
                assert_eq!(value.id, id);
            }
            other => panic!("a try_send: {other:?}"),
        }
    }

    /// Whoever was served is woken, once; nobody else is.
    fn check(&self) {
        assert_eq!(self.sender.len(), self.model.len());
        assert_eq!(self.sender.is_full(), !self.model.has_room());
        for (operation, live) in &self.live {
            let woken = live.wakes.0.load(Ordering::Relaxed);
            let served = usize::from(self.model.served(*operation).is_some());
            let served_as = self.model.served(*operation);
            assert_eq!(woken, served, "operation {operation}: {served_as:?}");
        }
    }
}

pub(crate) type Ends<S> = (Sender<Token, S>, Receiver<Token, S>);

/// So many steps of a program, of which `choose` says which: a number below the one that it is given.
pub(crate) fn program<S: Sharing>(
    bounded: fn(usize) -> Ends<S>,
    choose: &mut dyn FnMut(usize) -> usize,
    steps: usize,
) {
    let capacity = [0, 1, 2, 3, 7][choose(5)];
    let drops = Rc::default();
    let (sender, receiver) = bounded(capacity);
    let mut run = Run {
        choose,
        sender: &sender,
        receiver: &receiver,
        model: Model::new(capacity),
        live: BTreeMap::new(),
        permits: Vec::new(),
        drops: Rc::clone(&drops),
        operations: 0,
    };
    for _ in 0..steps {
        run.step();
        run.check();
    }
    let ends_first = (run.choose)(2) == 0;
    drop(run);
    if ends_first {
        drop(sender);
        drop(receiver);
    } else {
        drop(receiver);
        // At once, although there is a sender.
        assert!(drops.borrow().iter().all(|count| *count == 1));
        assert!(sender.is_closed() && sender.is_empty());
    }
    assert!(drops.borrow().iter().all(|count| *count == 1));
}
