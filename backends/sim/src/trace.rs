//! What was chosen in a run, as a value and as a text: [`Trace`].
//!
//! A run is determined by its program and by who ran next wherever more than one could. A trace is the
//! list of those choices and of nothing else; in particular there are no task numbers in it, which
//! depend on what ran before in the process.

use std::fmt;
use std::iter::Peekable;
use std::str::{CharIndices, FromStr};

/// The choices of a run, in their order.
///
/// Each is one of several ready steps: the `choice`-th oldest of `of`. Steps without an alternative are
/// left out.
///
/// # Text form
///
/// `Display` writes it and `FromStr` reads it, with any white space in between. A choice is two digits
/// of base 36, `25` for "2 of 5" (counted from 0), or `(40/100)` if more than 35 were ready; `*3`
/// after it repeats it, and a dot ends the number if more follows.
///
/// # Examples
///
/// ```
/// use kumi_sim::Trace;
///
/// let trace: Trace = "02*3.25(40/100)".parse()?;
/// assert_eq!(trace.len(), 5);
/// assert_eq!(trace.to_string(), "02*3.25(40/100)");
/// # Ok::<(), kumi_sim::ParseTraceError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Trace {
    // Neighbours differ, so that equal traces have equal runs.
    runs: Vec<Run>,
}

/// The same choice some times in a row: a queue in which few tasks take turns needs little room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) choice: u32,
    pub(crate) of: u32,
    pub(crate) times: u64,
}

impl Trace {
    /// Adds a choice.
    pub(crate) fn push(&mut self, choice: usize, of: usize) {
        let number = |n| u32::try_from(n).expect("fewer than 2^32 jobs are ready");
        self.push_run(Run {
            choice: number(choice),
            of: number(of),
            times: 1,
        });
    }

    fn push_run(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(last) if (last.choice, last.of) == (run.choice, run.of) => {
                last.times = last.times.saturating_add(run.times);
            }
            _ => self.runs.push(run),
        }
    }

    /// Returns the run with this index.
    pub(crate) fn run(&self, index: usize) -> Option<Run> {
        self.runs.get(index).copied()
    }

    /// Returns how many choices there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        let times = self.runs.iter().map(|run| run.times);
        times.fold(0, u64::saturating_add)
    }

    /// Whether there was nothing to choose.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Returns a number that differs between different traces, as good as surely.
    ///
    /// The same on every machine and in every version of this crate: to compare runs by a short text.
    #[must_use]
    pub fn hash(&self) -> u64 {
        // FNV-1a.
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let words = self
            .runs
            .iter()
            .flat_map(|run| [u64::from(run.choice), u64::from(run.of), run.times]);
        words.flat_map(u64::to_le_bytes).fold(OFFSET, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        })
    }
}

// ===== the text form =====

/// The base of the short form.
const BASE: u32 = 36;

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |n: u32| char::from_digit(n, BASE);
        for (index, run) in self.runs.iter().enumerate() {
            match (digit(run.choice), digit(run.of)) {
                (Some(choice), Some(of)) => write!(f, "{choice}{of}")?,
                _ => write!(f, "({}/{})", run.choice, run.of)?,
            }
            if run.times > 1 {
                write!(f, "*{}", run.times)?;
                if index + 1 < self.runs.len() {
                    f.write_str(".")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace(\"{self}\")")
    }
}

impl FromStr for Trace {
    type Err = ParseTraceError;

    fn from_str(text: &str) -> Result<Self, ParseTraceError> {
        let mut reader = Reader {
            chars: text.char_indices().peekable(),
            end: text.len(),
        };
        let mut trace = Self::default();
        while reader.peek().is_some() {
            trace.push_run(reader.run()?);
        }
        Ok(trace)
    }
}

struct Reader<'a> {
    chars: Peekable<CharIndices<'a>>,
    end: usize,
}

