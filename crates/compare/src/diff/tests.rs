use results::compare::{EXPERIMENT, ProgramArm, ProgramExperiment, ProgramResult, ProgramSample};
use results::{Arm, ArmWork, Comparison, LabResult, Machine, Placebo, Refused, Sample, Verdict};

use super::*;

/// Samples that scatter by a per cent around `center`, one for each of 24 blocks, last block first.
fn scattered(center: u64) -> Vec<(u64, u64)> {
    let percent = |block: u64| center * (99 + block % 3) / 100;
    (0..24).rev().map(|block| (block, percent(block * 7))).collect()
}

fn lab_arm(name: &str, total_ns: u64) -> Arm {
    let sample = |(block, total_ns)| Sample {
        block,
        operations: 2,
        total_ns,
        first_touch_ns: total_ns,
        ..Sample::default()
    };
    Arm {
        name: name.to_owned(),
        baseline: name == "mmap",
        placebo: name == "placebo",
        work: Some(ArmWork::plain(name, 1)),
        samples: scattered(total_ns).into_iter().map(sample).collect(),
        ..Arm::default()
    }
}

pub(crate) fn compared(arm: &str, baseline: &str, metric: &str) -> Comparison {
    Comparison {
        arm: arm.to_owned(),
        baseline: baseline.to_owned(),
        metric: metric.to_owned(),
        size_bytes: 0,
        threads: None,
        passes: None,
        ratio: 1.0,
        low: None,
        high: None,
        confidence: 0.95,
        blocks: 24,
        verdict: Verdict::Inconclusive,
        smallest_detectable: None,
        sensitivity: None,
    }
}

/// A run of mmap, its placebo and malloc, with these times.
fn lab(started: &str, mmap_ns: u64, malloc_ns: u64) -> LabResult {
    let arms = [("mmap", mmap_ns), ("malloc", malloc_ns), ("placebo", mmap_ns)];
    let mut result = LabResult {
        version: "0.1.0".to_owned(),
        started: started.to_owned(),
        arms: arms.map(|(name, ns)| lab_arm(name, ns)).to_vec(),
        comparisons: vec![compared("malloc", "mmap", "total_ns")],
        machine: Machine { kernel: Some("6.1".into()), cpus: 2, ..Machine::default() },
        ..LabResult::default()
    };
    result.experiment.name = "anonymous".to_owned();
    result.experiment.metric = "total_ns".to_owned();
    result.experiment.margin = 0.03;
    result.experiment.size_bytes = 1 << 20;
    result
}

const MORNING: &str = "2026-11-28T08:00:00Z";
const EVENING: &str = "2026-11-28T20:30:00Z";

fn of(old: &AnyResult, new: &AnyResult) -> Result<Diff, Incomparable> {
    let (old, new) = (
        ResultFile { file: "old.json", result: old },
        ResultFile { file: "new.json", result: new },
    );
    diff("0.1.0", old, new)
}

fn of_labs(old: LabResult, new: LabResult) -> Result<Diff, Incomparable> {
    of(&AnyResult::Lab(Box::new(old)), &AnyResult::Lab(Box::new(new)))
}

fn what(diff: &Diff) -> Vec<(&str, Option<&str>, Option<&str>)> {
    diff.differences
        .iter()
        .map(|one| (one.what.as_str(), one.old.as_deref(), one.new.as_deref()))
        .collect()
}

