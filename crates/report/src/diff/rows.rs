//! The tables of a diff: a row for each arm, point and figure.

use anstyle::Style;
use results::diff::{Change, Diff};

use super::words;
use crate::bench::sweep::size_label;
use crate::bench::verdict::{level, ratio};
use crate::number::{TimeUnit, digits};
use crate::table::table;
use crate::text::{BAD, DIM, GOOD, clean, styled};
use crate::view::View;

/// A column that tells rows apart besides the arm: its title, and its text.
type Column = (&'static str, fn(&Change) -> String);

const COLUMNS: [Column; 4] = [
    ("figure", |change| words::metric(&change.metric).to_owned()),
    ("size", |change| change.size_bytes.map_or_else(|| "-".to_owned(), size_label)),
    ("threads", |change| change.threads.map_or_else(|| "-".to_owned(), |n| n.to_string())),
    ("passes", |change| change.passes.map_or_else(|| "-".to_owned(), |n| n.to_string())),
];

/// What tells the rows apart: columns that hold one value are dropped.
pub(super) struct Names {
    columns: Vec<Column>,
}

impl Names {
    pub(super) fn of(diff: &Diff) -> Self {
        let differs = |(_, text): &Column| {
            let mut texts = diff.comparisons.iter().map(text);
            let first = texts.next();
            texts.any(|text| Some(&text) != first.as_ref())
        };
        Names { columns: COLUMNS.into_iter().filter(differs).collect() }
    }

    /// A change in a sentence: `malloc`, `malloc 64 KiB`, `malloc peak RSS`.
    pub(super) fn of_change(&self, change: &Change) -> String {
        let part = |(title, text): &Column| match *title {
            "threads" | "passes" => format!("{} {title}", text(change)),
            _ => text(change),
        };
        let rest = self.columns.iter().map(part);
        std::iter::once(clean(&change.arm)).chain(rest).collect::<Vec<_>>().join(" ")
    }

    /// The point of all rows, where it is the same: `, 1 MiB, 2 threads`.
    pub(super) fn point(&self, diff: &Diff) -> String {
        let Some(first) = diff.comparisons.first() else { return String::new() };
        let is_shared = |title: &str| !self.columns.iter().any(|(column, _)| *column == title);
        let size = first.size_bytes.filter(|_| is_shared("size"));
        let threads = first.threads.filter(|threads| *threads > 1 && is_shared("threads"));
        let size = size.map(|size| format!(", {}", size_label(size)));
        let threads = threads.map(|threads| format!(", {threads} threads"));
        size.into_iter().chain(threads).collect()
    }

    fn cells(&self, change: &Change) -> Vec<String> {
        let rest = self.columns.iter().map(|(_, text)| text(change));
        std::iter::once(clean(&change.arm)).chain(rest).collect()
    }

    fn titles(&self, first: String) -> Vec<String> {
        let rest = self.columns.iter().map(|(title, _)| (*title).to_owned());
        std::iter::once(first).chain(rest).collect()
    }

    /// The unit of all rows, if they are times at one point.
    fn unit(&self, diff: &Diff) -> Option<TimeUnit> {
        let is_time = |change: &Change| change.metric.ends_with("_ns");
        let one_scale = self.columns.is_empty() && diff.comparisons.iter().all(is_time);
        let all = || diff.comparisons.iter().flat_map(|change| [change.old, change.new]);
        one_scale.then(|| TimeUnit::for_largest(all().fold(0.0, f64::max)))
    }
}

/// Medians, ratios and verdicts.
pub(super) fn table_of_changes(diff: &Diff, names: &Names, view: View) -> String {
    if diff.comparisons.is_empty() {
        return String::new();
    }
    let unit = names.unit(diff);
    let first = unit.map_or_else(|| "median".to_owned(), |unit| format!("median, {}", unit.name()));
    let value = |change: &Change, value: f64| match unit {
        Some(unit) => digits(value / unit.ns(), 3),
        None => words::value(&change.metric, value),
    };
    let level = level(diff.comparisons.iter().map(|change| (change.low, change.confidence)));
    let mut header = names.titles(first);
    header.extend(["old".to_owned(), "new".to_owned(), format!("new / old [{level}]")]);
    header.push(String::new());
    header.extend(view.verbose.then(|| "samples".to_owned()));
    let mut rows = vec![dimmed(&header)];
    rows.extend(diff.comparisons.iter().map(|change| {
        let word = words::of(&change.metric, change.verdict, change.ratio);
        let mut row = names.cells(change);
        row.extend([value(change, change.old), value(change, change.new)]);
        row.extend([ratio(change.ratio, change.low, change.high), styled(style(word), word)]);
        let samples = || format!("{} / {}", change.old_samples, change.new_samples);
        row.extend(view.verbose.then(samples));
        row
    }));
    // On a narrow terminal the samples go first, then the medians.
    let count = names.columns.len() + 1;
    let samples = view.verbose.then_some(count + 4);
    let expendable: Vec<usize> = samples.into_iter().chain([count, count + 1]).collect();
    table(rows, view.table_columns(), &expendable)
}

/// How the ratios to the baselines of their own runs changed.
pub(super) fn table_beside_baselines(diff: &Diff, names: &Names, view: View) -> String {
    let level = level(
        diff.comparisons
            .iter()
            .filter_map(|change| Some((change.against_baseline.as_ref()?.low, change.confidence))),
    );
    let mut header = names.titles("against the baseline of its own run".to_owned());
    header.extend(["baseline".to_owned(), format!("new / old [{level}]"), String::new()]);
    let mut rows = vec![dimmed(&header)];
    for change in &diff.comparisons {
        let Some(beside) = &change.against_baseline else { continue };
        let word = words::of(&change.metric, beside.verdict, beside.ratio);
        let mut row = names.cells(change);
        row.push(clean(&beside.baseline));
        row.extend([ratio(beside.ratio, beside.low, beside.high), styled(style(word), word)]);
        rows.push(row);
    }
    if rows.len() == 1 {
        return String::new();
    }
    table(rows, view.table_columns(), &[names.columns.len() + 1])
}

fn dimmed(titles: &[String]) -> Vec<String> {
    titles.iter().map(|title| styled(DIM, title)).collect()
}

fn style(word: &str) -> Style {
    match word {
        "faster" | "smaller" | "fewer" => GOOD,
        "slower" | "larger" | "more" => BAD,
        "unclear" => DIM,
        _ => Style::new(),
    }
}
