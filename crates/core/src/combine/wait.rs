//! Waiting for some of many, without ending any: [`wait`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::vec;

use super::container::Iter;
use super::policy::over;
use super::set::{Pool, Then, Turns};
use super::source::{FromIter, IntoSource};
use super::tuple::Tuple;
use crate::cancel::AmbientSleep;
use crate::debug::Unpolled;

/// When [`wait`] returns: one of [`AllCompleted`](Self::AllCompleted),
/// [`FirstCompleted`](Self::FirstCompleted), [`FirstError`](Self::FirstError).
///
/// Each is a type of its own, because `FirstError` needs futures that return a [`Result`].
#[derive(Debug)]
pub enum ReturnWhen {}

#[allow(
    non_upper_case_globals,
    reason = "they are written like the variants that they would be if they had one type"
)]
impl ReturnWhen {
    /// When all have finished.
    pub const AllCompleted: AllCompleted = AllCompleted;
    /// When at least one has finished.
    pub const FirstCompleted: FirstCompleted = FirstCompleted;
    /// When one has returned an error, or all have finished.
    pub const FirstError: FirstError = FirstError;
}

/// See [`ReturnWhen::AllCompleted`].
#[derive(Debug, Clone, Copy)]
pub struct AllCompleted;

/// See [`ReturnWhen::FirstCompleted`].
#[derive(Debug, Clone, Copy)]
pub struct FirstCompleted;

/// See [`ReturnWhen::FirstError`].
#[derive(Debug, Clone, Copy)]
pub struct FirstError;

/// Whether [`wait`] is to return because of an output `T`.
#[diagnostic::on_unimplemented(
    message = "`wait` cannot tell by `{Self}` whether `{T}` is what it waits for",
    note = "`ReturnWhen::FirstError` needs futures that return a `Result`"
)]
pub trait When<T> {
    /// Whether one that returned `output` is enough.
    fn is_enough(&self, output: &T) -> bool;

    /// How many outputs of so many members are to be expected: for them there is room at once.
    #[inline]
    fn expected(&self, members: usize) -> usize {
        members.min(1)
    }
}

impl<T> When<T> for AllCompleted {
    #[inline]
    fn is_enough(&self, _: &T) -> bool {
        false
    }

    #[inline]
    fn expected(&self, members: usize) -> usize {
        members
    }
}

impl<T> When<T> for FirstCompleted {
    #[inline]
    fn is_enough(&self, _: &T) -> bool {
        true
    }
}

impl<T, E> When<Result<T, E>> for FirstError {
    #[inline]
    fn is_enough(&self, output: &Result<T, E>) -> bool {
        output.is_err()
    }

    #[inline]
    fn expected(&self, members: usize) -> usize {
        members
    }
}

/// What [`wait`] takes: `Vec`, arrays, iterators of futures; tuples of one to twelve that return the same;
/// and the [`Pending`] of another `wait`.
///
/// `Kind` tells them apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`wait` cannot wait for `{Self}`",
    note = "`Vec<F>`, `[F; N]` and iterators over futures work, and the `pending` of another `wait`",
    note = "so do tuples of one to twelve futures that all return the same type"
)]
pub trait Members<Kind> {
    /// The futures.
    type Member: Future;

    /// Takes them.
    fn into_pending(self) -> Pending<Self::Member>;
}

impl<F: Future> Pending<F> {
    /// All `members`.
    fn of(members: Vec<F>) -> Self {
        let left = members.len();
        let pool = Pool::new(FromIter::new(members.into_iter()));
        Self { pool, left }
    }
}

impl<C: IntoIterator<Item: Future>> Members<Iter> for C {
    type Member = C::Item;

    fn into_pending(self) -> Pending<C::Item> {
        Pending::of(self.into_iter().collect())
    }
}

impl<C, I> Members<Tuple> for C
where
    C: IntoSource<Tuple, Source = FromIter<I>>,
    I: Iterator<Item: Future>,
{
    type Member = I::Item;

    fn into_pending(self) -> Pending<I::Item> {
        Pending::of(self.into_source().into_inner().collect())
    }
}

impl<F: Future> Members<Iter> for Pending<F> {
    type Member = F;

    fn into_pending(self) -> Self {
        self
    }
}

/// Waits until enough of `members` have finished, and gives back those that have not: none is ended.
///
/// (asyncio's `wait`.) The futures run in place. What has finished by then is in
/// [`done`](Wait::done), as it came, with its place among the members; the others are in
/// [`pending`](Wait::pending), which can be waited on again and stay where they are in memory. With
/// [`timeout`](Waiting::timeout) it returns in time whatever has finished. If there are no members it
/// returns at once.
///
/// Members may be borrowed: `wait((&mut one, &mut two), ..)` leaves them with the caller. A child's
/// cancellation, or its panic, is an outcome of a `JoinHandle`.
///
/// # Cancel safety
///
/// Dropping it drops the members that it was given by value, and the outputs so far; a `JoinHandle`
/// that is dropped cancels its task, as always. Pass `&mut` to keep them.
///
/// # Panics
///
/// With the panic of a member. When polled after it was ready.
///
/// # Examples
///
/// ```
/// use kumi_core::combine::{ReturnWhen, wait, yield_now};
/// use kumi_core::runtime::Runtime;
///
/// async fn steps(count: u32) -> u32 {
///     for _ in 0..count {
///         yield_now().await;
///     }
///     count
/// }
///
/// kumi_sim::Sim::new().block_on(async {
///     let first = wait([steps(3), steps(1), steps(2)], ReturnWhen::FirstCompleted).await;
///     assert_eq!(first.done, [(1, 1)]);
///     assert_eq!(first.pending.len(), 2);
///     let rest = wait(first.pending, ReturnWhen::AllCompleted).await;
///     assert_eq!(rest.done, [(2, 2), (0, 3)]);
///     assert!(rest.pending.is_empty());
/// });
/// ```
#[track_caller]
pub fn wait<M, W, Kind>(members: M, when: W) -> Waiting<M::Member, W>
where
    M: Members<Kind>,
    W: When<<M::Member as Future>::Output>,
{
    Waiting {
        pending: Some(members.into_pending()),
        done: Vec::new(),
        when,
        enough: false,
        limit: Limit::Never,
        sleep: None,
        late: false,
        unpolled: Unpolled::new(WAIT),
    }
}

