//! The top of the page: what somebody has to know who has ten minutes.

use std::fmt::Write;

use crate::chart::Chart;
use crate::chart::overview::overview;
use crate::chart::price::price;
use crate::conclude::{Conclusions, prices};
use crate::data::Run;
use crate::guide::{THREADS, advice, short, strengths};
use crate::text::{escape, ratio};

/// The answer: advice, what each can do, the backends side by side, the price, and all that follows.
pub(super) fn answer(out: &mut String, run: &Run, conclusions: &Conclusions) {
    out.push_str("<section id=\"answer\">\n<h2>The answer</h2>\n");
    let advice = advice(run);
    if !advice.is_empty() {
        out.push_str("<ul class=\"said advice\">\n");
        for text in advice {
            let _ = writeln!(out, "<li>{}</li>", code(&text));
        }
        out.push_str("</ul>\n");
    }
    capabilities(out, run);
    out.push_str("<div class=\"pair\">\n<div>\n<h3>The backends side by side</h3>\n");
    figure(
        out,
        &overview(run),
        "Time per unit; each scenario has a scale of its own. Shorter is better. What is marked (wall) is time on the wall, with \
         several threads, and not to be set against the others.",
    );
    out.push_str("</div>\n<div>\n");
    for (threads, title) in THREADS {
        strong(out, run, threads, title);
    }
    let prices = prices(run);
    if !prices.is_empty() {
        out.push_str("<h3>The price of Kumi</h3>\n");
        figure(
            out,
            &price(&prices),
            "Kumi's time over that of the native API of the same runtime, over all scenarios: the mark is the geometric mean, \
             the bar the middle half, the line reaches from the least to the most.",
        );
    }
    out.push_str(
        "</div>\n</div>\n<h3>What follows from all scenarios</h3>\n<dl class=\"follows\">\n",
    );
    let mut topic = "";
    for one in &conclusions.whole {
        if one.topic != topic {
            let _ = writeln!(out, "<dt>{}</dt>", one.topic);
            topic = one.topic;
        }
        let _ = writeln!(out, "<dd>{}</dd>", escape(&one.text));
    }
    out.push_str("</dl>\n</section>\n");
}

/// Escaped, and what stands between backticks as code.
fn code(text: &str) -> String {
    let mut out = String::new();
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len() % 2 == 0 {
        return escape(text);
    }
    for (at, part) in parts.iter().enumerate() {
        if at % 2 == 1 {
            let _ = write!(out, "<code>{}</code>", escape(part));
        } else {
            out.push_str(&escape(part));
        }
    }
    out
}

/// A chart with what is said below it.
pub(super) fn figure(out: &mut String, chart: &Chart, caption: &str) {
    let _ = writeln!(
        out,
        "<figure>{}<figcaption>{}</figcaption></figure>",
        chart.inline(),
        escape(caption)
    );
}

fn capabilities(out: &mut String, run: &Run) {
    let Some(first) = run.capabilities.first() else {
        return;
    };
    out.push_str(
        "<h3>What each can do</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"What each can do\">\
         <table class=\"can\">\n<thead><tr><th scope=\"col\">Capability</th>",
    );
    for (name, _) in &first.backends {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for capability in &run.capabilities {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{} <span class=\"about\">{}</span></th>",
            escape(&capability.name),
            code(&capability.about)
        );
        for (_, can) in &capability.backends {
            out.push_str(if *can {
                "<td class=\"yes\">yes</td>"
            } else {
                "<td class=\"no\">no</td>"
            });
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// How each backend stands in each chapter.
fn strong(out: &mut String, run: &Run, threads: crate::figures::Threads, title: &str) {
    let strengths = strengths(run, threads);
    let Some((_, names)) = strengths.first() else {
        return;
    };
    let _ = write!(
        out,
        "<h3>Where each is strong, {title}</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Where each is strong, {title}\"><table>\n<thead><tr><th scope=\"col\">Chapter</th>"
    );
    for (name, _) in names {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(short(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (group, row) in &strengths {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(group));
        let best = row
            .iter()
            .filter_map(|(_, mean)| *mean)
            .fold(f64::INFINITY, f64::min);
        for (_, mean) in row {
            let _ = match mean {
                Some(mean) if *mean <= best => {
                    write!(out, "<td><strong>{}</strong></td>", ratio(*mean))
                }
                Some(mean) => write!(out, "<td>{}</td>", ratio(*mean)),
                None => write!(out, "<td>–</td>"),
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</tbody></table></div>\n<p class=\"note\">Times as a multiple of the quickest backend's, on the geometric mean of each \
         chapter; 1.00 is the best there is.</p>\n",
    );
}
