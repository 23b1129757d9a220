//! The chart that stands for the whole: the backends side by side in a handful of scenarios.

use super::bars::bar;
use super::{Chart, MARGIN, WIDTH, mark, text};
use crate::data::{Clock, Competitor, Kind, Run};
use crate::family::{chosen, titled};
use crate::figures::{Middle, middle};
use crate::text::{shortened, time};

/// The backends of Kumi in the chosen scenarios; each scenario has a scale of its own.
pub(crate) fn overview(run: &Run) -> Chart {
    let mut body = String::new();
    let mut about = Vec::new();
    let mut top = 6.0;
    for scenario in chosen(run) {
        let kumi = scenario
            .competitors
            .iter()
            .filter(|one| one.kind == Kind::Kumi);
        let all: Vec<(&Competitor, Middle)> = kumi.map(|one| (one, middle(one))).collect();
        let full = all
            .iter()
            .map(|(_, middle)| middle.median)
            .fold(0.0, f64::max);
        if all.is_empty() {
            continue;
        }
        let clocks = all.iter().any(|(one, _)| one.clock != all[0].0.clock);
        let title = format!("{}, per {}", titled(scenario), scenario.unit);
        text(
            &mut body,
            "head",
            MARGIN,
            top + 13.0,
            &shortened(&title, 48),
        );
        top += 22.0;
        for (one, middle) in &all {
            let wall = if clocks && one.clock == Clock::Wall {
                " (wall)"
            } else {
                ""
            };
            let name = one.name.strip_prefix("kumi on ").unwrap_or(&one.name);
            mark(&mut body, "kumi", MARGIN + 4.0, top + 5.0);
            text(
                &mut body,
                "name",
                MARGIN + 14.0,
                top + 9.5,
                &format!("{}{wall}", shortened(name, 30 - wall.len())),
            );
            bar(
                &mut body,
                "kumi",
                (MARGIN + 204.0, top + 1.0),
                124.0,
                middle,
                full,
            );
            text(
                &mut body,
                "end",
                WIDTH - MARGIN,
                top + 9.5,
                &time(middle.median),
            );
            about.push(format!(
                "{} {} {}",
                scenario.name,
                one.name,
                time(middle.median)
            ));
            top += 19.0;
        }
        top += 12.0;
    }
    let title = "Kumi's backends side by side: time per unit, each scenario on a scale of its own"
        .to_owned();
    Chart {
        id: "overview".to_owned(),
        about: format!("{title}. {}", about.join("; ")),
        title,
        height: top,
        body,
    }
}
