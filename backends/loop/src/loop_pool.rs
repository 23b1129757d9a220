//! Several loops, one per thread, for programs that want all cores without work stealing.
//!
//! # Shape
//!
//! A [`LoopPool`] has a thread for each of its loops, which drives it until the pool ends. A task is
//! given to one loop when it is spawned, the one with the fewest tasks of the pool's, and stays there: it
//! wakes and is woken by tasks of the same loop without a lock, and its data stay in the cache of one
//! core. The price is that a loop with much work gets no help from one with none.
//!
//! Inside of a task, the ambient functions mean its own loop: what a task spawns there stays beside it,
//! and is not counted. Servers start one listener per loop ([`spawn_each`](LoopPool::spawn_each)) on the
//! same address, with `SO_REUSEPORT`, and the kernel deals the connections out.
//!
//! # What ends what
//!
//! When the pool is dropped, each loop ends as a run does: its tasks are asked to end, have the grace
//! period for their clean-ups, and what has not ended then is reported and dropped. Then the threads end,
//! and the drop returns. A handle of a loop that is kept longer stays harmless, as that of any loop.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle as Thread};
use std::time::Duration;

use kumi_core::channel::oneshot;
use kumi_core::run::Runner;
use kumi_core::runtime::Owned;
use kumi_core::task::{JoinHandle, SpawnExt};

use crate::handle::{Builder, Loop};

/// How long the tasks of a pool have to end, if it is not told otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// A pool of loops, each on a thread of its own.
///
/// See the [module's docs](self) for what it is good for, and what ends it.
///
/// # Examples
///
/// ```
/// use kumi_loop::LoopPool;
///
/// let pool = LoopPool::new(2)?;
/// let squares: Vec<_> = (0..10_u64).map(|n| pool.spawn(async move { n * n })).collect();
/// let caller = kumi_loop::Loop::new()?;
/// let sum = kumi_core::runtime::Runtime::block_on(&*caller, async {
///     let mut sum = 0;
///     for square in squares {
///         sum += square.await.unwrap();
///     }
///     sum
/// });
/// assert_eq!(sum, 285);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping it ends its loops"]
pub struct LoopPool {
    members: Vec<Member>,
    /// Where the search for the loop with the fewest tasks begins, so that equals take turns.
    turn: AtomicUsize,
}

struct Member {
    lp: Loop,
    /// The tasks that the pool has spawned there and that have not ended.
    tasks: Arc<AtomicUsize>,
    /// Ends the loop when it is dropped.
    end: Option<oneshot::Sender<()>>,
    thread: Option<Thread<()>>,
}

/// Counts a task for as long as its future is there.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(tasks: &Arc<AtomicUsize>) -> Self {
        // Relaxed: it is a hint.
        tasks.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(tasks))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LoopPool {
    /// Makes a pool of so many loops; one per core is usual
    /// ([`available_parallelism`](std::thread::available_parallelism)).
    ///
    /// # Errors
    ///
    /// If the system gives no descriptors or no threads for them.
    ///
    /// # Panics
    ///
    /// If `loops` is zero.
    pub fn new(loops: usize) -> io::Result<Self> {
        Self::with(loops, GRACE, Loop::builder())
    }

    /// Makes a pool of so many loops with settings; when the pool is dropped, the tasks have the `grace`
    /// period to end.
    ///
    /// # Errors
    ///
    /// If the system gives no descriptors or no threads for them.
    ///
    /// # Panics
    ///
    /// If `loops` is zero.
    pub fn with(loops: usize, grace: Duration, settings: Builder) -> io::Result<Self> {
        assert!(loops > 0, "a pool of no loops would never run a task");
        let mut pool = Self {
            members: Vec::with_capacity(loops),
            turn: AtomicUsize::new(0),
        };
        for number in 0..loops {
            // If one fails, the drop of the pool ends those before it.
            let member = Member::start(number, grace, settings.clone())?;
            pool.members.push(member);
        }
        Ok(pool)
    }

    /// Returns how many loops there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns the loops, to spawn onto a given one, or to hand out to other threads.
    ///
    /// What is spawned through them directly is not counted when the pool looks for the loop with the
    /// fewest tasks.
    pub fn loops(&self) -> impl ExactSizeIterator<Item = &Loop> {
        self.members.iter().map(|member| &member.lp)
    }

    /// Returns how many tasks of the pool's are on each loop at the moment.
    #[must_use]
    pub fn tasks(&self) -> Vec<usize> {
        let tasks = |member: &Member| member.tasks.load(Ordering::Relaxed);
        self.members.iter().map(tasks).collect()
    }

    fn least_loaded(&self) -> &Member {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.members.len();
        let (before, from) = self.members.split_at(first);
        from.iter()
            .chain(before)
            .min_by_key(|member| member.tasks.load(Ordering::Relaxed))
            .expect("a pool has loops")
    }

    /// Starts `future` as a task on the loop with the fewest tasks; it stays there.
    ///
    /// Among equals the loops take turns.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.least_loaded().spawn(future)
    }

    /// Starts a task on each loop: what `make` returns for the number of the loop and the loop.
    ///
    /// That is how a server is started on all loops; each binds the same address, with `SO_REUSEPORT`
    /// (`ListenOptions::reuse_port`).
    #[track_caller]
    pub fn spawn_each<F>(
        &self,
        mut make: impl FnMut(usize, &Loop) -> F,
    ) -> Vec<JoinHandle<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut handles = Vec::with_capacity(self.members.len());
        for (number, member) in self.members.iter().enumerate() {
            handles.push(member.spawn(make(number, &member.lp)));
        }
        handles
    }
}

impl Member {
    fn start(number: usize, grace: Duration, settings: Builder) -> io::Result<Self> {
        let owned = settings.build()?;
        let lp = owned.handle();
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(format!("kumi-loop-{number}"))
            .spawn(move || Self::drive(&owned, grace, ended))?;
        Ok(Self {
            lp,
            tasks: Arc::default(),
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// The life of a thread.
    fn drive(lp: &Owned<Loop>, grace: Duration, ended: oneshot::Receiver<()>) {
        let main = async {
            // It says that the sender is gone: so is the pool.
            let _ = ended.await;
        };
        let runner = Runner::new().grace(grace).ctrl_c(false);
        runner
            .run(&**lp, main)
            .expect("without Ctrl-C nothing interrupts it");
    }

    #[track_caller]
    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let counted = Counted::new(&self.tasks);
        self.lp.spawn(async move {
            let _counted = counted;
            future.await
        })
    }
}

impl Drop for LoopPool {
    /// Ends the loops, all at the same time, and waits for them; see the [module's docs](self).
    ///
    /// A thread of the pool's own, whose task drops the pool, does not wait for itself.
    fn drop(&mut self) {
        for member in &mut self.members {
            drop(member.end.take());
        }
        let here = thread::current().id();
        for member in &mut self.members {
            let thread = member.thread.take().expect("it is taken once, here");
            if thread.thread().id() != here {
                // A panic in it has been printed.
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for LoopPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopPool")
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}
