//! What `firsttouch report FILE --json` writes for a recording, `firsttouch.report/1`, as types.

mod arenas;
mod costs;
mod detail;
mod filter;
mod mapping;
mod matters;
mod merged;
mod off_cpu;
mod order;
mod processes;
mod recorder;
mod rest;
mod slow;
mod timeline;
mod totals;
mod unnamed;

use serde::{Deserialize, Serialize};

use crate::start::ProgramStart;

pub use arenas::{ArenaMemory, ArenaRow, ThresholdMoveRow, ThresholdsRow};
pub use costs::SiteCosts;
pub use detail::{
    CallLatency, CallParts, LatencyStep, ServedCalls, SiteDetail, SizeStep, TimeStep, Toucher,
};
pub use filter::{ReportFilter, SkippedFunction};
pub use mapping::{
    MappingCosts, MappingFigures, MappingHeld, MappingLimits, MappingMost, MappingOfSite,
    MappingProcesses, MappingRestKind, MappingRestRow, MappingTimes,
};
pub use matters::TouchedPart;
pub use merged::TouchedWhen;
pub use off_cpu::OffCpu;
pub use order::{CallerOrder, by_true_cost};
pub use processes::{OthersRow, ProcessRow, TalliedCosts, ThreadRow};
pub use recorder::{EndedEarly, RecorderCounts};
pub use rest::{RestMemory, RestRow};
pub use slow::{SlowCallRow, SlowPartRow};
pub use timeline::{CostlyMoment, MomentPayer, RecordedStep, RecordedTimeline};
pub use totals::RecordingTotals;
pub use unnamed::{Unnamed, UnnamedFile};

/// The schema that this version writes.
pub const SCHEMA: &str = "firsttouch.report/1";

/// The account of a recorded program: what each call site pays for memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordingReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// The command, also of a process that was already running; empty if it is not known.
    pub command: Vec<String>,
    /// The process, if it was already running (`record -p`).
    #[serde(default)]
    pub attached: Option<u32>,
    /// Whether arguments, paths and the machine's name were left out of the recording.
    #[serde(default)]
    pub redacted: bool,
    /// From the start of the recording to the end of its last event.
    pub elapsed_ns: u64,
    /// Why the recording ended before the program; `null`: it did not.
    pub ended_early: Option<EndedEarly>,
    /// If the file was cut or could not be written to its end: until when it has page faults and
    /// syscalls, which are written later than calls, from the start; 0: it has none. `null`: to its
    /// end.
    #[serde(default)]
    pub faults_until_ns: Option<u64>,
    /// What the recording can have seen: a figure that needs more is `null`.
    pub seen: Seen,
    /// Sums of the whole recording.
    pub totals: RecordingTotals,
    /// What the recorder says of the allocation calls that it has; `null`: the recording has none,
    /// or no end.
    pub recorder: Option<RecorderCounts>,
    /// The costs of all sites together; what is counted in it is the allocator's, without mappings
    /// of the program itself. Those that depend on calls are `null` where calls are not known: they
    /// were not recorded, or the file was cut before any.
    pub costs: SiteCosts,
    /// `true_ns` of all sites as a part of the lifetimes of all threads, or of the time of the
    /// recording without pauses if there is one thread; `null` if either is not known.
    pub share: Option<f64>,
    /// The same as a part of the time from the start of the recording to its end without the
    /// pauses, which threads that wait do not lengthen: more than 1 where several threads pay at
    /// once.
    #[serde(default)]
    pub elapsed_share: Option<f64>,
    /// What recording added about: calls, faults and syscalls, each as often as it was recorded,
    /// as far as `totals` has what one costs; `null` if it has none of them.
    pub recording_ns: Option<u64>,
    /// The same as a part of these lifetimes; `null` if either is not known.
    pub recording_share: Option<f64>,
    /// If not all calls are in the recording (`record --max-size`): what is exact, and what is
    /// estimated from some blocks. `null`: everything is exact.
    #[serde(default)]
    pub thinned: Option<ThinnedRecording>,
    /// If only some calls have their stack (`record --stacks sampled`): sites and callers are
    /// estimates, all other figures are exact. `null`: every call has its stack, or none.
    #[serde(default)]
    pub sampled: Option<SampledRecording>,
    /// If only some calls were asked for: which, and what the others cost. `null`: the report is of
    /// all calls.
    #[serde(default)]
    pub filter: Option<ReportFilter>,
    /// Functions that were not taken for callers.
    #[serde(default)]
    pub skipped: Vec<SkippedFunction>,
    /// What `callers` are sorted by.
    #[serde(default)]
    pub sorted_by: CallerOrder,
    /// Every site, by `true_ns`, then by bytes.
    pub sites: Vec<SiteRow>,
    /// The sites by the function that asked, in the order of `sorted_by`.
    pub callers: Vec<CallerRow>,
    /// The slowest calls of which the time is known, the slowest first, each with its cause.
    #[serde(default)]
    pub slowest: Vec<SlowCallRow>,
    /// Faults that no site pays for, by kinds of memory, in the order of `fault_ns`. With those of
    /// the sites they are all faults.
    pub rest: Vec<RestRow>,
    /// What the command's last program paid before its `main`; `null`: not known (faults not
    /// recorded, a process that was already running, a pause).
    #[serde(default)]
    pub start: Option<ProgramStart>,
    /// What mappings took beside resident memory; `null`: not known.
    #[serde(default)]
    pub mapping: Option<MappingCosts>,
    /// What happened when.
    #[serde(default)]
    pub timeline: RecordedTimeline,
    /// The processes, the costliest first, at most 1000.
    #[serde(default)]
    pub process_list: Vec<ProcessRow>,
    /// Those that are not in it; `null` if all are.
    #[serde(default)]
    pub other_processes: Option<OthersRow>,
    /// The threads of all processes, the costliest first, at most 1000.
    #[serde(default)]
    pub threads: Vec<ThreadRow>,
    /// Those that are not among them; `null` if all are.
    #[serde(default)]
    pub other_threads: Option<OthersRow>,
    /// The allocators whose libraries were loaded, by the names of their files: `glibc`, `musl`,
    /// `jemalloc`, `mimalloc`, `tcmalloc`.
    #[serde(default)]
    pub allocators: Vec<String>,
    /// Where glibc's malloc took blocks from, at most 1000 rows, the last one perhaps of others.
    /// Empty with another allocator, and where not all calls are in the recording.
    #[serde(default)]
    pub arenas: Vec<ArenaRow>,
    /// Its thresholds in each process in which a block had a mapping of its own.
    #[serde(default)]
    pub thresholds: Vec<ThresholdsRow>,
    /// Files whose code has no names here, and why.
    pub unnamed: Vec<UnnamedFile>,
}

