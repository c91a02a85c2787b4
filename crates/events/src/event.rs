//! The events of a stream.

use core::num::NonZeroU64;

use crate::{Absence, Allocation, Call, Mapping, Name};

/// A thread, and the process that it belongs to, as the first PID namespace of the observer numbers
/// them. A process's first thread has `tid == pid`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thread {
    /// The process (thread group).
    pub pid: u32,
    /// The thread.
    pub tid: u32,
}

/// Time spent in the kernel. Both are `None` if unknown; neither can be zero.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// From its start to its end, in nanoseconds.
    pub latency_ns: Option<NonZeroU64>,
    /// The part of it in which the thread was on a processor, in nanoseconds.
    pub on_cpu_ns: Option<NonZeroU64>,
}

/// One event.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When it began, in nanoseconds of the stream's clock, whichever source recorded it.
    pub time_ns: u64,
    /// The thread that did it, or to which it happened.
    pub thread: Thread,
    /// What happened.
    pub kind: EventKind,
}

impl Event {
    /// When it ended, on the stream's clock. Mappings, life events and gaps end when they begin.
    /// `None`: unknown.
    #[must_use]
    pub fn end_ns(&self) -> Option<u64> {
        let latency_ns = match &self.kind {
            EventKind::Syscall(call) => call.span.latency_ns?.get(),
            EventKind::Fault(fault) => fault.span.latency_ns?.get(),
            EventKind::Allocation(allocation) => allocation.latency_ns?.get(),
            EventKind::Absence(absence) => absence.latency_ns,
            EventKind::Mapping(_) | EventKind::Life(_) | EventKind::Lost(_) => 0,
        };
        Some(self.time_ns.saturating_add(latency_ns))
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A memory syscall, complete unless its result is unknown.
    Syscall(Syscall),
    /// A page fault, complete unless its latency is unknown.
    Fault(Fault),
    /// A call of an allocation function.
    Allocation(Allocation),
    /// A range of addresses was mapped.
    Mapping(Mapping),
    /// A process or thread began, changed its program, or ended.
    Life(Life),
    /// Events were lost here.
    Lost(Lost),
    /// The thread was not on a processor. It is delivered when it is over: `collect` says so only
    /// where it was asked to (`record`), and then after events that began later.
    Absence(Absence),
}

/// A memory syscall with its arguments and its result.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syscall {
    /// The syscall.
    pub call: Call,
    /// Whether the arguments are known. They are not if a seccomp filter answered the call before
    /// the observer saw it; such a call has an error or no result.
    pub arguments_known: bool,
    /// The string that an argument points to ([`Call::text_argument`]), if it could be read.
    pub text: Name,
    /// The argument registers, including those that the call does not use; zeros if they are
    /// unknown.
    pub arguments: [u64; 6],
    /// What it returned; -4095 to -1 is a negative errno. `None`: it had not returned when the
    /// thread ended, or a seccomp filter turned it into a signal.
    pub result: Option<i64>,
    /// The time in the kernel.
    pub span: Span,
}

impl Syscall {
    /// What it returned, unless that was an error or it did not return.
    #[must_use]
    pub fn succeeded_with(&self) -> Option<u64> {
        self.result.filter(|result| !(-4095..0).contains(result)).map(i64::cast_unsigned)
    }
}

/// A page fault.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The address that was accessed.
    pub address: u64,
    /// The address of the instruction.
    pub ip: u64,
    /// The time from the trap to the return of the fault handler.
    pub span: Span,
    /// The size of the page that it mapped: that of the page table entry right afterwards. `None`:
    /// unknown.
    pub page_bytes: Option<NonZeroU64>,
    /// Whether a page had to be read from a device.
    pub major: bool,
    /// Whether the kernel took it on the thread's behalf, inside a syscall.
    pub in_kernel: bool,
    /// Whether the page table had a page at the address when the fault began: it was there and the
    /// access was not allowed, such as a write to a page that has to be copied. `None`: unknown.
    pub present: Option<bool>,
}

/// Starts and ends of processes and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The event's thread started. It is a new process if its `pid` is not that of `by`.
    Started {
        /// The thread that started it.
        by: Thread,
    },
    /// The process has executed a program. Its old address space is gone.
    Executed {
        /// The program's name (`comm`).
        name: Name,
    },
    /// The thread ended, and with its last thread the process.
    Ended {
        /// How it ended, as far as the observer knows.
        ending: Ending,
    },
    /// The thread was there when the observer attached to its process. Each live thread has such an
    /// event, and the mappings of the process follow the last of them.
    Attached,
    /// The process makes syscalls in 32-bit mode, whose numbers differ, and those are not observed.
    Compat32,
}

/// How a thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Unknown.
    Unknown,
    /// The process exited with this status.
    Exited(u8),
    /// The process was killed by this signal.
    Killed(u8),
}

/// A gap in the record.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The number of records lost.
    pub records: u64,
}

/// Events are kept by the million while they are sorted: a change of their size should be
/// deliberate.
const _: () = {
    assert!(size_of::<Thread>() == 8 && size_of::<Span>() == 16);
    assert!(size_of::<Allocation>() == 40 && size_of::<Syscall>() == 88);
    assert!(size_of::<Fault>() == 48 && size_of::<Mapping>() == 40);
    assert!(size_of::<Event>() == 104);
    assert!(size_of::<Absence>() <= 32);
};