#[test]
fn arms_are_compared_with_themselves_and_beside_their_baselines() {
    // Everything is a quarter slower, but malloc twice as slow as that.
    let found =
        of_labs(lab(MORNING, 40_000, 40_000), lab(EVENING, 50_000, 100_000)).expect("a diff");
    assert_eq!(found.apart_ns, Some(45_000 * 1_000_000_000));
    assert_eq!((found.experiment.as_str(), found.margin), ("anonymous", 0.03));
    assert_eq!(found.experiment_file, None);
    assert!(!found.randomised_together && found.differences.is_empty(), "{found:?}");
    let arms: Vec<&str> = found.comparisons.iter().map(|change| change.arm.as_str()).collect();
    assert_eq!(arms, ["mmap", "malloc"], "and no placebo");

    let [mmap, malloc] = &found.comparisons[..] else { panic!("{found:?}") };
    assert!(mmap.baseline && mmap.against_baseline.is_none());
    assert_eq!((mmap.size_bytes, mmap.threads, mmap.passes), (Some(1 << 20), Some(1), None));
    assert!((mmap.old - 20_000.0).abs() < 1e-6, "per block of memory: {}", mmap.old);
    assert!((mmap.ratio - 1.25).abs() < 1e-9 && (mmap.new / mmap.old - mmap.ratio).abs() < 1e-9);
    assert_eq!((mmap.old_samples, mmap.new_samples), (24, 24));
    assert!(mmap.low.is_some_and(|low| low > 1.2) && mmap.high.is_some_and(|high| high < 1.3));
    assert_eq!((mmap.verdict, mmap.confidence), (Verdict::Different, 0.95));

    let beside = malloc.against_baseline.as_ref().expect("malloc has a baseline");
    assert!((malloc.ratio - 2.5).abs() < 1e-9 && (beside.ratio - 2.0).abs() < 1e-9, "{malloc:?}");
    assert_eq!((beside.baseline.as_str(), beside.verdict), ("mmap", Verdict::Different));
    // Both arms scatter alike, so within blocks nothing scatters.
    assert!(beside.low.is_some_and(|low| low > 1.99), "{beside:?}");
}

#[test]
fn the_larger_margin_counts_and_few_samples_have_no_interval() {
    let (old, mut new) = (lab(MORNING, 40_000, 40_000), lab(EVENING, 42_000, 42_000));
    new.experiment.margin = 0.1;
    let found = of_labs(old.clone(), new.clone()).unwrap();
    assert_eq!((found.margin, found.comparisons[0].verdict), (0.1, Verdict::Equivalent));
    new.arms[0].samples.truncate(5);
    let found = of_labs(old, new).unwrap();
    let few = &found.comparisons[0];
    assert_eq!((few.low, few.high, few.verdict), (None, None, Verdict::Inconclusive));
    assert!((few.ratio - 1.05).abs() < 0.02 && few.new_samples == 5, "{few:?}");
}

#[test]
fn points_are_compared_with_the_same_points() {
    let sweep = |started, sizes: &[u64]| {
        let mut run = lab(started, 40_000, 40_000);
        run.experiment.sizes_bytes = sizes.to_vec();
        run.experiment.size_bytes = sizes[0];
        for arm in &mut run.arms {
            let of = |size: &u64| {
                let size = Some(*size);
                arm.samples.iter().map(move |one| Sample { size_bytes: size, ..one.clone() })
            };
            arm.samples = sizes.iter().flat_map(of).collect();
        }
        run
    };
    let found = of_labs(sweep(MORNING, &[4096, 65536]), sweep(EVENING, &[65536, 1 << 20])).unwrap();
    let points: Vec<_> = found.comparisons.iter().map(|one| (&*one.arm, one.size_bytes)).collect();
    assert_eq!(points, [("mmap", Some(65536)), ("malloc", Some(65536))]);
    assert_eq!(what(&found), [("sizes_bytes", Some("4096, 65536"), Some("65536, 1048576"))]);

    let refused = of_labs(sweep(MORNING, &[4096]), sweep(EVENING, &[1 << 20])).unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, Incomparable::NothingShared { .. }), "{said}");
    assert!(said.contains("mmap, malloc at 4KiB; mmap, malloc at 1MiB"), "{said}");
}

