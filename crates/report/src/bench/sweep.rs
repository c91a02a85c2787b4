//! The screen of a sweep: the cost per page and the ratio at every point, the crossovers, and a
//! plot.

use results::{Arm, Comparison, LabResult, PointSummary};

use super::answer::{Row, baselines, beside, of_a_sweep};
use super::arms::{against, metric_name};
use super::scaling::{Series, draw};
use super::verdict::{self, confidence_label, verdict_style};
use super::{crossing, lines, pairs};
use crate::number::{bytes, digits, duration};
use crate::table::stacked;
use crate::text::{DIM, clean, styled};
use crate::view::View;

/// The baseline's time for a block of memory where the sweep begins and where it ends.
fn first_and_last(result: &LabResult) -> Option<String> {
    let arm = result.arms.iter().find(|arm| arm.baseline)?;
    let places = places(result);
    let time = |place: &Place| {
        let point = arm.points.iter().find(|point| Place::of(point) == *place)?;
        Some(format!(
            "{} ({})",
            duration(point.summary.as_ref()?.median.metric_ns),
            place.label(result)
        ))
    };
    let (first, last) = (time(places.first()?)?, time(places.last()?)?);
    Some(format!("{} takes {} {first} to {last}.", task(result), clean(&arm.name)))
}

/// The work that the metric times.
fn task(result: &LabResult) -> &'static str {
    if pairs::are_counted(result) {
        return "A pair";
    }
    match metric_name(&result.experiment.metric) {
        "obtain" => "Obtaining",
        "1st touch" => "The first touch",
        "between" => "The work between the touches",
        "2nd touch" => "The second touch",
        "again" => "Using the memory again",
        "release" => "Releasing",
        "whole" => "The whole",
        _ => "Obtaining and first touch",
    }
}

/// The tables, the plot and the remarks below the answer.
pub(super) fn paragraphs(result: &LabResult, view: View) -> Vec<String> {
    let sentences = [crossing::none_found(result), placebo(result), small_blocks(result)];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    let mut paragraphs = vec![
        costs(result, view),
        ratios(result, view),
        crossing::crossovers(result, view),
        lines(&sentences, view),
    ];
    let plots = plots(result, view);
    // Several plots would bury the answer.
    if view.verbose || plots.len() == 1 {
        paragraphs.splice(2..2, plots);
    }
    paragraphs
}

/// Where an allocator changes how it gets memory, which arm is the cheapest where, and how the
/// baseline's time grows.
pub(super) fn answers(result: &LabResult) -> Vec<String> {
    let mut answers = crossing::turning_points(result);
    answers.extend(of_a_sweep(result, &rows(result)));
    answers.extend(first_and_last(result));
    answers
}

/// A point by its coordinates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) threads: u64,
    pub(crate) size_bytes: u64,
    pub(crate) passes: Option<u64>,
}

impl Place {
    pub(crate) fn of(point: &PointSummary) -> Self {
        Place { threads: point.threads, size_bytes: point.size_bytes, passes: point.passes }
    }

    /// The coordinates in which the points of this sweep differ.
    fn label(self, result: &LabResult) -> String {
        axes(result).iter().map(|axis| axis.name(self)).collect::<Vec<String>>().join(", ")
    }
}

/// A dimension of a sweep.
#[derive(Clone, Copy)]
enum Axis {
    Size,
    Threads,
    Passes,
}

impl Axis {
    fn name(self, place: Place) -> String {
        let several =
            |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        match self {
            Axis::Size => size_label(place.size_bytes),
            Axis::Threads => several(place.threads, "thread", "threads"),
            Axis::Passes => several(place.passes.unwrap_or(1), "pass", "passes"),
        }
    }

    /// `in 4 passes`
    fn within(self, place: Place) -> String {
        let word = match self {
            Axis::Size => "at",
            Axis::Threads => "with",
            Axis::Passes => "in",
        };
        format!("{word} {}", self.name(place))
    }
}

