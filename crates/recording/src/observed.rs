//! Chunks of events of all kinds, as observed from outside the program. Absences of threads have
//! chunks of their own, which readers of version 1.1 skip.
//!
//! | column | contents |
//! |---|---|
//! | shapes | each [`Shape`] when it is first used |
//! | operations | the number of the shape |
//! | gaps | the time since the previous event began, zigzag |
//! | latencies | where known |
//! | waits | of the latency, the time not on a processor, zigzag; where known |
//! | addresses | of a fault: since the previous one of this shape, zigzag |
//! | ips | of a fault: since the previous one of this shape, zigzag |
//! | values | everything else |

mod decoder;
mod encoder;

pub(crate) use decoder::ObservedDecoder;
pub use encoder::encode_batch;
use events::{MappingKind, Thread};

/// The number of columns.
const COLUMNS: usize = 8;

/// What events of one kind and thread have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// A number of [`kind`].
    kind: u8,
    /// Bits of [`flag`].
    flags: u8,
    /// The syscall, the function of an allocation, the kind of a mapping or of a life event, the
    /// reason of an absence.
    detail: u8,
    thread: Thread,
    /// The page size of a fault, the stack and alignment of an allocation, the protection of a
    /// mapping.
    extra: u64,
}

impl Shape {
    /// No event has it.
    const UNUSED: Shape =
        Shape { kind: 0, flags: 0, detail: 0, thread: Thread { pid: 0, tid: 0 }, extra: 0 };

    fn bits(&self) -> u64 {
        let kind = u64::from(self.kind) | u64::from(self.flags) << 8;
        let kind = kind | u64::from(self.detail) << 16 | u64::from(self.thread.tid) << 24;
        kind.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ self.extra ^ u64::from(self.thread.pid)
    }
}

/// What the next event of a shape is compared with.
#[derive(Debug, Clone, Copy, Default)]
struct Previous {
    address: u64,
    ip: u64,
    arguments: [u64; 6],
}

/// The numbers of the kinds of events.
mod kind {
    pub(super) const SYSCALL: u8 = 1;
    pub(super) const FAULT: u8 = 2;
    pub(super) const ALLOCATION: u8 = 3;
    pub(super) const MAPPING: u8 = 4;
    pub(super) const LIFE: u8 = 5;
    pub(super) const LOST: u8 = 6;
    pub(super) const ABSENCE: u8 = 7;
}

/// Bits of [`Shape::flags`]. Those of different kinds overlap.
mod flag {
    /// It has a latency.
    pub(super) const LATENCY: u8 = 1 << 6;
    /// It has a time on a processor.
    pub(super) const ON_CPU: u8 = 1 << 7;
    /// Of a fault.
    pub(super) const MAJOR: u8 = 1;
    pub(super) const IN_KERNEL: u8 = 1 << 1;
    pub(super) const PRESENCE_KNOWN: u8 = 1 << 2;
    pub(super) const PRESENT: u8 = 1 << 3;
    /// Of a syscall.
    pub(super) const ARGUMENTS: u8 = 1;
    pub(super) const RESULT: u8 = 1 << 1;
    pub(super) const TEXT: u8 = 1 << 2;
    /// Of a mapping.
    pub(super) const HUGETLB: u8 = 1;
}

/// The numbers of life events ([`Shape::detail`]).
mod life {
    pub(super) const STARTED: u8 = 1;
    pub(super) const EXECUTED: u8 = 2;
    pub(super) const ENDED: u8 = 3;
    pub(super) const EXITED: u8 = 4;
    pub(super) const KILLED: u8 = 5;
    pub(super) const ATTACHED: u8 = 6;
    pub(super) const COMPAT32: u8 = 7;
}

/// The numbers of reasons of absences ([`Shape::detail`]).
mod reason {
    pub(super) const UNKNOWN: u8 = 0;
    pub(super) const PREEMPTED: u8 = 1;
    pub(super) const BLOCKED: u8 = 2;
    pub(super) const STOPPED: u8 = 3;
    pub(super) const LEFT_OUT: u8 = 4;
}

/// Kinds of mappings by their numbers, from 1. New ones are added at the end.
const MAPPING_KINDS: [MappingKind; 9] = [
    MappingKind::Heap,
    MappingKind::Anonymous,
    MappingKind::SharedAnonymous,
    MappingKind::PrivateFile,
    MappingKind::SharedFile,
    MappingKind::Stack,
    MappingKind::ThreadStack,
    MappingKind::Kernel,
    MappingKind::Other,
];
