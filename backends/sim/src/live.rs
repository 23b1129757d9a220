//! The table of live tasks, in the order in which they were spawned.
//!
//! Core's own table ([`Tasks`](kumi_core::runtime::Tasks)) spreads tasks by their number, and numbers
//! go on through the whole process: the order of a visit would depend on what ran before. This one
//! knows nothing but the order of spawning.

use kumi_core::runtime::{Job, Task};
use slab::Slab;

/// The live tasks of a simulator.
#[derive(Debug, Default)]
pub(crate) struct Live {
    tasks: Slab<(u64, Task)>,
    /// How many tasks were entered; the next one's place in the order.
    entered: u64,
}

impl Live {
    /// Enters the task of `job` if it is new, and notes its key in the job's tag; whether it was new.
    pub(crate) fn adopt(&mut self, job: &Job) -> bool {
        let new = job.tag() == u32::MAX;
        if new {
            job.set_tag(self.enter(job.task()));
        }
        new
    }

    /// Enters `task` and returns its key.
    pub(crate) fn enter(&mut self, task: Task) -> u32 {
        let key = self.tasks.insert((self.entered, task));
        self.entered += 1;
        u32::try_from(key).expect("fewer than 2^32 tasks live")
    }

    /// Takes a task out that has ended; none if the table was emptied meanwhile. Not to be dropped
    /// under a lock.
    pub(crate) fn forget(&mut self, key: u32) -> Option<Task> {
        self.tasks.try_remove(key as usize).map(|(_, task)| task)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The tasks, with their keys.
    pub(crate) fn in_order(&self) -> Vec<(u32, Task)> {
        let mut tasks: Vec<_> = self.tasks.iter().collect();
        tasks.sort_unstable_by_key(|(_, (entered, _))| *entered);
        let with_key = |(key, (_, task)): (usize, &(u64, Task))| {
            let key = u32::try_from(key).expect("keys are given out as 32 bits");
            (key, task.clone())
        };
        tasks.into_iter().map(with_key).collect()
    }

    /// Empties the table.
    pub(crate) fn take(&mut self) -> Vec<Task> {
        let tasks = std::mem::take(&mut self.tasks);
        let mut tasks: Vec<_> = tasks.into_iter().map(|(_, task)| task).collect();
        tasks.sort_unstable_by_key(|(entered, _)| *entered);
        tasks.into_iter().map(|(_, task)| task).collect()
    }
}
