//! The table of a comparison: metric by metric, every arm against the baseline.

use results::compare::{ProgramArm, ProgramResult};
use results::{Comparison, Verdict};

use super::metric::{Named, comparison, named, word};
use crate::bench::verdict::{level, placebo_word, ratio};
use crate::table::table;
use crate::text::{ALARM, BAD, DIM, GOOD, clean, styled};
use crate::view::View;

/// The metrics that are shown in any case, in their order.
const USUAL: [&str; 5] = ["wall_ns", "user_ns", "sys_ns", "max_rss_bytes", "faults"];
/// The columns of a metric's name.
const METRIC: usize = 13;
/// Those that are shown where they were taken.
const OTHERS: [&str; 4] = ["cpu_ns", "tree_peak_bytes", "settled_rss_bytes", "figure"];

pub(super) fn table_of_metrics(result: &ProgramResult, view: View) -> String {
    let baseline = result.arms.iter().find(|arm| arm.baseline).map_or("baseline", |arm| &arm.name);
    // The metrics that do not decide may have a lower confidence, which both have at least.
    let bounds = result.comparisons.iter().filter(|c| c.low.is_some());
    let lowest = bounds.min_by(|one, other| one.confidence.total_cmp(&other.confidence));
    let level = level(lowest.map(|c| (c.low, c.confidence)));
    let heading = ["", "median", &format!("vs {} [{level}]", clean(baseline)), ""];
    let mut rows = vec![heading.map(|title| styled(DIM, title)).to_vec()];
    for key in metrics(result) {
        rows.extend(rows_of(result, key));
    }
    table(rows, view.table_columns(), &[])
}

/// The metrics that were compared, or could not be, the deciding ones first.
fn metrics(result: &ProgramResult) -> Vec<&str> {
    let deciding = result.experiment.metrics.iter().map(String::as_str);
    let others = OTHERS.into_iter().filter(|key| {
        *key != "cpu_ns" && result.comparisons.iter().any(|comparison| comparison.metric == *key)
    });
    let mut keys: Vec<&str> = Vec::new();
    for key in deciding.chain(USUAL).chain(others) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn rows_of(result: &ProgramResult, key: &str) -> Vec<Vec<String>> {
    let metric = named(key);
    let decides = result.experiment.metric == key;
    let arms: Vec<&ProgramArm> = result.arms.iter().filter(|arm| !arm.placebo || decides).collect();
    let medians: Vec<Option<f64>> =
        arms.iter().map(|arm| Some(arm.summary.get(key)?.median)).collect();
    let values = metric.values(&medians);
    let mut rows = Vec::new();
    if !result.comparisons.iter().any(|comparison| comparison.metric == key) {
        // Too short for all: one row says so.
        let cells = arms.first().zip(values.into_iter().next()).map(|(arm, value)| {
            let name = format!("{:METRIC$}{}", metric.name, clean(&arm.name));
            vec![name, value, "-".to_owned(), styled(DIM, "too short")]
        });
        return cells.into_iter().collect();
    }
    for (place, (arm, value)) in arms.into_iter().zip(values).enumerate() {
        let name = if place == 0 { metric.name } else { "" };
        let (ratio, word) = standing(result, arm, key, metric);
        rows.push(vec![format!("{name:METRIC$}{}", clean(&arm.name)), value, ratio, word]);
    }
    rows
}

/// The ratio of an arm, and its verdict in a word.
fn standing(
    result: &ProgramResult,
    arm: &ProgramArm,
    key: &str,
    metric: Named,
) -> (String, String) {
    if arm.baseline {
        return (String::new(), styled(DIM, "baseline"));
    }
    if arm.placebo {
        let Some(placebo) = &result.placebo else {
            return ("-".to_owned(), styled(DIM, "unclear"));
        };
        let style = if placebo.trusted == Some(false) { ALARM } else { DIM };
        let word = styled(style, placebo_word(placebo));
        return (ratio(placebo.ratio, placebo.low, placebo.high), word);
    }
    match comparison(result, &arm.name, key) {
        Some(found)
            if found.low.is_none() && result.comparisons.iter().any(|c| c.low.is_some()) =>
        {
            // The heading promises intervals.
            (ratio(found.ratio, None, None), styled(DIM, "too few blocks"))
        }
        Some(found) => {
            let word = word(result, found);
            (ratio(found.ratio, found.low, found.high), styled_word(&word, found, metric))
        }
        None => ("-".to_owned(), styled(DIM, "too short")),
    }
}

fn styled_word(word: &str, comparison: &Comparison, metric: Named) -> String {
    let style = match comparison.verdict {
        _ if word.ends_with('?') => DIM,
        Verdict::Inconclusive => DIM,
        Verdict::Equivalent => return word.to_owned(),
        Verdict::Different if (comparison.ratio < 1.0) == metric.less_is_better() => GOOD,
        Verdict::Different => BAD,
    };
    styled(style, word)
}
