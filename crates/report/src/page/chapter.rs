//! One scenario with all its sizes.

use std::fmt::Write;

use super::answer::figure;
use crate::baseline::Comparison;
use crate::chart::bars::bars;
use crate::chart::lines::lines;
use crate::conclude::Conclusions;
use crate::data::Scenario;
use crate::family::{Family, titled};
use crate::figures::{Quality, quality};
use crate::markdown::{Columns, kind};
use crate::text::{escape, whole};

/// Sentences, bars, lines and the table; the smaller sizes are folded up.
pub(super) fn family(
    out: &mut String,
    family: &Family<'_>,
    conclusions: &Conclusions,
    comparison: Option<&Comparison>,
) {
    let largest = family.largest();
    let mut names: Vec<&str> = Vec::new();
    for one in family
        .sizes
        .iter()
        .flat_map(|scenario| &scenario.competitors)
    {
        if !names.contains(&one.name.as_str()) {
            names.push(&one.name);
        }
    }
    let words = format!(
        "{} {} {} {}",
        largest.group,
        family.name(),
        largest.about,
        names.join(" ")
    );
    let _ = write!(
        out,
        "<article data-words=\"{}\">\n<h3><code>{}</code></h3>\n<p class=\"about\">{}</p>\n",
        escape(&words.to_lowercase()),
        escape(family.name()),
        escape(&largest.about)
    );
    said(out, largest, conclusions);
    out.push_str("<div class=\"pair\">\n");
    figure(out, &bars(largest), &caption(largest));
    if family.grows() {
        let caption = format!(
            "Time per {} over the number of {}; both axes are logarithmic.",
            largest.unit, largest.size_of
        );
        figure(out, &lines(family), &caption);
    }
    out.push_str("</div>\n");
    table(out, largest, comparison);
    let smaller = &family.sizes[..family.sizes.len() - 1];
    if !smaller.is_empty() {
        let sizes: Vec<String> = smaller
            .iter()
            .filter_map(|one| one.size)
            .map(whole)
            .collect();
        let _ = writeln!(
            out,
            "<details><summary>The same at {} {}</summary>",
            crate::text::list(&sizes),
            escape(&largest.size_of)
        );
        for scenario in smaller {
            let _ = writeln!(out, "<h4>{}</h4>", escape(&titled(scenario)));
            said(out, scenario, conclusions);
            figure(out, &bars(scenario), &caption(scenario));
            table(out, scenario, comparison);
        }
        out.push_str("</details>\n");
    }
    out.push_str("</article>\n");
}

fn caption(scenario: &Scenario) -> String {
    match scenario.size {
        Some(1) => format!("Time per {} at 1. Shorter is better.", scenario.unit),
        Some(size) => format!(
            "Time per {} at {} {}. Shorter is better.",
            scenario.unit,
            whole(size),
            scenario.size_of
        ),
        None => format!("Time per {}. Shorter is better.", scenario.unit),
    }
}

fn said(out: &mut String, scenario: &Scenario, conclusions: &Conclusions) {
    let of = conclusions.scenarios.iter();
    let of = of.filter(|one| one.name == scenario.name && one.size == scenario.size);
    out.push_str("<ul class=\"said\">\n");
    for text in of.flat_map(|one| &one.sentences) {
        let _ = writeln!(out, "<li>{}</li>", escape(text));
    }
    out.push_str("</ul>\n");
}

fn table(out: &mut String, scenario: &Scenario, comparison: Option<&Comparison>) {
    let columns = Columns::of(&[scenario], comparison);
    let _ = write!(
        out,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Figures of {0}\"><table>\n\
         <caption>{0}</caption>\n<thead><tr><th scope=\"col\">Who</th><th scope=\"col\">Kind</th>",
        escape(&titled(scenario))
    );
    for head in columns.heads(&scenario.unit) {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(&head));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for one in &scenario.competitors {
        let noisy = match quality(one) {
            Quality::Good => "",
            Quality::Noisy(_) => " <em>noisy</em>",
            Quality::TooFew(_) => " <em>too few rounds</em>",
        };
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}{noisy}</th><td>{}</td>",
            escape(&one.name),
            kind(one)
        );
        for cell in columns.figures(scenario, one, comparison) {
            let _ = write!(out, "<td>{}</td>", escape(&cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}
