//! The harness that cancels at every await finds what it is for: each scenario here has one fault.

use std::any::Any;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use kumi_conformance::everywhere::{Everywhere, Ledger, Way};
use kumi_core::cancel::{cancel_requested, checkpoint};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::task::SpawnExt;
use kumi_sim::Sim;

/// Runs a scenario on the simulator; gives the text of the failure.
fn failure<F>(
    everywhere: Everywhere,
    scenario: impl Fn(Sim, Ledger) -> F + Send + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let check = || everywhere.check(Sim::new, scenario);
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the fault was not found");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a text")).to_owned(),
    }
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
}

#[test]
fn a_clean_up_that_never_runs() {
    let text = failure(Everywhere::new("forgotten"), async |_, ledger: Ledger| {
        ledger.due("goodbye");
        ledger.step().await;
        ledger.clean_up("goodbye", ledger.step()).await;
    });
    // It is no region, so every way to end it skips the clean-up.
    assert_says(
        &text,
        &["`forgotten` failed at drop@1", "not ended: `goodbye`"],
    );
    assert_says(
        &text,
        &["trace: due goodbye", "again: KUMI_EVERYWHERE=drop@1"],
    );
    let soft = Everywhere::new("forgotten").ways(&[Way::Cancel]);
    let text = failure(soft, async |_, ledger: Ledger| {
        ledger.due("goodbye");
        ledger.step().await;
        ledger.clean_up("goodbye", ledger.step()).await;
    });
    assert_says(
        &text,
        &[
            "cancel@0",
            "the scope resolved before its clean-ups: `goodbye`",
        ],
    );
}

#[test]
fn a_clean_up_that_nobody_owes() {
    let text = failure(Everywhere::new("twice"), async |_, ledger: Ledger| {
        ledger.due("goodbye");
        ledger.clean_up("goodbye", async {}).await;
        ledger.clean_up("goodbye", async {}).await;
    });
    assert_says(&text, &["finish", "`goodbye` begins, and is not due"]);
}

#[test]
fn a_clean_up_that_is_cut_short() {
    let never = async |_, ledger: Ledger| {
        let body = async {
            ledger.due("goodbye");
            ledger.step().await;
        };
        // It gives up as soon as somebody cancels, which a clean-up must not hear.
        finally(body, async {
            drop(ledger.clean_up("goodbye", ledger.step()));
        })
        .await;
    };
    let text = failure(Everywhere::new("cut"), never);
    assert_says(&text, &["finish", "`goodbye`"]);
}

#[test]
fn a_part_that_is_cut() {
    let text = failure(Everywhere::new("commit"), async |_, ledger: Ledger| {
        ledger.uncut("commit", ledger.step()).await;
    });
    assert_says(&text, &["cancel@0", "`commit`, begun"]);
    // And the right way.
    let commit = async |_, ledger: Ledger| {
        uncancellable(ledger.uncut("commit", ledger.step())).await;
    };
    Everywhere::new("commit").check(Sim::new, commit);
}

#[test]
fn a_value_that_leaks() {
    static KEPT: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());
    let text = failure(Everywhere::new("leak"), async |_, ledger: Ledger| {
        let permit = ledger.hold("permit");
        ledger.step().await;
        KEPT.lock().unwrap().push(Box::new(permit));
    });
    assert_says(&text, &["finish", "`permit` was never dropped"]);
}

#[test]
fn a_task_that_stays() {
    let everywhere = Everywhere::new("stays").limit(Duration::from_secs(1));
    let text = failure(everywhere, async |rt: Sim, ledger: Ledger| {
        rt.spawn(pending::<()>()).detach();
        ledger.step().await;
    });
    assert_says(&text, &["finish", "it hangs: tasks are left"]);
}

#[test]
fn a_body_that_cannot_be_ended() {
    let everywhere = Everywhere::new("deaf").limit(Duration::from_secs(1));
    let text = failure(everywhere, async |_, ledger: Ledger| {
        let deaf = async {
            ledger.step().await;
            if cancel_requested() {
                pending::<()>().await;
            }
        };
        uncancellable(deaf).await;
    });
    assert_says(&text, &["it hangs: no end after 1s"]);
}

