//! Numbers and lists as people read them.

/// A space at which no line breaks.
const NB: char = '\u{a0}';

/// A number with three significant digits, or all of those before the point.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 999.5 {
        return whole(value.round() as u64);
    }
    let digits = match size {
        s if s >= 99.95 => 0,
        s if s >= 9.995 => 1,
        s if s >= 0.9995 => 2,
        0.0 => 0,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// A whole number with its thousands apart.
pub(crate) fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        // Four digits are read at a glance.
        if at > 0 && digits.len() > 4 && (digits.len() - at) % 3 == 0 {
            text.push(NB);
        }
        text.push(digit);
    }
    text
}

/// A time that is given in nanoseconds.
pub(crate) fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        n if n < 999.5 => (n, "ns"),
        n if n < 999.5e3 => (n / 1e3, "µs"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    format!("{}{NB}{unit}", number(value))
}

/// A share, such as 0.031, in percent.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = usize::from(percent.abs() < 0.95);
    let text = format!("{percent:.digits$}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    let text = if text == "-0" { "0" } else { text };
    format!("{text}{NB}%")
}

/// How many times, for "... times as quick": two significant digits.
pub(crate) fn times(factor: f64) -> String {
    if factor >= 9.95 {
        whole(factor.round() as u64)
    } else if factor >= 0.95 {
        format!("{factor:.1}")
    } else {
        format!("{factor:.2}")
    }
}

/// A ratio as a number to compare with 1.
pub(crate) fn ratio(value: f64) -> String {
    match value {
        v if v >= 99.5 => whole(v.round() as u64),
        v if v >= 9.95 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// Bytes, in the unit that suits them.
pub(crate) fn bytes(value: f64) -> String {
    if value < 9_999.5 {
        format!("{}{NB}B", number(value))
    } else if value < 9_999.5 * 1024.0 {
        format!("{}{NB}KiB", number(value / 1024.0))
    } else {
        format!("{}{NB}MiB", number(value / 1024.0 / 1024.0))
    }
}

/// "a", "a and b", "a, b and c"; with semicolons if one of several has a comma of its own.
pub(crate) fn list(items: &[impl AsRef<str>]) -> String {
    let (between, before_last) = if items.iter().any(|item| item.as_ref().contains(',')) {
        ("; ", "; and ")
    } else {
        (", ", " and ")
    };
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first, last] => format!("{} and {}", first.as_ref(), last.as_ref()),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{}{before_last}{}", most.join(between), last.as_ref())
        }
    }
}

/// "1.4 times as quick as", or, of a small lead, "4 % quicker than".
pub(crate) fn quicker(factor: f64) -> String {
    if factor < 1.095 {
        format!("{} quicker than", percent(factor - 1.0))
    } else {
        format!("{} times as quick as", times(factor))
    }
}

/// "1.4 times as long as", or, of a small difference, "4 % longer than".
pub(crate) fn longer(factor: f64) -> String {
    if factor < 1.095 {
        format!("{} longer than", percent(factor - 1.0))
    } else {
        format!("{} times as long as", times(factor))
    }
}

/// "1 round", "2 rounds".
pub(crate) fn count(number: usize, singular: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{}{NB}{singular}{ending}", whole(number as u64))
}

/// The text with a capital letter at its beginning, unless that is the name of somebody.
pub(crate) fn sentence(text: &str) -> String {
    let named = ["kumi", "tokio", "smol"];
    if named.iter().any(|name| text.starts_with(name)) {
        return text.to_owned();
    }
    let mut rest = text.chars();
    match rest.next() {
        Some(first) => first.to_uppercase().chain(rest).collect(),
        None => String::new(),
    }
}

/// Seconds since 1970 as a date and a time of day, UTC.
pub(crate) fn date(seconds: u64) -> String {
    let (days, rest) = ((seconds / 86_400) as i64, seconds % 86_400);
    // Days are counted in eras of 400 years that begin on the first of March.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (rest / 3_600, rest / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Text inside of HTML or SVG, also inside the quotes of an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Not allowed in XML, not even escaped.
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Text inside of one cell of a Markdown table.
pub(crate) fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '*' | '[' | ']' => {
                safe.push('\\');
                safe.push(c);
            }
            '<' => safe.push_str("&lt;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// The text, or as much of it as fits, with an ellipsis.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(NB, " ")
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (0.0312, "0.031"),
            (1.0, "1"),
            (4.5178, "4.52"),
            (9.996, "10"),
            (41.34, "41.3"),
            (99.96, "100"),
            (999.6, "1000"),
            (12_345.0, "12 345"),
        ] {
            assert_eq!(plain(&number(value)), expected);
        }
        assert_eq!(plain(&whole(100_000)), "100 000");
        assert_eq!(plain(&whole(1_234_567)), "1 234 567");
    }

    #[test]
    fn times_and_bytes_have_their_units() {
        for (value, expected) in [
            (0.25, "0.25 ns"),
            (999.7, "1 µs"),
            (1_240.0, "1.24 µs"),
            (34.0e6, "34 ms"),
            (2.5e9, "2.5 s"),
        ] {
            assert_eq!(plain(&time(value)), expected);
        }
        assert_eq!(plain(&bytes(96.0)), "96 B");
        assert_eq!(plain(&bytes(20_480.0)), "20 KiB");
        assert_eq!(plain(&bytes(50.0 * 1024.0 * 1024.0)), "50 MiB");
    }

    #[test]
    fn shares_and_factors() {
        for (value, expected) in [
            (0.031, "3 %"),
            (0.0, "0 %"),
            (-0.0001, "0 %"),
            (0.004, "0.4 %"),
            (0.8, "80 %"),
            (1.5, "150 %"),
        ] {
            assert_eq!(plain(&percent(value)), expected);
        }
        assert_eq!(plain(&quicker(1.04)), "4 % quicker than");
        assert_eq!(quicker(1.44), "1.4 times as quick as");
        assert_eq!(plain(&longer(1.04)), "4 % longer than");
        assert_eq!(longer(2.0), "2.0 times as long as");
        assert_eq!(times(1.44), "1.4");
        assert_eq!(times(12.3), "12");
        assert_eq!(times(0.5), "0.50");
        assert_eq!(ratio(1.0), "1.00");
        assert_eq!(ratio(12.34), "12.3");
    }

    #[test]
    fn lists_read_well() {
        assert_eq!(list(&[] as &[&str]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a, x", "b", "c"]), "a, x; b; and c");
        assert_eq!(plain(&count(1, "round")), "1 round");
        assert_eq!(plain(&count(0, "round")), "0 rounds");
    }

    #[test]
    fn a_name_keeps_its_small_letter() {
        assert_eq!(sentence("nothing can be said"), "Nothing can be said");
        assert_eq!(sentence("kumi on loop"), "kumi on loop");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_764_163_000), "2025-11-26 13:16 UTC");
    }

    #[test]
    fn nothing_escapes() {
        assert_eq!(
            escape("<b a=\"x\">&'\u{1}"),
            "&lt;b a=&quot;x&quot;&gt;&amp;&#39; "
        );
        assert_eq!(cell("a|b\n<c>*"), "a\\|b &lt;c>\\*");
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }
}
