//! The records that the kernel writes into a ring, parsed (`perf_event_open(2)`, "Overview of
//! `PERF_RECORD`"; the layouts that [`super::event`] requests).

mod format;
pub(super) mod mode;

use std::num::NonZeroU64;

pub use format::Format;

/// A thread in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTask {
    /// Its process.
    pub pid: u32,
    /// The thread itself.
    pub tid: u32,
}

/// The contents of an event's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    /// Samples of [`super::event::Watched::FaultBegins`].
    FaultBegins {
        /// Whether the size of the page is included (Linux 5.11).
        sized: bool,
    },
    /// Samples of a completed minor or major fault.
    FaultEnds {
        /// Whether the fault was major.
        major: bool,
        /// Whether the size of the page is included (Linux 5.11).
        sized: bool,
    },
    /// Samples of `raw_syscalls:sys_enter`.
    CallBegins,
    /// Samples of `raw_syscalls:sys_exit`.
    CallEnds,
}

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was written, in nanoseconds of `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// The running thread.
    pub task: RecordTask,
    /// Its contents.
    pub kind: RecordKind<'a>,
}

/// The contents of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind<'a> {
    /// A page fault has begun.
    FaultBegins {
        /// The faulting address.
        address: u64,
        /// The address of the instruction.
        ip: u64,
        /// Whether it was taken in kernel mode.
        in_kernel: bool,
        /// Whether the page table had a page at the address when the fault began; `None` if the
        /// kernel does not report it. The kernel walks the page table after the trap
        /// (`perf_get_page_size` of kernel/events/core.c), so a page that another thread has mapped
        /// in between counts as present.
        present: Option<bool>,
    },
    /// A page fault is complete.
    FaultEnds {
        /// Whether it had to wait for a device.
        major: bool,
        /// The size of the page that the new page table entry maps; `None` if the kernel does not
        /// report it.
        page_bytes: Option<NonZeroU64>,
    },
    /// A syscall begins.
    CallBegins {
        /// Its number in the syscall table of the mode.
        number: u64,
        /// Its argument registers.
        arguments: [u64; 6],
        /// Whether it was made in 32-bit mode, where the numbers differ.
        compat32: bool,
    },
    /// A syscall ends.
    CallEnds {
        /// Its number.
        number: u64,
        /// Its return value.
        result: i64,
    },
    /// The thread was switched onto a processor.
    SwitchIn,
    /// The thread was switched off its processor.
    SwitchOut {
        /// Whether it was still runnable.
        preempted: bool,
    },
    /// A new thread, which is the record's task.
    Fork {
        /// The thread that created it.
        by: RecordTask,
    },
    /// The thread ended.
    Exit,
    /// The thread has a new name.
    Comm {
        /// Whether an exec changed it.
        by_exec: bool,
        /// The name.
        name: &'a [u8],
    },
    /// The process has a new mapping.
    Mapped {
        /// The first address.
        start: u64,
        /// Its length.
        len_bytes: u64,
        /// Its offset in the file.
        offset_bytes: u64,
        /// The major and minor number of the device that the file is on.
        device: (u32, u32),
        /// The file's inode, or 0.
        inode: u64,
        /// The generation of the inode, which distinguishes files that reuse its number.
        generation: u64,
        /// `PROT_*`.
        protection: u32,
        /// Whether it is `MAP_SHARED`.
        shared: bool,
        /// Its path, or the kernel's name for it (`//anon`, `[heap]`).
        name: &'a [u8],
    },
    /// Records were lost before this one, because the ring was full.
    Lost {
        /// Their number.
        records: u64,
    },
}

/// Counts of samples that were not as requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anomalies {
    /// Samples that were not understood and skipped.
    pub unparsed: u64,
    /// Samples with the id of another program's event, and so with the time of its clock; or with
    /// an earlier time than the record before, which can only come from another clock. A lower
    /// bound.
    pub misattributed: u64,
}

#[cfg(test)]
mod tests;
