//! What the tables and pictures of a program's comparison share: words for metrics, verdicts, and
//! what the run was.

use results::compare::ProgramResult;
use results::{Comparison, Stopped, Verdict};

use crate::bench::verdict;
use crate::number::{bytes, count, digits, duration, percent};
use crate::text::{clean, typed};

/// The file name of the program, without its folder; of a line for a shell, its first word.
pub(super) fn name(result: &ProgramResult) -> &str {
    let first = result.experiment.command.first().map_or("", String::as_str);
    let word = if result.experiment.shell {
        first.split_whitespace().next().unwrap_or_default()
    } else {
        first
    };
    word.rsplit('/').next().unwrap_or_default()
}

/// The command as it is typed.
pub(super) fn command(words: &[String]) -> String {
    typed(words).unwrap_or_else(|| clean(&words.join(" ")))
}

/// The machine, the command, how it was run, and what the design was.
pub(super) fn provenance(result: &ProgramResult) -> Vec<String> {
    let experiment = &result.experiment;
    let line = match &experiment.command[..] {
        [line] if experiment.shell => clean(line),
        words => command(words),
    };
    let of = |what: &str, line: &Option<String>| {
        line.as_ref().map(|line| format!("{what} {}", clean(line)))
    };
    let cpus: Vec<String> = experiment.cpus.iter().map(u32::to_string).collect();
    let mut run: Vec<String> = [
        Some(line),
        of("prepare", &experiment.prepare),
        of("cleanup", &experiment.cleanup),
        of("input", &experiment.stdin),
        of("load", &experiment.load),
        experiment.settle_ns.map(|ns| format!("settled for {}", duration(ns as f64))),
        experiment.aslr.map(|on| if on { "ASLR on" } else { "ASLR off" }.to_owned()),
        (!cpus.is_empty()).then(|| format!("cpu {}", cpus.join(" "))),
        (experiment.nice != 0).then(|| format!("nice {}", experiment.nice)),
    ]
    .into_iter()
    .flatten()
    .collect();
    run.push(super::blocks(result.comparisons.iter().map(|comparison| comparison.blocks)));
    run.extend(stop(result).map(str::to_owned));
    run.push(format!("margin {}", percent(experiment.margin)));
    run.push(format!("seed {}", result.seed));
    run.push(format!("firsttouch {}", clean(&result.version)));
    vec![super::machine(&result.machine), run.join(", ")]
}

/// Why the run ended before everything was decided. A cap that left nothing open stopped nothing.
fn stop(result: &ProgramResult) -> Option<&'static str> {
    let decides = |comparison: &&Comparison| result.experiment.metrics.contains(&comparison.metric);
    let mut deciding = result.comparisons.iter().filter(decides);
    Some(match result.stopped? {
        Stopped::TimeCap if !deciding.any(|one| one.verdict == Verdict::Inconclusive) => {
            return None;
        }
        Stopped::TimeCap => "stopped by the time cap",
        Stopped::Interrupted => "interrupted: this is what there was",
        Stopped::BaselineFailed => "stopped: the baseline failed, so nothing more can be compared",
    })
}

/// A metric in words.
pub(super) fn title(metric: &str) -> String {
    match metric {
        "wall_ns" => "wall time",
        "user_ns" => "user time",
        "sys_ns" => "system time",
        "cpu_ns" => "processor time",
        "max_rss_bytes" => "peak RSS",
        "faults" => "page faults",
        "tree_peak_bytes" => "peak memory of all processes",
        "settled_rss_bytes" => "settled RSS",
        other => return clean(other),
    }
    .to_owned()
}

/// A value of a metric with its unit.
pub(super) fn value(metric: &str, value: f64) -> String {
    match kind(metric) {
        Kind::Time => duration(value),
        Kind::Memory => bytes(value),
        Kind::Count => count(value),
        Kind::Other => digits(value, 4),
    }
}

/// The verdict in a word that fits the metric. With a question mark if the placebo, which is judged
/// by the first deciding metric, could be as different.
pub(super) fn word(result: &ProgramResult, comparison: &Comparison) -> String {
    let metric = comparison.metric.as_str();
    if comparison.verdict != Verdict::Different {
        return verdict::word(comparison.verdict, comparison.ratio).to_owned();
    }
    let word = match (kind(metric), comparison.ratio < 1.0) {
        (Kind::Time, true) => "faster",
        (Kind::Time, false) => "slower",
        (Kind::Memory, true) => "smaller",
        (Kind::Memory, false) => "larger",
        (Kind::Count, true) => "fewer",
        (Kind::Count, false) => "more",
        (Kind::Other, true) => "lower",
        (Kind::Other, false) => "higher",
    };
    let is_doubtful = metric == result.experiment.metric
        && verdict::is_within_noise(result.placebo.as_ref(), comparison.ratio);
    if is_doubtful { format!("{word}?") } else { word.to_owned() }
}

/// What a metric is an amount of.
enum Kind {
    Time,
    Memory,
    Count,
    Other,
}

fn kind(metric: &str) -> Kind {
    match metric {
        metric if metric.ends_with("_ns") => Kind::Time,
        metric if metric.ends_with("_bytes") => Kind::Memory,
        "faults" => Kind::Count,
        _ => Kind::Other,
    }
}

/// The comparison of `arm` by `metric`.
pub(super) fn comparison<'a>(
    result: &'a ProgramResult,
    arm: &str,
    metric: &str,
) -> Option<&'a Comparison> {
    result.comparisons.iter().find(|one| one.arm == arm && one.metric == metric)
}

/// The metrics that were compared but do not decide when to stop, in the order of the result.
pub(super) fn other_metrics(result: &ProgramResult) -> Vec<&str> {
    let mut others: Vec<&str> = Vec::new();
    for comparison in &result.comparisons {
        let metric = comparison.metric.as_str();
        if !result.experiment.metrics.iter().any(|own| own == metric) && !others.contains(&metric) {
            others.push(metric);
        }
    }
    others
}
