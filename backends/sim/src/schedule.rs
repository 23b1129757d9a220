//! Who runs next: schedules, and the trace of what they chose.

use std::fmt;
use std::str::FromStr;

/// How the simulator chooses among the things that can run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// In the order of waking, as an event loop does.
    Fifo,
    /// Any of them, drawn from this seed.
    Random(u64),
    /// As recorded; in the order of waking once the record is used up.
    Replay(Trace),
}

/// What a schedule chose, one number for each moment at which there was a choice.
///
/// Its text form can be pasted into a test: `"1.0.2".parse::<Trace>()`.
///
/// # Examples
///
/// ```
/// use kumi_sim::Trace;
///
/// let trace: Trace = "1.0.2".parse().unwrap();
/// assert_eq!(trace.to_string(), "1.0.2");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Trace(Vec<u32>);

impl Trace {
    /// Returns how many choices were made.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there never was a choice.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, choice) in self.0.iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            write!(f, "{dot}{choice}")?;
        }
        Ok(())
    }
}

impl FromStr for Trace {
    type Err = ParseTraceError;

    fn from_str(text: &str) -> Result<Self, ParseTraceError> {
        let parts = text.split('.').filter(|part| !part.is_empty());
        let choice = |part: &str| {
            part.trim()
                .parse()
                .map_err(|_| ParseTraceError(part.into()))
        };
        Ok(Self(parts.map(choice).collect::<Result<_, _>>()?))
    }
}

/// The text is no trace: it has this part, which is no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseTraceError(String);

impl fmt::Display for ParseTraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a trace is numbers with dots between, and `{}` is no number",
            self.0
        )
    }
}

impl std::error::Error for ParseTraceError {}

/// The schedule at work.
#[derive(Debug)]
pub(crate) struct Chooser {
    schedule: Schedule,
    random: u64,
    replayed: usize,
    trace: Trace,
}

impl Chooser {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let random = match schedule {
            Schedule::Random(seed) => seed,
            _ => 0,
        };
        Self {
            schedule,
            random,
            replayed: 0,
            trace: Trace::default(),
        }
    }

    /// Chooses one of `count` candidates, which stand in the order of waking.
    pub(crate) fn choose(&mut self, count: usize) -> usize {
        if count <= 1 {
            return 0;
        }
        let choice = match &self.schedule {
            Schedule::Fifo => 0,
            Schedule::Random(_) => self.draw(count),
            Schedule::Replay(trace) => self.recorded(trace.0.get(self.replayed).copied(), count),
        };
        self.replayed += 1;
        self.trace
            .0
            .push(u32::try_from(choice).expect("fewer than 2^32 candidates"));
        choice
    }

    fn recorded(&self, choice: Option<u32>, count: usize) -> usize {
        let choice = choice.unwrap_or(0) as usize;
        assert!(
            choice < count,
            "the program took another path than the trace: choice {} is number {choice} of {count} \
             candidates",
            self.replayed,
        );
        choice
    }

    /// A number below `count` (splitmix64; its slight bias does not matter here).
    fn draw(&mut self, count: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed % count as u64) as usize
    }

    pub(crate) fn trace(&self) -> Trace {
        self.trace.clone()
    }
}
