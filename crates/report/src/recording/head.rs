//! What memory cost, and when it was paid.

use results::recording::{CallParts, EndedEarly, RecordingReport};

use crate::number::{Nanoseconds, bytes, count, duration, percent, several, whole};
use crate::text::{BOLD, DIM, hanging, quoted, styled};
use crate::view::View;

/// The columns of the longest bar.
const BAR: usize = 24;
/// A part of a time is said from this share of it on.
const SAID: f64 = 0.05;
/// Times off the processor are said from this share of what memory cost on.
const OFF_CPU_SAID: f64 = 0.1;
/// An estimate from fewer timed frees can hang on one that was preempted.
const FEW_TIMED: u64 = 30;
/// The most characters of a command.
const COMMAND_CHARACTERS: usize = 60;

pub(super) fn head(report: &RecordingReport, view: View) -> String {
    let mut text = answer(report, view);
    if !report.callers.is_empty() {
        text += &bars(report, view);
        text += &off_cpu(report, view);
        text += &totals(report, view);
    }
    text + &recording(report, view)
}

/// How long it ran, and the share of memory in that.
fn answer(report: &RecordingReport, view: View) -> String {
    let text = format!("{}: {}, {}", styled(BOLD, &named(report)), ran(report), cost(report));
    hanging("", &text, view.width)
}

/// The program.
fn named(report: &RecordingReport) -> String {
    let words: Vec<String> = report.command.iter().map(|word| quoted(word)).collect();
    let mut command = words.join(" ");
    if let Some((at, _)) = command.char_indices().nth(COMMAND_CHARACTERS) {
        command.replace_range(at.., "...");
    }
    match (report.attached, command.is_empty()) {
        (Some(pid), false) => format!("{command} (process {pid})"),
        (Some(pid), true) => format!("Process {pid}"),
        (None, true) => "A running process".to_owned(),
        (None, false) => command,
    }
}

/// How long the program ran, as far as the recording knows.
fn ran(report: &RecordingReport) -> String {
    let time = Nanoseconds(report.elapsed_ns);
    let was_running = report.attached.is_some() || report.command.is_empty();
    match report.ended_early {
        None if was_running => format!("recorded for {time}"),
        None => format!("ran {time}"),
        Some(EndedEarly::Unknown) => format!("recorded for {time} or longer"),
        Some(_) if was_running => format!("recorded for {time} (it went on)"),
        Some(_) => format!("recorded for its first {time} (it went on)"),
    }
}

/// What memory cost, and which part of the time that is.
fn cost(report: &RecordingReport) -> String {
    let other = report.other_faults();
    let (_, other_ns, _) = other;
    if report.totals.calls == 0 && report.totals.mapping_calls == 0 {
        let why = if !report.seen.allocations {
            "allocation calls not recorded"
        } else if report.lacks_calls() {
            "allocation calls unknown"
        } else {
            "no allocation calls seen"
        };
        return if report.seen.faults {
            format!("{why}; {}", faults_took(other, &of(report)))
        } else {
            let why_not = if report.lacks_faults() { "unknown" } else { "not recorded" };
            format!("{why}; faults {why_not}")
        };
    }
    let share = |share: Option<f64>| {
        share.map_or(String::new(), |share| format!(" = {} {}", part(share), of(report)))
    };
    match report.costs.true_ns {
        Some(true_ns) if report.filter.is_some() => {
            format!("the chosen calls cost {}{}", Nanoseconds(true_ns), share(report.share))
        }
        // Much of its memory does not come from allocation calls.
        Some(true_ns) if true_ns < other_ns => format!(
            "{} cost {}{}; {}",
            if report.totals.mapping_calls > 0 {
                "allocations and mappings"
            } else {
                "allocations"
            },
            Nanoseconds(true_ns),
            share(report.share),
            faults_took(other, "").replacen("faults", "other faults", 1)
        ),
        Some(true_ns) => {
            let of_run = report.share_of_run();
            let of_run = of_run.map(|share| format!(" ({} of the time that it ran)", part(share)));
            let share = share(report.share) + &of_run.unwrap_or_default();
            format!("memory cost {}{share}", Nanoseconds(true_ns))
        }
        None => "what memory cost is known in part".to_owned(),
    }
}

fn faults_took((faults, ns, share): (u64, u64, Option<f64>), of: &str) -> String {
    if faults == 0 {
        return "no faults".to_owned();
    }
    let share = share.map_or(String::new(), |share| format!(" = {} {of}", part(share)));
    let took = format!("{} took {}{share}", several(faults, "fault", "faults"), Nanoseconds(ns));
    took.trim_end().to_owned()
}

