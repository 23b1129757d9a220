//! Each kind of sentence, from made-up rounds.

use super::*;
use crate::data::{Clock, Competitor, Kind, Scenario};
use crate::sample::{competitor, run, sample, scenario};

/// Seven rounds around a time, whose middle half spreads over the given share.
fn around(time: f64, spread: f64) -> Vec<f64> {
    let places = [0.0, -1.0, 1.0, -1.0, 1.0, 0.0, 0.0];
    places
        .iter()
        .map(|place| time * (1.0 + place * spread))
        .collect()
}

fn kumi(runtime: &str, time: f64) -> Competitor {
    competitor(
        &format!("kumi on {runtime}"),
        Kind::Kumi,
        runtime,
        &[time; 7],
    )
}

fn native(runtime: &str, time: f64) -> Competitor {
    competitor(runtime, Kind::Native, runtime, &[time; 7])
}

fn with_native(mut one: Competitor) -> Competitor {
    one.native = Some(one.runtime.clone());
    one
}

/// What is said of one scenario, with plain spaces.
fn said(competitors: Vec<Competitor>) -> String {
    of_sizes(vec![scenario("a", None, competitors)])
}

/// What is said of the last of these.
fn of_sizes(scenarios: Vec<Scenario>) -> String {
    let found = conclusions(&run(scenarios));
    let last = found.scenarios.last().unwrap();
    last.sentences.join(" ").replace('\u{a0}', " ")
}

fn whole(run: &crate::Run, topic: &str) -> String {
    let all = conclusions(run).whole;
    let of_topic = all.iter().filter(|one| one.topic == topic);
    let texts: Vec<&str> = of_topic.map(|one| one.text.as_str()).collect();
    texts.join(" ").replace('\u{a0}', " ")
}

#[test]
fn the_quickest_backend_and_its_lead() {
    assert_eq!(
        said(vec![
            kumi("tokio, current thread", 14.0),
            kumi("loop", 10.0)
        ]),
        "kumi on loop is the quickest backend, 1.4 times as quick as kumi on tokio, current thread."
    );
    assert_eq!(
        said(vec![
            kumi("loop", 10.0),
            kumi("smol", 10.1),
            kumi("tokio", 30.0)
        ]),
        "kumi on loop and kumi on smol are equally quick, 3.0 times as quick as kumi on tokio."
    );
    assert_eq!(
        said(vec![kumi("loop", 10.0), kumi("smol", 10.1)]),
        "kumi on loop and kumi on smol are equally quick."
    );
    assert_eq!(
        said(vec![
            kumi("loop", 10.0),
            kumi("smol", 10.1),
            kumi("tokio", 10.0)
        ]),
        "All 3 backends are equally quick."
    );
}

#[test]
fn one_who_is_alone_is_not_praised() {
    assert_eq!(
        said(vec![kumi("loop", 1_500.0)]),
        "kumi on loop takes 1.5 µs per task, and no other backend was timed beside it."
    );
    let plain = competitor("kumi", Kind::Kumi, "", &[10.0; 7]);
    let peer = competitor("futures", Kind::Peer, "", &[20.0; 7]);
    assert_eq!(
        said(vec![plain, peer]),
        "kumi takes 10 ns per task; the quickest that is not Kumi is futures, which takes 2.0 times as long as kumi."
    );
    assert_eq!(said(vec![native("tokio", 10.0)]), "");
}

#[test]
fn noise_and_few_rounds_forbid_a_verdict() {
    let noisy = competitor("kumi on smol", Kind::Kumi, "smol", &around(10.5, 0.4));
    assert_eq!(
        said(vec![kumi("loop", 10.0), noisy]),
        "Nothing can be said about who is quickest: the rounds of kumi on smol differ by 40 %."
    );
    // Noisy, but ten times as long all the same.
    let noisy = competitor("kumi on smol", Kind::Kumi, "smol", &around(100.0, 0.4));
    assert!(said(vec![kumi("loop", 10.0), noisy]).contains("10 times as quick as kumi on smol"));
    let few = competitor("kumi on loop", Kind::Kumi, "loop", &[1.0; 4]);
    assert_eq!(
        said(vec![few]),
        "Too few to judge: 4 rounds, and 5 are needed."
    );
    let few = competitor("kumi on loop", Kind::Kumi, "loop", &[1.0]);
    assert_eq!(
        said(vec![few]),
        "Too few to judge: 1 round, and 5 are needed."
    );
}

