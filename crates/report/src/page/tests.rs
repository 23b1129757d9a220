//! The page as text: what must be in it and what must not.

use super::*;
use crate::data::{Kind, Scenario};
use crate::sample::{competitor, earlier, run, sample, scenario};

/// A name that does harm wherever it is not escaped.
const HOSTILE: &str = "</svg><script>alert('1')</script>\"&|";

#[test]
fn everything_is_in_one_file() {
    let page = page(&sample(), Some(&earlier()));
    for wanted in [
        "<meta name=\"viewport\"",
        "prefers-color-scheme:dark",
        "<h1>",
        "id=\"answer\"",
        "id=\"earlier\"",
        "id=\"filter\" hidden",
        "data-chart=\"overview\"",
        "data-chart=\"price\"",
        "data-chart=\"spawn.ready@100000\"",
        "data-chart=\"spawn.ready@growth\"",
        "beside earlier",
        "cargo x compare",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    for unwanted in [
        "http://", "https://", "@import", "url(", " src=", "NaN", "inf ",
    ] {
        assert!(!page.contains(unwanted), "{unwanted}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn names_are_escaped_everywhere() {
    let mut one = competitor(HOSTILE, Kind::Kumi, HOSTILE, &[1.0; 5]);
    one.native = Some("native".to_owned());
    let native = competitor("native", Kind::Native, HOSTILE, &[1.0; 5]);
    let mut scenarios = Vec::new();
    for size in [1, 2] {
        let mut scenario = scenario(HOSTILE, Some(size), vec![one.clone(), native.clone()]);
        for text in [
            &mut scenario.group,
            &mut scenario.about,
            &mut scenario.unit,
            &mut scenario.size_of,
        ] {
            HOSTILE.clone_into(text);
        }
        scenarios.push(scenario);
    }
    let mut run = run(scenarios);
    for text in [
        &mut run.version,
        &mut run.mode,
        &mut run.command,
        &mut run.machine.processor,
    ] {
        HOSTILE.clone_into(text);
    }
    HOSTILE.clone_into(&mut run.capabilities[0].name);
    HOSTILE.clone_into(&mut run.capabilities[0].about);
    let page = page(&run, Some(&run.clone()));
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(
        page.matches("alert(&#39;1").count(),
        page.matches("alert(").count()
    );
    let chart = crate::readme_chart(&run);
    assert!(!chart.contains("<script") && chart.starts_with("<svg xmlns="));
    let table = crate::table(&run, None);
    let widths: Vec<usize> = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.replace("\\|", "").matches('|').count())
        .collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let once = page(&sample(), Some(&earlier()));
    assert!(once == page(&sample(), Some(&earlier())));
    assert_eq!(crate::table(&sample(), None), crate::table(&sample(), None));
    assert_eq!(crate::guide(&sample()), crate::guide(&sample()));
}

/// What has a number in it that is none.
fn broken(page: &str) -> bool {
    ["NaN", "inf\"", "inf ", "-inf"]
        .iter()
        .any(|bad| page.contains(bad))
}

#[test]
fn odd_runs_have_a_page() {
    let alone = |name: &str, size, time: f64| {
        let mut one = competitor("kumi", Kind::Kumi, "", &[time; 5]);
        one.allocations = Some(0.0);
        one.bytes = Some(0.0);
        scenario(name, size, vec![one])
    };
    let floor = competitor("floor", Kind::Floor, "", &[1.0; 5]);
    let hundred: Vec<Scenario> = (0..100)
        .map(|at| alone(&format!("s{at}"), Some(at), 1.0))
        .collect();
    for scenarios in [
        vec![alone("a", None, 5.0)],
        vec![alone("a", Some(0), 5.0), alone("a", Some(1), 5.0)],
        vec![alone("a", Some(1), 1.0), alone("a", Some(100_000), 1e9)],
        vec![alone("a", None, 5.0), alone("a", Some(3), 5.0)],
        vec![scenario("only a floor", None, vec![floor])],
        vec![scenario(
            "no Kumi",
            None,
            vec![competitor("a", Kind::Peer, "", &[1.0; 5])],
        )],
        vec![scenario(
            "far apart",
            None,
            vec![
                competitor("kumi on loop", Kind::Kumi, "loop", &[1.0; 5]),
                competitor("slow", Kind::Peer, "", &[100_000.0; 5]),
            ],
        )],
        hundred,
    ] {
        let mut run = run(scenarios);
        assert_eq!(run.check(), Ok(()));
        let name = run.scenarios[0].name.clone();
        let page = page(&run, None);
        assert!(!broken(&page), "{name}: {page}");
        assert!(!broken(&crate::guide(&run)), "{name}");
        assert!(
            !broken(&crate::readme_block(&run, "make", "a.svg")),
            "{name}"
        );
        run.capabilities.clear();
        assert!(!broken(&crate::guide(&run)), "{name}");
        assert_eq!(crate::capability_table(&run), "");
    }
}

#[test]
fn a_bar_for_everybody() {
    let run = sample();
    for scenario in &run.scenarios {
        let chart = crate::chart::bars::bars(scenario).alone();
        assert_eq!(
            chart.matches("class=\"bar ").count(),
            scenario.competitors.len()
        );
        assert!(
            chart.contains("role=\"img\"")
                && chart.contains("aria-label=\"")
                && chart.contains("<title>")
        );
    }
}
