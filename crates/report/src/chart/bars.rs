//! Bars side by side: the time of everybody in one scenario.

use std::fmt::Write;

use super::{Chart, MARGIN, WIDTH, class, id, line, mark, text};
use crate::data::{Clock, Competitor, Scenario};
use crate::family::titled;
use crate::figures::{Middle, middle};
use crate::text::{shortened, time};

/// A bar is drawn in full up to this many times the time of the quickest; a longer one has a gap.
const LONGEST: f64 = 12.0;

/// The height of a name with its bar.
const ROW: f64 = 35.0;

/// How many characters of a name fit beside its time, even in a wide font.
const NAME: usize = 38;

/// The bars of a scenario.
pub(crate) fn bars(scenario: &Scenario) -> Chart {
    let all: Vec<(&Competitor, Middle)> = scenario
        .competitors
        .iter()
        .map(|one| (one, middle(one)))
        .collect();
    let times = || all.iter().map(|(_, middle)| middle.median);
    let (least, most) = (
        times().fold(f64::INFINITY, f64::min),
        times().fold(0.0, f64::max),
    );
    let full = most.min(least * LONGEST);
    let clocks = all.iter().any(|(one, _)| one.clock != all[0].0.clock);
    let mut body = String::new();
    let mut top = 8.0;
    for (one, middle) in &all {
        row(&mut body, top, one, middle, full, clocks);
        top += ROW;
    }
    let mut notes = Vec::new();
    if most > full {
        notes.push(format!(
            "A bar with a gap is longer than {LONGEST} times the shortest."
        ));
    }
    if clocks {
        notes.push("(wall): time on the wall, several threads.".to_owned());
    }
    for note in notes {
        text(&mut body, "small", MARGIN, top + 12.0, &note);
        top += 18.0;
    }
    let title = format!("{}: time per {}", titled(scenario), scenario.unit);
    let named: Vec<String> = all
        .iter()
        .map(|(one, middle)| format!("{} {}", one.name, time(middle.median)))
        .collect();
    Chart {
        id: id(scenario),
        about: format!("{title}. {}", named.join("; ")),
        title,
        height: top + 6.0,
        body,
    }
}

/// A name, its time and its bar.
fn row(body: &mut String, top: f64, one: &Competitor, middle: &Middle, full: f64, clocks: bool) {
    let class = class(one);
    let wall = if clocks && one.clock == Clock::Wall {
        " (wall)"
    } else {
        ""
    };
    let name = shortened(&one.name, NAME - wall.len());
    mark(body, class, MARGIN + 4.0, top + 8.0);
    text(
        body,
        "name",
        MARGIN + 14.0,
        top + 12.5,
        &format!("{name}{wall}"),
    );
    text(
        body,
        "end",
        WIDTH - MARGIN,
        top + 12.5,
        &time(middle.median),
    );
    bar(
        body,
        class,
        (MARGIN, top + 19.0),
        WIDTH - 2.0 * MARGIN,
        middle,
        full,
    );
}

/// A bar on its track, with the middle half of the rounds as a line over its end.
pub(super) fn bar(
    body: &mut String,
    class: &str,
    at: (f64, f64),
    room: f64,
    middle: &Middle,
    full: f64,
) {
    let (x, y) = at;
    let to = |value: f64| (value / full).clamp(0.0, 1.0) * room;
    let width = to(middle.median).max(1.5);
    let _ = write!(
        body,
        "<rect class=\"track\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{room:.1}\" height=\"8\" rx=\"1\"/>\
         <rect class=\"bar {class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"8\" rx=\"1\"/>"
    );
    if middle.median > full * 1.000_001 {
        let gap = x + room * 0.9;
        line(body, "gap", (gap - 3.0, y + 10.0), (gap + 3.0, y - 2.0));
        line(body, "gap", (gap + 4.0, y + 10.0), (gap + 10.0, y - 2.0));
    } else if to(middle.high) - to(middle.low) >= 1.5 {
        line(
            body,
            "half",
            (x + to(middle.low), y + 4.0),
            (x + to(middle.high), y + 4.0),
        );
    }
}
