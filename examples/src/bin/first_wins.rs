//! The same question to three replicas: the first answer wins, and when it is returned the
//! connections to the others are closed, properly, not just dropped.
//!
//! Three stories: all are up; the nearest is down, which harms nobody; all are too slow for the one
//! who asks.
//!
//! ```text
//! cargo run --bin first_wins -- --backend NAME
//! ```
//!
//! No backend is named here: `--backend` or `KUMI_BACKEND` chooses among those compiled in.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use clap::Parser;
use kumi::{BackendKind, Failure, GroupBuilder};

/// How long it takes to connect to a replica, and to close a connection.
const HELLO: Duration = Duration::from_millis(2);

/// How long the quick, the middling and the slow replica think.
const THINK: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(1200),
    Duration::from_millis(4800),
];

/// How long the impatient wait.
const IMPATIENT: Duration = Duration::from_millis(60);

/// Asks three replicas at once.
#[derive(Debug, Parser)]
#[command(name = "first_wins", version)]
struct Args {
    /// The backend to run on; otherwise `KUMI_BACKEND` says, or there is only one.
    #[arg(long, value_name = "NAME")]
    backend: Option<BackendKind>,
}

fn main() -> ExitCode {
    match Args::parse().backend.map_or_else(BackendKind::choose, Ok) {
        Ok(backend) => {
            kumi::run_on(backend, stories());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("first_wins: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn stories() {
    let network = Network::new([true, true, true]);
    let answer = first_wins(&network.replicas).await;
    network.print("all are up", &said(&answer));

    let network = Network::new([false, true, true]);
    let answer = first_wins(&network.replicas).await;
    network.print("the nearest is down", &said(&answer));

    let network = Network::new([false, false, false]);
    let answer = first_wins(&network.replicas).await;
    network.print("all are down", &said(&answer));

    let network = Network::new([true, true, true]);
    let answer = kumi::timeout(IMPATIENT, first_wins(&network.replicas)).await;
    let said = answer.map_or_else(|elapsed| elapsed.to_string(), |answer| said(&answer));
    network.print("nobody is quick enough", &said);
}

fn said(answer: &Option<String>) -> String {
    answer.as_deref().unwrap_or("no answer").to_owned()
}

/// Asks all `replicas` at once and returns the first answer; none if all are down.
///
/// # Cancel safety
///
/// Whether it returns or is cancelled, all connections are closed by then.
async fn first_wins(replicas: &[Arc<Replica>]) -> Option<String> {
    let first = Arc::new(OnceLock::new());
    // A replica that is down must not cancel the others, as the failure of a child would.
    let group = GroupBuilder::new().supervise(|failure| match failure {
        Failure::Error(Down(_)) => {}
        Failure::Panic(panic) => std::panic::resume_unwind(panic),
    });
    let asked = kumi::task_group_with(group, async |group| {
        for replica in replicas {
            let (replica, first, all) = (replica.clone(), first.clone(), group.clone());
            group.spawn(async move {
                let answer = replica.ask("what time is it?").await?;
                // Of two answers that come together one is the first.
                if first.set(answer).is_ok() {
                    all.cancel();
                }
                Ok(())
            });
        }
        Ok(())
    });
    // Here all three have ended: with an answer, as down, or cancelled with their connection closed.
    match asked.await {
        Ok(()) => first.get().cloned(),
        Err(_) => None,
    }
}

/// Somebody who can be asked.
#[derive(Debug)]
struct Replica {
    name: &'static str,
    think: Duration,
    up: bool,
    /// Connections to anybody that are open.
    open: Arc<AtomicUsize>,
    history: Mutex<Vec<&'static str>>,
}

impl Replica {
    /// # Cancel safety
    ///
    /// When it is cancelled, the connection is closed before the scope that was cancelled goes on.
    async fn ask(self: &Arc<Self>, question: &str) -> Result<String, Down> {
        kumi::bracket(
            Connection::open(Arc::clone(self)),
            async |connection: &mut Connection| connection.ask(question).await,
            Connection::close,
        )
        .await
    }

    fn note(&self, what: &'static str) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.push(what);
    }
}

/// A connection to a replica; to be closed, or the replica would keep it.
#[derive(Debug)]
struct Connection(Arc<Replica>);

impl Connection {
    async fn open(replica: Arc<Replica>) -> Self {
        kumi::sleep(HELLO).await;
        replica.open.fetch_add(1, Ordering::Relaxed);
        replica.note("opened");
        Self(replica)
    }

    async fn ask(&mut self, question: &str) -> Result<String, Down> {
        debug_assert!(question.ends_with('?'));
        if !self.0.up {
            self.0.note("down");
            return Err(Down(self.0.name));
        }
        kumi::sleep(self.0.think).await;
        self.0.note("answered");
        Ok(format!("{}: time to go", self.0.name))
    }

    /// Says good-bye, which takes a while.
    async fn close(self) {
        kumi::sleep(HELLO).await;
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.note("closed");
    }
}

/// All replicas.
#[derive(Debug)]
struct Network {
    open: Arc<AtomicUsize>,
    replicas: Vec<Arc<Replica>>,
}

impl Network {
    fn new(up: [bool; 3]) -> Self {
        let open = Arc::new(AtomicUsize::new(0));
        let replica = |((name, think), up)| {
            Arc::new(Replica {
                name,
                think,
                up,
                open: Arc::clone(&open),
                history: Mutex::default(),
            })
        };
        let replicas = ["near", "middle", "far"].into_iter().zip(THINK).zip(up);
        Self {
            replicas: replicas.map(replica).collect(),
            open,
        }
    }

    /// Prints what was said, and what has happened at each replica by now.
    fn print(&self, story: &str, said: &str) {
        println!("{story}: {said}");
        for replica in &self.replicas {
            let history = replica.history.lock();
            let history = history.unwrap_or_else(PoisonError::into_inner);
            println!("   {:<7} {}", replica.name, history.join(", "));
        }
        let open = self.open.load(Ordering::Relaxed);
        println!("   open connections: {open}");
    }
}

/// A replica is down.
#[derive(Debug)]
struct Down(&'static str);

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is down", self.0)
    }
}

impl Error for Down {}