#[test]
fn a_wake_that_is_lost() {
    let everywhere = Everywhere::new("lost").limit(Duration::from_secs(1));
    let text = failure(everywhere, async |_, _| {
        let mut first = true;
        // Polled again it would be ready, but it wakes nobody.
        poll_fn(|_| match std::mem::replace(&mut first, false) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
    });
    assert_says(&text, &["finish", "it hangs: no end after 1s"]);
}

#[test]
fn a_waker_that_is_never_replaced() {
    let everywhere = Everywhere::new("stale").limit(Duration::from_secs(1));
    let text = failure(everywhere, async |rt: Sim, ledger: Ledger| {
        let kept = Arc::new(Mutex::new(None::<Waker>));
        let slot = Arc::clone(&kept);
        let task = rt.spawn(async move {
            for _ in 0..3 {
                kumi_core::combine::yield_now().await;
            }
            let waker = slot.lock().unwrap().take();
            waker.expect("it was kept").wake();
        });
        let wait = poll_fn(|cx| {
            kept.lock()
                .unwrap()
                .get_or_insert_with(|| cx.waker().clone());
            match task.is_finished() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        // Somebody else has it polled once more, with another waker.
        let beside = async {
            ledger.step().await;
            pending::<()>().await;
        };
        let (mut wait, mut beside) = (Box::pin(wait), Box::pin(beside));
        poll_fn(|cx| {
            let _ = beside.as_mut().poll(cx);
            wait.as_mut().poll(cx)
        })
        .await;
    });
    assert_says(&text, &["a new waker for each poll", "it hangs"]);
}

#[test]
fn a_waker_that_is_kept() {
    static KEPT: Mutex<Vec<Waker>> = Mutex::new(Vec::new());
    let text = failure(Everywhere::new("kept"), async |_, ledger: Ledger| {
        ledger.step().await;
        poll_fn(|cx| {
            KEPT.lock().unwrap().push(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
    });
    assert_says(&text, &["finish", "a waker of the body was never dropped"]);
}

#[test]
fn a_panic_and_a_report_that_were_not_expected() {
    let text = failure(Everywhere::new("panics"), async |_, ledger: Ledger| {
        ledger.step().await;
        assert_eq!(1 + 1, 3, "a panic of the test");
    });
    assert_says(
        &text,
        &["finish", "the body panicked", "a panic of the test"],
    );
    let text = failure(
        Everywhere::new("reports"),
        async |rt: Sim, ledger: Ledger| {
            rt.spawn(async { panic!("a task of the test") }).detach();
            ledger.step().await;
        },
    );
    assert_says(&text, &["finish", "reported:", "a task of the test"]);
}

#[test]
fn code_that_runs_after_a_cancel() {
    let text = failure(Everywhere::new("check"), async |_, ledger: Ledger| {
        let asked = uncancellable(async {
            ledger.step().await;
            cancel_requested()
        });
        ledger.check(!asked.await, "the test looks at the request");
    });
    assert_says(&text, &["the test looks at the request"]);
}

#[test]
fn a_scenario_that_suspends_less_often() {
    let everywhere = Everywhere::new("short").points(3);
    let text = failure(everywhere, async |_, ledger: Ledger| ledger.step().await);
    assert_says(&text, &["`short` has 2 points, and had 3"]);
}

#[test]
fn a_scenario_that_blocks_its_thread() {
    let everywhere = Everywhere::new("blocks").limit(Duration::from_millis(20));
    let text = failure(everywhere, async |_, _| {
        loop {
            thread::park();
        }
    });
    assert_says(&text, &["`blocks` blocks its thread at finish"]);
}

#[test]
fn what_is_right_passes_at_every_point() {
    let summary = Everywhere::new("right").check(Sim::new, async |_, ledger: Ledger| {
        let body = async {
            ledger.due("goodbye");
            let _permit = ledger.hold("permit");
            ledger.step().await;
            ledger.step().await;
        };
        finally(body, ledger.clean_up("goodbye", ledger.step())).await;
    });
    // Once without an end, and at four places in eight ways, two of them with a second place; twice each.
    assert_eq!(summary.points, 4);
    assert!(summary.runs > 2 * (1 + 4 * 8), "{summary:?}");
    let one = Everywhere::new("right").only("deadline@1".parse().unwrap());
    let summary = one.check(Sim::new, async |_, ledger: Ledger| {
        ledger.step().await;
        checkpoint().await;
    });
    assert_eq!(summary.runs, 4);
}
