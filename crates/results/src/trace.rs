//! What `firsttouch trace` tells: lines in the order of their beginnings, a summary, and the table
//! of `-c`. docs/trace.md describes them for other programs.

mod json;
mod table;

use std::borrow::Cow;
use std::sync::Arc;

use events::{Cause, Ending, MappingKind};

pub use json::{write_line, write_summary};
pub use table::{FaultClass, Group, Table, TableRow};

/// One thing that happened, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it began, in nanoseconds since the start.
    pub time_ns: u64,
    /// The process.
    pub pid: u32,
    /// Its thread.
    pub tid: u32,
    /// What it was.
    pub kind: LineKind,
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineKind {
    /// A memory syscall.
    Syscall(SyscallLine),
    /// A page fault.
    Fault(FaultLine),
    /// The life of a process or thread.
    Process(LifeLine),
    /// So many records are missing here.
    Lost(u64),
}

/// A memory syscall, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyscallLine {
    /// Its name.
    pub name: &'static str,
    /// The whole call as strace prints it, with what it returned: `munmap(0x7f1c2a000000, 4096) =
    /// 0`.
    pub text: String,
    /// What it was given; empty if that was not asked for.
    pub arguments: Vec<Argument>,
    /// What it returned, -1 with an error. `None`: its thread ended inside.
    pub result: Option<Returned>,
    /// The name of the error.
    pub error: Option<Cow<'static, str>>,
    /// From its start to its end; `None` where that is not known.
    pub latency_ns: Option<u64>,
    /// The part of it in which the thread was on a processor.
    pub on_cpu_ns: Option<u64>,
    /// How many bytes it was about; `None` where it failed or is not about bytes.
    pub bytes: Option<u64>,
    /// What is mapped at the address that it is about: before it, or by it.
    pub mapping: Option<MappingLabel>,
}

/// An argument of a syscall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// No address.
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

/// What a syscall returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// An address.
    Address(u64),
    /// A number.
    Number(i64),
}

/// A page fault, explained as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultLine {
    /// The address that was accessed.
    pub address: u64,
    /// The instruction that accessed it.
    pub ip: u64,
    /// A page was read from a device.
    pub major: bool,
    /// The kernel took it for the thread, inside a syscall.
    pub in_kernel: bool,
    /// Why it happened: inferred, see docs/trace.md.
    pub cause: Cause,
    /// What is mapped there; `None` where that is not known.
    pub mapping: Option<MappingLabel>,
    /// How large the page is that it mapped; `None` where that is not known.
    pub page_bytes: Option<u64>,
    /// That is more than the smallest there is.
    pub large: bool,
    /// From the trap to its end; `None` where that is not known.
    pub latency_ns: Option<u64>,
    /// The part of it in which the thread was on a processor.
    pub on_cpu_ns: Option<u64>,
}

impl FaultLine {
    /// How large the page is that it mapped, if that is more than the smallest.
    #[must_use]
    pub fn large_bytes(&self) -> Option<u64> {
        self.page_bytes.filter(|_| self.large)
    }
}

/// What is mapped somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MappingLabel {
    /// Of which kind.
    pub kind: MappingKind,
    /// The file, or the name that the program or the kernel gave it.
    pub name: Option<Arc<str>>,
    /// Its first address, which tells mappings of one name apart.
    pub start: u64,
}

impl MappingLabel {
    /// Its name, or the word for its kind in brackets.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.label())
    }
}

/// The life of processes and threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifeLine {
    /// A process was made by fork, vfork or clone.
    Started {
        /// By this process.
        by: u32,
    },
    /// The process has one thread more.
    ThreadStarted {
        /// Which of its threads started it.
        by: u32,
    },
    /// It has another program now.
    Executed {
        /// The program's name (`comm`).
        name: Arc<str>,
    },
    /// It ended, in some way.
    Over(Ending),
    /// One of its threads ended, others go on.
    ThreadEnded,
    /// It was running when it was first looked at.
    Attached,
}

/// What a screen shows next: a line, or faults folded into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Line(Line),
    /// Several faults.
    Burst(Burst),
}

/// Faults of one thread in one mapping and of one cause, told in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    /// When the first began, in nanoseconds since the start.
    pub time_ns: u64,
    /// The process.
    pub pid: u32,
    /// Its thread.
    pub tid: u32,
    /// The first of them: mapping and cause are those of all.
    pub first: FaultLine,
    /// How many, more than one.
    pub faults: u64,
    /// How many of them read from a device.
    pub major: u64,
    /// How many of them the kernel took inside a syscall.
    pub in_kernel: u64,
    /// The lowest page, by its first address.
    pub low: u64,
    /// The address behind the highest page.
    pub high: u64,
    /// How they moved.
    pub order: BurstOrder,
    /// Whether they left out more than half of the range between `low` and `high`
    /// (docs/trace.md): then the order is worth a word.
    pub sparse: bool,
    /// How far each is from the one before, if all of three or more are equally far, and that is
    /// more than a page.
    pub apart_bytes: Option<u64>,
    /// How long half of them took at most, within 1 %; `None` if that is known of none.
    pub p50_ns: Option<u64>,
    /// How long those took together of which it is known.
    pub latency_ns: u64,
    /// How many of them have a latency.
    pub timed: u64,
}

/// How the addresses of a burst moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BurstOrder {
    /// Each above the one before.
    Upwards,
    /// Each below the one before.
    Downwards,
    /// Up and down.
    Mixed,
}

/// What is left to say at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceSummary {
    /// How long it went on, in nanoseconds.
    pub time_ns: u64,
    /// The program's process.
    pub pid: u32,
    /// How it ended; `None` if it goes on, or never was ours to wait for.
    pub ending: Option<Ending>,
    /// Syscalls, faults and process events: what lines of those kinds there are, folded or not.
    pub events: u64,
    /// Records that the kernel could not write.
    pub lost: u64,
    /// Records with the number, and the time, of another program's event.
    pub foreign: u64,
    /// Events that came too late to be told in their order.
    pub late: u64,
    /// Faults among the events.
    pub faults_seen: u64,
    /// Faults that a counting event counted over the same time, with the same things left out.
    pub faults_counted: Option<u64>,
    /// Minor faults as wait4(2) has them: with those of the kernel, pages that one call populated
    /// included.
    pub rusage_minor_faults: Option<u64>,
    /// Major faults as wait4(2) has them.
    pub rusage_major_faults: Option<u64>,
    /// What its records add to a fault, in nanoseconds, measured at the end of the trace: an upper
    /// bound of what they add to each latency.
    pub recording_ns: Option<u64>,
}

impl TraceSummary {
    /// Whether the kernel counted many more faults for the program than the trace shows: at least
    /// a tenth more, and 128. Every program has some from before its exec.
    #[must_use]
    pub fn has_many_unshown(&self) -> bool {
        let (Some(minor), Some(major)) = (self.rusage_minor_faults, self.rusage_major_faults)
        else {
            return false;
        };
        let unshown = minor.saturating_add(major).saturating_sub(self.faults_seen);
        self.faults_counted.is_some() && unshown >= 128.max(self.faults_seen / 10)
    }
}
