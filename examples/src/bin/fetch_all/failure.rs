//! What can go wrong with one URL, by kind and with its own words.

use std::error::Error;
use std::fmt;
use std::io;

use kumi::{Elapsed, JoinError};

/// The kinds that are counted, in the order in which a request can meet them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    BadUrl,
    Scheme(String),
    NotFound,
    Refused,
    Connect,
    TimedOut,
    Malformed,
    BrokenOff,
    Panicked,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::BadUrl => "bad URL",
            Self::Scheme(scheme) => return write!(f, "unsupported scheme ({scheme})"),
            Self::NotFound => "name not found",
            Self::Refused => "connection refused",
            Self::Connect => "connect failed",
            Self::TimedOut => "timed out",
            Self::Malformed => "malformed answer",
            Self::BrokenOff => "broken off",
            Self::Panicked => "panicked",
        };
        f.write_str(text)
    }
}

/// Why one URL gave no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, detail: impl fmt::Display) -> Self {
        Self {
            kind,
            detail: detail.to_string(),
        }
    }

    /// For an error of the look-up or the connect.
    pub(crate) fn connect(error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Kind::Refused,
            io::ErrorKind::TimedOut => Kind::TimedOut,
            // A connect fails with a number of the system's; the resolver has words only.
            _ if error.raw_os_error().is_none() => Kind::NotFound,
            _ => Kind::Connect,
        };
        Self::new(kind, error)
    }
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        let kind = match error.is_parse() {
            true => Kind::Malformed,
            false => Kind::BrokenOff,
        };
        // hyper keeps the cause out of its own words.
        match error.source() {
            Some(cause) => Self::new(kind, format_args!("{error}: {cause}")),
            None => Self::new(kind, error),
        }
    }
}

impl From<Elapsed> for Failure {
    fn from(error: Elapsed) -> Self {
        Self::new(Kind::TimedOut, error)
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        Self::new(Kind::Panicked, error)
    }
}
