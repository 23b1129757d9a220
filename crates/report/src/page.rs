//! The page: one file of HTML with everything in it.
//!
//! It works without scripts; the only one there is fills the filter box. All text from a run is escaped.

mod answer;
mod chapter;

use std::fmt::Write;

use crate::baseline::{Comparison, compare};
use crate::chart::STYLE;
use crate::conclude::conclusions;
use crate::data::Run;
use crate::family::groups;
use crate::figures::{FEWEST, FLAT, NOISY, SMALLEST};
use crate::text::{count, date, escape, percent};

const LOOK: &str = include_str!("page/page.css");
const FILTER: &str = include_str!("page/filter.js");

/// The whole page.
pub(crate) fn page(run: &Run, baseline: Option<&Run>) -> String {
    let comparison = baseline.map(|baseline| compare(run, baseline));
    let conclusions = conclusions(run);
    let mut out = String::with_capacity(1 << 20);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>Kumi: which backend?</title>\n<style>\n{LOOK}{STYLE}</style>\n</head>\n<body>\n"
    );
    header(&mut out, run, comparison.is_some());
    out.push_str("<main>\n");
    answer::answer(&mut out, run, &conclusions);
    if let Some(comparison) = &comparison {
        earlier(&mut out, comparison);
    }
    out.push_str(
        "<div id=\"filter\" hidden><label for=\"words\">Show only scenarios with</label> \
         <input id=\"words\" type=\"search\" autocomplete=\"off\" placeholder=\"spawn tokio\"> \
         <output id=\"found\"></output></div>\n",
    );
    legend(&mut out);
    for (at, (group, families)) in groups(run).iter().enumerate() {
        let _ = writeln!(
            out,
            "<section class=\"chapter\" id=\"chapter-{at}\">\n<h2>{}</h2>",
            escape(group)
        );
        for family in families {
            chapter::family(&mut out, family, &conclusions, comparison.as_ref());
        }
        out.push_str("</section>\n");
    }
    measured(&mut out, run);
    let _ = write!(
        out,
        "</main>\n<script>\n{FILTER}</script>\n</body>\n</html>\n"
    );
    out
}

fn header(out: &mut String, run: &Run, earlier: bool) {
    let _ = write!(
        out,
        "<header>\n<p class=\"brand\">Kumi {}</p>\n<h1>Which backend should I take?</h1>\n\
         <p class=\"meta\">Everything here is computed from one run of the benches: {}, mode {}, on {}.</p>\n",
        escape(&run.version),
        date(run.at),
        escape(&run.mode),
        escape(&run.machine.processor)
    );
    out.push_str(
        "<nav aria-label=\"Chapters\">\n<ul>\n<li><a href=\"#answer\">The answer</a></li>\n",
    );
    if earlier {
        out.push_str("<li><a href=\"#earlier\">Beside the earlier run</a></li>\n");
    }
    for (at, (group, _)) in groups(run).iter().enumerate() {
        let _ = writeln!(
            out,
            "<li><a href=\"#chapter-{at}\">{}</a></li>",
            escape(group)
        );
    }
    out.push_str(
        "<li><a href=\"#measured\">How it was measured</a></li>\n</ul>\n</nav>\n</header>\n",
    );
}

fn earlier(out: &mut String, comparison: &Comparison) {
    out.push_str(
        "<section id=\"earlier\">\n<h2>Beside the earlier run</h2>\n<ul class=\"said\">\n",
    );
    for text in &comparison.sentences {
        let _ = writeln!(out, "<li>{}</li>", escape(text));
    }
    out.push_str("</ul>\n</section>\n");
}

/// What the marks in the charts mean.
fn legend(out: &mut String) {
    out.push_str("<ul class=\"legend\" aria-label=\"Marks in the charts\">\n");
    for (class, text) in [
        ("kumi", "Kumi"),
        ("native", "the native API of a runtime"),
        ("peer", "another library"),
        ("floor", "only what nobody can avoid"),
    ] {
        let mut mark = String::new();
        crate::chart::mark(&mut mark, class, 8.0, 8.0);
        let _ = writeln!(
            out,
            "<li><svg class=\"mark\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\">{mark}</svg> {text}</li>"
        );
    }
    out.push_str("</ul>\n");
}

fn measured(out: &mut String, run: &Run) {
    let machine = &run.machine;
    let _ = write!(
        out,
        "<section id=\"measured\">\n<h2>How it was measured</h2>\n<dl>\n\
         <dt>Command</dt><dd><code>{}</code>, mode {}</dd>\n\
         <dt>Machine</dt><dd>{}, {}, {} at a time</dd>\n<dt>Compiler</dt><dd>{}</dd>\n\
         <dt>When</dt><dd>{}, version {}</dd>\n</dl>\n",
        escape(&run.command),
        escape(&run.mode),
        escape(&machine.processor),
        escape(&machine.os),
        count(machine.cores, "thread"),
        escape(&machine.compiler),
        date(run.at),
        escape(&run.version)
    );
    let _ = write!(
        out,
        "<ul class=\"said\">\n\
         <li>In each round all who take part run one after the other. Ratios are taken in each round, and then the median of \
         the rounds, so what slows the machine down for a while slows both sides down.</li>\n\
         <li>A time is the median of its rounds. The spread is the width of their middle half as a share of the median; in \
         the bars it is the thin line over the end. Above {noisy} a time is called noisy. With fewer than {FEWEST} rounds \
         nothing is judged.</li>\n\
         <li>A difference smaller than the spread of its rounds, or than {smallest}, is called equal. A time per unit that \
         changes by no more than a factor of {FLAT} from the smallest to the largest size is called flat.</li>\n\
         <li>Where one thread does all the work, its processor time is measured, and what others do on the machine is not in it. \
         Where several threads work, it is time on the wall, marked (wall). The two are never set against each other.</li>\n\
         <li>× best is the ratio to the quickest under the same clock, floors left out; × native is the ratio to the native API \
         of the same runtime.</li>\n\
         <li>Allocations and instructions are per unit; bytes are the most that were allocated at a time, per unit.</li>\n\
         </ul>\n</section>\n",
        noisy = percent(NOISY),
        smallest = percent(SMALLEST)
    );
}

#[cfg(test)]
mod tests;
