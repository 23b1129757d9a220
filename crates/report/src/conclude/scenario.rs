//! What follows from one scenario.

use super::standing::contest;
use crate::data::{Clock, Competitor, Kind, Run, Scenario};
use crate::family::{backends, counted, is_backend, ranked};
use crate::figures::{
    FEWEST, Growth, Middle, NOISY, Quality, Threads, Verdict, middle, price, quality, ratio,
};
use crate::text::{
    bytes, count, list, longer, number, percent, quicker, sentence, time, times, whole,
};

/// All sentences about one scenario; those about its growth only at the largest size.
pub(super) fn sentences(run: &Run, scenario: &Scenario) -> Vec<String> {
    let rounds = scenario
        .competitors
        .first()
        .map_or(0, |one| one.rounds.len());
    let mut all = Vec::new();
    if rounds < FEWEST {
        let rounds = count(rounds, "round");
        all.push(format!(
            "too few to judge: {rounds}, and {FEWEST} are needed"
        ));
    } else {
        all.extend(
            [Threads::One, Threads::Several]
                .iter()
                .filter_map(|threads| order(scenario, *threads)),
        );
        all.extend(price_of_kumi(scenario));
    }
    all.extend(two_clocks(scenario));
    all.extend(memory(scenario));
    if rounds >= FEWEST {
        all.extend(growth(run, scenario));
    }
    all.iter()
        .map(|text| format!("{}.", sentence(text)))
        .collect()
}

/// Why nothing can be said about these two, whose ratio does not tell them apart, if that is for their noise.
fn too_noisy(ratio: &Middle, pair: [&Competitor; 2]) -> Option<String> {
    if ratio.spread() <= NOISY {
        return None;
    }
    let noisiest = pair.into_iter().filter_map(|one| match quality(one) {
        Quality::Noisy(spread) => Some((spread, one)),
        _ => None,
    });
    let (spread, one) = noisiest.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!(
        "nothing can be said about who is quickest: the rounds of {} differ by {}",
        one.name,
        percent(spread)
    ))
}

/// Who is quickest on so many threads.
fn order(scenario: &Scenario, threads: Threads) -> Option<String> {
    let kumi = || {
        scenario
            .competitors
            .iter()
            .filter(|one| one.kind == Kind::Kumi)
    };
    let all = ranked(kumi(), threads);
    let first = *all.first()?;
    let both = [Threads::One, Threads::Several].map(|threads| !ranked(kumi(), threads).is_empty());
    let mut text = match (both, threads) {
        ([true, true], Threads::One) => "on one thread ".to_owned(),
        ([true, true], Threads::Several) => "with several threads ".to_owned(),
        _ => String::new(),
    };
    match contest(scenario, threads) {
        Some(ranked) => match among(&ranked) {
            Ok(said) => text.push_str(&said),
            Err(nothing) => return Some(nothing),
        },
        None => {
            let median = time(middle(first).median);
            let name = &first.name;
            let alone = if is_backend(first) {
                ", and no other backend was timed beside it"
            } else {
                ""
            };
            text.push_str(&format!(
                "{name} takes {median} per {}{alone}",
                scenario.unit
            ));
        }
    }
    if let Some(said) = beside_others(scenario, first) {
        text.push_str(&format!("; {said}"));
    }
    Some(text)
}

/// Who is quickest of at least two backends; an error says why nobody knows.
fn among(ranked: &[&Competitor]) -> Result<String, String> {
    let first = ranked[0];
    let is_equal = |one: &&&Competitor| ratio(one, first).verdict() == Verdict::Equal;
    let equals: Vec<&Competitor> = ranked.iter().skip(1).filter(is_equal).copied().collect();
    for one in &equals {
        if let Some(nothing) = too_noisy(&ratio(one, first), [first, one]) {
            return Err(nothing);
        }
    }
    let rest = ranked[1..]
        .iter()
        .filter(|one| !equals.iter().any(|equal| equal.name == one.name));
    let next = rest.copied().next();
    let lead = |next: &Competitor| {
        let lead = quicker(ratio(next, first).median);
        format!("{lead} {}", next.name)
    };
    let mut names = vec![first.name.as_str()];
    names.extend(equals.iter().map(|one| one.name.as_str()));
    Ok(match (names.len(), next) {
        (1, Some(next)) => format!("{} is the quickest backend, {}", first.name, lead(next)),
        (_, Some(next)) => format!("{} are equally quick, {}", list(&names), lead(next)),
        (2, None) => format!("{} are equally quick", list(&names)),
        (all, None) => format!("all {all} backends are equally quick"),
    })
}

/// How the quickest of Kumi stands to those that are not Kumi.
fn beside_others(scenario: &Scenario, own: &Competitor) -> Option<String> {
    let others = scenario.competitors.iter();
    let others = others
        .filter(|one| matches!(one.kind, Kind::Native | Kind::Peer) && one.clock == own.clock);
    let ranked = ranked(others, Threads::of(own));
    let best = *ranked.first()?;
    let ratio = ratio(best, own);
    let name = &best.name;
    Some(match ratio.verdict() {
        Verdict::Unknown => return None,
        Verdict::Less => {
            let lead = quicker(1.0 / ratio.median);
            format!("{name}, which is not Kumi, is {lead} {}", own.name)
        }
        Verdict::More => {
            let lag = longer(ratio.median);
            format!(
                "the quickest that is not Kumi is {name}, which takes {lag} {}",
                own.name
            )
        }
        Verdict::Equal if ratio.spread() > NOISY => return None,
        Verdict::Equal => format!("{name}, which is not Kumi, is as quick as {}", own.name),
    })
}

