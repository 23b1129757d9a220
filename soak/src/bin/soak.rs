//! Runs the parts of the soak on one backend; see the docs of the library.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool reports on standard output"
)]

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use kumi::BackendKind;
use kumi_soak::connections::{self, Sizes};
use kumi_soak::gauge::{Gauge, cpu};
use kumi_soak::report::Checks;
use kumi_soak::{channels, tasks, timers, warm_up};

#[derive(Debug, Parser)]
#[command(name = "soak", about = "Long runs: is everything given back?")]
struct Cli {
    /// loop, tokio or smol
    #[arg(long)]
    backend: BackendKind,
    /// A hundredth of each size
    #[arg(long)]
    quick: bool,
    /// Tasks in one group
    #[arg(long, default_value_t = 1_000_000)]
    tasks: usize,
    /// Timers
    #[arg(long, default_value_t = 1_000_000)]
    timers: usize,
    /// Connections at once
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Connections that are opened and closed
    #[arg(long, default_value_t = 20_000)]
    churn: usize,
    /// Messages, for each capacity
    #[arg(long, default_value_t = 5_000_000)]
    messages: usize,
    /// Be the server of another soak
    #[arg(long, hide = true)]
    serve: bool,
    /// What to run; everything if nothing is named
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Tasks,
    Timers,
    Connections,
    Channels,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let by = if cli.quick { 100 } else { 1 };
    let size = |size: usize| (size / by).max(1);
    if cli.serve {
        return serve(&cli);
    }
    let sizes = Sizes {
        held: size(cli.connections),
        churned: size(cli.churn),
    };
    let mut checks = Checks::default();
    warm_up(cli.backend);
    let began = Instant::now();
    for part in Part::value_variants() {
        if !cli.parts.is_empty() && !cli.parts.contains(part) {
            continue;
        }
        let before = Gauge::settled();
        let (start, used) = (Instant::now(), cpu());
        match part {
            Part::Tasks => {
                println!("{}: {} tasks", cli.backend, size(cli.tasks));
                tasks::run(cli.backend, size(cli.tasks), &mut checks);
            }
            Part::Timers => {
                println!("{}: {} timers", cli.backend, size(cli.timers));
                timers::run(cli.backend, size(cli.timers), &mut checks);
            }
            Part::Connections => {
                println!(
                    "{}: {} connections, and {} more",
                    cli.backend, sizes.held, sizes.churned
                );
                connections::run(cli.backend, sizes, &mut checks);
            }
            Part::Channels => {
                println!("{}: {} messages", cli.backend, size(cli.messages));
                channels::run(cli.backend, size(cli.messages), &mut checks);
            }
        }
        checks.line(&format!(
            "all of it: {:.1} s, {:.1} s of a processor",
            start.elapsed().as_secs_f64(),
            (cpu() - used).as_secs_f64()
        ));
        before.check_outside("the runtime is gone", &mut checks);
    }
    println!(
        "{}: {:.1} s, {} checks passed, {} failed",
        cli.backend,
        began.elapsed().as_secs_f64(),
        checks.passed(),
        checks.failed()
    );
    match checks.failed() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn serve(cli: &Cli) -> ExitCode {
    match connections::serve(cli.backend, cli.connections) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
