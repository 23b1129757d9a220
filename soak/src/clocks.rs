//! Sleeps that are measured, while the clock runs fast, slowly, or jumps.
//!
//! Ten sleeps one after the other, each measured by the clock of the runtime: the first says little of a
//! wheel that has turned. Besides, the shortest and the longest sleep that there are.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use kumi::backend::BackendSleep;
use kumi::{Backend, Runner};

use crate::facts::Facts;
use crate::run_on;

/// How many sleeps are measured.
const SLEEPS: usize = 10;

/// Measures sleeps of `each`: says by how many microseconds each ended too late, or, negative, too early.
///
/// # Panics
///
/// If Ctrl-C is pressed.
pub fn run(runtime: &Backend, each: Duration, facts: &Arc<Facts>) {
    let ran = run_on(runtime, Runner::new(), Box::pin(measure(each, facts)));
    ran.expect("nobody interrupts this");
}

async fn measure(each: Duration, facts: &Arc<Facts>) {
    facts.say("began", 0);
    for number in 1..=SLEEPS {
        let due = kumi::now() + each;
        kumi::sleep_until(due).await;
        let now = kumi::now();
        let late = now.saturating_duration_since(due).as_micros();
        let early = due.saturating_duration_since(now).as_micros();
        let sign = if early > 0 { "-" } else { "" };
        facts.say("sleep", format_args!("{number} {sign}{}", late.max(early)));
    }
    let began = kumi::now();
    kumi::sleep(Duration::ZERO).await;
    let nanosecond = Duration::from_nanos(1);
    kumi::sleep(nanosecond).await;
    let elapsed = kumi::timeout(nanosecond, std::future::pending::<()>()).await;
    facts.say("shortest", if elapsed.is_err() { "ok" } else { "wrong" });
    facts.say("shortest_took", (kumi::now() - began).as_micros());
    let mut longest = Box::pin(kumi::sleep(Duration::MAX));
    let pending = poll_fn(|cx| Poll::Ready(still_pending(longest.as_mut(), cx))).await;
    let value = kumi::timeout(Duration::MAX, async { 42 }).await;
    let holds = pending && value.is_ok();
    facts.say("longest", if holds { "ok" } else { "wrong" });
    drop(longest);
}

fn still_pending(sleep: Pin<&mut BackendSleep>, cx: &mut Context<'_>) -> bool {
    sleep.poll(cx).is_pending()
}
