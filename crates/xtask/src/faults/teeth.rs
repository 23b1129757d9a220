//! Faults of the program itself: each has to be found, or a check tests nothing.

use std::sync::Arc;

use super::table::{self, Case, When};
use super::trace::{self, Program, Seen};
use super::{Run, judge};

/// The program's fault, the fault of the system that it is run with, and what has to be said of it.
const TEETH: &[(&str, &str, &str)] = &[
    ("leak", "", "descriptors: "),
    ("spin", "", "it spins: "),
    ("silent", "accept4 error=EMFILE", "the error reached nobody"),
    ("panic", "", "a panic: "),
    ("hang", "", "descriptors: "),
];

/// One run for each; what is wrong is that nothing was wrong.
pub(crate) fn runs<'a>(
    program: &'a Program,
    backend: &'static str,
    usual: &Arc<Seen>,
) -> Vec<Run<'a>> {
    let run = |&(sabotage, with, words): &(&'static str, &'static str, &'static str)| {
        let usual = Arc::clone(usual);
        let what = move || {
            let case = table::CASES.iter().find(|case| case.to_string() == with);
            let (case, when): (&Case, _) = match case {
                Some(case) => (case, When::First),
                None => (&table::NO_FAULT, When::Never),
            };
            let more = ["--sabotage", sabotage];
            let seen = trace::run_with(program, backend, case, when, &usual, &more)?;
            let found = judge::judge(case, when, backend, &seen, &usual);
            match found.iter().any(|found| found.contains(words)) {
                true => Ok(Vec::new()),
                false => Ok(vec![format!("a check has no teeth: {found:?}")]),
            }
        };
        Run {
            name: format!("{backend} program with the fault `{sabotage}`"),
            what: Box::new(what),
        }
    };
    TEETH.iter().map(run).collect()
}
