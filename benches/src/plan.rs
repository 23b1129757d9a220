//! The scenarios, before anything of them is set up.

use std::io;

use crate::competitor::Competitor;
use crate::topics::Topic;

/// A scenario at one size, set up only if it is wanted: some hold threads and descriptors.
pub(crate) struct Plan {
    pub(crate) topic: &'static Topic,
    pub(crate) size: Option<usize>,
    /// How many units one run is.
    pub(crate) units: usize,
    /// Takes too long for a quick look.
    pub(crate) slow: bool,
    make: Box<dyn FnOnce() -> io::Result<Vec<Competitor>>>,
}

impl Plan {
    /// One of several sizes.
    pub(crate) fn sized(
        topic: &str,
        size: usize,
        units: usize,
        make: impl FnOnce() -> io::Result<Vec<Competitor>> + 'static,
    ) -> Self {
        Self {
            size: Some(size),
            ..Self::single(topic, units, make)
        }
    }

    /// Without sizes.
    pub(crate) fn single(
        topic: &str,
        units: usize,
        make: impl FnOnce() -> io::Result<Vec<Competitor>> + 'static,
    ) -> Self {
        Self {
            topic: Topic::called(topic),
            size: None,
            units,
            slow: false,
            make: Box::new(make),
        }
    }

    /// Not for a quick look, if `slow`.
    pub(crate) fn slow_if(self, slow: bool) -> Self {
        Self { slow, ..self }
    }

    /// The topic's name and the size.
    pub(crate) fn name(&self) -> String {
        match self.size {
            Some(size) => format!("{} {size}", self.topic.name),
            None => self.topic.name.to_owned(),
        }
    }

    pub(crate) fn make(self) -> io::Result<Vec<Competitor>> {
        (self.make)()
    }
}
