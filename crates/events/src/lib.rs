//! What can be observed of a program's memory, as plain data: memory syscalls, page faults, mappings, the life of
//! processes and threads, and what was lost.
//!
//! Whoever gathers events writes these types, whoever explains them reads them; neither knows the other. docs/events.md
//! says why they look as they do. No event owns memory: what has a name refers to [`Names`] by number.
#![no_std]

extern crate alloc;

mod call;
mod names;
pub mod space;

use core::num::NonZeroU64;

pub use call::Call;
pub use names::{Name, Names};

/// A thread, and the process that it belongs to, as the first PID namespace of the observer numbers them. A process's first thread has
/// `tid == pid`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thread {
    /// The process (thread group).
    pub pid: u32,
    /// The thread.
    pub tid: u32,
}

/// How long the kernel was at it. Zero stands for "not known" in both, since nothing takes no time.
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
    /// When it began: nanoseconds on `CLOCK_MONOTONIC`, whoever saw it.
    pub time_ns: u64,
    /// Who did it, or to whom it happened.
    pub thread: Thread,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
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
    /// What it returned: a negative errno from -4095 to -1. `None`: it had not returned when the thread ended.
    pub result: Option<i64>,
    /// How long it took in the kernel.
    pub span: Span,
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
    /// How much memory was mapped by it as one page: that of the entry in the page table, as it was right afterwards. `None`: not known.
    pub page_bytes: Option<NonZeroU64>,
    /// A page had to be read from a device.
    pub major: bool,
    /// The kernel took it on the thread's behalf, inside a syscall.
    pub in_kernel: bool,
}

/// A range of addresses that is mapped from now on as this says, whatever was there before.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The first address.
    pub start: u64,
    /// The address behind the last.
    pub end: u64,
    /// Where in the file it begins, in bytes.
    pub offset_bytes: u64,
    /// The inode of what is mapped, 0 for anonymous memory.
    pub inode: u64,
    /// `PROT_READ` 1, `PROT_WRITE` 2, `PROT_EXEC` 4.
    pub protection: u32,
    /// Changes reach the file or other processes (`MAP_SHARED`).
    pub shared: bool,
    /// The file, or as `/proc/PID/maps` has it: `[heap]`, `[stack]`, ...; [`Name::NONE`] for plain anonymous memory.
    pub name: Name,
}

/// The life of processes and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The event's thread began: a new process if its `pid` is not the parent's.
    Started {
        /// Who started it.
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
    /// What was there already when the observer came to a running process. Its mappings follow.
    Met,
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
    /// How many records the kernel could not write.
    pub records: u64,
}

/// Events are kept by the million while they are put into order: a change of their size is a decision.
const _: () = {
    assert!(size_of::<Thread>() == 8 && size_of::<Span>() == 16);
    assert!(size_of::<Syscall>() == 88 && size_of::<Fault>() == 48 && size_of::<Mapping>() == 48);
    assert!(size_of::<Event>() == 104);
};
