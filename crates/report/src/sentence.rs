//! The answer in words.

use results::{Arm, Comparison, LabResult, Placebo, Verdict};

use crate::number::{bytes, count, decimals_for, duration, duration_range, percent};
use crate::text::clean;

/// `0.71x [0.70, 0.73]`, with as many digits as the interval supports.
pub(crate) fn ratio(ratio: f64, low: Option<f64>, high: Option<f64>) -> String {
    match low.zip(high) {
        Some((low, high)) => {
            let decimals = decimals_for(low, high);
            format!("{ratio:.decimals$}x [{low:.decimals$}, {high:.decimals$}]")
        }
        None => format!("{ratio:.2}x"),
    }
}

/// The verdict in a word.
pub(crate) fn verdict_word(comparison: &Comparison) -> &'static str {
    match comparison.verdict {
        Verdict::Equivalent => "same",
        Verdict::Inconclusive => "unclear",
        Verdict::Different if comparison.ratio < 1.0 => "faster",
        Verdict::Different => "slower",
    }
}

/// The same of the placebo.
pub(crate) fn placebo_word(placebo: &Placebo) -> &'static str {
    match placebo.trusted {
        Some(true) => "trusted",
        Some(false) => "UNTRUSTED",
        None => "unclear",
    }
}

/// How sure: `97 %`.
pub(crate) fn confidence(confidence: f64) -> String {
    let percent = (1000.0 * confidence).round() / 10.0;
    format!("{percent} %")
}

/// One sentence for each comparison; those that are the same share one.
pub(crate) fn verdicts(result: &LabResult) -> Vec<String> {
    let margin = percent(result.experiment.margin);
    let (same, others): (Vec<_>, Vec<_>) =
        result.comparisons.iter().partition(|comparison| comparison.verdict == Verdict::Equivalent);
    let mut sentences = Vec::new();
    if let Some(first) = same.first() {
        let names: Vec<String> = same.iter().map(|c| clean(&c.arm)).collect();
        sentences.push(format!(
            "{} and {} cost the same here: no difference larger than {margin}{}.",
            names.join(", "),
            clean(&first.baseline),
            small_differences(&same)
        ));
    }
    sentences.extend(others.iter().map(|comparison| match comparison.verdict {
        Verdict::Different => different(comparison, result),
        _ => unclear(comparison, &margin),
    }));
    sentences
}

/// Equivalence wins over difference, but a difference that was found is stated.
fn small_differences(same: &[&Comparison]) -> String {
    let found: Vec<String> = same
        .iter()
        .filter(|c| c.low.is_some_and(|low| low > 1.0) || c.high.is_some_and(|high| high < 1.0))
        .map(|c| format!("{} is {}", clean(&c.arm), ratio(c.ratio, c.low, c.high)))
        .collect();
    if found.is_empty() { String::new() } else { format!(" (a smaller one was found: {})", found.join(", ")) }
}

fn different(comparison: &Comparison, result: &LabResult) -> String {
    let times = if comparison.ratio < 0.5 {
        format!(" ({:.1} times as fast)", 1.0 / comparison.ratio)
    } else {
        String::new()
    };
    format!(
        "{} is {} of {}{times} ({} simultaneous CI, {} blocks, seed {}).",
        clean(&comparison.arm),
        ratio(comparison.ratio, comparison.low, comparison.high),
        clean(&comparison.baseline),
        confidence(comparison.confidence),
        comparison.blocks,
        result.seed
    )
}

fn unclear(comparison: &Comparison, margin: &str) -> String {
    let (arm, baseline) = (clean(&comparison.arm), clean(&comparison.baseline));
    match comparison.smallest_detectable {
        Some(smallest) => format!(
            "{arm} against {baseline} is unclear: {}; differences below {} could not have been seen, and the margin is {margin}.",
            ratio(comparison.ratio, comparison.low, comparison.high),
            percent(smallest)
        ),
        None => format!("{arm} against {baseline} is unclear: {} blocks are too few for an interval.", comparison.blocks),
    }
}

/// When the bill came, in groups of arms that tell the same story.
pub(crate) fn when_paid(result: &LabResult) -> Vec<String> {
    let arms = || result.arms.iter().filter(|arm| !arm.placebo);
    let after = |arm: &Arm| arm.summary.as_ref().map(|summary| summary.bill.after_call());
    let mostly_after: Vec<&Arm> = arms().filter(|arm| after(arm).is_some_and(|share| share >= 0.5)).collect();
    let mostly_in: Vec<&Arm> = arms().filter(|arm| after(arm).is_some_and(|share| share < 0.5)).collect();
    let least = |group: &[&Arm]| group.iter().filter_map(|arm| after(arm)).fold(1.0, f64::min);
    let mut sentences = Vec::new();
    if !mostly_after.is_empty() {
        sentences.push(format!(
            "{} of the bill of {} came after the call had returned{}.",
            percent(least(&mostly_after)),
            names(&mostly_after),
            if mostly_after.len() > 1 { " (the least of them)" } else { "" }
        ));
    }
    sentences.extend(mostly_in.iter().map(|arm| {
        let share = 1.0 - after(arm).unwrap_or_default();
        format!("{} paid {} of its bill in the call.", clean(&arm.name), percent(share))
    }));
    sentences
}

/// `mmap, malloc and calloc`.
fn names(arms: &[&Arm]) -> String {
    let names: Vec<String> = arms.iter().map(|arm| clean(&arm.name)).collect();
    match &names[..] {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        other => other.concat(),
    }
}

/// Where the memory of the allocator's arms came from, and what a fault of each arm is.
pub(crate) fn mechanisms(result: &LabResult) -> Vec<String> {
    let heap = result.arms.iter().find(|arm| arm.observed.as_ref().is_some_and(|o| o.allocator.is_some()));
    heap.and_then(|arm| Some(served(result, arm, arm.observed.as_ref()?))).into_iter().collect()
}

fn served(result: &LabResult, arm: &Arm, observed: &results::Observed) -> String {
    let batch = (result.experiment.size_bytes * result.experiment.operations) as f64;
    let library = observed.allocator.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or("?");
    let (by_break, by_mapping) = (observed.break_growth_bytes as f64, observed.mapped_growth_bytes as f64);
    let how = match (by_break >= 0.5 * batch, by_mapping >= 0.5 * batch) {
        (true, _) => format!("took {} by moving the program break", bytes(by_break)),
        (_, true) => format!("took {} by mmap, as the mmap arm does", bytes(by_mapping)),
        _ => format!("already had most of the {} (it took {} more)", bytes(batch), bytes(by_break + by_mapping)),
    };
    format!("{} ({}) {how}.", clean(&arm.name), clean(library))
}

/// What one fault, or one page of a populating call, took: `1.1-1.4 us a fault`.
pub(crate) fn unit_cost(arm: &Arm) -> String {
    let Some(bill) = arm.summary.as_ref().map(|summary| &summary.bill) else { return String::new() };
    match (bill.fault_ns_low.zip(bill.fault_ns_high), bill.populated_ns) {
        (Some((low, high)), _) => format!("{} a fault", duration_range(low, high)),
        (None, Some(ns)) => format!("{} a page", duration(ns)),
        (None, None) => String::new(),
    }
}

/// How many faults were trapped: perf's count, or else the kernel's for the process.
pub(crate) fn faults(arm: &Arm) -> String {
    match (arm.traps, &arm.summary) {
        (Some(traps), _) => count(traps),
        (None, Some(summary)) => format!("({})", count(summary.minor_faults)),
        (None, None) => "?".to_owned(),
    }
}
