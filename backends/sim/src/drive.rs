//! The simulation itself: step after step, until the future of `block_on` is ready.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use kumi_core::context;
use kumi_core::runtime::{Ran, Spawn};
use kumi_core::util::wake_all;

use crate::handle::{Shared, Sim};
use crate::world::Ready;

/// Wakes the future of one `block_on`.
struct Main {
    shared: Arc<Shared>,
    number: u64,
    queued: AtomicBool,
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut world = self.shared.world();
        // A waker that outlives its `block_on` wakes nobody.
        if world.driving && world.drive == self.number {
            world.ready.push_back(Ready::Main);
        }
        drop(world);
        self.shared.changed.notify_one();
    }
}

/// Marks that the simulator is driven, until it is dropped.
struct Driving<'a>(&'a Shared);

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        let mut world = self.0.world();
        world.driving = false;
        world.ready.retain(|ready| !matches!(ready, Ready::Main));
    }
}

pub(crate) fn block_on<F: Future>(sim: &Sim, future: F) -> F::Output {
    context::assert_may_block("block_on");
    sim.own("block_on");
    let shared = &sim.0;
    let number = {
        let mut world = shared.world();
        let busy = std::mem::replace(&mut world.driving, true);
        if busy {
            drop(world);
            panic!(
                "`block_on` on a simulator that this thread already drives: use `.await` instead"
            );
        }
        if world.closed {
            world.driving = false;
            drop(world);
            panic!("`block_on` on a simulator that has been shut down");
        }
        world.drive += 1;
        world.drive
    };
    let _driving = Driving(shared);
    let main = Arc::new(Main {
        shared: Arc::clone(shared),
        number,
        queued: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&main));
    waker.wake_by_ref();
    let mut future = pin!(context::within(sim.clone(), future));
    loop {
        match next(shared) {
            Ready::Main => {
                main.queued.store(false, Ordering::Release);
                let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(value) = poll {
                    return value;
                }
            }
            Ready::Job(job) => {
                let key = job.tag() as usize;
                match job.run() {
                    Ran::Pending => {}
                    Ran::Again(job) => sim.spawn_job(job),
                    Ran::Ended => forget(shared, key),
                }
            }
            Ready::Blocking(job, key) => {
                job.run();
                forget(shared, key);
            }
        }
    }
}

/// Takes an ended task out of the world.
fn forget(shared: &Shared, key: usize) {
    let (task, woken) = shared.world().remove(key);
    drop(task);
    if let Some(watcher) = woken {
        watcher.wake();
    }
}

/// What runs next; moves time, or waits for other threads, until there is something.
fn next(shared: &Shared) -> Ready {
    let mut patient_since: Option<Instant> = None;
    loop {
        let mut world = shared.world();
        if let Some(ready) = world.next() {
            let steps = world.steps;
            if shared.max_steps.is_some_and(|max| steps > max) {
                let waits = world.who_waits();
                drop(world);
                drop(ready);
                panic!("no end after {} steps; alive are:{waits}", steps - 1);
            }
            return ready;
        }
        if let Some(due) = world.pass_time() {
            drop(world);
            wake_all(due);
            continue;
        }
        let since = *patient_since.get_or_insert_with(Instant::now);
        let Some(left) = shared
            .patience
            .checked_sub(since.elapsed())
            .filter(|d| !d.is_zero())
        else {
            let waits = world.who_waits();
            drop(world);
            panic!("deadlock: nothing can run and no timer is set; these wait:{waits}");
        };
        drop(
            shared
                .changed
                .wait_timeout(world, left)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}
