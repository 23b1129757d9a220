//! The form of an expected file, and the comparison with what was printed.
//!
//! It may begin with `# args: a b` (arguments of the program) and `# backends: loop tokio`
//! (if not all of the usual ones). All further lines are the output, literally, except that
//! `{num}` stands for a decimal number, `{word}` for a run of non-spaces and `{..}` for anything
//! within the line. Runs of spaces equal one space; spaces at the end of a line and empty lines at
//! the end of the file do not count.

use std::fmt::Write;

/// Where an example runs unless its file says otherwise.
const BACKENDS: [&str; 3] = ["loop", "tokio", "smol"];

#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) args: Vec<String>,
    pub(crate) backends: Vec<String>,
    lines: Vec<String>,
}

#[derive(Debug)]
enum Piece<'a> {
    Text(&'a str),
    Num,
    Word,
    Any,
}

impl Expected {
    pub(crate) fn parse(text: &str) -> Expected {
        let split = |list: &str| list.split_whitespace().map(str::to_owned).collect();
        let mut args = Vec::new();
        let mut backends = BACKENDS.map(str::to_owned).to_vec();
        let mut rest = text;
        loop {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            if let Some(list) = line.strip_prefix("# args:") {
                args = split(list);
            } else if let Some(list) = line.strip_prefix("# backends:") {
                backends = split(list);
            } else {
                break;
            }
            rest = after;
        }
        Expected {
            args,
            backends,
            lines: normal(rest),
        }
    }

    /// `None` if the output is as expected; otherwise the lines that differ.
    pub(crate) fn difference(&self, output: &str) -> Option<String> {
        let printed = normal(output);
        let same = |i: usize, j: usize| matches(&pieces(&self.lines[i]), &printed[j]);
        let (n, m) = (self.lines.len(), printed.len());
        let all_same = n == m && (0..n).all(|i| same(i, i));
        if all_same {
            return None;
        }
        // The longest common subsequence of the ends: table[i][j] is that of lines i.. and j..
        let mut table = vec![vec![0usize; m + 1]; n + 1];
        for i in (0..n).rev() {
            for j in (0..m).rev() {
                table[i][j] = match same(i, j) {
                    true => 1 + table[i + 1][j + 1],
                    false => table[i + 1][j].max(table[i][j + 1]),
                };
            }
        }
        let mut diff = String::new();
        let (mut i, mut j) = (0, 0);
        while i < n || j < m {
            if i < n && j < m && same(i, j) {
                let _ = writeln!(diff, "  {}", printed[j]);
                (i, j) = (i + 1, j + 1);
            } else if j == m || (i < n && table[i + 1][j] >= table[i][j + 1]) {
                let _ = writeln!(diff, "- {}", self.lines[i]);
                i += 1;
            } else {
                let _ = writeln!(diff, "+ {}", printed[j]);
                j += 1;
            }
        }
        Some(diff)
    }
}

fn normal(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(one_space).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Each run of spaces as one, none at the end.
fn one_space(line: &str) -> String {
    let mut normal = String::with_capacity(line.len());
    for c in line.trim_end().chars() {
        if c != ' ' || !normal.ends_with(' ') {
            normal.push(c);
        }
    }
    normal
}

fn pieces(mut line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    while !line.is_empty() {
        let tokens = [
            ("{num}", Piece::Num),
            ("{word}", Piece::Word),
            ("{..}", Piece::Any),
        ];
        let found = tokens
            .into_iter()
            .filter_map(|(token, piece)| Some((line.find(token)?, token.len(), piece)))
            .min_by_key(|(at, _, _)| *at);
        let Some((at, len, piece)) = found else {
            pieces.push(Piece::Text(line));
            break;
        };
        pieces.push(Piece::Text(&line[..at]));
        pieces.push(piece);
        line = &line[at + len..];
    }
    pieces
}

/// Tries every length of every token, longest first; lines are short.
fn matches(pieces: &[Piece<'_>], text: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return text.is_empty();
    };
    let longest = match first {
        Piece::Text(literal) => {
            let after = text.strip_prefix(literal);
            return after.is_some_and(|after| matches(rest, after));
        }
        Piece::Num => number_prefix(text),
        Piece::Word => text.find(char::is_whitespace).unwrap_or(text.len()),
        Piece::Any => text.len(),
    };
    let complete = |end: usize| match first {
        Piece::Num => number_prefix(&text[..end]) == end && end > 0,
        Piece::Word => end > 0,
        _ => true,
    };
    (0..=longest)
        .rev()
        .filter(|end| text.is_char_boundary(*end) && complete(*end))
        .any(|end| matches(rest, &text[end..]))
}

/// The length of the decimal number at the start, 0 if there is none.
fn number_prefix(text: &str) -> usize {
    let digits = |from: usize| {
        let more = text[from..].bytes().take_while(u8::is_ascii_digit).count();
        from + more
    };
    let start = usize::from(text.starts_with(['-', '+']));
    let whole = digits(start);
    if whole == start {
        return 0;
    }
    match text[whole..].strip_prefix('.') {
        Some(_) if digits(whole + 1) > whole + 1 => digits(whole + 1),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Expected::parse(pattern).difference(text).is_none()
    }

    #[test]
    fn the_head_sets_arguments_and_backends() {
        let expected = Expected::parse("# args: -n 3\n# backends: loop\nout\n");
        assert_eq!(expected.args, ["-n", "3"]);
        assert_eq!(expected.backends, ["loop"]);
        assert_eq!(expected.lines, ["out"]);
        let plain = Expected::parse("# title\nout\n");
        assert!(plain.args.is_empty());
        assert_eq!(plain.backends, BACKENDS);
        assert_eq!(plain.lines, ["# title", "out"]);
    }

    #[test]
    fn tokens_stand_for_what_varies() {
        assert!(fits("took {num} ms", "took 1.25 ms"));
        assert!(fits("t={num}.", "t=-3."));
        assert!(!fits("took {num} ms", "took long ms"));
        assert!(!fits("took {num} ms", "took . ms"));
        assert!(fits("on {word}!", "on 127.0.0.1:80!"));
        assert!(!fits("on {word}!", "on a b!"));
        assert!(!fits("on {word}", "on "));
        assert!(fits("{..}é{..}", "caféine é"));
        assert!(fits("a{..}", "a"));
        assert!(!fits("a{..}b", "a c"));
    }

    #[test]
    fn spaces_compare_as_one() {
        assert!(fits("a  b \nc\n\n", "a b\nc"));
        assert!(fits("", ""));
        assert!(!fits("a b", "ab"));
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let expected = Expected::parse("one\ntwo {num}\nthree\n");
        let diff = expected.difference("one\ntwo x\nthree\nfour\n").unwrap();
        assert_eq!(diff, "  one\n- two {num}\n+ two x\n  three\n+ four\n");
    }
}
