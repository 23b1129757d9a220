//! All URLs at one level of concurrency.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use kumi::sync::Semaphore;

use crate::failure::{Failure, Kind};
use crate::fetch::fetch;
use crate::progress::Progress;

/// What came of one level.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) concurrency: usize,
    pub(crate) wall: Duration,
    /// Of the requests that were answered, ascending.
    latencies: Vec<Duration>,
    /// Answered, but with another status than 2xx.
    pub(crate) not_2xx: usize,
    pub(crate) failures: BTreeMap<Kind, Failures>,
}

/// The failures of one kind.
#[derive(Debug)]
pub(crate) struct Failures {
    pub(crate) count: usize,
    /// One URL, with its own words.
    pub(crate) example: String,
}

/// Fetches all `urls`, `concurrency` at a time, each within `limit`.
///
/// # Cancel safety
///
/// Dropping it gives up the requests that are under way.
pub(crate) async fn run(urls: &[String], concurrency: usize, limit: Duration) -> Level {
    let permits = Semaphore::new(concurrency);
    let progress = Arc::new(Progress::new(concurrency, urls.len()));
    let start = kumi::now();
    let mut tasks = Vec::with_capacity(urls.len());
    for url in urls {
        // Before the task, not in it: a long list does not become as many waiting tasks.
        let permit = permits.acquire_owned().await;
        let (url, progress) = (url.clone(), Arc::clone(&progress));
        tasks.push(kumi::spawn(async move {
            let done = fetch_within(limit, &url).await;
            progress.one_more();
            drop(permit);
            done
        }));
    }
    let mut level = Level {
        concurrency,
        wall: Duration::ZERO,
        latencies: Vec::with_capacity(urls.len()),
        not_2xx: 0,
        failures: BTreeMap::new(),
    };
    for (task, url) in tasks.into_iter().zip(urls) {
        let done = task.await.unwrap_or_else(|error| Err(error.into()));
        level.count(url, done);
    }
    level.wall = kumi::now() - start;
    level.latencies.sort_unstable();
    progress.end();
    level
}

/// Fetches `url` within `limit`, and says how long the answer took.
async fn fetch_within(limit: Duration, url: &str) -> Result<(StatusCode, Duration), Failure> {
    let start = kumi::now();
    let status = kumi::timeout(limit, fetch(url)).await??;
    Ok((status, kumi::now() - start))
}

impl Level {
    fn count(&mut self, url: &str, done: Result<(StatusCode, Duration), Failure>) {
        match done {
            Ok((status, latency)) => {
                self.latencies.push(latency);
                self.not_2xx += usize::from(!status.is_success());
            }
            Err(Failure { kind, detail }) => {
                let failures = self.failures.entry(kind).or_insert_with(|| Failures {
                    count: 0,
                    example: format!("{url} ({detail})"),
                });
                failures.count += 1;
            }
        }
    }

    /// How many requests were answered.
    pub(crate) fn answered(&self) -> usize {
        self.latencies.len()
    }

    /// How many requests failed.
    pub(crate) fn failed(&self) -> usize {
        self.failures.values().map(|failures| failures.count).sum()
    }

    /// How many requests were answered per second; failures, which may be quick, do not count.
    pub(crate) fn rate(&self) -> f64 {
        self.answered() as f64 / self.wall.as_secs_f64()
    }

    /// The latency that `percent` of the answered requests did not exceed, if any was answered.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.answered() * percent).div_ceil(100);
        self.latencies.get(rank.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(latencies: impl IntoIterator<Item = u64>) -> Level {
        Level {
            concurrency: 1,
            wall: Duration::from_secs(2),
            latencies: latencies.into_iter().map(Duration::from_millis).collect(),
            not_2xx: 0,
            failures: BTreeMap::new(),
        }
    }

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let hundred = level(1..=100);
        assert_eq!(hundred.percentile(50), Some(Duration::from_millis(50)));
        assert_eq!(hundred.percentile(99), Some(Duration::from_millis(99)));
        assert_eq!(hundred.percentile(100), Some(Duration::from_millis(100)));
        assert_eq!(level([7]).percentile(50), Some(Duration::from_millis(7)));
        assert_eq!(level([]).percentile(99), None);
    }

    #[test]
    fn failures_are_counted_by_kind_and_the_first_is_named() {
        let mut level = level([]);
        level.count("http://a/", Err(Failure::new(Kind::TimedOut, "late")));
        level.count("http://b/", Err(Failure::new(Kind::TimedOut, "later")));
        level.count("http://c/", Err(Failure::new(Kind::BadUrl, "odd")));
        level.count(
            "http://d/",
            Ok((StatusCode::NOT_FOUND, Duration::from_millis(1))),
        );
        assert_eq!((level.answered(), level.failed(), level.not_2xx), (1, 3, 1));
        assert_eq!(level.failures[&Kind::TimedOut].count, 2);
        assert_eq!(level.failures[&Kind::TimedOut].example, "http://a/ (late)");
    }
}
