//! Everything that is written to disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::chart::Chart;
use crate::chart::bars::bars;
use crate::chart::lines::lines;
use crate::chart::overview::overview;
use crate::chart::price::price;
use crate::conclude::prices;
use crate::data::Run;
use crate::family::families;

/// Writes the page, the charts, the table and the run itself into a folder, and says what was written.
///
/// The files are `index.html`, `table.md`, `run.json`, and in `charts` one SVG for each scenario at each size,
/// one for its growth, `overview.svg` and `price.svg`. Charts of an earlier run are removed.
///
/// # Errors
///
/// If a file or a folder cannot be written.
pub fn write(run: &Run, baseline: Option<&Run>, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let charts = dir.join("charts");
    fs::create_dir_all(&charts)?;
    for old in fs::read_dir(&charts)? {
        let old = old?.path();
        if old.extension().is_some_and(|ending| ending == "svg") {
            fs::remove_file(old)?;
        }
    }
    let mut files = vec![
        (dir.join("index.html"), crate::page::page(run, baseline)),
        (dir.join("table.md"), crate::table(run, baseline)),
        (dir.join("run.json"), run.to_json()),
    ];
    let mut taken = BTreeSet::new();
    for chart in all_charts(run) {
        let name = file_name(&chart.id, &mut taken);
        files.push((charts.join(name), chart.alone()));
    }
    for (path, text) in &files {
        fs::write(path, text)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

fn all_charts(run: &Run) -> Vec<Chart> {
    let mut all = vec![overview(run)];
    let prices = prices(run);
    if !prices.is_empty() {
        all.push(price(&prices));
    }
    for family in families(run) {
        all.extend(family.sizes.iter().map(|scenario| bars(scenario)));
        if family.grows() {
            all.push(lines(&family));
        }
    }
    all
}

/// A name that every file system takes, and that no other chart has.
fn file_name(id: &str, taken: &mut BTreeSet<String>) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let base: String = id.chars().map(safe).collect();
    let base = base.trim_start_matches(['.', '-']).to_owned();
    let base = if base.is_empty() {
        "chart".to_owned()
    } else {
        base
    };
    let mut name = base.clone();
    let mut number = 2;
    // Some file systems take large and small letters for the same.
    while !taken.insert(name.to_lowercase()) {
        name = format!("{base}-{number}");
        number += 1;
    }
    format!("{name}.svg")
}

/// The chart of a README, as a file of its own: the backends side by side in a handful of scenarios.
#[must_use]
pub fn readme_chart(run: &Run) -> String {
    overview(run).alone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_and_old_charts_go() {
        let dir = std::env::temp_dir().join(format!("kumi-report-{}", std::process::id()));
        let charts = dir.join("charts");
        fs::create_dir_all(&charts).unwrap();
        fs::write(charts.join("old.svg"), "old").unwrap();
        let run = crate::sample::sample();
        let files = write(&run, None, &dir).unwrap();
        assert_eq!(files[0], dir.join("index.html"));
        assert!(files.iter().all(|file| file.is_file()));
        assert!(!charts.join("old.svg").exists());
        assert_eq!(fs::read_dir(&charts).unwrap().count(), files.len() - 3);
        let read = fs::read_to_string(dir.join("run.json")).unwrap();
        assert!(Run::from_json(&read).is_ok());
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn names_of_files_are_safe_and_different() {
        let mut taken = BTreeSet::new();
        let mut name = |id| file_name(id, &mut taken);
        assert_eq!(name("spawn.ready@10"), "spawn.ready-10.svg");
        assert_eq!(name("../a/b"), "a-b.svg");
        assert_eq!(name("A b"), "A-b-2.svg");
        assert_eq!(name("…"), "chart.svg");
    }
}
