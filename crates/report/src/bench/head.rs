//! The first line of a screen: what was measured, how often, and for how long.

use results::{LabResult, Stopped};

use super::pairs;
use super::sweep::size_label;
use crate::number::{count, duration};
use crate::text::{BAD, BOLD, clean, hanging, styled};

pub(super) fn head(result: &LabResult, width: Option<usize>) -> String {
    let experiment = &result.experiment;
    let batch = match experiment.operations {
        0 | 1 => String::new(),
        n => {
            let what = if pairs::are_counted(result) { "pairs" } else { "live blocks" };
            format!(" x {} {what}", count(n as f64))
        }
    };
    let sizes = &experiment.sizes_bytes;
    let size = match (sizes.first(), sizes.last()) {
        (Some(first), Some(last)) => {
            format!("{} to {} ({} sizes)", size_label(*first), size_label(*last), sizes.len())
        }
        _ => format!("{}{batch}", size_label(experiment.size_bytes)),
    };
    let threads = match &experiment.threads[..] {
        [] => String::new(),
        [one] => format!(", {one} threads"),
        several => format!(
            ", {} threads",
            several.iter().map(u64::to_string).collect::<Vec<_>>().join(" / ")
        ),
    };
    let passes = match &experiment.passes[..] {
        [] => String::new(),
        several => format!(
            ", {} passes",
            several.iter().map(u64::to_string).collect::<Vec<_>>().join(" / ")
        ),
    };
    let points = result.arms.iter().map(|arm| arm.points.len()).max().unwrap_or(0).max(1);
    let done = counted(result);
    let arms = if experiment.factors.is_empty() {
        let at = if points > 1 { format!(" x {points} points") } else { String::new() };
        format!("{} arms{at}", result.arms.len())
    } else {
        format!("{} cells, one twice,", 1_u64 << experiment.factors.len().min(16))
    };
    let mut parts = vec![
        format!("{}, {size}{threads}{passes}", clean(&experiment.name)),
        format!("{arms} x {done} block{}", if done == 1 { "" } else { "s" }),
        format!("seed {}", result.seed),
        duration_short(result.elapsed_ns),
    ];
    if !result.dropped.is_empty() {
        parts.insert(2, format!("{} dropped", result.dropped.len()));
    }
    if experiment.memory == "cold" {
        parts.push("cold memory".to_owned());
    }
    if let Some(cpu) = experiment.cpu {
        parts.push(format!("cpu {cpu}"));
    }
    // A narrow terminal breaks the line between the parts only.
    let parts: Vec<String> = parts.iter().map(|part| part.replace(' ', "\u{a0}")).collect();
    let title = hanging("", &parts.join("    "), width).replace('\u{a0}', " ");
    let stopped = stop(result.stopped, super::next::is_open(result))
        .map(|why| format!("{}\n", styled(BAD, why)))
        .unwrap_or_default();
    format!("{}{stopped}", styled(BOLD, title.trim_end()) + "\n")
}

fn duration_short(ns: u64) -> String {
    if ns >= 1_000_000_000 { format!("{:.0} s", ns as f64 / 1e9) } else { duration(ns as f64) }
}

/// The blocks that count. The baseline is in each of them; the cold pairs of a factorial experiment
/// are not blocks.
fn counted(result: &LabResult) -> usize {
    let baseline = result.arms.iter().find(|arm| arm.baseline).or(result.arms.first());
    baseline.map_or(0, |arm| arm.samples.len() / arm.points.len().max(1))
}

/// What became of every block, where some were dropped.
pub(super) fn blocks(result: &LabResult) -> Option<String> {
    if result.dropped.is_empty() {
        return None;
    }
    // A reason begins with its kind: `steal: the hypervisor gave 9 % to others`.
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for dropped in &result.dropped {
        let kind = dropped.reason.split(':').next().unwrap_or_default();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, number)) => *number += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<String> =
        kinds.iter().map(|(kind, number)| format!("{number} {}", clean(kind))).collect();
    let (done, dropped) = (counted(result), result.dropped.len());
    let pairs = result.blocks.len().saturating_sub(done + dropped);
    let pairs = if pairs > 0 { format!(", {pairs} are cold pairs") } else { String::new() };
    Some(format!(
        "Of {} blocks {done} count{pairs}, and {dropped} were dropped: {}.",
        result.blocks.len().max(done + dropped),
        kinds.join(", ")
    ))
}

/// Why a run ended before everything was decided, if something `is_open`. A cap that left nothing
/// open stopped nothing.
pub(crate) fn stop(stopped: Option<Stopped>, is_open: bool) -> Option<&'static str> {
    Some(match stopped? {
        Stopped::TimeCap if !is_open => return None,
        Stopped::TimeCap => "stopped by the time cap",
        Stopped::Interrupted => "interrupted: this is what there was",
        Stopped::BaselineFailed => "stopped: the baseline failed, so nothing more can be compared",
    })
}
