//! A database transaction that ends in exactly one way, however the code in it ends: committed if it
//! returned, rolled back if it failed, was cancelled, or panicked.
//!
//! ```text
//! cargo run --bin transaction -- --backend NAME
//! ```
//!
//! No backend is named here: `--backend` or `KUMI_BACKEND` chooses among those compiled in.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use futures_lite::FutureExt;
use kumi::BackendKind;

/// How long a quick statement takes.
const QUICK: Duration = Duration::from_millis(2);

/// How long the callers wait who do not wait for ever.
const LIMIT: Duration = Duration::from_millis(100);

/// How long it takes to write what was committed.
const SLOW: Duration = LIMIT.saturating_mul(5);

/// Ends a transaction in five ways.
#[derive(Debug, Parser)]
#[command(name = "transaction", version)]
struct Args {
    /// The backend to run on; otherwise `KUMI_BACKEND` says, or there is only one.
    #[arg(long, value_name = "NAME")]
    backend: Option<BackendKind>,
}

fn main() -> ExitCode {
    match Args::parse().backend.map_or_else(BackendKind::choose, Ok) {
        Ok(backend) => {
            kumi::run_on(backend, all_ways());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("transaction: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `work` in a transaction: commits if it returns a value, and otherwise rolls back.
///
/// # Cancel safety
///
/// Before the commit has begun a cancel rolls back; after that it waits, and the work counts.
async fn transaction<T, E, W>(database: &Database, work: W) -> Result<T, E>
where
    W: AsyncFnOnce(&mut Session) -> Result<T, E>,
{
    kumi::bracket(
        database.begin(),
        async |session: &mut Session| {
            let value = work(session).await?;
            // Half a commit is worse than a late one.
            kumi::uncancellable(session.commit()).await;
            Ok(value)
        },
        // However that ended; it sees from the session whether it was committed.
        Session::end,
    )
    .await
}

async fn all_ways() {
    success().await;
    error().await;
    cancel().await;
    cancel_during_the_commit().await;
    panic().await;
}

async fn success() {
    let database = Database::new(QUICK);
    let outcome = transaction(&database, async |session| {
        session.execute("take 30 from Ann").await?;
        session.execute("give 30 to Ben").await?;
        Ok::<_, Refused>(30)
    });
    match outcome.await {
        Ok(moved) => database.print("success", format_args!("{moved} moved")),
        Err(error) => database.print("success", error),
    }
}

async fn error() {
    let database = Database::new(QUICK);
    let outcome = transaction(&database, async |session| {
        session.execute("take 30 from Ann").await?;
        session.execute("give 30 to nobody").await?;
        Ok::<_, Refused>(30)
    });
    match outcome.await {
        Ok(moved) => database.print("error", format_args!("{moved} moved")),
        Err(error) => database.print("error", error),
    }
}

async fn cancel() {
    let database = Database::new(QUICK);
    let work = transaction(&database, async |session| {
        session.execute("take 30 from Ann").await?;
        session.wait_for_lock("Ben").await;
        session.execute("give 30 to Ben").await
    });
    match kumi::timeout(LIMIT, work).await {
        Ok(outcome) => database.print("cancel", format_args!("{outcome:?}")),
        // The rollback has ended by now: the journal is complete.
        Err(elapsed) => database.print("cancel", elapsed),
    }
}

async fn cancel_during_the_commit() {
    let database = Database::new(SLOW);
    let work = transaction(&database, async |session| {
        session.execute("take 30 from Ann").await?;
        session.execute("give 30 to Ben").await?;
        Ok::<_, Refused>(30)
    });
    match kumi::timeout(LIMIT, work).await {
        // It is late, and it has happened: a value that is there wins over the deadline.
        Ok(Ok(moved)) => database.print("late", format_args!("{moved} moved")),
        Ok(Err(error)) => database.print("late", error),
        Err(elapsed) => database.print("late", elapsed),
    }
}

async fn panic() {
    let database = Database::new(QUICK);
    let work = transaction(&database, async |session| {
        session.execute("take 30 from Ann").await?;
        let owners = session.owners("Ben").await;
        let owner = owners.first().expect("every account has an owner");
        session.execute(owner).await
    });
    // The rollback comes first, then the panic goes on; it is caught here only to print the journal.
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => database.print("panic", format_args!("{outcome:?}")),
        Err(_) => database.print("panic", "it goes on after the rollback"),
    }
}

/// A database that only keeps a journal.
#[derive(Debug, Clone)]
struct Database {
    /// How long a commit takes.
    commit: Duration,
    journal: Arc<Mutex<Vec<String>>>,
}

impl Database {
    fn new(commit: Duration) -> Self {
        Self {
            commit,
            journal: Arc::default(),
        }
    }

    async fn begin(&self) -> Session {
        kumi::sleep(QUICK).await;
        self.note("begin");
        Session {
            database: self.clone(),
            committed: false,
        }
    }

    fn note(&self, line: impl Into<String>) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.push(line.into());
    }

    /// Prints the journal, and empties it.
    fn print(&self, case: &str, outcome: impl fmt::Display) {
        println!("{case}: {outcome}");
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        for line in mem::take(&mut *journal) {
            println!("   {line}");
        }
    }
}

/// A transaction that has begun.
#[derive(Debug)]
struct Session {
    database: Database,
    committed: bool,
}

impl Session {
    async fn execute(&mut self, statement: &str) -> Result<(), Refused> {
        kumi::sleep(QUICK).await;
        if statement.ends_with("nobody") {
            self.database.note(format!("refused: {statement}"));
            return Err(Refused(statement.to_owned()));
        }
        self.database.note(statement);
        Ok(())
    }

    /// Returns who owns an account: nobody, which nobody expects.
    async fn owners(&mut self, account: &str) -> Vec<String> {
        kumi::sleep(QUICK).await;
        self.database
            .note(format!("who owns the account of {account}?"));
        Vec::new()
    }

    /// Waits for a lock that somebody else never gives back.
    async fn wait_for_lock(&mut self, row: &str) -> Infallible {
        self.database.note(format!("wait for the lock of {row}"));
        std::future::pending().await
    }

    async fn commit(&mut self) {
        kumi::sleep(self.database.commit).await;
        self.committed = true;
        self.database.note("commit");
    }

    /// Rolls back what was not committed, and closes the session.
    async fn end(self) {
        if !self.committed {
            kumi::sleep(QUICK).await;
            self.database.note("rollback");
        }
        self.database.note("close");
    }
}

/// The database does not do that.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database refuses: {}", self.0)
    }
}

impl Error for Refused {}
