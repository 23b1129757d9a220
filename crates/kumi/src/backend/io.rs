//! [`Backend`] as a runtime that waits for descriptors.

use std::io;
use std::task::{Context, Poll};

use kumi_core::runtime::{AnyRegistered, Direction, Done, Io, Registered, Source};

use super::Backend;

/// A descriptor registered with a [`Backend`].
#[derive(Debug)]
pub struct BackendIo<F: Source>(Inner<F>);

#[derive(Debug)]
enum Inner<F: Source> {
    #[cfg(feature = "loop")]
    Loop(kumi_loop::LoopIo<F>),
    #[cfg(feature = "tokio")]
    Tokio(kumi_tokio::TokioIo<F>),
    #[cfg(feature = "smol")]
    Smol(kumi_smol::SmolIo<F>),
    Other(AnyRegistered<F>),
}

impl Io for Backend {
    type Registered<F: Source> = BackendIo<F>;

    /// # Errors
    ///
    /// `Unsupported` on the simulator, which has no I/O; otherwise what the system says.
    fn register<F: Source>(&self, source: F) -> io::Result<BackendIo<F>> {
        Ok(BackendIo(match self {
            #[cfg(feature = "loop")]
            Self::Loop(runtime) => Inner::Loop(runtime.register(source)?),
            #[cfg(feature = "tokio")]
            Self::Tokio(runtime) => Inner::Tokio(runtime.register(source)?),
            #[cfg(feature = "smol")]
            Self::Smol(runtime) => Inner::Smol(runtime.register(source)?),
            #[cfg(feature = "sim")]
            Self::Sim(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "the simulator has no sockets: test I/O on `loop`, `tokio` or `smol`",
                ));
            }
            Self::Other(runtime) => Inner::Other(runtime.register(source)?),
        }))
    }
}

macro_rules! each {
    ($io:expr, $inner:ident => $do:expr) => {
        match $io {
            #[cfg(feature = "loop")]
            Inner::Loop($inner) => $do,
            #[cfg(feature = "tokio")]
            Inner::Tokio($inner) => $do,
            #[cfg(feature = "smol")]
            Inner::Smol($inner) => $do,
            Inner::Other($inner) => $do,
        }
    };
}

impl<F: Source> Registered<F> for BackendIo<F> {
    fn get_ref(&self) -> &F {
        each!(&self.0, io => io.get_ref())
    }

    fn into_inner(self) -> io::Result<F> {
        each!(self.0, io => io.into_inner())
    }

    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(&F) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        each!(&self.0, io => io.poll_io(cx, direction, op))
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        each!(&self.0, io => io.ready(direction).await)
    }

    fn try_io<T>(
        &self,
        direction: Direction,
        op: impl FnOnce(&F) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        each!(&self.0, io => io.try_io(direction, op))
    }
}
