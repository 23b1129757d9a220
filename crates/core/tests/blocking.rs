//! Pools of threads that may block: growth, shrinking, threads that the system does not give, the end.

#![allow(
    clippy::disallowed_methods,
    reason = "a backend is where threads come from"
)]

#[path = "blocking/end.rs"]
mod end;
#[path = "blocking/refused.rs"]
mod refused;
#[path = "blocking/size.rs"]
mod size;
#[path = "blocking/soak.rs"]
mod soak;
#[path = "blocking/support.rs"]
mod support;
