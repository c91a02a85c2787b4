//! A view: the account of a stream's call sites, with their names, as a report.

mod arenas;
mod caller;
mod detail;
mod mapping;
mod names;
mod off_cpu;
mod processes;
mod rows;
mod scope;
mod skipping;
mod slow;
mod start;
mod timeline;
mod unnamed;

use events::{ClockFloor, Definitions};
use results::recording::{
    CallerOrder, EndedEarly, MappingLimits, RecorderCounts, RecordingReport, RestMemory, SCHEMA,
    SampledRecording, Seen, SiteCosts, SiteRow, ThinnedRecording, UnnamedFile,
};

use crate::allocations::{AllocationAccount, Site};
use names::Names;
pub use scope::ReportScope;
use skipping::Skipping;

/// A file with code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeFile<'a> {
    /// Its path when it was mapped.
    pub path: &'a str,
    /// The build that was mapped, if it is known.
    pub build_id: Option<&'a [u8]>,
}

/// The name of an instruction: its function and line, each if it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameName {
    /// The function.
    pub function: Option<String>,
    /// The source file.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
    /// The offset of the instruction in the function, in bytes; `None` for an inlined one.
    pub offset_bytes: Option<u64>,
}

/// Knows the names of code. It reads files, so it is not part of analysis.
pub trait SymbolSource {
    /// For each of `offsets` in the file, the functions there: inlined ones first, each before the
    /// one that it was inlined into. None if they are not known.
    fn names(&mut self, file: CodeFile<'_>, offsets: &[u64]) -> Vec<Vec<FrameName>>;

    /// The files that it has been asked about and could not use, or not wholly: those that have
    /// fewer names than they could have are [`Unnamed::NoLines`](results::recording::Unnamed).
    fn unnamed(&self) -> Vec<UnnamedFile>;
}

/// What a recording says of itself, beside its stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordingFacts {
    /// The version of this program.
    pub version: String,
    /// The command; empty if it is not known.
    pub command: Vec<String>,
    /// The process, if it was already running.
    pub attached: Option<u32>,
    /// The memory syscalls in its stream.
    pub syscalls: u64,
    /// What recording adds to a call, as measured at its start, in nanoseconds.
    pub probe_ns_per_call: Option<f64>,
    /// What was taken from the time of each call, since it is that of the clock.
    pub clock_floor: ClockFloor,
    /// What it adds to a page fault, as measured at its end, in nanoseconds.
    pub probe_ns_per_fault: Option<u64>,
    /// What it adds to a memory syscall, likewise.
    pub probe_ns_per_syscall: Option<u64>,
    /// Whether arguments, paths and the machine's name were left out.
    pub is_redacted: bool,
    /// Why it ended before the program, if it did.
    pub ended_early: Option<EndedEarly>,
    /// The limits of a process on the machine that recorded.
    pub limits: MappingLimits,
    /// What the recorder says of the calls.
    pub recorder: Option<RecorderCounts>,
}

/// The report of `account`, whose stream had these `definitions`.
pub fn report(
    account: &AllocationAccount,
    definitions: &Definitions,
    facts: &RecordingFacts,
    symbols: &mut dyn SymbolSource,
) -> RecordingReport {
    scoped_report(account, definitions, facts, symbols, &ReportScope::default())
}