/// The dimensions with more than one value.
fn axes(result: &LabResult) -> Vec<Axis> {
    let experiment = &result.experiment;
    let swept = [
        (Axis::Size, experiment.sizes_bytes.len()),
        (Axis::Threads, experiment.threads.len()),
        (Axis::Passes, experiment.passes.len()),
    ];
    swept.into_iter().filter(|(_, values)| *values > 1).map(|(axis, _)| axis).collect()
}

/// The points in rows along which one thing changes: the first of those that are swept. Arms that
/// are compared with different ones have rows of their own.
fn rows(result: &LabResult) -> Vec<Row<'_>> {
    let axes = axes(result);
    let Some((along, others)) = axes.split_first() else { return Vec::new() };
    let mut rows: Vec<Row> = Vec::new();
    let baselines = baselines(result);
    for baseline in &baselines {
        for place in places(result) {
            let beside = (baselines.len() > 1).then(|| beside(baseline));
            let within = others.iter().map(|axis| axis.within(place));
            let label = beside.into_iter().chain(within).collect::<Vec<String>>().join(" ");
            let comparisons =
                compared(result).into_iter().filter_map(|arm| comparison(result, arm, place));
            let own = comparisons.filter(|comparison| comparison.baseline == **baseline).collect();
            let point = (along.name(place), own);
            match rows.iter_mut().find(|row| row.label == label) {
                Some(row) => row.points.push(point),
                None => rows.push(Row { label, points: vec![point] }),
            }
        }
    }
    rows
}

fn places(result: &LabResult) -> Vec<Place> {
    let mut places: Vec<Place> =
        result.arms.iter().flat_map(|arm| arm.points.iter().map(Place::of)).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// The arms that have a row: all but the placebo.
fn shown(result: &LabResult) -> Vec<&Arm> {
    result.arms.iter().filter(|arm| !arm.placebo).collect()
}

fn compared(result: &LabResult) -> Vec<&Arm> {
    result.arms.iter().filter(|arm| !arm.placebo && !arm.baseline).collect()
}

fn cost(arm: &Arm, place: Place) -> Option<f64> {
    let point = arm.points.iter().find(|point| Place::of(point) == place)?;
    point.metric_ns_per_page.or(point.total_ns_per_page)
}

/// The comparison of an arm at a point.
pub(crate) fn comparison<'a>(
    result: &'a LabResult,
    arm: &Arm,
    place: Place,
) -> Option<&'a Comparison> {
    result.comparisons.iter().find(|c| {
        c.arm == arm.name
            && c.size_bytes == place.size_bytes
            && c.threads.is_none_or(|threads| threads == place.threads)
            && c.passes == place.passes
    })
}

/// Median time of a page, by point and arm.
fn costs(result: &LabResult, view: View) -> String {
    let arms = shown(result);
    let mut header =
        vec![format!("{}, ns a {}", metric_name(&result.experiment.metric), unit(result))];
    header.extend(arms.iter().map(|arm| clean(&arm.name)));
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<String>>()];
    for place in places(result) {
        let mut row = vec![place.label(result)];
        row.extend(
            arms.iter()
                .map(|arm| cost(arm, place).map_or_else(|| "-".to_owned(), |ns| digits(ns, 3))),
        );
        rows.push(row);
    }
    stacked(&rows, view.table_columns())
}

/// The unit that a cost is per.
fn unit(result: &LabResult) -> &'static str {
    if pairs::are_counted(result) { "pair" } else { "page" }
}

/// The ratio to the baseline with its interval and verdict, by point and arm. Where there is no
/// room for all arms side by side, they stand below each other: no interval is left out.
fn ratios(result: &LabResult, view: View) -> String {
    let arms = compared(result);
    let cell = |arm: &Arm, place: Place| {
        let Some(comparison) = comparison(result, arm, place) else { return "-".to_owned() };
        let word = verdict::verdict_word(result, comparison);
        let ratio = verdict::ratio(comparison.ratio, comparison.low, comparison.high);
        format!("{ratio} {}", styled(verdict_style(word), word))
    };
    let mut header = vec![format!("{} [{}]", against(result), confidence_label(result))];
    header.extend(arms.iter().map(|arm| versus(result, arm)));
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<String>>()];
    rows.extend(places(result).into_iter().map(|place| {
        let mut row = vec![place.label(result)];
        row.extend(arms.iter().map(|arm| cell(arm, place)));
        row
    }));
    stacked(&rows, view.table_columns())
}

