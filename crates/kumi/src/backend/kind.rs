//! Backends by name, and the choice of one.

use std::fmt;
use std::io;
use std::str::FromStr;

use kumi_core::runtime::Owned;

use super::Backend;

/// The environment variable that names the backend for programs that leave the choice open.
const VARIABLE: &str = "KUMI_BACKEND";

/// The name of a backend.
///
/// All names exist in every build; which of them are compiled in, [`compiled_in`](Self::compiled_in)
/// says.
///
/// # Examples
///
/// ```
/// use kumi::BackendKind;
///
/// let error = "tokyo".parse::<BackendKind>().unwrap_err();
/// assert!(error.to_string().starts_with("there is no backend `tokyo`"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendKind {
    /// Kumi's own event loop: feature and name `loop`.
    Loop,
    /// tokio: feature and name `tokio`.
    Tokio,
    /// smol: feature and name `smol`.
    Smol,
    /// The simulator: feature and name `sim`.
    Sim,
}

impl BackendKind {
    /// Returns the backends that are compiled in.
    #[must_use]
    pub fn compiled_in() -> &'static [Self] {
        &[
            #[cfg(feature = "loop")]
            Self::Loop,
            #[cfg(feature = "tokio")]
            Self::Tokio,
            #[cfg(feature = "smol")]
            Self::Smol,
            #[cfg(feature = "sim")]
            Self::Sim,
        ]
    }

    /// Whether this backend is compiled in.
    #[must_use]
    pub fn is_compiled_in(self) -> bool {
        Self::compiled_in().contains(&self)
    }

    /// Returns the name, which is also the name of the feature.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::Sim => "sim",
        }
    }

    /// Chooses the backend for a program that leaves the choice open.
    ///
    /// `KUMI_BACKEND` decides if it is set; otherwise the one backend that is compiled in. The
    /// simulator is for tests and is chosen by name, or if there is no other. No backend is preferred
    /// to another: a crate far away that turns a feature on must not move a program to another
    /// runtime in silence, so with several compiled in the choice has to be made by name.
    ///
    /// # Errors
    ///
    /// If no backend is compiled in, if several are and none is named, or if the named one is not
    /// compiled in. The text says what to do.
    pub fn choose() -> Result<Self, ChooseError> {
        if let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) {
            let name = name.to_string_lossy();
            return name.parse().map_err(|ChooseError(text)| {
                ChooseError(format!(
                    "{text} (named by the environment variable {VARIABLE})"
                ))
            });
        }
        let real = |kind: &&Self| **kind != Self::Sim;
        let mut real = Self::compiled_in().iter().filter(real);
        match (real.next(), real.next()) {
            (Some(kind), None) => Ok(*kind),
            (None, _) if Self::Sim.is_compiled_in() => Ok(Self::Sim),
            (None, _) => Err(ChooseError(
                "no backend is compiled in: turn on one of the features `loop`, `tokio`, `smol`, \
                 `sim` of the crate `kumi`"
                    .into(),
            )),
            (Some(_), Some(_)) => Err(ChooseError(format!(
                "several backends are compiled in ({}), and none is named: write \
                 `#[kumi::main(loop)]`, `kumi::run_on(kumi::BackendKind::Loop, ...)`, or set \
                 {VARIABLE}=loop",
                list(),
            ))),
        }
    }

    /// Makes a runtime of this kind with its usual settings; dropping the result shuts it down.
    ///
    /// tokio and smol get as many threads as there are processors.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the backend is not compiled in; otherwise what the system says, which has no
    /// descriptors or threads left.
    pub fn build(self) -> io::Result<Owned<Backend>> {
        #[cfg(any(feature = "tokio", feature = "smol"))]
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        match self {
            #[cfg(feature = "loop")]
            Self::Loop => own(Backend::Loop(super::Loop::new()?.into_inner())),
            #[cfg(feature = "tokio")]
            Self::Tokio => own(Backend::Tokio(super::Tokio::workers(threads)?.into_inner())),
            #[cfg(feature = "smol")]
            Self::Smol => own(Backend::Smol(super::Smol::threads(threads)?.into_inner())),
            #[cfg(feature = "sim")]
            Self::Sim => own(Backend::Sim(super::Sim::new().into_inner())),
            #[allow(
                unreachable_patterns,
                reason = "unreachable if all backends are compiled in"
            )]
            missing => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                missing.missing(),
            )),
        }
    }

    fn missing(self) -> ChooseError {
        let name = self.name();
        ChooseError(format!(
            "the backend `{name}` is not compiled in (compiled in: {}): turn on the feature `{name}` \
             of the crate `kumi`",
            list(),
        ))
    }
}

#[allow(dead_code, reason = "without a backend there is nothing to own")]
fn own(backend: Backend) -> io::Result<Owned<Backend>> {
    Ok(Owned::new(backend))
}

fn list() -> String {
    let names: Vec<_> = BackendKind::compiled_in()
        .iter()
        .map(|kind| kind.name())
        .collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BackendKind {
    type Err = ChooseError;

    /// # Errors
    ///
    /// If there is no backend of that name, or it is not compiled in.
    fn from_str(name: &str) -> Result<Self, ChooseError> {
        let all = [Self::Loop, Self::Tokio, Self::Smol, Self::Sim];
        match all.into_iter().find(|kind| kind.name() == name) {
            Some(kind) if kind.is_compiled_in() => Ok(kind),
            Some(kind) => Err(kind.missing()),
            None => Err(ChooseError(format!(
                "there is no backend `{name}` (compiled in: {})",
                list()
            ))),
        }
    }
}

/// The backend could not be chosen; the text says why and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChooseError(String);

impl fmt::Display for ChooseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ChooseError {}
