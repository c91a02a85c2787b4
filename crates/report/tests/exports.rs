//! A result as CSV, Markdown and SVG, from injected results.

use report::Document;
use results::{
    Arm, ArmSummary, Bill, Comparison, Effect, ExperimentRecord, Factor, FloorEstimate,
    FloorSummary, Floors, LabResult, Machine, PhaseTimes, Placebo, PointSummary, Refused, Sample,
    Verdict, Warning,
};

fn summary(first_touch_ns: f64) -> ArmSummary {
    ArmSummary {
        median: PhaseTimes {
            obtain_ns: 2e3,
            first_touch_ns,
            between_ns: 0.0,
            second_touch_ns: 8e6,
            release_ns: 3e6,
            total_ns: first_touch_ns + 2e3,
            metric_ns: first_touch_ns + 2e3,
        },
        total_spread: 0.05,
        bill: Bill {
            bill_ns: first_touch_ns + 3e6,
            in_call: 0.0,
            in_first_touch: 0.9,
            in_release: 0.1,
            fault_ns_low: None,
            fault_ns_high: None,
            populated_ns: None,
            populated_pages: None,
        },
        minor_faults: 25_600.0,
        minor_faults_in_call: 0.0,
        huge_bytes: Some(0.0),
    }
}

fn arm(name: &str, first_touch_ns: f64) -> Arm {
    let sample = Sample {
        block: 3,
        position: 1,
        operations: 1,
        obtain_ns: 2_000,
        first_touch_ns: 39_700_000,
        total_ns: 39_702_000,
        minor_faults: 25_600,
        rss_bytes: Some(1 << 20),
        ..Sample::default()
    };
    Arm {
        name: name.to_owned(),
        baseline: name == "mmap",
        placebo: name == "placebo",
        summary: Some(summary(first_touch_ns)),
        samples: vec![sample],
        ..Arm::default()
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
        low: bounds.map(|bounds| bounds.0),
        high: bounds.map(|bounds| bounds.1),
        confidence: 0.95,
        blocks: 96,
        verdict,
        smallest_detectable: None,
        sensitivity: None,
    }
}

/// An arm that is the same, one that is faster, one whose name is not harmless, and one that has no
/// interval.
fn decided() -> LabResult {
    LabResult {
        version: "0.1.0".to_owned(),
        seed: 7,
        machine: Machine {
            kernel: Some("6.18.0".to_owned()),
            cpus: 2,
            thp: Some("madvise".to_owned()),
            ..Machine::default()
        },
        experiment: ExperimentRecord {
            name: "anonymous".to_owned(),
            question: "What do <ways> of getting memory cost, & when?".to_owned(),
            metric: "total_ns".to_owned(),
            margin: 0.03,
            size_bytes: 100 << 20,
            ..ExperimentRecord::default()
        },
        arms: vec![
            arm("mmap", 39.7e6),
            arm("malloc", 39.5e6),
            arm("mmap+hugepage", 13.5e6),
            arm("<script>alert(1)</script>|\"`", 39.5e6),
            arm("late", 39.5e6),
            arm("placebo", 39.8e6),
        ],
        comparisons: vec![
            comparison("malloc", 1.0, Some((0.98, 1.02)), Verdict::Equivalent),
            comparison("mmap+hugepage", 0.338, Some((0.332, 0.347)), Verdict::Different),
            comparison("<script>alert(1)</script>|\"`", 1.2, Some((1.1, 1.3)), Verdict::Different),
            comparison("late", 1.1, None, Verdict::Inconclusive),
        ],
        placebo: Some(Placebo {
            ratio: 0.99,
            low: Some(0.98),
            high: Some(1.01),
            confidence: 0.95,
            trusted: Some(true),
        }),
        refused: vec![Refused {
            arm: "hugetlb".to_owned(),
            reason: "no pages".to_owned(),
            failed: false,
            samples: Vec::new(),
        }],
        warnings: vec![Warning {
            id: "trend".to_owned(),
            message: "times *changed*".to_owned(),
            arms: vec!["malloc".to_owned()],
        }],
        ..LabResult::default()
    }
}

#[test]
fn a_row_of_csv_for_each_sample() {
    let csv = Document::Lab(&decided()).csv(false);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 7, "a header and six samples");
    let columns: Vec<&str> = lines[0].split(',').collect();
    let cells: Vec<&str> = lines[1].split(',').collect();
    assert_eq!(columns.len(), cells.len());
    let cell = |name: &str| cells[columns.iter().position(|column| *column == name).unwrap()];
    for (name, expect) in [
        ("experiment", "anonymous"),
        ("arm", "mmap"),
        ("baseline", "true"),
        ("placebo", "false"),
        ("size_bytes", "104857600"),
        ("threads", "1"),
        ("passes", ""),
        ("block", "3"),
        ("first_touch_ns", "39700000"),
        ("minor_faults", "25600"),
        ("rss_bytes", "1048576"),
        ("huge_bytes", ""),
    ] {
        assert_eq!(cell(name), expect, "{name}");
    }
    assert!(csv.contains("anonymous,\"<script>alert(1)</script>|\"\"`\",false"), "{csv}");
}

#[test]
fn tables_of_a_decided_run() {
    insta::assert_snapshot!(Document::Lab(&decided()).markdown());
}

