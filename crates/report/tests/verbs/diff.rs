//! The screen of two results against each other, from injected diffs.

use report::View;
use results::Verdict;
use results::diff::{Change, Diff, DiffedRun, Difference, LeftOut, RelativeChange, SCHEMA};

use crate::{plain, snapshots};

fn run(file: &str, started: &str) -> DiffedRun {
    DiffedRun {
        file: file.to_owned(),
        started: started.to_owned(),
        elapsed_ns: 41_000_000_000,
        warnings: Vec::new(),
        trusted: Some(true),
    }
}

fn verdict(low: f64, high: f64) -> Verdict {
    if low > 1.0 || high < 1.0 {
        Verdict::Different
    } else if low > 0.97 && high < 1.03 {
        Verdict::Equivalent
    } else {
        Verdict::Inconclusive
    }
}

/// A change of `arm` from 20 ms, with these ratio and bounds.
fn change(arm: &str, metric: &str, [ratio, low, high]: [f64; 3]) -> Change {
    let old = if metric.ends_with("_bytes") { 3_145_728.0 } else { 20e6 };
    Change {
        arm: arm.to_owned(),
        baseline: false,
        metric: metric.to_owned(),
        size_bytes: None,
        threads: None,
        passes: None,
        old,
        new: old * ratio,
        old_samples: 24,
        new_samples: 48,
        ratio,
        low: Some(low),
        high: Some(high),
        confidence: 0.95,
        verdict: verdict(low, high),
        against_baseline: None,
    }
}

fn beside(baseline: &str, [ratio, low, high]: [f64; 3]) -> RelativeChange {
    RelativeChange {
        baseline: baseline.to_owned(),
        ratio,
        low: Some(low),
        high: Some(high),
        verdict: verdict(low, high),
    }
}

fn difference(what: &str, old: Option<&str>, new: Option<&str>) -> Difference {
    Difference { what: what.to_owned(), old: old.map(str::to_owned), new: new.map(str::to_owned) }
}

/// A machine that became slower, and an arm that became slower than that.
pub(crate) fn of_bench() -> Diff {
    let at = |change: Change| Change { size_bytes: Some(100 << 20), threads: Some(1), ..change };
    let mut comparisons = vec![
        at(change("mmap", "total_ns", [1.08, 1.05, 1.11])),
        at(change("malloc", "total_ns", [1.31, 1.27, 1.36])),
        at(change("calloc", "total_ns", [1.0, 0.98, 1.02])),
        at(change("mmap+populate", "total_ns", [1.02, 0.94, 1.1])),
        at(change("mmap+hugepage", "total_ns", [0.8, 0.75, 0.86])),
    ];
    comparisons[0].baseline = true;
    comparisons[1].against_baseline = Some(beside("mmap", [1.21, 1.18, 1.25]));
    comparisons[2].against_baseline = Some(beside("mmap", [0.93, 0.91, 0.95]));
    comparisons[3].against_baseline = Some(beside("mmap", [0.95, 0.88, 1.01]));
    comparisons[4].against_baseline = Some(beside("mmap", [0.74, 0.7, 0.79]));
    let mut diff = Diff {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        experiment: "anonymous".to_owned(),
        old: run("results/before.json", "2026-11-28T08:00:00.952522176Z"),
        new: run("results/after.json", "2026-11-28T20:30:00Z"),
        apart_ns: Some(45_000_000_000_000),
        margin: 0.03,
        confidence: 0.95,
        differences: vec![
            difference("kernel", Some("6.1.0"), Some("6.18.5")),
            difference("ram_bytes", Some("8589934592"), Some("17179869184")),
            difference("arm memfd", Some("measured"), Some("refused: no space")),
            difference("library of malloc, calloc", None, Some("/usr/lib/libjemalloc.so.2")),
        ],
        comparisons,
        ..Diff::default()
    };
    diff.old.warnings = vec!["trend".to_owned(), "two-modes".to_owned()];
    diff.new.trusted = Some(false);
    diff
}

/// A sweep over two sizes, with few samples, in which nothing else differs.
fn of_a_sweep() -> Diff {
    let mut diff = of_bench();
    let sizes = [64 << 10, 16 << 20];
    diff.comparisons = ["mmap", "malloc"]
        .iter()
        .flat_map(|arm| sizes.map(|size| (arm, size)))
        .map(|(arm, size)| Change {
            size_bytes: Some(size),
            threads: Some(1),
            low: None,
            high: None,
            verdict: Verdict::Inconclusive,
            old_samples: 5,
            ..change(arm, "total_ns", [1.02, 1.0, 1.0])
        })
        .collect();
    diff.differences.clear();
    (diff.old.warnings, diff.new.trusted) = (Vec::new(), None);
    diff.apart_ns = Some(-300_000_000_000);
    diff
}

