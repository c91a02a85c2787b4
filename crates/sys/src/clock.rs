//! The clock that all observers of a program share, and the processor's counter that is cheaper to
//! read.
//!
//! Safety story: reading the time stamp counter changes nothing.
#![allow(unsafe_code)]

use rustix::time::{ClockId, clock_gettime};

/// Now, in nanoseconds of `CLOCK_MONOTONIC`, the clock of perf timestamps as well.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or(0) * 1_000_000_000 + nanoseconds.unwrap_or(0)
}

/// The time stamp counter of this processor; 0 on other architectures.
#[must_use]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has it.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// Whether the time stamp counter has one frequency, in every sleep state, and is the same on all
/// processors: the kernel says so in `/proc/cpuinfo`, and has not found otherwise since its start.
#[must_use]
pub fn ticks_are_time() -> bool {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = flags.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    has("constant_tsc") && has("nonstop_tsc")
}

/// The same moment on both clocks: ticks, and nanoseconds of [`monotonic_ns`]. The best of a few
/// tries; `error_ns` is how long the reading of the three took, in which the moment lies.
#[must_use]
pub fn both() -> ClockPair {
    let attempt = || {
        let before = monotonic_ns();
        let ticks = ticks();
        let after = monotonic_ns();
        ClockPair { ticks, ns: before.midpoint(after), error_ns: after - before }
    };
    let tries = std::iter::repeat_with(attempt).take(5);
    tries.min_by_key(|moment| moment.error_ns).unwrap_or_default()
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockPair {
    /// The time stamp counter.
    pub ticks: u64,
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub ns: u64,
    /// The width of the interval in which both were read, in nanoseconds.
    pub error_ns: u64,
}
