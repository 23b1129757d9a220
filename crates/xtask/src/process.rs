//! Running other programs: each command is shown before it runs, and a failure names its step.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Why a step failed, in one line or a few.
#[derive(Debug)]
pub(crate) struct Failure(String);

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a text file; the error names the file, which that of std does not.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

/// One command, not yet run.
#[derive(Debug)]
pub(crate) struct Cmd {
    inner: Command,
}

/// A program that cargo has built.
#[derive(Debug)]
pub(crate) struct Executable {
    pub(crate) target: String,
    /// The folder of its package.
    pub(crate) package_dir: PathBuf,
    pub(crate) path: PathBuf,
}

/// What a command with a time limit left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None` if it was killed at the limit.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Finished {
    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, in words.
    pub(crate) fn ending(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => format!("no end after {:.0?}", self.took),
        }
    }
}

impl Cmd {
    pub(crate) fn new(program: impl AsRef<OsStr>, dir: &Path) -> Cmd {
        let mut inner = Command::new(program);
        inner.current_dir(dir);
        Cmd { inner }
    }

    pub(crate) fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Cmd {
        self.inner.args(args);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Cmd {
        self.inner.env(key, value);
        self
    }

    /// Runs it with our own output, to its end.
    pub(crate) fn run(mut self, step: &str) -> Result {
        self.show();
        let status = self
            .inner
            .status()
            .map_err(|error| self.cannot_start(step, &error))?;
        self.check(step, status)
    }

    /// Runs it to its end and returns what it wrote to standard output.
    pub(crate) fn stdout(self, step: &str) -> Result<String> {
        self.show();
        self.quiet_stdout(step)
    }

    /// The same for a question that is no step of a check, and not worth showing.
    pub(crate) fn quiet_stdout(mut self, step: &str) -> Result<String> {
        let output = self
            .inner
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| self.cannot_start(step, &error))?;
        self.check(step, output.status)?;
        String::from_utf8(output.stdout)
            .map_err(|_| Failure::new(format!("step `{step}` failed: output is not UTF-8")))
    }

    /// Builds with cargo's JSON messages and returns the executables.
    pub(crate) fn executables(self, step: &str) -> Result<Vec<Executable>> {
        let messages = self
            .args(["--message-format=json-render-diagnostics"])
            .stdout(step)?;
        let mut found = Vec::new();
        for line in messages.lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let target = message["target"]["name"].as_str();
            let manifest = message["manifest_path"].as_str();
            let path = message["executable"].as_str();
            if let (Some(target), Some(manifest), Some(path)) = (target, manifest, path) {
                found.push(Executable {
                    target: target.to_owned(),
                    package_dir: PathBuf::from(manifest.trim_end_matches("Cargo.toml")),
                    path: PathBuf::from(path),
                });
            }
        }
        Ok(found)
    }

    /// Runs it silently and kills it at the limit.
    ///
    /// The output goes through files: a pipe stays open for as long as any grandchild lives, so
    /// reading one could outlast the limit.
    pub(crate) fn within(mut self, limit: Duration, step: &str) -> Result<Finished> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: the number only has to be different each time.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = std::env::temp_dir().join(format!("kumi-x-{}-{number}", std::process::id()));
        let (out, err) = (base.with_extension("out"), base.with_extension("err"));
        let create = |path: &Path| {
            File::create(path)
                .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
        };
        self.inner.stdin(Stdio::null());
        self.inner.stdout(create(&out)?).stderr(create(&err)?);
        let start = Instant::now();
        let mut child = self
            .inner
            .spawn()
            .map_err(|error| self.cannot_start(step, &error))?;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if start.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
                _ => {
                    // Both may fail only because it has just ended by itself.
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
            }
        };
        let took = start.elapsed();
        let text = |path: &Path| {
            let bytes = fs::read(path).unwrap_or_default();
            let _ = fs::remove_file(path);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok(Finished {
            status,
            stdout: text(&out),
            stderr: text(&err),
            took,
        })
    }

    pub(crate) fn show(&self) {
        println!("$ {}", self.describe());
    }

    fn describe(&self) -> String {
        let mut words = Vec::new();
        for (key, value) in self.inner.get_envs() {
            if let Some(value) = value {
                words.push(format!("{}={}", key.to_string_lossy(), quoted(value)));
            }
        }
        // The name is enough: the folder of the toolchain is the machine's own affair.
        let program = Path::new(self.inner.get_program());
        words.push(quoted(program.file_name().unwrap_or(program.as_os_str())));
        words.extend(self.inner.get_args().map(quoted));
        words.join(" ")
    }

    fn check(&self, step: &str, status: ExitStatus) -> Result {
        if status.success() {
            return Ok(());
        }
        let command = self.describe();
        Err(Failure::new(format!(
            "step `{step}` failed: {status}: {command}"
        )))
    }

    fn cannot_start(&self, step: &str, error: &std::io::Error) -> Failure {
        let command = self.describe();
        Failure::new(format!(
            "step `{step}` failed: cannot start: {error}: {command}"
        ))
    }
}

/// As one would type it in a shell.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{word}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let cmd = Cmd::new("cargo", Path::new("."))
            .args(["doc", "a b"])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(cmd.describe(), "RUSTDOCFLAGS='-D warnings' cargo doc 'a b'");
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_names_its_step() {
        let failing = Cmd::new("sh", Path::new(".")).args(["-c", "exit 3"]);
        let error = failing.run("the step").unwrap_err().to_string();
        assert!(error.contains("step `the step` failed"), "{error}");
        let missing = Cmd::new("kumi-no-such-program", Path::new("."));
        let error = missing.run("the step").unwrap_err().to_string();
        assert!(error.contains("`the step` failed: cannot start"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_past_its_limit_is_killed() {
        let finished = Cmd::new("sh", Path::new("."))
            .args(["-c", "echo early; exec sleep 60"])
            .within(Duration::from_millis(300), "sleepy")
            .unwrap();
        assert!(finished.status.is_none() && !finished.succeeded());
        assert_eq!(finished.stdout, "early\n");
        assert!(finished.ending().starts_with("no end after"));
    }
}
