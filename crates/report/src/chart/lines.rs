//! Lines on logarithmic axes: the time per unit of everybody over the sizes.

use std::fmt::Write;

use super::{Chart, MARGIN, WIDTH, class, line, mark, text};
use crate::data::Competitor;
use crate::family::Family;
use crate::figures::middle;
use crate::text::{shortened, time, whole};

/// Where the drawing begins and ends: times stand to its left, numbers to its right.
const LEFT: f64 = 66.0;
const RIGHT: f64 = WIDTH - 40.0;
const TOP: f64 = 14.0;

/// The least height of the drawing; with many lines it is higher, so that each has room for its number.
const HEIGHT: f64 = 210.0;

/// The distance of the numbers at the ends, so that they do not cover one another.
const APART: f64 = 14.0;

/// One who takes part: its points as (size, time).
struct Series<'a> {
    one: &'a Competitor,
    points: Vec<(f64, f64)>,
}

/// A logarithmic scale.
struct Scale {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
}

impl Scale {
    fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + (self.to - self.from) * share
    }
}

/// The lines of a family with at least two sizes.
pub(crate) fn lines(family: &Family<'_>) -> Chart {
    let all = series(family);
    let points = || all.iter().flat_map(|series| &series.points);
    let bounds = |value: fn(&(f64, f64)) -> f64| {
        points()
            .map(value)
            .fold((f64::INFINITY, 0.0), |(low, high), value| {
                (value.min(low), value.max(high))
            })
    };
    let bottom = TOP + HEIGHT.max(APART * all.len() as f64);
    let (sizes, times) = (bounds(|point| point.0), bounds(|point| point.1));
    let x = Scale {
        from: LEFT + 8.0,
        to: RIGHT - 8.0,
        low: sizes.0,
        high: sizes.1,
    };
    // A little room, so that no line lies on the frame and equal times do not make an empty range.
    let y = Scale {
        from: bottom,
        to: TOP,
        low: times.0 / 1.25,
        high: times.1 * 1.25,
    };
    let mut body = String::new();
    axes(&mut body, family, &x, &y, bottom);
    let mut ends = Vec::new();
    let mut seen = [0usize; 4];
    for series in &all {
        let own = class(series.one);
        let kind = ["kumi", "native", "peer", "floor"]
            .iter()
            .position(|class| *class == own)
            .unwrap_or(0);
        let dash = seen[kind] % 5;
        seen[kind] += 1;
        let path: Vec<String> = series
            .points
            .iter()
            .map(|(size, time)| format!("{:.1},{:.1}", x.at(*size), y.at(*time)))
            .collect();
        let _ = write!(
            body,
            "<polyline class=\"line {own} dash{dash}\" points=\"{}\"/>",
            path.join(" ")
        );
        for (size, time) in &series.points {
            mark(&mut body, own, x.at(*size), y.at(*time));
        }
        let last = series.points[series.points.len() - 1];
        ends.push((x.at(last.0), y.at(last.1), dash));
    }
    numbers(&mut body, &ends, bottom);
    let scenario = family.largest();
    let mut top = bottom + 42.0;
    text(
        &mut body,
        "small mid",
        (LEFT + RIGHT) / 2.0,
        bottom + 34.0,
        &scenario.size_of,
    );
    for (at, series) in all.iter().enumerate() {
        top += 19.0;
        let own = class(series.one);
        text(
            &mut body,
            "small end",
            MARGIN + 18.0,
            top,
            &(at + 1).to_string(),
        );
        line(
            &mut body,
            &format!("line {own} dash{}", ends[at].2),
            (MARGIN + 26.0, top - 4.5),
            (MARGIN + 54.0, top - 4.5),
        );
        mark(&mut body, own, MARGIN + 40.0, top - 4.5);
        text(
            &mut body,
            "name",
            MARGIN + 62.0,
            top,
            &shortened(&series.one.name, 40),
        );
    }
    let title = format!(
        "{}: time per {} over the number of {}, both axes logarithmic",
        family.name(),
        scenario.unit,
        scenario.size_of
    );
    let named: Vec<String> = all
        .iter()
        .map(|series| {
            let points: Vec<String> = series
                .points
                .iter()
                .map(|(size, value)| format!("{} at {}", time(*value), whole(*size as u64)))
                .collect();
            format!("{} {}", series.one.name, points.join(", "))
        })
        .collect();
    Chart {
        id: format!("{}@growth", family.name()),
        about: format!("{title}. {}", named.join("; ")),
        title,
        height: top + 12.0,
        body,
    }
}