/// The time of which shares are.
fn of(report: &RecordingReport) -> String {
    let totals = &report.totals;
    match (totals.threads, totals.processes) {
        (0 | 1, _) if totals.pauses > 0 => "of what was recorded".to_owned(),
        (0 | 1, _) => "of it".to_owned(),
        (threads, 0 | 1) => format!("of the time of its {} threads", whole(threads)),
        (threads, processes) => {
            format!("of the time of {} threads in {} processes", whole(threads), whole(processes))
        }
    }
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
    let release = match (report.totals.timed_release_calls, report.totals.release_calls) {
        (0, 1..) => "release unknown (none was timed)".to_owned(),
        _ => format!("release {}{}", Nanoseconds(costs.release_ns), estimated(report)),
    };
    [
        ("in the calls", costs.apparent_ns, inside(report)),
        ("paid later", later_ns, format!("{first_touch}, {release}")),
    ]
    .into_iter()
    .map(|(name, ns, parts)| {
        bar_line((name, &Nanoseconds(ns).to_string()), (ns, longest), &parts, view)
    })
    .collect()
}

/// A name with its time, a bar of that time beside the longest one, and what the time consists of.
pub(super) fn bar_line(
    (name, time): (&str, &str),
    (ns, longest): (u64, u64),
    parts: &str,
    view: View,
) -> String {
    let head = format!("{name:12} {time:>9}  ");
    let room = view.width.map_or(BAR, |width| width.saturating_sub(head.len()).min(BAR));
    let bar = "#".repeat(bar_columns(ns, longest, room));
    if parts.is_empty() {
        return format!("{}\n", format!("{head}{bar}").trim_end());
    }
    let line = format!("{head}{bar:BAR$}  {parts}");
    if view.width.is_none_or(|width| line.len() <= width) {
        return format!("{line}\n");
    }
    let indent = if room < BAR { 2 } else { head.len() };
    format!("{}\n", format!("{head}{bar}").trim_end())
        + &hanging(&" ".repeat(indent), parts, view.width)
}

/// The columns of a bar in so much `room`. One that is not zero has at least one.
fn bar_columns(ns: u64, longest: u64, room: usize) -> usize {
    let columns = (u128::from(ns) * room as u128).div_ceil(u128::from(longest.max(1)));
    usize::try_from(columns).unwrap_or(room).min(room)
}

/// The part of what memory cost in which threads were not on a processor, if that is much of it.
fn off_cpu(report: &RecordingReport, view: View) -> String {
    let totals = &report.totals;
    let (off_cpu, true_ns) = (&totals.off_cpu, report.costs.true_ns.unwrap_or(0));
    // It is of all calls.
    let all_ns = off_cpu.off_cpu_ns.filter(|_| report.filter.is_none()).unwrap_or(0);
    if all_ns == 0 || (all_ns as f64) < OFF_CPU_SAID * true_ns as f64 || true_ns == 0 {
        return String::new();
    }
    let parts = [
        ("preempted", off_cpu.off_cpu_preempted_ns),
        ("waited", off_cpu.off_cpu_waited_ns),
        ("stopped by the recorder", off_cpu.off_cpu_stopped_ns),
        ("preempted or waited", off_cpu.off_cpu_unknown_ns),
    ];
    let parts = parts.into_iter().filter_map(|(name, ns)| Some((name, ns.filter(|&ns| ns > 0)?)));
    let parts: Vec<String> =
        parts.map(|(name, ns)| format!("{name} {}", Nanoseconds(ns))).collect();
    let whose = if totals.threads > 1 { "off their processors" } else { "off its processor" };
    let least = if totals.absences_left_out > 0 { "at least " } else { "" };
    let (time, share) = (Nanoseconds(all_ns), part(all_ns as f64 / true_ns as f64));
    let text = format!("{whose} {least}{time} of it = {share} ({})", parts.join(", "));
    hanging("", &text, view.width)
}

