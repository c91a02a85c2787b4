//! The samples of a result as series: one figure of one arm at one point.

use std::collections::HashMap;

use lab::question::experiment::Metric;
use lab::question::quantity::bytes_text;
use results::compare::ProgramResult;
use results::{AnyResult, LabResult};

use crate::metric::ProgramMetric;

/// Where in a sweep; without anything for whole programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Point {
    pub(super) size_bytes: Option<u64>,
    pub(super) threads: Option<u64>,
    /// Only where a run has several numbers of touches.
    pub(super) passes: Option<u64>,
}

/// One figure of one arm at one point.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) arm: String,
    pub(super) is_baseline: bool,
    /// The key of the figure in results.
    pub(super) metric: &'static str,
    pub(super) point: Point,
    /// The arm that it is compared with in its own run.
    reference: Option<String>,
    /// The block and the figure of every sample, in the order of the blocks.
    samples: Vec<(u64, f64)>,
}

impl Series {
    /// Whether `other` is the same figure of the same arm, in another run.
    pub(super) fn is_like(&self, other: &Series) -> bool {
        self.arm == other.arm && self.is_beside(other)
    }

    /// Whether `other` is the same figure at the same point.
    fn is_beside(&self, other: &Series) -> bool {
        (self.metric, self.point) == (other.metric, other.point)
    }

    /// The series of the arm that this one is compared with, if it can be divided by it.
    pub(super) fn reference_in<'a>(&self, run: &'a [Series]) -> Option<&'a Series> {
        let reference = self.reference.as_ref()?;
        let series = run.iter().find(|other| other.arm == *reference && self.is_beside(other));
        series.filter(|series| series.is_positive())
    }

    /// Whether every sample has a logarithm.
    pub(super) fn is_positive(&self) -> bool {
        self.samples.iter().all(|(_, value)| *value > 0.0)
    }

    pub(super) fn logarithms(&self) -> Vec<f64> {
        self.samples.iter().map(|(_, value)| value.ln()).collect()
    }

    /// The logarithms of the ratios to `baseline` of the blocks that both have.
    pub(super) fn log_ratios_to(&self, baseline: &Series) -> Vec<f64> {
        let ratio = |(block, value): &(u64, f64)| {
            let place = baseline.samples.binary_search_by_key(block, |(block, _)| *block).ok()?;
            Some(value.ln() - baseline.samples[place].1.ln())
        };
        self.samples.iter().filter_map(ratio).collect()
    }
}

/// Every series of `result` but those of the placebo, which is the baseline again.
pub(super) fn of(result: &AnyResult) -> Vec<Series> {
    let mut series = match result {
        AnyResult::Lab(lab) => of_lab(lab),
        AnyResult::Program(program) => of_program(program),
    };
    for one in &mut series {
        one.samples.sort_by_key(|(block, _)| *block);
    }
    series
}

fn of_lab(result: &LabResult) -> Vec<Series> {
    let experiment = &result.experiment;
    let Some(metric) = Metric::named(&experiment.metric) else { return Vec::new() };
    let threads = experiment.threads.first().copied().unwrap_or(1);
    let mut found: Vec<Series> = Vec::new();
    for arm in result.arms.iter().filter(|arm| !arm.placebo) {
        let reference = result.comparisons.iter().find(|compared| compared.arm == arm.name);
        let mut places: HashMap<Point, usize> = HashMap::new();
        for sample in &arm.samples {
            let point = Point {
                size_bytes: Some(sample.size_bytes.unwrap_or(experiment.size_bytes)),
                threads: Some(sample.threads.unwrap_or(threads)),
                passes: sample.passes,
            };
            let value = metric.of(sample) as f64 / sample.operations.max(1) as f64;
            let place = *places.entry(point).or_insert_with(|| {
                found.push(Series {
                    arm: arm.name.clone(),
                    is_baseline: arm.baseline,
                    metric: metric.name(),
                    point,
                    reference: reference.map(|compared| compared.baseline.clone()),
                    samples: Vec::new(),
                });
                found.len() - 1
            });
            found[place].samples.push((sample.block, value));
        }
    }
    found
}

fn of_program(result: &ProgramResult) -> Vec<Series> {
    let mut found = Vec::new();
    for arm in result.arms.iter().filter(|arm| !arm.placebo) {
        let reference = result.comparisons.iter().find(|compared| compared.arm == arm.name);
        for metric in ProgramMetric::ALL {
            let figures = arm.samples.iter().map(|sample| Some((sample.block, metric.of(sample)?)));
            let samples: Vec<(u64, f64)> = figures.flatten().collect();
            if samples.is_empty() {
                continue;
            }
            found.push(Series {
                arm: arm.name.clone(),
                is_baseline: arm.baseline,
                metric: metric.key(),
                point: Point::default(),
                reference: reference.map(|compared| compared.baseline.clone()),
                samples,
            });
        }
    }
    found
}

/// The arms and points of a run, for a message.
pub(super) fn described(series: &[Series]) -> String {
    let (mut arms, mut points): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    for one in series {
        if !arms.contains(&one.arm.as_str()) {
            arms.push(&one.arm);
        }
        let size = one.point.size_bytes.map(bytes_text);
        let threads = one.point.threads.filter(|threads| *threads > 1);
        let passes = one.point.passes.map(|passes| format!("{passes} passes"));
        let parts = [size, threads.map(|threads| format!("{threads} threads")), passes];
        let point = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        if !point.is_empty() && !points.contains(&point) {
            points.push(point);
        }
    }
    match (arms.is_empty(), points.is_empty()) {
        (true, _) => "no samples".to_owned(),
        (false, true) => arms.join(", "),
        (false, false) => format!("{} at {}", arms.join(", "), points.join(", ")),
    }
}