#[test]
fn every_difference_is_listed() {
    let (old, mut new) = (lab(MORNING, 40_000, 40_000), lab(EVENING, 40_000, 40_000));
    new.version = "0.2.0".to_owned();
    new.seed = 99;
    new.machine.kernel = Some("6.2".to_owned());
    new.machine.thp = Some("always".to_owned());
    new.machine.ram_bytes = Some(1 << 33);
    new.experiment.cpu = Some(1);
    new.experiment.margin = 0.05;
    for arm in &mut new.arms[..2] {
        arm.work.as_mut().unwrap().passes = 3;
        arm.observed = Some(results::Observed {
            allocator: Some("/lib/libjemalloc.so.2".to_owned()),
            ..results::Observed::default()
        });
    }
    new.arms[1].work.as_mut().unwrap().environment.insert("A".to_owned(), "1".to_owned());
    new.arms.push(lab_arm("calloc", 40_000));
    let mut old = old;
    old.refused.push(Refused {
        arm: "calloc".to_owned(),
        reason: "no".to_owned(),
        failed: false,
        samples: Vec::new(),
    });
    let found = of_labs(old, new).unwrap();
    assert_eq!(
        what(&found),
        [
            ("version", Some("0.1.0"), Some("0.2.0")),
            ("kernel", Some("6.1"), Some("6.2")),
            ("ram_bytes", None, Some("8589934592")),
            ("thp", None, Some("always")),
            ("margin", Some("0.03"), Some("0.05")),
            ("pinned_cpu", None, Some("1")),
            ("arm calloc", Some("refused: no"), Some("measured")),
            ("library of mmap, malloc", None, Some("/lib/libjemalloc.so.2")),
            ("passes of mmap, malloc", Some("2"), Some("3")),
            ("environment.A of malloc", None, Some("1")),
        ]
    );
}

#[test]
fn doubts_about_a_run_come_along() {
    let (mut old, new) = (lab(MORNING, 40_000, 40_000), lab(EVENING, 40_000, 40_000));
    let warning = |id: &str| Warning { id: id.into(), message: String::new(), arms: Vec::new() };
    old.warnings = vec![warning("trend"), warning("two-modes"), warning("trend")];
    old.placebo =
        Some(Placebo { ratio: 1.1, low: None, high: None, confidence: 0.99, trusted: Some(false) });
    let found = of_labs(old, new).unwrap();
    assert_eq!(found.old.warnings, ["trend", "two-modes"]);
    assert_eq!((found.old.trusted, found.new.trusted), (Some(false), None));
}

#[test]
fn other_questions_are_refused() {
    let (old, new) = (lab(MORNING, 40_000, 40_000), lab(EVENING, 40_000, 40_000));
    let mut other = new.clone();
    other.experiment.name = "populate".to_owned();
    let said = of_labs(old.clone(), other).unwrap_err().to_string();
    assert!(said.starts_with("old.json is of the experiment anonymous, new.json of populate"));
    let mut other = new.clone();
    other.experiment.metric = "whole_ns".to_owned();
    let said = of_labs(old.clone(), other).unwrap_err().to_string();
    assert!(said.starts_with("old.json compares total_ns, new.json compares whole_ns"), "{said}");
    let mut other = new;
    other.arms.iter_mut().for_each(|arm| arm.name.insert(0, 'x'));
    assert!(matches!(of_labs(old.clone(), other), Err(Incomparable::NothingShared { .. })));
    assert!(matches!(of_labs(old.clone(), old), Err(Incomparable::SameRun { .. })));
    let said = of(
        &AnyResult::Lab(Box::new(lab(MORNING, 1, 1))),
        &AnyResult::Program(Box::new(program(EVENING, 5, 5))),
    );
    assert!(matches!(said, Err(Incomparable::Experiments { .. })), "{said:?}");
}

/// A run of a program as it is and under jemalloc: with `user_us` and `rss_kib` as it is.
fn program(started: &str, user_us: u64, rss_kib: u64) -> ProgramResult {
    let arm = |name: &str, user_ns: u64| ProgramArm {
        name: name.to_owned(),
        baseline: name == "as is",
        command: vec!["./app".to_owned()],
        samples: scattered(user_ns)
            .into_iter()
            .map(|(block, user_ns)| ProgramSample {
                block,
                user_ns,
                sys_ns: 0,
                wall_ns: 2 * user_ns,
                max_rss_bytes: rss_kib << 10,
                minor_faults: 70,
                major_faults: 30,
                ..ProgramSample::default()
            })
            .collect(),
        ..ProgramArm::default()
    };
    ProgramResult {
        started: started.to_owned(),
        arms: vec![arm("as is", 1_000 * user_us), arm("jemalloc", 500 * user_us)],
        comparisons: vec![compared("jemalloc", "as is", "wall_ns")],
        experiment: ProgramExperiment {
            name: EXPERIMENT.to_owned(),
            metric: "wall_ns".to_owned(),
            command: vec!["./app".to_owned(), "a b".to_owned()],
            margin: 0.03,
            ..ProgramExperiment::default()
        },
        ..ProgramResult::empty("0.1.0")
    }
}

