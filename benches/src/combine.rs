//! Who takes part where futures are polled together: `gather` and `race`, in place.
//!
//! Everything is polled by hand, without a runtime: what is measured is the structure.

use std::cell::RefCell;
use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_concurrency::future::{Join as _, Race as _};
use kumi_core::combine::{gather, race};

use crate::Scenario;
use crate::competitors::{competitor, expected};
use crate::measure::Competitor;

const JOIN_ALL: &str = "futures::join_all";
const BUFFERED: &str = "futures_buffered::join_all";
const CONCURRENCY: &str = "futures_concurrency";
const KUMI: &str = "kumi";

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Scenario> {
    let mut all = Vec::new();
    for size in sizes(smoke, 100_000) {
        add(&mut all, "gather.ready", size, joins(size, Ready(size)));
    }
    for (name, yields) in [("gather.yield1", 1), ("gather.yield10", 10)] {
        for size in sizes(smoke, 100_000) {
            add(&mut all, name, size, joins(size, Yields { size, yields }));
        }
    }
    for size in sizes(smoke, 10_000) {
        add(
            &mut all,
            "gather.burst",
            size,
            joins(size, Burst::new(size)),
        );
        add(
            &mut all,
            "gather.drip",
            size,
            joins(size, Drip(Burst::new(size))),
        );
        add(
            &mut all,
            "gather.cross",
            size,
            joins(size, Cross::new(size)),
        );
    }
    for size in sizes(smoke, 1_000) {
        add(&mut all, "race.woken", size, races(size));
    }
    for (name, yields) in [
        ("tuple3.ready", 0),
        ("tuple3.yield1", 1),
        ("tuple3.yield10", 10),
    ] {
        let competitors = tuples(yields);
        let name = name.to_owned();
        all.push(Scenario {
            name,
            units: 3_000,
            competitors,
        });
    }
    let competitors = race_tuples();
    let name = "tuple3.race".to_owned();
    all.push(Scenario {
        name,
        units: 1_000,
        competitors,
    });
    all
}

fn sizes(smoke: bool, largest: usize) -> Vec<usize> {
    let all = [10, 100, 1_000, 10_000, 100_000];
    let fits = |size: &usize| *size <= if smoke { 10 } else { largest };
    all.into_iter().filter(fits).collect()
}

fn add(all: &mut Vec<Scenario>, name: &str, size: usize, competitors: Vec<Competitor>) {
    let name = format!("{name} {size}");
    all.push(Scenario {
        name,
        units: size,
        competitors,
    });
}

/// One way to wait for all futures of a `Vec`.
trait Join: Copy + 'static {
    fn join<F: Future<Output = usize>>(self, futures: Vec<F>) -> impl Future<Output = usize>;
}

#[derive(Clone, Copy)]
struct Kumi;

impl Join for Kumi {
    async fn join<F: Future<Output = usize>>(self, futures: Vec<F>) -> usize {
        gather(futures).await.into_iter().sum()
    }
}

#[derive(Clone, Copy)]
struct JoinAll;

impl Join for JoinAll {
    async fn join<F: Future<Output = usize>>(self, futures: Vec<F>) -> usize {
        futures::future::join_all(futures).await.into_iter().sum()
    }
}

#[derive(Clone, Copy)]
struct Ordered;

impl Join for Ordered {
    async fn join<F: Future<Output = usize>>(self, futures: Vec<F>) -> usize {
        use futures::StreamExt;
        let ordered: futures::stream::FuturesOrdered<F> = futures.into_iter().collect();
        let outputs: Vec<usize> = ordered.collect().await;
        outputs.into_iter().sum()
    }
}

#[derive(Clone, Copy)]
struct Buffered;

impl Join for Buffered {
    async fn join<F: Future<Output = usize>>(self, futures: Vec<F>) -> usize {
        futures_buffered::join_all(futures).await.into_iter().sum()
    }
}

#[derive(Clone, Copy)]
struct Concurrency;

impl Join for Concurrency {
    async fn join<F: Future<Output = usize>>(self, futures: Vec<F>) -> usize {
        futures.join().await.into_iter().sum()
    }
}

/// What is waited for.
trait Load: Clone + 'static {
    fn run(&mut self, join: impl Join) -> usize;
}

fn joins(size: usize, load: impl Load) -> Vec<Competitor> {
    fn one(name: &'static str, size: usize, load: &impl Load, join: impl Join) -> Competitor {
        let mut load = load.clone();
        // Where there are few, the simplest is the best peer.
        let base = if size > 10 { BUFFERED } else { JOIN_ALL };
        competitor(name, base, move || {
            assert_eq!(load.run(join), expected(size));
        })
    }
    vec![
        one(JOIN_ALL, size, &load, JoinAll),
        one("futures::FuturesOrdered", size, &load, Ordered),
        one(BUFFERED, size, &load, Buffered),
        one(CONCURRENCY, size, &load, Concurrency),
        one(KUMI, size, &load, Kumi),
    ]
}

