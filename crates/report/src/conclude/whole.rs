//! What follows from all scenarios together.

use super::Conclusion;
use super::standing::{Price, Standing, contests, prices, standings};
use crate::data::{Kind, Run};
use crate::family::{self, families, titled};
use crate::figures::{self, FEWEST, Growth, NOISY, Quality, Threads, Verdict, quality};
use crate::text::{count, list, longer, number, percent, ratio, times, whole};

/// All sentences about the whole.
pub(super) fn conclusions(run: &Run) -> Vec<Conclusion> {
    let mut all = Vec::new();
    let mut add = |topic: &'static str, text: Option<String>| {
        all.extend(text.map(|text| Conclusion { topic, text }));
    };
    let standings = standings(run);
    add("On one thread", quickest(run, &standings, Threads::One));
    add(
        "On several threads",
        quickest(run, &standings, Threads::Several),
    );
    for price in prices(run) {
        add("The price", Some(price_of(&price)));
    }
    add("With the number", growth(run));
    add("Memory", memory(run));
    add("How sure", noise(run));
    all
}

fn quickest(run: &Run, standings: &[Standing], threads: Threads) -> Option<String> {
    let contests = contests(&run.scenarios, threads).len();
    let mut of_these: Vec<&Standing> = standings
        .iter()
        .filter(|one| one.threads == threads)
        .collect();
    of_these.sort_by_key(|one| std::cmp::Reverse(one.wins));
    let Some(first) = of_these.first().filter(|one| one.wins > 0) else {
        return match contests {
            0 => None,
            1 => Some(
                "The one measurement with several backends does not tell them apart.".to_owned(),
            ),
            all => Some(format!(
                "The {} measurements with several backends do not tell them apart.",
                whole(all as u64)
            )),
        };
    };
    let beside = match first.equals {
        0 => String::new(),
        equals => format!(", and equal to the best in {equals} more"),
    };
    let tied: Vec<&str> = of_these
        .iter()
        .filter(|one| one.wins == first.wins)
        .map(|one| one.name.as_str())
        .collect();
    let wins = whole(first.wins as u64);
    let mut text = if tied.len() > 1 {
        format!(
            "{} are each the quickest backend in {wins} of the {} measurements with several backends.",
            list(&tied),
            whole(contests as u64)
        )
    } else {
        let share = match (first.wins, first.of) {
            (1, 1) => "the one measurement".to_owned(),
            (wins, of) if wins == of => format!("all {} measurements", whole(of as u64)),
            (_, of) => format!("{wins} of the {} measurements", whole(of as u64)),
        };
        format!(
            "{} is the quickest backend in {share} in which it was timed beside others{beside}.",
            first.name
        )
    };
    let others = of_these.iter().skip(tied.len()).filter(|one| one.wins > 0);
    let others: Vec<String> = others
        .map(|one| format!("{} in {}", one.name, one.wins))
        .collect();
    if !others.is_empty() {
        text.push_str(&format!(" Others are the quickest too: {}.", list(&others)));
    }
    // Somebody who took part in a few only may have had the easy ones.
    let mut often: Vec<&&Standing> = of_these
        .iter()
        .filter(|one| one.of * 2 >= contests)
        .collect();
    often.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    if often.len() > 1 {
        let mean = |one: &&&Standing| format!("{} for {}", ratio(one.mean), one.name);
        let means: Vec<String> = often.iter().map(mean).collect();
        text.push_str(&format!(
            " As a multiple of the quickest backend's time, on the geometric mean: {}.",
            list(&means)
        ));
    }
    Some(text)
}

fn price_of(price: &Price) -> String {
    let runtime = &price.runtime;
    let takes = format!(
        "Kumi on {runtime} takes {} its native API",
        beside(price.mean)
    );
    let (most, at) = &price.most;
    if price.middle.count == 1 {
        return format!("{takes} in the one measurement of both, {at}.");
    }
    let (low, high) = (ratio(price.middle.low), ratio(price.middle.high));
    let half = if low == high {
        format!("the middle half of the ratios is {low}")
    } else {
        format!("the middle half of the ratios lies from {low} to {high}")
    };
    format!(
        "{takes}, on the geometric mean of {} measurements: {half}, and the highest is {} in {at}.",
        whole(price.middle.count as u64),
        ratio(*most)
    )
}

/// "4 % longer than", "3 % less time than", "as long as".
fn beside(ratio: f64) -> String {
    match ratio {
        many if many >= 1.995 => longer(many),
        more if more >= 1.005 => format!("{} longer than", percent(more - 1.0)),
        less if less <= 0.995 => format!("{} less time than", percent(1.0 - less)),
        _ => "as long as".to_owned(),
    }
}

