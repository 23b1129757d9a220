//! Async tasks, combinators and cancellation that run on **any executor**: Kumi's own event loop (the
//! default), tokio, smol, or a deterministic simulator.
//!
//! ```
//! use std::time::Duration;
//!
//! async fn answer() -> u32 {
//!     let slow = kumi::spawn(async {
//!         kumi::sleep(Duration::from_millis(20)).await;
//!         20
//!     });
//!     let blocking = kumi::to_thread(|| 22);
//!     slow.await.unwrap() + blocking.await.unwrap()
//! }
//!
//! #[kumi::main(loop)]
//! async fn main() {
//!     match kumi::timeout(Duration::from_secs(5), answer()).await {
//!         Ok(answer) => println!("{answer}"),
//!         Err(elapsed) => println!("{elapsed}"),
//!     }
//! }
//! ```
//!
//! # Choosing a backend
//!
//! | in `Cargo.toml` | backend |
//! |---|---|
//! | `kumi = "0.1"` | Kumi's own event loop, nothing else needed |
//! | `kumi = { version = "0.1", default-features = false, features = ["tokio"] }` | tokio |
//! | the same with `"smol"` | smol |
//! | the same with `"sim"` | the simulator, for tests |
//! | `default-features = false` alone | none: for libraries, the application decides |
//!
//! Features only add. With one backend compiled in, [`run`] and `#[kumi::main]` take it. With several,
//! the program says which: `#[kumi::main(tokio)]`, [`run_on`], or the environment variable
//! `KUMI_BACKEND`; nothing is preferred in silence.
//!
//! # What is here
//!
//! | to | use |
//! |---|---|
//! | start a program | [`run`], [`#[kumi::main]`](macro@main), [`Runner`] |
//! | start tasks | [`spawn`], [`spawn_named`], [`spawn_detached`], [`spawn_local`], [`to_thread`], [`run_in_executor`] |
//! | wait for one, cancel it, let it go | [`JoinHandle`] |
//! | wait for time | [`sleep`], [`sleep_until`], [`timeout`], [`timeout_at`], [`now`] |
//! | give way | [`yield_now`], [`checkpoint`] |
//! | cancel a part of a task | [`CancelScope`], [`cancel_requested`], [`cancelled`] |
//! | clean up, with awaits, when cancelled | [`finally`], [`on_cancel`], [`bracket`], [`ExitStack`] |
//! | keep a part from being cut | [`uncancellable`] |
//! | start tasks that end before you go on | [`task_group`], [`task_group_with`], [`scope`] |
//! | run futures as tasks, in parallel, and have their outputs | [`spawned`], [`Combine`] |
//! | start work that outlives its awaiter | [`shield`], [`try_shield`] |
//! | hand values from task to task, one or many, to one or to all | [`channel`] |
//! | share a value, limit how many do something, wait for each other | [`sync`] |
//! | pass values down to child tasks | [`task_local!`] |
//! | use the network | [`net`] |
//! | find out what is slow, stuck or forgotten | [`debug`], [`report`] |
//! | test on every backend | [`#[kumi::test]`](macro@test) |
//! | write a library | [`kumi_core`](crate::core), or these functions with no backend turned on |
//!
//! [`cancellation`] explains how cancelling works, to those who know asyncio or tokio.
//!
//! # Inside somebody else's runtime
//!
//! With the feature `tokio`, all ambient functions work in a program that `#[tokio::main]` started:
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() {
//!     assert_eq!(kumi::spawn(async { 42 }).await.unwrap(), 42);
//! }
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod ambient;
pub mod backend;
pub mod cancellation;
#[cfg(unix)]
pub mod net;
mod run;
pub mod spawned;
pub mod sync;
#[doc(hidden)]
pub mod testing;

pub use kumi_core as core;
pub use kumi_core::blocking::BlockingPool;
pub use kumi_core::cancel::{
    CancelHandle, CancelReason, CancelScope, Cancelled, cancel_requested, cancelled, checkpoint,
    effective_deadline, poll_checkpoint,
};
pub use kumi_core::channel;
pub use kumi_core::cleanup::{
    ExitErrors, ExitFailed, ExitStack, finally, on_cancel, uncancellable,
};
pub use kumi_core::combine::{
    AsCompleted, Elapsed, Gather, RaceError, ReturnWhen, Timeout, TryGather, Wait, YieldNow,
    as_completed, gather, limited, race, race_ok, try_gather, wait, yield_now,
};
pub use kumi_core::debug;
pub use kumi_core::group::{
    ChildBuilder, ChildError, ChildHandle, Closed, Failure, GroupBuilder, GroupError, ScopeHandle,
    StartError, Started, scope, scope_send,
};
pub use kumi_core::report;
pub use kumi_core::run::{Interrupted, Runner};
pub use kumi_core::spawned::{Combine, SpawnedError};
pub use kumi_core::task::{
    JoinError, JoinHandle, Shield, Task, TaskId, TaskInfo, TryShield, current_task,
};
pub use kumi_core::task_local;
pub use kumi_macros::{main, test};

pub use ambient::{
    Hosted, TaskGroup, bracket, enter, hosted, now, run_in_executor, shield, sleep, sleep_until,
    spawn, spawn_detached, spawn_local, spawn_named, task_group, task_group_with, timeout,
    timeout_at, to_thread, try_shield,
};
pub use backend::{Backend, BackendKind, ChooseError};
pub use run::{run, run_on, run_with};

/// Defines, for the macros, what to do with code that needs one backend: keep it if the backend is
/// compiled in, and otherwise drop it (`if`) or say what is missing (`require`).
macro_rules! backend_macros {
    ($dollar:tt $($feature:literal $if:ident $require:ident),*) => {$(
        #[cfg(feature = $feature)]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $if { ($dollar($dollar code:tt)*) => { $dollar($dollar code)* } }
        #[cfg(not(feature = $feature))]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $if { ($dollar($dollar code:tt)*) => {} }

        #[cfg(feature = $feature)]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $require { () => {} }
        #[cfg(not(feature = $feature))]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $require {
            () => {
                ::core::compile_error!(concat!(
                    "the backend `", $feature, "` is not compiled in: turn on the feature `", $feature,
                    "` of the crate `kumi`"
                ));
            };
        }
    )*};
}

backend_macros! { $
    "loop" __if_loop __require_loop,
    "tokio" __if_tokio __require_tokio,
    "smol" __if_smol __require_smol,
    "sim" __if_sim __require_sim
}