/// The same of a part, as `scope` says; the ledger of `account` had its filter.
pub fn scoped_report(
    account: &AllocationAccount,
    definitions: &Definitions,
    facts: &RecordingFacts,
    symbols: &mut dyn SymbolSource,
    scope: &ReportScope,
) -> RecordingReport {
    let names = Names::of(account, definitions, symbols);
    // What was recorded last may be in the part that is missing.
    let is_cut = matches!(facts.ended_early, Some(EndedEarly::Unknown | EndedEarly::Unwritable));
    let seen = seen(account, is_cut);
    let mut sites = rows::sites(account, seen, &names);
    let filter = scope.take_left_out(account, seen, &mut sites);
    let mut skipping = Skipping::new(&scope.skip);
    let mut callers = caller::callers(account, seen, &names, &sites, &mut skipping);
    let slow = slow::SlowRows::new(account, seen, &sites, (is_cut, filter.is_some()));
    slow.of_callers(&mut callers);
    let slowest = slow.slowest();
    let costs = if account.sites.is_empty() && facts.ended_early == Some(EndedEarly::Unknown) {
        SiteCosts::none(Seen { allocations: false, ..seen })
    } else {
        rows::all_sites(account, seen, &sites, filter.is_some())
    };
    let all = rows::with_left_out(account, seen, costs, filter.as_ref());
    let recording_ns = recording_ns(account, facts);
    let elapsed_ns = account.ended_ns.saturating_sub(account.header.began_ns);
    let run_ns = elapsed_ns.saturating_sub(account.paused_ns);
    let of_run = of_time(run_ns);
    // One thread is the run.
    let of_threads = of_time(if account.threads <= 1 { run_ns } else { account.threads_ns });
    let unnamed = unnamed::with_costs(symbols.unnamed(), account, definitions, &names, &sites);
    let mapping = mapping::mapping(account, &sites, facts.limits);
    let over_time = over_time(account, definitions, seen, &sites);
    RecordingReport {
        schema: SCHEMA.to_owned(),
        version: facts.version.clone(),
        command: facts.command.clone(),
        attached: facts.attached,
        redacted: facts.is_redacted,
        elapsed_ns,
        ended_early: facts.ended_early,
        faults_until_ns: faults_until_ns(account).filter(|_| is_cut),
        seen,
        totals: rows::totals(account, seen, &all, facts),
        recorder: facts.recorder,
        costs,
        share: costs.true_ns.and_then(|true_ns| of_threads(true_ns as f64)),
        elapsed_share: costs.true_ns.and_then(|true_ns| of_run(true_ns as f64)),
        recording_ns: recording_ns.map(whole_ns),
        recording_share: recording_ns.and_then(of_threads),
        thinned: account.thinned.map(|thinned| ThinnedRecording {
            from_ns: thinned.from_ns.saturating_sub(account.header.began_ns),
            one_in: thinned.one_in,
            first_touch_error_ns: thinned.touches_error_ns,
            calls_without_site: thinned.without_site,
        }),
        sampled: account.sampled.map(|sampled| SampledRecording {
            mean_bytes: sampled.sampling.mean_bytes.get(),
            chosen_calls: sampled.chosen_calls,
        }),
        filter,
        skipped: skipping.finish(),
        sorted_by: CallerOrder::True,
        sites: sites.into_iter().map(|(_, row)| row).collect(),
        callers,
        slowest,
        rest: rows::rest(account),
        start: start::start(account, seen, definitions, symbols),
        unnamed,
        mapping,
        ..over_time
    }
}

/// What happened when, in which process and thread, and where blocks came from: the rest of the
/// report has none of it.
fn over_time(
    account: &AllocationAccount,
    definitions: &Definitions,
    seen: Seen,
    sites: &[(&Site, SiteRow)],
) -> RecordingReport {
    let allocators = arenas::allocators(definitions);
    let knows_arenas = arenas::are_known(account, seen, &allocators);
    let of_arenas = knows_arenas.then(|| arenas::arenas(account, seen));
    let moves = (knows_arenas && seen.syscalls).then(|| arenas::thresholds(account, sites));
    RecordingReport {
        timeline: timeline::timeline(account, seen, sites),
        process_list: processes::processes(account, seen, definitions),
        other_processes: processes::others(&account.tallied.other_processes, account, seen),
        threads: processes::threads(account, seen, definitions),
        other_threads: processes::others(&account.tallied.other_threads, account, seen),
        allocators,
        arenas: of_arenas.unwrap_or_default(),
        thresholds: moves.unwrap_or_default(),
        ..RecordingReport::default()
    }
}

/// Parts of so much time; `None`: it is none.
fn of_time(all_ns: u64) -> impl Fn(f64) -> Option<f64> {
    move |ns| (all_ns > 0).then(|| ns / all_ns as f64)
}

/// How far what the kernel told of reaches, from the beginning, if it was asked.
fn faults_until_ns(account: &AllocationAccount) -> Option<u64> {
    let sees = account.header.sees;
    let until_ns =
        account.kernel_until_ns.map_or(0, |ns| ns.saturating_sub(account.header.began_ns));
    (sees.faults || sees.calls).then_some(until_ns)
}

/// What recording added, as far as it is known what it adds to each record.
fn recording_ns(account: &AllocationAccount, facts: &RecordingFacts) -> Option<f64> {
    let calls = account.all_apparent().calls.saturating_add(account.all_releases().calls);
    let faults = account.all_faults().faults();
    let of_calls = facts.probe_ns_per_call.map(|each_ns| each_ns * calls as f64);
    let of_faults = facts.probe_ns_per_fault.map(|each_ns| each_ns as f64 * faults as f64);
    let of_syscalls =
        facts.probe_ns_per_syscall.map(|each_ns| each_ns as f64 * facts.syscalls as f64);
    [of_calls, of_faults, of_syscalls].into_iter().flatten().reduce(|sum, ns| sum + ns)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cost is at least 0, and what is beyond 2^64 ns is that"
)]
fn whole_ns(ns: f64) -> u64 {
    ns.round() as u64
}

/// What the recording has. Of a file that `is_cut` before the first event of the kernel, which
/// knows of faults at every start of a program, it has none of those.
fn seen(account: &AllocationAccount, is_cut: bool) -> Seen {
    let sees = account.header.sees;
    let has_kernel = !is_cut || account.kernel_until_ns.is_some();
    Seen {
        allocations: sees.allocations,
        syscalls: sees.calls && has_kernel,
        faults: sees.faults && has_kernel,
        kernel_faults: sees.kernel_faults && has_kernel,
        stops: sees.stops,
        absences: sees.absences && has_kernel,
    }
}