/// One arm at two sizes.
fn sweep() -> LabResult {
    let point = |size_bytes: u64, first_touch_ns: f64| PointSummary {
        size_bytes,
        threads: 1,
        passes: None,
        operations: 1,
        traps: None,
        total_ns_per_page: None,
        metric_ns_per_page: None,
        observed: None,
        summary: Some(summary(first_touch_ns)),
    };
    let at = |size_bytes: u64, comparison: Comparison| Comparison { size_bytes, ..comparison };
    let swept = |name: &str| Arm {
        summary: None,
        points: vec![point(4096, 2e3), point(1 << 20, 400e3)],
        ..arm(name, 0.0)
    };
    LabResult {
        experiment: ExperimentRecord { sizes_bytes: vec![4096, 1 << 20], ..decided().experiment },
        arms: ["mmap", "malloc", "placebo"].map(swept).to_vec(),
        comparisons: vec![
            at(1 << 20, comparison("malloc", 1.0, Some((0.98, 1.02)), Verdict::Equivalent)),
            at(4096, comparison("malloc", 0.5, Some((0.4, 0.6)), Verdict::Different)),
        ],
        ..decided()
    }
}

#[test]
fn tables_of_a_sweep() {
    insta::assert_snapshot!(Document::Lab(&sweep()).markdown());
}

/// Two factors.
fn factorial() -> LabResult {
    let effect = |factor: &str, levels: [&str; 2], ratio: f64| Effect {
        factor: factor.to_owned(),
        levels: levels.map(str::to_owned),
        ratio,
        low: Some(ratio * 0.99),
        high: Some(ratio * 1.01),
        confidence: 0.985,
        blocks: 24,
        verdict: if ratio > 1.05 { Verdict::Different } else { Verdict::Equivalent },
        smallest_detectable: None,
    };
    let factors = [("api", ["malloc", "mmap"]), ("position", ["first", "second"])];
    LabResult {
        experiment: ExperimentRecord {
            factors: factors
                .map(|(name, levels)| Factor {
                    name: name.to_owned(),
                    levels: levels.map(str::to_owned),
                })
                .to_vec(),
            ..decided().experiment
        },
        comparisons: vec![comparison("malloc", 1.07, Some((1.04, 1.1)), Verdict::Different)],
        effects: vec![
            effect("api", ["malloc", "mmap"], 1.0),
            effect("position", ["first", "second"], 1.07),
        ],
        spreads: vec![effect("api", ["malloc", "mmap"], 1.3)],
        ..decided()
    }
}

#[test]
fn tables_of_a_factorial_run() {
    insta::assert_snapshot!(Document::Lab(&factorial()).markdown());
}

fn survey() -> LabResult {
    LabResult {
        comparisons: Vec::new(),
        placebo: None,
        floors: Some(Floors {
            samples: Vec::new(),
            summary: FloorSummary::default(),
            invalid: Vec::new(),
            failed: None,
            estimates: vec![FloorEstimate {
                floor: "syscall".to_owned(),
                ns: 72.6,
                low_ns: Some(72.0),
                high_ns: Some(74.0),
                confidence: 0.95,
                blocks: 12,
                bytes_per_second: None,
            }],
            sources: Vec::new(),
        }),
        ..decided()
    }
}

#[test]
fn tables_of_a_survey() {
    let markdown = Document::Lab(&survey()).markdown();
    assert!(markdown.contains("| `syscall` | 72.6 [72.0, 74.0] |  |"), "{markdown}");
}

#[test]
fn a_heading_promises_no_interval_that_is_not_there() {
    let mut short = factorial();
    for effect in short.effects.iter_mut().chain(&mut short.spreads) {
        (effect.low, effect.high) = (None, None);
    }
    let markdown = Document::Lab(&short).markdown();
    assert!(markdown.contains("time [no interval]"), "{markdown}");
    assert!(markdown.contains("spread [no interval]"), "{markdown}");
}

#[test]
fn a_drawing_of_a_decided_run() {
    insta::assert_snapshot!(Document::Lab(&decided()).svg().expect("comparisons to draw"));
}

#[test]
fn every_kind_of_run_is_drawn_but_one_without_ratios() {
    let rows = |result: &LabResult| Document::Lab(result).svg().unwrap().matches("<circle").count();
    assert_eq!(rows(&decided()), 5, "each comparison, and the placebo");
    assert_eq!(rows(&sweep()), 3, "each point, and the placebo");
    assert_eq!(rows(&factorial()), 4, "each factor, all at once, and the placebo");
    assert!(Document::Lab(&survey()).svg().is_none());
    assert!(Document::Lab(&LabResult::default()).svg().is_none());
}

#[test]
fn a_drawing_is_the_same_each_time_and_runs_nothing() {
    for result in [decided(), sweep(), factorial()] {
        let drawing = Document::Lab(&result).svg().unwrap();
        assert_eq!(Some(&drawing), Document::Lab(&result).svg().as_ref());
        assert!(!drawing.contains("<script"), "{drawing}");
        assert_eq!(drawing.matches("http").count(), 1, "only the namespace: {drawing}");
    }
}

#[test]
fn figures_that_no_axis_has_are_left_out() {
    let mut result = decided();
    result.comparisons[0].ratio = f64::NAN;
    result.comparisons[1].low = Some(0.0);
    let drawing = Document::Lab(&result).svg().unwrap();
    assert!(!drawing.contains("=\"NaN") && !drawing.contains("inf"), "{drawing}");
}

#[test]
fn a_verdict_that_the_placebo_questions_has_the_colour_of_unclear() {
    let mut result = decided();
    let placebo = result.placebo.as_mut().unwrap();
    (placebo.high, placebo.trusted) = (Some(4.0), Some(false));
    let drawing = Document::Lab(&result).svg().unwrap();
    assert!(drawing.contains(">faster?<") && !drawing.contains("class=\"faster"), "{drawing}");
}
