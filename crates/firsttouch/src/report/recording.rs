//! `firsttouch report FILE.ft`: where the cost of a recorded program came from.

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use analysis::address_space::KernelRules;
use analysis::allocations::Ledger;
use analysis::recording::{RecordingFacts, ReportScope, scoped_report};
use anyhow::Context;
use compare::diff::RecordingOrigin;
use events::{Batch, CallCounts, Definitions, EventKind, Life};
use recording::{CutReason, MappingRules, ProbeCounts, Reader, RecordingSummary};
use report::{RecordingScreen, View};
use results::recording::{CallerOrder, EndedEarly, MappingLimits, RecorderCounts, RecordingReport};

use crate::options::{ScreenOptions, Usage};
use crate::report::names::FileNames;
use crate::report::options::ReportOptions;
use crate::report::reading::ReadingBar;
use crate::report::rows::RowOptions;
use crate::sink::{self, Sink};

/// Whether `file` begins as a recording does, or has the name of one. Standard input and pipes are
/// no recordings: they cannot be read from both ends.
pub(super) fn is_recording(file: &Path) -> bool {
    let mut start = [0; recording::FILE_MAGIC.len()];
    let is_file = std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    let has_name = file.extension().is_some_and(|extension| extension == "ft");
    let mut read = || File::open(file)?.read_exact(&mut start);
    is_file && (has_name || read().is_ok() && start == recording::FILE_MAGIC)
}

pub(super) fn run(
    path: &Path,
    options: &ReportOptions,
    screen: ScreenOptions,
) -> anyhow::Result<ExitCode> {
    if !options.exports.is_none() {
        let usage = "a recording has no --csv, --markdown or --svg: use --json";
        return Err(Usage(usage.to_owned()).into());
    }
    let output = options.json.as_deref().map(Sink::open).transpose()?;
    let name = || path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut reader = Reader::open(BufReader::new(file)).with_context(name)?;
    if options.events {
        return super::events::write(&mut reader, output, screen).with_context(name);
    }
    let rows = &options.rows;
    check(rows, &reader)?;
    let mut report = read(&mut reader, rows).with_context(name)?;
    if rows.order() != CallerOrder::True {
        report.sort(rows.order());
    }
    check_row(rows, &report)?;
    for sentence in doubts(&reader) {
        crate::observed::note(&sentence);
    }
    let json = |into: &mut dyn Write| results::write(&report, into);
    let text = || shown(&report, &name(), rows, screen.view());
    sink::deliver(output, json, text, screen.color)?;
    Ok(ExitCode::SUCCESS)
}

/// The report of a recording with all its calls, and where and when it was made. Says what is wrong
/// with the file.
pub(super) fn whole(path: &Path) -> anyhow::Result<(RecordingReport, RecordingOrigin)> {
    let name = || path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut reader = Reader::open(BufReader::new(file)).with_context(name)?;
    let report = read(&mut reader, &RowOptions::default()).with_context(name)?;
    for sentence in doubts(&reader) {
        crate::observed::note(&format!("{}: {sentence}", path.display()));
    }
    let about = reader.about();
    let taken = RecordingOrigin {
        started_ns: about.started_ns,
        host: about.host.clone(),
        kernel: about.kernel.clone(),
    };
    Ok((report, taken))
}

/// The table, or a row of it in full.
fn shown(report: &RecordingReport, file: &str, rows: &RowOptions, view: View) -> String {
    let (options, most) = (rows.typed(), rows.top.map(NonZeroUsize::get));
    let wanted = RecordingScreen { file, options: &options, rows: most, untouched: rows.untouched };
    let site = rows.site.and_then(|number| report::site_screen(report, number, &wanted, view));
    site.unwrap_or_else(|| report::recording_screen_of(report, &wanted, view))
}

