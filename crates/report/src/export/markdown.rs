//! The tables of a result as GitHub Markdown, to be pasted into an issue.

mod program;
mod table;

use results::{Arm, Effect, Floors, LabResult, PhaseTimes, Refused, Warning};

use crate::bench::answer::baselines;
use crate::bench::arms::{columns_of, metric_name};
use crate::bench::survey::{is_survey, level_of_floors, level_of_sources};
use crate::bench::sweep::{self, Place, size_label};
use crate::bench::verdict;
use crate::bench::verdict::confidence_label;
use crate::number::{TimeUnit, digits, duration};

use super::provenance;
use table::{Table, code, plain};

pub(super) use program::markdown as of_program;

/// The question, the tables, the doubts, and what the run was.
pub(super) fn of_lab(result: &LabResult) -> String {
    let mut paragraphs = vec![format!("**{}**\n", plain(&result.experiment.question))];
    if let Some(floors) = result.floors.as_ref().filter(|_| is_survey(result)) {
        paragraphs.extend([floor_table(floors), source_table(floors)]);
    } else {
        paragraphs.push(arm_table(result));
        if !result.experiment.factors.is_empty() {
            paragraphs.push(effect_table(result));
        }
    }
    paragraphs.extend([refusals(&result.refused), warnings(&result.warnings)]);
    paragraphs.push(foot(&provenance(result)));
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

/// An arm, or one of its points in a sweep.
struct Row<'a> {
    arm: &'a Arm,
    median: Option<&'a PhaseTimes>,
    point: Option<Place>,
}

/// A row for each arm; in a sweep for each of its points, without the placebo's, which has one
/// ratio for all of them.
fn rows(result: &LabResult) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for arm in &result.arms {
        if arm.points.is_empty() {
            let median = arm.summary.as_ref().map(|summary| &summary.median);
            rows.push(Row { arm, median, point: None });
        }
        rows.extend(arm.points.iter().filter(|_| !arm.placebo).map(|point| Row {
            arm,
            median: point.summary.as_ref().map(|summary| &summary.median),
            point: Some(Place::of(point)),
        }));
    }
    rows
}

/// Medians of phases, the ratio with its interval, and the verdict. One unit for all times, but in
/// a sweep a unit for each, because they span several.
fn arm_table(result: &LabResult) -> String {
    let rows = rows(result);
    let shown = columns_of(result, &rows.iter().filter_map(|row| row.median));
    let times = |row: &Row| {
        row.median.map(|median| shown.iter().map(|(_, value)| value(median)).collect::<Vec<_>>())
    };
    let unit = TimeUnit::for_largest(rows.iter().filter_map(times).flatten().fold(0.0, f64::max));
    let is_sweep = rows.iter().any(|row| row.point.is_some());
    let axes = axes(&rows);
    let mut table = Table::new(&["arm"]);
    for (head, _) in &axes {
        table.number(head);
    }
    for (head, _) in &shown {
        let head = title(head, result);
        table.number(&if is_sweep { head } else { format!("{head}, {}", unit.name()) });
    }
    let baseline = only_baseline(result);
    let is_compared = result.experiment.factors.is_empty();
    if is_compared {
        if baseline.is_none() {
            table.words("against");
        }
        table.number(&ratio_head(result, baseline));
        table.words("verdict");
    }
    for row in &rows {
        let mut cells = vec![code(&row.arm.name)];
        cells.extend(axes.iter().map(|(_, value)| row.point.map_or_else(String::new, value)));
        cells.extend(times(row).map_or(vec!["-".to_owned(); shown.len()], |times| {
            let text = |ns: &f64| {
                if is_sweep { duration(*ns) } else { digits(ns / unit.ns(), 3) }
            };
            times.iter().map(text).collect()
        }));
        if is_compared {
            let [against, ratio, word] = standing(result, row);
            cells.extend(baseline.is_none().then_some(against));
            cells.extend([ratio, word]);
        }
        table.row(&cells);
    }
    table.text + &placebo_of_a_sweep(result, is_sweep)
}

