//! The screens of pairs of malloc and free, and of touches timed one by one, from injected results.

use results::{
    Arm, ArmSummary, ArmWork, Bill, Bucket, Comparison, Distribution, ExperimentRecord, LabResult,
    Latencies, LatencyRow, Machine, Observed, PercentileInterval, PhaseTimes, Placebo, Sample,
    Verdict,
};

use crate::{at_every_width, shown};
use report::View;

fn arm(name: &str, source: &str, times_ns: [f64; 2], operations: u64) -> Arm {
    let [obtain_ns, first_touch_ns] = times_ns;
    let total_ns = obtain_ns + first_touch_ns;
    let allocator = name.split_once('@').map(|(_, allocator)| allocator.to_owned());
    Arm {
        name: name.to_owned(),
        baseline: false,
        placebo: name == "placebo",
        work: Some(ArmWork { allocator, ..ArmWork::plain(source, 1) }),
        traps: None,
        observed: Some(Observed {
            allocator: Some("/lib/x86_64-linux-gnu/libc.so.6".to_owned()),
            ..Observed::default()
        }),
        summary: Some(ArmSummary {
            median: PhaseTimes {
                obtain_ns,
                first_touch_ns,
                between_ns: 0.0,
                second_touch_ns: 0.0,
                release_ns: 0.0,
                total_ns,
                metric_ns: total_ns,
            },
            total_spread: 0.02,
            bill: Bill {
                bill_ns: total_ns,
                in_call: 1.0,
                in_first_touch: 0.0,
                in_release: 0.0,
                fault_ns_low: None,
                fault_ns_high: None,
                populated_ns: None,
                populated_pages: None,
            },
            minor_faults: 0.000_25,
            minor_faults_in_call: 0.000_25,
            huge_bytes: Some(0.0),
        }),
        points: Vec::new(),
        latencies: None,
        samples: vec![Sample { operations, ..Sample::default() }; 24],
    }
}

fn comparison(arm: &str, baseline: &str, ratio: f64, verdict: Verdict) -> Comparison {
    Comparison {
        arm: arm.to_owned(),
        baseline: baseline.to_owned(),
        metric: "total_ns".to_owned(),
        size_bytes: 64,
        threads: None,
        passes: None,
        ratio,
        low: Some(ratio * 0.98),
        high: Some(ratio * 1.02),
        confidence: 0.985,
        blocks: 24,
        verdict,
        smallest_detectable: Some(0.02),
        sensitivity: None,
    }
}

fn result(
    name: &str,
    size_bytes: u64,
    operations: u64,
    mut arms: Vec<Arm>,
    comparisons: Vec<Comparison>,
) -> LabResult {
    arms[0].baseline = true;
    LabResult {
        schema: results::SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        started: "2026-11-24T07:00:00Z".to_owned(),
        elapsed_ns: 41_200_000_000,
        seed: 7,
        stopped: None,
        more: None,
        machine: Machine {
            arch: Some("x86_64".to_owned()),
            kernel: Some("6.18.0".to_owned()),
            cpu: None,
            cpus: 2,
            ram_bytes: Some(8 << 30),
            thp: Some("madvise".to_owned()),
            virtualized: Some(true),
            free_page_reporting: Some(true),
            page_bytes: 4096,
            libc: None,
        },
        warnings: Vec::new(),
        experiment: ExperimentRecord {
            name: name.to_owned(),
            file: None,
            question: "What?".to_owned(),
            metric: "total_ns".to_owned(),
            margin: 0.03,
            size_bytes,
            sizes_bytes: Vec::new(),
            threads: Vec::new(),
            passes: Vec::new(),
            factors: Vec::new(),
            operations,
            fill: 1,
            memory: "warm".to_owned(),
            cpu: None,
            max_time_ns: Some(60_000_000_000),
            asked_arms: Vec::new(),
            asked_passes: None,
            asked_directory: None,
            blocks: None,
        },
        looks: vec![12, 24],
        arms,
        blocks: Vec::new(),
        dropped: Vec::new(),
        refused: Vec::new(),
        comparisons,
        effects: Vec::new(),
        spreads: Vec::new(),
        explained: None,
        crossovers: Vec::new(),
        pass_crossovers: Vec::new(),
        turning_points: Vec::new(),
        placebo: Some(Placebo {
            ratio: 1.001,
            low: Some(0.995),
            high: Some(1.006),
            confidence: 0.99,
            trusted: Some(true),
        }),
        floors: None,
        explanations: Vec::new(),
    }
}

