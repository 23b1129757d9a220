//! Whether a run was as the table says.

use super::table::{Case, Expect, Signal, When, number};
use super::trace::Seen;

/// How many turns a second there may be while a fault persists.
const PER_SECOND: f64 = 50.0;

/// What is wrong with a run.
pub(crate) fn judge(
    case: &Case,
    when: When,
    backend: &str,
    seen: &Seen,
    usual: &Seen,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let expect = case.expected(backend);
    if when != When::Never && seen.injected == 0 && !case.may_miss {
        wrong.push("no fault was injected".to_owned());
    }
    if let Expect::Panic(words) = expect {
        if !seen.stderr.contains(words) {
            wrong.push(format!("no panic with `{words}`: {}", tail(&seen.stderr)));
        }
        return wrong;
    }
    if !seen.ended_well {
        wrong.push(seen.ending.clone());
    }
    if seen.stderr.contains("panicked") {
        wrong.push(format!("a panic: {}", tail(&seen.stderr)));
    }
    if expect == Expect::NoStart {
        let expected = number(case.fault);
        if seen.fact("start") != expected {
            wrong.push(format!("it started, or said {:?}", seen.fact("start")));
        }
        return wrong;
    }
    spins(case, seen, usual, &mut wrong);
    descriptors(seen, &mut wrong);
    errors(case, when, expect, seen, &mut wrong);
    let ok = |name: &str, wrong: &mut Vec<String>| {
        if seen.fact(name) != Some("ok") {
            wrong.push(format!("{name}: {}", seen.fact(name).unwrap_or("not said")));
        }
    };
    ok("timer", &mut wrong);
    if case.signal == Signal::Tried {
        ok("signal", &mut wrong);
    }
    if !when.persists() {
        ok("last", &mut wrong);
    }
    if when != When::All {
        ok("closure", &mut wrong);
    }
    if let Expect::Foreign(words) = expect {
        wrong.retain(|wrong| !words.iter().any(|words| wrong.starts_with(words)));
    }
    if expect == Expect::NoThread && seen.fact("closure") != Some("late") {
        wrong.push(format!(
            "closure: {:?} instead of late",
            seen.fact("closure")
        ));
    }
    wrong
}

fn spins(case: &Case, seen: &Seen, usual: &Seen, wrong: &mut Vec<String>) {
    let time = seen.took.as_secs_f64();
    let mut check = |what: &str, now: usize, usual: usize| {
        // Twice: conversations in which something fails take a few turns more.
        let bound = ((2 * usual) as f64 + PER_SECOND * time + 20.0) * case.burst as f64;
        if now as f64 > bound {
            wrong.push(format!(
                "it spins: {now} {what} in {time:.1} s, {usual} without a fault"
            ));
        }
    };
    if case.message == "line" {
        check("turns", seen.turns(), usual.turns());
        check(case.calls, seen.count(case.calls), usual.count(case.calls));
    }
}

fn descriptors(seen: &Seen, wrong: &mut Vec<String>) {
    let (began, ended) = (seen.fact("began"), seen.fact("ended"));
    if began.is_none() || began != ended {
        let words = |fact: Option<&str>| fact.unwrap_or("not said").to_owned();
        wrong.push(format!(
            "descriptors: {} at first, {} at last",
            words(began),
            words(ended)
        ));
    }
}

fn errors(case: &Case, when: When, expect: Expect, seen: &Seen, wrong: &mut Vec<String>) {
    let all: Vec<_> = seen.errors().collect();
    let list = || {
        let words = all
            .iter()
            .map(|(what, code, count)| format!("{what} {code} x{count}"));
        words.collect::<Vec<_>>().join(", ")
    };
    match expect {
        Expect::Error(operations) => {
            let code = number(case.fault).unwrap_or_default();
            let is =
                |(what, found, _): &&(&str, &str, u64)| operations.contains(what) && *found == code;
            if !all.iter().any(|error| is(&error)) {
                wrong.push(format!("the error reached nobody (errors: {})", list()));
            }
            // A fault that persists leaves nothing else to those who wait for the other side.
            let stalls = all.iter().any(|(what, ..)| *what == "stall");
            if stalls && !when.persists() && when != When::Eight {
                wrong.push(format!("a conversation took too long (errors: {})", list()));
            }
        }
        Expect::Stall => {
            let other = all.iter().any(|(what, ..)| *what != "stall");
            if other {
                wrong.push(format!("errors: {}", list()));
            }
        }
        Expect::Nothing | Expect::NoThread => {
            if !all.is_empty() {
                wrong.push(format!("errors: {}", list()));
            }
            let talks = seen.fact("talks").unwrap_or_default();
            let mut numbers = talks.split_whitespace();
            if numbers.next() != numbers.next() || talks.is_empty() {
                wrong.push(format!("talks, and those that succeeded: {talks}"));
            }
        }
        Expect::NoStart | Expect::Panic(_) | Expect::Foreign(_) => {}
    }
}

/// The last words, in one line.
fn tail(text: &str) -> String {
    let line = text.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<_> = line.take(3).collect();
    lines.join(" / ")
}