#[test]
fn what_kumi_costs_over_native() {
    let text = said(vec![
        with_native(kumi("loop", 10.0)),
        with_native(kumi("tokio", 20.6)),
        with_native(kumi("smol", 15.0)),
        with_native(kumi("other", 30.1)),
        with_native(kumi("slow", 72.0)),
        native("tokio", 20.0),
        native("smol", 20.0),
        native("other", 30.0),
        native("slow", 30.0),
    ]);
    assert!(
        text.contains("Kumi takes 2.4 times as long as native slow"),
        "{text}"
    );
    assert!(text.contains("Kumi costs 3 % over native tokio"), "{text}");
    assert!(
        text.contains("Kumi takes 25 % less than native smol"),
        "{text}"
    );
    assert!(
        text.contains("Kumi costs nothing that can be measured over native other"),
        "{text}"
    );
    assert!(
        text.contains("takes 2.0 times as long as kumi on loop"),
        "{text}"
    );
}

#[test]
fn others_that_are_quicker_are_named() {
    let peer = competitor("monoio, epoll", Kind::Peer, "", &[5.0; 7]);
    let floor = competitor("floor", Kind::Floor, "", &[1.0; 7]);
    let text = said(vec![kumi("loop", 10.0), kumi("smol", 20.0), peer, floor]);
    assert!(
        text.contains("monoio, epoll, which is not Kumi, is 2.0 times as quick as kumi on loop"),
        "{text}"
    );
    assert!(!text.contains("floor"), "{text}");
}

#[test]
fn two_clocks_are_pointed_out_and_kept_apart() {
    let mut workers = kumi("tokio, 2 workers", 1.0);
    (workers.clock, workers.threads) = (Clock::Wall, 2);
    let text = said(vec![
        kumi("loop", 10.0),
        kumi("smol", 20.0),
        workers.clone(),
    ]);
    assert!(
        text.contains("On one thread kumi on loop is the quickest backend, 2.0 times"),
        "{text}"
    );
    assert!(
        text.contains("With several threads kumi on tokio, 2 workers takes 1 ns per task"),
        "{text}"
    );
    assert!(
        text.contains("Two clocks: kumi on tokio, 2 workers is timed on the wall"),
        "{text}"
    );
    let mut second = kumi("smol, 2 threads", 1.0);
    (second.clock, second.threads) = (Clock::Wall, 2);
    let text = said(vec![workers, second, kumi("loop", 10.0)]);
    assert!(text.contains("are equally quick"), "{text}");
    assert!(
        text.contains("kumi on tokio, 2 workers and kumi on smol, 2 threads are timed on the wall"),
        "{text}"
    );
}

#[test]
fn memory_of_none_one_and_many() {
    let with = |name: &str, allocations: f64, bytes: f64| {
        let mut one = kumi(name, 10.0);
        one.allocations = Some(allocations);
        one.bytes = Some(bytes);
        one
    };
    let text = said(vec![
        with("loop", 0.0, 0.0),
        with("tokio", 1.0, 96.0),
        with("smol", 2.5, 0.0),
        with("more", 2.5, 0.0),
    ]);
    assert!(text.contains("kumi on loop allocates nothing"), "{text}");
    assert!(
        text.contains("kumi on tokio allocates once per task (96 B at most)"),
        "{text}"
    );
    assert!(
        text.contains("kumi on smol and kumi on more allocate 2.5 times per task"),
        "{text}"
    );
}

#[test]
fn growth_is_flat_up_or_down() {
    let at = |size: u64, loop_, tokio, smol| {
        let all = vec![
            kumi("loop", loop_),
            kumi("tokio", tokio),
            kumi("smol", smol),
        ];
        scenario("a", Some(size), all)
    };
    let text = of_sizes(vec![
        at(10, 10.0, 10.0, 50.0),
        at(100_000, 11.0, 100_000.0, 25.0),
    ]);
    assert!(
        text.contains("From 10 to 100 000 tasks the time per task is flat on kumi on loop"),
        "{text}"
    );
    assert!(
        text.contains("it grows 10 000 times on kumi on tokio (in proportion to the number)"),
        "{text}"
    );
    assert!(
        text.contains("it falls 2.0 times on kumi on smol"),
        "{text}"
    );
    let flat = of_sizes(vec![at(1, 10.0, 20.0, 30.0), at(10, 10.0, 20.0, 30.0)]);
    assert!(
        flat.contains("the time per task is flat on all 3"),
        "{flat}"
    );
    // Only the largest size speaks of it, wherever it stands.
    let turned = of_sizes(vec![at(10, 1.0, 2.0, 3.0), at(1, 1.0, 2.0, 3.0)]);
    assert!(!turned.contains("flat"), "{turned}");
}

