//! Combinators that know nothing of Kumi, as others write them.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use super::lock;

/// Polls both whenever it is polled, the first one first (`tokio::join!`).
pub(crate) async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none() {
            if let Poll::Ready(value) = a.as_mut().poll(cx) {
                first = Some(value);
            }
        }
        if second.is_none() {
            if let Poll::Ready(value) = b.as_mut().poll(cx) {
                second = Some(value);
            }
        }
        match first.is_some() && second.is_some() {
            true => Poll::Ready((
                first.take().expect("it is ready"),
                second.take().expect("it is ready"),
            )),
            false => Poll::Pending,
        }
    })
    .await
}

/// Polls `a`, then `b`; the first that is ready wins, and the other is dropped (`tokio::select!`).
pub(crate) async fn either<A: Future, B: Future<Output = A::Output>>(a: A, b: B) -> A::Output {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| match a.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(value),
        Poll::Pending => b.as_mut().poll(cx),
    })
    .await
}

/// Futures of which each has a waker of its own, and only those that were woken are polled
/// (`FuturesUnordered`). Gives the outputs in the order of the futures.
pub(crate) struct Unordered<F: Future> {
    members: Vec<Option<Pin<Box<F>>>>,
    outputs: Vec<Option<F::Output>>,
    woken: Arc<Woken>,
}

/// Who was woken, and whom to tell.
struct Woken(Mutex<(Vec<usize>, Option<Waker>)>);

/// The waker of one member.
struct Member(usize, Arc<Woken>);

impl Wake for Member {
    fn wake(self: Arc<Self>) {
        let parent = {
            let mut woken = lock(&self.1.0);
            woken.0.push(self.0);
            woken.1.take()
        };
        parent.into_iter().for_each(Waker::wake);
    }
}

/// Makes an [`Unordered`].
pub(crate) fn unordered<F: Future>(members: impl IntoIterator<Item = F>) -> Unordered<F> {
    let members: Vec<_> = members
        .into_iter()
        .map(|member| Some(Box::pin(member)))
        .collect();
    let all = (0..members.len()).collect();
    Unordered {
        outputs: members.iter().map(|_| None).collect(),
        members,
        woken: Arc::new(Woken(Mutex::new((all, None)))),
    }
}

impl<F: Future> Unpin for Unordered<F> {}

impl<F: Future> Future for Unordered<F> {
    type Output = Vec<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let woken = {
            let mut woken = lock(&this.woken.0);
            woken.1 = Some(cx.waker().clone());
            std::mem::take(&mut woken.0)
        };
        for index in woken {
            let Some(member) = &mut this.members[index] else {
                continue;
            };
            let waker = Waker::from(Arc::new(Member(index, Arc::clone(&this.woken))));
            if let Poll::Ready(output) = member.as_mut().poll(&mut Context::from_waker(&waker)) {
                this.members[index] = None;
                this.outputs[index] = Some(output);
            }
        }
        match this.outputs.iter().all(Option::is_some) {
            true => Poll::Ready(this.outputs.drain(..).flatten().collect()),
            false => Poll::Pending,
        }
    }
}
