//! Ticks of the time stamp counter as nanoseconds of the stream's clock.

#![expect(
    clippy::cast_possible_truncation,
    reason = "durations are far below 2^64 ns, and quotients fit as their sources do"
)]

use std::sync::OnceLock;

use sys::clock::{ClockPair, both};

/// Two looks at the clocks are at least so far apart.
const BETWEEN_NS: u64 = 10_000_000;
/// The first frequency is that of so long at least.
const FIRST_NS: u64 = 2_000_000;
/// The first look of all clocks: only the first of them has to wait.
static FIRST: OnceLock<ClockPair> = OnceLock::new();

/// A clock that is set again and again: its last moment on both clocks, and the frequency since the
/// first.
#[derive(Debug, Clone)]
pub(super) struct TickClock {
    first: ClockPair,
    last: ClockPair,
    /// Nanoseconds in 2^32 ticks.
    ns_per_4g_ticks: u64,
    /// The ticks between two reads, at least: part of whatever is timed by two reads.
    between_reads: u64,
    error_ns: u64,
}

impl TickClock {
    /// A clock that was looked at twice.
    pub(super) fn start() -> TickClock {
        let first = *FIRST.get_or_init(both);
        let mut last = both();
        while last.ns < first.ns + FIRST_NS || last.ticks <= first.ticks {
            last = both();
        }
        let mut clock = TickClock {
            first,
            last: first,
            ns_per_4g_ticks: 0,
            between_reads: between_reads(),
            error_ns: 0,
        };
        clock.set(last);
        clock
    }

    /// Looks at both clocks again, if it has been a while.
    pub(super) fn look(&mut self) {
        if sys::clock::monotonic_ns() < self.last.ns + BETWEEN_NS {
            return;
        }
        let now = both();
        let off_ns = self.ns(now.ticks).abs_diff(now.ns);
        self.error_ns = self.error_ns.max(off_ns + now.error_ns / 2);
        self.set(now);
    }

    fn set(&mut self, moment: ClockPair) {
        let (ticks, ns) = (moment.ticks - self.first.ticks, moment.ns - self.first.ns);
        self.ns_per_4g_ticks = ((u128::from(ns) << 32) / u128::from(ticks.max(1))) as u64;
        self.last = moment;
    }

    /// A moment in ticks, in nanoseconds.
    #[inline]
    pub(super) fn ns(&self, ticks: u64) -> u64 {
        let since = ticks.wrapping_sub(self.last.ticks).cast_signed();
        let since_ns = self.duration_ns(since.unsigned_abs());
        if since < 0 { self.last.ns.saturating_sub(since_ns) } else { self.last.ns + since_ns }
    }

    /// A duration in ticks, in nanoseconds.
    #[inline]
    pub(super) fn duration_ns(&self, ticks: u64) -> u64 {
        ((u128::from(ticks) * u128::from(self.ns_per_4g_ticks)) >> 32) as u64
    }

    /// A latency of so many ticks by two reads of the counter, without the time of a read.
    #[inline]
    pub(super) fn latency_ns(&self, ticks: u64) -> u64 {
        self.duration_ns(ticks.saturating_sub(self.between_reads))
    }

    /// Ticks in a millisecond.
    pub(super) fn ticks_per_ms(&self) -> u64 {
        ((1_000_000_u128 << 32) / u128::from(self.ns_per_4g_ticks.max(1))) as u64
    }

    /// How far a moment was from where it was expected, at worst, in nanoseconds.
    pub(super) fn error_ns(&self) -> u64 {
        self.error_ns
    }
}

/// The ticks from one read to the next: the least of many tries, since any other took longer for
/// another reason.
fn between_reads() -> u64 {
    const TRIES: usize = 2000;
    let between = || {
        let first = sys::clock::ticks();
        sys::clock::ticks().saturating_sub(first)
    };
    std::iter::repeat_with(between).take(TRIES).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_read_is_no_latency() {
        let clock = TickClock::start();
        assert_eq!(clock.latency_ns(clock.between_reads), 0);
        assert_eq!(clock.latency_ns(0), 0);
        let long = clock.ticks_per_ms() + clock.between_reads;
        assert!(clock.latency_ns(long).abs_diff(1_000_000) < 10, "{clock:?}");
    }

    #[test]
    fn a_moment_is_between_two_looks() {
        let mut clock = TickClock::start();
        for _ in 0..5 {
            let before = both();
            let converted = clock.ns(sys::clock::ticks());
            let after = both();
            let slack_ns = 5_000;
            assert!(converted + slack_ns >= before.ns && converted <= after.ns + slack_ns);
            clock.look();
        }
    }

    #[test]
    fn moments_before_the_last_look_are_converted_too() {
        let clock = TickClock::start();
        let early = clock.ns(clock.first.ticks);
        assert!(early.abs_diff(clock.first.ns) < 10, "{early} {clock:?}");
        assert_eq!(clock.duration_ns(0), 0);
    }
}
