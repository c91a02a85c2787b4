//! Times in which a thread was not on a processor.

/// A time in which a thread was not on a processor, between two switches of the kernel; or a time
/// in which absences were too many to tell each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// From its beginning to its end, in nanoseconds.
    pub latency_ns: u64,
    /// Why the thread left its processor.
    pub reason: AbsenceReason,
}

impl AbsenceReason {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            AbsenceReason::Preempted => "preempted",
            AbsenceReason::Blocked => "blocked",
            AbsenceReason::Stopped => "stopped",
            AbsenceReason::Unknown => "unknown",
            AbsenceReason::LeftOut { .. } => "left-out",
        }
    }
}

/// Why a thread left its processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsenceReason {
    /// Another thread had its turn, and this one could have gone on.
    Preempted,
    /// It waited: for a lock, a device, a time, or a child.
    Blocked,
    /// The observer stopped it at a syscall (ptrace), until it went on.
    Stopped,
    /// One of these: the kernel does not say which (before Linux 4.17).
    Unknown,
    /// In this time so many absences of any threads, each short, are left out, since there were too
    /// many. The event is of no thread.
    LeftOut {
        /// Their number.
        absences: u32,
        /// The sum of their times, in nanoseconds.
        sum_ns: u64,
    },
}
