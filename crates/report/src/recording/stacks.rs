//! The stacks behind the callers (`-v`).

use std::fmt::Write;

use results::recording::{CallerRow, RecordingReport, SiteRow};

use crate::number::{Nanoseconds, several, whole};
use crate::text::{BOLD, clean, hanging, styled};
use crate::view::View;

use super::functions::with_short_strings;

/// Callers whose stacks are shown.
const CALLERS: usize = 10;
/// Stacks of a caller that are shown, the costliest ones.
const STACKS: usize = 3;
/// Frames of a stack that are shown.
const FRAMES: usize = 16;

/// The costliest stacks of the first callers.
pub(super) fn stacks(report: &RecordingReport, view: View) -> String {
    let mut text = String::new();
    for (index, caller) in report.callers.iter().take(CALLERS).enumerate() {
        let name = super::table::name(caller, None);
        let sites = several(caller.sites.len() as u64, "stack", "stacks");
        let head = format!("{}  {sites}", styled(BOLD, &format!("{} {name}", index + 1)));
        text.push('\n');
        text += &broken("", &head, view);
        text += &stacks_of(report, caller, STACKS, view);
    }
    text
}

/// The costliest stacks of a caller, and how many more it has than `most`.
pub(super) fn stacks_of(
    report: &RecordingReport,
    caller: &CallerRow,
    most: usize,
    view: View,
) -> String {
    let mut text = String::new();
    for site in caller.sites.iter().take(most).filter_map(|&site| report.sites.get(site)) {
        text += &stack(site, view);
    }
    if let Some(more) = caller.sites.len().checked_sub(most).filter(|&more| more > 0) {
        let _ = writeln!(text, "  {}", several(more as u64, "other stack", "other stacks"));
    }
    text
}

/// `text` behind `indent`, on as many lines as it needs: names of templates have no spaces.
pub(super) fn broken(indent: &str, text: &str, view: View) -> String {
    let Some(width) = view.width else { return format!("{indent}{text}\n") };
    let below = indent.to_owned() + "  ";
    let options = textwrap::Options::new(width.max(below.len() + 20))
        .initial_indent(indent)
        .subsequent_indent(&below)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options) + "\n"
}

fn stack(site: &SiteRow, view: View) -> String {
    let costs = &site.costs;
    let ns = costs.true_ns.unwrap_or(costs.apparent_ns);
    let calls = if costs.calls == 1 { "call" } else { "calls" };
    let (called, sized) = (super::table::called(costs), super::table::sized(costs));
    let sums = format!("{}, {called} {calls}, {sized}:", Nanoseconds(ns));
    let mut text = hanging("  ", &sums, view.width);
    for frame in site.stack.iter().take(FRAMES) {
        text += &broken("    ", &with_short_strings(&clean(frame)), view);
    }
    match site.stack.len() {
        0 => text += "    unknown\n",
        frames if frames > FRAMES => {
            let _ = writeln!(text, "    ... {} more", whole((frames - FRAMES) as u64));
        }
        _ => {}
    }
    text
}
