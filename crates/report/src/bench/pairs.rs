//! Runs that time pairs of malloc and free: the cost of a pair, and the allocator with the least.

use results::{Arm, Comparison, LabResult, Verdict};

use super::{arms, forest, lines};
use crate::number::{digits, duration, fixed};
use crate::text::clean;
use crate::view::View;

/// Whether the run times pairs. Either all of its arms do, or none.
pub(crate) fn are_counted(result: &LabResult) -> bool {
    result.arms.iter().any(|arm| arm.work.as_ref().is_some_and(results::ArmWork::counts_pairs))
}

/// The table and the plot below the answer.
pub(super) fn paragraphs(result: &LabResult, view: View) -> Vec<String> {
    let mut paragraphs = vec![arms::table_of_arms(result, view), forest::plot(result, view)];
    if view.verbose {
        paragraphs.push(lines(&what_they_are(result), view));
    }
    paragraphs
}

/// The cost of a pair, and, where other allocators were measured, which of them is the cheapest for
/// which workload.
pub(super) fn answers(result: &LabResult) -> Vec<String> {
    let own: Vec<&Arm> =
        result.arms.iter().filter(|arm| !arm.placebo && allocator(arm).is_none()).collect();
    let mut sentences: Vec<String> = costs(&own).into_iter().collect();
    let mut cheapest: Vec<(String, Vec<String>)> = Vec::new();
    let mut unbeaten: Vec<String> = Vec::new();
    for arm in own {
        let rivals = rivals(result, arm);
        match self::cheapest(&rivals) {
            Some((allocator, ratio)) => {
                let workload = format!("{} ({}x)", clean(&arm.name), fixed(ratio, 2));
                match cheapest.iter_mut().find(|(other, _)| other == allocator) {
                    Some((_, workloads)) => workloads.push(workload),
                    None => cheapest.push((allocator.to_owned(), vec![workload])),
                }
            }
            None if !rivals.is_empty() => unbeaten.push(clean(&arm.name)),
            None => {}
        }
    }
    if cheapest.is_empty() {
        let measured = (!unbeaten.is_empty()).then_some("No other allocator is certainly faster.");
        sentences.extend(measured.map(str::to_owned));
        return sentences;
    }
    let mut parts: Vec<String> = cheapest
        .iter()
        .map(|(allocator, workloads)| format!("{} for {}", clean(allocator), workloads.join(", ")))
        .collect();
    if !unbeaten.is_empty() {
        parts.push(format!("none for {}", unbeaten.join(", ")));
    }
    sentences.push(format!("The fastest of the others: {}.", parts.join("; ")));
    sentences
}

/// The range of costs of a pair under the process's own allocator.
fn costs(own: &[&Arm]) -> Option<String> {
    let mut costs: Vec<(f64, String)> = own
        .iter()
        .filter_map(|arm| Some((arm.summary.as_ref()?.median.metric_ns, clean(&arm.name))))
        .collect();
    costs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let told = |(ns, name): &(f64, String)| format!("{} ({name})", duration(*ns));
    let (first, last) = (costs.first()?, costs.last()?);
    let range = if costs.len() > 1 { told(first) + " to " + &told(last) } else { told(first) };
    let library = own.iter().find_map(|arm| library(arm));
    let library = library.unwrap_or_else(|| "the process's allocator".to_owned());
    Some(format!("A pair of malloc and free takes {range} with {library}."))
}

/// The next command: other allocators, unless some were measured.
pub(super) fn next(result: &LabResult) -> Option<String> {
    let others = result.arms.iter().any(|arm| allocator(arm).is_some());
    let other = super::next::allocator(result).filter(|_| are_counted(result) && !others)?;
    Some(format!("firsttouch bench small-objects --allocator {other}    (another allocator too)"))
}

/// The allocator that was asked for.
fn allocator(arm: &Arm) -> Option<&str> {
    arm.work.as_ref()?.allocator.as_deref()
}

/// The file name of the library that an arm's malloc came from.
fn library(arm: &Arm) -> Option<String> {
    arm.observed.as_ref()?.allocator.as_deref()?.rsplit('/').next().map(clean)
}

/// The allocators that were measured beside `arm`, each with its comparison.
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

/// The faster rival with the smallest ratio. It need not differ from the other rivals: they are
/// compared with the arm, not with each other.
fn cheapest<'a>(rivals: &[(&'a str, &Comparison)]) -> Option<(&'a str, f64)> {
    let faster = rivals.iter().filter(|(_, c)| c.verdict == Verdict::Different && c.ratio < 1.0);
    let (allocator, comparison) = faster.min_by(|(_, a), (_, b)| a.ratio.total_cmp(&b.ratio))?;
    Some((allocator, comparison.ratio))
}

/// The steps that a pair's time includes.
fn what_they_are(result: &LabResult) -> Vec<String> {
    let faults =
        result.arms.iter().filter(|arm| !arm.placebo).filter_map(|arm| arm.summary.as_ref());
    let most = faults.map(|summary| summary.minor_faults * 1000.0).fold(0.0, f64::max);
    vec![format!(
        "A pair is malloc, a write to both ends of the object, a read of both, and free. \
         small-larson and small-exchange hand objects over, so they need two threads at least; \
         a pair's time is then the time of all threads over the pairs of all. A thousand pairs \
         took at most {} page faults.",
        digits(most, 2)
    )]
}
