//! The screen of a recording: what memory cost the program, when it was paid, and which call sites
//! pay.

mod arenas;
mod filtered;
mod functions;
mod head;
mod histogram;
mod mapping;
mod processes;
mod recorder;
mod site;
mod slow;
mod stacks;
mod story;
mod table;
mod timeline;
mod unnamed;
mod wanted;

pub use site::screen as site_screen;
pub(crate) use story::named as name_in_sentence;
pub(crate) use table::name_of as name_in_table;
pub use wanted::RecordingScreen;

use results::recording::{
    EndedEarly, RecordingReport, RestMemory, RestRow, SampledRecording, ThinnedRecording,
};

use crate::number::{Nanoseconds, bytes, percent, several, whole};
use crate::start::start_line;
use crate::text::{BAD, hanging, styled};
use crate::view::View;

/// The share of faults of unknown memory from which on it is said, and their number.
const UNKNOWN_SAID: (f64, u64) = (0.01, 100);

/// The share of what memory cost from which on the program's own syscalls are said.
const OWN_SYSCALLS_SAID: f64 = 0.05;

/// Of a recording from which names were left out.
const REDACTED: &str =
    "The recording is redacted: it has no arguments, no paths but the system's, and no host name.";

/// Renders `report` of the recording in `file` as `view` wants it.
#[must_use]
pub fn screen(report: &RecordingReport, file: &str, view: View) -> String {
    screen_of(report, &RecordingScreen { file, ..RecordingScreen::default() }, view)
}

/// Renders what is `wanted` of `report`.
#[must_use]
pub fn screen_of(report: &RecordingReport, wanted: &RecordingScreen<'_>, view: View) -> String {
    let mut text = head::head(report, view);
    text += &filtered::filtered(report, view);
    text += &troubles(report, view);
    let rows = wanted.most(report, view);
    if report.callers.is_empty() {
        text += &hanging("", without_calls(report), view.width);
    } else if wanted.untouched {
        text += &story::untouched_callers(report, rows, view);
    } else {
        text.push('\n');
        text += &table::table_of_callers(report, rows, view);
        text += &story::story(report, view);
    }
    text += &slow::sentence(report, view);
    text += &rest(report, view);
    text += &start(report, view);
    text += &mapping::mapping(report, view);
    text += &timeline::timeline(report, view);
    if view.verbose {
        text += &slow::slowest(report, view);
        text += &processes::processes(report, view);
        text += &arenas::arenas(report, view);
    }
    if view.verbose && !report.has_no_stacks() {
        text += &stacks::stacks(report, view);
    }
    text + &wanted.next(report, view)
}

/// Why there are no call sites.
fn without_calls(report: &RecordingReport) -> &'static str {
    if !report.seen.allocations {
        "Calls of the allocator were not recorded, so faults have no call sites."
    } else if report.lacks_calls() {
        "Which calls of the allocator there were is not known: the file ends before any."
    } else if report.filter.is_some() {
        "No call was chosen: none is of this time, thread, process and size."
    } else if report.totals.calls > 0 {
        "No call was chosen to have its stack, so no call site is known: a shorter distance \
         chooses more (record --stacks sampled=1KiB)."
    } else if report.totals.pauses > 0 {
        "No call of an allocator was recorded in the time without pauses."
    } else {
        "No call of an allocator was recorded: the program made none, is linked statically, or has \
         an allocator of its own."
    }
}

