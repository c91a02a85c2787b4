//! Runs whose arms are pairs of malloc and free of small objects: what a pair costs, and with which
//! allocator least.

use results::{Arm, Comparison, LabResult, Verdict};

use crate::number::{digits, duration};
use crate::sentence;
use crate::text::clean;

/// Whether the run counts pairs. Arms that do are compared with nothing else.
pub(crate) fn are_counted(result: &LabResult) -> bool {
    result.arms.iter().any(|arm| arm.work.as_ref().is_some_and(results::ArmWork::counts_pairs))
}

/// What a pair took, and, where other allocators were measured, whose is the cheapest.
pub(crate) fn answer(result: &LabResult) -> Vec<String> {
    let own: Vec<&Arm> =
        result.arms.iter().filter(|arm| !arm.placebo && allocator(arm).is_none()).collect();
    let costs: Vec<String> = own
        .iter()
        .filter_map(|arm| {
            Some(format!(
                "{} ({})",
                duration(arm.summary.as_ref()?.median.metric_ns),
                clean(&arm.name)
            ))
        })
        .collect();
    let mut sentences = Vec::new();
    if !costs.is_empty() {
        sentences.push(format!(
            "A pair of malloc and free took {} with {}.",
            costs.join(", "),
            own.iter()
                .find_map(|arm| library(arm))
                .unwrap_or_else(|| "the process's allocator".to_owned())
        ));
    }
    let rivalled = || {
        own.iter().map(|arm| (clean(&arm.name), rivals(result, arm))).filter(|(_, r)| !r.is_empty())
    };
    let cheapest: Vec<String> = rivalled()
        .filter_map(|(name, rivals)| Some(format!("{name} with {}", cheapest(&rivals)?)))
        .collect();
    if !cheapest.is_empty() {
        sentences.push(format!("Cheapest: {}.", cheapest.join("; ")));
    }
    let unbeaten: Vec<String> = rivalled()
        .filter(|(_, rivals)| self::cheapest(rivals).is_none())
        .map(|(name, _)| name)
        .collect();
    if !unbeaten.is_empty() {
        sentences
            .push(format!("No other allocator was faster for certain at {}.", unbeaten.join(", ")));
    }
    sentences
}

/// What to run next: other allocators, unless some were measured.
pub(crate) fn next(result: &LabResult) -> Option<String> {
    let others = result.arms.iter().any(|arm| allocator(arm).is_some());
    (are_counted(result) && !others).then(|| {
        "firsttouch bench small-objects --allocator jemalloc    (each workload under another allocator too)".to_owned()
    })
}

/// The allocator that was asked for.
fn allocator(arm: &Arm) -> Option<&str> {
    arm.work.as_ref()?.allocator.as_deref()
}

/// The file name of the library that an arm's malloc came from.
fn library(arm: &Arm) -> Option<String> {
    arm.observed.as_ref()?.allocator.as_deref()?.rsplit('/').next().map(clean)
}

/// The allocators that were measured beside `arm`, with what came of it.
fn rivals<'a>(result: &'a LabResult, arm: &Arm) -> Vec<(&'a str, &'a Comparison)> {
    let under = |comparison: &Comparison| {
        let other = result.arms.iter().find(|other| other.name == comparison.arm)?;
        (comparison.baseline == arm.name).then(|| allocator(other)).flatten()
    };
    result
        .comparisons
        .iter()
        .filter_map(|comparison| Some((under(comparison)?, comparison)))
        .collect()
}

/// The rival with the smallest ratio of those that are faster. That they differ among each other is
/// not said, since they were not compared.
fn cheapest(rivals: &[(&str, &Comparison)]) -> Option<String> {
    let faster = rivals.iter().filter(|(_, c)| c.verdict == Verdict::Different && c.ratio < 1.0);
    let (allocator, comparison) = faster.min_by(|(_, a), (_, b)| a.ratio.total_cmp(&b.ratio))?;
    let ratio = sentence::ratio(comparison.ratio, comparison.low, comparison.high);
    Some(format!("{} ({ratio})", clean(allocator)))
}

/// What is in the time of a pair.
pub(crate) fn what_they_are(result: &LabResult) -> Vec<String> {
    let faults =
        result.arms.iter().filter(|arm| !arm.placebo).filter_map(|arm| arm.summary.as_ref());
    let most = faults.map(|summary| summary.minor_faults * 1000.0).fold(0.0, f64::max);
    vec![format!(
        "A pair is malloc, a write to both ends of the object, reading them again, and free. Handing objects over takes two \
         threads at least (small-larson, small-exchange); then a pair is the time of all over the pairs of all. At most {} \
         page faults came with a thousand pairs.",
        digits(most, 2)
    )]
}
