//! Which calls the report is of, where that is not all of them.

use results::recording::{RecordingReport, ReportFilter};

use crate::number::{Nanoseconds, bytes, several, whole};
use crate::text::{BOLD, clean, hanging, list, styled};
use crate::view::View;

/// A line with what was asked for, and what the other calls cost; nothing if the report is of all
/// calls.
pub(super) fn filtered(report: &RecordingReport, view: View) -> String {
    let Some(filter) = &report.filter else { return String::new() };
    let others = &filter.left_out;
    let about = if report.sampled.is_some() { "about " } else { "" };
    let cost = match others.true_ns {
        _ if others.calls == 0 => String::new(),
        Some(ns) => format!(" and {} of cost", Nanoseconds(ns)),
        None => format!(" and {} in the calls", Nanoseconds(others.apparent_ns)),
    };
    let left_out = match others.calls {
        0 => "none".to_owned(),
        calls => {
            let size = bytes(others.bytes as f64);
            format!("{about}{} of {size}{cost}", several(calls, "call", "calls"))
        }
    };
    let chosen = several(report.costs.calls, "call", "calls");
    let text = format!("{about}{chosen} {}; not chosen: {left_out}.", bounds(filter));
    hanging(&styled(BOLD, "chosen: "), &text, view.width)
}

/// What was asked for, in words.
fn bounds(filter: &ReportFilter) -> String {
    let mut parts = Vec::new();
    parts.extend(filter.tid.map(|tid| format!("of thread {tid}")));
    parts.extend(filter.pid.map(|pid| format!("of process {pid}")));
    parts.extend(match (filter.min_bytes, filter.max_bytes) {
        (Some(min), Some(max)) if min == max => Some(format!("for {}", exactly(min))),
        (Some(min), Some(max)) => Some(format!("for {} to {}", exactly(min), exactly(max))),
        (Some(min), None) => Some(format!("for {} or more", exactly(min))),
        (None, Some(max)) => Some(format!("for {} or less", exactly(max))),
        (None, None) => None,
    });
    let time = Nanoseconds;
    parts.extend(match (filter.from_ns, filter.until_ns) {
        (Some(from), Some(until)) => Some(format!("from {} until {}", time(from), time(until))),
        (Some(from), None) => Some(format!("from {} on", time(from))),
        (None, Some(until)) => Some(format!("before {}", time(until))),
        (None, None) => None,
    });
    parts.join(" ")
}

/// A size with its unit if that loses nothing.
fn exactly(size_bytes: u64) -> String {
    let is_round = (0..4).any(|power| {
        let unit = 1 << (10 * power);
        size_bytes / unit < 1024 && size_bytes.is_multiple_of(unit)
    });
    if is_round { bytes(size_bytes as f64) } else { format!("{} B", whole(size_bytes)) }
}

/// Functions that were to be skipped, and that no stack has where a caller is looked for.
pub(super) fn not_skipped(report: &RecordingReport) -> Option<String> {
    let missing = report.skipped.iter().filter(|skipped| skipped.sites == 0);
    let names: Vec<String> = missing.map(|skipped| clean(&skipped.function)).collect();
    (!names.is_empty()).then(|| {
        let ask = if names.len() == 1 { "asks" } else { "ask" };
        format!("--skip changed nothing: {} {ask} for no memory here.", list(&names))
    })
}
