//! Rule: the modules of core import only downwards.

use std::collections::BTreeSet;

use super::{Problem, Tree};
use crate::source::{File, close, words};
use crate::workspace::Workspace;

const SOURCE: &str = "crates/core/src/";

/// The top-level modules of core, the lowest layer first.
///
/// Only the modules of the lowest layer may import one another.
const LAYERS: &[&[&str]] = &[
    &["loom", "util", "context", "debug", "report", "runtime"],
    &["sync"],
    &["cancel"],
    &["channel", "combine"],
    &["task"],
    &["blocking", "cleanup", "group", "net", "spawned"],
    &["run"],
];

/// With layers each module can be read, tested and replaced knowing only those below it; the first
/// import upwards ties everything into one knot that nobody unties later.
///
/// A name at the root of the crate would be a way around, since `lib.rs` may import everything. So
/// inside the crate things are named by their modules; only macros, which live at the root, are
/// free.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    let in_core = || tree.rust().filter(|file| file.path.starts_with(SOURCE));
    let macros: BTreeSet<_> = in_core().flat_map(|file| macros(&file.code)).collect();
    let mut problems = Vec::new();
    let mut unknown = BTreeSet::new();
    for file in in_core() {
        let Some((module, depth)) = place(&file.path) else {
            continue;
        };
        let Some(layer) = layer_of(module) else {
            if unknown.insert(module) {
                let text = format!("the module `{module}` is in no layer");
                problems.push(Problem::new(&file.path, 0, text));
            }
            continue;
        };
        for (at, name) in imports(file, depth) {
            let text = match layer_of(&name) {
                _ if name == module || macros.contains(name.as_str()) => continue,
                Some(other) if other < layer || (other == 0 && layer == 0) => continue,
                Some(other) if other == layer => {
                    format!("`{module}` imports `{name}`, which is beside it")
                }
                Some(_) => format!("`{module}` imports `{name}`, which is above it"),
                None => format!("`{name}` is taken from the crate's root: name its module"),
            };
            problems.push(Problem::new(&file.path, file.line_of(at), text));
        }
    }
    problems
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The top-level module of a file, and how many modules it is below the root; none for `lib.rs` and
/// for files of tests.
fn place(path: &str) -> Option<(&str, usize)> {
    let path = path.strip_prefix(SOURCE)?.strip_suffix(".rs")?;
    let is_test = path.split('/').any(|part| part == "tests");
    let module = path.split('/').next()?;
    (path != "lib" && !is_test).then(|| (module, path.split('/').count()))
}

/// The names of the macros that a file defines.
fn macros(code: &str) -> impl Iterator<Item = &str> {
    let defined = code.match_indices("macro_rules!");
    defined.filter_map(|(at, found)| Some(words(&code[at + found.len()..]).next()?.1))
}

/// All names that the code takes from the root of the crate, with their offsets.
fn imports(file: &File, depth: usize) -> Vec<(usize, String)> {
    let code = file.code_without_tests();
    let mut imports = Vec::new();
    for (at, word) in words(&code) {
        let rest = match word {
            "crate" if !is_visibility(&code[..at]) => after_colons(&code[at + word.len()..]),
            // From the top module of a tree, its parent is the root.
            "super" if !code[..at].trim_end().ends_with("::") => to_root(&code[at..], depth),
            _ => None,
        };
        let Some(rest) = rest else { continue };
        let from_super = word == "super";
        for name in first_names(rest) {
            // A module written inside the file has other parents; only a name that is certainly
            // one of the root's counts.
            if !from_super || layer_of(name).is_some() {
                imports.push((at, name.to_owned()));
            }
        }
    }
    imports
}

/// Whether a `crate` after this text belongs to `pub(in crate::...)`, which imports nothing.
fn is_visibility(before: &str) -> bool {
    let before = before.trim_end().strip_suffix("in");
    before.is_some_and(|before| before.trim_end().ends_with('('))
}

