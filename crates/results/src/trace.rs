//! The output of `firsttouch trace`: lines in the order of their start times, a summary, and the
//! table of `-c`. docs/trace.md describes them for other programs.

mod account;
mod json;
mod table;

use std::borrow::Cow;
use std::sync::Arc;

use events::{Absence, Allocation, Cause, Ending, MappingKind};

pub use account::{Account, Covered};
pub use json::{write_line, write_summary};
pub use table::{FaultClass, Group, Rates, Table, TableRow};

/// One event, as a line of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it began, in nanoseconds since the start.
    pub time_ns: u64,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// The event.
    pub kind: LineKind,
}

/// The event of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineKind {
    /// A memory syscall.
    Syscall(SyscallLine),
    /// A page fault.
    Fault(FaultLine),
    /// A call of an allocation function.
    Allocation(Allocation),
    /// A process or thread started or ended.
    Process(LifeLine),
    /// This many records are missing here.
    Lost(u64),
    /// The thread was not on a processor.
    Absence(Absence),
    /// The recorder goes on, or pauses, from here on.
    Switched {
        /// Whether it records.
        records: bool,
    },
}

/// A memory syscall, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyscallLine {
    /// Its name.
    pub name: &'static str,
    /// The whole call with its result, as strace prints it: `munmap(0x7f1c2a000000, 4096) = 0`.
    pub text: String,
    /// The arguments; empty if they were not requested, `None` if they are unknown: a seccomp
    /// filter refused the call.
    pub arguments: Option<Vec<Argument>>,
    /// The result, -1 with an error. `None` if the thread ended inside the call, or a seccomp
    /// filter turned it into a signal.
    pub result: Option<Returned>,
    /// The name of the error.
    pub error: Option<Cow<'static, str>>,
    /// Time from start to end; `None` if unknown.
    pub latency_ns: Option<u64>,
    /// The part of it in which the thread was on a processor.
    pub on_cpu_ns: Option<u64>,
    /// Size of the memory concerned; `None` if the call failed or has no size.
    pub bytes: Option<u64>,
    /// The mapping at the address of the call: the one before the call, or the one it made.
    pub mapping: Option<MappingLabel>,
}

/// An argument of a syscall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A null pointer.
    Null,
    /// An address.
    Address(u64),
    /// A size, a descriptor, a count.
    Number(i128),
    /// Names of constants, joined by `|`.
    Symbols(Cow<'static, str>),
    /// A string that the program passed.
    Text(Box<str>),
}

/// The result of a syscall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// An address.
    Address(u64),
    /// A number.
    Number(i64),
}

/// A page fault with its inferred cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultLine {
    /// The address that was accessed.
    pub address: u64,
    /// The instruction that accessed it.
    pub ip: u64,
    /// The fault read a page from a device.
    pub major: bool,
    /// The fault happened in kernel mode, inside a syscall of the thread.
    pub in_kernel: bool,
    /// Whether the page table had the page when the fault began; `None` if unknown.
    pub present: Option<bool>,
    /// The inferred cause, see docs/trace.md.
    pub cause: Cause,
    /// The mapping at the address; `None` if unknown.
    pub mapping: Option<MappingLabel>,
    /// Size of the page that the fault mapped; `None` if unknown.
    pub page_bytes: Option<u64>,
    /// Whether that page is larger than the base page.
    pub large: bool,
    /// Time from the exception to its end; `None` if unknown.
    pub latency_ns: Option<u64>,
    /// The part of it in which the thread was on a processor.
    pub on_cpu_ns: Option<u64>,
}

impl FaultLine {
    /// Size of the page that the fault mapped, if larger than the base page.
    #[must_use]
    pub fn large_bytes(&self) -> Option<u64> {
        self.page_bytes.filter(|_| self.large)
    }
}

/// A mapping, named for a reader.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MappingLabel {
    /// Its kind.
    pub kind: MappingKind,
    /// The file, or the name given by the program or the kernel.
    pub name: Option<Arc<str>>,
    /// Its first address, which distinguishes mappings of one name.
    pub start: u64,
}

impl MappingLabel {
    /// Its name, or its kind in brackets.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.label())
    }
}

