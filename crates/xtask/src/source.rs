//! A Rust file as the rules read it: the text, and the code alone.
//!
//! The rules ask simple questions ("does the word `unsafe` occur?") that comments and string
//! literals would answer wrongly. So both are blanked out, byte for byte: every offset and line
//! number of the code is one of the text. This is a lexer for exactly that and no parser; it
//! accepts anything, because the compiler has already refused what is not Rust.

/// One file of the workspace.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the insides of literals blanked out; empty unless it is Rust.
    pub(crate) code: String,
}

impl File {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> File {
        let (path, text) = (path.into(), text.into());
        let code = match path.ends_with(".rs") {
            true => code_of(&text),
            false => String::new(),
        };
        File { path, text, code }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The 1-based line of an offset.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// The code without its `#[cfg(test)]` modules.
    pub(crate) fn code_without_tests(&self) -> String {
        let mut code = self.code.clone();
        let mut from = 0;
        while let Some(found) = code[from..].find("#[cfg(") {
            let start = from + found;
            let attribute_end = close(&code, start + 1).unwrap_or(code.len());
            from = attribute_end;
            let is_test = words(&code[start..attribute_end]).any(|(_, word)| word == "test")
                && !words(&code[start..attribute_end]).any(|(_, word)| word == "not");
            let Some(open) = code[attribute_end..].find(['{', ';']) else {
                break;
            };
            let open = attribute_end + open;
            let is_mod = words(&code[attribute_end..open]).any(|(_, word)| word == "mod");
            if is_test && is_mod && code[open..].starts_with('{') {
                let end = close(&code, open).unwrap_or(code.len());
                code.replace_range(start..end, &blank(&code[start..end]));
                from = end;
            }
        }
        code
    }
}

/// The offset just after the bracket that closes the one at `open`.
pub(crate) fn close(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (index, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(index + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// All words (identifiers and keywords) with their offsets.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + code[rest..].find(is_word)?;
        let len = code[start..].find(|c| !is_word(c));
        rest = len.map_or(code.len(), |len| start + len);
        Some((start, &code[start..rest]))
    })
}

fn blank(text: &str) -> String {
    let keep = |byte| if byte == b'\n' { '\n' } else { ' ' };
    text.bytes().map(keep).collect()
}

fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (shown, hidden) = token(rest, after_word);
        code.push_str(&rest[..shown]);
        code.push_str(&blank(&rest[shown..shown + hidden]));
        at += shown + hidden;
    }
    code
}

/// The next token: how many bytes of it are code, and how many after these are to be blanked.
///
/// The quotes of a string stay, so that `expected = ""` still looks like an argument.
fn token(rest: &str, after_word: bool) -> (usize, usize) {
    let first = rest.chars().next().map_or(1, char::len_utf8);
    if rest.starts_with("//") {
        return (0, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (0, block_comment(rest));
    }
    if let Some(inside) = rest.strip_prefix('"') {
        return (1, string_inside(inside));
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        return (1, char_inside(inside));
    }
    if !after_word {
        let prefix = ["br", "cr", "r"].iter().find(|p| rest.starts_with(**p));
        if let Some(len) = prefix.and_then(|prefix| raw_string(rest, prefix.len())) {
            return (0, len);
        }
        if let Some(inside) = rest.strip_prefix("b'") {
            return (2, char_inside(inside));
        }
    }
    (first, 0)
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of what stands between the quotes, with the closing one.
fn string_inside(rest: &str) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the rest of a character literal; 0 if the quote began a lifetime.
fn char_inside(rest: &str) -> usize {
    if let Some(escape) = rest.strip_prefix('\\') {
        let after_escaped = 1 + escape.chars().next().map_or(0, char::len_utf8);
        let end = rest[after_escaped..].find('\'');
        return end.map_or(rest.len(), |end| after_escaped + end + 1);
    }
    let len = rest.chars().next().map_or(0, char::len_utf8);
    if rest[len..].starts_with('\'') {
        len + 1
    } else {
        0
    }
}

/// The length of a raw string literal whose `r` ends at `prefix`, if it is one.
fn raw_string(rest: &str, prefix: usize) -> Option<usize> {
    let hashes = rest[prefix..].bytes().take_while(|b| *b == b'#').count();
    let inside = rest[prefix + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = prefix + hashes + 1;
    let len = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(start + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let code = code_of(text);
        assert_eq!(code.len(), text.len(), "offsets stay: {code:?}");
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        assert_eq!(code("a // b\nc"), "a c");
        assert_eq!(code("a /* b /* c */ d */ e"), "a e");
        assert_eq!(code(r#"f("x \" y", 1)"#), r#"f(" , 1)"#);
        assert_eq!(code(r##"f(r#"x " y"#, br"z")"##), "f( , )");
        assert_eq!(code("let r#type = 1;"), "let r#type = 1;");
        assert_eq!(
            code(r"['a', '\'', '\u{41}', 'ü', b'\n']"),
            "[' , ' , ' , ' , b' ]"
        );
    }

    #[test]
    fn a_lifetime_begins_no_literal() {
        assert_eq!(
            code("fn f<'a>(x: &'a str, y: &'_ u8)"),
            "fn f<'a>(x: &'a str, y: &'_ u8)"
        );
    }

    #[test]
    fn test_modules_are_left_out() {
        let file = File::new(
            "a.rs",
            "fn a() {}\n#[cfg(all(test, unix))]\nmod tests { fn b() { '}'; } }\nfn c() {}\n\
             #[cfg(not(test))]\nmod d { fn d() {} }\n",
        );
        let code = file.code_without_tests();
        let has = |name| words(&code).any(|(_, word)| word == name);
        assert!(has("a") && has("c") && has("d") && !has("b"));
        assert_eq!(file.line_of(file.text.find("fn c").unwrap()), 4);
    }
}
