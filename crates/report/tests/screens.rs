//! What users see, from injected results: the states that a machine shows rarely are here too.

use results::{
    Arm, ArmSummary, Bill, Comparison, Crossover, Effect, ExperimentRecord, Explained, Explanation,
    Factor, FloorPart, FloorSample, FloorSummary, Floors, InvalidFloor, LabResult, Machine,
    Observed, PhaseTimes, Placebo, PointSummary, Refused, Sample, Stopped, Verdict, Warning,
};

fn arm(name: &str, times_ms: [f64; 4], traps: Option<f64>) -> Arm {
    let [obtain_ns, first_touch_ns, second_touch_ns, release_ns] = times_ms.map(|ms| ms * 1e6);
    let bill_ns = obtain_ns + first_touch_ns + release_ns;
    let faults = traps.unwrap_or(25_600.0);
    Arm {
        name: name.to_owned(),
        baseline: name == "mmap",
        placebo: name == "placebo",
        work: None,
        traps,
        observed: Some(Observed {
            allocator: (name == "malloc").then(|| "/lib/x86_64-linux-gnu/libc.so.6".to_owned()),
            break_growth_bytes: 0,
            mapped_growth_bytes: 100 << 20,
            resident_after_obtain_bytes: Some(0),
            ..Observed::default()
        }),
        summary: Some(ArmSummary {
            median: PhaseTimes {
                obtain_ns,
                first_touch_ns,
                between_ns: 0.0,
                second_touch_ns,
                release_ns,
                total_ns: obtain_ns + first_touch_ns,
                metric_ns: obtain_ns + first_touch_ns,
            },
            total_spread: 0.05,
            bill: Bill {
                bill_ns,
                in_call: obtain_ns / bill_ns,
                in_first_touch: first_touch_ns / bill_ns,
                in_release: release_ns / bill_ns,
                fault_ns_low: (faults > 0.0).then(|| (first_touch_ns - second_touch_ns) / faults),
                fault_ns_high: (faults > 0.0).then(|| first_touch_ns / faults),
                populated_ns: (faults == 0.0).then(|| obtain_ns / 25_600.0),
                populated_pages: (faults == 0.0).then_some(25_600.0),
            },
            minor_faults: if faults == 0.0 { 25_600.0 } else { faults },
            minor_faults_in_call: if faults == 0.0 { 25_600.0 } else { 0.0 },
            huge_bytes: Some(if name.contains("huge") { f64::from(100 << 20) } else { 0.0 }),
        }),
        points: Vec::new(),
        latencies: None,
        samples: vec![Sample::default(); 24],
    }
}

fn comparison(arm: &str, ratio: f64, bounds: Option<(f64, f64)>, verdict: Verdict) -> Comparison {
    Comparison {
        arm: arm.to_owned(),
        baseline: "mmap".to_owned(),
        metric: "total_ns".to_owned(),
        size_bytes: 100 << 20,
        threads: None,
        passes: None,
        ratio,
        low: bounds.map(|b| b.0),
        high: bounds.map(|b| b.1),
        confidence: 0.985,
        blocks: 24,
        verdict,
        smallest_detectable: bounds.map(|b| b.1 / ratio - 1.0),
        sensitivity: None,
    }
}

const LAZY_PARTS: [(&str, f64); 4] = [
    ("trap and zero page", 610.0),
    ("allocate and clear", 1250.0),
    ("write", 27.0),
    ("interruption", 210.0),
];

fn explanation(
    arm: &str,
    parts: &[(&str, f64)],
    measured_ns: f64,
    bounds: Option<(f64, f64)>,
) -> Explanation {
    let sum_ns: f64 = parts.iter().map(|part| part.1).sum();
    Explanation {
        arm: arm.to_owned(),
        metric: if arm == "mmap+populate" { "total_ns" } else { "first_touch_ns" }.to_owned(),
        size_bytes: 100 << 20,
        parts: parts
            .iter()
            .map(|&(name, ns_per_page)| FloorPart { name: name.to_owned(), ns_per_page })
            .collect(),
        sum_ns,
        measured_ns,
        unexplained_ns: measured_ns - sum_ns,
        ratio: sum_ns / measured_ns,
        low: bounds.map(|b| b.0),
        high: bounds.map(|b| b.1),
        confidence: 0.95,
        blocks: 12,
        adds_up: bounds.and_then(|(low, high)| {
            if high - low > 0.2 { None } else { Some(low <= 1.0 && high >= 1.0) }
        }),
        reaches: arm.contains('+').then_some(measured_ns / 2133.0),
    }
}

