//! Explanations from injected floors and samples: sums that add up, sums that do not, and cases
//! without an explanation.

use lab::Source;
use lab::judge::explain::explanations;
use lab::judge::floors;
use lab::judge::point_run::{ArmRun, PointRun};
use lab::run::TakenFloors;
use proptest::prelude::*;
use results::{
    Arm, ArmWork, Dropped, ExperimentRecord, Explanation, Floor, FloorSample, LabResult, Machine,
    Sample,
};

const PAGES: u64 = 256;
const SIZE_BYTES: u64 = PAGES * 4096;

/// By these floors, a lazy arm takes 1,600 ns a page, populate 1,100 (100 of it for mmap
/// itself), and huge pages 500.
fn floors(block: u64) -> FloorSample {
    let floor = |ns: u64, units: u64| Floor {
        time_ns: ns * units,
        units,
        minor_faults: units,
        invalid: None,
    };
    FloorSample {
        block,
        size_bytes: SIZE_BYTES,
        syscall: floor(70, 1000),
        map: floor(25_600, 10),
        read_fault: floor(450, PAGES),
        write_fault: floor(1300, PAGES),
        write_after_fault: floor(100, PAGES),
        interrupted_write: floor(800, PAGES),
        uninterrupted_write: floor(600, PAGES),
        write_after_pass: floor(200, PAGES),
        populate: floor(800, PAGES),
        huge_fault: floor(420, PAGES),
        write_after_huge_fault: floor(80, PAGES),
        ..FloorSample::default()
    }
}

/// One block of memory that took `ns_per_page` for its first touch.
fn sample(block: u64, ns_per_page: f64, faults: u64) -> Sample {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time")]
    let first_touch_ns = (ns_per_page * PAGES as f64) as u64;
    Sample {
        block,
        operations: 1,
        first_touch_ns,
        total_ns: first_touch_ns,
        first_touch_minor_faults: faults,
        huge_bytes: Some(if faults == 1 { SIZE_BYTES } else { 0 }),
        ..Sample::default()
    }
}

fn arm(name: &str, samples: Vec<Sample>) -> Arm {
    let (baseline, placebo) = (name == "mmap", name == "placebo");
    Arm {
        name: name.to_owned(),
        baseline,
        placebo,
        work: Some(ArmWork::plain(if placebo { "mmap" } else { name }, 1)),
        traps: None,
        observed: None,
        summary: None,
        points: Vec::new(),
        latencies: None,
        samples,
    }
}

fn result(size_bytes: u64, arms: Vec<Arm>) -> LabResult {
    LabResult {
        schema: results::SCHEMA.to_owned(),
        version: String::new(),
        started: String::new(),
        elapsed_ns: 0,
        seed: 1,
        stopped: None,
        more: None,
        machine: Machine {
            arch: None,
            kernel: None,
            cpu: None,
            cpus: 1,
            ram_bytes: None,
            thp: None,
            virtualized: None,
            free_page_reporting: None,
            page_bytes: 4096,
            libc: None,
        },
        warnings: Vec::new(),
        experiment: ExperimentRecord {
            name: String::new(),
            question: String::new(),
            metric: "total_ns".to_owned(),
            margin: 0.03,
            file: None,
            sizes_bytes: Vec::new(),
            threads: Vec::new(),
            passes: Vec::new(),
            factors: Vec::new(),
            size_bytes,
            operations: 1,
            fill: 1,
            memory: "warm".to_owned(),
            cpu: None,
            max_time_ns: None,
            asked_arms: Vec::new(),
            asked_passes: None,
            asked_directory: None,
            blocks: None,
        },
        looks: Vec::new(),
        arms,
        blocks: Vec::new(),
        dropped: Vec::new(),
        refused: Vec::new(),
        comparisons: Vec::new(),
        effects: Vec::new(),
        spreads: Vec::new(),
        explained: None,
        crossovers: Vec::new(),
        pass_crossovers: Vec::new(),
        turning_points: Vec::new(),
        placebo: None,
        floors: None,
        explanations: Vec::new(),
    }
}

/// Adds the explanations by floors that were measured beside the blocks of `result`.
fn attach(result: &mut LabResult, (samples, failed): (Vec<FloorSample>, Option<String>)) {
    let arm = |arm: &'_ Arm| {
        let plain = arm.work.as_ref().filter(|work| work.is_plain());
        plain.and_then(|work| Source::named(&work.source))
    };
    let arms = result.arms.iter().map(|row| ArmRun {
        name: &row.name,
        placebo: row.placebo,
        plain_source: arm(row),
        samples: &row.samples,
    });
    let point = PointRun {
        arms: arms.collect(),
        size_bytes: result.experiment.size_bytes,
        operations: result.experiment.operations,
        page_bytes: result.machine.page_bytes,
        margin: result.experiment.margin,
        dropped: result.dropped.iter().map(|dropped| dropped.block).collect(),
    };
    let taken = TakenFloors { samples, failed };
    let counted = point.counted(&taken.samples);
    let (floors, explanations) = (floors::floors(&taken, &counted), explanations(&point, &counted));
    (result.floors, result.explanations) = (floors, explanations);
}