/// What the sources of a recording can see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Seen {
    /// Calls of allocation functions.
    pub allocations: bool,
    /// Memory syscalls.
    pub syscalls: bool,
    /// Page faults in user mode.
    pub faults: bool,
    /// Page faults inside syscalls. Where they are not seen, figures of faults are without them.
    pub kernel_faults: bool,
    /// Whether the program was stopped at each memory syscall (ptrace): the stops are part of the
    /// times of calls.
    #[serde(default)]
    pub stops: bool,
    /// Times in which threads were not on a processor. Where they are not seen, slow calls may have
    /// unknown causes.
    #[serde(default)]
    pub absences: bool,
}

/// A recording that has only calls on some blocks. Calls, failed calls, bytes and the time in calls
/// are counted and exact. What depends on blocks is the sum over the blocks that were followed,
/// each as often as it stands for others: frees, faults, first touch, release, live and unreleased
/// bytes, syscalls inside calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThinnedRecording {
    /// From when on, since the start of the recording.
    pub from_ns: u64,
    /// The blocks of which one was followed at the end.
    pub one_in: u64,
    /// The standard error of `costs.first_touch_ns`.
    pub first_touch_error_ns: u64,
    /// Counted calls whose site is not known, since the recording lost the first of them.
    pub calls_without_site: u64,
}

/// A recording in which only calls have their stack that were chosen by chance: one of s bytes with
/// the chance 1 - exp(-s / `mean_bytes`). Each counts as many times as one was chosen of its size,
/// and so does its block with everything that is charged to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampledRecording {
    /// The mean distance of samples, in bytes that a thread asks for.
    pub mean_bytes: u64,
    /// The calls that were chosen.
    pub chosen_calls: u64,
}

