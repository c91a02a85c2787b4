//! The screens of `compare --tune`, from injected results.

use std::collections::BTreeMap;

use report::View;
use results::compare::{
    MetricSummary, ProgramArm, ProgramExperiment, ProgramResult, ProgramSample, Proof, Race,
    RaceEnd, RacedArm,
};
use results::{Comparison, Placebo, Refused, Verdict};

use crate::{plain, snapshots};

const MIB: f64 = 1_048_576.0;
const PATH: &str = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";

fn raced(name: &str, ratio: f64, memory: f64, left: Option<(u64, &str)>) -> RacedArm {
    let both = |wall: f64, rss: f64| -> BTreeMap<String, f64> {
        [("wall_ns".to_owned(), wall), ("max_rss_bytes".to_owned(), rss)].into()
    };
    let baseline = name == "unchanged";
    RacedArm {
        name: name.to_owned(),
        baseline,
        chosen: name == "jemalloc+keep",
        blocks: left.map_or(16, |(after, _)| after),
        left_after: left.map(|(after, _)| after),
        reason: left.map(|(_, better)| format!("certainly worse than {better}")),
        medians: both(812e6 * ratio, 100.0 * MIB * memory),
        ratios: if baseline { BTreeMap::new() } else { both(ratio, memory) },
        ..RacedArm::default()
    }
}

fn race() -> Race {
    let best = "jemalloc+keep";
    let refused = |arm: &str| Refused {
        arm: arm.to_owned(),
        reason: "tcmalloc is not installed: the linker finds no libtcmalloc.so.4".to_owned(),
        failed: false,
        samples: Vec::new(),
    };
    let failed = RacedArm {
        failed: true,
        reason: Some("it was killed by SIGSEGV (block 3)".to_owned()),
        left_after: Some(3),
        ..raced("mimalloc+large", 1.3, 0.9, None)
    };
    Race {
        ended: RaceEnd::OneLeft,
        blocks: 16,
        dropped: 1,
        elapsed_ns: 120_000_000_000,
        arms: vec![
            raced("unchanged", 1.0, 1.0, None),
            raced(best, 0.81, 1.32, None),
            raced("mimalloc", 0.84, 1.2, Some((16, best))),
            raced("jemalloc", 0.9, 1.05, Some((12, best))),
            raced("glibc+keep", 0.97, 1.01, Some((10, best))),
            raced("glibc+arena1", 1.01, 0.92, Some((10, best))),
            raced("glibc+return", 1.22, 0.88, Some((10, best))),
            failed,
        ],
        refused: vec![refused("tcmalloc"), refused("tcmalloc+cache")],
    }
}

fn compared(metric: &str, ratio: f64, bounds: [f64; 2], verdict: Verdict) -> Comparison {
    Comparison {
        arm: "jemalloc+keep".to_owned(),
        baseline: "unchanged".to_owned(),
        metric: metric.to_owned(),
        size_bytes: 0,
        threads: None,
        passes: None,
        ratio,
        low: Some(bounds[0]),
        high: Some(bounds[1]),
        confidence: 0.985,
        blocks: 24,
        verdict,
        smallest_detectable: Some(0.03),
        sensitivity: None,
    }
}

fn arm(name: &str, wall_ns: f64, rss_bytes: f64) -> ProgramArm {
    let median = |median: f64| MetricSummary { median, spread: 0.01 };
    ProgramArm {
        name: name.to_owned(),
        baseline: name == "unchanged",
        placebo: name.starts_with("placebo"),
        command: ["./app", "a b"].map(str::to_owned).to_vec(),
        summary: [("wall_ns", wall_ns), ("max_rss_bytes", rss_bytes)]
            .map(|(metric, value)| (metric.to_owned(), median(value)))
            .into(),
        samples: vec![ProgramSample::default(); 24],
        ..ProgramArm::default()
    }
}

