//! What a channel means, written down as plainly as possible.

use std::collections::BTreeMap;

/// What became of an operation that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    Sent,
    Reserved,
    /// The value, and its number in the order in which they came.
    Got(usize, usize),
    Refused(usize),
    Ended,
}

/// Values are named by their ids, operations by their numbers.
pub(crate) struct Model {
    capacity: usize,
    /// The values inside, by their order.
    inside: BTreeMap<usize, usize>,
    came: usize,
    promised: usize,
    /// Who waits for a place; without an id to reserve one.
    puts: Vec<(usize, Option<usize>)>,
    gets: Vec<usize>,
    served: BTreeMap<usize, Served>,
    closed: bool,
}

impl Model {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            inside: BTreeMap::new(),
            came: 0,
            promised: 0,
            puts: Vec::new(),
            gets: Vec::new(),
            served: BTreeMap::new(),
            closed: false,
        }
    }

    pub(crate) fn served(&self, operation: usize) -> Option<Served> {
        self.served.get(&operation).copied()
    }

    pub(crate) fn finish(&mut self, operation: usize) {
        self.served.remove(&operation);
        self.meet();
    }

    pub(crate) fn len(&self) -> usize {
        self.inside.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn is_over(&self) -> bool {
        // What was given and not seen may come back.
        let given = |served: &Served| matches!(served, Served::Got(..));
        let unseen = self.served.values().any(given);
        self.closed && self.inside.is_empty() && self.promised == 0 && !unseen
    }

    pub(crate) fn has_room(&self) -> bool {
        match self.capacity {
            0 => self.gets.len() > self.promised,
            capacity => self.inside.len() + self.promised < capacity,
        }
    }

    /// Values meet those who wait for them, places those who wait for one; then who waits in vain is
    /// told.
    fn meet(&mut self) {
        loop {
            if !self.inside.is_empty() && !self.gets.is_empty() {
                let (order, id) = self.inside.pop_first().expect("there is one");
                let operation = self.gets.remove(0);
                self.served.insert(operation, Served::Got(order, id));
            } else if !self.puts.is_empty() && self.has_room() {
                let (operation, value) = self.puts.remove(0);
                let served = match value {
                    Some(id) => {
                        self.come(id);
                        Served::Sent
                    }
                    None => {
                        self.promised += 1;
                        Served::Reserved
                    }
                };
                self.served.insert(operation, served);
            } else {
                break;
            }
        }
        if self.is_over() {
            for operation in self.gets.drain(..) {
                self.served.insert(operation, Served::Ended);
            }
        }
    }

    fn come(&mut self, id: usize) {
        self.inside.insert(self.came, id);
        self.came += 1;
    }

    /// A send, or a reserve.
    pub(crate) fn put(&mut self, operation: usize, value: Option<usize>) {
        if self.closed {
            let ended = value.map_or(Served::Ended, Served::Refused);
            self.served.insert(operation, ended);
        } else {
            self.puts.push((operation, value));
            self.meet();
        }
    }

    pub(crate) fn try_put(&mut self, id: usize) -> bool {
        let free = !self.closed && self.puts.is_empty() && self.has_room();
        if free {
            self.come(id);
            self.meet();
        }
        free
    }

    /// A receive. At a rendezvous it takes from the first who has a value in its hands, although others
    /// have reserved before: they have none yet.
    pub(crate) fn get(&mut self, operation: usize) {
        match self.try_get() {
            Some(id) => {
                self.served.insert(operation, Served::Got(0, id));
            }
            None => {
                self.gets.push(operation);
                self.meet();
            }
        }
    }

    pub(crate) fn try_get(&mut self) -> Option<usize> {
        if let Some((_, id)) = self.inside.pop_first() {
            self.meet();
            return Some(id);
        }
        let hands = self.puts.iter().position(|(_, value)| value.is_some());
        let place = hands.filter(|_| self.capacity == 0 && self.gets.is_empty())?;
        let (operation, value) = self.puts.remove(place);
        self.came += 1;
        self.served.insert(operation, Served::Sent);
        value
    }

    pub(crate) fn commit(&mut self, id: usize) {
        self.promised -= 1;
        self.come(id);
        self.meet();
    }

    pub(crate) fn give_up(&mut self) {
        self.promised -= 1;
        self.meet();
    }

    pub(crate) fn close(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.closed, true);
        for (operation, value) in self.puts.drain(..) {
            let ended = value.map_or(Served::Ended, Served::Refused);
            self.served.insert(operation, ended);
        }
        self.meet();
        first
    }

    /// An operation is dropped; gives the value that is dropped with it.
    pub(crate) fn leave(&mut self, operation: usize) -> Option<usize> {
        let mut dropped = None;
        self.puts.retain(|(other, value)| {
            if *other == operation {
                dropped = *value;
            }
            *other != operation
        });
        self.gets.retain(|other| *other != operation);
        match self.served.remove(&operation) {
            Some(Served::Got(order, id)) => {
                self.inside.insert(order, id);
            }
            Some(Served::Reserved) => self.promised -= 1,
            Some(Served::Refused(id)) => dropped = Some(id),
            _ => {}
        }
        self.meet();
        dropped
    }
}
