//! From a run to a result file.

use results::{Arm, Comparison, LabResult, Machine, Observed, Refused, Sensitivity, SensitivityLine, Verdict, Warning};
use stats::{Estimate, Interval, Placebo, hodges_lehmann, mean_t};

use crate::design::Design;
use crate::quantity::nanoseconds;
use crate::session::{Run, log_ratios};
use crate::summary::summarise;

/// What is known of a run beside the run itself.
pub struct Context {
    /// RFC 3339, UTC.
    pub started: String,
    /// Of the whole run.
    pub elapsed_ns: u64,
    /// Where it ran.
    pub machine: Machine,
    /// By arm of the design: traps per block of memory, and what was observed.
    pub observed: Vec<(Option<f64>, Option<Observed>)>,
    /// Arms that were ruled out before the design was made.
    pub refused: Vec<Refused>,
    /// Doubts.
    pub warnings: Vec<Warning>,
    /// The baseline against itself.
    pub placebo: Option<Placebo>,
}

/// Puts everything together.
#[must_use]
pub fn assemble(design: &Design, run: Run, context: Context) -> LabResult {
    let comparisons = comparisons(design, &run);
    let mut refused = context.refused;
    let mut arms = Vec::new();
    let outcomes = run.samples.into_iter().zip(run.removals).zip(context.observed);
    for (index, (plan, ((samples, removal), (traps, observed)))) in design.arms.iter().zip(outcomes).enumerate() {
        match removal {
            Some(removal) => refused.push(Refused {
                arm: plan.name.to_owned(),
                reason: removal.reason,
                failed: removal.failed,
                samples,
            }),
            None => arms.push(Arm {
                name: plan.name.to_owned(),
                baseline: index == Design::BASELINE,
                placebo: index == design.placebo(),
                traps,
                observed,
                summary: summarise(&samples),
                samples,
            }),
        }
    }
    LabResult {
        schema: results::SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: context.started,
        elapsed_ns: context.elapsed_ns,
        seed: design.seed,
        stopped: run.stopped,
        machine: context.machine,
        warnings: context.warnings,
        experiment: experiment(design),
        looks: run.looks.iter().map(|look| look.blocks as u64).collect(),
        arms,
        blocks: run.blocks,
        dropped: run.dropped,
        refused,
        comparisons,
        placebo: context.placebo.map(|placebo| results::Placebo {
            ratio: placebo.ratio,
            low: placebo.interval.map(|i| i.low),
            high: placebo.interval.map(|i| i.high),
            confidence: stats::PLACEBO_CONFIDENCE,
            trusted: placebo.trusted,
        }),
        floors: None,
        explanations: Vec::new(),
    }
}

fn experiment(design: &Design) -> results::Experiment {
    results::Experiment {
        name: design.experiment.name.clone(),
        question: design.experiment.question.clone(),
        metric: design.metric().name().to_owned(),
        margin: design.margin,
        size_bytes: design.size_bytes,
        operations: design.operations,
        fill: design.experiment.fill,
        memory: design.memory.name().to_owned(),
        cpu: design.cpu,
        max_time_ns: design.schedule.cap.map(nanoseconds),
        blocks: design.blocks,
    }
}

fn comparisons(design: &Design, run: &Run) -> Vec<Comparison> {
    let Some(look) = run.looks.last() else { return Vec::new() };
    // What one comparison may err, for estimators that know no looks.
    let alpha = look.alpha / run.estimates.iter().flatten().count().max(1) as f64;
    let comparison = |arm: usize, estimate: &Estimate| Comparison {
        arm: design.arms[arm].name.to_owned(),
        baseline: design.arms[Design::BASELINE].name.to_owned(),
        metric: design.metric().name().to_owned(),
        size_bytes: design.size_bytes,
        ratio: estimate.ratio,
        low: estimate.interval.map(|i| i.low),
        high: estimate.interval.map(|i| i.high),
        confidence: 1.0 - look.alpha,
        blocks: look.blocks as u64,
        verdict: match estimate.verdict {
            stats::Verdict::Equivalent => Verdict::Equivalent,
            stats::Verdict::Different => Verdict::Different,
            stats::Verdict::Inconclusive => Verdict::Inconclusive,
        },
        smallest_detectable: estimate.smallest_detectable,
        sensitivity: Some(sensitivity(&log_ratios(design, run, arm), alpha)),
    };
    run.estimates.iter().enumerate().filter_map(|(arm, estimate)| Some(comparison(arm, estimate.as_ref()?))).collect()
}

fn sensitivity(log_ratios: &[f64], alpha: f64) -> Sensitivity {
    let line = |(center, interval): (f64, Option<Interval>)| SensitivityLine {
        ratio: center.exp(),
        low: interval.map(|i| i.low.exp()),
        high: interval.map(|i| i.high.exp()),
    };
    Sensitivity {
        hodges_lehmann: hodges_lehmann(log_ratios, alpha).map(line),
        mean_t: mean_t(log_ratios, alpha).map(line),
    }
}
