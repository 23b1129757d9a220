//! The snapshot of all tasks: who is there, who spawned whom, who waits for what.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;

use super::registry::{self, Entry};
use super::wait::WaitsFor;
use crate::report::{Report, report};
use crate::runtime::{Runtime, Task, TaskId, TaskInfo};

/// What a task is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// Its next poll is due.
    Queued,
    /// It is being polled, or its closure runs. Of a task that was not spawned in debug mode it may also
    /// be that it is new, or has yielded, and that its next poll is due.
    Running,
    /// It waits to be woken. On an executor that keeps its own queue (tokio's, smol's) it may have been
    /// woken already.
    Waiting,
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
        })
    }
}

/// A task in a [`TaskTree`].
#[derive(Debug, Clone)]
pub struct TaskNode {
    entry: Entry,
    depth: usize,
}

impl TaskNode {
    /// Returns who the task is.
    #[must_use]
    pub fn info(&self) -> &TaskInfo {
        &self.entry.info
    }

    /// Returns what it is at.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.entry.state
    }

    /// Returns the task in whose poll it was spawned, as far as that is known; it may have ended.
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        self.entry.parent
    }

    /// Returns where the group, or the spawned combinator, was made that it belongs to.
    #[must_use]
    pub fn group(&self) -> Option<&'static Location<'static>> {
        self.entry.group
    }

    /// Returns what it waits for, as far as it was [noted](super::note_wait) in its last poll.
    #[must_use]
    pub fn waits_for(&self) -> &[WaitsFor] {
        &self.entry.waits
    }

    /// Returns how many of its ancestors are in the tree.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }
}

impl fmt::Display for TaskNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry {
            info, group, state, ..
        } = &self.entry;
        write!(f, "{info}")?;
        if let Some(group) = group {
            write!(f, ", of the group at {group}")?;
        }
        write!(f, ": {state}")?;
        List(&self.entry.waits).fmt(f)
    }
}

/// " for task 7, a sleep", if anything is known.
struct List<'a>(&'a [WaitsFor]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, wait) in self.0.iter().enumerate() {
            write!(f, "{}{wait}", if index == 0 { " for " } else { ", " })?;
        }
        Ok(())
    }
}

/// The tasks of a moment, each under the one that spawned it.
///
/// # Examples
///
/// `Display` prints it as an indented list, one line a task:
///
/// ```
/// use kumi_core::combine::yield_now;
/// use kumi_core::debug;
/// use kumi_core::runtime::Runtime;
/// use kumi_core::task::{SpawnExt, TaskBuilder};
///
/// debug::set_debug(true);
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// let tree = sim.block_on(async {
///     let server = TaskBuilder::new().name("server").spawn_on(&rt, {
///         let rt = rt.clone();
///         async move { rt.spawn(std::future::pending::<()>()).await }
///     });
///     for _ in 0..3 {
///         yield_now().await;
///     }
///     let tree = debug::tasks(&rt);
///     drop(server);
///     tree
/// });
/// let text = tree.to_string();
/// let lines: Vec<_> = text.lines().collect();
/// assert!(lines[0].starts_with("task ") && lines[0].contains("`server`"));
/// assert!(lines[0].contains(": waiting for task "));
/// assert!(lines[1].starts_with("  task ") && lines[1].ends_with(": waiting"));
/// # debug::set_debug(false);
/// ```
#[derive(Debug, Clone, Default)]
pub struct TaskTree {
    nodes: Vec<TaskNode>,
    main: Vec<WaitsFor>,
    main_waits: bool,
}