/// A run of one arm whose blocks took `ns_per_page`, with floors beside each.
fn explained(name: &str, ns_per_page: &[f64], faults: u64) -> LabResult {
    let samples =
        ns_per_page.iter().zip(0..).map(|(&ns, block)| sample(block, ns, faults)).collect();
    let mut result = result(SIZE_BYTES, vec![arm(name, samples)]);
    attach(&mut result, ((0..ns_per_page.len() as u64).map(floors).collect(), None));
    result
}

fn only(result: &LabResult) -> &Explanation {
    assert_eq!(result.explanations.len(), 1, "{:?}", result.explanations);
    &result.explanations[0]
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.01 * b.abs()
}

#[test]
fn a_sum_adds_up_does_not_or_stays_open() {
    let spread = |center: f64, by: f64| {
        [-1.0, -0.5, -0.2, 0.2, 0.5, 1.0, 0.1, -0.1].map(|s| center * (1.0 + s * by))
    };
    for (took, by, adds_up) in [
        (1600.0, 0.01, Some(true)),
        (1630.0, 0.003, Some(true)), // excludes 1, within the margin of 3 %
        (1600.0, 0.06, Some(true)),  // contains 1, within a tenth
        (1600.0, 0.30, None),        // contains 1, too wide
        (1830.0, 0.01, Some(false)), // 0.874: what the sum missed before interruptions were known
        (1400.0, 0.01, Some(false)),
        (1720.0, 0.02, Some(false)),
    ] {
        let result = explained("mmap", &spread(took, by), PAGES);
        let explanation = only(&result);
        assert_eq!(explanation.adds_up, adds_up, "{took} +- {by}: {explanation:?}");
        assert!(near(explanation.ratio, 1600.0 / took) && explanation.blocks == 8);
        assert!((explanation.unexplained_ns - (explanation.measured_ns - 1600.0)).abs() < 1e-6);
    }
}

#[test]
fn parts_are_computed_from_the_floors() {
    let parts = |name: &str, faults: u64, size_bytes: u64| -> Vec<(String, f64)> {
        let mut result = result(size_bytes, vec![arm(name, vec![sample(0, 1000.0, faults)])]);
        attach(&mut result, (vec![floors(0)], None));
        only(&result).parts.iter().map(|part| (part.name.clone(), part.ns_per_page)).collect()
    };
    let named = |parts: &[(&str, f64)]| {
        parts.iter().map(|&(name, ns)| (name.to_owned(), ns)).collect::<Vec<_>>()
    };
    let lazy = named(&[
        ("trap and zero page", 450.0),
        ("allocate and clear", 850.0),
        ("write", 100.0),
        ("interruption", 200.0),
    ]);
    for name in ["mmap", "malloc", "calloc"] {
        assert_eq!(parts(name, PAGES, SIZE_BYTES), lazy, "{name}");
    }
    let populated = named(&[("call", 100.0), ("populate", 800.0), ("write", 200.0)]);
    assert_eq!(parts("mmap+populate", 1, SIZE_BYTES), populated);
    assert_eq!(
        parts("mmap+hugepage", 1, SIZE_BYTES),
        named(&[("huge fault", 420.0), ("write", 80.0)])
    );
    let half = parts("mmap", PAGES, SIZE_BYTES - 2048);
    assert!(
        near(half[2].1, 100.0 * (1.0 - 2048.0 / SIZE_BYTES as f64)),
        "half of the last page is written: {half:?}"
    );
}

#[test]
fn a_huge_page_arm_may_have_small_pages() {
    let mut partly = sample(0, 775.0, 70);
    partly.huge_bytes = Some(SIZE_BYTES / 4 * 3);
    let mut result = result(SIZE_BYTES, vec![arm("mmap+hugepage", vec![partly])]);
    attach(&mut result, (vec![floors(0)], None));
    let explanation = only(&result);
    assert_eq!(explanation.parts[2].name, "small pages");
    assert!(near(explanation.sum_ns, 0.75 * 500.0 + 0.25 * 1600.0) && near(explanation.ratio, 1.0));
}

