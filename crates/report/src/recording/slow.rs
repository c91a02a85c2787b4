//! The slowest calls, and why each was slow.

use results::recording::{CallerRow, RecordingReport, SlowCallRow, SlowPartRow};

use crate::number::{Nanoseconds, bytes, duration, percent};
use crate::table::{table, width_of};
use crate::text::{DIM, clean, hanging, styled};
use crate::view::View;

const HEAD: &str = "slowest calls";
/// Rows of the table.
const ROWS: usize = 10;
/// The share of the run from which on the slowest call is said on the default screen.
const SAID: f64 = 0.02;
/// Where the recording does not have it.
const UNSEEN: &str = "Which threads were on a processor was not recorded, so times of waiting and \
                      of preemption are in these causes.";
/// The columns of a terminal from which on a row says what else took much.
const WIDE: usize = 110;
/// So many parts of a call are said, those after the first if they are this share of it.
const CAUSES: usize = 3;
const MUCH: f64 = 0.1;
/// The columns that names need for the thread to stay, and those that they get at least.
const NAME_WANTED: usize = 34;
const NAME_MIN: usize = 20;

/// The slowest call, if it took a part of the run that matters.
pub(super) fn sentence(report: &RecordingReport, view: View) -> String {
    let Some(call) = report.slowest.first() else { return String::new() };
    if (call.latency_ns as f64) < SAID * report.elapsed_ns as f64 {
        return String::new();
    }
    hanging("", &format!("Slowest call: {}.", told(call, report, view)), view.width)
}

/// A call in words.
fn told(call: &SlowCallRow, report: &RecordingReport, view: View) -> String {
    format!(
        "{} took {}, at {}: {}",
        named(call, report, view.width.map(|width| width.saturating_sub(4))),
        Nanoseconds(call.latency_ns),
        duration(call.time_ns as f64),
        why(call, true),
    )
}

/// The table of the slowest calls.
pub(super) fn slowest(report: &RecordingReport, view: View) -> String {
    if report.slowest.is_empty() {
        return String::new();
    }
    let shown = &report.slowest[..ROWS.min(report.slowest.len())];
    let wide = view.width.is_none_or(|width| width >= WIDE);
    let has_threads = report.totals.threads > 1;
    let heads = ["took", "at", "thread", "why"].map(str::to_owned).to_vec();
    let row = |call: &SlowCallRow| {
        let thread = call.tid.to_string();
        let took = Nanoseconds(call.latency_ns).to_string();
        vec![took, duration(call.time_ns as f64), thread, why(call, wide)]
    };
    let mut rows: Vec<Vec<String>> = std::iter::once(heads).chain(shown.iter().map(row)).collect();
    let room =
        |rows: &[Vec<String>]| view.width.map(|width| width.saturating_sub(width_of(rows, 1) + 1));
    if !has_threads || room(&rows).is_some_and(|room| room < NAME_WANTED) {
        remove(&mut rows, 2);
    }
    if room(&rows).is_some_and(|room| room < NAME_MIN) {
        remove(&mut rows, 1);
    }
    if room(&rows).is_some_and(|room| room < NAME_MIN) {
        // Lines hold where a table does not.
        let line = |call: &SlowCallRow| hanging("  ", &told(call, report, view), view.width);
        let lines: String = shown.iter().map(line).collect();
        return format!("\n{}\n{lines}", styled(DIM, HEAD));
    }
    let room = room(&rows);
    let names = shown.iter().map(|call| named(call, report, room));
    let names = std::iter::once(HEAD.to_owned()).chain(names);
    for (row, name) in rows.iter_mut().zip(names) {
        row.insert(0, name);
    }
    if let Some(heads) = rows.first_mut() {
        *heads = heads.iter().map(|head| styled(DIM, head)).collect();
    }
    let unseen = (!report.seen.absences).then(|| hanging("", UNSEEN, view.width));
    "\n".to_owned() + &table(rows, view.table_columns(), &[]) + &unseen.unwrap_or_default()
}

/// Removes a column.
fn remove(rows: &mut [Vec<String>], column: usize) {
    for row in rows {
        row.remove(column);
    }
}

/// The call, its size and its caller: `calloc 64 MiB  main  a.c:3`.
fn named(call: &SlowCallRow, report: &RecordingReport, room: Option<usize>) -> String {
    let size = call.size_bytes.map(|size| format!(" {}", bytes(size as f64))).unwrap_or_default();
    let name = clean(&call.function) + &size;
    let is_of = |caller: &&CallerRow| call.site.is_some_and(|site| caller.sites.contains(&site));
    match report.callers.iter().find(is_of).filter(|_| !report.has_no_stacks()) {
        Some(caller) => {
            let room = room.map(|room| room.saturating_sub(name.len() + 2).max(1));
            format!("{name}  {}", super::table::name(caller, room))
        }
        None => name,
    }
}

/// What took most of its time: the cause, and with `several` what else took much.
fn why(call: &SlowCallRow, several: bool) -> String {
    let parts = call.parts.iter().enumerate().take(if several { CAUSES } else { 1 });
    let much = parts.filter(|(place, part)| *place == 0 || call.share(part) >= MUCH);
    let words = |(_, part): (usize, &SlowPartRow)| {
        let is_wait = part.waited() && part.what != SlowPartRow::WAITED;
        let waiting = if is_wait { ", waiting" } else { "" };
        format!("{}{waiting} {}", clean(words(&part.what)), percent(call.share(part)))
    };
    much.map(words).collect::<Vec<_>>().join(", ")
}

/// What a call did, in words.
fn words(what: &str) -> &str {
    match what {
        SlowPartRow::OWN_FAULTS => "faults on its block",
        SlowPartRow::OTHER_FAULTS => "other faults",
        SlowPartRow::PREEMPTED => "preempted",
        SlowPartRow::WAITED => "waited (a lock?)",
        SlowPartRow::STOPPED => "stopped by the recorder",
        SlowPartRow::OFF_CPU => "waited or preempted",
        SlowPartRow::NESTED => "a call inside it",
        SlowPartRow::USER_SPACE => "user space",
        SlowPartRow::UNKNOWN => "unknown",
        syscall => syscall,
    }
}
