//! Why the times are what they are: faults, pages populated by calls, and how an allocator served
//! its arm.

use results::{Arm, Comparison, LabResult, Observed, Verdict};

use super::bill;
use crate::number::{bytes, count, duration, percent};
use crate::text::{clean, list};

/// A default screen shows no more reasons than this.
const BRIEF_SENTENCES_MAX: usize = 3;

/// The reasons that matter most: the baseline's, those of the arms at both ends, and how malloc
/// got its memory.
pub(super) fn in_brief(result: &LabResult) -> Vec<String> {
    let arms = || result.arms.iter().filter(|arm| !arm.placebo);
    let Some(baseline) = arms().find(|arm| arm.baseline) else { return Vec::new() };
    let ends = ends(result);
    let of_an_end = |arm: &Arm| fewer_faults(arm, baseline).or_else(|| in_the_call(arm));
    let mut sentences: Vec<String> = of_the_baseline(baseline).into_iter().collect();
    sentences.extend(
        arms()
            .filter(|arm| !arm.baseline && ends.contains(&arm.name.as_str()))
            .filter_map(of_an_end),
    );
    sentences.extend(served(result).into_iter().take(1));
    sentences.extend(pages_of_files(result));
    sentences.truncate(BRIEF_SENTENCES_MAX);
    sentences
}

/// Every reason that was observed, arm by arm.
pub(super) fn in_full(result: &LabResult) -> Vec<String> {
    let arms = || result.arms.iter().filter(|arm| !arm.placebo);
    let Some(baseline) = arms().find(|arm| arm.baseline) else { return Vec::new() };
    let mut sentences = served(result);
    sentences.extend(arms().filter_map(in_the_call));
    sentences.extend(arms().filter_map(|arm| fewer_faults(arm, baseline)));
    sentences.extend(pages_of_files(result));
    sentences.extend(paid_later(result));
    sentences
}

/// The arms that differ from the baseline the most, one in each direction.
fn ends(result: &LabResult) -> Vec<&str> {
    let different = || result.comparisons.iter().filter(|c| c.verdict == Verdict::Different);
    let by_ratio = |a: &&Comparison, b: &&Comparison| a.ratio.total_cmp(&b.ratio);
    let fastest = different().filter(|c| c.ratio < 1.0).min_by(by_ratio);
    let slowest = different().filter(|c| c.ratio > 1.0).max_by(by_ratio);
    fastest.into_iter().chain(slowest).map(|comparison| comparison.arm.as_str()).collect()
}

/// The faults that the baseline pays for, and the share of the call.
fn of_the_baseline(arm: &Arm) -> Option<String> {
    let summary = arm.summary.as_ref()?;
    if summary.bill.populated_ns.is_some() {
        return in_the_call(arm);
    }
    let cost = bill::fault_cost(&summary.bill)?;
    Some(format!(
        "{} takes {} page faults of {cost}; the call is {} of its cost.",
        clean(&arm.name),
        bill::faults_taken(arm),
        percent(summary.bill.in_call)
    ))
}

/// How allocators got their memory. Arms that one library served alike share the first one's
/// sentence.
fn served(result: &LabResult) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    let mut sentences = Vec::new();
    for arm in result.arms.iter().filter(|arm| !arm.placebo) {
        let Some(how) = served_by_allocator(arm, result) else { continue };
        if !known.contains(&how) {
            sentences.push(format!("{} {how}", clean(&arm.name)));
            known.push(how);
        }
    }
    sentences
}

/// Pages that the kernel brings in beyond the one that was asked for: it maps around a fault, and
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

/// A number of pages, with a fraction only where it is small.
fn number(pages: f64) -> String {
    if pages < 9.95 { format!("{pages:.1}") } else { count(pages) }
}

/// `0.5 (a, b), 16 (c)`: names with the same figure share a group, in the order of their first.
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

/// Where an allocator's memory came from: `(libc.so.6) got 100 MiB by mapping memory.`
fn served_by_allocator(arm: &Arm, result: &LabResult) -> Option<String> {
    let observed = arm.observed.as_ref().filter(|observed| observed.allocator.is_some())?;
    if !result.experiment.threads.is_empty() {
        return None; // stacks and arenas of the threads are in the growth too
    }
    let experiment = &result.experiment;
    let batch = experiment.size_bytes.saturating_mul(experiment.operations) as f64;
    let blocks = match experiment.operations {
        0 | 1 => bytes(batch),
        n => format!("{} blocks of {}", count(n as f64), bytes(experiment.size_bytes as f64)),
    };
    let path = observed.allocator.as_deref();
    let library = path.and_then(|path| path.rsplit('/').next()).unwrap_or("?");
    let (by_break, by_mapping) =
        (observed.break_growth_bytes as f64, observed.mapped_growth_bytes as f64);
    let how = match (by_break >= 0.5 * batch, by_mapping >= 0.5 * batch) {
        (true, _) => format!("got {blocks} by moving the program break"),
        (_, true) => format!("got {blocks} by mapping memory"),
        _ => format!(
            "reused memory for most of {blocks}: it got only {} more",
            bytes(by_break + by_mapping)
        ),
    };
    Some(format!("({}) {how}.", clean(library)))
}

/// An arm whose pages came with the call.
fn in_the_call(arm: &Arm) -> Option<String> {
    let summary = arm.summary.as_ref()?;
    let page = summary.bill.populated_ns?;
    let pages = summary.bill.populated_pages.unwrap_or(summary.minor_faults_in_call);
    let by_faults = arm.traps.is_some_and(|taken| taken >= 0.5 * summary.minor_faults_in_call);
    let how = if by_faults {
        "they are written there, with page faults"
    } else {
        "the kernel populates them, without page faults"
    };
    Some(format!(
        "{} gets {} pages within the call at {} a page: {how}.",
        clean(&arm.name),
        count(pages),
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
            "{name} takes {} page faults instead of {}: {} in huge pages.",
            count(own),
            count(others),
            bytes(huge)
        )
    })
}

/// The share of each bill that comes after the call.
fn paid_later(result: &LabResult) -> Option<String> {
    let arms = result.arms.iter().filter(|arm| !arm.placebo);
    let shares: Option<Vec<(String, String)>> = arms
        .map(|arm| Some((percent(arm.summary.as_ref()?.bill.after_call()), clean(&arm.name))))
        .collect();
    Some(format!(
        "Share of the bill that comes after the call has returned: {}.",
        groups(shares?.into_iter())
    ))
}
