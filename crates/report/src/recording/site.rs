//! One row of the table in full (`--site`).

use std::fmt::Write;

use results::recording::{CallerRow, RecordingReport, SiteDetail};

use super::histogram::{Step, histogram};
use super::wanted::RecordingScreen;
use super::{filtered, head, stacks, story, table};
use crate::number::{Nanoseconds, bytes, percent, several, whole};
use crate::text::{BAD, BOLD, DIM, broken, hanging, styled};
use crate::view::View;

/// The columns before the text of a line.
const LABEL: usize = 15;
/// Functions that touched, and stacks, that are shown; all of them with `-v`.
const SHOWN: usize = 5;

/// Renders the caller in row `number` of the table of `report`, the first being 1; `None` if it has
/// no such row.
#[must_use]
pub fn screen(
    report: &RecordingReport,
    number: usize,
    wanted: &RecordingScreen<'_>,
    view: View,
) -> Option<String> {
    let caller = report.callers.get(number.checked_sub(1)?)?;
    let detail = report.detail_of(caller);
    let name = table::name(caller, None);
    let mut text = stacks::broken("", &styled(BOLD, &format!("{number} {name}")), view);
    let sentence = story::true_cost(report, caller, &detail) + ".";
    text += &broken("", &capitalised(&sentence), view.width);
    text += &filtered::filtered(report, view);
    if report.thinned.is_some() || report.sampled.is_some() {
        let which = if report.sampled.is_some() { "chosen" } else { "followed" };
        let note = format!(
            "Times, calls and bytes are estimates; what is below them counts only what was {which}."
        );
        text += &hanging(&styled(BAD, "note "), &note, view.width);
    }
    text.push('\n');
    text += &costs(report, caller, &detail, view);
    text.push('\n');
    for (label, line) in lines(report, caller, &detail, view) {
        text += &broken(&format!("{label:LABEL$}"), &line, view.width);
    }
    text += &histograms(&detail);
    text += &all_stacks(report, caller, view);
    Some(text + &wanted.next_of_site(number, report, view))
}

/// A sentence that begins with a small letter of ours.
fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// A bar for each part of the cost, and what that consists of.
fn costs(report: &RecordingReport, caller: &CallerRow, detail: &SiteDetail, view: View) -> String {
    let costs = &caller.costs;
    let parts = &detail.parts;
    let inside = [
        (
            if caller.maps {
                "beside the syscalls"
            } else {
                "in the allocator or off the processor"
            },
            parts.user_ns,
        ),
        ("in syscalls", parts.syscall_ns),
        ("in faults on no block", parts.fault_ns),
    ];
    let inside = inside.into_iter().filter(|(_, ns)| *ns > 0);
    let inside: Vec<String> =
        inside.map(|(what, ns)| format!("{} {what}", Nanoseconds(ns))).collect();
    let mut touched = Vec::new();
    touched.extend(costs.touch_faults.map(|faults| several(faults, "fault", "faults")));
    if parts.touch_ns > 0 {
        touched.push(format!("{} inside the calls", Nanoseconds(parts.touch_ns)));
    }
    if detail.copied_faults > 0 {
        let copies = several(detail.copied_faults, "copy", "copies");
        touched.push(format!("{copies} of pages after fork: {}", Nanoseconds(detail.copied_ns)));
    }
    if detail.reused_faults > 0 {
        let pages = several(detail.reused_faults, "page", "pages");
        let time = Nanoseconds(detail.reused_ns);
        touched.push(format!("{pages} made writable again after fork, without a copy: {time}"));
    }
    let returned = (detail.returned_ns > 0).then(|| {
        let size = bytes(detail.returned_bytes as f64);
        format!("{} to return {size} to the kernel", Nanoseconds(detail.returned_ns))
    });
    let totals = &report.totals;
    let was_timed = totals.timed_release_calls > 0 || totals.release_calls == 0;
    let release_ns = was_timed.then_some(costs.release_ns);
    let gave_back = costs.frees > 0 || costs.release_ns > 0;
    let rows = [
        ("in the calls", Some(costs.apparent_ns), inside.join(", ")),
        ("first touch", costs.first_touch_ns, touched.join(", ")),
        ("release", release_ns, returned.unwrap_or_default()),
        ("true", costs.true_ns, String::new()),
    ];
    let rows = rows.into_iter().filter(|(name, ..)| *name != "release" || gave_back);
    let rows: Vec<_> = rows.collect();
    let known = rows.iter().filter(|(name, ..)| *name != "true").filter_map(|(_, ns, _)| *ns);
    let longest = known.max().unwrap_or(0);
    let line = |(name, ns, parts): (&str, Option<u64>, String)| {
        let time = ns.map_or("-".to_owned(), |ns| Nanoseconds(ns).to_string());
        let bar = if name == "true" { 0 } else { ns.unwrap_or(0) };
        head::bar_line((name, &time), (bar, longest), &parts, view)
    };
    rows.into_iter().map(line).collect()
}

