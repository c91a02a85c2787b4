//! From a run to a result file.

use std::time::Duration;

use results::{
    Arm, ArmSample, ArmSummary, ArmWork, Comparison, Dropped, LabResult, Machine, Observed, PointSummary, Refused,
    Sample, Sensitivity, SensitivityLine, Stopped, TurningPoint, Verdict, Warning,
};
use stats::{Estimate, Interval, Placebo, hodges_lehmann, mean_t};
use sys::limits::page_bytes;

use crate::cold::ColdPairs;
use crate::design::{ArmPlan, Design, Role, Work};
use crate::inside::source::Source;
use crate::judge::crossover::{crossovers, pass_crossovers};
use crate::judge::effects::{effects, explained, spreads};
use crate::judge::summary::{per_page, summarise};
use crate::question::experiment::{Metric, Subject};
use crate::question::quantity::nanoseconds;
use crate::run::session::{Run, log_ratios};

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
    /// Where allocators turn from the program break to mappings.
    pub turning_points: Vec<TurningPoint>,
    /// Doubts.
    pub warnings: Vec<Warning>,
    /// The baseline against itself.
    pub placebo: Option<Placebo>,
    /// The time cap of the whole run.
    pub cap: Option<Duration>,
    /// Whether the factor memory was to be measured.
    pub cold_wanted: bool,
    /// The factor memory, if it was measured.
    pub cold: Option<ColdPairs>,
}