/// Starts and ends of processes and threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifeLine {
    /// fork, vfork or clone made a process.
    Started {
        /// The parent process.
        by: u32,
    },
    /// The process started a thread.
    ThreadStarted {
        /// The thread that started it.
        by: u32,
    },
    /// The process executed another program.
    Executed {
        /// The program's name (`comm`).
        name: Arc<str>,
    },
    /// The process ended.
    Over(Ending),
    /// A thread ended; others continue.
    ThreadEnded,
    /// The process was already running at the start of the trace.
    Attached,
}

/// A line of a screen: one event, or faults folded into one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// One event.
    Line(Line),
    /// Several faults in one line.
    Burst(Burst),
}

/// Faults of one thread, in one mapping and of one cause, folded into one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    /// Start of the first fault, in nanoseconds since the start of the trace.
    pub time_ns: u64,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// The first fault; all have its mapping and cause.
    pub first: FaultLine,
    /// How many there are, at least two.
    pub faults: u64,
    /// How many of them read from a device.
    pub major: u64,
    /// How many happened in kernel mode, inside a syscall.
    pub in_kernel: u64,
    /// The first address of the lowest page.
    pub low: u64,
    /// The address after the highest page.
    pub high: u64,
    /// The order of the addresses.
    pub order: BurstOrder,
    /// Whether they skipped more than half of the range between `low` and `high` (docs/trace.md):
    /// only then the order is worth a word.
    pub sparse: bool,
    /// The distance between consecutive faults, if it is the same for three or more and above a
    /// page.
    pub apart_bytes: Option<u64>,
    /// Median time, within 1 %; `None` if unknown for all.
    pub p50_ns: Option<u64>,
    /// Total time of those whose time is known.
    pub latency_ns: u64,
    /// How many of them have a latency.
    pub timed: u64,
}

/// The order of the addresses of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BurstOrder {
    /// Each above the one before.
    Upwards,
    /// Each below the one before.
    Downwards,
    /// Up and down.
    Mixed,
}

/// The summary at the end of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceSummary {
    /// Time of the last event, in nanoseconds since the start.
    pub time_ns: u64,
    /// How long the program was observed, in nanoseconds: from its exec, or from when it was
    /// attached to, until its last process ended or observing stopped.
    pub observed_ns: u64,
    /// The program's process.
    pub pid: u32,
    /// How it ended; `None` if it still runs, or is not a child of this process.
    pub ending: Option<Ending>,
    /// Number of syscalls, faults and process events, folded or not.
    pub events: u64,
    /// Records that the kernel dropped.
    pub lost: u64,
    /// Records of another event that carry the number and the time of ours.
    pub foreign: u64,
    /// Events that arrived too late for their place in the order.
    pub late: u64,
    /// Processes that were observed, the first included.
    pub processes: u64,
    /// Their threads.
    pub threads: u64,
    /// How long these threads existed while they were observed, added up, in nanoseconds.
    pub threads_ns: u64,
    /// Programs that were executed, the first included.
    pub executions: u64,
    /// Faults among the events.
    pub faults_seen: u64,
    /// Of those, the ones that came to nothing: the access was refused, or interrupted. The
    /// kernel's account leaves them out, and so do the next figures.
    pub refused_faults: u64,
    /// Those of the first process.
    pub own_faults_seen: u64,
    /// Processes that outlived their parents or the trace: no parent waited for them.
    pub left_processes: u64,
    /// The faults of those and of their descendants.
    pub left_faults_seen: u64,
    /// Faults that a counting perf event counted in the same time, with the same exclusions.
    pub faults_counted: Option<u64>,
    /// Whether faults were observed at all.
    pub sees_faults: bool,
    /// Whether faults in kernel mode are seen and counted.
    pub sees_kernel_faults: bool,
    /// Minor faults from wait4(2), of the program and of those of its descendants that were waited
    /// for: includes faults in kernel mode, before its exec, and pages populated by syscalls.
    pub rusage_minor_faults: Option<u64>,
    /// Major faults from wait4(2).
    pub rusage_major_faults: Option<u64>,
    /// The part of both that is the first process's own.
    pub own_faults: Option<u64>,
    /// The part of it from before the exec, at least.
    pub before_exec_faults: Option<u64>,
    /// Calls that may have populated pages without a fault; `None` if calls were not observed.
    pub populating_calls: Option<u64>,
    /// Time that recording adds to a fault, in nanoseconds, measured at the end of the trace: an
    /// upper bound of what it adds to each latency.
    pub recording_ns: Option<u64>,
    /// Time that recording adds to a memory syscall, likewise.
    pub recording_call_ns: Option<u64>,
}
