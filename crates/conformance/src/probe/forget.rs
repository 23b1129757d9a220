//! Forgetting, so that a leak that was not meant is still found.

use std::sync::Mutex;

use super::lock;

/// Where the values are that were forgotten.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Never drops the value, as `mem::forget`.
///
/// A leak checker finds it, and all that it holds, through its address.
pub(crate) fn forget<T>(value: T) {
    let kept: *const T = Box::leak(Box::new(value));
    lock(&KEPT).push(kept.expose_provenance());
}