#[test]
fn the_whole_names_who_wins_how_often() {
    let one = |name: &str, loop_| {
        let all = vec![kumi("loop", loop_), kumi("smol", 20.0)];
        scenario(name, None, all)
    };
    let text = whole(
        &run(vec![
            one("a", 10.0),
            one("b", 20.0),
            one("c", 40.0),
            one("d", 5.0),
        ]),
        "On one thread",
    );
    assert_eq!(
        text,
        "kumi on loop is the quickest backend in 2 of the 4 measurements in which it was timed beside others, and equal \
         to the best in 1 more. Others are the quickest too: kumi on smol in 1. As a multiple of the quickest backend's time, on the \
         geometric mean: 1.19 for kumi on loop and 1.68 for kumi on smol."
    );
    let tied = whole(&run(vec![one("a", 10.0), one("b", 40.0)]), "On one thread");
    assert!(
        tied.starts_with(
            "kumi on loop and kumi on smol are each the quickest backend in 1 of the 2 measurements"
        ),
        "{tied}"
    );
    let all = whole(&run(vec![one("a", 10.0), one("b", 5.0)]), "On one thread");
    assert!(
        all.starts_with("kumi on loop is the quickest backend in all 2 measurements"),
        "{all}"
    );
    assert!(!all.contains("Others"), "{all}");
    let text = whole(&run(vec![one("a", 20.0)]), "On one thread");
    assert_eq!(
        text,
        "The one measurement with several backends does not tell them apart."
    );
    assert_eq!(whole(&run(vec![one("a", 10.0)]), "On several threads"), "");
}

#[test]
fn the_whole_names_the_price_and_its_worst_case() {
    let one = |name: &str, time| {
        scenario(
            name,
            Some(7),
            vec![with_native(kumi("tokio", time)), native("tokio", 10.0)],
        )
    };
    let text = whole(&run(vec![one("a", 10.0), one("b", 20.0)]), "The price");
    assert_eq!(
        text,
        "Kumi on tokio takes 41 % longer than its native API, on the geometric mean of 2 measurements: the middle half \
         of the ratios lies from 1.25 to 1.75, and the highest is 2.00 in b at 7 tasks."
    );
    let text = whole(&run(vec![one("a", 10.0)]), "The price");
    assert_eq!(
        text,
        "Kumi on tokio takes as long as its native API in the one measurement of both, a at 7 tasks."
    );
}

#[test]
fn the_whole_says_what_grows_what_is_allocated_and_how_sure_it_is() {
    let run = sample();
    let growth = whole(&run, "With the number");
    assert!(
        growth.starts_with("4 scenarios were measured at several sizes."),
        "{growth}"
    );
    assert!(
        growth.contains("in 2: gather.ready (3981 times as long from 10 to 100 000 children)"),
        "{growth}"
    );
    assert!(
        growth.contains("It is flat in 1.") && growth.contains("It falls in 1."),
        "{growth}"
    );
    let memory = whole(&run, "Memory");
    assert!(
        memory.starts_with("Allocations of Kumi were counted in"),
        "{memory}"
    );
    let noise = whole(&run, "How sure");
    assert!(
        noise.starts_with("3 of ") && noise.contains("chan.noisy"),
        "{noise}"
    );
    assert!(noise.contains("3 have fewer than 5 rounds"), "{noise}");
}

#[test]
fn nothing_is_said_of_what_is_not_there() {
    let run = run(vec![scenario("a", None, vec![native("tokio", 10.0)])]);
    let topics: Vec<_> = conclusions(&run)
        .whole
        .iter()
        .map(|one| one.topic)
        .collect();
    assert_eq!(topics, ["How sure"]);
}
