//! The tests under the sanitizers of LLVM, which see what no test asserts: [`address`] and [`thread`].
//!
//! A program fails by a report or by a failed test. All programs run, whatever those before them found. Then
//! [`teeth`] sees that the step can fail: with a fault in core the same programs have to give a report.
//!
//! Compiler, LLVM and the sanitizers' runtime have to be of one version, and Debian's packages are; other
//! compilers are not asked.

mod address;
mod teeth;
mod thread;

pub(crate) use address::ADDRESS;
pub(crate) use thread::THREAD;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::{Cmd, Executable, Failure, Finished, Result};
use crate::tools;
use crate::workspace::Workspace;
use teeth::Tooth;

/// A compiler, clang of the LLVM that it uses, and the program that puts names and lines into reports.
const PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "clang-22",
    "libclang-rt-22-dev",
    "llvm",
];

/// What of them is needed; where it is, the packages are.
const FILES: [&str; 5] = [
    CARGO,
    RUSTC,
    "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
    CLANG,
    SYMBOLIZER,
];

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const CLANG: &str = "/usr/bin/clang-22";
const SYMBOLIZER: &str = "/usr/bin/llvm-symbolizer";

/// Named although it is the machine's own: flags are then for what is built for it, and not for build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Several times what the slowest program takes.
const LIMIT: Duration = Duration::from_secs(900);

/// A target of no tests without `--cfg loom`.
const LEFT_OUT: &str = "loom";

/// A sanitizer, and what it looks at.
pub(crate) struct Sanitizer {
    /// The command.
    step: &'static str,
    /// Its name for the compilers.
    name: &'static str,
    /// The variable that has its options, and these.
    options: (&'static str, &'static str),
    /// What a report begins with.
    reports: &'static [&'static str],
    /// More for cargo.
    args: &'static [&'static str],
    /// A library that the programs load before all others: its name, and its source in C.
    preload: Option<(&'static str, &'static str)>,
    builds: &'static [Build],
    /// Tests that mean nothing under it: the folder of their package, their program, and part of their names.
    left_out: &'static [(&'static str, &'static str, &'static str)],
    /// For the tests: how much of what they can repeat for as long as one likes.
    rounds: &'static [(&'static str, &'static str)],
    teeth: &'static [Tooth],
}

/// One way to build, and what of.
struct Build {
    packages: &'static [&'static str],
    debug_assertions: bool,
}

