//! The answer in words.

use results::{Arm, Comparison, LabResult, Observed, Placebo, Verdict};

use crate::answer::baselines;
use crate::number::{bytes, count, decimals_for, duration, duration_range, percent};
use crate::text::{clean, list};

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
    word(comparison.verdict, comparison.ratio)
}

/// The verdict on a ratio of times in a word.
pub(crate) fn word(verdict: Verdict, ratio: f64) -> &'static str {
    match verdict {
        Verdict::Equivalent => "same",
        Verdict::Inconclusive => "unclear",
        Verdict::Different if ratio < 1.0 => "faster",
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
    for baseline in baselines(result) {
        let same: Vec<&Comparison> =
            same.iter().copied().filter(|c| c.baseline == baseline).collect();
        if same.is_empty() {
            continue;
        }
        let names: Vec<String> = same.iter().map(|c| clean(&c.arm)).collect();
        sentences.push(format!(
            "{} and {} cost the same here: no difference larger than {margin}{}.",
            list(&names),
            clean(baseline),
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
    if found.is_empty() {
        String::new()
    } else {
        format!(" (a smaller one was found: {})", found.join(", "))
    }
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
            "{arm} against {baseline} is unclear: {} reaches both sides of 1 and further than {margin}; the smallest effect \
             that this run could have told from none is {}.",
            ratio(comparison.ratio, comparison.low, comparison.high),
            percent(smallest)
        ),
        None => format!(
            "{arm} against {baseline} is unclear: too few blocks for an interval ({}).",
            comparison.blocks
        ),
    }
}

/// How each arm's memory was served, where there is something to tell, and when the bills were
/// paid.
pub(crate) fn reasons(result: &LabResult) -> Vec<String> {
    let arms = || result.arms.iter().filter(|arm| !arm.placebo);
    let Some(baseline) = arms().find(|arm| arm.baseline) else { return Vec::new() };
    let mut sentences: Vec<String> =
        arms().filter_map(|arm| served_by_allocator(arm, result)).collect();
    let mut told: Vec<String> = Vec::new();
    // Arms that were served alike by the same library are told of once.
    sentences.retain(|sentence| {
        let how = sentence.split_once(" (").map_or(String::new(), |(_, how)| how.to_owned());
        let new = !told.contains(&how);
        told.push(how);
        new
    });
    sentences.extend(arms().filter_map(in_the_call));
    sentences.extend(arms().filter_map(|arm| fewer_faults(arm, baseline)));
    sentences.extend(pages_of_files(result));
    sentences.extend(paid_later(result));
    sentences
}

/// What the kernel does for more than the page that was asked for: it maps around a fault, and
/// reads ahead.
fn pages_of_files(result: &LabResult) -> Option<String> {
    let grouped =
        |figure: fn(&Observed) -> Option<f64>| {
            let shown = result.arms.iter().filter(|arm| !arm.placebo);
            groups(shown.filter_map(|arm| {
                Some((number(figure(arm.observed.as_ref()?)?), clean(&arm.name)))
            }))
        };
    let (mapped, read) =
        (grouped(|seen| seen.pages_per_fault), grouped(|seen| seen.pages_per_wait));
    let parts: Vec<String> = [
        (!mapped.is_empty()).then(|| format!("one fault mapped {mapped}")),
        (!read.is_empty()).then(|| format!("one wait for the disk brought in {read}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| format!("Pages of a file: {}.", parts.join("; ")))
}

/// A number of pages: whole ones as such.
fn number(pages: f64) -> String {
    if pages < 9.95 { format!("{pages:.1}") } else { count(pages) }
}

/// `0.5 (a, b), 16 (c)`: names that share a figure stand together, in the order of their first.
fn groups(figures: impl Iterator<Item = (String, String)>) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (figure, name) in figures {
        match groups.iter_mut().find(|(other, _)| *other == figure) {
            Some((_, names)) => names.push(name),
            None => groups.push((figure, vec![name])),
        }
    }
    let groups: Vec<String> =
        groups.iter().map(|(figure, names)| format!("{figure} ({})", list(names))).collect();
    groups.join(", ")
}

/// Where an allocator's memory came from.
fn served_by_allocator(arm: &Arm, result: &LabResult) -> Option<String> {
    let observed = arm.observed.as_ref().filter(|observed| observed.allocator.is_some())?;
    if !result.experiment.threads.is_empty() {
        return None; // stacks and arenas of the threads are in the growth too
    }
    let batch = (result.experiment.size_bytes.saturating_mul(result.experiment.operations)) as f64;
    let library =
        observed.allocator.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or("?");
    let (by_break, by_mapping) =
        (observed.break_growth_bytes as f64, observed.mapped_growth_bytes as f64);
    let how = match (by_break >= 0.5 * batch, by_mapping >= 0.5 * batch) {
        (true, _) => format!("took {} by moving the program break", bytes(by_break)),
        (_, true) => format!("took {} by mapping it", bytes(by_mapping)),
        _ => format!(
            "already had most of the {} (it took {} more)",
            bytes(batch),
            bytes(by_break + by_mapping)
        ),
    };
    Some(format!("{} ({}) {how}.", clean(&arm.name), clean(library)))
}

/// An arm whose pages came with the call.
fn in_the_call(arm: &Arm) -> Option<String> {
    let summary = arm.summary.as_ref()?;
    let page = summary.bill.populated_ns?;
    let (name, pages) = (
        clean(&arm.name),
        count(summary.bill.populated_pages.unwrap_or(summary.minor_faults_in_call)),
    );
    let trapped = arm.traps.is_some_and(|traps| traps >= 0.5 * summary.minor_faults_in_call);
    let how =
        if trapped { "because the allocator writes to them itself" } else { "without a trap" };
    Some(format!(
        "{name} had {pages} pages brought in during the call, {how}: {} a page.",
        duration(page)
    ))
}

/// An arm that needs far fewer faults for the same memory.
fn fewer_faults(arm: &Arm, baseline: &Arm) -> Option<String> {
    let faults = |arm: &Arm| arm.summary.as_ref().map(|summary| summary.minor_faults);
    let (own, others) = (faults(arm)?, faults(baseline)?);
    let huge = arm.summary.as_ref()?.huge_bytes.filter(|bytes| *bytes > 0.0)?;
    (own * 4.0 < others).then(|| {
        let name = clean(&arm.name);
        format!(
            "{name} took {} faults instead of {}: {} came in huge pages.",
            count(own),
            count(others),
            bytes(huge)
        )
    })
}

/// When the bills were paid; arms that paid alike share a place.
fn paid_later(result: &LabResult) -> Option<String> {
    let arms = result.arms.iter().filter(|arm| !arm.placebo);
    let shares: Option<Vec<(String, String)>> = arms
        .map(|arm| Some((percent(arm.summary.as_ref()?.bill.after_call()), clean(&arm.name))))
        .collect();
    Some(format!(
        "Share of the bill that came after the call had returned: {}.",
        groups(shares?.into_iter())
    ))
}

/// What one fault, or one page of a populating call, took: `1.1-1.4 us a fault`.
pub(crate) fn unit_cost(arm: &Arm) -> String {
    let Some(bill) = arm.summary.as_ref().map(|summary| &summary.bill) else {
        return String::new();
    };
    match (bill.fault_ns_low, bill.fault_ns_high, bill.populated_ns) {
        (Some(low), Some(high), _) => format!("{} a fault", duration_range(low, high)),
        (None, Some(high), _) => format!("up to {} a fault", duration(high)),
        (_, None, Some(ns)) => format!("{} a page", duration(ns)),
        (_, None, None) => String::new(),
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
