//! A limit that is reached, and moved before anybody is told.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use kumi_core::combine::timeout_at;
use kumi_core::runtime::{Clock, Runtime, Sleep};

use crate::support::poll;

/// A clock that tells the time, and wakes nobody.
#[derive(Clone)]
struct Silent<C>(C);

/// A sleep that does not end.
struct Endless(Instant);

impl<C: Clock> Clock for Silent<C> {
    type Sleep = Endless;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, at: Instant) -> Endless {
        Endless(at)
    }
}

impl Future for Endless {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sleep for Endless {
    fn deadline(&self) -> Instant {
        self.0
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.0 = at;
    }
}

#[test]
fn what_was_left_to_the_outer_limit_is_taken_back() {
    const SECOND: Duration = Duration::from_secs(1);
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    sim.block_on(async {
        let soon = rt.now() + SECOND;
        let later = soon + SECOND;
        let inner = RefCell::new(Box::pin(timeout_at(&rt, soon, pending::<()>())));
        let body = poll_fn(|cx| inner.borrow_mut().as_mut().poll(cx));
        // Late to notice that it is due, as any outer limit is: it looks after what is inside.
        let mut outer = Box::pin(timeout_at(&Silent(rt.clone()), soon, body));
        rt.sleep_until(soon).await;
        assert!(poll(outer.as_mut(), Waker::noop()).is_pending());
        assert!(!inner.borrow().is_expired(), "the outer one is to report");
        assert!(outer.as_mut().reschedule(None));
        assert!(inner.borrow_mut().as_mut().reschedule(Some(later)));
        assert!(poll(outer.as_mut(), Waker::noop()).is_pending());
        assert!(!inner.borrow().is_expired());
        assert!(outer.await.expect("it has no limit any more").is_err());
        assert_eq!(rt.now(), later);
    });
}