/// Refuses to choose among calls of which a recording has only counts.
fn check<R: Read + Seek>(rows: &RowOptions, reader: &Reader<R>) -> Result<(), Usage> {
    let has_counts = !reader.thinning().is_empty() || !reader.call_counts().is_empty();
    if has_counts && !rows.filter(0).is_none() {
        return Err(Usage(
            "this recording has most calls only as counts (record --max-size): --time, --thread, \
             --process and --size cannot choose among them"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a row that is not there.
fn check_row(rows: &RowOptions, report: &RecordingReport) -> Result<(), Usage> {
    let Some(number) = rows.site.filter(|&number| number > report.callers.len()) else {
        return Ok(());
    };
    Err(Usage(match report.callers.len() {
        0 => format!("--site {number}: there are no call sites; report FILE alone says why"),
        1 => format!("--site {number}: the table has one row, --site 1"),
        last => format!("--site {number}: the table has the rows 1 to {last}"),
    }))
}

/// The report of a whole recording.
fn read<R: Read + Seek>(
    reader: &mut Reader<R>,
    rows: &RowOptions,
) -> anyhow::Result<RecordingReport> {
    let floor = reader.about().clock_floor;
    let counts: Vec<CallCounts> =
        reader.call_counts().iter().map(|counts| floor.taken_from_all(counts)).collect();
    let ledger = Ledger::of_thinned(reader.header(), reader.thinning(), &counts);
    let ledger = ledger.with_sampling(reader.about().stack_sampling);
    let filter = rows.filter(reader.header().began_ns);
    let ledger = ledger.with_selection(filter.clone(), rows.depth);
    let rules = reader.about().mapping_rules;
    let mut ledger =
        ledger.with_pauses(reader.pauses()).with_rules(kernel_rules(rules)).with_clock_floor(floor);
    let (mut batch, mut definitions) = (Batch::default(), Definitions::default());
    let (mut first, mut syscalls) = (None, 0);
    let mut bar = ReadingBar::new(reader.events());
    while reader.next_batch(&mut batch)? {
        ledger.take(&batch, &mut definitions);
        bar.read(batch.events.len());
        for event in &batch.events {
            match event.kind {
                EventKind::Syscall(_) => syscalls += 1,
                EventKind::Life(life) => first = first.or(Some((life, event.thread.pid))),
                _ => {}
            }
        }
    }
    let ended_early = ended_early(reader.summary());
    let summary = reader.summary().cloned().unwrap_or_default();
    let RecordingSummary { lost, until_ns, clock_error_ns, .. } = summary;
    let mut account = ledger.finish(until_ns);
    account.lost = account.lost.max(lost);
    let facts = RecordingFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: reader.about().command.clone().unwrap_or_default(),
        // A program that was started for the recording begins otherwise.
        attached: first.filter(|(life, _)| *life == Life::Attached).map(|(_, pid)| pid),
        syscalls,
        probe_ns_per_call: summary.probe_ns_per_call,
        clock_floor: floor,
        probe_ns_per_fault: summary.probe_ns_per_fault,
        probe_ns_per_syscall: summary.probe_ns_per_syscall,
        is_redacted: reader.about().is_redacted,
        limits: MappingLimits {
            mappings_max: rules.mappings_max,
            address_space_max_bytes: rules.address_space_max_bytes,
            overcommit_memory: rules.overcommit_memory,
        },
        ended_early,
        recorder: reader.counts().map(|counts| recorder_counts(counts, clock_error_ns)),
    };
    bar.naming();
    let mut names = FileNames::new();
    let scope = ReportScope { filter, skip: rows.skip.clone() };
    Ok(scoped_report(&account, &definitions, &facts, &mut names, &scope))
}

/// How the machine of a recording accounts for mappings. What an older file does not say is as it
/// is by default.
fn kernel_rules(rules: MappingRules) -> KernelRules {
    KernelRules {
        strict_commit: rules.overcommit_memory == Some(2),
        frees_empty_tables: rules.frees_empty_tables == Some(true),
    }
}

/// Why the recording ended before the program. `None`: it did not.
fn ended_early(summary: Option<&RecordingSummary>) -> Option<EndedEarly> {
    let Some(summary) = summary else { return Some(EndedEarly::Unknown) };
    summary.cut.as_ref().map(|cut| match cut {
        CutReason::Stopped => EndedEarly::Stopped,
        CutReason::Limit => EndedEarly::Limit,
        CutReason::Write(_) => EndedEarly::Unwritable,
        CutReason::Other(_) => EndedEarly::Unknown,
    })
}

fn recorder_counts(counts: &ProbeCounts, clock_error_ns: Option<u64>) -> RecorderCounts {
    RecorderCounts {
        processes: counts.processes,
        threads: counts.threads,
        lost_calls: counts.lost,
        waited_ns: counts.waited_ns,
        nested_calls: counts.nested,
        cut_stacks: counts.cut_stacks,
        unknown_stacks: counts.unknown_stacks,
        checked_stacks: counts.checked_stacks,
        wrong_stacks: counts.wrong_stacks,
        own_allocators: counts.own_allocators,
        deep_libraries: counts.deep_libraries,
        gave_up: counts.gave_up,
        silent_programs: counts.silent_programs,
        clock_error_ns,
    }
}

/// What is wrong with the file, in sentences.
fn doubts<R: Read + Seek>(reader: &Reader<R>) -> Vec<String> {
    let mut doubts = Vec::new();
    let damage = reader.damage();
    if !damage.is_none() {
        doubts.push(format!(
            "the file is damaged: {} cannot be read and are left out",
            report::bytes(damage.bytes as f64)
        ));
    }
    if reader.summary().is_none() {
        doubts.push(
            "the file has no end: the recorder was killed, the file was cut, or it is still being \
             written; what is in it is shown"
                .to_owned(),
        );
    }
    if reader.summary().is_none() && !reader.thinning().is_empty() {
        doubts.push(
            "the counts of calls are written at the end (--max-size): calls and bytes of sites are \
             too low"
                .to_owned(),
        );
    }
    doubts
}