/// Runs the tests of all packages, or of those that are named.
pub(crate) fn run(ws: &Workspace, sanitizer: &Sanitizer, named: &[String]) -> Result {
    install()?;
    sanitizer.compile_preload(ws)?;
    let Sanitizer { step, .. } = sanitizer;
    let begin = Instant::now();
    let (mut count, mut failed) = (0, Vec::new());
    for build in sanitizer.builds {
        let named = |package: &&str| named.is_empty() || named.iter().any(|name| name == package);
        let packages: Vec<_> = build.packages.iter().copied().filter(named).collect();
        if packages.is_empty() {
            continue;
        }
        let programs = sanitizer.compile(ws, &packages, build.debug_assertions)?;
        println!("built after {:.0} s", begin.elapsed().as_secs_f64());
        let wanted = |program: &&Executable| program.target != LEFT_OUT;
        for program in programs.iter().filter(wanted) {
            failed.extend(sanitizer.test(ws, program)?);
            count += 1;
        }
        failed.extend(teeth::check(ws, sanitizer, &programs)?);
    }
    let took = begin.elapsed().as_secs_f64();
    println!("{count} programs, {} failed ({took:.0} s)", failed.len());
    match (count, failed.is_empty()) {
        (0, _) => Err(Failure::new(format!(
            "step `{step}` failed: it has no tests of such a package"
        ))),
        (_, true) => Ok(()),
        (_, false) => {
            let failed = failed.join("; ");
            Err(Failure::new(format!("step `{step}` failed: {failed}")))
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

impl Sanitizer {
    /// The place of the library that is loaded first.
    fn preload(&self, ws: &Workspace) -> Option<PathBuf> {
        let (name, _) = self.preload?;
        Some(ws.target_dir.join(self.step).join(name))
    }

    fn compile_preload(&self, ws: &Workspace) -> Result {
        let (Some((_, text)), Some(library)) = (self.preload, self.preload(ws)) else {
            return Ok(());
        };
        let source = library.with_extension("c");
        let written = fs::create_dir_all(ws.target_dir.join(self.step));
        let written = written.and_then(|()| fs::write(&source, text));
        written
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", source.display())))?;
        Cmd::new(CLANG, &ws.root)
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .run(self.step)
    }

    /// Builds the tests, in a target folder of their own: other flags in the common one would rebuild
    /// everything at each change between the two.
    fn compile(
        &self,
        ws: &Workspace,
        packages: &[&str],
        debug_assertions: bool,
    ) -> Result<Vec<Executable>> {
        let mut cmd = Cmd::new(CARGO, &ws.root)
            .args(["test", "--tests", "--no-run", "--all-features"])
            .args(["--target", TARGET])
            .args(self.args);
        for package in packages {
            cmd = cmd.args(["--package", package]);
        }
        let name = self.name;
        let flags = format!(
            "--cfg {} -Zsanitizer={name} -Zexternal-clangrt -Clinker=clang-22 \
             -Clink-arg=-fsanitize={name}",
            teeth::CFG
        );
        cmd.env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TARGET_DIR", ws.target_dir.join(self.step))
            .env(
                "CARGO_PROFILE_DEV_DEBUG_ASSERTIONS",
                debug_assertions.to_string(),
            )
            // That of the cargo which runs us.
            .env("LD_LIBRARY_PATH", "")
            .executables(self.step)
    }

    /// Runs the tests of one program; says what failed.
    fn test(&self, ws: &Workspace, program: &Executable) -> Result<Option<String>> {
        let (dir, target) = (folder(ws, program), &program.target);
        let mut cmd = self.command(ws, program);
        let here = |out: &&(&str, &str, &str)| (out.0, out.1) == (&*dir, &**target);
        for (_, _, tests) in self.left_out.iter().filter(here) {
            cmd = cmd.args(["--skip", tests]);
        }
        let finished = cmd.within(LIMIT, self.step)?;
        let took = finished.took.as_secs_f64();
        let reports = self.reports(&finished);
        if finished.succeeded() && reports == 0 {
            println!("{dir}, {target} ... ok ({took:.1} s)");
            return Ok(None);
        }
        let ending = finished.ending();
        let Finished { stdout, stderr, .. } = finished;
        println!("{stdout}{stderr}{dir}, {target} ... FAILED ({took:.1} s)");
        Ok(Some(format!(
            "{target} of {dir}: {reports} reports, {ending}"
        )))
    }

    fn command(&self, ws: &Workspace, program: &Executable) -> Cmd {
        let (variable, options) = self.options;
        let options = format!("{options}:external_symbolizer_path={SYMBOLIZER}");
        let mut cmd = Cmd::new(&program.path, &program.package_dir)
            .env(variable, options)
            // Panics that are meant need no names, which take long to find.
            .env("RUST_BACKTRACE", "0");
        if let Some(library) = self.preload(ws) {
            cmd = cmd.env("LD_PRELOAD", library);
        }
        for (variable, rounds) in self.rounds {
            cmd = cmd.env(variable, rounds);
        }
        cmd
    }

    /// How many reports there are.
    fn reports(&self, finished: &Finished) -> usize {
        let count = |report: &&str| {
            finished.stdout.matches(report).count() + finished.stderr.matches(report).count()
        };
        self.reports.iter().map(count).sum()
    }
}

/// The folder of a program's package, as one sees it from the root.
fn folder(ws: &Workspace, program: &Executable) -> String {
    let dir = program.package_dir.strip_prefix(&ws.root);
    let dir = dir.unwrap_or(&program.package_dir).display();
    dir.to_string().trim_end_matches("/").to_owned()
}
