//! Makes random programs.

use std::fmt;
use std::sync::Arc;

use fastrand::Rng;

use super::combine::Combine;

/// A program; `Region` and the like have a number, which is also the name of their clean-up.
pub(crate) enum Program {
    Step,
    Check,
    Sleep(u64),
    /// Waits for ever; only where something else ends it.
    Forever,
    /// Cancels the scope of this number, if it runs.
    Cancel(usize),
    Seq(Vec<Arc<Program>>),
    /// Polls both, like a foreign `join!`.
    Both(Arc<Program>, Arc<Program>),
    /// A scope with a number.
    Scope(usize, Arc<Program>),
    Shielded(Arc<Program>),
    Limit(u64, Arc<Program>),
    Region(usize, Arc<Program>, Arc<Program>),
    OnCancel(usize, Arc<Program>, Arc<Program>),
    Bracket(usize, Arc<Program>, Arc<Program>),
    Stack(Vec<usize>, Arc<Program>),
    Uncut(usize, Arc<Program>),
    Task(Arc<Program>),
    /// A task whose handle is dropped after a step.
    Dropped(Arc<Program>),
    Work(usize, Arc<Program>),
    Group(Vec<Arc<Program>>),
    InPlace(Vec<Arc<Program>>),
    Combine(Combine),
}

/// What may stand at a place of a program.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) depth: usize,
    /// Something around it ends it for sure.
    pub(crate) may_wait: bool,
}

impl Place {
    /// What nothing from outside ends.
    pub(crate) fn alone(self) -> Self {
        Self {
            may_wait: false,
            ..self
        }
    }

    /// What something around it ends.
    pub(crate) fn limited(self) -> Self {
        Self {
            may_wait: true,
            ..self
        }
    }
}

/// Makes programs.
pub(crate) struct Maker {
    pub(crate) random: Rng,
    /// How many regions and scopes there are.
    pub(crate) numbers: usize,
}

impl Maker {
    fn number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn part(&mut self, place: Place) -> Arc<Program> {
        Arc::new(self.program(place))
    }

    pub(crate) fn several(&mut self, place: Place) -> Vec<Arc<Program>> {
        let count = 1 + self.random.usize(..3);
        (0..count).map(|_| self.part(place)).collect()
    }

    pub(crate) fn program(&mut self, place: Place) -> Program {
        let inside = Place {
            depth: place.depth.saturating_sub(1),
            ..place
        };
        let (alone, limited) = (inside.alone(), inside.limited());
        let leaf = place.depth == 0;
        match self.random.usize(..if leaf { 7 } else { 42 }) {
            0..=2 => Program::Step,
            3 => Program::Check,
            4 => Program::Sleep(self.random.u64(..4)),
            5 => Program::Cancel(1 + self.random.usize(..self.numbers.max(1))),
            6 if place.may_wait => Program::Forever,
            6 => Program::Step,
            7..=10 => Program::Seq(self.several(inside)),
            11 | 12 => Program::Both(self.part(inside), self.part(inside)),
            13..=15 => Program::Scope(self.number(), self.part(inside)),
            16 => Program::Shielded(self.part(alone)),
            17 | 18 => Program::Limit(self.random.u64(..4), self.part(limited)),
            19..=21 => Program::Region(self.number(), self.part(inside), self.part(alone)),
            22 => Program::OnCancel(self.number(), self.part(inside), self.part(alone)),
            23 => Program::Bracket(self.number(), self.part(inside), self.part(alone)),
            24 => {
                let count = 1 + self.random.usize(..3);
                let exits = (0..count).map(|_| self.number()).collect();
                Program::Stack(exits, self.part(inside))
            }
            25 => Program::Uncut(self.number(), self.part(alone)),
            26 => Program::Task(self.part(inside)),
            27 => match self.random.usize(..2) {
                0 => Program::Dropped(self.part(inside)),
                _ => Program::Work(self.number(), self.part(alone)),
            },
            28 => Program::Group(self.several(inside)),
            29 => Program::InPlace(self.several(inside)),
            _ => Program::Combine(Combine::make(self, inside)),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step => f.write_str("step"),
            Self::Check => f.write_str("check"),
            Self::Sleep(time) => write!(f, "sleep {time}"),
            Self::Forever => f.write_str("forever"),
            Self::Cancel(number) => write!(f, "cancel {number}"),
            Self::Seq(parts) => f.debug_list().entries(parts).finish(),
            Self::Both(one, two) => write!(f, "both({one:?}, {two:?})"),
            Self::Scope(number, body) => write!(f, "scope {number}({body:?})"),
            Self::Shielded(body) => write!(f, "shielded({body:?})"),
            Self::Limit(time, body) => write!(f, "limit {time}({body:?})"),
            Self::Region(number, body, clean) => write!(f, "region {number}({body:?}; {clean:?})"),
            Self::OnCancel(number, body, clean) => {
                write!(f, "on cancel {number}({body:?}; {clean:?})")
            }
            Self::Bracket(number, body, clean) => {
                write!(f, "bracket {number}({body:?}; {clean:?})")
            }
            Self::Stack(exits, body) => write!(f, "stack {exits:?}({body:?})"),
            Self::Uncut(number, body) => write!(f, "uncut {number}({body:?})"),
            Self::Task(body) => write!(f, "task({body:?})"),
            Self::Dropped(body) => write!(f, "dropped({body:?})"),
            Self::Work(number, body) => write!(f, "work {number}({body:?})"),
            Self::Group(children) => write!(f, "group{children:?}"),
            Self::InPlace(children) => write!(f, "in place{children:?}"),
            Self::Combine(combine) => combine.fmt(f),
        }
    }
}
