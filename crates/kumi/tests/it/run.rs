//! Does a run leave nothing behind?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kumi::BackendKind;

/// Notes that it was dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn what_main_leaves_is_cancelled_and_waited_for() {
    for kind in BackendKind::compiled_in() {
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = Flag(Arc::clone(&dropped));
        let value = kumi::run_on(*kind, async move {
            kumi::spawn(async move {
                let _flag = flag;
                kumi::sleep(Duration::MAX).await;
            })
            .detach();
            kumi::yield_now().await;
            42
        });
        assert_eq!(value, 42);
        assert!(dropped.load(Ordering::SeqCst), "on {kind}");
    }
}

#[test]
fn a_task_that_a_destructor_spawns_is_waited_for_too() {
    /// Spawns in its destructor, as a hand-written clean-up would.
    struct SpawnsLate(Arc<AtomicBool>);
    impl Drop for SpawnsLate {
        fn drop(&mut self) {
            let flag = Flag(Arc::clone(&self.0));
            kumi::spawn(async move {
                let _flag = flag;
                std::future::pending::<()>().await;
            })
            .detach();
        }
    }
    for kind in BackendKind::compiled_in() {
        let dropped = Arc::new(AtomicBool::new(false));
        let late = SpawnsLate(Arc::clone(&dropped));
        kumi::run_on(*kind, async move {
            kumi::spawn(async move {
                let _late = late;
                std::future::pending::<()>().await;
            })
            .detach();
            kumi::yield_now().await;
        });
        assert!(dropped.load(Ordering::SeqCst), "on {kind}");
    }
}

#[test]
fn the_panic_of_main_goes_on_after_the_rest_has_ended() {
    for kind in BackendKind::compiled_in() {
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = Flag(Arc::clone(&dropped));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            kumi::run_on(*kind, async move {
                kumi::spawn(async move {
                    let _flag = flag;
                    std::future::pending::<()>().await;
                })
                .detach();
                kumi::yield_now().await;
                panic!("main fails");
            });
        }));
        let panic = ended.expect_err("main panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"main fails"));
        assert!(dropped.load(Ordering::SeqCst), "on {kind}");
    }
}

#[test]
fn a_run_inside_a_task_is_refused_with_the_fix() {
    for kind in BackendKind::compiled_in() {
        let error = kumi::run_on(*kind, async {
            let nested = kumi::spawn(async { kumi::run_on(BackendKind::Sim, async {}) });
            nested.await.expect_err("it panics").to_string()
        });
        assert!(
            error.contains("`run` was called inside a task"),
            "on {kind}: {error}"
        );
    }
}
