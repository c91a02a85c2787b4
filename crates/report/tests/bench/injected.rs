//! An injected result: what a machine shows rarely can be had from it, too.

use results::{
    Arm, ArmSummary, Bill, Comparison, ExperimentRecord, Explanation, FloorPart, FloorSample,
    FloorSummary, Floors, LabResult, Machine, Observed, PhaseTimes, Placebo, Sample, Verdict,
};

pub(crate) fn arm(name: &str, times_ms: [f64; 4], traps: Option<f64>) -> Arm {
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

pub(crate) fn comparison(
    arm: &str,
    ratio: f64,
    bounds: Option<(f64, f64)>,
    verdict: Verdict,
) -> Comparison {
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

pub(crate) const LAZY_PARTS: [(&str, f64); 4] = [
    ("trap and zero page", 610.0),
    ("allocate and clear", 1250.0),
    ("write", 27.0),
    ("interruption", 210.0),
];

pub(crate) fn explanation(
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

pub(crate) fn floors() -> Floors {
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

pub(crate) fn machine() -> Machine {
    Machine {
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
    }
}

pub(crate) fn experiment() -> ExperimentRecord {
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

pub(crate) fn result() -> LabResult {
    LabResult {
        schema: results::SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        started: "2026-11-24T07:00:00Z".to_owned(),
        elapsed_ns: 41_200_000_000,
        seed: 7,
        stopped: None,
        more: None,
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
