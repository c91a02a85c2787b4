//! Screens of sweeps.

use results::{Comparison, Crossover, LabResult, PointSummary, Sample, Verdict};

use crate::injected::{arm, comparison, result};
use crate::{at_every_width, shown};
use report::View;

/// Three sizes, two numbers of threads, two arms, and populate that pays only for large blocks.
pub(crate) fn sweep(threads: &[u64]) -> LabResult {
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
    at_every_width("a_sweep_over_sizes", &result);
}

#[test]
fn a_sweep_over_sizes_and_threads() {
    at_every_width("a_sweep_over_sizes_and_threads", &sweep(&[1, 2]));
}

#[test]
fn no_interval_of_a_sweep_is_left_out() {
    let mut result = sweep(&[1]);
    let more: Vec<_> = ["calloc", "brk", "mmap+hugepage"]
        .iter()
        .flat_map(|name| {
            let own = result.comparisons.iter().filter(|c| c.arm == "malloc");
            own.map(|c| Comparison { arm: (*name).to_owned(), ..c.clone() }).collect::<Vec<_>>()
        })
        .collect();
    for name in ["calloc", "brk", "mmap+hugepage"] {
        let arm = result.arms.iter().find(|arm| arm.name == "malloc").unwrap().clone();
        result.arms.insert(2, results::Arm { name: name.to_owned(), ..arm });
    }
    result.comparisons.extend(more);
    for width in [None, Some(80), Some(120)] {
        let screen = shown(&result, View::brief(width));
        let intervals = screen.matches("x [").count();
        // One for each arm at each size, and the placebo's.
        assert_eq!(intervals, 5 * 3 + 1, "{screen}");
    }
}
