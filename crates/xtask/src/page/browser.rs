//! Chromium without a window.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{Cmd, Failure, Result};
use crate::tools;

/// A page is there within a second or two; a machine that does much else may need longer.
const LIMIT: Duration = Duration::from_secs(120);

/// A browser that was found.
pub(super) struct Browser {
    program: PathBuf,
}

/// What a page left behind.
pub(super) struct Seen {
    /// The text of the element with the id `findings`.
    pub(super) findings: String,
    /// What was written to the console.
    pub(super) console: Vec<String>,
}

impl Browser {
    /// The one that `KUMI_CHROMIUM` names, else one of `PATH`, else a new one.
    pub(super) fn find() -> Result<Browser> {
        let program = match env::var_os("KUMI_CHROMIUM") {
            Some(program) => program.into(),
            None => tools::need(
                &["chromium", "chromium-browser", "google-chrome"],
                "chromium",
            )?,
        };
        Ok(Browser { program })
    }

    /// Opens a file and waits until its scripts have come to rest.
    pub(super) fn open(&self, file: &Path, dark: bool) -> Result<Seen> {
        let step = "page (browser)";
        let dir = file.parent().unwrap_or(file);
        let profile = dir.join("browser");
        let mut flags = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-extensions".to_owned(),
            "--window-size=1500,1000".to_owned(),
            "--enable-logging=stderr".to_owned(),
            "--virtual-time-budget=30000".to_owned(),
            format!("--user-data-dir={}", profile.display()),
            format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)),
            "--dump-dom".to_owned(),
        ];
        if tools::is_root() {
            // Its sandbox refuses to work for root.
            flags.push("--no-sandbox".to_owned());
        }
        let cmd = Cmd::new(&self.program, dir).args(flags);
        let cmd = cmd.args([format!("file://{}", file.display())]);
        let finished = cmd.within(LIMIT, step)?;
        if !finished.succeeded() {
            let text = format!(
                "step `{step}` failed: {}: {}",
                finished.ending(),
                finished.stderr
            );
            return Err(Failure::new(text));
        }
        let (dom, log) = (finished.stdout, finished.stderr);
        let console = log.lines().filter(|line| line.contains("CONSOLE"));
        Ok(Seen {
            findings: findings(&dom),
            console: console.map(str::to_owned).collect(),
        })
    }
}

/// The text of the element with the id `findings` in a printed document.
fn findings(dom: &str) -> String {
    let begin = "<pre id=\"findings\">";
    let inside = dom.find(begin).map(|at| &dom[at + begin.len()..]);
    let inside = inside.and_then(|rest| Some(&rest[..rest.find("</pre>")?]));
    let text = inside.unwrap_or_default();
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_text() {
        let dom = "<body><pre id=\"findings\">a &lt;b&gt; &amp;amp;\nc</pre></body>";
        assert_eq!(findings(dom), "a <b> &amp;\nc");
        assert_eq!(findings("<body></body>"), "");
    }
}
