//! The table of arms: medians phase by phase, and how each arm compares.

use results::{Arm, LabResult, PhaseTimes};

use super::verdict::{confidence_label, standing};
use super::{answer, bill, pairs};
use crate::number::{TimeUnit, digits};
use crate::table::{table, width_of};
use crate::text::{DIM, clean, styled};
use crate::view::View;

/// A column of times: its title, and the phase or sum that it shows.
pub(crate) type Column = (&'static str, fn(&PhaseTimes) -> f64);

const PHASES: [Column; 5] = [
    ("obtain", |m| m.obtain_ns),
    ("1st touch", |m| m.first_touch_ns),
    ("between", |m| m.between_ns),
    ("2nd touch", |m| m.second_touch_ns),
    ("release", |m| m.release_ns),
];

/// The phases that take time in some of `medians`, and the sum that is compared, if a sum is.
pub(crate) fn columns_of<'a>(
    result: &LabResult,
    medians: &(impl Iterator<Item = &'a PhaseTimes> + Clone),
) -> Vec<Column> {
    if pairs::are_counted(result) {
        return vec![("a pair", |m| m.metric_ns)];
    }
    // Threads wait for each other between the touches, even if they do nothing there.
    let idle = |title: &str| title == "between" && !result.arms.iter().any(does_something_between);
    let mut columns: Vec<Column> = PHASES
        .into_iter()
        .filter(|(title, value)| !idle(title) && medians.clone().any(|median| value(median) > 0.0))
        .collect();
    match metric_name(&result.experiment.metric) {
        "total" => columns.push(("total", |m| m.total_ns)),
        sum @ ("again" | "whole") => columns.push((sum, |m| m.metric_ns)),
        _ => {}
    }
    columns
}

fn does_something_between(arm: &Arm) -> bool {
    arm.work.as_ref().is_none_or(|work| work.between != "nothing")
}

/// A metric as the title of its column.
pub(crate) fn metric_name(metric: &str) -> &'static str {
    match metric {
        "obtain_ns" => "obtain",
        "first_touch_ns" => "1st touch",
        "between_ns" => "between",
        "second_touch_ns" => "2nd touch",
        "again_ns" => "again",
        "release_ns" => "release",
        "whole_ns" => "whole",
        _ => "total",
    }
}

/// The table of phases and verdicts. All times share a unit, so that a reader can add them up.
pub(super) fn table_of_arms(result: &LabResult, view: View) -> String {
    let columns = view.table_columns();
    let medians = result.arms.iter().filter_map(|arm| Some(&arm.summary.as_ref()?.median));
    let shown = columns_of(result, &medians);
    let several = several_baselines(result);
    let faults = faults(result);
    let unit = unit_of(result, &shown);
    let mut header = vec![format!("median, {}", unit.name())];
    header.extend(shown.iter().map(|(title, _)| title_of(title, result)));
    header.extend(several.then(|| "of".to_owned()));
    header.extend([format!("{} [{}]", against(result), confidence_label(result)), String::new()]);
    header.extend(faults.is_some().then(|| "faults".to_owned()));
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<String>>()];
    for (index, arm) in result.arms.iter().enumerate() {
        let mut row = vec![clean(&arm.name)];
        row.extend(times(arm, &shown).map_or(vec!["-".to_owned(); shown.len()], |times| {
            times.iter().map(|ns| digits(ns / unit.ns(), 3)).collect()
        }));
        row.extend(several.then(|| baseline_of(result, arm)));
        let (ratio, style, word) = standing(result, arm);
        row.extend([ratio, styled(style, word)]);
        row.extend(faults.as_ref().map(|faults| faults[index].clone()));
        rows.push(row);
    }
    let ratio_column = 1 + shown.len() + usize::from(several);
    shorten_heading(&mut rows, ratio_column, result, columns);
    // Columns to drop on a narrow terminal, the least important first; the metric stays.
    let metric = metric_name(&result.experiment.metric);
    let place = |title: &str| {
        shown.iter().position(|(name, _)| *name == title && title != metric).map(|index| index + 1)
    };
    let droppable: Vec<usize> = faults
        .map(|_| rows[0].len() - 1)
        .into_iter()
        .chain(["2nd touch", "release", "obtain", "between"].into_iter().filter_map(place))
        .collect();
    table(rows, columns, &droppable)
}

fn times(arm: &Arm, shown: &[Column]) -> Option<Vec<f64>> {
    let median = &arm.summary.as_ref()?.median;
    Some(shown.iter().map(|(_, value)| value(median)).collect())
}

fn unit_of(result: &LabResult, shown: &[Column]) -> TimeUnit {
    let all = result.arms.iter().filter_map(|arm| times(arm, shown)).flatten();
    TimeUnit::for_largest(all.fold(0.0, f64::max))
}

/// The page faults that each arm took; `None` if all took the same, or the run times pairs.
fn faults(result: &LabResult) -> Option<Vec<String>> {
    let faults: Vec<String> = result.arms.iter().map(bill::faults_taken).collect();
    let differ = faults.iter().any(|count| Some(count) != faults.first());
    (differ && !pairs::are_counted(result)).then_some(faults)
}

/// Shortens the heading of the ratios while that makes a table narrower that is too wide: the
/// answer names the metric, and the table marks the baseline.
fn shorten_heading(rows: &mut [Vec<String>], place: usize, result: &LabResult, columns: usize) {
    let level = confidence_label(result);
    let without_metric = format!("vs {} [{level}]", baseline_name(result));
    let shorter = [without_metric, format!("ratio [{level}]")];
    for short in shorter.into_iter().skip(usize::from(several_baselines(result))) {
        let width = width_of(rows, 1);
        if width <= columns {
            return;
        }
        let long = std::mem::replace(&mut rows[0][place], styled(DIM, &short));
        if width_of(rows, 1) == width {
            rows[0][place] = long;
            return;
        }
    }
}

/// A column's title. Arms with more than two passes have several touches after the first.
fn title_of(title: &str, result: &LabResult) -> String {
    let most = result
        .arms
        .iter()
        .filter_map(|arm| arm.work.as_ref())
        .map(|work| work.passes)
        .max()
        .unwrap_or(2);
    if title == "2nd touch" && most > 2 { format!("touches 2-{most}") } else { title.to_owned() }
}

/// The heading of ratios: `vs mmap`, or `2nd touch vs mmap` where the metric is not the total.
pub(super) fn against(result: &LabResult) -> String {
    if several_baselines(result) {
        return "ratio".to_owned();
    }
    match metric_name(&result.experiment.metric) {
        "total" => format!("vs {}", baseline_name(result)),
        metric => format!("{metric} vs {}", baseline_name(result)),
    }
}

/// Whether the arms have several baselines: an arm with an allocator is compared with the same arm
/// without it, and an arm may name another.
fn several_baselines(result: &LabResult) -> bool {
    answer::baselines(result).len() > 1
}

/// The arm that an arm is compared with.
fn baseline_of(result: &LabResult, arm: &Arm) -> String {
    let comparison = result.comparisons.iter().find(|comparison| comparison.arm == arm.name);
    match comparison {
        Some(comparison) => clean(&comparison.baseline),
        None if arm.placebo => baseline_name(result),
        None => String::new(),
    }
}

pub(crate) fn baseline_name(result: &LabResult) -> String {
    result
        .arms
        .iter()
        .find(|arm| arm.baseline)
        .map_or_else(|| "baseline".to_owned(), |arm| clean(&arm.name))
}