/// What makes figures less certain than they look; nothing if nothing does.
fn troubles(report: &RecordingReport, view: View) -> String {
    let totals = &report.totals;
    let mut troubles = Vec::new();
    if report.redacted {
        troubles.push(REDACTED.to_owned());
    }
    troubles.extend(ended_early(report).map(str::to_owned));
    troubles.extend(report.thinned.as_ref().map(|thinned| thinned_to(thinned, report)));
    troubles.extend(report.sampled.as_ref().map(|sampled| sampled_of(sampled, report)));
    if totals.lost > 0 {
        let lost = several(totals.lost, "record was", "records were");
        troubles.push(format!("{lost} lost: calls and faults are missing from these figures."));
    }
    if totals.damaged > 0 {
        troubles.push("The recording is damaged: some stacks and names are wrong.".to_owned());
    }
    let (share, faults) = report.unknown_faults();
    if share >= UNKNOWN_SAID.0 && faults >= UNKNOWN_SAID.1 {
        troubles.push(format!("{} of the faults are of unknown memory.", percent(share)));
    }
    troubles.extend(paused(report));
    let unmatched = totals.unknown_releases.saturating_add(totals.lost_releases);
    if totals.pauses == 0 && (totals.lost_releases > 0 || view.verbose && unmatched > 0) {
        troubles.push(format!(
            "{} of unknown blocks; {} whose release was not seen.",
            several(totals.unknown_releases, "release", "releases"),
            several(totals.lost_releases, "block", "blocks"),
        ));
    }
    troubles.extend(recorder::doubts(report, view));
    troubles.extend(faults_end(report));
    troubles.extend(hidden(report).map(str::to_owned));
    troubles.extend(unnamed::unusable(report));
    troubles.extend(unnamed::nameless(report));
    troubles.extend(filtered::not_skipped(report));
    let line = |trouble: &String| hanging(&styled(BAD, "note "), trouble, view.width);
    troubles.iter().map(line).collect()
}

/// Why the recording ends before the program, where the first line does not say it.
fn ended_early(report: &RecordingReport) -> Option<&'static str> {
    match report.ended_early? {
        EndedEarly::Limit => Some("The recording ended: its file has its full size."),
        EndedEarly::Unwritable => Some("The recording ended: its file could not be written."),
        EndedEarly::Stopped | EndedEarly::Unknown => None,
    }
}

/// Until when a file that was cut has page faults, if calls go on after that.
fn faults_end(report: &RecordingReport) -> Option<String> {
    let until_ns = report.faults_until_ns.filter(|&ns| ns > 0)?;
    let missing_ns = report.elapsed_ns.saturating_sub(until_ns);
    // Without calls after them, nothing is known to be missing.
    (report.totals.calls > 0 && missing_ns > report.elapsed_ns / 100).then(|| {
        format!(
            "The file was cut: its calls reach until {}, but page faults and syscalls only until \
             {}. What was paid at first touch after that is missing.",
            Nanoseconds(report.elapsed_ns),
            Nanoseconds(until_ns)
        )
    })
}

/// What an ordinary user cannot see, and what is in the times because of that.
fn hidden(report: &RecordingReport) -> impl Iterator<Item = &'static str> {
    let seen = &report.seen;
    if report.lacks_faults() {
        let sentence = "The file was cut before the first page fault and syscall: what is paid at \
                        first touch is not known.";
        return [Some(sentence), None, None].into_iter().flatten();
    }
    let faults = match (seen.faults, seen.kernel_faults, seen.stops) {
        (false, ..) => Some("Faults were not recorded: what is paid at first touch is not known."),
        (true, false, true) => Some(
            "An ordinary user recorded this: page faults in the kernel (read() into fresh memory) \
             are missing, and the program was stopped at each memory syscall (ptrace), which is \
             part of the time of its calls. Root records the faults, without stops.",
        ),
        (true, false, false) => Some(
            "Page faults in the kernel (read() into fresh memory) are missing: this user could \
             not see them. Root records them.",
        ),
        (true, true, _) => None,
    };
    let stops = (seen.stops && (seen.kernel_faults || !seen.faults)).then_some(
        "The program was stopped at each memory syscall (ptrace), which is part of the time of \
         its calls.",
    );
    let syscalls = (!seen.syscalls).then_some(
        "Memory syscalls were not recorded: those of each site are not known, nor all kinds of \
         memory that faulted.",
    );
    [faults, stops, syscalls].into_iter().flatten()
}

/// The pauses of the recording, and what they hide.
fn paused(report: &RecordingReport) -> Option<String> {
    let totals = &report.totals;
    let mut parts = Vec::new();
    if totals.unknown_releases > 0 {
        let releases = several(totals.unknown_releases, "release", "releases");
        parts.push(format!("{releases} of blocks from before it or from a pause"));
    }
    if totals.lost_releases > 0 {
        let blocks = several(totals.lost_releases, "block", "blocks");
        parts.push(format!("{blocks} whose release was not seen"));
    }
    if totals.across_pauses > 0 {
        let blocks = several(totals.across_pauses, "block", "blocks");
        let size = bytes(totals.across_pauses_bytes as f64);
        parts.push(format!("{blocks} ({size}) from before a pause that may have been freed in it"));
    }
    let (paused, all) = (Nanoseconds(totals.paused_ns), Nanoseconds(report.elapsed_ns));
    let what = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    (totals.pauses > 0).then(|| format!("The recording was paused for {paused} of {all}{what}."))
}