/// A waker that notes that it was woken, and may unpark.
struct Flag {
    woken: AtomicBool,
    thread: Thread,
}

impl Flag {
    fn new() -> Arc<Self> {
        let (woken, thread) = (AtomicBool::new(false), thread::current());
        Arc::new(Self { woken, thread })
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

/// Polls whenever it is woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let flag = Flag::new();
    let waker = Waker::from(Arc::clone(&flag));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll(future.as_mut(), &waker) {
            return output;
        }
        while !flag.woken.swap(false, Ordering::AcqRel) {
            thread::park();
        }
    }
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// All are ready at once.
#[derive(Clone)]
struct Ready(usize);

impl Load for Ready {
    fn run(&mut self, join: impl Join) -> usize {
        let futures: Vec<_> = (0..self.0).map(|number| ready(black_box(number))).collect();
        block_on(join.join(black_box(futures)))
    }
}

/// Yields so many times.
struct Yield {
    left: usize,
    value: usize,
}

impl Future for Yield {
    type Output = usize;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        if self.left == 0 {
            return Poll::Ready(self.value);
        }
        self.left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// All yield.
#[derive(Clone)]
struct Yields {
    size: usize,
    yields: usize,
}

impl Load for Yields {
    fn run(&mut self, join: impl Join) -> usize {
        let left = self.yields;
        let futures = (0..self.size).map(|value| Yield { left, value }).collect();
        block_on(join.join(black_box(futures)))
    }
}

/// One-shots in one allocation, for one thread: as little as a channel can do.
type Cells = Rc<[RefCell<OneShot>]>;

#[derive(Default)]
struct OneShot {
    value: Option<usize>,
    waker: Option<Waker>,
}

impl OneShot {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<usize> {
        match self.value {
            Some(value) => Poll::Ready(value),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

struct Receiver {
    cells: Cells,
    index: usize,
}

impl Future for Receiver {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        self.cells[self.index].borrow_mut().poll(cx)
    }
}

fn channels(size: usize) -> (Cells, Vec<Receiver>) {
    let cells: Cells = (0..size).map(|_| RefCell::default()).collect();
    let receiver = |index| Receiver {
        cells: Rc::clone(&cells),
        index,
    };
    let receivers = (0..size).map(receiver).collect();
    (cells, receivers)
}

fn send(cells: &Cells, index: usize, value: usize) {
    let mut cell = cells[index].borrow_mut();
    cell.value = Some(value);
    let waker = cell.waker.take();
    drop(cell);
    waker.expect("it is waited for").wake();
}

/// One-shots, sent in a shuffled order in one go.
#[derive(Clone)]
struct Burst {
    order: Rc<[usize]>,
}

impl Burst {
    fn new(size: usize) -> Self {
        // A fixed shuffle.
        let mut order: Vec<_> = (0..size).collect();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for last in (1..size).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            order.swap(last, (state % (last as u64 + 1)) as usize);
        }
        let order = order.into();
        Self { order }
    }
}

impl Load for Burst {
    fn run(&mut self, join: impl Join) -> usize {
        let (cells, receivers) = channels(self.order.len());
        let waker = Waker::from(Flag::new());
        let mut all = pin!(join.join(receivers));
        begin(all.as_mut(), &waker, &cells);
        for &number in &*self.order {
            send(&cells, number, number);
        }
        finish(all, &waker)
    }
}

/// Polls until all are waited for: some peers end a poll early to give way.
fn begin<F: Future<Output: std::fmt::Debug>>(mut all: Pin<&mut F>, waker: &Waker, cells: &Cells) {
    let waits = |cell: &RefCell<OneShot>| cell.borrow().waker.is_some();
    loop {
        assert!(poll(all.as_mut(), waker).is_pending());
        if cells.last().is_none_or(waits) {
            return;
        }
    }
}

/// Polls until it is ready.
fn finish<F: Future>(mut all: Pin<&mut F>, waker: &Waker) -> F::Output {
    loop {
        if let Poll::Ready(output) = poll(all.as_mut(), waker) {
            return output;
        }
    }
}

/// One-shots, sent one by one, with a poll after each.
#[derive(Clone)]
struct Drip(Burst);

impl Load for Drip {
    fn run(&mut self, join: impl Join) -> usize {
        let (cells, receivers) = channels(self.0.order.len());
        let waker = Waker::from(Flag::new());
        let mut all = pin!(join.join(receivers));
        begin(all.as_mut(), &waker, &cells);
        for &number in &*self.0.order {
            send(&cells, number, number);
            if let Poll::Ready(sum) = poll(all.as_mut(), &waker) {
                return sum;
            }
        }
        unreachable!("the last one completes it")
    }
}

/// One-shots for two threads.
type SharedCells = Arc<[Mutex<OneShot>]>;

struct SharedReceiver {
    cells: SharedCells,
    index: usize,
}

impl Future for SharedReceiver {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let mut cell = self.cells[self.index].lock().expect("nobody panics");
        cell.poll(cx)
    }
}

/// One-shots, sent by another thread.
#[derive(Clone)]
struct Cross {
    size: usize,
    helper: mpsc::Sender<SharedCells>,
}

impl Cross {
    fn new(size: usize) -> Self {
        let order = Burst::new(size).order.to_vec();
        let (helper, batches) = mpsc::channel::<SharedCells>();
        thread::spawn(move || {
            for cells in batches {
                for &number in &order {
                    let mut cell = cells[number].lock().expect("nobody panics");
                    cell.value = Some(number);
                    let waker = cell.waker.take();
                    drop(cell);
                    waker.into_iter().for_each(Waker::wake);
                }
            }
        });
        Self { size, helper }
    }
}

impl Load for Cross {
    fn run(&mut self, join: impl Join) -> usize {
        let cells: SharedCells = (0..self.size).map(|_| Mutex::default()).collect();
        let receiver = |index| SharedReceiver {
            cells: Arc::clone(&cells),
            index,
        };
        let mut all = pin!(join.join((0..self.size).map(receiver).collect()));
        let mut cells = Some(Arc::clone(&cells));
        block_on(poll_fn(|cx| {
            let poll = all.as_mut().poll(cx);
            if let Some(cells) = cells.take() {
                self.helper.send(cells).expect("the helper waits");
            }
            poll
        }))
    }
}

/// N one-shots that are pending, one of which is sent; with building and dropping.
fn races(size: usize) -> Vec<Competitor> {
    fn one<F: Future<Output = usize>>(
        name: &'static str,
        size: usize,
        race: impl Fn(Vec<Receiver>) -> F + 'static,
    ) -> Competitor {
        competitor(name, CONCURRENCY, move || {
            let (cells, receivers) = channels(size);
            let waker = Waker::from(Flag::new());
            let mut race = pin!(race(receivers));
            begin(race.as_mut(), &waker, &cells);
            send(&cells, size / 2, 7);
            assert_eq!(finish(race, &waker), 7);
        })
    }
    vec![
        one(CONCURRENCY, size, |futures| async { futures.race().await }),
        one("futures::select_all", size, |futures| async {
            futures::future::select_all(futures).await.0
        }),
        one("futures_buffered, first", size, |futures| async {
            use futures::StreamExt;
            let mut all: futures_buffered::FuturesUnorderedBounded<_> =
                futures.into_iter().collect();
            all.next().await.expect("there is one")
        }),
        one(KUMI, size, |futures| async {
            race(futures).await.expect("there is one")
        }),
    ]
}

/// A thousand times three futures of different types.
fn tuples(left: usize) -> Vec<Competitor> {
    fn one<F: Future<Output = usize>>(
        name: &'static str,
        left: usize,
        join: impl Fn(Yield, Yield, Yield) -> F + 'static,
    ) -> Competitor {
        let waker = Waker::from(Flag::new());
        competitor(name, "tokio::join!", move || {
            for value in 0..1_000 {
                let child = |value| black_box(Yield { left, value });
                let mut all = pin!(join(child(value), child(1), child(2)));
                let sum = loop {
                    if let Poll::Ready(sum) = poll(all.as_mut(), &waker) {
                        break sum;
                    }
                };
                assert_eq!(sum, value + 3);
            }
        })
    }
    vec![
        one("tokio::join!", left, async |a, b, c| {
            let (a, b, c) = tokio::join!(a, b, c);
            a + b + c
        }),
        one("futures::join!", left, async |a, b, c| {
            let (a, b, c) = futures::join!(a, b, c);
            a + b + c
        }),
        one(CONCURRENCY, left, async |a, b, c| {
            let (a, b, c) = (a, b, c).join().await;
            a + b + c
        }),
        one(KUMI, left, async |a, b, c| {
            let (a, b, c) = gather((a, b, c)).await;
            a + b + c
        }),
    ]
}

/// A thousand times three one-shots, one of which is sent.
fn race_tuples() -> Vec<Competitor> {
    fn one<F: Future<Output = usize>>(
        name: &'static str,
        race: impl Fn([Receiver; 3]) -> F + 'static,
    ) -> Competitor {
        let waker = Waker::from(Flag::new());
        competitor(name, CONCURRENCY, move || {
            for value in 0..1_000 {
                let (cells, receivers) = channels(3);
                let receivers = receivers.try_into().ok().expect("there are three");
                let mut race = pin!(race(receivers));
                begin(race.as_mut(), &waker, &cells);
                send(&cells, value % 3, value);
                assert_eq!(finish(race, &waker), value);
            }
        })
    }
    vec![
        one(CONCURRENCY, async |[a, b, c]| (a, b, c).race().await),
        one("futures::select_biased!", async |[a, b, c]| {
            use futures::FutureExt;
            let (mut a, mut b, mut c) = (a.fuse(), b.fuse(), c.fuse());
            futures::select_biased! { a = a => a, b = b => b, c = c => c }
        }),
        one(KUMI, async |[a, b, c]| {
            race((a, b, c)).await.expect("there is one")
        }),
    ]
}
