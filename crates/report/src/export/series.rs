//! What other tools call a benchmark: the runs of an arm, in a sweep at one of its points. Runs of
//! dropped blocks are not among them.

use std::collections::BTreeMap;

use results::compare::{ProgramResult, ProgramSample};
use results::{LabResult, Sample};

/// The runs of an arm.
pub(super) struct Series<'a> {
    pub(super) arm: &'a str,
    /// Whether the arm is the baseline under another name.
    pub(super) is_placebo: bool,
    pub(super) point: Point,
    pub(super) runs: Vec<Run>,
}

/// What a run has only if the whole result has several of it: the point of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    threads: Option<u64>,
    passes: Option<u64>,
    size_bytes: Option<u64>,
}

impl Point {
    const ONLY: Point = Point { threads: None, passes: None, size_bytes: None };

    /// Its parts by name.
    pub(super) fn parts(self) -> impl Iterator<Item = (&'static str, u64)> {
        let parts =
            [("size_bytes", self.size_bytes), ("threads", self.threads), ("passes", self.passes)];
        parts.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

/// One process.
pub(super) struct Run {
    /// Blocks of memory that the figures are sums over; 1 of a whole program.
    pub(super) operations: u64,
    /// The time that is compared.
    pub(super) time_ns: u64,
    /// Processor time in user mode and in the kernel; `None` where it is unknown.
    pub(super) cpu_ns: Option<[u64; 2]>,
    /// Peak resident memory; `None` where it is unknown.
    pub(super) max_rss_bytes: Option<u64>,
    /// `None` if a signal ended it.
    pub(super) exit_code: Option<i32>,
    /// Its other figures by their names in the result, times as sums over its operations.
    pub(super) figures: Vec<(&'static str, f64)>,
}

/// Arms in the order of the result, points in ascending order; none without a run.
pub(super) fn of_lab(result: &LabResult) -> Vec<Series<'_>> {
    let mut series = Vec::new();
    for arm in &result.arms {
        let mut points: BTreeMap<Point, Vec<Run>> = BTreeMap::new();
        for sample in &arm.samples {
            let Sample { threads, passes, size_bytes, .. } = *sample;
            let point = Point { threads, passes, size_bytes };
            points.entry(point).or_default().push(of_sample(sample, &result.experiment.metric));
        }
        series.extend(points.into_iter().map(|(point, runs)| Series {
            arm: &arm.name,
            is_placebo: arm.placebo,
            point,
            runs,
        }));
    }
    series
}

fn of_sample(sample: &Sample, metric: &str) -> Run {
    let known = [
        ("obtain_ns", Some(sample.obtain_ns)),
        ("first_touch_ns", Some(sample.first_touch_ns)),
        ("between_ns", Some(sample.between_ns)),
        ("second_touch_ns", Some(sample.second_touch_ns)),
        ("release_ns", Some(sample.release_ns)),
        ("minor_faults", Some(sample.minor_faults)),
        ("major_faults", Some(sample.major_faults)),
        ("rss_bytes", sample.rss_bytes),
    ];
    Run {
        operations: sample.operations.max(1),
        time_ns: sample.metric_ns(metric).unwrap_or(sample.total_ns),
        cpu_ns: None,
        max_rss_bytes: None,
        // A sample that ends otherwise has no figures, and is none of the arm's.
        exit_code: Some(0),
        figures: figures(&known),
    }
}

/// As [`of_lab`].
pub(super) fn of_program(result: &ProgramResult) -> Vec<Series<'_>> {
    let measured = result.arms.iter().filter(|arm| !arm.samples.is_empty());
    let series = measured.map(|arm| Series {
        arm: &arm.name,
        is_placebo: arm.placebo,
        point: Point::ONLY,
        runs: arm.samples.iter().map(of_program_sample).collect(),
    });
    series.collect()
}

fn of_program_sample(sample: &ProgramSample) -> Run {
    let known = [
        ("user_ns", Some(sample.user_ns)),
        ("sys_ns", Some(sample.sys_ns)),
        ("max_rss_bytes", Some(sample.max_rss_bytes)),
        ("tree_peak_bytes", sample.tree_peak_bytes),
        ("settled_rss_bytes", sample.settled_rss_bytes),
        ("minor_faults", Some(sample.minor_faults)),
        ("major_faults", Some(sample.major_faults)),
    ];
    let mut figures = figures(&known);
    figures.extend(sample.figure.map(|figure| ("figure", figure)));
    Run {
        operations: 1,
        time_ns: sample.wall_ns,
        cpu_ns: Some([sample.user_ns, sample.sys_ns]),
        max_rss_bytes: Some(sample.max_rss_bytes),
        exit_code: sample.exit_code,
        figures,
    }
}

fn figures(known: &[(&'static str, Option<u64>)]) -> Vec<(&'static str, f64)> {
    known.iter().filter_map(|(name, value)| Some((*name, (*value)? as f64))).collect()
}

/// `64KiB`: never rounded, because it tells benchmarks apart.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = |(_, shift): &(&str, u32)| bytes > 0 && bytes.is_multiple_of(1 << shift);
    match units.into_iter().find(whole) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_sizes_have_different_names() {
        let sizes = [1, 1000, 1024, 1536, 65536, 1_049_600, 1 << 20, 3 << 30, 0];
        let names = ["1B", "1000B", "1KiB", "1536B", "64KiB", "1025KiB", "1MiB", "3GiB", "0B"];
        assert_eq!(sizes.map(size), names);
    }
}
