//! What is compared: one line for each scenario, with the words that the page shows.
//!
//! `README.md` defines each of them in more words.

/// One scenario, at all its sizes.
#[derive(Debug)]
pub(crate) struct Topic {
    /// The chapter of the page.
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    /// What a time is per, in the singular.
    pub(crate) unit: &'static str,
    /// What the size counts, in the plural; empty if there is only one size.
    pub(crate) size_of: &'static str,
}

impl Topic {
    /// The topic of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn called(name: &str) -> &'static Self {
        let found = TOPICS.iter().find(|topic| topic.name == name);
        found.unwrap_or_else(|| panic!("`{name}` is missing in topics.rs"))
    }

    /// Whether each run of it takes as many instructions. Not where timers are armed for themselves: in which
    /// slot of a wheel one lies, and how often it moves, is a matter of when it was armed.
    pub(crate) fn is_steady(&self) -> bool {
        !self.name.starts_with("timers.")
    }
}

macro_rules! topics {
    ($($group:literal: $($name:literal $unit:literal ($size_of:literal) $about:literal)*;)*) => {
        &[$($(Topic {
            group: $group,
            name: $name,
            about: $about,
            unit: $unit,
            size_of: $size_of,
        },)*)*]
    };
}

/// In the order in which they run.
pub(crate) const TOPICS: &[Topic] = topics! {
    "Tasks":
        "spawn.ready" "task" ("tasks")
            "Tasks that are ready at their first poll are spawned, then all handles are awaited in order."
        "spawn.yield1" "task" ("tasks")
            "Tasks that yield once are spawned, then all handles are awaited in order."
        "spawn.serial" "task" ("tasks")
            "Each task is spawned and awaited before the next one."
        "yield" "yield" ("tasks")
            "Tasks give way to each other a thousand times each."
        "wake.one" "wake" ("")
            "Another thread wakes a task whose thread sleeps: the time from the wake to the poll."
        "wake.burst" "wake" ("tasks")
            "Another thread wakes many tasks in one go: the time from the first wake until all have ended."
        "block_on.ready" "call" ("")
            "A thread blocks on a future that is ready."
        "block_on.woken" "wake" ("")
            "A thread blocks on a future that another thread makes ready: from the wake to the return."
        "blocking.serial" "closure" ("")
            "Closures run on threads that may block, each awaited before the next one."
        "blocking.burst" "closure" ("closures")
            "Closures are handed to threads that may block all at once, then awaited in order.";
    "Timers":
        "timers.create" "timer" ("timers")
            "Sleeps are made and armed, due in 10 to 70 s in no order."
        "timers.reset" "timer" ("timers")
            "Armed sleeps are moved to another time."
        "timers.cancel" "timer" ("timers")
            "Armed sleeps are dropped."
        "timers.fire" "timer" ("timers")
            "Sleeps that are all due fire, and each is polled."
        "timeout.ready" "timeout" ("")
            "Futures that are ready are awaited under a limit of a minute."
        "timeout.yield1" "timeout" ("")
            "Futures that yield once are awaited under a limit of a minute."
        "timeout.yield10" "timeout" ("")
            "Futures that yield ten times are awaited under a limit of a minute.";
    "Cancellation and groups":
        "scope.poll" "poll" ("")
            "A pending future is polled, bare and inside cancel scopes."
        "group" "child" ("children")
            "Children that yield once are started in a group and waited for."
        "group.cancel" "child" ("children")
            "Children that wait for ever are started in a group, cancelled together and waited for."
        "group.cleanup" "child" ("children")
            "The same with a clean-up that yields once in each child, which the group awaits.";
    "Combinators":
        "gather.spawned" "child" ("children")
            "Children that yield once are gathered as tasks."
        "gather.ready" "future" ("futures")
            "Futures that are ready are gathered in place."
        "gather.yield1" "future" ("futures")
            "Futures that yield once are gathered in place."
        "gather.yield10" "future" ("futures")
            "Futures that yield ten times are gathered in place."
        "gather.burst" "future" ("futures")
            "All of the gathered futures become ready in one go, in a shuffled order."
        "gather.drip" "future" ("futures")
            "The gathered futures become ready one by one, with a poll after each."
        "gather.cross" "future" ("futures")
            "The gathered futures become ready from another thread."
        "race.woken" "future" ("futures")
            "One of the racing futures becomes ready; building and dropping included."
        "tuple3.ready" "future" ("")
            "Three ready futures of different types are joined."
        "tuple3.yield1" "future" ("")
            "Three futures of different types that yield once are joined."
        "tuple3.yield10" "future" ("")
            "Three futures of different types that yield ten times are joined."
        "tuple3.race" "race" ("")
            "Three futures of different types race, and one of them becomes ready."
        "completed.ready" "future" ("futures")
            "Outputs are taken as they come, of futures that are ready."
        "completed.yield1" "future" ("futures")
            "Outputs are taken as they come, of futures that yield once."
        "completed.burst" "future" ("futures")
            "Outputs are taken as they come, of futures that become ready in one go."
        "completed.drip" "future" ("futures")
            "Outputs are taken as they come, of futures that become ready one by one."
        "completed.cross" "future" ("futures")
            "Outputs are taken as they come, of futures that become ready from another thread."
        "wait.all" "future" ("futures")
            "All futures become ready in one go and are waited for; the result tells which gave what."
        "wait.first" "future" ("futures")
            "One of many futures becomes ready; the others are given back to be waited for again.";
    "Channels and synchronisation":
        "chan.spsc" "message" ("places")
            "One producer and one consumer, tasks of one loop, over a bounded channel."
        "chan.mpsc4" "message" ("places")
            "Four producers and one consumer, tasks of one loop, over a bounded channel."
        "chan.mpmc4x4" "message" ("places")
            "Four producers and four consumers, tasks of one loop, over a bounded channel."
        "xchan.spsc" "message" ("places")
            "One producer and one consumer on two threads, over a bounded channel."
        "xchan.mpsc4" "message" ("places")
            "Four producers on one thread and one consumer on another, over a bounded channel."
        "xchan.mpmc4x4" "message" ("places")
            "Four producers on one thread and four consumers on another, over a bounded channel."
        "queue" "item" ("places")
            "Four producers, four consumers that say when an item is done, and a join of it all, on one loop."
        "semaphore" "permit" ("tasks")
            "Tasks take one of four permits in turn, hold it over a yield, and give it back.";
    "Network":
        "tcp.echo" "request" ("connections")
            "64 bytes are sent and come back, clients and servers on the same threads."
        "http.fetch" "request" ("connections")
            "Requests of HTTP/1.1 over connections that are kept open; the server is the same for all, on a thread of its own.";
    "Mixed":
        "mixed" "job" ("jobs")
            "A small service: each job, a task, takes one of 16 permits, awaits two children at once under a limit, and reports through a channel.";
};