/// What else is known, line by line; what says nothing is left out.
fn lines(
    report: &RecordingReport,
    caller: &CallerRow,
    detail: &SiteDetail,
    view: View,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![(if caller.maps { "mapped" } else { "asked for" }, asked(caller))];
    let mut add = |label, line: Option<String>| lines.extend(line.map(|line| (label, line)));
    add("latency", latency(detail));
    add("served", served(detail).filter(|_| !caller.maps));
    add(if caller.maps { "mappings" } else { "blocks" }, Some(blocks(report, caller)));
    add("live", Some(live(report, caller)));
    add("touched in", touched_in(detail, view));
    add("touched by", touched_by(detail));
    add("touched again", touched_again(caller, detail));
    add("untouched", untouched(report, caller));
    let costs = &caller.costs;
    add(
        "faults",
        costs.faults().filter(|&faults| faults > 0).map(|faults| {
            let major = costs.major_faults.filter(|&major| major > 0);
            let major = major.map(|major| format!("{} read a device", whole(major)));
            let inside = costs.touch_faults.map(|own| faults.saturating_sub(own));
            let inside = inside.filter(|&inside| inside > 0);
            let inside = inside.map(|inside| format!("{} inside calls on no block", whole(inside)));
            [Some(whole(faults)), inside, major]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", ")
        }),
    );
    add(
        "syscalls",
        costs
            .syscalls
            .filter(|&calls| calls > 0)
            .map(|calls| format!("{} inside its calls", whole(calls))),
    );
    lines
}

fn asked(caller: &CallerRow) -> String {
    let costs = &caller.costs;
    let calls = if costs.calls == 1 { "call" } else { "calls" };
    let failed = match costs.failed {
        0 => String::new(),
        failed => format!(" ({} failed)", whole(failed)),
    };
    format!("{} in {} {calls}{failed}", table::sized(costs), table::called(costs))
}

fn latency(detail: &SiteDetail) -> Option<String> {
    let latency = detail.latency.filter(|latency| latency.timed > 0)?;
    let max = Nanoseconds(latency.max_ns);
    if latency.timed == 1 {
        return Some(format!("{max}"));
    }
    let (p50, p99) = (Nanoseconds(latency.p50_ns), Nanoseconds(latency.p99_ns));
    let timed = whole(latency.timed);
    Some(format!("p50 {p50}, p99 {p99}, max {max} ({timed} timed calls, faults included)"))
}

fn served(detail: &SiteDetail) -> Option<String> {
    let served = &detail.served;
    listed([
        (served.without_syscall, "from memory that the allocator had"),
        (served.brk, "by growing the heap (brk)"),
        (served.mmap, "by mapping (mmap)"),
        (served.mprotect, "by growing an arena (mprotect)"),
        (served.returned, "while returning memory (munmap, madvise, brk)"),
        (served.other, "with another syscall"),
    ])
}

