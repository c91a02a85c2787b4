//! The part of the reported times in which threads were not on a processor.
//!
//! A thread that is not on a processor cannot go on, so all of an absence is in the innermost of
//! what its thread is inside: a page fault on a block, a syscall that returns blocks' memory, or a
//! call. It is counted there, once, or nowhere if what it is inside is in no figure.

use events::AbsenceReason;

use super::figures::add;

/// Times off the processor by their reasons, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OffCpuTimes {
    /// The thread could have gone on, and others had its processor.
    pub preempted_ns: u64,
    /// It waited.
    pub waited_ns: u64,
    /// The recorder had stopped it.
    pub stopped_ns: u64,
    /// Preempted or waited: the kernel does not tell.
    pub unknown_ns: u64,
}

/// The times off the processor in what sites pay for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OffCpuAccount {
    /// In the timed calls that ask for memory, outside of the following ones.
    pub calls: OffCpuTimes,
    /// In the timed calls that only give back known blocks, likewise.
    pub releases: OffCpuTimes,
    /// In faults on blocks, in syscalls that return pages of blocks, and in calls that map memory.
    pub kernel: OffCpuTimes,
}

/// A time off the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Away {
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
    pub(super) reason: AbsenceReason,
}

/// What a thread is inside that is paid for and is no call, and its last absence.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Presence {
    /// Until when it is in a fault on a block.
    touch_until_ns: u64,
    /// Until when it is in a syscall that returns pages of blocks.
    return_until_ns: u64,
    /// The last absence that was inside nothing that is paid for: by another clock, it may begin
    /// before the call that it interrupts.
    last: Option<Away>,
}

impl OffCpuTimes {
    /// All of them.
    #[must_use]
    pub fn ns(&self) -> u64 {
        let parts = [self.preempted_ns, self.waited_ns, self.stopped_ns, self.unknown_ns];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    pub(super) fn add(&mut self, ns: u64, reason: AbsenceReason) {
        let sum = match reason {
            AbsenceReason::Preempted => &mut self.preempted_ns,
            AbsenceReason::Blocked => &mut self.waited_ns,
            AbsenceReason::Stopped => &mut self.stopped_ns,
            AbsenceReason::Unknown => &mut self.unknown_ns,
            // Of no thread.
            AbsenceReason::LeftOut { .. } => return,
        };
        add(sum, ns);
    }

    /// Each part as `change` makes it.
    #[must_use]
    pub fn map(&self, change: impl Fn(u64) -> u64) -> OffCpuTimes {
        OffCpuTimes {
            preempted_ns: change(self.preempted_ns),
            waited_ns: change(self.waited_ns),
            stopped_ns: change(self.stopped_ns),
            unknown_ns: change(self.unknown_ns),
        }
    }
}

impl Away {
    /// The part of it that is over by `end_ns` and begins at `from_ns` or later.
    pub(super) fn within(&self, from_ns: u64, end_ns: u64) -> u64 {
        self.until_ns.min(end_ns).saturating_sub(self.from_ns.max(from_ns))
    }
}

impl Presence {
    /// The thread is in a fault on a block until `end_ns`.
    pub(super) fn touch(&mut self, end_ns: u64) {
        self.touch_until_ns = self.touch_until_ns.max(end_ns);
    }

    /// It is in a syscall that returns pages of blocks until `end_ns`.
    pub(super) fn give_back(&mut self, end_ns: u64) {
        self.return_until_ns = self.return_until_ns.max(end_ns);
    }

    /// Until when it is in a fault or syscall that is paid for, if it is at `time_ns`.
    pub(super) fn in_kernel(&self, time_ns: u64) -> Option<u64> {
        [self.touch_until_ns, self.return_until_ns].into_iter().find(|&until| time_ns < until)
    }

    /// It was away, and inside nothing that is paid for.
    pub(super) fn leave(&mut self, away: Away) {
        self.last = Some(away);
    }

    /// Takes that absence, if it goes on after `time_ns`.
    pub(super) fn take_last(&mut self, time_ns: u64) -> Option<Away> {
        self.last.take().filter(|away| time_ns < away.until_ns)
    }
}