#[test]
fn other_arms_are_compared_with_the_lazy_one() {
    let of = |name: &str, ns: f64, faults: u64| {
        arm(name, (0..3).map(|block| sample(block, ns, faults)).collect())
    };
    let arms = vec![
        of("mmap", 1600.0, PAGES),
        of("malloc", 1600.0, PAGES),
        of("mmap+populate", 1200.0, 0),
        of("placebo", 1600.0, PAGES),
    ];
    let mut result = result(SIZE_BYTES, arms);
    attach(&mut result, ((0..3).map(floors).collect(), None));
    let reaches: Vec<_> = result.explanations.iter().map(|e| (e.arm.as_str(), e.reaches)).collect();
    assert_eq!(reaches, [("mmap", None), ("malloc", None), ("mmap+populate", Some(0.75))]);
}

#[test]
fn insufficient_data_give_no_explanation() {
    let few = explained("mmap", &[1600.0; 5], PAGES);
    let explanation = only(&few);
    assert_eq!((explanation.low, explanation.high, explanation.adds_up), (None, None, None));
    assert!(near(explanation.ratio, 1.0));

    let without =
        |name: &str, ns: &[f64], faults| explained(name, ns, faults).explanations.is_empty();
    assert!(without("malloc", &[1600.0; 8], 3), "an allocator that had the pages");
    assert!(without("calloc", &[1600.0; 8], 2 * PAGES), "faults of another kind");
    assert!(without("jemalloc", &[1600.0; 8], PAGES), "no sum is known for it");
    let mut small = result(100, vec![arm("mmap", vec![sample(0, 1600.0, PAGES)])]);
    attach(&mut small, (vec![floors(0)], None));
    assert!(small.explanations.is_empty() && small.floors.is_some(), "smaller than a page");
    let mut none = result(SIZE_BYTES, vec![arm("mmap", vec![sample(0, 1600.0, PAGES)])]);
    attach(&mut none, (Vec::new(), None));
    assert!(none.floors.is_none());
    attach(&mut none, (Vec::new(), Some("its child was killed".to_owned())));
    assert_eq!(none.floors.unwrap().failed.as_deref(), Some("its child was killed"));
}

#[test]
fn an_invalid_floor_explains_nothing() {
    let mut floor = floors(0);
    floor.read_fault.invalid = Some("it took 1 faults, and 256 were expected".to_owned());
    let arms = vec![
        arm("mmap", vec![sample(0, 1600.0, PAGES)]),
        arm("mmap+populate", vec![sample(0, 1100.0, 0)]),
    ];
    let mut result = result(SIZE_BYTES, arms);
    attach(&mut result, (vec![floor], None));
    assert_eq!(only(&result).arm, "mmap+populate");
    let found = result.floors.unwrap();
    assert_eq!(found.summary.read_fault_ns, None);
    let invalid = found.invalid.iter().find(|invalid| invalid.floor == "read_fault").unwrap();
    assert!(invalid.reason.contains("1 faults"), "{invalid:?}");
    assert_eq!(found.summary.syscall_ns, Some(70.0));
}

#[test]
fn dropped_blocks_do_not_count() {
    let samples = vec![sample(1, 1600.0, PAGES)];
    let mut result = result(SIZE_BYTES, vec![arm("mmap", samples)]);
    result.dropped = vec![Dropped { block: 0, reason: "steal".to_owned(), samples: Vec::new() }];
    let mut disturbed = floors(0);
    disturbed.syscall.time_ns *= 100;
    attach(&mut result, (vec![disturbed, floors(1)], None));
    assert_eq!(only(&result).blocks, 1);
    let floors = result.floors.unwrap();
    assert_eq!((floors.samples.len(), floors.summary.syscall_ns), (2, Some(70.0)));
}

proptest! {
    /// The displayed parts add up to the displayed sum, the estimate is in its interval, and a sum
    /// that is off by more than the spread and the margin together never counts as adding up.
    #[test]
    fn explanations_follow_from_the_samples(
        took in 400.0..6400.0_f64,
        spread in prop::collection::vec(-0.1..0.1_f64, 1..40),
    ) {
        let times: Vec<f64> = spread.iter().map(|s| took * s.exp()).collect();
        let result = explained("mmap", &times, PAGES);
        let explanation = only(&result);
        let sum: f64 = explanation.parts.iter().map(|part| part.ns_per_page).sum();
        prop_assert!((sum - explanation.sum_ns).abs() < 1e-6);
        if let Some((low, high)) = explanation.low.zip(explanation.high) {
            let ratio = explanation.ratio;
            prop_assert!(low <= ratio * 1.000_001 && ratio <= high * 1.000_001);
        }
        let truth = (1600.0 / took).ln().abs();
        if truth > 0.1 + 0.1_f64.ln_1p() + 0.01 {
            prop_assert!(explanation.adds_up != Some(true), "{explanation:?}");
        }
        prop_assert_eq!(explanation.adds_up.is_some() && explanation.low.is_none(), false);
    }
}