impl TaskTree {
    /// Puts the tasks in order: each behind the one that spawned it, earlier ones first.
    fn new(mut entries: BTreeMap<TaskId, Entry>) -> Self {
        let mut children: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
        let mut next = Vec::new();
        for (&id, entry) in &entries {
            // A child is younger than its parent, so this has no circles; and one whose parent has
            // ended is a root.
            match entry.parent {
                Some(parent) if entries.contains_key(&parent) => {
                    children.entry(parent).or_default().push(id);
                }
                _ => next.push((id, 0)),
            }
        }
        next.reverse();
        let mut nodes = Vec::with_capacity(entries.len());
        while let Some((id, depth)) = next.pop() {
            nodes.extend(entries.remove(&id).map(|entry| TaskNode { entry, depth }));
            let below = children.remove(&id).unwrap_or_default();
            next.extend(below.into_iter().rev().map(|child| (child, depth + 1)));
        }
        let main = registry::main_waits();
        Self {
            nodes,
            main_waits: !main.is_empty(),
            main,
        }
    }

    /// Returns the tasks, each behind the one that spawned it and before those that it spawned.
    #[must_use]
    pub fn nodes(&self) -> &[TaskNode] {
        &self.nodes
    }

    /// Returns the task with this number.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<&TaskNode> {
        self.nodes.iter().find(|node| node.info().id() == id)
    }

    /// Returns what main waits for, as far as it was noted in its last poll on the thread where the
    /// snapshot was made.
    #[must_use]
    pub fn main_waits_for(&self) -> &[WaitsFor] {
        &self.main
    }
}

impl fmt::Display for TaskTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.main_waits {
            writeln!(f, "main: waiting{}", List(&self.main))?;
        }
        for node in &self.nodes {
            writeln!(f, "{:indent$}{node}", "", indent = 2 * node.depth)?;
        }
        Ok(())
    }
}

/// Returns a snapshot of the tasks of `runtime`, in any mode.
///
/// Without debug mode it knows of parents only those that wait for a [group](crate::group), and
/// nothing of what is waited for. Like [`Runtime::for_each_task`] it is called inside of the
/// runtime's `block_on`; [`all_tasks`] is not.
#[must_use]
pub fn tasks<R: Runtime>(runtime: &R) -> TaskTree {
    let mut live = Vec::new();
    runtime.for_each_task(&mut |task: &Task| live.push(task.clone()));
    live.retain(|task| !task.is_finished());
    let mut entries: BTreeMap<_, _> = live.iter().map(|task| (task.id(), fresh(task))).collect();
    for task in &live {
        for (group, members) in task.scope().iter().flat_map(|scope| scope.groups()) {
            for member in members {
                let entry = entries.entry(member.id());
                let entry = entry.or_insert_with(|| fresh(&member));
                entry.parent = Some(task.id());
                entry.group = group;
            }
        }
    }
    let registry = registry::lock();
    for (id, entry) in &mut entries {
        if let Some(noted) = registry.tasks.get(id) {
            entry.parent = noted.parent;
            entry.group = noted.group;
            entry.waits.clone_from(&noted.waits);
            // Of a task that an executor of its own polls, the word does not know it.
            if noted.state == TaskState::Running {
                entry.state = TaskState::Running;
            }
        }
    }
    drop(registry);
    TaskTree::new(entries)
}

/// Reports that nothing of `runtime` can run unless another thread wakes it, and who waits for what.
///
/// For backends, in debug mode: that have nothing queued, no timer, no descriptor and no blocking closure
/// to wait for. Called as [`tasks`] is.
pub fn report_deadlock<R: Runtime>(runtime: &R) {
    let mut tasks = tasks(runtime);
    tasks.main_waits = true;
    report(&Report::Deadlock { tasks });
}

/// What a task itself knows.
fn fresh(task: &Task) -> Entry {
    Entry {
        info: task.info().clone(),
        parent: None,
        group: None,
        state: task.state(),
        waits: Vec::new(),
        told: false,
    }
}

/// Returns a snapshot of all tasks of this process that were spawned in debug mode, on any thread.
///
/// (asyncio's `all_tasks` and call graph.) It is taken under one lock, so it is consistent while tasks
/// run on other threads: no task is in it whose end has been joined before, and all that had been
/// spawned are. Whether a task is queued is what was last noted.
#[must_use]
pub fn all_tasks() -> TaskTree {
    let tasks = registry::lock().tasks.clone();
    TaskTree::new(tasks)
}
