//! The root of a run: the scope of its main, and how many times it was asked to end.

use std::sync::Arc;
use std::task::Context;

use crate::context::{CancelReason, Node, Wall};
use crate::loom::{AtomicUsize, Ordering};
use crate::util::WakerSlot;

/// Shared between a run and whoever interrupts it.
#[derive(Debug)]
pub(crate) struct Root {
    requests: AtomicUsize,
    waker: WakerSlot,
    scope: Arc<Node>,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            requests: AtomicUsize::new(0),
            waker: WakerSlot::new(),
            scope: Arc::new(Node::new(Wall::None)),
        }
    }
}

impl Root {
    /// Asks the run to end, once more.
    pub(crate) fn interrupt(&self) {
        // Release: pairs with `requests`, which is read after the waker was registered.
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.scope.request(CancelReason::Interrupt);
        self.waker.wake();
    }

    /// The scope of main.
    pub(crate) fn scope(&self) -> &Arc<Node> {
        &self.scope
    }

    /// Stores the waker of the run; to be called before each look at `requests`.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.waker.register(cx.waker());
    }

    /// How many times the run was asked to end.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Acquire)
    }
}