/// The counts that are not zero, in words; `None` if there is none.
fn listed<const N: usize>(counts: [(u64, &str); N]) -> Option<String> {
    let some = counts.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = some.map(|(count, how)| format!("{} {how}", whole(count))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn blocks(report: &RecordingReport, caller: &CallerRow) -> String {
    let costs = &caller.costs;
    let freed = if caller.maps {
        several(costs.frees, "time", "times") + " unmapped, wholly or in part"
    } else {
        format!("{} freed", whole(costs.frees))
    };
    if costs.unreleased == 0 {
        return freed;
    }
    let how = match (report.ended_early.is_some(), caller.maps) {
        (true, _) => "live at the end",
        (false, true) => "there at the end",
        (false, false) => "never freed",
    };
    let size = bytes(costs.unreleased_bytes as f64);
    format!("{freed}, {} ({size}) {how}", whole(costs.unreleased))
}

fn live(report: &RecordingReport, caller: &CallerRow) -> String {
    let (peak, is_exact) = report.peak_of(caller);
    let peak = bytes(peak as f64);
    let most = if is_exact { "at most" } else { "at most (sum over its stacks)" };
    if caller.maps {
        return format!("{most} {peak}");
    }
    let at_peak = bytes(caller.costs.at_peak_bytes as f64);
    format!("{most} {peak}; {at_peak} when all sites together had most")
}

fn touched_in(detail: &SiteDetail, view: View) -> Option<String> {
    let most = if view.verbose { usize::MAX } else { SHOWN };
    let name = |toucher: &results::recording::Toucher| {
        let name = story::toucher_name(&toucher.function, toucher.at.as_deref());
        format!("{name} {} ({})", Nanoseconds(toucher.fault_ns), whole(toucher.faults))
    };
    let mut names: Vec<String> = detail.touchers.iter().take(most).map(name).collect();
    if let Some(more) = detail.touchers.len().checked_sub(most).filter(|&more| more > 0) {
        names.push(several(more as u64, "other function", "other functions"));
    }
    (!names.is_empty()).then(|| names.join(", "))
}

fn touched_by(detail: &SiteDetail) -> Option<String> {
    listed([
        (detail.other_thread_faults, "times by another thread than the one that asked"),
        (detail.other_process_faults, "times by another process (after fork)"),
    ])
}

fn touched_again(caller: &CallerRow, detail: &SiteDetail) -> Option<String> {
    (detail.returned_faults > 0).then(|| {
        let faults = several(detail.returned_faults, "fault", "faults");
        let while_live = if caller.maps { "they stayed mapped" } else { "the block was live" };
        format!("{faults} on pages that were returned to the kernel while {while_live}")
    })
}

fn untouched(report: &RecordingReport, caller: &CallerRow) -> Option<String> {
    let touched = report.touched_of(caller)?;
    let never = bytes(touched.never_touched_bytes as f64);
    let watched = bytes(touched.watched_bytes as f64);
    let share = percent(1.0 - touched.share());
    (touched.never_touched_bytes > 0)
        .then(|| format!("{never} = {share} of {watched} on whole pages of one block"))
}

/// The sizes of its calls, and how long its blocks lived.
fn histograms(detail: &SiteDetail) -> String {
    let mut text = String::new();
    let sizes = detail.sizes.iter().map(|step| Step { from: step.from_bytes, count: step.calls });
    let sizes: Vec<Step> = sizes.collect();
    let lived =
        |step: &results::recording::TimeStep| Step { from: step.from_ns, count: step.blocks };
    let lifetimes: Vec<Step> = detail.lifetimes.iter().map(lived).collect();
    if !sizes.is_empty() {
        let head = "sizes (calls for so much, to less than twice that)";
        let _ = writeln!(text, "\n{}", styled(DIM, head));
        text += &histogram("  ", &sizes, |from| bytes(from as f64));
    }
    if !lifetimes.is_empty() {
        let head = "lifetimes (blocks that lived so long, to less than twice that)";
        let _ = writeln!(text, "\n{}", styled(DIM, head));
        text += &histogram("  ", &lifetimes, |from| Nanoseconds(from).to_string());
    }
    text
}

/// Its stacks, the costliest first.
fn all_stacks(report: &RecordingReport, caller: &CallerRow, view: View) -> String {
    if report.has_no_stacks() {
        return String::new();
    }
    let most = if view.verbose { usize::MAX } else { SHOWN };
    let count = several(caller.sites.len() as u64, "stack", "stacks");
    let mut text = format!("\n{}\n", styled(DIM, &count));
    text += &stacks::stacks_of(report, caller, most, view);
    text
}