/// One plot for each number of threads, against size; against threads where there is but one size.
fn plots(result: &LabResult, view: View) -> Vec<String> {
    let columns = view.plot_columns();
    let arms = shown(result);
    let places = places(result);
    let series = |places: &[Place]| -> Vec<Series> {
        let values = |arm: &&Arm| places.iter().map(|place| cost(arm, *place)).collect();
        arms.iter().map(|arm| Series { name: clean(&arm.name), values: values(arm) }).collect()
    };
    let experiment = &result.experiment;
    if experiment.sizes_bytes.len() <= 1 && experiment.passes.len() <= 1 {
        let labels: Vec<String> = places.iter().map(|place| place.threads.to_string()).collect();
        let title = format!("ns a {}, against threads", unit(result));
        return vec![draw(&title, &labels, &series(&places), columns)];
    }
    // Against passes where there are several, else against size; a plot for each combination of the
    // rest.
    let by_passes = experiment.passes.len() > 1;
    let rest = |place: &Place| {
        (place.threads, if by_passes { Some(place.size_bytes) } else { place.passes })
    };
    let mut groups: Vec<(u64, Option<u64>)> = places.iter().map(rest).collect();
    groups.sort_unstable();
    groups.dedup();
    let plot = |group: &(u64, Option<u64>)| {
        let own: Vec<Place> =
            places.iter().copied().filter(|place| rest(place) == *group).collect();
        let label = |place: &Place| match place.passes.filter(|_| by_passes) {
            Some(passes) => passes.to_string(),
            None => short(place.size_bytes),
        };
        let several_sizes = by_passes && experiment.sizes_bytes.len() > 1;
        let title = [
            Some(format!(
                "ns a {}, against {}",
                unit(result),
                if by_passes { "passes" } else { "size" }
            )),
            (experiment.threads.len() > 1).then(|| format!("threads: {}", group.0)),
            group.1.filter(|_| several_sizes).map(size_label),
        ];
        let title = title.into_iter().flatten().collect::<Vec<String>>().join(", ");
        draw(&title, &own.iter().map(label).collect::<Vec<String>>(), &series(&own), columns)
    };
    groups.iter().map(plot).collect()
}

/// A size exact to the byte, so that different sizes have different labels.
pub(crate) fn size_label(size_bytes: u64) -> String {
    if size_bytes < 1024 || size_bytes.is_multiple_of(1024) {
        bytes(size_bytes as f64)
    } else {
        format!("{size_bytes} B")
    }
}

/// `64K`, `1M`: sizes as labels of an axis.
fn short(size_bytes: u64) -> String {
    let text = size_label(size_bytes);
    text.replace(" B", "").replace("iB", "").replace([' ', ','], "")
}

/// The arm, and what it is compared with where that is not the same for all.
fn versus(result: &LabResult, arm: &Arm) -> String {
    let baseline =
        result.comparisons.iter().find(|c| c.arm == arm.name).map(|c| c.baseline.as_str());
    match baseline.filter(|_| baselines(result).len() > 1) {
        Some(baseline) => format!("{} of {}", clean(&arm.name), clean(baseline)),
        None => clean(&arm.name),
    }
}

fn placebo(result: &LabResult) -> Option<String> {
    let placebo = result.placebo.as_ref()?;
    Some(format!(
        "Placebo, the mean of all points: {} ({}).",
        verdict::ratio(placebo.ratio, placebo.low, placebo.high),
        verdict::placebo_word(placebo)
    ))
}

/// How blocks smaller than a page are counted.
fn small_blocks(result: &LabResult) -> Option<String> {
    let page = result.machine.page_bytes;
    if pairs::are_counted(result) {
        return None;
    }
    let smaller = places(result).iter().any(|place| place.size_bytes < page);
    smaller.then(|| {
        format!(
            "Blocks smaller than a page ({}) count as one each, however an arm lays them out.",
            bytes(page as f64)
        )
    })
}
