//! The tests under AddressSanitizer and LeakSanitizer: memory that is used after its end (of the heap, of a stack,
//! of a call that returned) or beyond its bounds, and memory that nobody frees.
//!
//! A program fails by a report or by a failed test. All programs run, whatever those before them found.
//!
//! Compiler, LLVM and the sanitizers' runtime have to be of one version, and Debian's packages are; other
//! compilers are not asked. The standard library is the ordinary one: what it allocates, frees, copies and
//! compares is seen all the same, since the sanitizer has these functions' places.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::{Cmd, Executable, Failure, Result};
use crate::tools;
use crate::workspace::Workspace;

/// Debian's packages: a compiler, clang of the LLVM that it uses, and the program that puts names and lines into
/// reports.
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "clang-22",
    "libclang-rt-22-dev",
    "llvm",
];

/// What of them is needed; where it is, the packages are.
const FILES: [&str; 4] = [CARGO, RUSTC, "/usr/bin/clang-22", SYMBOLIZER];

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const SYMBOLIZER: &str = "/usr/bin/llvm-symbolizer";

/// Named although it is the machine's own: flags are then for what is built for it, and not for build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Several times what the slowest program takes.
const LIMIT: Duration = Duration::from_secs(900);

const FLAGS: &str =
    "-Zsanitizer=address -Zexternal-clangrt -Clinker=clang-22 -Clink-arg=-fsanitize=address";

/// Frames of the context are on stacks, so those of calls that have returned are kept for a while.
const OPTIONS: &str = "detect_leaks=1:detect_stack_use_after_return=1";

/// Of the seeds of the simulator, whose 64 would take half an hour.
const ROUNDS: &str = "2";

/// What a report begins with.
const REPORTS: [&str; 2] = ["ERROR: AddressSanitizer", "ERROR: LeakSanitizer"];

/// One way to build, and what of.
struct Build {
    packages: &'static [&'static str],
    debug_assertions: bool,
}

/// All files with `unsafe` are in core and in `kumi-hyper`, whose tests run on every backend. The conformance
/// suites of the own loop and of the simulator see besides that no task, frame or waker of a program is left.
///
/// With debug assertions each task's memory is freed for good, so that what is used after its end is seen. The
/// second build is as production is: there it is recycled (`task/recycle.rs`).
const BUILDS: [Build; 2] = [
    Build {
        packages: &["kumi-core", "kumi-hyper", "kumi-loop", "kumi-sim"],
        debug_assertions: true,
    },
    Build {
        packages: &["kumi-core"],
        debug_assertions: false,
    },
];

/// A target of no tests without `--cfg loom`.
const LEFT_OUT: &str = "loom";

/// Runs the tests of all packages, or of those that are named.
pub(crate) fn run(ws: &Workspace, named: &[String]) -> Result {
    install()?;
    let begin = Instant::now();
    let (mut count, mut failed) = (0, Vec::new());
    for build in &BUILDS {
        let named = |package: &&str| named.is_empty() || named.iter().any(|name| name == package);
        let packages: Vec<_> = build.packages.iter().copied().filter(named).collect();
        if packages.is_empty() {
            continue;
        }
        let programs = compile(ws, &packages, build.debug_assertions)?;
        println!("built after {:.0} s", begin.elapsed().as_secs_f64());
        let wanted = |program: &&Executable| program.target != LEFT_OUT;
        for program in programs.iter().filter(wanted) {
            failed.extend(test(ws, program)?);
            count += 1;
        }
    }
    let took = begin.elapsed().as_secs_f64();
    println!("{count} programs, {} failed ({took:.0} s)", failed.len());
    match (count, failed.is_empty()) {
        (0, _) => Err(Failure::new(
            "step `asan` failed: it has no tests of such a package",
        )),
        (_, true) => Ok(()),
        (_, false) => {
            let failed = failed.join("; ");
            Err(Failure::new(format!("step `asan` failed: {failed}")))
        }
    }
}

/// Sees that all is there, or installs it.
fn install() -> Result {
    let missing = || FILES.into_iter().find(|file| !Path::new(file).exists());
    let find = || match missing() {
        None => Some(PathBuf::from(CARGO)),
        Some(_) => None,
    };
    tools::or_install(find, missing().unwrap_or_default(), &PACKAGES).map(drop)
}

/// Builds the tests, in a target folder of their own: other flags in the common one would rebuild
/// everything at each change between the two.
fn compile(ws: &Workspace, packages: &[&str], debug_assertions: bool) -> Result<Vec<Executable>> {
    let mut cmd = Cmd::new(CARGO, &ws.root).args(["test", "--tests", "--no-run"]);
    cmd = cmd.args(["--target", TARGET]);
    for package in packages {
        cmd = cmd.args(["--package", package]);
    }
    cmd.env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TARGET_DIR", ws.target_dir.join("asan"))
        .env(
            "CARGO_PROFILE_DEV_DEBUG_ASSERTIONS",
            debug_assertions.to_string(),
        )
        // That of the cargo which runs us.
        .env("LD_LIBRARY_PATH", "")
        .executables("asan")
}

/// Runs the tests of one program; says what failed.
fn test(ws: &Workspace, program: &Executable) -> Result<Option<String>> {
    let dir = program.package_dir.strip_prefix(&ws.root);
    let dir = dir.unwrap_or(&program.package_dir).display();
    let target = &program.target;
    let options = format!("{OPTIONS}:external_symbolizer_path={SYMBOLIZER}");
    let cmd = Cmd::new(&program.path, &program.package_dir)
        .env("ASAN_OPTIONS", options)
        // Panics that are meant need no names, which take long to find.
        .env("RUST_BACKTRACE", "0")
        .env("KUMI_ROUNDS", ROUNDS);
    let finished = cmd.within(LIMIT, "asan")?;
    let output = format!("{}{}", finished.stdout, finished.stderr);
    let reports: usize = REPORTS
        .iter()
        .map(|report| output.matches(report).count())
        .sum();
    let took = finished.took.as_secs_f64();
    if finished.succeeded() && reports == 0 {
        println!("{dir}, {target} ... ok ({took:.1} s)");
        return Ok(None);
    }
    let ending = finished.ending();
    println!("{output}{dir}, {target} ... FAILED ({took:.1} s)");
    Ok(Some(format!(
        "{target} of {dir}: {reports} reports, {ending}"
    )))
}