/// Puts everything together.
#[must_use]
pub fn assemble(design: &Design, run: Run, context: Context) -> LabResult {
    let comparisons = comparisons(design, &run);
    let (crossovers, pass_crossovers) = (crossovers(design, &comparisons), pass_crossovers(design, &comparisons));
    let (mut effects, spreads) = (effects(design, &run), spreads(design, &run.samples));
    let looks = run.looks.iter().map(|look| look.blocks as u64).collect();
    let (mut stopped, mut blocks, mut dropped) = (run.stopped, run.blocks.clone(), dropped(design, &run));
    let (mut arms, mut refused) = arms(design, run, &context);
    refused.splice(0..0, context.refused);
    let unmeasured = if context.cold_wanted && context.cold.is_none() { vec!["memory".to_owned()] } else { Vec::new() };
    if let Some(ColdPairs { design: pairs, mut run }) = context.cold {
        effects.extend(crate::judge::effects::effects(&pairs, &run));
        stopped = stopped.or(run.stopped.filter(|&stopped| stopped == Stopped::Interrupted));
        // Their blocks follow on the others'.
        let first = blocks.len() as u64;
        run.blocks.iter_mut().for_each(|block| block.block += first);
        run.samples.iter_mut().flatten().for_each(|sample| sample.block += first);
        for block in &mut run.dropped {
            block.block += first;
            block.samples.iter_mut().for_each(|(_, sample)| sample.block += first);
        }
        blocks.extend(run.blocks.clone());
        dropped.extend(self::dropped(&pairs, &run));
        for (plan, (samples, removal)) in pairs.arms.iter().zip(run.samples.into_iter().zip(run.removals)) {
            match removal {
                Some(removal) => refused.push(Refused {
                    arm: plan.name.clone(),
                    reason: removal.reason,
                    failed: removal.failed,
                    samples,
                }),
                None => arms.push(Arm { baseline: false, ..arm(plan, design.metric(), samples, None, None) }),
            }
        }
    }
    LabResult {
        schema: results::SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: context.started,
        elapsed_ns: context.elapsed_ns,
        seed: design.seed,
        stopped,
        machine: context.machine,
        warnings: context.warnings,
        experiment: experiment(design, context.cap),
        looks,
        arms,
        blocks,
        dropped,
        refused,
        comparisons,
        explained: design.experiment.reference.as_ref().map(|reference| explained(reference, &effects, unmeasured)),
        effects,
        spreads,
        crossovers,
        pass_crossovers,
        turning_points: context.turning_points,
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

/// Rows by name, each with the samples of all its points; and what left the run.
fn arms(design: &Design, run: Run, context: &Context) -> (Vec<Arm>, Vec<Refused>) {
    let (mut arms, mut refused): (Vec<Arm>, Vec<Refused>) = (Vec::new(), Vec::new());
    let (sweep, metric) = (design.points.len() > 1, design.metric());
    let outcomes = run.samples.into_iter().zip(run.removals).zip(&context.observed);
    for (index, (plan, ((samples, removal), (traps, observed)))) in design.arms.iter().zip(outcomes).enumerate() {
        if let Some(removal) = removal {
            let (arm, reason, failed) = (design.label(index), removal.reason, removal.failed);
            refused.push(Refused { arm, reason, failed, samples });
            continue;
        }
        let known = arms.iter().position(|arm| arm.name == plan.name);
        let place = known.unwrap_or_else(|| {
            let observed = if sweep { None } else { observed.clone() };
            arms.push(arm(plan, metric, Vec::new(), if sweep { None } else { *traps }, observed));
            arms.len() - 1
        });
        let row = &mut arms[place];
        if sweep {
            let work = &plan.work;
            // A pair is one, however large its object.
            let unit_bytes = if work.source.counts_pairs() { 1 } else { work.size_bytes };
            row.points.push(PointSummary {
                size_bytes: work.size_bytes,
                threads: work.threads,
                passes: design.sweeps_passes().then_some(u64::from(work.handling.passes)),
                observed: observed.clone(),
                operations: work.operations,
                traps: *traps,
                total_ns_per_page: per_page(&samples, Metric::Total, unit_bytes, context.machine.page_bytes),
                metric_ns_per_page: per_page(&samples, metric, unit_bytes, context.machine.page_bytes),
                summary: summary(&samples, metric, &plan.work),
            });
        } else {
            row.summary = summary(&samples, metric, &plan.work);
        }
        row.samples.extend(samples);
    }
    (arms, refused)
}

/// The samples of `work` in short. What is faulted in with the call is memory that was asked for, unless that is the buffer
/// of one who copies.
fn summary(samples: &[Sample], metric: Metric, work: &Work) -> Option<ArmSummary> {
    let mut summary = summarise(samples, metric, work.handling.touches_alike())?;
    let bill = &mut summary.bill;
    match work.source {
        Source::File(file) if file.copies() => (bill.populated_ns, bill.populated_pages) = (None, None),
        // A fault maps several pages of a file; a call that had any brought all of them.
        Source::File(_) if bill.populated_ns.is_some() => {
            let pages = work.size_bytes.div_ceil(page_bytes()).max(1) as f64;
            (bill.populated_ns, bill.populated_pages) = (Some(summary.median.obtain_ns / pages), Some(pages));
        }
        _ => {}
    }
    Some(summary)
}

/// What `work` is, in the words of an experiment.
fn arm_work(work: &Work) -> ArmWork {
    ArmWork {
        source: work.source.name().to_owned(),
        fill: work.fill,
        touch: work.handling.touch.name().to_owned(),
        order: work.handling.order.name().to_owned(),
        between: work.handling.between.name().to_owned(),
        passes: u64::from(work.handling.passes),
        cache: work.handling.cache.name().to_owned(),
        one_mapping: work.one_mapping,
        allocator: work.environment.allocator.as_ref().map(|allocator| allocator.name.clone()),
        environment: work.environment.variables.clone(),
    }
}

fn arm(plan: &ArmPlan, metric: Metric, samples: Vec<Sample>, traps: Option<f64>, observed: Option<Observed>) -> Arm {
    Arm {
        name: plan.name.clone(),
        baseline: plan.role == Role::Baseline,
        placebo: plan.role == Role::Placebo,
        work: Some(arm_work(&plan.work)),
        traps,
        observed,
        summary: summary(&samples, metric, &plan.work),
        points: Vec::new(),
        latencies: None,
        samples,
    }
}

fn dropped(design: &Design, run: &Run) -> Vec<Dropped> {
    let samples = |samples: &[(usize, Sample)]| {
        let named =
            |(arm, sample): &(usize, Sample)| ArmSample { arm: design.arms[*arm].name.clone(), sample: sample.clone() };
        samples.iter().map(named).collect()
    };
    run.dropped
        .iter()
        .map(|dropped| Dropped {
            block: dropped.block,
            reason: dropped.reason.clone(),
            samples: samples(&dropped.samples),
        })
        .collect()
}

fn experiment(design: &Design, cap: Option<Duration>) -> results::Experiment {
    let first = design.arms.first().map(|arm| &arm.work);
    let fill = match &design.experiment.subject {
        Subject::Arms { common, .. } => common.fill,
        Subject::Factors(factors) => factors.fill[1],
        Subject::Floors => crate::survey::FILL,
    };
    let distinct = |of: fn(&crate::design::Point) -> u64| {
        let mut values: Vec<u64> = design.points.iter().map(of).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let several = |values: Vec<u64>| if values.len() > 1 { values } else { Vec::new() };
    let threads = distinct(|point| point.threads);
    results::Experiment {
        name: design.experiment.name.clone(),
        file: design.experiment.file.clone(),
        question: design.experiment.question.clone(),
        metric: design.metric().name().to_owned(),
        margin: design.margin,
        size_bytes: design.points.first().map_or(0, |point| point.size_bytes),
        sizes_bytes: several(distinct(|point| point.size_bytes)),
        threads: if threads == [1] { Vec::new() } else { threads },
        passes: several(distinct(|point| u64::from(point.passes.unwrap_or(0)))),
        factors: design.factors.clone(),
        operations: first.map_or(0, |work| work.operations),
        fill,
        memory: design.memory.name().to_owned(),
        cpu: design.cpu,
        max_time_ns: cap.map(nanoseconds),
        asked_arms: Vec::new(),
        asked_passes: None,
        asked_directory: None,
        blocks: design.blocks,
    }
}

pub(crate) fn comparisons(design: &Design, run: &Run) -> Vec<Comparison> {
    let Some(look) = run.looks.last() else { return Vec::new() };
    // What one comparison may err, for estimators that know no looks.
    let alpha = look.alpha / design.contrasts.len().max(1) as f64;
    let comparison = |(contrast, estimate): (&crate::design::Contrast, &Option<Estimate>)| {
        let (None, Some(estimate), &[arm], &[baseline]) =
            (contrast.factor, estimate, &contrast.plus[..], &contrast.minus[..])
        else {
            return None;
        };
        let work = &design.arms[arm].work;
        Some(Comparison {
            arm: design.arms[arm].name.clone(),
            baseline: design.arms[baseline].name.clone(),
            metric: design.metric().name().to_owned(),
            size_bytes: work.size_bytes,
            threads: design.sweeps_threads().then_some(work.threads),
            passes: design.sweeps_passes().then_some(u64::from(work.handling.passes)),
            ratio: estimate.ratio,
            low: estimate.interval.map(|i| i.low),
            high: estimate.interval.map(|i| i.high),
            confidence: 1.0 - look.alpha,
            blocks: look.blocks as u64,
            verdict: verdict(estimate.verdict),
            smallest_detectable: estimate.smallest_detectable,
            sensitivity: Some(sensitivity(&log_ratios(design, &run.samples, contrast), alpha)),
        })
    };
    design.contrasts.iter().zip(&run.estimates).filter_map(comparison).collect()
}

/// The verdict as the file has it.
pub(crate) fn verdict(verdict: stats::Verdict) -> Verdict {
    match verdict {
        stats::Verdict::Equivalent => Verdict::Equivalent,
        stats::Verdict::Different => Verdict::Different,
        stats::Verdict::Inconclusive => Verdict::Inconclusive,
    }
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