/// A winner that is faster.
pub(crate) fn better() -> ProgramResult {
    let winner = ProgramArm {
        environment: [
            ("LD_PRELOAD".to_owned(), Some("libjemalloc.so.2".to_owned())),
            ("MALLOC_CONF".to_owned(), Some("dirty_decay_ms:-1,muzzy_decay_ms:-1".to_owned())),
        ]
        .into(),
        proof: Some(Proof { malloc: Some(PATH.to_owned()), ..Proof::default() }),
        ..arm("jemalloc+keep", 658e6, 132.0 * MIB)
    };
    ProgramResult {
        seed: 7,
        elapsed_ns: 250_000_000_000,
        experiment: ProgramExperiment {
            name: "compare".to_owned(),
            metric: "wall_ns".to_owned(),
            metrics: vec!["wall_ns".to_owned()],
            margin: 0.02,
            command: ["./app", "a b"].map(str::to_owned).to_vec(),
            ..ProgramExperiment::default()
        },
        arms: vec![
            arm("unchanged", 812e6, 100.0 * MIB),
            winner,
            arm("placebo (unchanged)", 815e6, 100.0 * MIB),
        ],
        comparisons: vec![
            compared("wall_ns", 0.81, [0.8, 0.83], Verdict::Different),
            compared("max_rss_bytes", 1.32, [1.3, 1.34], Verdict::Different),
        ],
        placebo: Some(Placebo {
            ratio: 1.0,
            low: Some(0.99),
            high: Some(1.01),
            confidence: 0.99,
            trusted: Some(true),
        }),
        race: Some(race()),
        ..ProgramResult::empty("0.1.0")
    }
}

/// A winner that is not.
pub(crate) fn nothing() -> ProgramResult {
    let comparisons = vec![compared("wall_ns", 0.99, [0.985, 1.01], Verdict::Equivalent)];
    let race = Race { ended: RaceEnd::Alike, ..race() };
    ProgramResult { comparisons, race: Some(race), ..better() }
}

#[test]
fn the_screens_of_a_race() {
    snapshots("tune_better", |view| report::compare_screen(&better(), view));
    snapshots("tune_nothing", |view| report::compare_screen(&nothing(), view));
}

fn brief(result: &ProgramResult) -> String {
    let view = View::brief(Some(80));
    plain(&report::compare_screen(result, view), view)
}

/// Only a confirmed gain has a line to use it: never the luck of the race.
#[test]
fn no_line_without_a_confirmed_gain() {
    assert!(brief(&better()).contains(&format!("Environment=\"LD_PRELOAD={PATH}\"")));
    let of = |comparison: Comparison, placebo: Option<Placebo>| {
        let comparisons = vec![comparison];
        brief(&ProgramResult { comparisons, placebo, ..better() })
    };
    let trusted = better().placebo;
    let doubtful = Placebo { high: Some(1.4), trusted: Some(false), ..trusted.clone().unwrap() };
    for (screen, expect) in [
        (brief(&nothing()), "is the same within 2 %"),
        (
            of(compared("wall_ns", 1.2, [1.1, 1.3], Verdict::Different), trusted.clone()),
            "is slower",
        ),
        (of(compared("wall_ns", 0.9, [0.7, 1.1], Verdict::Inconclusive), trusted), "is unclear"),
        (
            of(compared("wall_ns", 0.9, [0.85, 0.95], Verdict::Different), Some(doubtful)),
            "the placebo is as different",
        ),
    ] {
        let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("Nothing in the list is certainly better"), "{screen}");
        assert!(words.contains(expect) && !screen.contains("Environment="), "{expect}: {screen}");
    }
    let unconfirmed = ProgramResult { comparisons: Vec::new(), ..better() };
    assert!(brief(&unconfirmed).contains("proves nothing"));
    assert!(!brief(&unconfirmed).contains("Environment="));
}

#[test]
fn hostile_names_move_no_cursor() {
    let mut result = better();
    let name = "evil\u{1b}[2J\nname".to_owned();
    result.arms[1].name.clone_from(&name);
    result.arms[1].environment.insert("A\u{1b}".to_owned(), Some("x\u{202e}\n".to_owned()));
    result.comparisons.iter_mut().for_each(|compared| compared.arm.clone_from(&name));
    let race = result.race.as_mut().unwrap();
    race.arms[1].name.clone_from(&name);
    race.refused[0].arm.clone_from(&name);
    race.refused[0].reason.clone_from(&name);
    for view in [View::brief(None), View::verbose(None)] {
        let screen = plain(&report::compare_screen(&result, view), view);
        assert!(!screen.contains(['\u{1b}', '\u{202e}']), "{screen}");
        assert!(screen.contains("evil\\u{1b}[2J\\nname is faster"), "{screen}");
    }
}
