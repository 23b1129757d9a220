//! Rule: text files hold nothing of the machine they were written on, and no noise.

use super::{Problem, Tree};
use crate::source::File;
use crate::workspace::Workspace;

/// Folders under which only some machine's own files live.
const MACHINE: [&str; 4] = [
    concat!("/", "work/"),
    concat!("/", "home/"),
    concat!("/", "root/"),
    concat!("/", "Users/"),
];

/// Hosts that an address may name: where Rust and its documentation live, where ideas come from,
/// and names that stand for no real host.
const HOSTS: [&str; 18] = [
    "github.com",
    "docs.rs",
    "crates.io",
    "doc.rust-lang.org",
    "docs.python.org",
    "trio.readthedocs.io",
    "anyio.readthedocs.io",
    "keepachangelog.com",
    "semver.org",
    "opensource.org",
    "www.apache.org",
    // Names of XML, which nothing looks up.
    "www.w3.org",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "example.com",
    "example.org",
    "example.invalid",
];

/// A path of one machine works on no other; an address of some mirror may be gone, or reachable
/// only from there. Tabs, spaces at line ends and missing newlines make changes look larger than
/// they are.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            for text in check_line(file, line) {
                problems.push(Problem::new(&file.path, index + 1, text));
            }
        }
        let text = &file.text;
        let one_newline = text.ends_with('\n') && !text.ends_with("\n\n") && text != "\n";
        if !text.is_empty() && !one_newline {
            problems.push(Problem::new(&file.path, 0, "it must end with one newline"));
        }
        if text.contains('\r') {
            problems.push(Problem::new(&file.path, 0, "it has carriage returns"));
        }
    }
    problems
}

fn check_line(file: &File, line: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let no_tabs = [".rs", ".md", ".toml"]
        .iter()
        .any(|ending| file.path.ends_with(ending));
    if no_tabs && line.contains('\t') {
        problems.push("a tab".to_owned());
    }
    if line.ends_with([' ', '\t']) {
        problems.push("space at the end of the line".to_owned());
    }
    for folder in MACHINE {
        if line
            .match_indices(folder)
            .any(|(at, _)| begins_path(&line[..at]))
        {
            problems.push(format!("a path of some machine, under {folder}"));
        }
    }
    for scheme in ["http://", "https://"] {
        for (at, _) in line.match_indices(scheme) {
            let host = host(&line[at + scheme.len()..]);
            // A name without a dot, or a bracketed address, is a sample in a test: no registry is
            // reached by one.
            let sample = host.starts_with('[') || !host.contains('.');
            if !sample && !HOSTS.contains(&host) {
                problems.push(format!("an address at {host}"));
            }
        }
    }
    problems
}

/// Whether a path after this text is absolute, and not the end of a relative one.
fn begins_path(before: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-~$})".contains(c);
    !before.ends_with(inside)
}

/// The host of an address without its scheme; empty if it is put together at run time.
fn host(address: &str) -> &str {
    if let Some(inside) = address.strip_prefix('[') {
        let end = inside.find(']').map_or(address.len(), |end| end + 2);
        return &address[..end];
    }
    let outside = |c: char| !(c.is_alphanumeric() || c == '.' || c == '-');
    let end = address.find(outside).unwrap_or(address.len());
    address[..end].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    #[test]
    fn clean_text_passes() {
        for good in [
            "",
            "See <https://docs.rs/kumi>, https://github.com/kumi-rs/kumi.\n",
            "http://127.0.0.1:80/ http://[::1]:80/ http://{addr}/ \"http://\" http://localhost\n",
            "target/work/ $HOME/work/ a/root/b ./home/\n",
        ] {
            assert_eq!(problems(check, &[("a.md", good)]), [""; 0], "{good}");
        }
        assert!(problems(check, &[("a.sh", "\ttabs\n")]).is_empty());
    }

    #[test]
    fn each_kind_of_noise_is_found() {
        for bad in [
            "a\tb\n",
            "a \n",
            "a",
            "a\n\n",
            "\n",
            "a\r\nb\n",
            concat!("in /", "work/x\n"),
            concat!("(`/", "home/x`)\n"),
            concat!("file:///", "root/x\n"),
            concat!("/", "Users/x\n"),
            concat!("http", "s://mirror.example.net/index\n"),
            concat!("http", "://10.0.0.1/\n"),
            concat!("http", "s://github.com.example.net/\n"),
        ] {
            assert_eq!(problems(check, &[("a.md", bad)]).len(), 1, "{bad:?}");
        }
    }
}