/// The one arm that all others are compared with, if it is one.
fn only_baseline(result: &LabResult) -> Option<&str> {
    match baselines(result)[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// What the ratio is of, and its confidence.
fn ratio_head(result: &LabResult, baseline: Option<&str>) -> String {
    let metric = match metric_name(&result.experiment.metric) {
        "total" => "ratio".to_owned(),
        metric => format!("ratio of {}", title(metric, result)),
    };
    let to = baseline.map_or_else(String::new, |name| format!(" to {}", code(name)));
    format!("{metric}{to} [{}]", confidence_label(result))
}

/// The head of a column of times. The touches after the first may be several.
fn title(head: &str, result: &LabResult) -> String {
    let passes = result.arms.iter().filter_map(|arm| arm.work.as_ref()).map(|work| work.passes);
    match head {
        "1st touch" => "first touch",
        "2nd touch" if passes.max().unwrap_or(2) > 2 => "later touches",
        "2nd touch" => "second touch",
        other => other,
    }
    .to_owned()
}

/// A paragraph of its own below the table.
fn placebo_of_a_sweep(result: &LabResult, is_sweep: bool) -> String {
    let Some(placebo) = result.placebo.as_ref().filter(|_| is_sweep) else { return String::new() };
    format!(
        "\nPlacebo (the baseline against itself): {}, {}.\n",
        plain(&verdict::ratio(placebo.ratio, placebo.low, placebo.high)),
        verdict::placebo_word(placebo)
    )
}

/// What the points of a sweep differ in.
type Axis = (&'static str, fn(Place) -> String);
fn axes(rows: &[Row]) -> Vec<Axis> {
    let axes: [Axis; 3] = [
        ("size", |place| size_label(place.size_bytes)),
        ("threads", |place| place.threads.to_string()),
        ("passes", |place| place.passes.map_or_else(String::new, |passes| passes.to_string())),
    ];
    let differ = |value: fn(Place) -> String| {
        let mut values = rows.iter().filter_map(|row| row.point).map(value);
        values.next().is_some_and(|first| values.any(|other| other != first))
    };
    axes.into_iter().filter(|(_, value)| differ(*value)).collect()
}

/// What a row is compared with, its ratio, and its verdict.
fn standing(result: &LabResult, row: &Row) -> [String; 3] {
    if row.arm.baseline {
        return ["", "", "baseline"].map(str::to_owned);
    }
    let baseline = || result.arms.iter().find(|arm| arm.baseline).map(|arm| code(&arm.name));
    if let Some(placebo) = result.placebo.as_ref().filter(|_| row.arm.placebo) {
        return [
            baseline().unwrap_or_default(),
            verdict::ratio(placebo.ratio, placebo.low, placebo.high),
            verdict::placebo_word(placebo).to_owned(),
        ];
    }
    let own = match row.point {
        Some(place) => sweep::comparison(result, row.arm, place),
        None => result.comparisons.iter().find(|comparison| comparison.arm == row.arm.name),
    };
    match own {
        Some(comparison) => [
            code(&comparison.baseline),
            verdict::ratio(comparison.ratio, comparison.low, comparison.high),
            verdict::verdict_word(result, comparison).to_owned(),
        ],
        None => ["", "-", "unclear"].map(str::to_owned),
    }
}

/// Each factor's effect on the time, and on its spread.
fn effect_table(result: &LabResult) -> String {
    let level = |effects: &[Effect]| verdict::level(effects.iter().map(|e| (e.low, e.confidence)));
    let mut table = Table::new(&["effect", "of"]);
    table.number(&format!("time [{}]", level(&result.effects)));
    table.words("verdict");
    table.number(&format!("spread [{}]", level(&result.spreads)));
    for effect in &result.effects {
        let spread = result.spreads.iter().find(|spread| spread.factor == effect.factor);
        table.row(&[
            plain(&effect.factor),
            format!("{} / {}", code(&effect.levels[0]), code(&effect.levels[1])),
            verdict::ratio(effect.ratio, effect.low, effect.high),
            verdict::word(effect.verdict, effect.ratio).to_owned(),
            spread.map_or_else(String::new, |s| verdict::ratio(s.ratio, s.low, s.high)),
        ]);
    }
    for pair in &result.comparisons {
        table.row(&[
            "all at once".to_owned(),
            format!("{} / {}", code(&pair.arm), code(&pair.baseline)),
            verdict::ratio(pair.ratio, pair.low, pair.high),
            verdict::verdict_word(result, pair).to_owned(),
            String::new(),
        ]);
    }
    if let Some(placebo) = &result.placebo {
        table.row(&[
            "placebo".to_owned(),
            "a cell / itself".to_owned(),
            verdict::ratio(placebo.ratio, placebo.low, placebo.high),
            verdict::placebo_word(placebo).to_owned(),
            String::new(),
        ]);
    }
    table.text
}

fn floor_table(floors: &Floors) -> String {
    let mut table = Table::new(&["floor"]);
    table.number(&format!("median, ns [{}]", level_of_floors(floors)));
    table.number("GB/s");
    for estimate in &floors.estimates {
        let bounds =
            estimate.low_ns.zip(estimate.high_ns).map_or_else(String::new, |(low, high)| {
                format!(" [{}, {}]", digits(low, 3), digits(high, 3))
            });
        table.row(&[
            code(&estimate.floor),
            format!("{}{bounds}", digits(estimate.ns, 3)),
            estimate.bytes_per_second.map_or_else(String::new, |rate| digits(rate / 1e9, 3)),
        ]);
    }
    table.text
}

fn source_table(floors: &Floors) -> String {
    let mut table = Table::new(&["source"]);
    table.number("obtain and first touch, ns a page");
    table.number("its floor, ns a page");
    table.number(&format!("ratio [{}]", level_of_sources(floors)));
    for source in &floors.sources {
        table.row(&[
            code(&source.arm),
            digits(source.measured_ns, 3),
            digits(source.floor_ns, 3),
            verdict::ratio(source.ratio, source.low, source.high),
        ]);
    }
    table.text
}

fn refusals<S>(refused: &[Refused<S>]) -> String {
    let line = |refused: &Refused<S>| {
        let word = if refused.failed { "failed" } else { "refused" };
        format!("- {word}: {}: {}\n", code(&refused.arm), plain(&refused.reason))
    };
    refused.iter().map(line).collect()
}

fn warnings(warnings: &[Warning]) -> String {
    let line = |warning: &Warning| {
        let arms: Vec<String> = warning.arms.iter().map(|arm| code(arm)).collect();
        let of = if arms.is_empty() { String::new() } else { format!(" ({})", arms.join(", ")) };
        format!("- warning {}: {}{of}\n", plain(&warning.id), plain(&warning.message))
    };
    warnings.iter().map(line).collect()
}

/// What the run was, in small letters.
fn foot(lines: &[String]) -> String {
    format!("<sub>{}</sub>\n", plain(&lines.join("; ")))
}
