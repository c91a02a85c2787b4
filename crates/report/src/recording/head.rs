//! What memory cost, and when it was paid.

use results::recording::RecordingReport;

use crate::number::{Nanoseconds, bytes, count, duration, percent, several, whole};
use crate::text::{BOLD, DIM, hanging, quoted, styled};
use crate::view::View;

/// The columns of the longest bar.
const BAR: usize = 24;
/// The most characters of a command.
const COMMAND_CHARACTERS: usize = 60;

pub(super) fn head(report: &RecordingReport, view: View) -> String {
    let mut text = answer(report, view);
    if !report.callers.is_empty() {
        text += &bars(report, view);
        text += &totals(report, view);
    }
    text
}

/// How long it ran, and the share of memory in that.
fn answer(report: &RecordingReport, view: View) -> String {
    let totals = &report.totals;
    let words: Vec<String> = report.command.iter().map(|word| quoted(word)).collect();
    let mut command = words.join(" ");
    if let Some((at, _)) = command.char_indices().nth(COMMAND_CHARACTERS) {
        command.replace_range(at.., "...");
    }
    let named = if command.is_empty() { "A running process".to_owned() } else { command };
    let ran = format!("ran {}", Nanoseconds(report.elapsed_ns));
    let of = match (totals.threads, totals.processes) {
        (0 | 1, _) if totals.pauses > 0 => "of what was recorded".to_owned(),
        (0 | 1, _) => "of it".to_owned(),
        (threads, 0 | 1) => format!("of the time of its {} threads", whole(threads)),
        (threads, processes) => {
            format!("of the time of {} threads in {} processes", whole(threads), whole(processes))
        }
    };
    let cost = match (report.costs.true_ns, report.share) {
        (Some(true_ns), Some(share)) => {
            format!("memory cost {} = {} {of}", Nanoseconds(true_ns), part(share))
        }
        (Some(true_ns), None) => format!("memory cost {}", Nanoseconds(true_ns)),
        (None, _) => "what memory cost is known in part".to_owned(),
    };
    hanging("", &format!("{}: {ran}, {cost}", styled(BOLD, &named)), view.width)
}

/// A share of the time, to a tenth of a percent.
fn part(share: f64) -> String {
    if share < 0.01 { percent(share) } else { format!("{:.1} %", 100.0 * share) }
}

/// Two bars: what the calls seem to cost, and what is paid later.
fn bars(report: &RecordingReport, view: View) -> String {
    let costs = &report.costs;
    let later_ns = costs.paid_later_ns();
    let longest = costs.apparent_ns.max(later_ns).max(1);
    let first_touch = costs
        .first_touch_ns
        .map_or("first touch unknown".to_owned(), |ns| format!("first touch {}", Nanoseconds(ns)));
    let release = format!("release {}{}", Nanoseconds(costs.release_ns), estimated(report));
    [
        ("in the calls", costs.apparent_ns, String::new()),
        ("paid later", later_ns, format!("{first_touch}, {release}")),
    ]
    .into_iter()
    .map(|(name, ns, parts)| {
        let head = format!("{name:12} {:>9}  ", Nanoseconds(ns).to_string());
        let room = view.width.map_or(BAR, |width| width.saturating_sub(head.len()).min(BAR));
        let bar = "#".repeat(bar_columns(ns, longest, room));
        if parts.is_empty() {
            return format!("{head}{bar}\n");
        }
        let line = format!("{head}{bar:BAR$}  {parts}");
        if view.width.is_none_or(|width| line.len() <= width) {
            format!("{line}\n")
        } else {
            let indent = if room < BAR { 2 } else { head.len() };
            format!("{head}{bar}\n") + &hanging(&" ".repeat(indent), &parts, view.width)
        }
    })
    .collect()
}

/// The columns of a bar in so much `room`. One that is not zero has at least one.
fn bar_columns(ns: u64, longest: u64, room: usize) -> usize {
    let columns = (u128::from(ns) * room as u128).div_ceil(u128::from(longest.max(1)));
    usize::try_from(columns).unwrap_or(room).min(room)
}

/// Says that the time of releases is an estimate, if not all were timed.
fn estimated(report: &RecordingReport) -> String {
    let totals = &report.totals;
    match (totals.timed_release_calls, totals.release_calls) {
        (timed, all) if timed == all => String::new(),
        (0, _) => " (none was timed)".to_owned(),
        (timed, all) => {
            let one_of = count((all as f64 / timed as f64).max(1.0));
            format!(" (estimated: 1 of {one_of} was timed)")
        }
    }
}

/// Calls and bytes, and what recording them cost.
fn totals(report: &RecordingReport, view: View) -> String {
    let totals = &report.totals;
    let failed = match totals.failed {
        0 => String::new(),
        failed => format!(" ({} failed)", whole(failed)),
    };
    let mut parts = vec![
        several(totals.calls, "call", "calls") + &failed,
        format!("{} asked for", bytes(totals.allocated_bytes as f64)),
        format!(
            "at most {} live (at {})",
            bytes(totals.peak_live_bytes as f64),
            duration(totals.peak_ns as f64)
        ),
    ];
    let kept = report.costs.unreleased;
    if kept > 0 {
        let bytes = bytes(report.costs.unreleased_bytes as f64);
        // Of a program that goes on, nobody knows what it will free.
        let how = if report.ended_early.is_some() { "live at the end" } else { "never freed" };
        parts.push(format!("{} ({bytes}) {how}", several(kept, "block", "blocks")));
    }
    parts.extend(recording(report));
    hanging("", &styled(DIM, &parts.join(", ")), view.width)
}

/// What recording the calls cost.
fn recording(report: &RecordingReport) -> Option<String> {
    let probe_ns = report.totals.probe_ns_per_call?;
    let all = report.recording_ns.map(|ns| format!(": {}", Nanoseconds(ns))).unwrap_or_default();
    let share = report.recording_share.map(|share| format!(" = {}", part(share)));
    Some(format!(
        "recording cost about {} a call{all}{}",
        duration(probe_ns),
        share.unwrap_or_default()
    ))
}
