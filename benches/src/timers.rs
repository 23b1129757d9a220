//! Who takes part where there are many timers: made, moved, dropped, fired.
//!
//! All timers belong to one task; they lie in places that were there before, so that whoever needs an
//! allocation for a timer pays for it, and nobody else.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{io, mem, thread};

use crate::competitor::{BestOf, Competitor, Mark};
use crate::host::{GLOMMIO, Kumi, SMOL, SMOL_LOCAL, Timers, Who, each_host};
use crate::plan::Plan;
use crate::spawn::marked;
use crate::watch::Watch;

/// The part of a timer's life that is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Create,
    Reset,
    Cancel,
    Fire,
}

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let mut all = Vec::new();
    for (name, part, at_most) in [
        ("timers.create", Part::Create, 1.0),
        ("timers.reset", Part::Reset, 0.9),
        ("timers.cancel", Part::Cancel, 0.5),
        ("timers.fire", Part::Fire, 0.6),
    ] {
        for timers in [10, 1_000, 10_000, 100_000] {
            let (size, timers) = (timers, if smoke { 10 } else { timers });
            let make = move || competitors(timers, part, at_most);
            all.push(Plan::sized(name, size, timers, make));
        }
    }
    all
}

fn competitors(timers: usize, part: Part, at_most: f64) -> io::Result<Vec<Competitor>> {
    let mut all = Vec::new();
    each_host!(host => {
        if can(host.who(), timers, part) {
            all.push(one(host, timers, part));
        }
    });
    if part != Part::Fire {
        // Those of the simulator wait until nothing else is left to do.
        all.push(one(Kumi::sim(), timers, part));
    }
    let mark = Mark {
        at_most,
        best_of: BestOf::Peers,
    };
    let marks = if timers < 1_000 {
        Vec::new()
    } else {
        vec![mark]
    };
    Ok(marked(all, marks))
}

/// Whether a host can do this, and does it all on its thread.
fn can(who: Who, timers: usize, part: Part) -> bool {
    match who.name {
        // It counts the wakers of a task in sixteen bits.
        GLOMMIO => timers < 1 << 15,
        // The thread of async-io's reactor fires them while this one sleeps until they are due.
        _ if who.base == SMOL || who.name == SMOL_LOCAL => part != Part::Fire,
        _ => true,
    }
}

/// Between the first and the last deadline of those that are to fire.
const SPREAD: Duration = Duration::from_millis(10);

/// Deadlines from which nobody can guess the next: ten to seventy seconds from `start`.
fn far(start: Instant, number: usize) -> Instant {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    start + Duration::from_secs(10) + Duration::from_micros(mixed % 60_000_000)
}

/// Places for sleeps.
type Places<S> = Vec<Pin<Box<Option<S>>>>;

fn one<H: Timers>(mut host: H, timers: usize, part: Part) -> Competitor {
    let handle = host.handle();
    let mut places: Places<H::Sleep> = (0..timers).map(|_| Box::pin(None)).collect();
    host.who().measures(move |watch| {
        // tokio's budget would end a poll after a hundred timers.
        let life = tokio::task::unconstrained(life::<H>(&handle, &mut places, part, watch));
        host.block_on(life);
    })
}

async fn life<H: Timers>(
    handle: &H::Handle,
    places: &mut Places<H::Sleep>,
    part: Part,
    watch: &mut Watch,
) {
    let timers = places.len();
    let start = Instant::now();
    // Those that fire must all be armed before the first of them is due.
    let first = start + Duration::from_millis(5) + 2 * Duration::from_micros(timers as u64);
    let deadline = |number: usize| match part {
        Part::Fire => first + SPREAD * (number as u32 / 7 * 7) / timers as u32,
        _ => far(start, number),
    };
    in_one_poll(|cx| {
        measure(watch, part == Part::Create, || {
            for (number, place) in places.iter_mut().enumerate() {
                place.set(Some(H::sleep_until(handle, deadline(number))));
                // On a machine that stands still for long enough it is due already.
                if poll(place, cx).is_some_and(|poll| poll.is_ready()) {
                    place.set(None);
                }
            }
        });
    })
    .await;
    if part == Part::Reset {
        in_one_poll(|cx| {
            measure(watch, true, || {
                for (number, place) in places.iter_mut().enumerate() {
                    if let Some(sleep) = place.as_mut().as_pin_mut() {
                        H::reset(sleep, handle, far(start, timers + number), cx);
                    }
                }
            });
        })
        .await;
    }
    if part == Part::Fire {
        let due = first + SPREAD + Duration::from_millis(2);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        watch.start();
        fired(places).await;
        watch.stop();
    }
    measure(watch, part == Part::Cancel, || {
        places.iter_mut().for_each(|place| place.set(None));
    });
}

/// Gives the thread back, so that the timers fire, and waits for each.
async fn fired<S: Future>(places: &mut Places<S>) {
    let mut left = places.iter_mut();
    let mut waits_for: Option<&mut Pin<Box<Option<S>>>> = None;
    let mut fires = false;
    poll_fn(|cx| {
        if !mem::replace(&mut fires, true) {
            return Poll::Pending;
        }
        while let Some(place) = waits_for.take().or_else(|| left.next()) {
            if poll(place, cx).is_some_and(|poll| poll.is_pending()) {
                waits_for = Some(place);
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// Polls the sleep in a place, if there is one.
fn poll<S: Future>(
    place: &mut Pin<Box<Option<S>>>,
    cx: &mut Context<'_>,
) -> Option<Poll<S::Output>> {
    place.as_mut().as_pin_mut().map(|sleep| sleep.poll(cx))
}

async fn in_one_poll(mut f: impl FnMut(&mut Context<'_>)) {
    poll_fn(|cx| {
        f(cx);
        Poll::Ready(())
    })
    .await;
}

fn measure(watch: &mut Watch, measured: bool, f: impl FnOnce()) {
    if measured {
        watch.time(f);
    } else {
        f();
    }
}
