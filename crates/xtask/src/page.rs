//! The page of the benches in a real browser, narrow and wide, light and dark.
//!
//! A script looks at the loaded page: errors, charts without their bars, text over text, text that is cut off,
//! a page that scrolls sideways, anything fetched. The page is shown in a frame of the wanted width, because
//! the window of a headless browser cannot be as narrow as a phone. What has to be there is counted from the
//! run, not from the page.

mod browser;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kumi_report::Run;
use serde_json::{Value, json};

use crate::process::{Failure, Result, read};
use crate::workspace::Workspace;
use browser::Browser;

/// The widths that are looked at, in pixels: a phone and a large window.
const WIDTHS: [u32; 2] = [400, 1400];

/// More problems than this are one problem seen many times.
const SHOWN: usize = 40;

/// Renders the page of a run, or of one that is made up to exercise everything, and looks at it.
pub(crate) fn run(ws: &Workspace, file: Option<&Path>) -> Result {
    let dir = ws.target_dir.join("page");
    let (run, baseline) = match file {
        Some(file) => {
            let run = Run::from_json(&read(file)?);
            let run = run.map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
            (run, None)
        }
        None => {
            let earlier = kumi_report::sample::earlier();
            (kumi_report::sample::sample(), Some(earlier))
        }
    };
    let files = kumi_report::write(&run, baseline.as_ref(), &dir)
        .map_err(|error| Failure::new(format!("cannot write to {}: {error}", dir.display())))?;
    println!("wrote {} files to {}", files.len(), dir.display());
    let browser = Browser::find()?;
    let page = read(&dir.join("index.html"))?;
    let expected = expected(&run);
    let mut problems = Vec::new();
    for width in WIDTHS {
        for dark in [false, true] {
            let look = Look {
                name: format!("{width} {}", if dark { "dark" } else { "light" }),
                html: &page,
                expected: &expected,
                files: Vec::new(),
                width,
                dark,
            };
            problems.extend(look.at(&browser, &dir)?);
        }
    }
    problems.extend(alone(&browser, &dir, &files)?);
    if problems.is_empty() {
        return Ok(());
    }
    for problem in problems.iter().take(SHOWN) {
        eprintln!("{problem}");
    }
    if problems.len() > SHOWN {
        eprintln!("and {} more", problems.len() - SHOWN);
    }
    Err(Failure::new(format!(
        "step `page` failed: {} problems",
        problems.len()
    )))
}

/// What the charts of a run have to hold: by name, the number of bars and of lines.
fn expected(run: &Run) -> Value {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for scenario in &run.scenarios {
        let id = match scenario.size {
            Some(size) => format!("{}@{size}", scenario.name),
            None => scenario.name.clone(),
        };
        all.push(json!([id, scenario.competitors.len(), 0]));
        if !seen.insert(&scenario.name) {
            continue;
        }
        let sizes = || run.scenarios.iter().filter(|one| one.name == scenario.name);
        let sized = sizes().all(|one| one.size.is_some_and(|size| size > 0));
        if sizes().count() > 1 && sized {
            let names = sizes().flat_map(|one| one.competitors.iter().map(|one| &one.name));
            let names: BTreeSet<_> = names.collect();
            all.push(json!([format!("{}@growth", scenario.name), 0, names.len()]));
        }
    }
    Value::Array(all)
}

/// The charts that are files of their own: well-formed, and as legible as in the page.
fn alone(browser: &Browser, dir: &Path, files: &[std::path::PathBuf]) -> Result<Vec<String>> {
    let mut charts = Vec::new();
    let mut html = String::from("<!DOCTYPE html><html><head><title>Charts</title></head><body>\n");
    for path in files {
        if path.extension().is_some_and(|ending| ending == "svg") {
            let text = read(path)?;
            html.push_str(&format!("<div>{text}</div>\n"));
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            charts.push(json!([name, text]));
        }
    }
    if charts.is_empty() {
        return Err(Failure::new("step `page` failed: no chart was written"));
    }
    html.push_str("</body></html>\n");
    let look = Look {
        name: "charts".to_owned(),
        html: &html,
        expected: &json!([]),
        files: charts,
        width: WIDTHS[1],
        dark: false,
    };
    look.at(browser, dir)
}

/// One look at one document.
struct Look<'a> {
    name: String,
    html: &'a str,
    expected: &'a Value,
    /// Names and texts of SVG files that have to be well-formed.
    files: Vec<Value>,
    width: u32,
    dark: bool,
}

impl Look<'_> {
    fn at(&self, browser: &Browser, dir: &Path) -> Result<Vec<String>> {
        let html = self
            .html
            .replacen("<head>", &format!("<head><script>{CATCH}</script>"), 1);
        let data = json!({
            "html": html,
            "expected": self.expected,
            "files": self.files,
            "dark": self.dark,
        });
        // Inside of a script `</` would end it.
        let data = data
            .to_string()
            .replace("</", "<\\/")
            .replace("<!--", "<\\u0021--");
        let outer = format!(
            "<!DOCTYPE html><html style=\"color-scheme:light dark\"><head><meta charset=\"utf-8\">\
             <link rel=\"icon\" href=\"data:,\"></head><body style=\"margin:0\">\
             <iframe style=\"width:{}px;height:900px;border:0;color-scheme:light dark\"></iframe><pre id=\"findings\"></pre>\
             <script>{CHECK}\n{LOOK}\nlook({data});</script></body></html>\n",
            self.width
        );
        let path = dir.join(format!("check-{}.html", self.name.replace(' ', "-")));
        fs::write(&path, outer)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
        let seen = browser.open(&path, self.dark)?;
        let name = &self.name;
        let mut problems = Vec::new();
        for line in seen.console {
            problems.push(format!("{name}: console: {line}"));
        }
        let mut lines = seen.findings.lines();
        let summary = lines
            .next_back()
            .and_then(|line| line.strip_prefix("looked at "));
        let Some(summary) = summary else {
            let text = format!(
                "step `page` failed: the script did not come to its end ({name}): {problems:?}"
            );
            return Err(Failure::new(text));
        };
        println!("{name}: {summary}");
        problems.extend(lines.map(|line| format!("{name}: {line}")));
        Ok(problems)
    }
}

/// Runs in the page before anything else, and keeps what goes wrong.
const CATCH: &str = include_str!("page/catch.js");

/// The checks.
const CHECK: &str = include_str!("page/check.js");

/// Loads a document into the frame and writes down what the checks find.
const LOOK: &str = include_str!("page/look.js");