fn floors() -> Floors {
    Floors {
        samples: vec![FloorSample::default(); 12],
        summary: FloorSummary {
            timer_ns: Some(15.6),
            syscall_ns: Some(72.6),
            map_ns: Some(1190.0),
            unmap_ns: Some(1280.0),
            release_ns: Some(126.0),
            rewrite_ns: Some(321.0),
            huge_fault_ns: Some(439.0),
            ..FloorSummary::default()
        },
        invalid: Vec::new(),
        failed: None,
        estimates: Vec::new(),
        sources: Vec::new(),
    }
}

fn machine() -> Machine {
    Machine {
        kernel: Some("6.18.0".to_owned()),
        cpu: None,
        cpus: 2,
        ram_bytes: Some(8 << 30),
        thp: Some("madvise".to_owned()),
        virtualized: Some(true),
        free_page_reporting: Some(true),
        page_bytes: 4096,
        libc: None,
    }
}

fn experiment() -> ExperimentRecord {
    ExperimentRecord {
        name: "anonymous".to_owned(),
        file: None,
        question: "What?".to_owned(),
        metric: "total_ns".to_owned(),
        margin: 0.03,
        size_bytes: 100 << 20,
        sizes_bytes: Vec::new(),
        threads: Vec::new(),
        passes: Vec::new(),
        factors: Vec::new(),
        operations: 1,
        fill: 1,
        memory: "warm".to_owned(),
        cpu: None,
        max_time_ns: Some(60_000_000_000),
        asked_arms: Vec::new(),
        asked_passes: None,
        asked_directory: None,
        blocks: None,
    }
}

fn result() -> LabResult {
    LabResult {
        schema: results::SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        started: "2026-11-24T07:00:00Z".to_owned(),
        elapsed_ns: 41_200_000_000,
        seed: 7,
        stopped: None,
        machine: machine(),
        warnings: Vec::new(),
        experiment: experiment(),
        looks: vec![12, 24],
        arms: vec![
            arm("mmap", [0.006, 54.6, 3.9, 6.2], Some(25_600.0)),
            arm("malloc", [0.011, 54.5, 3.9, 6.3], Some(25_601.0)),
            arm("mmap+populate", [38.1, 1.1, 3.9, 6.1], Some(0.0)),
            arm("mmap+hugepage", [0.008, 15.1, 3.9, 0.2], Some(50.0)),
            arm("placebo", [0.006, 54.7, 3.9, 6.2], Some(25_600.0)),
        ],
        blocks: Vec::new(),
        dropped: Vec::new(),
        refused: Vec::new(),
        comparisons: vec![
            comparison("malloc", 1.0, Some((0.98, 1.01)), Verdict::Equivalent),
            comparison("mmap+populate", 0.71, Some((0.70, 0.73)), Verdict::Different),
            comparison("mmap+hugepage", 0.277, Some((0.274, 0.281)), Verdict::Different),
        ],
        effects: Vec::new(),
        spreads: Vec::new(),
        explained: None,
        crossovers: Vec::new(),
        pass_crossovers: Vec::new(),
        turning_points: Vec::new(),
        placebo: Some(Placebo {
            ratio: 1.0,
            low: Some(0.99),
            high: Some(1.008),
            confidence: 0.99,
            trusted: Some(true),
        }),
        floors: Some(floors()),
        explanations: vec![
            explanation("mmap", &LAZY_PARTS, 2133.0, Some((0.96, 1.02))),
            explanation("malloc", &LAZY_PARTS, 2129.0, Some((0.84, 1.14))),
            explanation(
                "mmap+populate",
                &[("call", 0.06), ("populate", 1480.0), ("write", 40.0)],
                1531.0,
                None,
            ),
            explanation(
                "mmap+hugepage",
                &[("huge fault", 439.0), ("write", 85.0)],
                590.0,
                Some((0.86, 0.90)),
            ),
        ],
    }
}

/// As it looks where styles are stripped.
fn plain(result: &LabResult, width: Option<usize>) -> String {
    anstream::adapter::strip_str(&report::screen(result, report::View::verbose(width))).to_string()
}

