//! Resource usage of processes: getrusage(2), wait4(2), `clock_getcpuclockid(3)`.
//!
//! Safety story: every pointer is to a variable on this stack that the call fills in.
#![allow(unsafe_code)]

use std::time::Duration;

/// Counts since the start of the process, or for a reaped child from its start to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Faults served without I/O. The kernel also counts pages that a call populates, without a
    /// fault.
    pub minor_faults: u64,
    /// Faults that waited for I/O.
    pub major_faults: u64,
    /// Preemptions by the scheduler.
    pub involuntary_switches: u64,
    /// Processor time, user and system.
    pub cpu: Duration,
    /// The part of it in user mode. Except with `CONFIG_VIRT_CPU_ACCOUNTING_GEN`, the kernel
    /// divides the exact sum in proportion to ticks, of which there are 100 to 1000 a second.
    pub user: Duration,
    /// The largest resident set of one process, since its start: an exec keeps that of the process
    /// before it. Of a reaped child: the largest of it and of its descendants that were waited for.
    pub max_rss_bytes: u64,
}

impl Usage {
    /// Usage of this process so far.
    #[must_use]
    pub fn of_this_process() -> Self {
        Usage::of(libc::RUSAGE_SELF)
    }

    /// Usage of all children that were waited for so far, and of their descendants that were waited
    /// for.
    #[must_use]
    pub fn of_reaped_children() -> Self {
        Usage::of(libc::RUSAGE_CHILDREN)
    }

    /// Usage of the calling thread alone, without faults of other threads.
    #[must_use]
    #[inline]
    pub fn of_this_thread() -> Self {
        Usage::of(libc::RUSAGE_THREAD)
    }

    /// The part of the processor time in the kernel.
    #[must_use]
    pub fn system(&self) -> Duration {
        self.cpu.saturating_sub(self.user)
    }

    /// Usage since `before`, an earlier reading of the same process or thread.
    #[must_use]
    pub fn since(&self, before: &Usage) -> Usage {
        Usage {
            minor_faults: self.minor_faults - before.minor_faults,
            major_faults: self.major_faults - before.major_faults,
            involuntary_switches: self.involuntary_switches - before.involuntary_switches,
            cpu: self.cpu.saturating_sub(before.cpu),
            user: self.user.saturating_sub(before.user),
            max_rss_bytes: self.max_rss_bytes,
        }
    }

    #[inline]
    fn of(whom: libc::c_int) -> Self {
        // SAFETY: all-zero is a valid rusage.
        let mut raw: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `raw` is writable; with a valid pointer, getrusage(2) cannot fail for any `whom`
        // above.
        unsafe { libc::getrusage(whom, &raw mut raw) };
        Usage::from(raw)
    }
}

/// The processor time of the process `pid` so far, all its threads included, also those that have
/// ended; its children are not. `None`: it is gone.
#[must_use]
pub fn cpu_of(pid: u32) -> Option<Duration> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the clock is writable.
    if unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) } != 0 {
        return None;
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is writable. A process that has ended meanwhile makes it fail.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
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
            user: time(raw.ru_utime),
            max_rss_bytes: raw.ru_maxrss.cast_unsigned() * 1024, // getrusage(2): in KiB
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_another_process_grows_while_it_works() {
        let mut busy = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .expect("a shell");
        let start = std::time::Instant::now();
        let grown = loop {
            let used = cpu_of(busy.id()).expect("it runs");
            if used > Duration::from_millis(20) || start.elapsed() > Duration::from_mins(1) {
                break used;
            }
        };
        busy.kill().expect("it is ours");
        busy.wait().expect("it is ours");
        assert!(grown > Duration::from_millis(20), "{grown:?}");
        assert_eq!(cpu_of(busy.id()), None);
    }
}
