//! The screen of a comparison of a program.

use results::compare::{
    Gate, GateOutcome, MetricSummary, ObservedCalls, ObservedProgram, ProgramArm,
    ProgramExperiment, ProgramResult, ProgramSample, Proof,
};
use results::{Comparison, More, Placebo, Refused, Verdict, Warning};

use super::{plain, snapshots, views};

const METRICS: [&str; 5] = ["wall_ns", "user_ns", "sys_ns", "max_rss_bytes", "faults"];

fn arm(name: &str, medians: [f64; 5]) -> ProgramArm {
    let summary = |median| MetricSummary { median, spread: 0.01 };
    ProgramArm {
        name: name.to_owned(),
        command: vec!["./app".to_owned(), "data file".to_owned()],
        summary: METRICS
            .iter()
            .zip(medians)
            .map(|(metric, median)| ((*metric).to_owned(), summary(median)))
            .collect(),
        samples: vec![ProgramSample::default(); 24],
        ..ProgramArm::default()
    }
}

fn compared(arm: &str, metric: &str, bounds: [f64; 3], verdict: Verdict) -> Comparison {
    let [low, ratio, high] = bounds;
    Comparison {
        arm: arm.to_owned(),
        baseline: "system".to_owned(),
        metric: metric.to_owned(),
        size_bytes: 0,
        threads: None,
        passes: None,
        ratio,
        low: Some(low),
        high: Some(high),
        confidence: 0.985,
        blocks: 24,
        verdict,
        smallest_detectable: Some(high / ratio - 1.0),
        sensitivity: None,
    }
}

fn observed(first_touches: u64, munmaps: u64) -> ObservedProgram {
    let calls = ObservedCalls { calls: munmaps, ns: 9_000 * munmaps };
    ObservedProgram {
        faults: [("first-touch".to_owned(), first_touches), ("file".to_owned(), 412)].into(),
        syscalls: Some([("munmap".to_owned(), calls)].into()),
        page_tables_bytes: Some(400 << 10),
        lost: 0,
    }
}

fn result() -> ProgramResult {
    use Verdict::{Different, Equivalent, Inconclusive};
    let mib = f64::from(1 << 20);
    let mut system = arm("system", [512.3e6, 480.1e6, 30.2e6, 120.0 * mib, 30_120.0]);
    let mut jemalloc = arm("jemalloc", [466.0e6, 452.7e6, 12.1e6, 156.0 * mib, 12_001.0]);
    let mut placebo = arm("placebo (system)", [513.0e6, 480.5e6, 30.1e6, 120.0 * mib, 30_121.0]);
    (system.baseline, placebo.placebo) = (true, true);
    (system.observed, jemalloc.observed) =
        (Some(observed(29_000, 4_100)), Some(observed(10_800, 12)));
    jemalloc.proof = Some(Proof {
        malloc: Some("/usr/lib/libjemalloc.so.2".to_owned()),
        notes: vec!["the program has run other programs, which were not looked at".to_owned()],
        ..Proof::default()
    });
    ProgramResult {
        elapsed_ns: 41_200_000_000,
        seed: 7,
        more: Some(More::MaxTimeNs(80_000_000_000)),
        experiment: ProgramExperiment {
            name: "compare".to_owned(),
            metric: "wall_ns".to_owned(),
            metrics: vec!["wall_ns".to_owned()],
            margin: 0.02,
            command: vec!["./app".to_owned(), "data file".to_owned()],
            ..ProgramExperiment::default()
        },
        arms: vec![
            system,
            jemalloc,
            arm("arena_max=1", [510.0e6, 479.0e6, 29.9e6, 119.0 * mib, 30_001.0]),
            placebo,
        ],
        comparisons: vec![
            compared("jemalloc", "wall_ns", [0.902, 0.911, 0.921], Different),
            compared("arena_max=1", "wall_ns", [0.97, 0.995, 1.03], Inconclusive),
            compared("jemalloc", "user_ns", [0.93, 0.943, 0.95], Different),
            compared("arena_max=1", "user_ns", [0.99, 1.0, 1.01], Equivalent),
            compared("jemalloc", "max_rss_bytes", [1.28, 1.3, 1.31], Different),
            compared("arena_max=1", "max_rss_bytes", [0.985, 0.99, 0.995], Equivalent),
            compared("jemalloc", "faults", [0.39, 0.4, 0.41], Different),
            compared("arena_max=1", "faults", [0.99, 1.0, 1.0], Equivalent),
        ],
        placebo: Some(Placebo {
            ratio: 1.001,
            low: Some(0.99),
            high: Some(1.012),
            confidence: 0.99,
            trusted: Some(true),
        }),
        gates: vec![Gate {
            metric: "max_rss_bytes".to_owned(),
            arm: "jemalloc".to_owned(),
            limit: 0.05,
            outcome: GateOutcome::Failed,
        }],
        refused: vec![Refused {
            arm: "evil\u{1b}[2J".to_owned(),
            reason: "LD_PRELOAD was dropped".to_owned(),
            failed: false,
            samples: Vec::new(),
        }],
        warnings: vec![Warning {
            id: "left-behind".to_owned(),
            message: "the program left processes running".to_owned(),
            arms: vec!["jemalloc".to_owned()],
        }],
        ..ProgramResult::empty("0.1.0")
    }
}

#[test]
fn a_comparison_in_every_view() {
    snapshots("compare", |view| report::compare_screen(&result(), view));
}

/// A difference that the placebo could have is questioned, in times and not in memory.
#[test]
fn an_untrusted_placebo_questions_times() {
    let placebo = Placebo {
        ratio: 1.1,
        low: Some(1.05),
        high: Some(1.15),
        confidence: 0.99,
        trusted: Some(false),
    };
    let result = ProgramResult { placebo: Some(placebo), ..result() };
    let (_, view) = views()[0];
    let screen = plain(&report::compare_screen(&result, view), view);
    assert!(screen.contains("faster?") && screen.contains("UNTRUSTED"), "{screen}");
    assert!(screen.contains("larger") && !screen.contains("larger?"), "{screen}");
}

#[test]
fn hostile_names_are_inert_and_an_empty_result_has_a_screen() {
    for (_, view) in views() {
        assert!(!plain(&report::compare_screen(&result(), view), view).contains('\u{1b}'));
        let _ = plain(&report::compare_screen(&ProgramResult::empty("0.1.0"), view), view);
    }
}
