//! Fetches many URLs over real TCP, at several levels of concurrency, and compares the levels.
//!
//! Without URLs it starts a server of its own on loopback, whose paths answer with different
//! delays, and fetches a hundred of them. Every URL is attempted: one that fails is counted and
//! named, and the rest goes on.
//!
//! ```text
//! cargo run --release --bin fetch_all -- --backend NAME --with-faults
//! cargo run --release --bin fetch_all -- --backend NAME --concurrency 1,8 --urls list.txt
//! ```
//!
//! `args` says what is to be done, `origin` is the built-in server, `fetch` fetches one URL and
//! `failure` names what can go wrong with it, `level` runs them all at one level, `progress` and
//! `table` show it.
//! No backend is named here: `--backend` or `KUMI_BACKEND` chooses among those compiled in.

mod args;
mod failure;
mod fetch;
mod level;
mod origin;
mod progress;
mod table;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use args::Args;
use clap::Parser;
use kumi::BackendKind;
use level::Level;
use origin::Origin;

fn main() -> ExitCode {
    let args = Args::parse();
    let urls = match args.read_urls() {
        Ok(urls) => urls,
        Err(error) => return failed(&error),
    };
    let backend = match args.backend.map_or_else(BackendKind::choose, Ok) {
        Ok(backend) => backend,
        Err(error) => return failed(&error),
    };
    match kumi::run_on(backend, fetch_all(args, urls)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough: `fetch_all | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    eprintln!("fetch_all: {error}");
    ExitCode::FAILURE
}

/// Fetches `urls`, or those of the built-in server, at each level, and prints the tables.
async fn fetch_all(args: Args, urls: Option<Vec<String>>) -> io::Result<()> {
    let limit = Duration::from_millis(args.timeout_ms);
    // Kept to the end: the server ends when it is dropped.
    let mut own = None;
    let urls = match urls {
        Some(urls) => urls,
        None => own
            .insert(Origin::start(limit).await?)
            .urls(args.with_faults),
    };
    let mut out = io::stdout();
    table::heading(&mut out, urls.len(), limit)?;
    let mut levels: Vec<Level> = Vec::new();
    for concurrency in args.concurrency {
        let level = level::run(&urls, concurrency.get(), limit).await;
        table::row(&mut out, &level)?;
        levels.push(level);
    }
    table::failures(&mut out, &levels)?;
    table::ratios(&mut out, &levels)?;
    out.flush()
}