/// A program by several figures, with more differences than a brief screen shows.
pub(crate) fn of_compare() -> Diff {
    let mut diff = of_bench();
    "compare".clone_into(&mut diff.experiment);
    diff.command = vec!["./app".to_owned(), "a b".to_owned()];
    diff.comparisons = ["as is", "jemalloc"]
        .iter()
        .flat_map(|arm| {
            [
                change(arm, "wall_ns", [1.2, 1.1, 1.3]),
                change(arm, "cpu_ns", [0.9, 0.85, 0.95]),
                change(arm, "max_rss_bytes", [1.5, 1.48, 1.52]),
                Change {
                    old: 25_600.0,
                    new: 24_000.0,
                    ..change(arm, "faults", [0.94, 0.93, 0.95])
                },
                Change { old: 12.5, new: 13.5, ..change(arm, "figure", [1.08, 1.05, 1.11]) },
            ]
        })
        .collect();
    for index in 5..10 {
        diff.comparisons[index].against_baseline = Some(beside("as is", [1.0, 0.98, 1.02]));
    }
    diff.differences.extend(
        (0..10).map(|number| {
            difference(&format!("environment.A_{number} of jemalloc"), None, Some("1"))
        }),
    );
    diff.left_out = vec![LeftOut {
        arm: "as is".to_owned(),
        metric: "sys_ns".to_owned(),
        reason: "a sample is 0, so there is no ratio".to_owned(),
    }];
    diff
}

#[test]
fn every_kind_in_every_view() {
    snapshots("diff_bench", |view| report::diff_screen(&of_bench(), view));
    snapshots("diff_sweep", |view| report::diff_screen(&of_a_sweep(), view));
    snapshots("diff_compare", |view| report::diff_screen(&of_compare(), view));
}

#[test]
fn the_answer_comes_first_and_the_caveat_always() {
    for diff in [of_bench(), of_a_sweep(), of_compare()] {
        for view in [View::brief(Some(80)), View::verbose(None)] {
            let screen = plain(&report::diff_screen(&diff, view), view);
            let answer = screen.lines().position(|line| line.starts_with("In the new run: "));
            assert!(answer.is_some_and(|line| line < 5), "{screen}");
            let together = screen.replace('\n', " ");
            assert!(together.contains("Not randomised together"), "{screen}");
        }
    }
}

#[test]
fn the_next_command_suits_the_answer() {
    let next = |diff: &Diff| {
        let view = View::brief(None);
        plain(&report::diff_screen(diff, view), view).lines().last().unwrap().to_owned()
    };
    let mut diff = of_bench();
    assert!(next(&diff).contains("firsttouch report results/after.json -v "), "{}", next(&diff));
    diff.new.file = "-".to_owned();
    assert!(next(&diff).contains("firsttouch report results/before.json -v "), "{}", next(&diff));
    let unclear = next(&of_a_sweep());
    assert!(unclear.contains("bench anonymous --size 64KiB,16MiB --blocks 96 "), "{unclear}");
    diff.comparisons.retain(|change| change.verdict == Verdict::Equivalent);
    assert!(next(&diff).ends_with("(that run alone)"), "{}", next(&diff));
}

#[test]
fn hostile_and_empty_diffs_are_printed_all_the_same() {
    let evil = "\u{1b}[2J\nevil\u{202e}";
    let mut hostile = of_compare();
    for run in [&mut hostile.old, &mut hostile.new] {
        (run.file, run.started, run.warnings) = (evil.into(), evil.into(), vec![evil.into()]);
    }
    (hostile.experiment, hostile.command) = (evil.into(), vec![evil.into()]);
    for change in &mut hostile.comparisons {
        (change.arm, change.metric) = (evil.into(), evil.into());
        change.against_baseline.iter_mut().for_each(|one| one.baseline = evil.into());
    }
    for one in &mut hostile.differences {
        (one.what, one.old, one.new) = (evil.into(), Some(evil.into()), None);
    }
    for one in &mut hostile.left_out {
        (one.arm, one.metric, one.reason) = (evil.into(), evil.into(), evil.into());
    }
    for width in [None, Some(1), Some(80)] {
        for view in [View::brief(width), View::verbose(width)] {
            let screen =
                anstream::adapter::strip_str(&report::diff_screen(&hostile, view)).to_string();
            let is_inert = !screen.contains(['\u{1b}', '\u{202e}']) && !screen.contains("\nevil");
            assert!(is_inert, "{screen:?}");
            assert!(report::diff_screen(&Diff::default(), view).contains("Next: "));
        }
    }
}
