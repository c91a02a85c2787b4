//! Screens of runs at one size, decided and in trouble.

use results::{
    Block, Dropped, InvalidFloor, LabResult, More, Placebo, PointSummary, Refused, Stopped,
    Verdict, Warning,
};

use crate::factorial::factorial;
use crate::injected::{LAZY_PARTS, arm, comparison, explanation, result};
use crate::sweeps::sweep;
use crate::{at_every_width, shown};
use report::View;

#[test]
fn a_decided_run() {
    at_every_width("a_decided_run", &result());
}

#[test]
fn a_run_with_every_trouble() {
    let mut result = result();
    result.stopped = Some(Stopped::Interrupted);
    result.arms.truncate(3);
    result.arms.push(arm("placebo", [0.006, 58.0, 3.9, 6.2], None));
    result.comparisons = vec![
        comparison("malloc", 1.02, Some((1.004, 1.027)), Verdict::Equivalent),
        comparison("mmap+populate", 0.96, Some((0.89, 1.04)), Verdict::Inconclusive),
    ];
    result.placebo = Some(Placebo {
        ratio: 1.06,
        low: Some(1.04),
        high: Some(1.08),
        confidence: 0.99,
        trusted: Some(false),
    });
    result.refused = vec![
        Refused {
            arm: "mmap+hugepage".to_owned(),
            reason: "no huge pages".to_owned(),
            failed: false,
            samples: vec![],
        },
        Refused {
            arm: "calloc".to_owned(),
            reason: "its child was killed (SIGKILL)".to_owned(),
            failed: true,
            samples: vec![],
        },
    ];
    result.warnings = vec![
        Warning {
            id: "untrusted".to_owned(),
            message: "the baseline differs from itself".to_owned(),
            arms: vec![],
        },
        Warning {
            id: "trend".to_owned(),
            message: "times rose".to_owned(),
            arms: vec!["mmap".to_owned()],
        },
    ];
    result.explanations = vec![explanation("mmap", &LAZY_PARTS, 1900.0, Some((1.08, 1.12)))];
    if let Some(floors) = &mut result.floors {
        floors.failed = Some("its child was killed (SIGKILL) (block 7)".to_owned());
        floors.invalid = vec![InvalidFloor {
            floor: "huge_fault".to_owned(),
            reason: "it took 800 faults, and 50 were expected".to_owned(),
        }];
    }
    result.experiment.cpu = Some(1);
    result.experiment.memory = "cold".to_owned();
    at_every_width("a_run_with_every_trouble", &result);
}

#[test]
fn a_run_without_an_interval() {
    let mut result = result();
    result.stopped = Some(Stopped::TimeCap);
    result.arms.truncate(2);
    result.arms[0].traps = None;
    (result.floors, result.explanations) = (None, Vec::new());
    result.comparisons = vec![comparison("malloc", 0.98, None, Verdict::Inconclusive)];
    result.placebo =
        Some(Placebo { ratio: 1.05, low: None, high: None, confidence: 0.99, trusted: None });
    at_every_width("a_run_without_an_interval", &result);
}

/// Lines of one screen agree: a vague placebo is not trusted, and is worth more blocks.
#[test]
fn a_vague_placebo_asks_for_more_blocks() {
    let mut result = result();
    result.placebo = Some(Placebo {
        ratio: 0.9,
        low: Some(0.55),
        high: Some(1.18),
        confidence: 0.99,
        trusted: None,
    });
    result.more = Some(More::MaxTimeNs(40_000_000_000));
    let screen = shown(&result, View::brief(None));
    let row = screen.lines().find(|line| line.starts_with("placebo"));
    assert!(row.is_some_and(|row| row.contains("unclear")), "{screen}");
    assert!(screen.contains("Differences below 82 % are not trusted"), "{screen}");
    assert!(
        screen.contains("--max-time 40s    (more blocks show whether to trust it)"),
        "{screen}"
    );
    result.more = Some(More::Blocks(384));
    assert!(shown(&result, View::brief(None)).contains(" --blocks 384    ("));
    // What is open comes first.
    result.comparisons[0].verdict = Verdict::Inconclusive;
    assert!(
        shown(&result, View::brief(None)).contains(" --blocks 384    (more blocks decide more)")
    );
}

#[test]
fn a_cap_that_left_nothing_open_stopped_nothing() {
    let mut result = result();
    result.stopped = Some(Stopped::TimeCap);
    let cut = "stopped by the time cap";
    assert!(!shown(&result, View::brief(None)).contains(cut));
    assert!(!report::Document::Lab(&result).markdown().contains(cut));
    result.comparisons[0].verdict = Verdict::Inconclusive;
    assert!(shown(&result, View::brief(None)).contains(cut));
    assert!(report::Document::Lab(&result).markdown().contains(cut));
}

#[test]
fn every_block_is_accounted_for() {
    let mut result = result();
    let counted = result.arms[0].samples.len() as u64;
    let dropped = |block: u64, reason: &str| Dropped {
        block,
        reason: reason.to_owned(),
        samples: Vec::new(),
    };
    result.blocks = (0..counted + 3).map(|block| Block { block, ..Block::default() }).collect();
    result.dropped = vec![
        dropped(0, "steal: the hypervisor gave 9 % of the block's time to others"),
        dropped(1, "neighbours: other processes used a processor for 40 % of the block's time"),
        dropped(2, "steal: the hypervisor gave 6 % of the block's time to others"),
    ];
    let screen = shown(&result, View::verbose(None));
    let said = format!(
        "Of {} blocks {counted} count, and 3 were dropped: 2 steal, 1 neighbours.",
        counted + 3
    );
    assert!(screen.contains(&said) && screen.contains("3 dropped"), "{said}\n{screen}");
}