fn pairs(with_allocator: bool) -> LabResult {
    let pair =
        |name: &str, ns: f64| arm(name, name.split('@').next().unwrap_or(name), [ns, 0.0], 400_000);
    let mut arms =
        vec![pair("small-fixed", 21.3), pair("small-mixed", 30.1), pair("small-exchange", 88.4)];
    let mut comparisons = vec![
        comparison("small-mixed", "small-fixed", 1.41, Verdict::Different),
        comparison("small-exchange", "small-fixed", 4.15, Verdict::Different),
    ];
    if with_allocator {
        arms.extend([
            pair("small-fixed@jemalloc", 21.2),
            pair("small-mixed@jemalloc", 20.7),
            pair("small-exchange@jemalloc", 56.4),
            pair("small-exchange@mimalloc", 40.0),
        ]);
        comparisons.extend([
            comparison("small-fixed@jemalloc", "small-fixed", 0.995, Verdict::Equivalent),
            comparison("small-mixed@jemalloc", "small-mixed", 0.69, Verdict::Different),
            comparison("small-exchange@jemalloc", "small-exchange", 0.64, Verdict::Different),
            comparison("small-exchange@mimalloc", "small-exchange", 0.45, Verdict::Different),
        ]);
    }
    arms.push(arm("placebo", "small-fixed", [21.3, 0.0], 400_000));
    result("small-objects", 64, 400_000, arms, comparisons)
}

#[test]
fn pairs_under_other_allocators() {
    at_every_width("pairs_under_other_allocators", &pairs(true));
}

#[test]
fn pairs_have_one_time_and_ask_for_allocators_next() {
    let screen = shown(&pairs(false), View::verbose(None));
    assert!(
        screen.contains("64 B x 400,000 pairs") && screen.contains("a pair  vs small-fixed"),
        "{screen}"
    );
    for absent in ["1st touch", "obtain", "release", "bill", "live blocks", "fastest"] {
        assert!(!screen.contains(absent), "{absent} in\n{screen}");
    }
    assert!(
        screen.contains("Next: firsttouch bench small-objects --allocator jemalloc"),
        "{screen}"
    );
}

fn distribution(rows: &[(u64, u64, u64)], percentiles: [u64; 5]) -> Distribution {
    let count: u64 = rows.iter().map(|row| row.2).sum();
    let row = |&(low_ns, high_ns, held): &(u64, u64, u64)| LatencyRow {
        bucket: Bucket { low_ns, high_ns, count: held },
        share: held as f64 / count as f64,
        time_share: held as f64 / count as f64,
    };
    Distribution {
        count,
        p50_ns: percentiles[0],
        p90_ns: percentiles[1],
        p99_ns: percentiles[2],
        p999_ns: percentiles[3],
        max_ns: percentiles[4],
        rows: rows.iter().map(row).collect(),
        buckets: rows.iter().map(|row| row_bucket(*row)).collect(),
    }
}

fn row_bucket((low_ns, high_ns, count): (u64, u64, u64)) -> Bucket {
    Bucket { low_ns, high_ns, count }
}

fn latency() -> LabResult {
    let clock = distribution(&[(10, 20, 24_000)], [16, 17, 18, 25, 900]);
    let touches = distribution(
        &[
            (500, 1000, 6_000),
            (1000, 2000, 580_000),
            (2000, 5000, 27_900),
            (5000, 10_000, 400),
            (10_000, 20_000, 0),
            (20_000, 50_000, 100),
        ],
        [1249, 1549, 2749, 6249, 41_234],
    );
    let mut timed = arm("mmap, timed", "mmap", [1_000.0, 36e6], 1);
    let bounds = [(500, 1229, 1249), (900, 1499, 1599), (990, 2599, 2849), (999, 5999, 12_499)];
    let interval = |(per_mille, low_ns, high_ns)| PercentileInterval { per_mille, low_ns, high_ns };
    let intervals = bounds.map(interval).to_vec();
    timed.latencies = Some(Latencies { touches, clock, intervals });
    let arms = vec![
        arm("mmap", "mmap", [1_000.0, 35e6], 1),
        timed,
        arm("placebo", "mmap", [1_000.0, 35e6], 1),
    ];
    result(
        "latency",
        100 << 20,
        1,
        arms,
        vec![comparison("mmap, timed", "mmap", 1.06, Verdict::Different)],
    )
}

#[test]
fn latencies() {
    at_every_width("latencies", &latency());
}

#[test]
fn a_row_that_holds_a_touch_has_a_mark_and_one_without_has_none() {
    let screen = shown(&latency(), View::verbose(None));
    let row = |range: &str| {
        screen.lines().find(|line| line.contains(range)).unwrap_or_default().to_owned()
    };
    assert!(row("20-50 us").contains("  ."), "{screen}");
    assert!(!row("10-20 us").contains('.') && row("10-20 us").contains("0 %"), "{screen}");
    assert!(row("1-2 us").contains("p50 p90") && row("5-10 us").ends_with("p99.9"), "{screen}");
}

#[test]
fn hostile_names_and_empty_distributions_are_inert() {
    let mut hostile = latency();
    hostile.arms[1].name = "\u{1b}[2J\nevil".to_owned();
    hostile.arms[1].latencies = Some(Latencies::default());
    let mut also = pairs(true);
    also.arms[3].name = "\u{1b}[2J\nevil".to_owned();
    also.arms[3].summary = None;
    for result in [hostile, also] {
        for width in [None, Some(1), Some(80)] {
            let screen = shown(&result, View::verbose(width));
            assert!(!screen.contains('\u{1b}') && !screen.contains("\nevil"), "{screen:?}");
        }
    }
}
