//! Times of single touches: percentiles of each arm, and its distribution as rows of a logarithmic
//! scale.

use results::{Arm, Distribution, LabResult, Latencies, LatencyRow};

use super::{arms as table_of, forest, lines, unclear};
use crate::number::{TimeUnit, count, digits, duration, percent};
use crate::table::table;
use crate::text::{BOLD, DIM, clean, styled};
use crate::view::View;

/// Columns of the longest bar, if there is room.
const BAR_COLUMNS: usize = 40;
/// Columns of a row beside its bar: the range, the shares and the percentiles.
const BESIDE_BAR: usize = 58;

/// An arm with timed touches.
type Timed<'a> = (&'a str, &'a Latencies);

/// Whether single touches were timed, which makes them the answer.
pub(super) fn are_timed(result: &LabResult) -> bool {
    !arms(result).is_empty()
}

/// The tail of the first arm, and the arm whose tail is the shortest if that is another one.
pub(super) fn answers(result: &LabResult) -> Vec<String> {
    let arms = arms(result);
    let shortest = arms.iter().min_by_key(|(_, latencies)| latencies.touches.p999_ns);
    let first = arms.first().into_iter();
    let rest = shortest.filter(|(name, _)| arms.first().is_some_and(|(first, _)| first != name));
    first.chain(rest).map(answer).collect()
}

fn arms(result: &LabResult) -> Vec<Timed<'_>> {
    let timed = |arm: &'_ &Arm| {
        !arm.placebo && arm.latencies.as_ref().is_some_and(|own| own.touches.count > 0)
    };
    result
        .arms
        .iter()
        .filter(timed)
        .filter_map(|arm| Some((arm.name.as_str(), arm.latencies.as_ref()?)))
        .collect()
}

/// The tables and histograms below the answer. Every touch includes the clock's own time, so these
/// runs have no bill.
pub(super) fn paragraphs(result: &LabResult, view: View) -> Vec<String> {
    let arms = arms(result);
    let mut paragraphs = vec![percentiles(&arms, view.table_columns())];
    paragraphs.push(table_of::table_of_arms(result, view));
    paragraphs.extend(arms.iter().map(|arm| histogram(arm, view.plot_columns())));
    if view.verbose {
        paragraphs.push(forest::plot(result, view));
        paragraphs.push(lines(&unclear::sentences(result), view));
    }
    paragraphs.push(lines(&[clock(&arms)], view));
    paragraphs
}

/// The answer in a sentence.
fn answer((name, latencies): &Timed) -> String {
    let touches = &latencies.touches;
    let [half, most, longest] =
        [touches.p50_ns, touches.p999_ns, touches.max_ns].map(|ns| duration(ns as f64));
    format!(
        "{}: half of the first touches take at most {half}, all but one in a thousand at most \
         {most}, the longest {longest}.",
        clean(name)
    )
}

/// One line for each arm. A unit for each time, since the largest is thousands of times the median.
fn percentiles(arms: &[Timed], columns: usize) -> String {
    let header = ["one touch", "median", "90 %", "99 %", "99.9 %", "longest", "touches", "clock"];
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<_>>()];
    rows.extend(arms.iter().flat_map(|(name, latencies)| {
        let touches = &latencies.touches;
        let times =
            [touches.p50_ns, touches.p90_ns, touches.p99_ns, touches.p999_ns, touches.max_ns];
        let mut row = vec![clean(name)];
        row.extend(times.map(|ns| duration(ns as f64)));
        row.extend([count(touches.count as f64), duration(latencies.clock.p50_ns as f64)]);
        let bounds = (!latencies.intervals.is_empty()).then(|| intervals(latencies));
        std::iter::once(row).chain(bounds)
    }));
    table(rows, columns, &[6, 2])
}

/// The line below an arm: how the percentiles vary between processes.
fn intervals(latencies: &Latencies) -> Vec<String> {
    let range = |per_mille: u64| {
        let interval = latencies.intervals.iter().find(|interval| interval.per_mille == per_mille);
        let text = |i: &results::PercentileInterval| {
            let unit = TimeUnit::for_largest(i.high_ns as f64);
            format!(
                "[{}, {}]",
                digits(i.low_ns as f64 / unit.ns(), 3),
                digits(i.high_ns as f64 / unit.ns(), 3)
            )
        };
        styled(DIM, &interval.map_or_else(String::new, text))
    };
    let mut row = vec![styled(DIM, "  95 % CI")];
    row.extend([500, 900, 990, 999].map(range));
    row.extend(["", "", ""].map(str::to_owned));
    row
}

/// The clock's share of every time.
fn clock(arms: &[Timed]) -> String {
    let most = arms.iter().map(|arm| arm.1.clock.p50_ns).max().unwrap_or(0);
    format!(
        "Each time includes reading the clock twice: {} (median), not subtracted. An interval is \
         that of one process's percentile.",
        duration(most as f64)
    )
}

/// The rows of one arm. Bars show the share of the touches; every row that holds a touch has at
/// least a dot.
fn histogram((name, latencies): &Timed, columns: usize) -> String {
    let touches = &latencies.touches;
    let room = columns.saturating_sub(BESIDE_BAR).clamp(10, BAR_COLUMNS);
    let largest = touches.rows.iter().map(|row| row.share).fold(0.0, f64::max);
    let head = format!("{:>17}  {:>8}  {:>8}", clean(name), "touches", "of time");
    let mut text = format!("{}\n", styled(BOLD, &head));
    for row in &touches.rows {
        let line = format!(
            "{:>17}  {:>8}  {:>8}  {:room$}  {}",
            range(row),
            percent(row.share),
            percent(row.time_share),
            bar(row.share, largest, room),
            marks(row, touches)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `1-2 us`, in the unit of its end.
fn range(row: &LatencyRow) -> String {
    let unit = TimeUnit::for_largest((row.bucket.high_ns - 1) as f64);
    let edge = |ns: u64| digits(ns as f64 / unit.ns(), 1);
    format!("{}-{} {}", edge(row.bucket.low_ns), edge(row.bucket.high_ns), unit.name())
}

fn bar(share: f64, largest: f64, room: usize) -> String {
    if share <= 0.0 {
        return String::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the room"
    )]
    let full = (share / largest * room as f64).round().clamp(0.0, room as f64) as usize;
    if full == 0 { ".".to_owned() } else { "#".repeat(full) }
}

/// The percentiles that lie in a row.
fn marks(row: &LatencyRow, touches: &Distribution) -> String {
    let named = [
        ("p50", touches.p50_ns),
        ("p90", touches.p90_ns),
        ("p99", touches.p99_ns),
        ("p99.9", touches.p999_ns),
    ];
    let here = named.iter().filter(|(_, ns)| (row.bucket.low_ns..row.bucket.high_ns).contains(ns));
    here.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}
