//! Kumi.