/// How [`wait`] ended.
#[derive(Debug)]
pub struct Wait<F: Future> {
    /// Who has finished, in the order in which they came: the place among the members of the first
    /// `wait`, counted from zero, and the output.
    pub done: Vec<(usize, F::Output)>,
    /// Who has not.
    pub pending: Pending<F>,
}

/// Members of a [`wait`] that have not finished; dropping it drops them.
///
/// They make no progress until they are waited for again.
#[must_use = "dropping it drops the futures: wait for them again, or drop it by name"]
pub struct Pending<F: Future> {
    pool: Pool<FromIter<vec::IntoIter<F>>>,
    left: usize,
}

impl<F: Future> Pending<F> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl<F: Future> fmt::Debug for Pending<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("len", &self.left)
            .finish_non_exhaustive()
    }
}

/// A time limit before and after the first poll.
#[derive(Debug, Clone, Copy)]
enum Limit {
    Never,
    After(Duration),
    At(Instant),
}

/// The future of [`wait`].
#[must_use = "futures do nothing unless polled"]
pub struct Waiting<F: Future, W> {
    pending: Option<Pending<F>>,
    done: Vec<(usize, F::Output)>,
    when: W,
    enough: bool,
    limit: Limit,
    sleep: Option<AmbientSleep>,
    late: bool,
    unpolled: Unpolled,
}

impl<F: Future, W> Waiting<F, W> {
    /// Returns after `limit` in any case, counted from the first poll, on the ambient clock. A limit of
    /// zero looks once.
    ///
    /// # Panics
    ///
    /// When polled outside of any Kumi runtime: there is no clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    /// use kumi_core::combine::{ReturnWhen, wait};
    /// use kumi_core::runtime::Runtime;
    ///
    /// kumi_sim::Sim::new().block_on(async {
    ///     let never = [pending::<()>(), pending()];
    ///     let waited = wait(never, ReturnWhen::AllCompleted).timeout(Duration::from_secs(3600)).await;
    ///     assert_eq!((waited.done.len(), waited.pending.len()), (0, 2));
    /// });
    /// ```
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Limit::After(limit);
        self
    }

    /// Returns at `deadline` in any case, on the ambient clock.
    ///
    /// # Panics
    ///
    /// As [`timeout`](Self::timeout).
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.limit = Limit::At(deadline);
        self
    }

    /// Whether the time is over.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> bool {
        let sleep = match (&mut self.sleep, self.limit) {
            (_, Limit::Never) => return false,
            (Some(sleep), _) => sleep,
            (none, Limit::After(limit)) => none.insert(AmbientSleep::after(limit, LIMIT)),
            (none, Limit::At(deadline)) => none.insert(AmbientSleep::until(deadline, LIMIT)),
        };
        sleep.poll(cx).is_ready()
    }
}

const WAIT: &str = "wait";
const LIMIT: &str = "`wait` with a time limit";

impl<F: Future, W> Unpin for Waiting<F, W> {}

impl<F: Future, W: When<F::Output>> Future for Waiting<F, W> {
    type Output = Wait<F>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Wait<F>> {
        let this = self.get_mut();
        this.unpolled.polled();
        // First the clock, so that the time counts from before the first poll of the members.
        this.late = this.late || this.poll_limit(cx);
        let Some(pending) = &mut this.pending else {
            over(WAIT);
        };
        let begun = pending.pool.drawn();
        let (pool, left) = (&mut pending.pool, &mut pending.left);
        let take = |place, output, _| {
            if this.done.is_empty() {
                this.done
                    .reserve_exact(this.when.expected(*left).min(*left));
            }
            *left -= 1;
            this.enough |= this.when.is_enough(&output);
            this.done.push((place, output));
            Then::Draw
        };
        pool.poll(cx, None, Then::Draw, Turns::New, WAIT, take);
        // Whoever still waits for a first poll, which the budget has put off, gets it.
        let looks_on = pending.pool.was_cut_short() && pending.pool.drawn() > begun;
        let late = this.late && !looks_on;
        if !(this.enough || late || pending.is_empty()) {
            return Poll::Pending;
        }
        let pending = this.pending.take();
        Poll::Ready(Wait {
            done: std::mem::take(&mut this.done),
            pending: pending.unwrap_or_else(|| over(WAIT)),
        })
    }
}

impl<F: Future, W> fmt::Debug for Waiting<F, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("done", &self.done.len())
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}
