//! The facade: ambient functions, the choice of a backend, runs, foreign runtimes.
//!
//! One binary; each file asks one question.

mod ambient;
mod choose;
mod foreign;
mod interop;
mod macros;
mod run;
mod sync;
mod traits;