/// What Kumi costs over each native API.
fn price_of_kumi(scenario: &Scenario) -> Option<String> {
    let (mut multiples, mut costs, mut saves, mut equals) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in backends(scenario) {
        let Some(price) = price(scenario, one) else {
            continue;
        };
        let native = one.native.as_deref().unwrap_or_default();
        match price.verdict() {
            Verdict::More if price.median >= 1.995 => {
                multiples.push(format!("{} native {native}", longer(price.median)));
            }
            Verdict::More => costs.push(format!(
                "{} over native {native}",
                percent(price.median - 1.0)
            )),
            Verdict::Less => saves.push(format!(
                "{} less than native {native}",
                percent(1.0 - price.median)
            )),
            Verdict::Equal if price.spread() <= NOISY => equals.push(format!("native {native}")),
            Verdict::Equal | Verdict::Unknown => {}
        }
    }
    let mut parts = Vec::new();
    if !multiples.is_empty() {
        parts.push(format!("Kumi takes {}", list(&multiples)));
    }
    if !costs.is_empty() {
        parts.push(format!("Kumi costs {}", list(&costs)));
    }
    if !saves.is_empty() {
        parts.push(format!("Kumi takes {}", list(&saves)));
    }
    if !equals.is_empty() {
        parts.push(format!(
            "Kumi costs nothing that can be measured over {}",
            list(&equals)
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Points out that not all times are of one kind.
fn two_clocks(scenario: &Scenario) -> Option<String> {
    let of = |clock: Clock| -> Vec<&str> {
        let all = scenario.competitors.iter();
        all.filter(|one| one.clock == clock)
            .map(|one| one.name.as_str())
            .collect()
    };
    let (thread, wall) = (of(Clock::Thread), of(Clock::Wall));
    if thread.is_empty() || wall.is_empty() {
        return None;
    }
    let verb = if wall.len() == 1 { "is" } else { "are" };
    // All names of a long list are in the chart and in the table, with the mark.
    let who = if wall.len() > 2 {
        format!("the {} marked (wall)", wall.len())
    } else {
        list(&wall)
    };
    Some(format!(
        "two clocks: {who} {verb} timed on the wall, since several threads work, and the others by the \
         processor's time of their one thread; the two kinds are not compared"
    ))
}

/// What the quickest backends allocate.
fn memory(scenario: &Scenario) -> Option<String> {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for (one, allocations) in counted(scenario) {
        let most = one.bytes.filter(|most| *most > 0.0);
        let what = if allocations == 0.0 {
            "nothing".to_owned()
        } else {
            let times = if allocations == 1.0 {
                "once".to_owned()
            } else {
                format!("{} times", number(allocations))
            };
            let most = most
                .map(|most| format!(" ({} at most)", bytes(most)))
                .unwrap_or_default();
            format!("{times} per {}{most}", scenario.unit)
        };
        match said.iter_mut().find(|(known, _)| *known == what) {
            Some((_, names)) => names.push(&one.name),
            None => said.push((what, vec![&one.name])),
        }
    }
    let parts: Vec<String> = said
        .iter()
        .map(|(what, names)| {
            let verb = if names.len() == 1 {
                "allocates"
            } else {
                "allocate"
            };
            format!("{} {verb} {what}", list(names))
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How the time per unit changes with the size.
fn growth(run: &Run, scenario: &Scenario) -> Option<String> {
    let sizes: Vec<&Scenario> = run
        .scenarios
        .iter()
        .filter(|one| one.name == scenario.name)
        .collect();
    if sizes.iter().any(|one| one.size > scenario.size) {
        return None;
    }
    let (mut flat, mut falls, mut grows) = (Vec::new(), Vec::new(), Vec::new());
    let mut range: Vec<(u64, u64)> = Vec::new();
    for one in scenario
        .competitors
        .iter()
        .filter(|one| one.kind == Kind::Kumi)
    {
        let Some(growth) = Growth::of(&sizes, &one.name) else {
            continue;
        };
        range.push((growth.from, growth.to));
        let factor = times(growth.factor.max(1.0 / growth.factor));
        match growth.verdict() {
            Verdict::Equal | Verdict::Unknown => flat.push(one.name.clone()),
            Verdict::Less => falls.push(format!("{factor} times on {}", one.name)),
            Verdict::More => {
                grows.push(format!("{factor} times on {}{}", one.name, shape(&growth)))
            }
        }
    }
    // Somebody who lacks the smallest size would be said to grow from it.
    let first = *range.first()?;
    if range.iter().any(|other| *other != first) {
        return None;
    }
    let mut parts = Vec::new();
    match flat.len() {
        0 => {}
        1 => parts.push(format!("is flat on {}", flat[0])),
        all if all == range.len() => parts.push(format!("is flat on all {all}")),
        _ => parts.push(format!("is flat on {}", list(&flat))),
    }
    if !grows.is_empty() {
        parts.push(format!("grows {}", list(&grows)));
    }
    if !falls.is_empty() {
        parts.push(format!("falls {}", list(&falls)));
    }
    let (from, to) = (whole(first.0), whole(first.1));
    Some(format!(
        "from {from} to {to} {} the time per {} {}",
        scenario.size_of,
        scenario.unit,
        parts.join("; it ")
    ))
}

/// What a clear growth is like.
fn shape(growth: &Growth) -> &'static str {
    match growth.power() {
        power if power > 1.15 => " (faster than the number)",
        power if power >= 0.85 => " (in proportion to the number)",
        _ => "",
    }
}
