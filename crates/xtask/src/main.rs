//! `cargo x <check>`: every check of this workspace, one command each.
//!
//! CI runs `cargo x ci` and nothing else, so whatever fails there fails here with the same command.
//! Each check prints the commands it runs; a failing one ends with a line that names the failed
//! step and a non-zero exit code.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool reports on standard output"
)]

mod checks;
mod ci;
mod compare;
mod examples;
mod faults;
mod generated;
mod instructions;
mod loom;
mod page;
mod process;
mod sanitize;
mod scratch;
mod soak;
mod source;
mod tidy;
mod tools;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::process::Result;
use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo x", about = "Runs one check of the Kumi workspace")]
struct Cli {
    #[command(subcommand)]
    check: Check,
}

#[derive(Debug, Subcommand)]
enum Check {
    /// Check the formatting of every member
    Fmt {
        /// Format instead of checking
        #[arg(long)]
        fix: bool,
    },
    /// Lint everything, then each feature of each published crate alone
    Clippy,
    /// Build the documentation; a warning is an error
    Doc,
    /// Run all tests and doctests, then the library tests again as production is built
    Test,
    /// Run the conformance suite of all backends, or of the named ones
    Conformance {
        /// Folder or package names; all backends if none is given
        backends: Vec<String>,
    },
    /// Run every example on every backend and compare what it prints
    Examples,
    /// Check the loom models, then that each of them notices its seeded faults
    Loom,
    /// Run the tests that count allocations
    Alloc,
    /// Run tests under AddressSanitizer, which sees leaks as well
    Asan {
        /// Package names; all if none is given
        packages: Vec<String>,
    },
    /// Run the tests of whatever has threads under ThreadSanitizer, with a standard library that it sees as well
    Tsan {
        /// Package names; all if none is given
        packages: Vec<String>,
    },
    /// Open the page of a run of the benches in Chromium and look for faults
    Page {
        /// A run, as JSON; without one a run is made up that has something of everything
        file: Option<PathBuf>,
    },
    /// Run the benches
    Bench {
        /// Passed on to the benches
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run every bench once, to see that it works
    BenchSmoke,
    /// Compare the backends, with their runtimes and their peers; writes a page to `target/compare`
    Compare(compare::Compare),
    /// Count the instructions of the benches, and compare with what they took before
    Instructions {
        /// Write down what they take now
        #[arg(long)]
        update: bool,
    },
    /// Check that what is made from the kept run of the benches is up to date: README, chart, guide
    Generated {
        /// Make it
        #[arg(long)]
        update: bool,
    },
    /// Long runs on each backend: tasks, timers, connections and messages by the million
    Soak(soak::Soak),
    /// Programs whose system calls fail (strace), whose descriptors run out, and whose clocks lie (libfaketime)
    Faults(faults::Faults),
    /// Check the rules of the workspace that no compiler knows
    Tidy,
    /// Build and run a crate outside the workspace with each backend alone
    Scratch,
    /// Run all checks, in the order in which they are likely to fail
    Ci {
        /// Go on after a failed step
        #[arg(long)]
        keep_going: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The subcommand comes first: nothing stands before it on our command line.
            let check = std::env::args().nth(1).unwrap_or_default();
            eprintln!("error: cargo x {check}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: Check) -> Result {
    let ws = Workspace::load()?;
    match check {
        Check::Fmt { fix } => checks::fmt(&ws, fix),
        Check::Clippy => checks::clippy(&ws),
        Check::Doc => checks::doc(&ws),
        Check::Test => checks::test(&ws),
        Check::Conformance { backends } => checks::conformance(&ws, &backends),
        Check::Examples => examples::run(&ws),
        Check::Loom => loom::run(&ws),
        Check::Alloc => checks::alloc(&ws),
        Check::Asan { packages } => sanitize::run(&ws, &sanitize::ADDRESS, &packages),
        Check::Tsan { packages } => sanitize::run(&ws, &sanitize::THREAD, &packages),
        Check::Page { file } => page::run(&ws, file.as_deref()),
        Check::Bench { args } => checks::bench(&ws, &args),
        Check::BenchSmoke => checks::bench_smoke(&ws),
        Check::Compare(options) => compare::run(&ws, &options),
        Check::Instructions { update } => instructions::check(&ws, update),
        Check::Generated { update } => generated::check(&ws, update),
        Check::Soak(options) => soak::run(&ws, &options),
        Check::Faults(options) => faults::run(&ws, &options),
        Check::Tidy => tidy::run(&ws),
        Check::Scratch => scratch::run(&ws),
        Check::Ci { keep_going } => ci::run(&ws, keep_going),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    /// clap finds contradictions in the definition only when it is used.
    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
