//! Which scenarios somebody means.

/// Whether a name is meant: it contains the filter; begins with it, after `^`; is it, after `=`.
pub fn fits(filter: &str, name: &str) -> bool {
    match (filter.strip_prefix('^'), filter.strip_prefix('=')) {
        (Some(beginning), _) => name.starts_with(beginning),
        (_, Some(all)) => name == all,
        _ => name.contains(filter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_contains_begins_or_is() {
        assert!(fits("ready", "gather.ready 10") && !fits("^ready", "gather.ready 10"));
        assert!(fits("^gather", "gather.ready 10") && !fits("=gather", "gather.ready 10"));
        assert!(fits("=gather.ready 10", "gather.ready 10"));
        assert!(fits("", "gather.ready 10"));
    }
}
