//! How the suite gets a runtime: [`Harness`].

use kumi_core::runtime::{Owned, Runtime};

/// Makes the runtimes that the cases run on.
///
/// Any function that returns a fresh runtime is one; a type of its own is needed only to say what the
/// runtime lacks, or to have several rounds.
pub trait Harness {
    /// The runtime to certify.
    type Runtime: Runtime;

    /// Returns a runtime that nobody has used before.
    ///
    /// `round` counts from zero to below [`rounds`](Harness::rounds); a simulator takes it as its
    /// seed, others ignore it. Some cases need several runtimes in one round.
    fn fresh(&self, round: u64) -> Owned<Self::Runtime>;

    /// Returns how many times each case runs; once, if this is not overridden.
    fn rounds(&self) -> u64 {
        1
    }

    /// Returns what the runtime cannot do, so that the cases that need it are skipped.
    fn lacks(&self) -> &[Capability] {
        &[]
    }
}

impl<F, R> Harness for F
where
    F: Fn() -> Owned<R>,
    R: Runtime,
{
    type Runtime = R;

    fn fresh(&self, _: u64) -> Owned<R> {
        self()
    }
}

/// Something that the contract allows a runtime to lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Threads that the runtime did not start may wake, cancel, join, spawn and drop while it is
    /// inside `block_on`. A simulator, which has to know everything that happens, lacks it.
    ForeignThreads,
    /// Blocking closures run on threads, beside the tasks: one may wait for what a task does. Needs
    /// [`ForeignThreads`](Capability::ForeignThreads). A simulator lacks it.
    ParallelBlocking,
    /// Two tasks run at the same time, on threads of the runtime's own. One that runs its tasks on one
    /// thread lacks it.
    ParallelTasks,
    /// Time passes by itself, also while tasks run. Virtual time, which moves only when nothing else
    /// can, lacks it.
    RealTime,
    /// The runtime watches its descriptors itself, so that its shutdown ends the waiting for them. One
    /// that shares a reactor with the whole process lacks it: there the waiting goes on.
    OwnReactor,
    /// One thread may enter `block_on` while another one is inside it. A loop that belongs to one
    /// thread lacks it.
    ConcurrentBlockOn,
}
