//! The rows of the plot, in panels: what is compared with what, and how it came out.

use results::compare::ProgramResult;
use results::{Comparison, LabResult, Placebo};

use crate::bench::sweep::size_label;
use crate::bench::verdict;
use crate::compare::metric::{named, word};
use crate::text::clean;

/// Rows that belong together.
pub(super) struct Panel {
    /// What they have in common; empty of a single panel.
    pub(super) head: String,
    pub(super) rows: Vec<Row>,
}

/// A ratio with its interval.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) ratio: f64,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    /// Of the interval; `None` of a placebo, whose confidence is its own.
    pub(super) confidence: Option<f64>,
    /// The verdict.
    pub(super) word: String,
    pub(super) is_placebo: bool,
}

/// The effects of a factorial experiment; in a sweep a panel for each arm, with a row for each
/// point; else a row for each arm. The placebo is the last row.
pub(super) fn panels(result: &LabResult) -> Vec<Panel> {
    let mut panels = if result.experiment.factors.is_empty() {
        of_arms(result)
    } else {
        vec![Panel { head: String::new(), rows: effects(result) }]
    };
    let placebo = result.placebo.as_ref().map(placebo);
    panels.retain(|panel| !panel.rows.is_empty());
    match (&mut panels[..], placebo) {
        ([only], Some(placebo)) => only.rows.push(placebo),
        ([_, _, ..], Some(placebo)) => {
            let head = "The baseline against itself".to_owned();
            panels.push(Panel { head, rows: vec![placebo] });
        }
        _ => {}
    }
    panels
}

/// A panel for each deciding metric, with a row for each arm; the placebo is in the panel of the
/// metric that it is judged by.
pub(super) fn of_metrics(result: &ProgramResult) -> Vec<Panel> {
    let panel = |metric: &String| {
        let of_metric = result.comparisons.iter().filter(|one| one.metric == *metric);
        let mut rows: Vec<Row> = of_metric
            .map(|one| {
                let name = format!("{} / {}", clean(&one.arm), clean(&one.baseline));
                row(one, name, word(result, one))
            })
            .collect();
        if *metric == result.experiment.metric {
            rows.extend(result.placebo.as_ref().map(placebo));
        }
        Panel { head: named(metric).title.to_owned(), rows }
    };
    let mut panels: Vec<Panel> = result.experiment.metrics.iter().map(panel).collect();
    panels.retain(|panel| !panel.rows.is_empty());
    panels
}

fn placebo(placebo: &Placebo) -> Row {
    Row {
        name: "placebo".to_owned(),
        ratio: placebo.ratio,
        low: placebo.low,
        high: placebo.high,
        confidence: None,
        word: verdict::placebo_word(placebo).to_owned(),
        is_placebo: true,
    }
}

/// A panel for each pair of arm and baseline; one for all where each pair has but one row.
fn of_arms(result: &LabResult) -> Vec<Panel> {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for comparison in &result.comparisons {
        let pair = (comparison.arm.as_str(), comparison.baseline.as_str());
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    if pairs.len() == result.comparisons.len() {
        let rows = result.comparisons.iter().map(|comparison| {
            let baseline = clean(&comparison.baseline);
            compared(result, comparison, format!("{} / {baseline}", clean(&comparison.arm)))
        });
        return vec![Panel { head: String::new(), rows: rows.collect() }];
    }
    let panel = |(arm, baseline): (&str, &str)| {
        let of_pair = |c: &&Comparison| c.arm == arm && c.baseline == baseline;
        let mut of_pair: Vec<&Comparison> = result.comparisons.iter().filter(of_pair).collect();
        of_pair.sort_by_key(|c| (c.threads, c.passes, c.size_bytes));
        let rows = of_pair
            .iter()
            .map(|comparison| compared(result, comparison, place(result, comparison)));
        Panel { head: format!("{} / {}", clean(arm), clean(baseline)), rows: rows.collect() }
    };
    pairs.into_iter().map(panel).collect()
}

fn compared(result: &LabResult, comparison: &Comparison, name: String) -> Row {
    row(comparison, name, verdict::verdict_word(result, comparison).to_owned())
}

fn row(comparison: &Comparison, name: String, word: String) -> Row {
    Row {
        name,
        ratio: comparison.ratio,
        low: comparison.low,
        high: comparison.high,
        confidence: Some(comparison.confidence),
        word,
        is_placebo: false,
    }
}

/// What tells a point of a sweep from the others.
fn place(result: &LabResult, comparison: &Comparison) -> String {
    let several_sizes = result.experiment.sizes_bytes.len() > 1;
    let parts = [
        several_sizes.then(|| size_label(comparison.size_bytes)),
        comparison.threads.map(|threads| counted(threads, "thread")),
        comparison.passes.map(|passes| counted(passes, "pass")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn counted(number: u64, what: &str) -> String {
    match (number, what) {
        (1, _) => format!("1 {what}"),
        (_, "pass") => format!("{number} passes"),
        _ => format!("{number} {what}s"),
    }
}

fn effects(result: &LabResult) -> Vec<Row> {
    let effect = |effect: &results::Effect| Row {
        name: format!(
            "{}: {} / {}",
            clean(&effect.factor),
            clean(&effect.levels[0]),
            clean(&effect.levels[1])
        ),
        ratio: effect.ratio,
        low: effect.low,
        high: effect.high,
        confidence: Some(effect.confidence),
        word: verdict::word(effect.verdict, effect.ratio).to_owned(),
        is_placebo: false,
    };
    let pair = |pair: &Comparison| compared(result, pair, "all at once".to_owned());
    result.effects.iter().map(effect).chain(result.comparisons.iter().map(pair)).collect()
}
