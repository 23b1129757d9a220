//! Rule: every function that returns a future says what dropping it loses.

use super::{Problem, Tree};
use crate::source::{File, close, words};
use crate::workspace::Workspace;

const HEADING: &str = "# Cancel safety";

/// Members whose functions are not awaited by users.
const EXEMPT: [&str; 3] = ["crates/xtask/", "crates/macros/", "crates/conformance/"];

/// Any future can be dropped halfway, and only its author knows what is lost then. Whoever puts a
/// call into a `select!` needs the answer, so it is given everywhere, also where it is "nothing".
///
/// This sees `pub async fn`, `pub fn ... -> impl Future` and the same in public traits; a future
/// type that is named is documented on the type.
pub(super) fn check(tree: &Tree, _: &Workspace) -> Vec<Problem> {
    let applies = |file: &&File| {
        let member = file.path.starts_with("crates/") || file.path.starts_with("backends/");
        let is_source = file.path.split('/').nth(2) == Some("src");
        member && is_source && !EXEMPT.iter().any(|dir| file.path.starts_with(dir))
    };
    let mut problems = Vec::new();
    for file in tree.rust().filter(applies) {
        let code = file.code_without_tests();
        for at in public_items(&code) {
            let Some(name) = awaited(&code[at..]) else {
                continue;
            };
            let line = file.line_of(at);
            if !docs_above(file, line).any(|doc| doc.trim() == HEADING) {
                let text = format!("`{name}` returns a future and has no `{HEADING}`");
                problems.push(Problem::new(&file.path, line, text));
            }
        }
    }
    problems
}

/// Where public items begin, functions of public traits included.
fn public_items(code: &str) -> Vec<usize> {
    let mut items = Vec::new();
    for (at, _) in words(code).filter(|(_, word)| *word == "pub") {
        items.push(at);
        let mut next = words(&code[at..]).skip(1).map(|(_, word)| word);
        let is_trait = next.find(|word| *word != "unsafe") == Some("trait");
        let open = code[at..].find(['{', ';']).map(|open| at + open);
        let Some(open) = open.filter(|_| is_trait) else {
            continue;
        };
        let end = close(code, open).unwrap_or(code.len());
        let mut from = open + 1;
        // A function of the trait begins after the item before it, and its body is passed over.
        while let Some(found) = code[from..end].find(['{', ';']) {
            let first = words(&code[from..from + found])
                .find(|(_, word)| ["fn", "async", "const", "unsafe", "extern"].contains(word));
            items.extend(first.map(|(at, _)| from + at));
            let stop = from + found;
            from = match code[stop..].starts_with('{') {
                true => close(code, stop).unwrap_or(end),
                false => stop + 1,
            };
        }
    }
    items
}

/// The name of the function that begins here, if it is async or returns `impl Future`.
fn awaited(item: &str) -> Option<&str> {
    let qualifiers = ["pub", "const", "async", "unsafe", "extern"];
    let mut is_async = false;
    let mut words = words(item);
    loop {
        match words.next()?.1 {
            "fn" => break,
            "async" => is_async = true,
            word if qualifiers.contains(&word) => {}
            _ => return None,
        }
    }
    let (at, name) = words.next()?;
    let returned = returned(&item[at + name.len()..]);
    (is_async || is_future(returned)).then_some(name)
}

/// The return type of a function, given what follows its name.
fn returned(signature: &str) -> &str {
    let Some(open) = parameters(signature) else {
        return "";
    };
    let rest = &signature[close(signature, open).unwrap_or(signature.len())..];
    &rest[..rest.find(['{', ';']).unwrap_or(rest.len())]
}

/// Where the parameter list begins: after the generics, which may hold parentheses of their own.
fn parameters(signature: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut previous = ' ';
    for (at, c) in signature.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if previous != '-' && previous != '=' => depth = depth.saturating_sub(1),
            '(' if depth == 0 => return Some(at),
            _ => {}
        }
        previous = c;
    }
    None
}

/// Whether a type mentions `impl Future`, with other bounds or a path between the two.
fn is_future(returned: &str) -> bool {
    let Some((_, returned)) = returned.split_once("->") else {
        return false;
    };
    let end = words(returned).find(|(_, word)| *word == "where");
    let end = end.map_or(returned.len(), |(at, _)| at);
    let mut words = words(&returned[..end]).map(|(_, word)| word);
    words.any(|word| word == "impl") && words.any(|word| word == "Future")
}

/// The doc lines above a line, over its attributes.
fn docs_above(file: &File, line: usize) -> impl Iterator<Item = &str> {
    let above: Vec<_> = file.text.lines().take(line - 1).collect();
    let mut docs = Vec::new();
    for text in above.into_iter().rev() {
        let text = text.trim();
        if let Some(doc) = text.strip_prefix("///") {
            docs.push(doc);
        } else if text.is_empty() || text.ends_with(['}', ';', '{']) {
            break;
        }
    }
    docs.into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;
    use super::*;

    const PATH: &str = "crates/core/src/a.rs";

    #[test]
    fn a_future_without_the_section_is_a_problem() {
        for bad in [
            "/// A.\npub async fn a() {}\n",
            "pub fn a(\n    x: u8,\n) -> impl Future<Output = ()> + use<> {\n}\n",
            "pub fn a<F: Fn(u8) -> u8>(f: F) -> impl Send + core::future::Future;\n",
            "/// # Cancel safety\nfn b() {}\n/// A.\npub async fn a() {}\n",
            "pub trait T: Clone {\n    type A: B;\n    /// A.\n    fn a(&self) -> impl Future + Send;\n}\n",
            "pub unsafe trait T {\n    fn b(&self) { c(); }\n    #[x]\n    async fn a(&self) {}\n}\n",
            "// # Cancel safety\n    pub const async unsafe fn a() {}\n",
        ] {
            let found = problems(check, &[(PATH, bad)]);
            assert_eq!(found.len(), 1, "{bad}");
            assert!(found[0].contains("`a` returns"), "{found:?}");
        }
    }

    #[test]
    fn the_section_or_no_future_is_fine() {
        for good in [
            "/// A.\n///\n/// # Cancel safety\n///\n/// Nothing is lost.\n\
             #[must_use]\n#[cfg(any(\n    unix,\n))]\npub async fn a() {}\n",
            "pub(crate) async fn a() {}\nasync fn b() {}\npub fn c(f: impl Future) -> u8 { 1 }\n",
            "pub fn a<F>(f: F) -> impl Iterator where F: Future {}\npub struct Future;\n",
            "pub trait T {\n    /// # Cancel safety\n    async fn a();\n    fn b() {}\n}\n",
            "trait T {\n    async fn a();\n}\npub fn b() { async fn c() {} }\n",
            "#[cfg(test)]\nmod tests {\n    pub async fn a() {}\n}\n",
        ] {
            assert_eq!(problems(check, &[(PATH, good)]), [""; 0], "{good}");
        }
        let elsewhere = [
            ("crates/conformance/src/a.rs", "pub async fn a() {}\n"),
            ("crates/core/tests/a.rs", "pub async fn a() {}\n"),
        ];
        assert!(problems(check, &elsewhere).is_empty());
    }
}
