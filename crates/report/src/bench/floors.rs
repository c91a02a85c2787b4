//! Arms as sums of floors, as text.

use results::{Explanation, FloorSummary, Floors, LabResult};

use crate::number::{TimeUnit, duration, percent};
use crate::text::clean;

/// A sentence for each explained arm, one for the floors that are in no sum, and their origin.
pub(super) fn sentences(result: &LabResult) -> Vec<String> {
    let Some(floors) = &result.floors else { return Vec::new() };
    let mut sentences: Vec<String> =
        result.explanations.iter().map(|e| explanation(e, result)).collect();
    sentences.extend(others(&floors.summary));
    sentences.extend(provenance(result, floors));
    sentences
}

/// `mmap: first touch 1.55 us a page = trap and zero page 0.45 + allocate and clear 0.85 + write
/// 0.03 + interruption 0.21; explained to 98 % [95 %, 102 %].`
fn explanation(explanation: &Explanation, result: &LabResult) -> String {
    let unit = TimeUnit::for_largest(explanation.measured_ns.max(explanation.sum_ns));
    // The same decimals for all, so that a reader can add them up.
    let decimals = if unit == TimeUnit::Nanoseconds { 0 } else { 2 };
    let time = |ns: f64| format!("{:.decimals$}", ns / unit.ns());
    let parts = explanation.parts.iter().filter(|part| time(part.ns_per_page.abs()) != time(0.0));
    let parts: Vec<String> =
        parts.map(|part| format!("{} {}", clean(&part.name), time(part.ns_per_page))).collect();
    let what =
        if explanation.metric == "total_ns" { "call and first touch" } else { "first touch" };
    let reaches = match (explanation.reaches, lazy(result)) {
        (Some(share), Some(lazy)) => {
            format!(" ({} of {}'s first touch)", percent(share), clean(lazy))
        }
        _ => String::new(),
    };
    if explanation.adds_up.is_none() {
        return format!(
            "{}: {what} {} {} a page{reaches}; {}.",
            clean(&explanation.arm),
            time(explanation.measured_ns),
            unit.name(),
            explained(explanation)
        );
    }
    let equals = if explanation.adds_up == Some(true) { " =" } else { ":" };
    format!(
        "{}: {what} {} {} a page{reaches}{equals} {}; {}.",
        clean(&explanation.arm),
        time(explanation.measured_ns),
        unit.name(),
        parts.join(" + "),
        explained(explanation)
    )
}

/// How much of what was measured the parts account for: `explained to 97 % [95 %, 99 %]`.
fn explained(explanation: &Explanation) -> String {
    let share = percent(explanation.ratio);
    let Some((low, high)) = explanation.low.zip(explanation.high) else {
        return format!(
            "too few blocks have floors ({}) to explain it by its parts",
            explanation.blocks
        );
    };
    let bounds = format!("[{}, {}]", percent(low), percent(high));
    match explanation.adds_up {
        None => format!("its parts make {share} {bounds} of it: too uncertain to explain it"),
        Some(_) => format!("explained to {share} {bounds}"),
    }
}

/// The first arm whose pages come one by one at first touch: other arms are a share of it.
fn lazy(result: &LabResult) -> Option<&str> {
    let first =
        result.explanations.iter().find(|e| e.reaches.is_none() && e.metric == "first_touch_ns")?;
    Some(&first.arm)
}

/// The floors that are in no sum.
fn others(summary: &FloorSummary) -> Option<String> {
    let floor = |name: &str, ns: Option<f64>, per: &str| {
        ns.map(|ns| format!("{name} {}{per}", duration(ns)))
    };
    let found: Vec<String> = [
        floor("clock", summary.timer_ns, ""),
        floor("syscall", summary.syscall_ns, ""),
        floor("mmap", summary.map_ns, ""),
        floor("munmap untouched", summary.unmap_ns, ""),
        floor("munmap touched", summary.release_ns, " a page"),
        floor("writing again", summary.rewrite_ns, " a page"),
        floor("2 MiB fault", summary.huge_fault_ns, " a small page"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!found.is_empty()).then(|| format!("Other floors: {}.", found.join(", ")))
}

/// Where the floors are from, and why some are missing.
fn provenance(result: &LabResult, floors: &Floors) -> Vec<String> {
    let mut sentences = Vec::new();
    let level = result
        .explanations
        .iter()
        .find(|e| e.low.is_some())
        .map(|e| format!(", each interval at {}", percent(e.confidence)));
    if !floors.samples.is_empty() {
        sentences.push(format!(
            "The parts are floors, measured in other processes beside {} of {} blocks; these first \
             touches and shares are medians over those blocks{}.",
            floors.samples.len(),
            result.blocks.len().max(floors.samples.len()),
            level.unwrap_or_default()
        ));
    }
    let invalid = floors.invalid.iter();
    sentences
        .extend(invalid.map(|i| format!("No floor {}: {}.", clean(&i.floor), clean(&i.reason))));
    sentences.extend(
        floors
            .failed
            .iter()
            .map(|reason| format!("Measuring the floors failed: {}.", clean(reason))),
    );
    sentences
}
