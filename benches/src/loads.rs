//! What is waited for where futures are polled together, and the hands that poll and send.

use std::cell::RefCell;
use std::future::{Future, poll_fn, ready};
use std::hint::{self, black_box};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// One way to wait for all futures of a `Vec`.
pub(crate) trait Join: Copy + 'static {
    fn join<F: Future<Output = usize> + Unpin>(
        self,
        futures: Vec<F>,
    ) -> impl Future<Output = usize>;
}

/// What is waited for.
pub(crate) trait Load: Clone + 'static {
    fn run(&mut self, join: impl Join) -> usize;
}

/// A waker that notes that it was woken, and may unpark.
pub(crate) struct Flag {
    woken: AtomicBool,
    thread: Thread,
}

impl Flag {
    pub(crate) fn new() -> Arc<Self> {
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
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
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

pub(crate) fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// All are ready at once.
#[derive(Clone)]
pub(crate) struct Ready(pub(crate) usize);

impl Load for Ready {
    fn run(&mut self, join: impl Join) -> usize {
        let futures: Vec<_> = (0..self.0).map(|number| ready(black_box(number))).collect();
        block_on(join.join(black_box(futures)))
    }
}

/// Yields so many times.
pub(crate) struct Yield {
    pub(crate) left: usize,
    pub(crate) value: usize,
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
pub(crate) struct Yields {
    pub(crate) size: usize,
    pub(crate) yields: usize,
}

impl Load for Yields {
    fn run(&mut self, join: impl Join) -> usize {
        let left = self.yields;
        let futures = (0..self.size).map(|value| Yield { left, value }).collect();
        block_on(join.join(black_box(futures)))
    }
}

/// One-shots in one allocation, for one thread: as little as a channel can do.
pub(crate) type Cells = Rc<[RefCell<OneShot>]>;

#[derive(Default)]
pub(crate) struct OneShot {
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

pub(crate) struct Receiver {
    cells: Cells,
    index: usize,
}

impl Future for Receiver {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        self.cells[self.index].borrow_mut().poll(cx)
    }
}

pub(crate) fn channels(size: usize) -> (Cells, Vec<Receiver>) {
    let cells: Cells = (0..size).map(|_| RefCell::default()).collect();
    let receiver = |index| Receiver {
        cells: Rc::clone(&cells),
        index,
    };
    let receivers = (0..size).map(receiver).collect();
    (cells, receivers)
}

pub(crate) fn send(cells: &Cells, index: usize, value: usize) {
    let mut cell = cells[index].borrow_mut();
    cell.value = Some(value);
    let waker = cell.waker.take();
    drop(cell);
    waker.expect("it is waited for").wake();
}

/// One-shots, sent in a shuffled order in one go.
#[derive(Clone)]
pub(crate) struct Burst {
    order: Rc<[usize]>,
}

impl Burst {
    pub(crate) fn new(size: usize) -> Self {
        let order = shuffled(size).into();
        Self { order }
    }
}

/// The numbers below `size` in a shuffled order, always the same.
pub(crate) fn shuffled(size: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..size).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for last in (1..size).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(last, (state % (last as u64 + 1)) as usize);
    }
    order
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
pub(crate) fn begin<F: Future<Output: std::fmt::Debug>>(
    mut all: Pin<&mut F>,
    waker: &Waker,
    cells: &Cells,
) {
    let waits = |cell: &RefCell<OneShot>| cell.borrow().waker.is_some();
    loop {
        assert!(poll(all.as_mut(), waker).is_pending());
        if cells.last().is_none_or(waits) {
            return;
        }
    }
}

/// Polls until it is ready.
pub(crate) fn finish<F: Future>(mut all: Pin<&mut F>, waker: &Waker) -> F::Output {
    loop {
        if let Poll::Ready(output) = poll(all.as_mut(), waker) {
            return output;
        }
    }
}

/// One-shots, sent one by one, with a poll after each.
#[derive(Clone)]
pub(crate) struct Drip(pub(crate) Burst);

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
pub(crate) type SharedCells = Arc<[Mutex<OneShot>]>;

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
pub(crate) struct Cross {
    size: usize,
    helper: mpsc::Sender<SharedCells>,
}

impl Cross {
    pub(crate) fn new(size: usize) -> Self {
        let order = Burst::new(size).order.to_vec();
        let (helper, batches) = mpsc::channel::<SharedCells>();
        thread::spawn(move || {
            while let Some(cells) = next(&batches) {
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

/// The next batch. Looks for it for a while before it sleeps, so that nobody has to wake this thread in the
/// middle of a measurement; none if there will be no more.
pub(crate) fn next<T>(batches: &mpsc::Receiver<T>) -> Option<T> {
    for _ in 0..100_000 {
        match batches.try_recv() {
            Ok(batch) => return Some(batch),
            Err(TryRecvError::Empty) => hint::spin_loop(),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
    batches.recv().ok()
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