impl Reader<'_> {
    /// The next character that is no white space.
    fn peek(&mut self) -> Option<char> {
        while self.chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        self.chars.peek().map(|&(_, c)| c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.chars.next();
        }
        found
    }

    fn error<T>(&mut self, expected: &'static str) -> Result<T, ParseTraceError> {
        let at = self.chars.peek().map_or(self.end, |&(at, _)| at);
        Err(ParseTraceError { at, expected })
    }

    fn run(&mut self) -> Result<Run, ParseTraceError> {
        let (choice, of) = if self.eat('(') {
            let choice = self.number()?;
            if !self.eat('/') {
                return self.error("a `/`");
            }
            let of = self.number()?;
            if !self.eat(')') {
                return self.error("a `)`");
            }
            (choice, of)
        } else {
            (u64::from(self.digit()?), u64::from(self.digit()?))
        };
        let (Ok(choice), Ok(of)) = (u32::try_from(choice), u32::try_from(of)) else {
            return self.error("a smaller number before this");
        };
        if of < 2 || choice >= of {
            return self.error("a choice among two or more before this");
        }
        let mut times = 1;
        if self.eat('*') {
            times = self.number()?;
            if times == 0 {
                return self.error("a number above zero before this");
            }
            if !self.eat('.') && self.peek().is_some() {
                return self.error("a dot");
            }
        }
        Ok(Run { choice, of, times })
    }

    fn digit(&mut self) -> Result<u32, ParseTraceError> {
        match self.peek().and_then(|c| c.to_digit(BASE)) {
            Some(digit) => {
                self.chars.next();
                Ok(digit)
            }
            None => self.error("a digit or a `(`"),
        }
    }

    fn number(&mut self) -> Result<u64, ParseTraceError> {
        let mut number: Option<u64> = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let longer = number.unwrap_or(0).checked_mul(10);
            number = longer.and_then(|n| n.checked_add(u64::from(digit)));
            if number.is_none() {
                return self.error("a smaller number");
            }
            self.chars.next();
        }
        match number {
            Some(number) => Ok(number),
            None => self.error("a number"),
        }
    }
}

/// A text is no [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseTraceError {
    at: usize,
    expected: &'static str,
}

impl fmt::Display for ParseTraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, expected } = self;
        write!(f, "this is no trace: at byte {at}, expected {expected}")
    }
}

impl std::error::Error for ParseTraceError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(choices: &[(usize, usize)]) -> Trace {
        let mut trace = Trace::default();
        for &(choice, of) in choices {
            trace.push(choice, of);
        }
        trace
    }

    #[test]
    fn the_text_is_compact_and_comes_back() {
        let cases = [
            (trace(&[]), ""),
            (trace(&[(0, 2)]), "02"),
            (trace(&[(0, 2), (0, 2), (0, 3)]), "02*2.03"),
            (trace(&[(9, 10), (34, 35), (34, 35)]), "9ayz*2"),
            (trace(&[(1, 36), (40, 100), (1, 2)]), "(1/36)(40/100)12"),
            (trace(&[(40, 100), (40, 100), (1, 2)]), "(40/100)*2.12"),
        ];
        for (trace, text) in cases {
            assert_eq!(trace.to_string(), text);
            assert_eq!(text.parse::<Trace>().as_ref(), Ok(&trace));
        }
    }

    #[test]
    fn a_text_may_be_broken_into_lines_and_need_not_be_the_shortest() {
        let wanted = trace(&[(0, 2), (0, 2), (0, 3)]);
        for text in [
            "02\n  02 03\n",
            "0 2*1.02 03",
            "(0/2)*2. (0 / 3)",
            "02*2.03*1.",
        ] {
            assert_eq!(text.parse::<Trace>().as_ref(), Ok(&wanted), "{text:?}");
        }
    }

    #[test]
    fn a_broken_text_is_refused_with_its_place() {
        let cases = [
            ("0", 1, "a digit or a `(`"),
            ("02-", 2, "a digit or a `(`"),
            ("0201*", 4, "a choice among"),
            ("22", 2, "a choice among"),
            ("02*", 3, "a number"),
            ("02*0", 4, "a number above zero"),
            ("02*99999999999999999999", 22, "a smaller number"),
            ("(0/4294967296)", 14, "a smaller number"),
            ("(1/36", 5, "a `)`"),
            ("(1)", 2, "a `/`"),
            ("02*3a", 4, "a dot"),
        ];
        for (text, at, expected) in cases {
            let error = text.parse::<Trace>().expect_err(text).to_string();
            let wanted = format!("at byte {at}, expected {expected}");
            assert!(error.contains(&wanted), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_hash_tells_traces_apart_and_stays() {
        let (a, b) = (trace(&[(0, 2), (1, 2)]), trace(&[(1, 2), (0, 2)]));
        assert_ne!(a.hash(), b.hash());
        assert_eq!(a.hash(), "0212".parse::<Trace>().expect("a trace").hash());
        assert_eq!(Trace::default().hash(), 0xcbf2_9ce4_8422_2325);
    }
}
