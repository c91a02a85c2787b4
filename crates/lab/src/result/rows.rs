//! The rows of a result: one per arm, with the samples of all its points.

use results::{Arm, ArmSample, ArmWork, Dropped, Latencies, PointSummary, Refused, Sample};

use crate::design::work::Work;
use crate::design::{ArmPlan, Design, Role};
use crate::judge::summary::{per_page, summary};
use crate::question::experiment::Metric;
use crate::run::observe::ObservedArm;
use crate::run::{ColdPairs, Run};

/// Rows by name, each with the samples of all its points; and the arms that left the run.
pub(super) fn rows(
    design: &Design,
    run: Run,
    observed: &[ObservedArm],
    latencies: Vec<Option<Latencies>>,
    page_bytes: u64,
) -> (Vec<Arm>, Vec<Refused>) {
    let (mut arms, mut refused): (Vec<Arm>, Vec<Refused>) = (Vec::new(), Vec::new());
    let (sweep, metric) = (design.points.len() > 1, design.metric());
    let outcomes = run.samples.into_iter().zip(run.removals).zip(observed).zip(latencies);
    for (index, (plan, (((samples, removal), seen), latencies))) in
        design.arms.iter().zip(outcomes).enumerate()
    {
        if let Some(removal) = removal {
            let (arm, reason, failed) = (design.label(index), removal.reason, removal.failed);
            refused.push(Refused { arm, reason, failed, samples });
            continue;
        }
        let known = arms.iter().position(|arm| arm.name == plan.name);
        let place = known.unwrap_or_else(|| {
            arms.push(arm(plan, metric, Vec::new()));
            arms.len() - 1
        });
        let row = &mut arms[place];
        if sweep {
            let work = &plan.work;
            // A pair counts as one, whatever the size of its object.
            let unit_bytes = if work.source.counts_pairs() { 1 } else { work.size_bytes };
            row.points.push(PointSummary {
                size_bytes: work.size_bytes,
                threads: work.threads,
                passes: design.sweeps_passes().then_some(u64::from(work.pattern.passes)),
                observed: seen.observed.clone(),
                operations: work.operations,
                traps: seen.traps,
                total_ns_per_page: per_page(&samples, Metric::Total, unit_bytes, page_bytes),
                metric_ns_per_page: per_page(&samples, metric, unit_bytes, page_bytes),
                summary: summary(&samples, metric, &plan.work),
            });
        } else {
            row.summary = summary(&samples, metric, &plan.work);
            (row.traps, row.observed, row.latencies) =
                (seen.traps, seen.observed.clone(), latencies);
        }
        row.samples.extend(samples);
    }
    (arms, refused)
}

/// Adds the rows of the pairs of cold and warm samples, which have no baseline.
pub(super) fn add_pairs(arms: &mut Vec<Arm>, refused: &mut Vec<Refused>, pairs: ColdPairs) {
    let ColdPairs { design, run } = pairs;
    for (plan, (samples, removal)) in
        design.arms.iter().zip(run.samples.into_iter().zip(run.removals))
    {
        match removal {
            Some(removal) => refused.push(Refused {
                arm: plan.name.clone(),
                reason: removal.reason,
                failed: removal.failed,
                samples,
            }),
            None => arms.push(Arm { baseline: false, ..arm(plan, design.metric(), samples) }),
        }
    }
}

/// The row of an arm with `samples`.
fn arm(plan: &ArmPlan, metric: Metric, samples: Vec<Sample>) -> Arm {
    Arm {
        name: plan.name.clone(),
        baseline: plan.role == Role::Baseline,
        placebo: plan.role == Role::Placebo,
        work: Some(arm_work(&plan.work)),
        traps: None,
        observed: None,
        summary: summary(&samples, metric, &plan.work),
        points: Vec::new(),
        latencies: None,
        samples,
    }
}

/// `work` in the terms of an experiment.
fn arm_work(work: &Work) -> ArmWork {
    ArmWork {
        source: work.source.name().to_owned(),
        fill: work.fill,
        touch: work.pattern.touch.name().to_owned(),
        order: work.pattern.order.name().to_owned(),
        between: work.pattern.between.name().to_owned(),
        passes: u64::from(work.pattern.passes),
        cache: work.pattern.cache.name().to_owned(),
        one_mapping: work.one_mapping,
        allocator: work.environment.allocator.as_ref().map(|allocator| allocator.name.clone()),
        environment: work.environment.variables.clone(),
    }
}

/// The blocks that do not count.
pub(super) fn dropped(design: &Design, run: &Run) -> Vec<Dropped> {
    let samples = |samples: &[(usize, Sample)]| {
        let named = |(arm, sample): &(usize, Sample)| ArmSample {
            arm: design.arms[*arm].name.clone(),
            sample: sample.clone(),
        };
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
