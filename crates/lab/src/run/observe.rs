//! The observed runs: each arm once, untimed, before anything counts.

use results::{Observed, Refused, Sample};
use sample::measurement::Measurement;
use sample::source::Source;
use sys::limits::page_bytes;

use crate::design::error::BenchError;
use crate::design::work::Work;
use crate::design::{ArmPlan, Design};
use crate::run::children::Children;
use crate::run::policy_check::policy_took_effect;

/// The result of the observed run of an arm.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObservedArm {
    /// Faults taken in user mode per block of memory.
    pub traps: Option<f64>,
    /// The origin of the memory.
    pub observed: Option<Observed>,
    /// A warning about what could not be observed.
    pub warning: Option<results::Warning>,
}

/// Runs each arm once. Returns the design without the arms whose policy did not take effect, the
/// observations of the others, and the reasons.
///
/// # Errors
/// If the user interrupted the run, or if no point with a baseline is left.
pub(crate) fn observe(
    design: &Design,
    children: &mut Children,
    mut watch: impl FnMut(String),
) -> Result<(Design, Vec<ObservedArm>, Vec<Refused>), BenchError> {
    let (mut gone, mut observations, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (index, arm) in design.arms.iter().enumerate() {
        watch(design.label(index));
        match look(arm, children)? {
            Ok(observation) => observations.push(Some(observation)),
            Err((reason, failed)) => {
                gone.push(index);
                observations.push(None);
                refused.push(Refused {
                    arm: design.label(index),
                    reason,
                    failed,
                    samples: Vec::new(),
                });
            }
        }
    }
    let left = design.without(&gone);
    if left.arms.is_empty() {
        let essential = gone.iter().position(|&arm| design.essential(arm)).unwrap_or(0);
        let Refused { reason, .. } = refused.swap_remove(essential);
        return Err(BenchError::Baseline { arm: design.essential_name(gone[essential]), reason });
    }
    let kept = |arm: &ArmPlan| {
        left.arms.iter().any(|other| other.name == arm.name && other.work == arm.work)
    };
    let observations = design
        .arms
        .iter()
        .zip(observations)
        .filter(|(arm, _)| kept(arm))
        .map(|(_, seen)| seen.unwrap_or_default());
    let observations = observations.collect();
    Ok((left, observations, refused))
}

/// One arm: its observations, or why it must leave the run and whether it failed.
fn look(
    arm: &ArmPlan,
    children: &mut Children,
) -> Result<Result<ObservedArm, (String, bool)>, BenchError> {
    if let Err(reason) = children.preloaded(&arm.work.environment) {
        return Ok(Err((reason, false)));
    }
    if let Err(reason) = children.file_for(&arm.work) {
        return Ok(Err((reason, false)));
    }
    match children.observe(&arm.work) {
        Ok(None) => Err(BenchError::Interrupted),
        Ok(Some((measurement, sample))) => Ok(policy_took_effect(&arm.work, &sample)
            .map(|()| observation(arm, measurement, &sample))
            .map_err(|reason| (reason, false))),
        Err(reason) => Ok(Err((reason, true))),
    }
}

fn observation(arm: &ArmPlan, measurement: Measurement, sample: &Sample) -> ObservedArm {
    let Some(seen) = measurement.observation else { return ObservedArm::default() };
    let warning = seen.traps.as_ref().err().map(|errno| results::Warning {
        id: "perf-refused".to_owned(),
        message: format!(
            "perf could not count page faults ({errno}; see /proc/sys/kernel/perf_event_paranoid, \
             2 allows it): faults are the kernel's count for the process instead"
        ),
        arms: Vec::new(),
    });
    ObservedArm {
        traps: seen.traps.ok().map(|traps| traps as f64 / arm.work.operations as f64),
        observed: Some(Observed {
            allocator: measurement.allocator,
            break_growth_bytes: seen.break_growth_bytes,
            mapped_growth_bytes: seen.mapped_growth_bytes,
            resident_after_obtain_bytes: seen.resident_after_obtain_bytes,
            cached_before_bytes: sample.cached_before_bytes,
            cached_after_bytes: sample.cached_after_bytes,
            pages_per_fault: pages_per_fault(&arm.work, sample),
            pages_per_wait: pages_per_wait(sample),
        }),
        warning,
    }
}

/// Pages of a mapped file that one fault of the first touch mapped: more than one if the kernel
/// also maps the cached pages around it (`fault_around_bytes`, `mm/memory.c`).
fn pages_per_fault(work: &Work, sample: &Sample) -> Option<f64> {
    let faults = sample.first_touch_minor_faults + sample.first_touch_major_faults;
    let mapped = matches!(work.source, Source::File(file) if !file.copies());
    let pages = work.size_bytes.div_ceil(page_bytes()) * work.operations;
    (mapped && faults > 0).then(|| pages as f64 / faults as f64)
}

/// Pages read into the cache for each fault that waited for the disk: more than one if the kernel
/// reads ahead.
fn pages_per_wait(sample: &Sample) -> Option<f64> {
    let waits = sample.first_touch_major_faults;
    let came =
        sample.cached_after_bytes?.saturating_sub(sample.cached_before_bytes?) / page_bytes();
    (waits > 0).then(|| came as f64 / waits as f64)
}
