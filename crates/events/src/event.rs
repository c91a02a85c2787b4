//! One thing that happened.

use core::num::NonZeroU64;

use crate::{Call, Mapping, Name};

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

/// Time spent in the kernel. Zero stands for "not known" in both, since nothing takes no time.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// From its start to its end, in nanoseconds.
    pub latency_ns: Option<NonZeroU64>,
    /// The part of it in which the thread was on a processor, in nanoseconds.
    pub on_cpu_ns: Option<NonZeroU64>,
}

/// One thing that happened.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When it began: nanoseconds on the stream's clock, whichever source saw it.
    pub time_ns: u64,
    /// The thread that did it, or that it happened to.
    pub thread: Thread,
    /// What happened.
    pub kind: EventKind,
}

impl Event {
    /// When it ended, on the stream's clock: a mapping, a life and a gap end as they begin. `None`:
    /// that is not known.
    #[must_use]
    pub fn end_ns(&self) -> Option<u64> {
        let latency_ns = match &self.kind {
            EventKind::Syscall(call) => call.span.latency_ns?.get(),
            EventKind::Fault(fault) => fault.span.latency_ns?.get(),
            EventKind::Mapping(_) | EventKind::Life(_) | EventKind::Lost(_) => 0,
        };
        Some(self.time_ns.saturating_add(latency_ns))
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A memory syscall, complete: it has returned.
    Syscall(Syscall),
    /// A page fault, complete unless its latency is unknown.
    Fault(Fault),
    /// A range of addresses has a new meaning.
    Mapping(Mapping),
    /// A process or thread began, changed its program, or ended.
    Life(Life),
    /// Events are missing here.
    Lost(Lost),
}

/// A memory syscall with what it was given and what it returned.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syscall {
    /// Which.
    pub call: Call,
    /// The string that an argument points at ([`Call::text_argument`]), if it could be read.
    pub text: Name,
    /// The registers, whether or not the call uses them.
    pub arguments: [u64; 6],
    /// What it returned: a negative errno from -4095 to -1. `None`: it had not returned when the
    /// thread ended.
    pub result: Option<i64>,
    /// How long it took in the kernel.
    pub span: Span,
}

impl Syscall {
    /// What it returned, unless that was an error, or it did not return.
    #[must_use]
    pub fn succeeded_with(&self) -> Option<u64> {
        self.result.filter(|result| !(-4095..0).contains(result)).map(i64::cast_unsigned)
    }
}

/// A page fault: an access for which the processor asked the kernel.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The address that was accessed.
    pub address: u64,
    /// The instruction that accessed it.
    pub ip: u64,
    /// From the trap to the return from the fault's handler.
    pub span: Span,
    /// How much memory was mapped by it as one page: that of the entry in the page table, as it was
    /// right afterwards. `None`: not known.
    pub page_bytes: Option<NonZeroU64>,
    /// A page had to be read from a device.
    pub major: bool,
    /// The kernel took it on the thread's behalf, inside a syscall.
    pub in_kernel: bool,
}

/// The life of processes and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The event's thread began: a new process if its `pid` is not the parent's.
    Started {
        /// The thread that started it.
        by: Thread,
    },
    /// The process has another program now. Nothing of its old address space is left.
    Executed {
        /// The program's name (`comm`).
        name: Name,
    },
    /// The thread ended; the process as well if it was the last.
    Ended {
        /// How, as far as the observer could learn it.
        ending: Ending,
    },
    /// The process was running before the observer attached to it. Its mappings follow.
    Attached,
    /// The process makes syscalls in 32-bit mode, whose numbers mean something else: its memory
    /// syscalls are not seen.
    Compat32,
}

/// How a thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Not known.
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
    /// How many records found no room.
    pub records: u64,
}

/// Events are kept by the million while they are put into order: a change of their size is a
/// decision.
const _: () = {
    assert!(size_of::<Thread>() == 8 && size_of::<Span>() == 16);
    assert!(size_of::<Syscall>() == 88 && size_of::<Fault>() == 48 && size_of::<Mapping>() == 40);
    assert!(size_of::<Event>() == 104);
};