fn growth(run: &Run) -> Option<String> {
    let (mut flat, mut falls, mut grows) = (0, 0, Vec::new());
    for family in families(run).iter().filter(|family| family.grows()) {
        let kumi = family
            .largest()
            .competitors
            .iter()
            .filter(|one| one.kind == Kind::Kumi);
        let all: Vec<Growth> = kumi
            .filter_map(|one| Growth::of(&family.sizes, &one.name))
            .collect();
        let worst = all.iter().max_by(|a, b| a.factor.total_cmp(&b.factor));
        let Some(worst) = worst else { continue };
        match worst.verdict() {
            Verdict::More => grows.push((
                worst.power(),
                *worst,
                family.name(),
                &family.largest().size_of,
            )),
            Verdict::Less => falls += 1,
            Verdict::Equal | Verdict::Unknown => flat += 1,
        }
    }
    let of = flat + falls + grows.len();
    if of == 0 {
        return None;
    }
    let verb = if of == 1 { "was" } else { "were" };
    let mut text = format!(
        "{} {verb} measured at several sizes.",
        count(of, "scenario")
    );
    if !grows.is_empty() {
        grows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let named: Vec<String> = grows
            .iter()
            .take(3)
            .map(|(_, growth, name, size_of)| {
                let (from, to) = (whole(growth.from), whole(growth.to));
                format!(
                    "{name} ({} times as long from {from} to {to} {size_of})",
                    times(growth.factor)
                )
            })
            .collect();
        let among = if grows.len() > named.len() {
            "most in "
        } else {
            ""
        };
        text.push_str(&format!(
            " The time per unit grows with the number, for Kumi on some backend, in {}: {among}{}.",
            whole(grows.len() as u64),
            list(&named)
        ));
    }
    if flat > 0 {
        text.push_str(&format!(" It is flat in {}.", whole(flat as u64)));
    }
    if falls > 0 {
        text.push_str(&format!(" It falls in {}.", whole(falls as u64)));
    }
    Some(text)
}

fn memory(run: &Run) -> Option<String> {
    let (mut counted, mut nothing, mut most) = (0, 0, None::<(f64, String, String)>);
    let (mut fewer, mut same, mut more, mut extra) = (0, 0, 0, Vec::new());
    for scenario in &run.scenarios {
        for (one, allocations) in family::counted(scenario) {
            counted += 1;
            nothing += usize::from(allocations == 0.0);
            if most.as_ref().is_none_or(|(most, ..)| allocations > *most) {
                most = Some((allocations, one.name.clone(), titled(scenario)));
            }
            let native = figures::native(scenario, one);
            let Some(native) = native.and_then(|native| native.allocations) else {
                continue;
            };
            // Below a hundredth it is what a run allocates once.
            match allocations - native {
                less if less < -0.01 => fewer += 1,
                equal if equal <= 0.01 => same += 1,
                difference => {
                    more += 1;
                    extra.push(difference);
                }
            }
        }
    }
    let (most, name, at) = most?;
    let cases = if counted == 1 { "case" } else { "cases" };
    let verb = if counted == 1 { "was" } else { "were" };
    let mut text = format!(
        "Allocations of Kumi {verb} counted in {} {cases}; in {} of them there is none.",
        whole(counted as u64),
        whole(nothing as u64)
    );
    if most > 0.0 {
        let times = if most == 1.0 {
            "once".to_owned()
        } else {
            format!("{} times", number(most))
        };
        text.push_str(&format!(
            " The most per unit is {times}, by {name} in {at}."
        ));
    }
    let both = fewer + same + more;
    if both > 0 {
        text.push_str(&format!(
            " Beside the native API of the same runtime it allocates as often in {} of {}, less often in {}, more often in {}",
            whole(same), whole(both), whole(fewer), whole(more)
        ));
        if !extra.is_empty() {
            text.push_str(&format!(
                ", by {} per unit at the median",
                number(crate::figures::median(&extra))
            ));
        }
        text.push('.');
    }
    Some(text)
}

fn noise(run: &Run) -> Option<String> {
    let (mut all, mut noisy, mut few) = (0, 0, 0);
    let mut worst = None::<(f64, String)>;
    for scenario in &run.scenarios {
        for one in &scenario.competitors {
            all += 1;
            match quality(one) {
                Quality::Good => {}
                Quality::TooFew(_) => few += 1,
                Quality::Noisy(spread) => {
                    noisy += 1;
                    if worst.as_ref().is_none_or(|(most, _)| spread > *most) {
                        worst = Some((spread, format!("{} in {}", one.name, titled(scenario))));
                    }
                }
            }
        }
    }
    let limit = percent(NOISY);
    let mut text = match worst {
        None => format!(
            "No time of {} is noisy: the middle half of the rounds of each spreads over no more than {limit} of its median.",
            whole(all)
        ),
        Some((spread, at)) => format!(
            "{} of {} times {} noisy, the middle half of their rounds spreading over more than {limit} of the median; the widest is {} of {at}.",
            whole(noisy),
            whole(all),
            if noisy == 1 { "is" } else { "are" },
            percent(spread)
        ),
    };
    if few > 0 {
        let have = if few == 1 { "has" } else { "have" };
        text.push_str(&format!(
            " {} {have} fewer than {FEWEST} rounds, too few to judge.",
            whole(few)
        ));
    }
    Some(text)
}
