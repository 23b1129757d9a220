//! What transitions of the state word are told, and tell.

/// What a waker has to do after it told the task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Notify {
    /// Nothing: a job exists already, or the task has ended.
    Nothing,
    /// Schedule a job; a reference for it has been counted.
    Schedule,
    /// Wake the host that polls the job.
    Host,
}

/// What the runner has to do after a poll that returned pending.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Forget the job: its reference is given back.
    Idle,
    /// Schedule the job again: the task was woken while it ran.
    Again,
    /// The job holds the last reference, and keeps it: nobody can ever wake the task again.
    Forgotten,
}

/// What kind of task is new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct New {
    /// Core lists it: there is a third reference, for the table of live tasks.
    pub(crate) listed: bool,
    /// Its owner wants to know when it has ended.
    pub(crate) owned: bool,
    /// The word is to say exactly whether the job is queued or runs, for debug mode.
    pub(crate) exact: bool,
}

/// What the completer finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Completed {
    /// The join handle exists: the output is its own now.
    pub(crate) handle: bool,
    /// The waker of the joiner is in its slot, and belongs to the completer.
    pub(crate) join_waker: bool,
    /// The waker of the host is in its slot, and belongs to the completer.
    pub(crate) host_waker: bool,
}

/// What somebody who wants to wake the host has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WakeHost {
    /// Nothing: the poller will look, or somebody who is busy will wake once more.
    Nothing,
    /// Use the waker, then call `host_woken`.
    Wake,
}

/// What somebody who has woken the host has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HostWoken {
    /// Nothing: the waker is the poller's again.
    Done,
    /// Wake it once more, then call `host_woken` again.
    Again,
    /// Empty the slot: the task has ended meanwhile.
    Last,
}

/// What was asked of a task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// To end.
    pub(crate) cancel: bool,
    /// To end without another poll.
    pub(crate) abort: bool,
}
