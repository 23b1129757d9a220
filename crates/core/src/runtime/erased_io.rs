//! The erased form of I/O: registrations whose runtime is not known by type.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Direction, Done, Io, Registered, Source};

/// The object-safe view of an [`Io`] runtime.
pub trait DynIo: Send + Sync + 'static {
    /// See [`Io::register`].
    ///
    /// # Errors
    ///
    /// See [`Io::register`].
    fn register(&self, source: Arc<dyn AnySource>) -> io::Result<Box<dyn DynRegistered>>;
    /// Returns another handle.
    fn to_arc(&self) -> Arc<dyn DynIo>;
}

/// Anything with a descriptor, behind one type.
pub trait AnySource: AsFd + Send + Sync + 'static {}

impl<F: Source> AnySource for F {}

struct Shared(Arc<dyn AnySource>);

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<R: Io> DynIo for R {
    fn register(&self, source: Arc<dyn AnySource>) -> io::Result<Box<dyn DynRegistered>> {
        Ok(Box::new(Io::register(self, Shared(source))?))
    }

    fn to_arc(&self) -> Arc<dyn DynIo> {
        Arc::new(self.clone())
    }
}

/// The object-safe view of a [`Registered`] descriptor.
pub trait DynRegistered: Send + Sync + 'static {
    /// See [`Registered::poll_io`]; the operation says whether the descriptor is drained.
    ///
    /// # Errors
    ///
    /// See [`Registered::poll_io`].
    fn poll_io(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: &mut dyn FnMut() -> io::Result<Done<()>>,
    ) -> Poll<io::Result<()>>;

    /// See [`Registered::ready`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    fn ready(
        &self,
        direction: Direction,
    ) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync + '_>>;

    /// See [`Registered::try_io`].
    ///
    /// # Errors
    ///
    /// See [`Registered::try_io`].
    fn try_io(
        &self,
        direction: Direction,
        op: &mut dyn FnMut() -> io::Result<Done<()>>,
    ) -> io::Result<()>;
}

impl<G: Registered<Shared>> DynRegistered for G {
    fn poll_io(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: &mut dyn FnMut() -> io::Result<Done<()>>,
    ) -> Poll<io::Result<()>> {
        Registered::poll_io(self, cx, direction, |_| op())
    }

    fn ready(
        &self,
        direction: Direction,
    ) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync + '_>> {
        Box::pin(Registered::ready(self, direction))
    }

    fn try_io(
        &self,
        direction: Direction,
        op: &mut dyn FnMut() -> io::Result<Done<()>>,
    ) -> io::Result<()> {
        Registered::try_io(self, direction, |_| op())
    }
}

/// A descriptor registered with an [`AnyRuntime`](super::AnyRuntime).
pub struct AnyRegistered<F> {
    // The registration ends before the last reference to the descriptor may go.
    registered: Box<dyn DynRegistered>,
    source: Arc<F>,
}

impl<F: Source> AnyRegistered<F> {
    /// Registers `source`.
    ///
    /// # Errors
    ///
    /// See [`Io::register`].
    pub fn new(io: &dyn DynIo, source: F) -> io::Result<Self> {
        let source = Arc::new(source);
        let shared: Arc<dyn AnySource> = Arc::clone(&source) as Arc<dyn AnySource>;
        Ok(Self {
            registered: io.register(shared)?,
            source,
        })
    }
}

impl<F: fmt::Debug> fmt::Debug for AnyRegistered<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyRegistered").field(&self.source).finish()
    }
}

impl<F: Source> Registered<F> for AnyRegistered<F> {
    fn get_ref(&self) -> &F {
        &self.source
    }

    fn into_inner(self) -> io::Result<F> {
        let Self { registered, source } = self;
        drop(registered);
        Arc::into_inner(source).ok_or_else(|| {
            io::Error::other("the runtime keeps a descriptor whose registration has ended")
        })
    }

    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&F) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        let mut value = None;
        let poll = self.registered.poll_io(cx, direction, &mut || {
            let done = op(&self.source)?;
            value = Some(done.value);
            Ok(Done {
                value: (),
                drained: done.drained,
            })
        });
        poll.map_ok(|()| value.expect("the operation that succeeded left its value"))
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        self.registered.ready(direction).await
    }

    fn try_io<T>(
        &self,
        direction: Direction,
        op: impl FnOnce(&F) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        let mut op = Some(op);
        let mut value = None;
        self.registered.try_io(direction, &mut || {
            let op = op
                .take()
                .expect("`try_io` calls its operation at most once");
            let done = op(&self.source)?;
            value = Some(done.value);
            Ok(Done {
                value: (),
                drained: done.drained,
            })
        })?;
        Ok(value.expect("the operation that succeeded left its value"))
    }
}
