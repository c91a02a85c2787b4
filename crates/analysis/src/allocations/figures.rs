//! What sites pay, as sums: exact ones, or estimates.

use events::CallCounts;

/// A number that is summed up: `u64` where each event counts a whole number of times, `f64` where
/// it stands for others.
pub trait Amount: Copy + Default + PartialOrd {
    /// This number and `count`, `weight` times. It is not larger than the largest number.
    #[must_use]
    fn plus(self, count: u64, weight: Self) -> Self;
    /// This number without `count`, `weight` times. It is not below 0.
    #[must_use]
    fn minus(self, count: u64, weight: Self) -> Self;
}

impl Amount for u64 {
    fn plus(self, count: u64, weight: u64) -> u64 {
        self.saturating_add(count.saturating_mul(weight))
    }

    fn minus(self, count: u64, weight: u64) -> u64 {
        self.saturating_sub(count.saturating_mul(weight))
    }
}

impl Amount for f64 {
    fn plus(self, count: u64, weight: f64) -> f64 {
        self + count as f64 * weight
    }

    fn minus(self, count: u64, weight: f64) -> f64 {
        (self - count as f64 * weight).max(0.0)
    }
}

/// Adds to a sum, which stays at the largest number.
pub(super) fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// `value * part / whole`, rounded down, at most the largest number; nothing of nothing.
pub(crate) fn scaled(value: u64, part: u64, whole: u64) -> u64 {
    let whole = whole.max(1);
    // Nearly all products fit; the division of others takes ten times as long.
    value.checked_mul(part).map_or_else(
        || {
            u64::try_from(u128::from(value) * u128::from(part) / u128::from(whole))
                .unwrap_or(u64::MAX)
        },
        |product| product / whole,
    )
}

/// The nearest whole number to an estimate.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "estimates are not negative, and the cast saturates"
)]
pub(super) fn rounded(estimate: f64) -> u64 {
    estimate.round() as u64
}

/// Calls of which some are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimedCalls<N = u64> {
    /// All of them.
    pub calls: N,
    /// Those that were timed.
    pub timed: N,
    /// The sum of the times of those, in nanoseconds.
    pub timed_ns: N,
}

impl TimedCalls {
    /// The time of all calls, in nanoseconds: where only some were timed, each of the others counts
    /// as their mean, or, if none was, as the mean of `similar`.
    #[must_use]
    pub fn estimate_ns(&self, similar: &TimedCalls) -> u64 {
        let mean_of = if self.timed > 0 { self } else { similar };
        if mean_of.timed == 0 || self.calls == self.timed {
            return self.timed_ns;
        }
        scaled(mean_of.timed_ns, self.calls, mean_of.timed)
    }

    /// Those of calls that were counted.
    pub(super) fn counted(counts: &CallCounts) -> TimedCalls {
        TimedCalls { calls: counts.calls, timed: counts.timed, timed_ns: counts.timed_ns }
    }

    /// Adds the calls of `other`.
    pub(super) fn add_all(&mut self, other: &TimedCalls) {
        self.calls = self.calls.saturating_add(other.calls);
        self.timed = self.timed.saturating_add(other.timed);
        self.timed_ns = self.timed_ns.saturating_add(other.timed_ns);
    }
}

impl<N: Amount> TimedCalls<N> {
    /// Adds a call that stands for `weight` of them; `None`: it was not timed.
    pub(super) fn add(&mut self, latency_ns: Option<u64>, weight: N) {
        self.calls = self.calls.plus(1, weight);
        if let Some(latency_ns) = latency_ns {
            self.timed = self.timed.plus(1, weight);
            self.timed_ns = self.timed_ns.plus(latency_ns, weight);
        }
    }

    /// Takes time out of a call that stands for `weight` of them.
    pub(super) fn take(&mut self, ns: u64, weight: N) {
        self.timed_ns = self.timed_ns.minus(ns, weight);
    }
}

impl TimedCalls<f64> {
    /// As if all were timed, of which one in `times` was, chosen at random.
    pub(super) fn as_all_timed(&self, times: f64) -> TimedCalls<f64> {
        TimedCalls { calls: self.calls, timed: self.calls, timed_ns: self.timed_ns * times }
    }

    pub(super) fn rounded(&self) -> TimedCalls {
        let TimedCalls { calls, timed, timed_ns } = *self;
        TimedCalls { calls: rounded(calls), timed: rounded(timed), timed_ns: rounded(timed_ns) }
    }
}

/// Faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultSums<N = u64> {
    /// Without a device.
    pub minor: N,
    /// With pages read from a device.
    pub major: N,
    /// The sum of their times, as far as they are known, in nanoseconds.
    pub ns: N,
    /// Those of unknown time.
    pub untimed: N,
}

impl FaultSums {
    /// All of them.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.minor.saturating_add(self.major)
    }

    pub(super) fn add_all(&mut self, other: &FaultSums) {
        self.minor = self.minor.saturating_add(other.minor);
        self.major = self.major.saturating_add(other.major);
        self.ns = self.ns.saturating_add(other.ns);
        self.untimed = self.untimed.saturating_add(other.untimed);
    }

    /// Takes those of `other` away, as far as there are so many.
    pub(super) fn take_all(&mut self, other: &FaultSums) {
        self.minor = self.minor.saturating_sub(other.minor);
        self.major = self.major.saturating_sub(other.major);
        self.ns = self.ns.saturating_sub(other.ns);
        self.untimed = self.untimed.saturating_sub(other.untimed);
    }
}

impl<N: Amount> FaultSums<N> {
    /// Adds a fault that stands for `weight` of them.
    pub(super) fn add(&mut self, major: bool, latency_ns: Option<u64>, weight: N) {
        let count = if major { &mut self.major } else { &mut self.minor };
        *count = count.plus(1, weight);
        match latency_ns {
            Some(ns) => self.ns = self.ns.plus(ns, weight),
            None => self.untimed = self.untimed.plus(1, weight),
        }
    }
}

impl FaultSums<f64> {
    pub(super) fn rounded(&self) -> FaultSums {
        FaultSums {
            minor: rounded(self.minor),
            major: rounded(self.major),
            ns: rounded(self.ns),
            untimed: rounded(self.untimed),
        }
    }
}