#[test]
fn a_decided_run_on_a_wide_terminal() {
    insta::assert_snapshot!(plain(&result(), Some(120)));
}

#[test]
fn a_decided_run_on_a_narrow_terminal() {
    let screen = plain(&result(), Some(80));
    assert!(
        screen.lines().all(|line| line.chars().count() <= 80),
        "wider than 80 columns:\n{screen}"
    );
    insta::assert_snapshot!(screen);
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
    insta::assert_snapshot!(plain(&result, Some(100)));
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
    insta::assert_snapshot!(plain(&result, None));
}

#[test]
fn a_warning_of_the_machine_points_to_doctor() {
    let mut result = result();
    let warn = |id: &str| {
        vec![Warning { id: id.to_owned(), message: "so it is".to_owned(), arms: vec![] }]
    };
    for id in results::doctor::BENCH_WARNINGS {
        result.warnings = warn(id);
        let screen = plain(&result, Some(80));
        assert!(
            screen.contains(&format!("warning {id}: so it is\nfirsttouch doctor says more")),
            "{screen}"
        );
    }
    for id in ["untrusted", "time-cap", "two-modes", "trend"] {
        result.warnings = warn(id);
        assert!(!plain(&result, None).contains("doctor"), "{id} is about the data");
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
            let screen = plain(result, width);
            assert!(!screen.contains('\u{1b}') && !screen.contains("\nevil"), "{screen:?}");
        }
    }
    let mut empty = result();
    (empty.arms, empty.comparisons, empty.placebo) = (vec![], vec![], None);
    assert!(plain(&empty, Some(80)).contains("Next:"));
}

fn effect(
    factor: &str,
    levels: [&str; 2],
    ratio: f64,
    bounds: Option<(f64, f64)>,
    verdict: Verdict,
) -> Effect {
    Effect {
        factor: factor.to_owned(),
        levels: levels.map(str::to_owned),
        ratio,
        low: bounds.map(|b| b.0),
        high: bounds.map(|b| b.1),
        confidence: 0.97,
        blocks: 48,
        verdict,
        smallest_detectable: None,
    }
}

/// Two cells stand for eight: the screen shows what there is.
fn factorial() -> LabResult {
    let mut result = result();
    let factors =
        [("api", ["malloc", "mmap"]), ("fill", ["0", "1"]), ("position", ["first", "second"])];
    "position".clone_into(&mut result.experiment.name);
    result.experiment.factors = factors
        .map(|(name, levels)| Factor { name: name.to_owned(), levels: levels.map(str::to_owned) })
        .to_vec();
    result.arms = vec![
        arm("malloc/0/first", [0.011, 54.5, 3.9, 6.3], Some(25_601.0)),
        arm("mmap/1/second", [0.006, 53.6, 3.9, 6.2], Some(25_600.0)),
        arm("placebo", [0.006, 53.7, 3.9, 6.2], Some(25_600.0)),
    ];
    result.arms[1].baseline = true;
    result.comparisons = vec![Comparison {
        baseline: "mmap/1/second".to_owned(),
        ..comparison("malloc/0/first", 1.04, Some((1.02, 1.06)), Verdict::Different)
    }];
    result.effects = vec![
        effect("api", factors[0].1, 1.0, Some((0.99, 1.01)), Verdict::Equivalent),
        effect("fill", factors[1].1, 0.99, Some((0.96, 1.04)), Verdict::Inconclusive),
        effect("position", factors[2].1, 1.04, Some((1.02, 1.06)), Verdict::Different),
        effect("memory", ["cold", "warm"], 2.3, Some((1.9, 2.6)), Verdict::Different),
    ];
    result.spreads = vec![
        effect("api", factors[0].1, 1.1, Some((0.7, 1.6)), Verdict::Inconclusive),
        effect("position", factors[2].1, 1.9, Some((1.3, 2.8)), Verdict::Different),
    ];
    result.explained = Some(Explained {
        who: "the post".to_owned(),
        reference_low: 1.22,
        reference_high: 1.70,
        factors: ["api", "fill", "position", "memory"].map(str::to_owned).to_vec(),
        unmeasured: Vec::new(),
        at_most: Some(2.9),
        confidence: 0.92,
        enough: Some(true),
    });
    result
}