/// A call site: a stack from which memory was asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteRow {
    /// Its frames, from the caller of the allocator outwards: `function (file:line)`, without debug
    /// information `function (module)`, without a name `0x… (module)`.
    pub stack: Vec<String>,
    /// Whether it maps memory itself: `calls` are those of mmap(2) and mremap(2), `bytes` are
    /// addresses, which may never be memory; its blocks are mappings, `frees` the times that some
    /// of one was unmapped, `unreleased` those that were never unmapped as a whole.
    #[serde(default)]
    pub maps: bool,
    /// The costs.
    #[serde(flatten)]
    pub costs: SiteCosts,
    /// The most bytes that it had live at once.
    pub peak_bytes: u64,
    /// What is known of it beyond its costs.
    #[serde(default)]
    pub detail: SiteDetail,
}

/// The sites of a function: the innermost one on their stacks that does not belong to an allocator
/// or a standard library.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CallerRow {
    /// The function, or an offset or address.
    pub function: String,
    /// Its line, `file:line`, or its module; `null` if unknown.
    pub at: Option<String>,
    /// Whether the sites map memory themselves; a function that also asks the allocator has a row
    /// for each.
    #[serde(default)]
    pub maps: bool,
    /// The sites, as indices of `sites`.
    pub sites: Vec<usize>,
    /// The costs of all of them.
    #[serde(flatten)]
    pub costs: SiteCosts,
    /// `true_ns` as a multiple of `apparent_ns`; `null` if either is unknown or zero.
    pub true_per_apparent: Option<f64>,
    /// The slowest one of its calls, or of the calls that gave its blocks back; `null` if none is
    /// slow.
    #[serde(default)]
    pub slowest: Option<SlowCallRow>,
}

impl RecordingReport {
    /// The faults of memory that is not known, as a part of all, and their number.
    #[must_use]
    pub fn unknown_faults(&self) -> (f64, u64) {
        let all = self.totals.minor_faults.zip(self.totals.major_faults);
        let all = all.map_or(0, |(minor, major)| minor.saturating_add(major));
        let unknown = self.rest.iter().filter(|row| row.kind == RestMemory::Unknown);
        let (unknown, _) = sums(unknown);
        (unknown as f64 / all.max(1) as f64, unknown)
    }

    /// The faults that no site pays for and that are the program's own: their number, their time,
    /// and its part of the lifetimes of all threads, if those are known.
    #[must_use]
    pub fn other_faults(&self) -> (u64, u64, Option<f64>) {
        let own = self.rest.iter().filter(|row| row.kind != RestMemory::Recorder);
        let (faults, ns) = sums(own);
        let threads_ns = self.totals.threads_ns;
        (faults, ns, (threads_ns > 0).then(|| ns as f64 / threads_ns as f64))
    }

    /// Whether it is not known which allocation calls there were: they were not recorded, or the
    /// file was cut before any.
    #[must_use]
    pub fn lacks_calls(&self) -> bool {
        let is_cut = self.ended_early == Some(EndedEarly::Unknown) && self.totals.calls == 0;
        !self.seen.allocations || is_cut
    }

    /// Whether the file was cut before any page fault and syscall.
    #[must_use]
    pub fn lacks_faults(&self) -> bool {
        self.faults_until_ns == Some(0)
    }

    /// Whether there are calls, but no stack of any (`record --stacks none`).
    #[must_use]
    pub fn has_no_stacks(&self) -> bool {
        let has_any = self.sites.iter().any(|site| !site.stack.is_empty());
        !has_any
            && !self.sites.is_empty()
            && self.recorder.is_none_or(|recorder| recorder.unknown_stacks == 0)
    }

    /// The faults that no site pays for, and their time.
    #[must_use]
    pub fn rest_sums(&self) -> (u64, u64) {
        sums(self.rest.iter())
    }

    /// The costs of all callers but the first `shown`, and how many they are; `None` if there are
    /// no others.
    #[must_use]
    pub fn others(&self, shown: usize) -> Option<(usize, SiteCosts)> {
        let others = self.callers.get(shown..).filter(|others| !others.is_empty())?;
        Some((others.len(), SiteCosts::sum(self.seen, others.iter().map(|caller| &caller.costs))))
    }
}

/// The faults of rows, and their time.
fn sums<'a>(rows: impl Iterator<Item = &'a RestRow>) -> (u64, u64) {
    rows.fold((0, 0), |(faults, ns), row| {
        let own = row.minor_faults.saturating_add(row.major_faults);
        (faults.saturating_add(own), ns.saturating_add(row.fault_ns))
    })
}

#[cfg(test)]
mod tests;
