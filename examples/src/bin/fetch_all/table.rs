//! What is printed: one row per level, the failures by kind, and how the levels compare.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use crate::failure::Kind;
use crate::level::Level;

pub(crate) fn heading(out: &mut impl Write, urls: usize, limit: Duration) -> io::Result<()> {
    let limit = limit.as_millis();
    writeln!(
        out,
        "{urls} URLs, a connection for each, at most {limit} ms for each\n"
    )?;
    writeln!(
        out,
        "{:>11} {:>9} {:>8} {:>8} {:>9} {:>8} {:>7} {:>6}",
        "concurrency", "wall ms", "p50 ms", "p99 ms", "req/s", "answered", "not 2xx", "failed"
    )
}

pub(crate) fn row(out: &mut impl Write, level: &Level) -> io::Result<()> {
    let percentile = |percent| level.percentile(percent).map_or("-".to_owned(), ms);
    writeln!(
        out,
        "{:>11} {:>9} {:>8} {:>8} {:>9.1} {:>8} {:>7} {:>6}",
        level.concurrency,
        ms(level.wall),
        percentile(50),
        percentile(99),
        level.rate(),
        level.answered(),
        level.not_2xx,
        level.failed(),
    )?;
    // A level takes a while: show what is there.
    out.flush()
}

/// One row per kind of failure, one column per level, and one URL as the example.
pub(crate) fn failures(out: &mut impl Write, levels: &[Level]) -> io::Result<()> {
    let mut kinds: BTreeMap<&Kind, &str> = BTreeMap::new();
    for level in levels {
        for (kind, failures) in &level.failures {
            kinds.entry(kind).or_insert(&failures.example);
        }
    }
    if kinds.is_empty() {
        return writeln!(out, "\nno failures");
    }
    let width = kinds.keys().map(|kind| kind.to_string().len()).max();
    let width = width.unwrap_or(0).max("failed at".len());
    write!(out, "\n{:<width$}", "failed at")?;
    for level in levels {
        write!(out, " {:>5}", level.concurrency)?;
    }
    writeln!(out, "  for example")?;
    for (kind, example) in kinds {
        write!(out, "{:<width$}", kind.to_string())?;
        for level in levels {
            let count = level
                .failures
                .get(kind)
                .map_or(0, |failures| failures.count);
            write!(out, " {count:>5}")?;
        }
        writeln!(out, "  {example}")?;
    }
    Ok(())
}

/// How much less time each level took than the first.
pub(crate) fn ratios(out: &mut impl Write, levels: &[Level]) -> io::Result<()> {
    let Some((first, others)) = levels.split_first() else {
        return Ok(());
    };
    writeln!(out)?;
    for level in others {
        writeln!(
            out,
            "concurrency {} is {:.1}x as fast as {}",
            level.concurrency,
            first.wall.as_secs_f64() / level.wall.as_secs_f64(),
            first.concurrency
        )?;
    }
    Ok(())
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}