#[test]
fn a_factorial_run_tells_what_each_factor_could_explain() {
    let screen = plain(&factorial(), Some(80));
    assert!(
        screen.lines().all(|line| line.chars().count() <= 80),
        "wider than 80 columns:\n{screen}"
    );
    insta::assert_snapshot!(screen);
}

#[test]
fn a_factorial_run_claims_nothing_that_it_did_not_measure() {
    let mut result = factorial();
    (result.effects[3].low, result.effects[3].high) = (None, None);
    result.spreads.iter_mut().for_each(|spread| (spread.low, spread.high) = (None, None));
    let explained = result.explained.as_mut().unwrap();
    (explained.at_most, explained.enough) = (Some(1.11), None);
    explained.factors.pop();
    let screen = plain(&result, None);
    assert!(screen.contains("nothing is said about it"), "{screen}");
    assert!(screen.contains("is explained is open"), "{screen}");
    assert!(screen.contains("too few to compare"), "{screen}");

    let explained = result.explained.as_mut().unwrap();
    explained.enough = Some(false);
    assert!(
        plain(&result, None).contains("less than the smallest ratio that the post saw (1.22x)")
    );
    result.explained = None;
    assert!(
        !plain(&result, None).contains("the post"),
        "a user's own factors have no post to explain"
    );
}

/// Three sizes, two numbers of threads, two arms, and populate that pays only for large blocks.
fn sweep(threads: &[u64]) -> LabResult {
    let mut result = result();
    let sizes = [64_u64 << 10, 1 << 20, 16 << 20];
    result.experiment.sizes_bytes = sizes.to_vec();
    result.experiment.threads = if threads == [1] { Vec::new() } else { threads.to_vec() };
    result.arms.truncate(3);
    result.arms.push(arm("placebo", [0.006, 54.7, 3.9, 6.2], None));
    result.comparisons.clear();
    for arm in &mut result.arms {
        arm.summary = None;
        for (&threads, &size_bytes) in
            threads.iter().flat_map(|t| sizes.iter().map(move |s| (t, s)))
        {
            let scale = if arm.name.contains("populate") {
                2.2 - 0.0625 * (size_bytes as f64).log2()
            } else {
                1.0
            };
            arm.points.push(PointSummary {
                observed: None,
                passes: None,
                size_bytes,
                threads,
                operations: 1,
                traps: None,
                total_ns_per_page: Some(1500.0 * scale / threads as f64),
                metric_ns_per_page: None,
                summary: None,
            });
        }
        arm.samples = vec![Sample::default(); 24 * arm.points.len()];
    }
    for (&threads, &size_bytes) in threads.iter().flat_map(|t| sizes.iter().map(move |s| (t, s))) {
        let with = |c: Comparison| Comparison { size_bytes, threads: Some(threads), ..c };
        let ratio = 2.2 - 0.0625 * (size_bytes as f64).log2();
        let verdict =
            if size_bytes == 1 << 20 { Verdict::Inconclusive } else { Verdict::Different };
        result.comparisons.push(with(comparison(
            "malloc",
            1.0,
            Some((0.98, 1.02)),
            Verdict::Equivalent,
        )));
        result.comparisons.push(with(comparison(
            "mmap+populate",
            ratio,
            Some((ratio - 0.1, ratio + 0.1)),
            verdict,
        )));
    }
    result
}

#[test]
fn a_sweep_over_sizes() {
    let mut result = sweep(&[1]);
    result.comparisons.iter_mut().for_each(|c| c.threads = None);
    result.crossovers = vec![Crossover {
        passes: None,
        steps: Vec::new(),
        arm: "mmap+populate".to_owned(),
        baseline: "mmap".to_owned(),
        threads: None,
        size_bytes: 345_678.0,
        low_bytes: 64 << 10,
        high_bytes: 16 << 20,
        faster_above: true,
        confidence: 0.985,
    }];
    for width in [80, 120] {
        let screen = plain(&result, Some(width));
        assert!(
            screen.lines().all(|line| line.chars().count() <= width),
            "wider than {width} columns:\n{screen}"
        );
        insta::assert_snapshot!(format!("a_sweep_over_sizes_{width}"), screen);
    }
}

#[test]
fn a_sweep_over_sizes_and_threads() {
    let screen = plain(&sweep(&[1, 2]), Some(80));
    assert!(
        screen.lines().all(|line| line.chars().count() <= 80),
        "wider than 80 columns:\n{screen}"
    );
    insta::assert_snapshot!(screen);
}