/// Everybody who has at least one point, the slowest at its largest size first, as the lines end.
fn series<'a>(family: &Family<'a>) -> Vec<Series<'a>> {
    let mut all: Vec<Series<'a>> = Vec::new();
    for scenario in &family.sizes {
        let Some(size) = scenario.size else { continue };
        for one in &scenario.competitors {
            let point = (size as f64, middle(one).median);
            match all.iter_mut().find(|series| series.one.name == one.name) {
                Some(series) => series.points.push(point),
                None => all.push(Series {
                    one,
                    points: vec![point],
                }),
            }
        }
    }
    let last = |series: &Series<'_>| series.points[series.points.len() - 1].1;
    all.sort_by(|a, b| last(b).total_cmp(&last(a)));
    all
}

fn axes(body: &mut String, family: &Family<'_>, x: &Scale, y: &Scale, bottom: f64) {
    for tick in ticks(y.low, y.high) {
        let at = y.at(tick);
        line(body, "rule", (LEFT, at), (RIGHT, at));
        text(body, "small end", LEFT - 7.0, at + 4.0, &time(tick));
    }
    line(body, "rule", (LEFT, bottom), (RIGHT, bottom));
    let mut free = 0.0;
    for size in family.sizes.iter().filter_map(|one| one.size) {
        let (at, label) = (x.at(size as f64), whole(size));
        line(body, "rule", (at, bottom), (at, bottom + 4.0));
        let half = label.chars().count() as f64 * 4.2;
        if at - half >= free {
            text(body, "small mid", at, bottom + 17.0, &label);
            free = at + half + 6.0;
        }
    }
}

/// Round values inside of a range: powers of ten if it is wide, else 1, 2 and 5 of each, else more.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps: [&[f64]; 4] = [
        &[1.0],
        &[1.0, 2.0, 5.0],
        &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
        &[
            1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 1.9, 2.1, 2.3, 2.6, 2.9, 3.2, 3.6, 4.0, 4.5, 5.0,
            5.5, 6.0, 6.6, 7.3, 8.0, 9.0,
        ],
    ];
    let mut found = Vec::new();
    for steps in steps {
        found.clear();
        for power in low.log10().floor() as i32..=high.log10().ceil() as i32 {
            let all = steps.iter().map(|step| step * 10f64.powi(power));
            found.extend(all.filter(|tick| *tick > low && *tick < high));
        }
        if found.len() >= 3 {
            break;
        }
    }
    found
}

/// The number of each line at its end, moved apart, with a thin line to the end it belongs to.
fn numbers(body: &mut String, ends: &[(f64, f64, usize)], bottom: f64) {
    let mut places: Vec<f64> = ends.iter().map(|end| end.1).collect();
    for at in 1..places.len() {
        places[at] = places[at].max(places[at - 1] + APART);
    }
    // What was pushed below the axis goes up again.
    let mut limit = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - APART;
    }
    for (at, (place, end)) in places.iter().zip(ends).enumerate() {
        line(body, "lead", (end.0 + 5.0, end.1), (RIGHT + 10.0, *place));
        text(
            body,
            "small",
            RIGHT + 13.0,
            place + 4.0,
            &(at + 1).to_string(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enough() {
        assert_eq!(ticks(0.5, 2_000.0), [1.0, 10.0, 100.0, 1_000.0]);
        assert_eq!(ticks(8.0, 60.0), [10.0, 20.0, 50.0]);
        assert!(ticks(40.0, 62.0).len() >= 3);
    }
}
