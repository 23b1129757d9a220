//! A loop, and a list of what happened in which order.

use std::cell::RefCell;
use std::rc::Rc;

use kumi_core::runtime::Owned;
use kumi_loop::Loop;

pub(crate) fn new_loop() -> Owned<Loop> {
    Loop::new().expect("the loop starts")
}

/// What happened so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<u32>>>);

impl Log {
    pub(crate) fn add(&self, what: u32) {
        self.0.borrow_mut().push(what);
    }

    /// A callback that notes `what`.
    pub(crate) fn note(&self, what: u32) -> impl FnOnce() + 'static {
        let log = self.clone();
        move || log.add(what)
    }

    /// Takes what happened since the last time.
    pub(crate) fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.borrow_mut())
    }
}

/// Runs what is ready, as a stop before the run does.
pub(crate) fn tick(lp: &Loop) {
    lp.stop();
    lp.run_forever();
}