fn of_programs(old: ProgramResult, new: ProgramResult) -> Result<Diff, Incomparable> {
    of(&AnyResult::Program(Box::new(old)), &AnyResult::Program(Box::new(new)))
}

#[test]
fn programs_are_compared_by_every_figure_that_both_have() {
    let mut new = program(EVENING, 200, 2_000);
    for sample in &mut new.arms[0].samples {
        sample.settled_rss_bytes = Some(1);
    }
    let found = of_programs(program(MORNING, 100, 1_000), new).unwrap();
    let figures: Vec<(&str, &str, f64)> = found
        .comparisons
        .iter()
        .map(|one| (&*one.arm, &*one.metric, (100.0 * one.ratio).round() / 100.0))
        .collect();
    assert_eq!(
        figures,
        [
            ("as is", "wall_ns", 2.0),
            ("as is", "user_ns", 2.0),
            ("as is", "cpu_ns", 2.0),
            ("as is", "max_rss_bytes", 2.0),
            ("as is", "faults", 1.0),
            ("jemalloc", "wall_ns", 2.0),
            ("jemalloc", "user_ns", 2.0),
            ("jemalloc", "cpu_ns", 2.0),
            ("jemalloc", "max_rss_bytes", 2.0),
            ("jemalloc", "faults", 1.0),
        ]
    );
    assert!((found.comparisons[4].old - 100.0).abs() < 1e-9, "minor and major faults");
    assert_eq!(found.comparisons[4].verdict, Verdict::Equivalent);
    assert_eq!((found.comparisons[0].size_bytes, found.comparisons[0].threads), (None, None));
    let beside = found.comparisons[5].against_baseline.as_ref().expect("a baseline");
    assert_eq!((beside.verdict, &*beside.baseline), (Verdict::Equivalent, "as is"));
    let left: Vec<_> = found.left_out.iter().map(|one| (&*one.arm, &*one.metric)).collect();
    assert_eq!(left, [("as is", "sys_ns"), ("jemalloc", "sys_ns")]);
    assert_eq!(found.command, ["./app", "a b"]);
}

#[test]
fn other_commands_are_refused_and_conditions_of_a_program_listed() {
    let (old, mut new) = (program(MORNING, 100, 1_000), program(EVENING, 100, 1_000));
    new.experiment.stdin = Some("/tmp/in".to_owned());
    new.experiment.nice = 5;
    new.experiment.cpus = vec![0, 1];
    new.experiment.aslr = Some(false);
    new.arms[1].environment.insert("LD_PRELOAD".to_owned(), Some("lib.so".to_owned()));
    new.arms[1].environment.insert("HOME".to_owned(), None);
    new.arms[1].command.push("-x".to_owned());
    let found = of_programs(old.clone(), new.clone()).unwrap();
    assert_eq!(
        what(&found),
        [
            ("aslr", None, Some("false")),
            ("nice", Some("0"), Some("5")),
            ("pinned_cpus", None, Some("0, 1")),
            ("stdin", None, Some("/tmp/in")),
            ("command of jemalloc", Some("./app"), Some("./app -x")),
            ("environment.HOME of jemalloc", None, Some("removed")),
            ("environment.LD_PRELOAD of jemalloc", None, Some("lib.so")),
        ]
    );
    new.experiment.command.push("-y".to_owned());
    let said = of_programs(old, new).unwrap_err().to_string();
    assert_eq!(
        said,
        "old.json ran \"./app 'a b'\", new.json ran \"./app 'a b' -y\": only results of one \
         command are compared"
    );
}
