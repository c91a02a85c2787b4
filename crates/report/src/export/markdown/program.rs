//! The tables of a program's comparison.

use results::compare::{Gate, GateOutcome, ProgramArm, ProgramResult};

use super::super::program;
use super::table::{Table, code, plain};
use super::{foot, refusals, warnings};
use crate::bench::verdict;
use crate::compare::metric::{comparison, named, word};
use crate::number::percent;

/// The question, what the arms are, the deciding metrics arm by arm, the other metrics, limits,
/// doubts, and what the run was.
pub(in super::super) fn markdown(result: &ProgramResult) -> String {
    let mut paragraphs = vec![
        format!("**{}**\n", plain(&result.experiment.question)),
        deciding_table(result),
        other_table(result),
        result.arms.iter().filter_map(|arm| what_it_changes(result, arm)).collect(),
        result.gates.iter().map(gate).collect(),
        refusals(&result.refused),
        warnings(&result.warnings),
        foot(&program::provenance(result)),
    ];
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

/// A row for each arm: the median, the ratio with its interval and the verdict by each metric.
fn deciding_table(result: &ProgramResult) -> String {
    let metrics = &result.experiment.metrics;
    let mut table = Table::new(&["arm"]);
    for metric in metrics {
        table.number(named(metric).title);
        table.number(&format!("ratio{} [{}]", to_baseline(result), level(result, metric)));
        table.words("verdict");
    }
    for arm in &result.arms {
        let mut cells = vec![code(&arm.name)];
        for metric in metrics {
            cells.push(median(arm, metric));
            cells.extend(standing(result, arm, metric));
        }
        table.row(&cells);
    }
    table.text
}

/// A row for each arm by each metric that does not decide.
fn other_table(result: &ProgramResult) -> String {
    let others = program::other_metrics(result);
    let mut table = Table::new(&["also measured", "arm"]);
    table.number("median");
    let level = others.first().map_or_else(String::new, |metric| level(result, metric));
    table.number(&format!("ratio{} [{level}]", to_baseline(result)));
    table.words("verdict");
    for metric in others {
        for arm in result.arms.iter().filter(|arm| !arm.placebo) {
            let [ratio, word] = standing(result, arm, metric);
            table.row(&[
                named(metric).title.to_owned(),
                code(&arm.name),
                median(arm, metric),
                ratio,
                word,
            ]);
        }
    }
    table.text
}

fn to_baseline(result: &ProgramResult) -> String {
    let baseline = result.arms.iter().find(|arm| arm.baseline);
    baseline.map_or_else(String::new, |arm| format!(" to {}", code(&arm.name)))
}

/// The confidence of the intervals by `metric`.
fn level(result: &ProgramResult, metric: &str) -> String {
    let by_metric = result.comparisons.iter().filter(|one| one.metric == metric);
    verdict::level(by_metric.map(|one| (one.low, one.confidence)))
}

fn median(arm: &ProgramArm, metric: &str) -> String {
    let summary = arm.summary.get(metric);
    summary.map_or_else(|| "-".to_owned(), |summary| named(metric).value(summary.median))
}

/// The ratio of an arm by `metric`, and its verdict. The placebo has one by the first metric only.
fn standing(result: &ProgramResult, arm: &ProgramArm, metric: &str) -> [String; 2] {
    if arm.baseline {
        return ["", "baseline"].map(str::to_owned);
    }
    if arm.placebo {
        let placebo = result.placebo.as_ref().filter(|_| metric == result.experiment.metric);
        return placebo.map_or_else(Default::default, |placebo| {
            let ratio = verdict::ratio(placebo.ratio, placebo.low, placebo.high);
            [ratio, verdict::placebo_word(placebo).to_owned()]
        });
    }
    match comparison(result, &arm.name, metric) {
        Some(one) => [verdict::ratio(one.ratio, one.low, one.high), word(result, one)],
        None => ["-", "unclear"].map(str::to_owned),
    }
}

/// How an arm differs from the command in the last line; `None` if it does not.
fn what_it_changes(result: &ProgramResult, arm: &ProgramArm) -> Option<String> {
    let (mut removed, mut set): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (name, value) in &arm.environment {
        match value {
            Some(value) => set.push(format!("{name}={value}")),
            None => removed.extend(["-u".to_owned(), name.clone()]),
        }
    }
    // As env(1) takes them.
    let env = (!arm.environment.is_empty()).then(|| "env".to_owned());
    let mut words: Vec<String> = env.into_iter().chain(removed).chain(set).collect();
    if arm.command != result.experiment.command {
        words.extend(arm.command.iter().cloned());
    }
    let huge_pages = arm.huge_pages_off.then_some("without transparent huge pages");
    let command = (!words.is_empty()).then(|| code(&program::command(&words)));
    let parts: Vec<&str> = command.as_deref().into_iter().chain(huge_pages).collect();
    let is_told = !arm.placebo && !parts.is_empty();
    is_told.then(|| format!("- {}: {}\n", code(&arm.name), parts.join(", ")))
}

fn gate(gate: &Gate) -> String {
    let word = match gate.outcome {
        GateOutcome::Passed => "within",
        GateOutcome::Failed => "beyond",
        GateOutcome::Open => "not decided:",
    };
    let metric = named(&gate.metric).title;
    format!("- {} of {} {word} the limit of +{}\n", metric, code(&gate.arm), percent(gate.limit))
}