#[test]
fn nothing_that_was_refused_is_proposed() {
    let mut result = result();
    let refuse = |result: &mut LabResult, arm: &str| {
        result.refused.push(Refused {
            arm: arm.to_owned(),
            reason: "not installed".to_owned(),
            failed: false,
            samples: vec![],
        });
    };
    result.experiment.name = "allocators".to_owned();
    let mut proposed = Vec::new();
    for arm in ["malloc@jemalloc", "mimalloc", "malloc@tcmalloc", ""] {
        let screen = shown(&result, View::brief(None));
        proposed.push(
            screen.lines().last().unwrap_or_default().split("    ").next().map(str::to_owned),
        );
        refuse(&mut result, arm);
    }
    let under = |name: &str| Some(format!("Next: firsttouch bench small-objects{name}"));
    let names = [" --allocator jemalloc", " --allocator mimalloc", " --allocator tcmalloc", ""];
    assert_eq!(proposed, names.map(under));
    result.experiment.asked_arms = vec!["mimalloc".to_owned(), "calloc".to_owned()];
    result.comparisons[0].verdict = Verdict::Inconclusive;
    let screen = shown(&result, View::brief(None));
    assert!(screen.contains("--arm calloc") && !screen.contains("--arm mimalloc"), "{screen}");
}

#[test]
fn a_batch_is_counted_in_blocks() {
    let mut result = result();
    (result.experiment.size_bytes, result.experiment.operations) = (1 << 20, 100);
    let screen = shown(&result, View::brief(None));
    assert!(screen.contains("got 100 blocks of 1 MiB by mapping memory"), "{screen}");
}

#[test]
fn a_warning_of_the_machine_points_to_doctor() {
    let mut result = result();
    let warn = |id: &str| {
        vec![Warning { id: id.to_owned(), message: "so it is".to_owned(), arms: vec![] }]
    };
    for id in results::doctor::BENCH_WARNINGS {
        result.warnings = warn(id);
        let screen = shown(&result, View::verbose(Some(80)));
        assert!(
            screen.contains(&format!("warning {id}: so it is\nfirsttouch doctor says more")),
            "{screen}"
        );
    }
    for id in ["untrusted", "vague-placebo", "time-cap", "two-modes", "trend"] {
        result.warnings = warn(id);
        assert!(!shown(&result, View::verbose(None)).contains("doctor"), "{id} is about the data");
    }
}

#[test]
fn hostile_and_empty_results_are_printed_all_the_same() {
    let mut hostile = result();
    let evil = "\u{1b}[2J\nevil".to_owned();
    for explanation in &mut hostile.explanations {
        (explanation.arm, explanation.parts[0].name) = (evil.clone(), evil.clone());
        (explanation.measured_ns, explanation.unexplained_ns) = (f64::NAN, f64::INFINITY);
    }
    for name in hostile
        .arms
        .iter_mut()
        .map(|a| &mut a.name)
        .chain(hostile.comparisons.iter_mut().map(|c| &mut c.arm))
    {
        name.clone_from(&evil);
    }
    hostile.comparisons[0].ratio = -1.0;
    hostile.comparisons[1].low = Some(0.0);
    hostile.experiment.operations = u64::MAX;
    hostile.elapsed_ns = u64::MAX;
    hostile.warnings =
        vec![Warning { id: evil.clone(), message: evil.clone(), arms: vec![evil.clone()] }];
    hostile.refused =
        vec![Refused { arm: evil.clone(), reason: evil, failed: true, samples: vec![] }];
    let evil = "\u{1b}[2J\nevil".to_owned();
    let mut crossed = factorial();
    for effect in &mut crossed.effects {
        effect.factor.clone_from(&evil);
        effect.levels = [evil.clone(), evil.clone()];
        (effect.low, effect.high) = (Some(2.0), Some(0.5));
    }
    crossed.experiment.factors.iter_mut().for_each(|factor| factor.name.clone_from(&evil));
    let explained = crossed.explained.as_mut().unwrap();
    explained.who.clone_from(&evil);
    (explained.factors, explained.unmeasured) = (vec![evil.clone()], vec![evil.clone()]);
    explained.enough = None;
    let mut endless = sweep(&[1]);
    endless.experiment.sizes_bytes = vec![u64::MAX; 3];
    let point = endless.arms[0].points[0].clone();
    endless.arms[0].points =
        (0..3_000).map(|size_bytes| PointSummary { size_bytes, ..point.clone() }).collect();
    for result in [&hostile, &crossed, &endless] {
        for width in [None, Some(1), Some(80)] {
            let screen = shown(result, View::verbose(width));
            assert!(!screen.contains('\u{1b}') && !screen.contains("\nevil"), "{screen:?}");
        }
    }
    let mut empty = result();
    (empty.arms, empty.comparisons, empty.placebo) = (vec![], vec![], None);
    assert!(shown(&empty, View::verbose(Some(80))).contains("Next:"));
}
