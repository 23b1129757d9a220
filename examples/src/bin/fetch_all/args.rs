//! What is to be done: the command line and the lists of URLs it names.

use std::io::{self, BufRead, BufReader};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Parser;
use kumi::BackendKind;

/// Fetches URLs at several levels of concurrency and compares the levels.
#[derive(Debug, Parser)]
#[command(name = "fetch_all", version)]
pub(crate) struct Args {
    /// What to fetch; without any, a hundred paths of a server of the program's own.
    urls: Vec<String>,

    /// Reads URLs from a file, one per line; `-` is standard input. Skips empty lines and `#` comments.
    #[arg(long = "urls", value_name = "FILE")]
    list: Option<PathBuf>,

    /// How many requests are under way at once; a list is tried one after the other.
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_value = "1,10,100"
    )]
    pub(crate) concurrency: Vec<NonZeroUsize>,

    /// How long one request may take, from the look-up of the name to the end of the body.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub(crate) timeout_ms: u64,

    /// Adds a bad URL, a refused port, a path that is too slow and a malformed answer.
    #[arg(long, conflicts_with_all = ["urls", "list"])]
    pub(crate) with_faults: bool,

    /// The backend to run on; otherwise `KUMI_BACKEND` says, or there is only one.
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<BackendKind>,
}

impl Args {
    /// Returns the URLs that were given, or `None` if the built-in server is meant.
    ///
    /// # Errors
    ///
    /// If the list cannot be read, or is empty.
    pub(crate) fn read_urls(&self) -> io::Result<Option<Vec<String>>> {
        if self.urls.is_empty() && self.list.is_none() {
            return Ok(None);
        }
        let mut urls = self.urls.clone();
        if let Some(path) = &self.list {
            let listed = read_list(path).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("cannot read {}: {error}", path.display()),
                )
            })?;
            urls.extend(listed);
        }
        if urls.is_empty() {
            let text = "the list has no URL in it";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Some(urls))
    }
}

fn read_list(path: &Path) -> io::Result<Vec<String>> {
    let lines: Box<dyn BufRead> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(BufReader::new(std::fs::File::open(path)?)),
    };
    let mut urls = Vec::new();
    for line in lines.lines() {
        let line = line?;
        let url = line.trim();
        if !url.is_empty() && !url.starts_with('#') {
            urls.push(url.to_owned());
        }
    }
    Ok(urls)
}