/// What is exact and what is not where only some blocks were followed.
fn thinned_to(thinned: &ThinnedRecording, report: &RecordingReport) -> String {
    // From next to no blocks it comes out as nothing.
    let error =
        report.costs.first_touch_ns.map_or(String::new(), |_| match thinned.first_touch_error_ns {
            0 => " (first touch: standard error unknown)".to_owned(),
            ns => format!(" (first touch: standard error {})", Nanoseconds(ns)),
        });
    let without = match thinned.calls_without_site {
        0 => String::new(),
        calls => format!(" The site of {} is not known.", several(calls, "call", "calls")),
    };
    format!(
        "From {} on calls are counted and exact, with their bytes and time; what depends on \
         blocks (faults, first touch, release, live bytes) is estimated{error}, from 1 block in {} \
         at the end.{without}",
        Nanoseconds(thinned.from_ns),
        whole(thinned.one_in),
    )
}

/// What is exact and what is not where only some calls have their stack.
fn sampled_of(sampled: &SampledRecording, report: &RecordingReport) -> String {
    format!(
        "Stacks of {} calls of {} (one per {} allocated, at random): figures of a site are \
         estimates, ± with 95 %; those of all sites together and of the rest are exact.",
        whole(sampled.chosen_calls),
        whole(report.totals.calls),
        bytes(sampled.mean_bytes as f64),
    )
}

/// The faults and the syscalls that no call site pays for.
fn rest(report: &RecordingReport, view: View) -> String {
    let sentences: Vec<String> =
        rest_faults(report).into_iter().chain(own_syscalls(report)).collect();
    if sentences.is_empty() {
        return String::new();
    }
    "\n".to_owned() + &hanging("", &sentences.join(" "), view.width)
}

fn rest_faults(report: &RecordingReport) -> Option<String> {
    let (faults, ns) = report.rest_sums();
    let kind = |row: &RestRow| {
        let faults = row.minor_faults.saturating_add(row.major_faults);
        format!("{} {} ({})", word(row.kind), Nanoseconds(row.fault_ns), whole(faults))
    };
    let kinds: Vec<String> = report.rest.iter().map(kind).collect();
    (faults > 0).then(|| {
        format!(
            "Not for blocks: {}, {}: {}.",
            several(faults, "fault", "faults"),
            Nanoseconds(ns),
            kinds.join(", ")
        )
    })
}

/// The memory syscalls of the program itself, if their time is a good part of what memory cost.
fn own_syscalls(report: &RecordingReport) -> Option<String> {
    let totals = &report.totals;
    let (syscalls, ns) = totals.own_syscalls.zip(totals.own_syscall_ns)?;
    let (_, rest_ns) = report.rest_sums();
    let all_ns = report.costs.true_ns.unwrap_or_default().saturating_add(rest_ns);
    (syscalls > 0 && ns as f64 >= OWN_SYSCALLS_SAID * all_ns as f64).then(|| {
        let took = Nanoseconds(ns);
        format!("Memory syscalls outside of these calls: {}, {took}.", whole(syscalls))
    })
}

/// What the program paid before its main.
fn start(report: &RecordingReport, view: View) -> String {
    let command = report.command.first().map(String::as_str);
    let line = |start| start_line(start, command, false, view);
    report.start.as_ref().map(line).unwrap_or_default()
}

pub(crate) fn word(kind: RestMemory) -> &'static str {
    match kind {
        RestMemory::File => "files and code",
        RestMemory::ProgramData => "data of programs and libraries",
        RestMemory::Stack => "stacks",
        RestMemory::Heap => "heap outside of blocks",
        RestMemory::Anonymous => "other mappings",
        RestMemory::Shared => "shared memory",
        RestMemory::Recorder => "the recorder's own",
        RestMemory::Unknown => "unknown",
    }
}
