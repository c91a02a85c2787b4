//! The sums of a recording.

use serde::{Deserialize, Serialize};

use super::OffCpu;

/// Sums of a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordingTotals {
    /// Calls that ask for memory.
    pub calls: u64,
    /// Those of them whose time is known.
    pub timed_calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Blocks that were given back, by a free or by a reallocation.
    pub frees: u64,
    /// Calls that only give back.
    pub release_calls: u64,
    /// Those of them whose time is known: `release_ns` takes the others to be like them.
    pub timed_release_calls: u64,
    /// The sum of the sizes that were given out.
    pub allocated_bytes: u64,
    /// Calls of mmap(2) and mremap(2) by the program itself, outside of its allocator. They are not
    /// among `calls`.
    #[serde(default)]
    pub mapping_calls: u64,
    /// The sum of the sizes that these mapped.
    #[serde(default)]
    pub mapped_bytes: u64,
    /// The most bytes that were live at once.
    pub peak_live_bytes: u64,
    /// When that was, since the start of the recording.
    pub peak_ns: u64,
    /// Faults that read no device; `null` if faults were not seen.
    pub minor_faults: Option<u64>,
    /// Faults that read a device.
    pub major_faults: Option<u64>,
    /// Faults that a site pays for.
    pub faults_attributed: Option<u64>,
    /// Faults whose time is not known.
    pub faults_untimed: Option<u64>,
    /// Memory syscalls; `null` if they were not seen.
    #[serde(default)]
    pub syscalls: Option<u64>,
    /// Those of them outside of calls that a site has, as far as it is known, that returned no
    /// memory of sites: the program's own. `null` if that is not known.
    #[serde(default)]
    pub own_syscalls: Option<u64>,
    /// Their time.
    #[serde(default)]
    pub own_syscall_ns: Option<u64>,
    /// Records that were lost.
    pub lost: u64,
    /// Releases of addresses at which no block was known.
    pub unknown_releases: u64,
    /// Blocks whose address was given out again although no release had been seen.
    pub lost_releases: u64,
    /// Pauses of the recording (`record --start-paused`, SIGUSR2), in which it has no calls,
    /// syscalls and faults.
    pub pauses: u64,
    /// Their time.
    pub paused_ns: u64,
    /// Blocks that were live in a pause, whose release may have been missed. They are not among the
    /// `unreleased` of sites.
    pub across_pauses: u64,
    /// Their sizes.
    pub across_pauses_bytes: u64,
    /// Definitions that were invalid: the recording is damaged.
    pub damaged: u64,
    /// Processes.
    pub processes: u64,
    /// Threads of all of them.
    pub threads: u64,
    /// The sum of their lifetimes, without the pauses.
    pub threads_ns: u64,
    /// What recording adds to a call, as measured at its start with a loop that calls malloc and
    /// free; `null` if unknown.
    pub probe_ns_per_call: Option<f64>,
    /// Of that, what was in the measured time of a call that asks for memory: it has been taken
    /// out; 0 if unknown.
    #[serde(default)]
    pub clock_ns_per_call: u64,
    /// The same of a call that only gives back.
    #[serde(default)]
    pub clock_ns_per_release: u64,
    /// What recording adds to a page fault, as measured at the end; `null` if unknown.
    #[serde(default)]
    pub probe_ns_per_fault: Option<u64>,
    /// What recording by tracepoints adds to a memory syscall, likewise.
    #[serde(default)]
    pub probe_ns_per_syscall: Option<u64>,
    /// Times off the processor that were left out, because they were too many.
    #[serde(default)]
    pub absences_left_out: u64,
    /// The part of what memory cost in which threads were not on a processor.
    #[serde(flatten)]
    pub off_cpu: OffCpu,
}