/// What of the time in calls the kernel took, if that is much of it.
fn inside(report: &RecordingReport) -> String {
    // Of calls that stand for others there is no sum.
    if report.sampled.is_some() || report.thinned.is_some() {
        return String::new();
    }
    let sum = |ns: fn(&CallParts) -> u64| -> u64 {
        report.sites.iter().map(|site| ns(&site.detail.parts)).fold(0, u64::saturating_add)
    };
    let parts = [
        ("page faults on no block", sum(|parts| parts.fault_ns)),
        ("syscalls", sum(|parts| parts.syscall_ns)),
    ];
    let said = |(_, ns): &(&str, u64)| *ns as f64 >= SAID * report.costs.apparent_ns as f64;
    let said = parts.into_iter().filter(|(_, ns)| *ns > 0).filter(said);
    let said: Vec<String> = said.map(|(name, ns)| format!("{name} {}", Nanoseconds(ns))).collect();
    if said.is_empty() { String::new() } else { format!("of it {}", said.join(", ")) }
}

/// Says that the time of releases is an estimate, if not all were timed.
fn estimated(report: &RecordingReport) -> String {
    let totals = &report.totals;
    // Returns of memory to the kernel are each timed.
    let returned = report.sites.iter().map(|site| site.detail.returned_ns);
    let returned_ns = returned.fold(0, u64::saturating_add);
    let estimated_ns = report.costs.release_ns.saturating_sub(returned_ns);
    if (estimated_ns as f64) < SAID * report.costs.release_ns as f64 {
        return String::new();
    }
    match (totals.timed_release_calls, totals.release_calls) {
        (timed, all) if timed == all => String::new(),
        (timed, all) => {
            let one_of = count((all as f64 / timed as f64).max(1.0));
            let only = if timed < FEW_TIMED {
                format!("; only {}, so it is coarse", whole(timed))
            } else {
                String::new()
            };
            format!(" (estimated: 1 of {one_of} frees was timed{only})")
        }
    }
}

/// Calls and bytes.
fn totals(report: &RecordingReport, view: View) -> String {
    let (totals, costs) = (&report.totals, &report.costs);
    let failed = match costs.failed {
        0 => String::new(),
        failed => format!(" ({} failed)", whole(failed)),
    };
    let mut parts = Vec::new();
    if totals.calls > 0 {
        parts.extend([
            several(costs.calls, "call", "calls") + &failed,
            format!("{} asked for", bytes(costs.bytes as f64)),
            format!(
                "at most {} live (at {})",
                bytes(totals.peak_live_bytes as f64),
                duration(totals.peak_ns as f64)
            ),
        ]);
    }
    let kept = costs.unreleased;
    if kept > 0 {
        let bytes = bytes(costs.unreleased_bytes as f64);
        // Of a program that goes on, nobody knows what it will free.
        let how = if report.ended_early.is_some() { "live at the end" } else { "never freed" };
        parts.push(format!("{} ({bytes}) {how}", several(kept, "block", "blocks")));
    }
    if totals.mapping_calls > 0 {
        let calls = several(totals.mapping_calls, "call", "calls");
        parts.push(format!("{calls} of mmap or mremap ({})", bytes(totals.mapped_bytes as f64)));
    }
    hanging("", &styled(DIM, &parts.join(", ")), view.width)
}

/// What recording cost about, and of which records that is known.
fn recording(report: &RecordingReport, view: View) -> String {
    let (totals, seen) = (&report.totals, &report.seen);
    let Some(ns) = report.recording_ns.filter(|&ns| ns > 0) else { return String::new() };
    let whole_ns = |ns: u64| ns as f64;
    let parts = [
        (seen.allocations, "call", "calls", totals.probe_ns_per_call),
        (seen.faults, "fault", "faults", totals.probe_ns_per_fault.map(whole_ns)),
        (seen.syscalls, "syscall", "syscalls", totals.probe_ns_per_syscall.map(whole_ns)),
    ];
    let was_recorded = parts.into_iter().filter(|(was_recorded, ..)| *was_recorded);
    let (known, unknown): (Vec<_>, Vec<_>) = was_recorded.partition(|(.., ns)| ns.is_some());
    let each =
        known.iter().map(|(_, one, _, ns)| format!("{} a {one}", duration(ns.unwrap_or_default())));
    let unknown: Vec<&str> = unknown.iter().map(|(_, _, many, _)| *many).collect();
    let unknown = match &unknown[..] {
        [] => String::new(),
        _ => format!("; what {} cost is not known", unknown.join(" and ")),
    };
    let share = report.recording_share.map_or(String::new(), |share| format!(" = {}", part(share)));
    let each: Vec<String> = each.collect();
    let text =
        format!("recording cost about {}{share} ({}{unknown})", Nanoseconds(ns), each.join(", "));
    hanging("", &styled(DIM, &text), view.width)
}
