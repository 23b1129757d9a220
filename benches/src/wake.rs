//! Who takes part where another thread wakes: one task, or many in a burst.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use std::{hint, thread};

use crate::competitor::{BestOf, Competitor, Mark};
use crate::host::{Host, each_host};
use crate::loads::{next, shuffled};
use crate::plan::Plan;

use crate::spawn::marked;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let (times, bursts, burst) = if smoke { (2, 1, 10) } else { (21, 5, 1_000) };
    vec![
        Plan::single("wake.one", times, move || {
            let (mut all, ringer) = (Vec::new(), Ringer::new());
            each_host!(host => all.extend(one(host, &ringer, times)));
            Ok(marked(all, marks()))
        }),
        Plan::sized("wake.burst", 1_000, bursts * burst, move || {
            let (mut all, ringer) = (Vec::new(), Ringer::new());
            each_host!(host => all.extend(in_bursts(host, &ringer, bursts, burst)));
            Ok(marked(all, marks()))
        }),
    ]
}

fn marks() -> Vec<Mark> {
    vec![Mark {
        at_most: 1.0,
        best_of: BestOf::Peers,
    }]
}

/// One task is woken again and again, while its thread sleeps: the time from the wake to the poll.
fn one<H: Host>(mut host: H, ringer: &Ringer, times: usize) -> Option<Competitor> {
    if !host.who().woken_from_elsewhere {
        return None;
    }
    let (handle, ringer) = (host.handle(), ringer.clone());
    let competitor = host.who().with_threads().measures(move |watch| {
        let ringer = ringer.clone();
        let task = async move {
            let mut took = Vec::with_capacity(times);
            for _ in 0..times {
                took.push(ringer.ring().await.elapsed());
            }
            took
        };
        let took = host.block_on(async { H::join(H::spawn(&handle, task)).await });
        watch.add_typical(took);
    });
    Some(competitor)
}

/// Many tasks are woken in a shuffled order, again and again: the time from the first wake until all have ended.
fn in_bursts<H: Host>(
    mut host: H,
    ringer: &Ringer,
    times: usize,
    tasks: usize,
) -> Option<Competitor> {
    if !host.who().woken_from_elsewhere {
        return None;
    }
    let (handle, ringer) = (host.handle(), ringer.clone());
    let order = shuffled(tasks);
    let competitor = host.who().with_threads().measures(move |watch| {
        let took = host.block_on(async {
            let mut took = Vec::with_capacity(times);
            for _ in 0..times {
                let bells = Arc::new(Bells::new(tasks));
                let spawn = |&place: &usize| {
                    let bells = Arc::clone(&bells);
                    H::spawn(&handle, async move { bells.rung(place).await })
                };
                let joins: Vec<_> = order.iter().map(spawn).collect();
                ringer.ring_all(&bells);
                for join in joins {
                    H::join(join).await;
                }
                took.push(bells.since());
            }
            took
        });
        watch.add_typical(took);
    });
    Some(competitor)
}

/// A thread that wakes others. One for all of a scenario: it spins for a while after its work, and two would
/// be in each other's way.
#[derive(Clone)]
pub(crate) struct Ringer(mpsc::Sender<Arc<Bells>>);

/// How long the ringer waits when all wait for it, so that the other thread has gone to sleep.
const ASLEEP: Duration = Duration::from_micros(20);

impl Ringer {
    pub(crate) fn new() -> Self {
        let (give, given) = mpsc::channel::<Arc<Bells>>();
        thread::spawn(move || {
            while let Some(bells) = next(&given) {
                bells.ring();
            }
        });
        Self(give)
    }

    /// Waits until it is woken; returns when it was rung.
    pub(crate) async fn ring(&self) -> Instant {
        let bells = Arc::new(Bells::new(1));
        self.ring_all(&bells);
        bells.rung(0).await
    }

    fn ring_all(&self, bells: &Arc<Bells>) {
        let given = self.0.send(Arc::clone(bells));
        given.expect("the ringer lives as long as this");
    }
}

/// What tasks wait for.
struct Bells {
    rung_at: OnceLock<Instant>,
    each: Box<[Bell]>,
}

#[derive(Default)]
struct Bell {
    waits: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bells {
    fn new(count: usize) -> Self {
        Self {
            rung_at: OnceLock::new(),
            each: (0..count).map(|_| Bell::default()).collect(),
        }
    }

    async fn rung(&self, place: usize) -> Instant {
        let bell = &self.each[place];
        poll_fn(|cx| self.poll(bell, cx)).await
    }

    fn poll(&self, bell: &Bell, cx: &Context<'_>) -> Poll<Instant> {
        let mut waker = bell.waker.lock().expect("nobody panics");
        if let (Some(rung_at), None) = (self.rung_at.get(), &*waker) {
            return Poll::Ready(*rung_at);
        }
        *waker = Some(cx.waker().clone());
        drop(waker);
        // Release: pairs with the look of the ringer.
        bell.waits.store(true, Ordering::Release);
        Poll::Pending
    }

    fn since(&self) -> Duration {
        let rung_at = self.rung_at.get();
        rung_at.expect("they were rung").elapsed()
    }

    fn ring(&self) {
        for bell in &self.each {
            // Acquire: pairs with the poll that waits.
            while !bell.waits.load(Ordering::Acquire) {
                hint::spin_loop();
            }
        }
        let begin = Instant::now();
        while begin.elapsed() < ASLEEP {
            hint::spin_loop();
        }
        self.rung_at.get_or_init(Instant::now);
        for bell in &self.each {
            let waker = bell.waker.lock().expect("nobody panics").take();
            waker.expect("it waits").wake();
        }
    }
}
