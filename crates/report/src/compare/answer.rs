//! The answer of a comparison in a sentence for each deciding metric.

use results::compare::ProgramResult;
use results::{Comparison, Verdict};

use super::metric::{Named, comparison as find, named, word};
use crate::bench::verdict::ratio;
use crate::number::percent;
use crate::text::{clean, list};

/// A sentence for each deciding metric, and one for what a faster arm costs in memory.
pub(super) fn answers(result: &ProgramResult) -> Vec<String> {
    let mut answers: Vec<String> =
        result.experiment.metrics.iter().filter_map(|key| of_metric(result, key)).collect();
    answers.extend(price(result));
    answers
}

/// The arms by their verdicts, the best first.
fn of_metric(result: &ProgramResult, key: &str) -> Option<String> {
    let metric = named(key);
    let mut sorted: Vec<&Comparison> =
        result.comparisons.iter().filter(|comparison| comparison.metric == key).collect();
    sorted.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let baseline = clean(&sorted.first()?.baseline);
    let mut parts = Vec::new();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for comparison in &sorted {
        let word = word(result, comparison);
        let arm = match comparison.verdict {
            Verdict::Different => format!("{} {}", clean(&comparison.arm), standing(comparison)),
            _ => clean(&comparison.arm),
        };
        match groups.iter_mut().find(|(known, _)| *known == word) {
            Some((_, arms)) => arms.push(arm),
            None => groups.push((word, vec![arm])),
        }
    }
    for (word, arms) in groups {
        let arms = list(&arms);
        parts.push(match word.as_str() {
            "same" => {
                format!("the same within {}: {arms}", percent(result.experiment.margin))
            }
            "unclear" => unclear(&sorted, metric, &arms),
            word => format!("{word} than {baseline}: {arms}"),
        });
    }
    Some(format!("{}: {}.", metric.name, parts.join("; ")))
}

fn standing(comparison: &Comparison) -> String {
    ratio(comparison.ratio, comparison.low, comparison.high)
}

fn unclear(sorted: &[&Comparison], metric: Named, arms: &str) -> String {
    let smallest = sorted
        .iter()
        .filter(|comparison| comparison.verdict == Verdict::Inconclusive)
        .map(|comparison| comparison.smallest_detectable)
        .collect::<Option<Vec<f64>>>()
        .and_then(|effects| effects.into_iter().reduce(f64::max));
    match smallest {
        Some(smallest) => format!(
            "unclear: {arms} ({} would be seen from {} on)",
            if metric.is_time() { "a difference in time" } else { "a difference" },
            percent(smallest)
        ),
        None => format!("unclear: {arms} (too few blocks for an interval)"),
    }
}

/// What the arms that are faster cost in memory, where memory does not decide.
fn price(result: &ProgramResult) -> Option<String> {
    const MEMORY: &str = "max_rss_bytes";
    if result.experiment.metrics.iter().any(|key| key == MEMORY) {
        return None;
    }
    let first = &result.experiment.metric;
    if !named(first).is_time() {
        return None;
    }
    let faster = result.comparisons.iter().filter(|comparison| {
        comparison.metric == *first
            && comparison.verdict == Verdict::Different
            && comparison.ratio < 1.0
    });
    let costs: Vec<String> = faster
        .filter_map(|comparison| {
            let memory = find(result, &comparison.arm, MEMORY)?;
            let how = match memory.verdict {
                Verdict::Different => standing(memory),
                Verdict::Equivalent => "the same".to_owned(),
                Verdict::Inconclusive => "unclear".to_owned(),
            };
            Some(format!("{} {how}", clean(&comparison.arm)))
        })
        .collect();
    (!costs.is_empty()).then(|| format!("Their peak RSS: {}.", list(&costs)))
}
