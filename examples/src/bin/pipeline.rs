//! A producer and its workers with a queue between them: the producer cannot run away, because a full
//! queue makes it wait, and when the last item is done everybody goes home.
//!
//! Three stories: a hundred items for three quick workers and a slow one; the lines of a file, if one is
//! given; and a worker that fails, which ends all others cleanly.
//!
//! ```text
//! cargo run --bin pipeline -- --backend NAME README.md
//! ```
//!
//! No backend is named here: `--backend` or `KUMI_BACKEND` chooses among those compiled in.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use kumi::BackendKind;
use kumi::channel::{PutError, Queue};

/// How long each worker takes for an item: three are quick, one is slow.
const PACE: [Duration; 4] = [
    Duration::from_millis(2),
    Duration::from_millis(2),
    Duration::from_millis(2),
    Duration::from_millis(8),
];

/// How many items the queue holds.
const CAPACITY: usize = 10;

/// A producer, a queue of ten, and four workers.
#[derive(Debug, Parser)]
#[command(name = "pipeline", version)]
struct Args {
    /// A file whose lines go through the queue as well.
    file: Option<PathBuf>,
    /// The backend to run on; otherwise `KUMI_BACKEND` says, or there is only one.
    #[arg(long, value_name = "NAME")]
    backend: Option<BackendKind>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let backend = args.backend.map_or_else(BackendKind::choose, Ok);
    let told = match backend {
        Ok(backend) => kumi::run_on(backend, stories(args.file)),
        Err(error) => Err(error.into()),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pipeline: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn stories(file: Option<PathBuf>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let items: Vec<String> = (1..=100).map(|item| format!("item {item}")).collect();
    let report = pipeline(items.clone(), None).await;
    println!("a hundred items\n{report}");

    if let Some(path) = file {
        let name = path.display().to_string();
        let read = move || std::fs::read_to_string(path);
        let text = kumi::to_thread(read).await??;
        let report = pipeline(text.lines().map(str::to_owned).collect(), None).await;
        println!("the lines of {name}\n{report}");
    }

    let report = pipeline(items, Some("item 50")).await;
    println!("an item that no worker can do\n{report}");
    Ok(())
}

/// What came of it.
#[derive(Debug, Default)]
struct Report {
    /// For each ten items, how often the producer had to wait.
    waits: Vec<usize>,
    /// For each worker, how many items it did.
    done: [usize; 4],
    /// Who went home, each once.
    home: [usize; 4],
    words: usize,
    failed: Option<String>,
    /// Items that were in the queue at the end.
    left: usize,
}

/// Sends all items through a queue into the workers, which count words; `bad` is one that they cannot
/// do.
///
/// # Cancel safety
///
/// If it is cancelled, the workers go home, and items that are not done are dropped.
async fn pipeline(items: Vec<String>, bad: Option<&'static str>) -> Report {
    let queue = Queue::bounded(CAPACITY);
    let report = Arc::new(Mutex::new(Report::default()));
    let ended = kumi::task_group(async |group| {
        for worker in 0..PACE.len() {
            let (queue, report) = (queue.clone(), Arc::clone(&report));
            group.spawn(async move {
                let goes_home = async { lock(&report).home[worker] += 1 };
                kumi::finally(work(worker, &queue, &report, bad), goes_home).await
            });
        }
        for (number, item) in items.into_iter().enumerate() {
            let waits = put(&queue, item).await;
            let mut report = lock(&report);
            report.waits.resize(number / 10 + 1, 0);
            report.waits[number / 10] += usize::from(waits);
        }
        // All are done, not only taken; then the workers find the queue shut down.
        queue.join().await;
        queue.shutdown(false);
        Ok(())
    });
    let failed = ended.await.err().map(|error| error.to_string());
    // Here all workers have gone home.
    let mut report = std::mem::take(&mut *lock(&report));
    report.failed = failed;
    report.left = queue.len();
    queue.shutdown(true);
    report
}

/// Puts an item into the queue, and tells whether it had to wait for a place.
async fn put(queue: &Queue<String>, item: String) -> bool {
    match queue.put_nowait(item) {
        Ok(()) => false,
        Err(PutError::Full(item)) => {
            let put = queue.put(item).await;
            put.expect("it is shut down only when all was put");
            true
        }
        Err(PutError::ShutDown(_)) => unreachable!("it is shut down only when all was put"),
    }
}

/// Does items until there are no more.
async fn work(
    worker: usize,
    queue: &Queue<String>,
    report: &Mutex<Report>,
    bad: Option<&str>,
) -> Result<(), Bad> {
    // The item counts as done when it is dropped: here, after an error, and when this is cancelled.
    while let Ok(item) = queue.take().await {
        kumi::sleep(PACE[worker]).await;
        if bad == Some(item.as_str()) {
            return Err(Bad(item.done()));
        }
        let mut report = lock(report);
        report.done[worker] += 1;
        report.words += item.split_whitespace().count();
    }
    Ok(())
}

fn lock(report: &Mutex<Report>) -> std::sync::MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An item that cannot be done.
#[derive(Debug)]
struct Bad(String);

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is bad", self.0)
    }
}

impl Error for Bad {}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failed.is_none() {
            writeln!(f, "   the producer waited, for each ten items")?;
            for (tens, waits) in self.waits.iter().enumerate().take(10) {
                let bar = "#".repeat(*waits);
                writeln!(f, "   {:>5} {waits:>2} {bar}", tens * 10 + 1)?;
            }
        }
        let done: usize = self.done.iter().sum();
        let [a, b, c, slow] = self.done;
        writeln!(
            f,
            "   done: {done} ({a}, {b}, {c}, and {slow} by the slow one)"
        )?;
        writeln!(f, "   words: {}", self.words)?;
        if let Some(failed) = &self.failed {
            writeln!(f, "   failed: {failed}")?;
            writeln!(f, "   left in the queue: {}", self.left)?;
        }
        let home = self.home.iter().filter(|times| **times == 1).count();
        write!(f, "   went home: {home} of {}", PACE.len())
    }
}
