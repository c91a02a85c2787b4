//! The screen of a sweep: cost per page and ratio at every point, where arms change places, and a
//! plot.

use results::{Arm, Comparison, LabResult, PointSummary};

use crate::answer::{Row, baselines, beside, of_a_sweep, sentence};
use crate::bench::{against, confidence_label, lines, metric_name, question, verdict_style};
use crate::crossing;
use crate::number::{bytes, digits, duration};
use crate::pairs;
use crate::scaling::{Series, draw};
use crate::sentence;
use crate::table::{table, width_of};
use crate::text::{DIM, clean, styled};

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
    Some(sentence(format!(
        "{} of {}: {first} to {last}",
        metric_name(&result.experiment.metric),
        clean(&arm.name)
    )))
}

/// What stands between the head and the warnings.
pub(crate) fn paragraphs(result: &LabResult, columns: usize, width: Option<usize>) -> Vec<String> {
    let mut sentences: Vec<String> =
        compared(result).iter().map(|arm| by_verdict(result, arm)).collect();
    sentences.extend(crossing::sentences(result));
    sentences.extend(placebo(result));
    sentences.extend(small_blocks(result));
    let mut answers = crossing::turning_points(result);
    answers.extend(of_a_sweep(&rows(result)));
    answers.extend(first_and_last(result));
    vec![
        question(result, answers, width),
        costs(result, columns),
        ratios(result, columns),
        plots(result, columns),
        lines("", &sentences, width),
    ]
}

/// A point by its coordinates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    threads: u64,
    size_bytes: u64,
    passes: Option<u64>,
}

impl Place {
    fn of(point: &PointSummary) -> Self {
        Place { threads: point.threads, size_bytes: point.size_bytes, passes: point.passes }
    }

    /// What differs between the points, and no more.
    fn label(self, result: &LabResult) -> String {
        axes(result).iter().map(|axis| axis.name(self)).collect::<Vec<String>>().join(", ")
    }
}

/// What points can differ in.
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

/// Those that are swept.
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

fn comparison<'a>(result: &'a LabResult, arm: &Arm, place: Place) -> Option<&'a Comparison> {
    result.comparisons.iter().find(|c| {
        c.arm == arm.name
            && c.size_bytes == place.size_bytes
            && c.threads.is_none_or(|threads| threads == place.threads)
            && c.passes == place.passes
    })
}

/// Median time of a page, by point and arm.
fn costs(result: &LabResult, columns: usize) -> String {
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
    table(rows, columns, &[])
}

/// What a time is of.
fn unit(result: &LabResult) -> &'static str {
    if pairs::are_counted(result) { "pair" } else { "page" }
}

/// The ratio to the baseline with its verdict, by point and arm; with intervals where there is room
/// for them.
fn ratios(result: &LabResult, columns: usize) -> String {
    let arms = compared(result);
    let cell = |arm: &Arm, place: Place, with_interval: bool| {
        let Some(comparison) = comparison(result, arm, place) else { return "-".to_owned() };
        let word = sentence::verdict_word(comparison);
        let bounds = if with_interval { (comparison.low, comparison.high) } else { (None, None) };
        format!(
            "{} {}",
            sentence::ratio(comparison.ratio, bounds.0, bounds.1),
            styled(verdict_style(word), word)
        )
    };
    let rows = |with_interval: bool| {
        let label = if with_interval {
            format!("{} [{}]", against(result), confidence_label(result))
        } else {
            format!("{} (wide: CI)", against(result))
        };
        let mut header = vec![label];
        header.extend(arms.iter().map(|arm| versus(result, arm)));
        let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<String>>()];
        rows.extend(places(result).into_iter().map(|place| {
            let mut row = vec![place.label(result)];
            row.extend(arms.iter().map(|arm| cell(arm, place, with_interval)));
            row
        }));
        rows
    };
    let full = rows(true);
    let rows = if width_of(&full, 1) <= columns { full } else { rows(false) };
    table(rows, columns, &[])
}

/// One plot for each number of threads, against size; against threads where there is but one size.
fn plots(result: &LabResult, columns: usize) -> String {
    let arms = shown(result);
    let places = places(result);
    let series = |places: &[Place]| -> Vec<Series> {
        let values = |arm: &&Arm| places.iter().map(|place| cost(arm, *place)).collect();
        arms.iter().map(|arm| Series { name: clean(&arm.name), values: values(arm) }).collect()
    };
    let experiment = &result.experiment;
    if experiment.sizes_bytes.len() <= 1 && experiment.passes.len() <= 1 {
        let labels: Vec<String> = places.iter().map(|place| place.threads.to_string()).collect();
        return draw(
            &format!("ns a {}, against threads", unit(result)),
            &labels,
            &series(&places),
            columns,
        );
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
    groups.iter().map(plot).collect::<Vec<String>>().join("\n")
}

/// To the byte: sizes that differ have labels that differ.
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

/// At which points an arm is faster, slower, the same, unclear.
fn by_verdict(result: &LabResult, arm: &Arm) -> String {
    let mut groups: Vec<(&str, Vec<(usize, String)>)> = Vec::new();
    for (index, place) in places(result).into_iter().enumerate() {
        let Some(comparison) = comparison(result, arm, place) else { continue };
        let (word, entry) = (sentence::verdict_word(comparison), (index, place.label(result)));
        match groups.iter_mut().find(|(other, _)| *other == word) {
            Some((_, entries)) => entries.push(entry),
            None => groups.push((word, vec![entry])),
        }
    }
    let groups: Vec<String> =
        groups.iter().map(|(word, entries)| format!("{word} at {}", stretches(entries))).collect();
    if groups.is_empty() {
        return format!("{}: nothing is known.", clean(&arm.name));
    }
    format!("{}: {}.", versus(result, arm), groups.join("; "))
}

/// `4 KiB, 64 KiB to 1 MiB`: neighbours in the table are drawn together.
fn stretches(entries: &[(usize, String)]) -> String {
    let mut runs: Vec<[&(usize, String); 2]> = Vec::new();
    for entry in entries {
        match runs.last_mut() {
            Some([_, last]) if last.0 + 1 == entry.0 => *last = entry,
            _ => runs.push([entry, entry]),
        }
    }
    let text = |[first, last]: &[&(usize, String); 2]| {
        if first.0 == last.0 { first.1.clone() } else { format!("{} to {}", first.1, last.1) }
    };
    runs.iter().map(text).collect::<Vec<String>>().join(", ")
}

fn placebo(result: &LabResult) -> Option<String> {
    let placebo = result.placebo.as_ref()?;
    Some(format!(
        "Placebo, the mean of all points: {} ({}). Every ratio is one of {} comparisons that hold together.",
        sentence::ratio(placebo.ratio, placebo.low, placebo.high),
        sentence::placebo_word(placebo),
        result.comparisons.len()
    ))
}

/// What a page is where blocks are smaller than one.
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
