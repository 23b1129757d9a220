//! An event loop from scratch: twenty lines, and then what makes a real one of them.
//!
//! This page is for reading. Each step is a program that runs; each has one fault, and the next step
//! mends it. At the end stands what each part has become in this crate, and where.
//!
//! # The seed: a queue of coroutines
//!
//! A future is a coroutine that somebody has to call again and again: [`Future::poll`] runs it to its next
//! `.await` that has to wait. So a loop that runs several of them beside each other is a queue:
//!
//! ```
//! use std::collections::VecDeque;
//! use std::future::Future;
//! use std::pin::Pin;
//! use std::task::{Context, Waker};
//!
//! type Coroutine = Pin<Box<dyn Future<Output = ()>>>;
//!
//! fn run_loop(mut queue: VecDeque<Coroutine>) {
//!     let mut cx = Context::from_waker(Waker::noop());
//!     while let Some(mut coroutine) = queue.pop_front() {
//!         if coroutine.as_mut().poll(&mut cx).is_pending() {
//!             queue.push_back(coroutine);
//!         }
//!     }
//! }
//!
//! # use kumi_core::combine::yield_now;
//! # use std::{cell::RefCell, rc::Rc};
//! let lines = Rc::new(RefCell::new(Vec::new()));
//! let count = |name: &'static str| -> Coroutine {
//!     let lines = Rc::clone(&lines);
//!     Box::pin(async move {
//!         for number in 1..=2 {
//!             lines.borrow_mut().push(format!("{name} {number}"));
//!             yield_now().await;
//!         }
//!     })
//! };
//! run_loop(VecDeque::from([count("a"), count("b")]));
//! assert_eq!(*lines.borrow(), ["a 1", "b 1", "a 2", "b 2"]);
//! ```
//!
//! That is the whole idea: one thread, first come, first served, and every coroutine gives way by itself.
//! Its fault: it calls those that wait as often as those that can go on, so a loop in which all wait burns
//! a core.
//!
//! # Step 1: only who was woken is called
//!
//! A future that waits keeps the [`Waker`] it was polled with, and whoever has what it waits for calls it.
//! If the waker puts the coroutine back into the queue, the loop need not guess, and can sleep while the
//! queue is empty:
//!
//! ```
//! use std::future::Future;
//! use std::pin::Pin;
//! use std::sync::mpsc::{Receiver, Sender, channel};
//! use std::sync::{Arc, Mutex};
//! use std::task::{Context, Wake, Waker};
//!
//! struct Task {
//!     future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
//!     ready: Sender<Arc<Task>>,
//! }
//!
//! impl Wake for Task {
//!     fn wake(self: Arc<Self>) {
//!         let _ = self.ready.send(Arc::clone(&self));
//!     }
//! }
//!
//! fn spawn(ready: &Sender<Arc<Task>>, future: impl Future<Output = ()> + Send + 'static) {
//!     let future = Mutex::new(Some(Box::pin(future) as _));
//!     let task = Arc::new(Task { future, ready: ready.clone() });
//!     task.wake();
//! }
//!
//! fn run_loop(queue: Receiver<Arc<Task>>) {
//!     // Sleeps while nobody is ready; ends when nobody is left who could ever be.
//!     while let Ok(task) = queue.recv() {
//!         let waker = Waker::from(Arc::clone(&task));
//!         let mut place = task.future.lock().unwrap();
//!         if let Some(future) = &mut *place {
//!             if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
//!                 *place = None;
//!             }
//!         }
//!     }
//! }
//!
//! # use kumi_core::channel::oneshot;
//! let (ready, queue) = channel();
//! let (sender, receiver) = oneshot::channel();
//! let (done, answer) = channel();
//! spawn(&ready, async move { done.send(receiver.await.unwrap()).unwrap() });
//! spawn(&ready, async move { sender.send(42).unwrap() });
//! drop(ready);
//! run_loop(queue);
//! assert_eq!(answer.recv(), Ok(42));
//! ```
//!
//! A task that is woken twice before its turn stands in the queue twice, and is polled once too often;
//! and each wake, also that by its own neighbour on the same thread, goes through a lock. A state word per
//! task mends the first, a queue that belongs to the thread the second.
//!
//! # Step 2: time
//!
//! A sleep has nobody who would wake it but the loop. So the loop keeps those that wait for a time, the
//! earliest first, and sleeps no longer than until then:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::mpsc::{Receiver, RecvTimeoutError};
//! use std::task::Waker;
//! use std::time::Instant;
//!
//! /// What is armed; the number tells equal times apart.
//! type Timers = BTreeMap<(Instant, u64), Waker>;
//!
//! /// Wakes what is due, in the order in which it is; returns what is ready.
//! fn next<T>(queue: &Receiver<T>, timers: &mut Timers) -> Option<T> {
//!     loop {
//!         while let Some(first) = timers.first_entry() {
//!             if first.key().0 > Instant::now() {
//!                 break;
//!             }
//!             first.remove().wake();
//!         }
//!         let Some(((at, _), _)) = timers.first_key_value() else {
//!             return queue.recv().ok();
//!         };
//!         match queue.recv_timeout(at.saturating_duration_since(Instant::now())) {
//!             Ok(task) => return Some(task),
//!             Err(RecvTimeoutError::Timeout) => {}
//!             Err(RecvTimeoutError::Disconnected) => return None,
//!         }
//!     }
//! }
//! # let (sender, queue) = std::sync::mpsc::channel();
//! # struct Note(std::sync::Mutex<std::sync::mpsc::Sender<u32>>, u32);
//! # impl std::task::Wake for Note {
//! #     fn wake(self: std::sync::Arc<Self>) { self.0.lock().unwrap().send(self.1).unwrap() }
//! # }
//! # let note = |n| Waker::from(std::sync::Arc::new(Note(sender.clone().into(), n)));
//! # let (now, ms) = (Instant::now(), std::time::Duration::from_millis(1));
//! # let mut timers = Timers::from([((now + 2 * ms, 1), note(2)), ((now + ms, 2), note(1))]);
//! # assert_eq!(next(&queue, &mut timers), Some(1));
//! # assert_eq!(next(&queue, &mut timers), Some(2));
//! ```
//!
//! A sorted map costs O(log n) for each timeout, and nearly every timeout is taken back before it is due.
//! So the order has to be made as late as possible: that is what a timer wheel is for.
//!
//! # Step 3: the kernel
//!
//! A socket has nobody who would wake it either. The kernel knows when it is ready, and can be asked about
//! thousands at once, with a time limit: `epoll_wait`. So the loop sleeps *there* instead of in a queue, and
//! a wake by another thread has to reach it there, through a descriptor of its own:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use mio::{Events, Poll, Token};
//!
//! const INTERRUPT: Token = Token(0);
//!
//! let mut poll = Poll::new()?;
//! let interrupt = Arc::new(mio::Waker::new(poll.registry(), INTERRUPT)?);
//! let mut events = Events::with_capacity(64);
//!
//! // Another thread has put a task into the queue:
//! let other = Arc::clone(&interrupt);
//! std::thread::spawn(move || other.wake());
//!
//! // The loop sleeps, until then or until its earliest timer is due.
//! poll.poll(&mut events, Some(Duration::from_secs(3600)))?;
//! assert!(events.iter().all(|event| event.token() == INTERRUPT));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Here is the one place where a loop can go wrong without anybody seeing it: the other thread must not
//! find the loop awake, and spare itself the system call, in the moment in which the loop finds its queue
//! empty and falls asleep. `sleep` has the protocol that rules it out, in prose, and `tests/loom/sleep.rs`
//! tries every interleaving of it.
//!
//! # What each part has become
//!
//! | in the steps | here | because |
//! |---|---|---|
//! | `VecDeque<Coroutine>` | a list through the task cells themselves (`here`, core's `JobQueue`) | no allocation per turn, none per task but the cell |
//! | `Arc<Mutex<Option<..>>>` | core's task cell with its state word | a wake on the loop's own thread takes no lock; twice woken is once queued |
//! | the channel | the thread's own queue, and a lock-free one for other threads (`shared`) | nearly all wakes come from the same thread |
//! | `while let` | a turn: the batch that stood at its start, timers, kernel (`turn`) | nobody starves anybody: not tasks each other, not tasks the sockets |
//! | `BTreeMap` | a wheel in one table (`timers`) | arming, moving and dropping are O(1), and nothing is allocated |
//! | `mio` as it is | readiness that is remembered (`io`) | a read that would find nothing is not tried |
//! | `recv` | the sleeping protocol (`sleep`) | one system call for a burst of wakes, none while the loop is awake |
//! | the end of the queue | a run that asks what is left to end, and waits for it (core's `run`) | clean-ups may await |
//!
//! [`Waker`]: std::task::Waker
//! [`Future::poll`]: std::future::Future::poll
