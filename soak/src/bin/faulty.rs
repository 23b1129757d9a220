//! Programs that `cargo x faults` runs while system calls fail, descriptors run out, and clocks lie.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use kumi::backend::{Loop, Smol, Tokio};
use kumi::core::runtime::Owned;
use kumi::{Backend, BackendKind};
use kumi_soak::echo::{self, Message, Plan, Sabotage, Signal};
use kumi_soak::facts::{Facts, code};
use kumi_soak::{clocks, crowd};

#[derive(Debug, Parser)]
#[command(
    name = "faulty",
    about = "Programs to be run while the system misbehaves"
)]
struct Cli {
    /// loop, tokio or smol; one thread each
    #[arg(long)]
    backend: BackendKind,
    /// Where to write what is to be known
    #[arg(long)]
    facts: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A client and a server that talk for a while
    Echo {
        /// For so many milliseconds
        #[arg(long, default_value_t = 300)]
        window: u64,
        /// The fault stays until the end
        #[arg(long)]
        persists: bool,
        /// What becomes of Ctrl-C
        #[arg(long, value_enum, default_value = "tried")]
        signal: Signal,
        /// How a message is sent
        #[arg(long, value_enum, default_value = "line")]
        message: Message,
        /// A fault of the program itself
        #[arg(long, value_enum)]
        sabotage: Option<Sabotage>,
    },
    /// A server for more clients than it may have descriptors
    Crowd {
        /// How many clients come
        #[arg(long)]
        clients: usize,
    },
    /// Sleeps that are measured
    Clocks {
        /// How many milliseconds a sleep takes
        #[arg(long)]
        sleep: u64,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let facts = match Facts::create(&cli.facts) {
        Ok(facts) => Arc::new(facts),
        Err(error) => {
            eprintln!("error: {}: {error}", cli.facts.display());
            return ExitCode::FAILURE;
        }
    };
    let runtime = match runtime(cli.backend) {
        Ok(runtime) => runtime,
        Err(error) => {
            facts.say("start", code(&error));
            return ExitCode::SUCCESS;
        }
    };
    match cli.what {
        What::Echo {
            window,
            persists,
            signal,
            message,
            sabotage,
        } => {
            let plan = Plan {
                window: Duration::from_millis(window),
                persists,
                signal,
                message,
                sabotage,
            };
            echo::run(&runtime, plan, &facts);
        }
        What::Crowd { clients } => crowd::run(&runtime, clients, &facts),
        What::Clocks { sleep } => {
            clocks::run(&runtime, Duration::from_millis(sleep), &facts);
        }
    }
    ExitCode::SUCCESS
}

/// A runtime of one thread, on which the order of system calls is always the same.
fn runtime(kind: BackendKind) -> std::io::Result<Owned<Backend>> {
    let backend = match kind {
        BackendKind::Loop => Backend::Loop(Loop::new()?.into_inner()),
        BackendKind::Tokio => Backend::Tokio(Tokio::current_thread()?.into_inner()),
        BackendKind::Smol => Backend::Smol(Smol::current_thread().into_inner()),
        other => {
            return Err(std::io::Error::other(format!(
                "{other} has no system calls"
            )));
        }
    };
    Ok(Owned::new(backend))
}
