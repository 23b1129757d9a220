//! Does Kumi run on the executor behind `smol::spawn`, beside its native tasks?
#![cfg(feature = "global")]

use kumi_core::run::Runner;
use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::{SpawnBlockingExt, SpawnExt, SpawnLocalExt};
use kumi_smol::Smol;
use std::time::Duration;

#[test]
fn tasks_of_both_kinds_live_side_by_side() {
    let rt = Smol::global();
    let sum = rt.block_on(async {
        let native = smol::spawn(async { 1 });
        let ours = rt.spawn(async { 2 });
        let local = rt.spawn_local(async { 3 });
        let blocking = rt.spawn_blocking(|| 4);
        rt.sleep(Duration::from_millis(1)).await;
        native.await + ours.await.unwrap() + local.await.unwrap() + blocking.await.unwrap()
    });
    assert_eq!(sum, 10);
}

#[test]
fn a_run_leaves_nothing_of_its_own_behind() {
    let rt = Smol::global();
    let task = Runner::new().ctrl_c(false).run(&rt, async {
        let task = rt.spawn(std::future::pending::<()>());
        let reference = task.task();
        task.detach();
        reference
    });
    assert!(task.expect("nobody interrupts").is_finished());
}
