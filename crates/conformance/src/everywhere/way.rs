//! In which ways a body is ended, and where: [`Way`], [`Point`].

use std::fmt;
use std::str::FromStr;

/// A way to end a body before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// Not at all: the body runs to its end.
    Finish,
    /// The hard way: its future is dropped.
    Drop,
    /// The scope around it is cancelled while nobody polls it.
    Cancel,
    /// The scope around it is cancelled from within, during a poll.
    CancelInside,
    /// It runs as a task, which is cancelled during a poll.
    CancelTask,
    /// The deadline of the scope around it is moved into the past.
    Deadline,
    /// The scope around it is cancelled, and while that unwinds, so is the scope around both.
    CancelTwice,
    /// The scope around it is cancelled, and while that unwinds, all is dropped.
    CancelThenDrop,
    /// The scope around it is cancelled, and has no time for clean-ups that wait.
    Grace,
}

impl Way {
    /// All of them, [`Finish`](Way::Finish) first.
    pub const ALL: [Self; 9] = [
        Self::Finish,
        Self::Drop,
        Self::Cancel,
        Self::CancelInside,
        Self::CancelTask,
        Self::Deadline,
        Self::CancelTwice,
        Self::CancelThenDrop,
        Self::Grace,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Finish => "finish",
            Self::Drop => "drop",
            Self::Cancel => "cancel",
            Self::CancelInside => "cancel-inside",
            Self::CancelTask => "cancel-task",
            Self::Deadline => "deadline",
            Self::CancelTwice => "cancel-twice",
            Self::CancelThenDrop => "cancel-then-drop",
            Self::Grace => "grace",
        }
    }

    /// Whether something happens a second time, later.
    pub(super) fn has_second(self) -> bool {
        matches!(self, Self::CancelTwice | Self::CancelThenDrop)
    }

    /// Whether clean-ups may be lost, if that is reported.
    pub(super) fn may_lose(self) -> bool {
        matches!(self, Self::Drop | Self::CancelThenDrop | Self::Grace)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A way and a place: what tells one run of a scenario from the others.
///
/// Written `cancel@3`: after the third poll of the body that was pending; `cancel-twice@3+1`: and
/// again after one more poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The way.
    pub way: Way,
    /// After how many polls of the body.
    pub after: usize,
    /// After how many more polls the second thing happens, if the way has one.
    pub then: usize,
}

impl Point {
    pub(super) fn finish() -> Self {
        Self {
            way: Way::Finish,
            after: 0,
            then: 0,
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.way.name())?;
        if self.way != Way::Finish {
            write!(f, "@{}", self.after)?;
        }
        if self.way.has_second() {
            write!(f, "+{}", self.then)?;
        }
        Ok(())
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, place) = text.split_once('@').unwrap_or((text, "0"));
        let (after, then) = place.split_once('+').unwrap_or((place, "0"));
        let number = |text: &str| {
            let parsed = text.parse::<usize>();
            parsed.map_err(|error| format!("`{text}` is no number of polls: {error}"))
        };
        let way = Way::ALL.into_iter().find(|way| way.name() == name);
        Ok(Self {
            way: way.ok_or_else(|| {
                let names = Way::ALL.map(Way::name).join(", ");
                format!("`{name}` is none of the ways: {names}")
            })?,
            after: number(after)?,
            then: number(then)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_as_they_are_written() {
        for way in Way::ALL {
            let point = Point {
                way,
                after: if way == Way::Finish { 0 } else { 3 },
                then: if way.has_second() { 2 } else { 0 },
            };
            assert_eq!(point.to_string().parse(), Ok(point));
        }
        assert!("cancel@x".parse::<Point>().is_err());
        assert!("vanish@1".parse::<Point>().is_err());
    }
}
