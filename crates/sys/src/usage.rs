//! What a process has used: getrusage(2), wait4(2)'s share of it.
#![allow(unsafe_code)]

use std::time::Duration;

/// Counts since the start of the process, or of a reaped child from its start to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Faults served without I/O. Pages that a call populates count as well, without a trap.
    pub minor_faults: u64,
    /// Faults that waited for I/O.
    pub major_faults: u64,
    /// Times that the scheduler took the processor away.
    pub involuntary_switches: u64,
    /// Processor time, user and system.
    pub cpu: Duration,
}

impl Usage {
    /// Of this process so far.
    #[must_use]
    pub fn of_this_process() -> Self {
        Usage::of(libc::RUSAGE_SELF)
    }

    /// Of all children that were waited for so far, and those that they had waited for.
    #[must_use]
    pub fn of_reaped_children() -> Self {
        Usage::of(libc::RUSAGE_CHILDREN)
    }

    /// Of the calling thread alone: what other threads fault in is not in it.
    #[must_use]
    #[inline]
    pub fn of_this_thread() -> Self {
        Usage::of(libc::RUSAGE_THREAD)
    }

    /// What was used after `before`, a state of the same.
    #[must_use]
    pub fn since(&self, before: &Usage) -> Usage {
        Usage {
            minor_faults: self.minor_faults - before.minor_faults,
            major_faults: self.major_faults - before.major_faults,
            involuntary_switches: self.involuntary_switches - before.involuntary_switches,
            cpu: self.cpu.saturating_sub(before.cpu),
        }
    }

    #[inline]
    fn of(whom: libc::c_int) -> Self {
        // SAFETY: all-zero is a valid rusage.
        let mut raw: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `raw` is writable; every `whom` above with a valid pointer cannot fail
        // (getrusage(2)).
        unsafe { libc::getrusage(whom, &raw mut raw) };
        Usage::from(raw)
    }
}

impl From<libc::rusage> for Usage {
    fn from(raw: libc::rusage) -> Self {
        // The kernel never reports negative counts or times.
        let time = |t: libc::timeval| {
            Duration::from_secs(t.tv_sec.cast_unsigned())
                + Duration::from_micros(t.tv_usec.cast_unsigned())
        };
        Usage {
            minor_faults: raw.ru_minflt.cast_unsigned(),
            major_faults: raw.ru_majflt.cast_unsigned(),
            involuntary_switches: raw.ru_nivcsw.cast_unsigned(),
            cpu: time(raw.ru_utime) + time(raw.ru_stime),
        }
    }
}
