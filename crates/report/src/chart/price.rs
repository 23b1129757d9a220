//! The price of Kumi: per runtime, the ratio to its native API over all scenarios.

use std::fmt::Write;

use super::{Chart, MARGIN, WIDTH, line, mark, text};
use crate::conclude::Price;
use crate::text::{ratio, shortened};

/// A bar from the first to the third quartile, the geometric mean on it, and a line from the least to the most.
pub(crate) fn price(prices: &[Price]) -> Chart {
    let least = prices.iter().map(|one| one.least.0).fold(0.9, f64::min);
    let most = prices.iter().map(|one| one.most.0).fold(1.1, f64::max);
    let at = |value: f64| {
        let share = (value / least).ln() / (most / least).ln();
        MARGIN + 8.0 + share * (WIDTH - 2.0 * MARGIN - 16.0)
    };
    let mut body = String::new();
    let mut top = 8.0;
    let bottom = top + prices.len() as f64 * 40.0;
    line(&mut body, "one", (at(1.0), top + 16.0), (at(1.0), bottom));
    let mut about = Vec::new();
    for one in prices {
        text(
            &mut body,
            "name",
            MARGIN,
            top + 12.0,
            &shortened(&one.runtime, 36),
        );
        text(
            &mut body,
            "end",
            WIDTH - MARGIN,
            top + 12.0,
            &format!("× {}", ratio(one.mean)),
        );
        let y = top + 25.0;
        line(&mut body, "half", (at(one.least.0), y), (at(one.most.0), y));
        let (low, high) = (at(one.middle.low), at(one.middle.high));
        let _ = write!(
            body,
            "<rect class=\"bar kumi\" x=\"{low:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"8\" fill-opacity=\".45\"/>",
            y - 4.0,
            (high - low).max(1.5)
        );
        mark(&mut body, "kumi", at(one.mean), y);
        about.push(format!(
            "{}: {} times the native time, from {} to {}",
            one.runtime,
            ratio(one.mean),
            ratio(one.least.0),
            ratio(one.most.0)
        ));
        top += 40.0;
    }
    text(
        &mut body,
        "small",
        MARGIN,
        top + 14.0,
        &format!("× {}", ratio(least)),
    );
    text(
        &mut body,
        "small end",
        WIDTH - MARGIN,
        top + 14.0,
        &format!("× {}", ratio(most)),
    );
    // Beside an end there is no room for it.
    let middle = at(1.0);
    if middle > MARGIN + 110.0 && middle < WIDTH - MARGIN - 110.0 {
        text(&mut body, "small mid", middle, top + 14.0, "× 1: as native");
    }
    let title =
        "The price of Kumi: its time over that of the native API of the same runtime".to_owned();
    Chart {
        id: "price".to_owned(),
        about: format!("{title}. {}", about.join("; ")),
        title,
        height: top + 24.0,
        body,
    }
}
