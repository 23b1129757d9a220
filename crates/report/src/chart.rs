//! Charts as SVG, in the page and as files of their own.
//!
//! They are written by a few functions of ours. The crates that were looked at do not fit: `plotters` writes
//! fixed colours, so its charts have no dark form, and neither titles nor labels for a screen reader;
//! `charming` needs a JavaScript engine to make an SVG; `poloto` has themes, and lines, but no bars of
//! different kinds. What is drawn here is rectangles, lines and text with classes, and one style for all.
//!
//! A chart is as wide as a phone, and its text is as large as that of the page: nothing in it has to be
//! scaled down. A kind of competitor has a colour (after Okabe and Ito, told apart by colour-blind people)
//! and a mark of its own shape, so colour is never the only sign.

pub(crate) mod bars;
pub(crate) mod lines;
pub(crate) mod overview;
pub(crate) mod price;

use std::fmt::Write;

use crate::data::{Competitor, Kind, Scenario};
use crate::text::escape;

/// The width of all charts.
pub(crate) const WIDTH: f64 = 420.0;

/// What is between the edge and the drawing.
pub(crate) const MARGIN: f64 = 10.0;

/// The look of everything in a chart; the page has it once, each file has it inside.
pub(crate) const STYLE: &str = include_str!("chart/chart.css");

/// One chart.
#[derive(Debug)]
pub(crate) struct Chart {
    /// By which it is found in the page, such as "spawn.ready@1000".
    pub(crate) id: String,
    /// What it shows, for everybody.
    pub(crate) title: String,
    /// What it shows, for those who cannot see it.
    pub(crate) about: String,
    pub(crate) height: f64,
    pub(crate) body: String,
}

impl Chart {
    /// As a part of a page that has [`STYLE`] already.
    pub(crate) fn inline(&self) -> String {
        self.svg("", "")
    }

    /// As a file of its own, with its own background.
    pub(crate) fn alone(&self) -> String {
        let style =
            format!("<style>{STYLE}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>");
        let mut text = self.svg(" xmlns=\"http://www.w3.org/2000/svg\"", &style);
        text.push('\n');
        text
    }

    fn svg(&self, attributes: &str, before: &str) -> String {
        format!(
            "<svg{attributes} class=\"chart\" role=\"img\" data-chart=\"{}\" aria-label=\"{}\" \
             viewBox=\"0 0 {WIDTH} {}\" width=\"{WIDTH}\" height=\"{}\"><title>{}</title>{before}{}</svg>",
            escape(&self.id),
            escape(&self.about),
            self.height,
            self.height,
            escape(&self.title),
            self.body
        )
    }
}

/// By which the bars of a scenario are found.
pub(crate) fn id(scenario: &Scenario) -> String {
    match scenario.size {
        Some(size) => format!("{}@{size}", scenario.name),
        None => scenario.name.clone(),
    }
}

/// The class of a kind of competitor.
pub(crate) fn class(one: &Competitor) -> &'static str {
    match one.kind {
        Kind::Kumi => "kumi",
        Kind::Native => "native",
        Kind::Peer => "peer",
        Kind::Floor => "floor",
    }
}

/// A mark whose shape says which kind: a disc, a square, a triangle, a ring.
pub(crate) fn mark(body: &mut String, class: &str, x: f64, y: f64) {
    let shape = match class {
        "kumi" => format!("<circle class=\"fill {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
        "native" => format!(
            "<rect class=\"fill {class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"/>",
            x - 3.5,
            y - 3.5
        ),
        "peer" => format!(
            "<path class=\"fill {class}\" d=\"M{x:.1} {:.1}l4.5 8h-9z\"/>",
            y - 4.5
        ),
        _ => format!("<circle class=\"ring {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"),
    };
    body.push_str(&shape);
}

/// A text; `class` says how it looks and where its anchor is.
pub(crate) fn text(body: &mut String, class: &str, x: f64, y: f64, text: &str) {
    // Writing to a string cannot fail.
    let _ = write!(
        body,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        escape(text)
    );
}

/// A straight line.
pub(crate) fn line(body: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = write!(
        body,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}
