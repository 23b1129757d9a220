//! The interface of asyncio's event loop, on [`Loop`](crate::Loop): for programs that come from there.
//!
//! | asyncio | here |
//! |---|---|
//! | `call_soon`, `call_soon_threadsafe` | [`Loop::call_soon`](crate::Loop::call_soon), [`call_soon_threadsafe`](crate::Loop::call_soon_threadsafe) |
//! | `call_later`, `call_at`, `time` | [`call_later`](crate::Loop::call_later), [`call_at`](crate::Loop::call_at), [`time`](crate::Loop::time) |
//! | `Handle`, `TimerHandle` | [`Handle`], [`TimerHandle`], [`ThreadsafeHandle`] |
//! | `create_future`, `Future` | [`create_future`](crate::Loop::create_future), [`Promise`] and [`Promised`] |
//! | `create_task` | [`spawn`](kumi_core::task::SpawnExt::spawn), [`spawn_local`](kumi_core::task::SpawnLocalExt::spawn_local) |
//! | `run_until_complete`, `run_forever`, `stop`, `close` | [`run_until_complete`](crate::Loop::run_until_complete), [`run_forever`](crate::Loop::run_forever), [`stop`](crate::Loop::stop), [`close`](crate::Loop::close) |
//! | `is_running`, `is_closed` | [`is_running`](crate::Loop::is_running), [`is_closed`](crate::Loop::is_closed) |
//! | `add_reader`, `add_writer`, `remove_...` | [`add_reader`](crate::Loop::add_reader), [`add_writer`](crate::Loop::add_writer), [`remove_reader`](crate::Loop::remove_reader), [`remove_writer`](crate::Loop::remove_writer) |
//! | `add_signal_handler`, `remove_...` | [`add_signal_handler`](crate::Loop::add_signal_handler), [`remove_signal_handler`](crate::Loop::remove_signal_handler) |
//! | `run_in_executor`, `shutdown_default_executor` | [`run_in_executor`](crate::Loop::run_in_executor), [`shutdown_default_executor`](crate::Loop::shutdown_default_executor) |
//! | `set_debug`, `get_debug`, `slow_callback_duration` | [`set_debug`](crate::Loop::set_debug), [`get_debug`](crate::Loop::get_debug), [`slow_callback_duration`](crate::Loop::slow_callback_duration) |
//!
//! # Callbacks are tasks
//!
//! A callback is a task of this thread that is polled once. So callbacks and tasks take turns in one queue,
//! in the order in which they were queued; a callback's panic goes to the [hook of
//! reports](kumi_core::report) and the loop goes on; what its code inherits ([`task_local!`]) is what the
//! code that queued it had; the debug mode watches it; and the end of a run drops what has not been called.
//!
//! # What differs, and what cannot be
//!
//! | fact of asyncio | here |
//! |---|---|
//! | a tick runs all handles that are ready | a batch has [`CLOCK_JOBS`](crate::CLOCK_JOBS) at most; more wait for the next, and so does the end after `stop` |
//! | a timer may fire a clock tick early | never early |
//! | negative delays | a [`Duration`](std::time::Duration) has none; `call_at` takes a time in the past, and older ones come first |
//! | timers of the same time come in any order | in the order in which they were made |
//! | cancelled timers stay in the heap for a while | they are gone at once |
//! | an argument of a wrong type, of another loop, is an error | does not compile; a future may be awaited on any loop |
//! | a closed loop raises `RuntimeError` | a callback is dropped at once, and its handle says that it was cancelled; to run a closed loop is a panic |
//! | a loop run inside a loop raises `RuntimeError` | a panic that names the fix |
//! | `SystemExit`, `KeyboardInterrupt` leave the loop | there are none; Ctrl-C is for [`Runner`](kumi_core::run::Runner) |
//! | exception handler | the hook of reports, one for the process; one that panics is ignored |
//! | task factory | none; [`TaskBuilder`](kumi_core::task::TaskBuilder) names tasks |
//! | `set_exception` | an error is a value: `create_future::<Result<T, E>>()` |
//! | a failed future that nobody asked is reported | not for a [`Promised`]: it does not know that its value is an error. Tasks know ([`spawn_detached`](kumi_core::task::SpawnExt)) |
//! | `remove_done_callback` removes equal ones | closures are never equal: one is removed by its [key](Promised::add_done_callback) |
//! | a callback that is done runs in its registrar's context | in the context of the code that set the future, as it may come from another thread |
//! | a cancel message of any type | a text |
//! | readers are watched without being asked again | each call costs two system calls more; a socket of [`net`](kumi_core::net) costs none |
//! | signal handlers from the main thread only | from the loop's thread, whichever it is |
//! | a signal that is blocked while its handler runs | a handler is called once for each signal that was delivered, by the loop |
//! | a handler may be a coroutine function by mistake | does not compile |
//! | debug mode of one loop | of the process |
//!
//! [`task_local!`]: kumi_core::task_local

mod calls;
mod promise;
mod readers;
mod run;
mod signals;
mod threadsafe;
mod timers;

pub use calls::Handle;
pub use promise::{CallbackKey, Promise, PromiseError, Promised, Wait};
pub use run::{Running, Stopped};
pub use threadsafe::ThreadsafeHandle;
pub use timers::TimerHandle;
