//! Channels between threads that lose patience: senders and receivers drop what they wait for, at random
//! moments, and each value is received once or given back.
//!
//! `KUMI_SOAK=50000000` sends so many messages instead of some thousands.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use fastrand::Rng;
use kumi_core::channel::{Receiver, Sender, bounded};

/// Wakes a thread, and remembers it.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// A thread that polls, and sometimes has no patience.
struct Patience {
    random: Rng,
    unpark: Arc<Unpark>,
}

impl Patience {
    fn new(seed: u64) -> Self {
        let (thread, woken) = (thread::current(), AtomicBool::new(false));
        Self {
            random: Rng::with_seed(seed),
            unpark: Arc::new(Unpark { thread, woken }),
        }
    }

    /// Waits for `future`, or for a few looks only: none then. It is up to the caller to drop it.
    fn wait<F: Future + Unpin>(&mut self, future: &mut F) -> Option<F::Output> {
        let waker = Waker::from(Arc::clone(&self.unpark));
        let looks = match self.random.u64(..8) {
            0 => self.random.u64(..4) + 1,
            _ => u64::MAX,
        };
        for look in 0.. {
            self.unpark.woken.store(false, Ordering::Relaxed);
            let poll = Pin::new(&mut *future).poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = poll {
                return Some(output);
            }
            if look >= looks {
                return None;
            }
            while looks == u64::MAX && !self.unpark.woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
        unreachable!("it looks for ever")
    }
}

/// A value that counts itself while it is there.
struct Token(u64, Arc<AtomicU64>);

impl Token {
    fn new(value: u64, alive: &Arc<AtomicU64>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(value, Arc::clone(alive))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What was sent for sure.
fn produce(sender: &Sender<Token>, seed: u64, count: u64, alive: &Arc<AtomicU64>) -> (u64, u64) {
    let mut patience = Patience::new(seed);
    let (mut sent, mut sum) = (0, 0);
    for value in 0..count {
        // A send that was dropped may have sent, so only these are counted exactly: permits, and sends
        // that are waited for.
        if patience.random.u64(..4) == 0 {
            let Some(permit) = patience.wait(&mut sender.reserve()) else {
                continue;
            };
            if patience.random.u64(..4) == 0 {
                drop(permit);
                continue;
            }
            let permit = permit.expect("it is open");
            permit.send(Token::new(value, alive)).expect("it is open");
        } else {
            let mut send = sender.send(Token::new(value, alive));
            let ended = loop {
                if let Some(ended) = patience.wait(&mut send) {
                    break ended;
                }
            };
            ended.expect("it is open");
        }
        sent += 1;
        sum += value;
    }
    (sent, sum)
}

fn consume(receiver: &Receiver<Token>, seed: u64) -> (u64, u64) {
    let mut patience = Patience::new(seed);
    let (mut received, mut sum) = (0, 0);
    loop {
        // Without patience it is dropped, and another one comes.
        match patience.wait(&mut receiver.recv()) {
            None => {}
            Some(Ok(token)) => {
                received += 1;
                sum += token.0;
            }
            Some(Err(_)) => return (received, sum),
        }
    }
}

fn add(all: Vec<thread::ScopedJoinHandle<'_, (u64, u64)>>) -> (u64, u64) {
    let ended = all
        .into_iter()
        .map(|thread| thread.join().expect("no panic"));
    ended.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

#[test]
fn nothing_is_lost_between_threads_without_patience() {
    let wanted = std::env::var("KUMI_SOAK").ok();
    let messages: u64 = wanted.map_or(24_000, |count| count.parse().expect("a number"));
    for (round, capacity) in [0, 1, 16, 1_024].into_iter().enumerate() {
        let alive = Arc::<AtomicU64>::default();
        let (sender, receiver) = bounded(capacity);
        let seed = 100 * round as u64;
        let (sent, received) = thread::scope(|s| {
            let producers: Vec<_> = (0..3)
                .map(|number| {
                    let (sender, alive) = (sender.clone(), Arc::clone(&alive));
                    s.spawn(move || produce(&sender, seed + number, messages / 12, &alive))
                })
                .collect();
            let consumers: Vec<_> = (3..6)
                .map(|number| {
                    let receiver = receiver.clone();
                    s.spawn(move || consume(&receiver, seed + number))
                })
                .collect();
            drop(sender);
            drop(receiver);
            (add(producers), add(consumers))
        });
        assert_eq!(received, sent, "capacity {capacity}");
        assert_eq!(alive.load(Ordering::Relaxed), 0, "capacity {capacity}");
    }
}

/// The receivers go while the senders send: each value is received, given back or dropped.
#[test]
fn receivers_go_while_senders_send() {
    for round in 0..300 {
        let alive = Arc::<AtomicU64>::default();
        let (sender, receiver) = bounded((round % 4) as usize);
        thread::scope(|s| {
            for number in 0..2 {
                let (sender, alive) = (sender.clone(), Arc::clone(&alive));
                s.spawn(move || {
                    let mut patience = Patience::new(round * 10 + number);
                    for value in 0.. {
                        let mut send = sender.send(Token::new(value, &alive));
                        if let Some(Err(error)) = patience.wait(&mut send) {
                            assert_eq!(error.into_inner().0, value);
                            return;
                        }
                    }
                });
            }
            let mut patience = Patience::new(round * 10 + 5);
            for _ in 0..round % 20 {
                drop(patience.wait(&mut receiver.recv()));
            }
            drop(receiver);
        });
        drop(sender);
        assert_eq!(alive.load(Ordering::Relaxed), 0, "round {round}");
    }
}