fn after_colons(rest: &str) -> Option<&str> {
    rest.trim_start().strip_prefix("::").map(str::trim_start)
}

/// What follows as many `super::` as lead to the root.
fn to_root(mut path: &str, depth: usize) -> Option<&str> {
    for _ in 0..depth {
        path = after_colons(path.strip_prefix("super")?)?;
    }
    (!path.starts_with("super")).then_some(path)
}

/// The first name of a path, or of each path in a group of them.
fn first_names(rest: &str) -> Vec<&str> {
    if !rest.starts_with('{') {
        let name = words(rest).next().filter(|(at, _)| *at == 0);
        return vec![name.map_or("*", |(_, name)| name)];
    }
    let end = close(rest, 0).unwrap_or(rest.len());
    let inside = &rest[1..end.max(2) - 1];
    let mut names = Vec::new();
    let mut from = 0;
    while from < inside.len() {
        let part = inside[from..].trim_start();
        if !part.is_empty() {
            names.extend(first_names(part));
        }
        from = next_part(inside, from);
    }
    names
}

/// The offset after the next comma that is in no inner group.
fn next_part(inside: &str, from: usize) -> usize {
    let mut depth = 0usize;
    for (at, c) in inside.char_indices().filter(|(at, _)| *at >= from) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    inside.len()
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        problems(check, &[(path, text)])
    }

    #[test]
    fn downwards_is_fine() {
        for (path, good) in [
            (
                "crates/core/src/combine/gather.rs",
                "use crate::{cancel::Scope, sync::{self, A}};\n",
            ),
            ("crates/core/src/util.rs", "use crate::runtime::Clock;\n"),
            (
                "crates/core/src/cancel.rs",
                "// crate::group\nuse crate::cancel::tree::Node;\n",
            ),
            (
                "crates/core/src/sync.rs",
                "#[cfg(test)]\nmod tests { use crate::run::run; }\n",
            ),
            (
                "crates/core/src/sync/a.rs",
                "pub(in crate::sync) fn a() {}\nuse super::group;\n",
            ),
            (
                "crates/core/src/sync.rs",
                "macro_rules! mine { () => {} }\ncrate::mine!();\n",
            ),
            (
                "crates/core/src/lib.rs",
                "pub use crate::group::TaskGroup;\n",
            ),
            (
                "crates/core/src/sync/tests.rs",
                "use crate::group::TaskGroup;\n",
            ),
            ("backends/loop/src/util.rs", "use crate::group::A;\n"),
        ] {
            assert_eq!(found(path, good), [""; 0], "{path} {good}");
        }
    }

    #[test]
    fn upwards_sideways_and_around_are_not() {
        for (path, bad) in [
            ("crates/core/src/sync.rs", "use crate::cancel::Scope;\n"),
            (
                "crates/core/src/sync.rs",
                "fn a() { for x in crate::task::all() {} }\n",
            ),
            (
                "crates/core/src/sync/a.rs",
                "use crate::{util::B, task::{C, D}};\n",
            ),
            (
                "crates/core/src/sync/a.rs",
                "use crate::{\n    util,\n    group,\n};\n",
            ),
            ("crates/core/src/sync.rs", "use super::group::A;\n"),
            ("crates/core/src/sync/a.rs", "use super::super::group::A;\n"),
            ("crates/core/src/channel.rs", "use crate::net::A;\n"),
            ("crates/core/src/util.rs", "use crate::sync::A;\n"),
            (
                "crates/core/src/sync.rs",
                "macro_rules! m { () => { $crate::run::a() } }\n",
            ),
            ("crates/core/src/sync.rs", "use crate::TaskGroup;\n"),
            ("crates/core/src/sync.rs", "use crate::*;\n"),
            ("crates/core/src/other.rs", "//! New.\n"),
        ] {
            assert_eq!(found(path, bad).len(), 1, "{path} {bad}");
        }
    }
}
