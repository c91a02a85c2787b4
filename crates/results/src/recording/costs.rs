//! What sites pay, with the errors of what is estimated.

use serde::{Deserialize, Serialize};

use super::Seen;

/// What a site, or several, paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteCosts {
    /// Calls that ask for memory.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Blocks of the site that were given back.
    pub frees: u64,
    /// The sum of the sizes that were given out.
    pub bytes: u64,
    /// Blocks that were never given back, or not before the recording's early end.
    pub unreleased: u64,
    /// Their sizes.
    pub unreleased_bytes: u64,
    /// Live bytes when all sites together had most.
    pub at_peak_bytes: u64,
    /// Time inside the calls, less the faults that `first_touch_ns` has.
    pub apparent_ns: u64,
    /// Time of the faults on blocks of the site; `null` if faults were not seen.
    pub first_touch_ns: Option<u64>,
    /// Time inside the calls that gave its blocks back.
    pub release_ns: u64,
    /// The sum of these three; `null` if one of them is.
    pub true_ns: Option<u64>,
    /// Faults without a device, on its blocks and inside its calls; `null` if faults were not seen.
    pub minor_faults: Option<u64>,
    /// Faults with a device.
    pub major_faults: Option<u64>,
    /// Of these faults, those on its blocks, which are paid for as first touch.
    #[serde(default)]
    pub touch_faults: Option<u64>,
    /// Memory syscalls inside its calls; `null` if syscalls were not seen.
    pub syscalls: Option<u64>,
    /// The standard error of `calls` where that is estimated; `null` where it is exact.
    #[serde(default)]
    pub calls_error: Option<u64>,
    /// The standard error of `bytes` where that is estimated; `null` where it is exact.
    #[serde(default)]
    pub bytes_error: Option<u64>,
    /// The standard error of `first_touch_ns` where that is estimated; `null` where it is exact.
    #[serde(default)]
    pub first_touch_error_ns: Option<u64>,
    /// At most the standard error of `true_ns` where that is estimated in all of its parts; `null`
    /// where it is exact or one of them is.
    #[serde(default)]
    pub true_error_ns: Option<u64>,
}

impl SiteCosts {
    /// The times, faults and syscalls alone: what is counted and kept live is not the allocator's,
    /// and is told apart.
    #[must_use]
    pub fn without_counts(&self) -> SiteCosts {
        SiteCosts {
            calls: 0,
            failed: 0,
            frees: 0,
            bytes: 0,
            unreleased: 0,
            unreleased_bytes: 0,
            at_peak_bytes: 0,
            ..*self
        }
    }

    /// Adds the costs of other sites.
    pub fn add(&mut self, other: &SiteCosts) {
        let sum = |own: &mut u64, other: u64| *own = own.saturating_add(other);
        let known = |own: &mut Option<u64>, other: Option<u64>| {
            *own = own.zip(other).map(|(own, other)| own.saturating_add(other));
        };
        sum(&mut self.calls, other.calls);
        sum(&mut self.failed, other.failed);
        sum(&mut self.frees, other.frees);
        sum(&mut self.bytes, other.bytes);
        sum(&mut self.unreleased, other.unreleased);
        sum(&mut self.unreleased_bytes, other.unreleased_bytes);
        sum(&mut self.at_peak_bytes, other.at_peak_bytes);
        sum(&mut self.apparent_ns, other.apparent_ns);
        sum(&mut self.release_ns, other.release_ns);
        known(&mut self.first_touch_ns, other.first_touch_ns);
        known(&mut self.true_ns, other.true_ns);
        known(&mut self.minor_faults, other.minor_faults);
        known(&mut self.major_faults, other.major_faults);
        known(&mut self.touch_faults, other.touch_faults);
        known(&mut self.syscalls, other.syscalls);
        // Sites are estimated from different calls.
        let independent = |own: &mut Option<u64>, other: Option<u64>| {
            let both = own.zip(other).map(|(own, other)| root_of_squares(own, other));
            *own = both.or(*own).or(other);
        };
        independent(&mut self.calls_error, other.calls_error);
        independent(&mut self.bytes_error, other.bytes_error);
        independent(&mut self.first_touch_error_ns, other.first_touch_error_ns);
        independent(&mut self.true_error_ns, other.true_error_ns);
    }

    /// No costs, of sites in a recording that can have `seen` so much.
    #[must_use]
    pub fn none(seen: Seen) -> SiteCosts {
        let faults = (seen.faults && seen.allocations).then_some(0);
        SiteCosts {
            first_touch_ns: faults,
            true_ns: faults,
            minor_faults: faults,
            major_faults: faults,
            touch_faults: faults,
            syscalls: (seen.syscalls && seen.allocations).then_some(0),
            ..SiteCosts::default()
        }
    }

    /// The costs of all of `several`, in a recording that can have `seen` so much.
    pub fn sum<'a>(seen: Seen, several: impl IntoIterator<Item = &'a SiteCosts>) -> SiteCosts {
        let mut all = SiteCosts::none(seen);
        several.into_iter().for_each(|costs| all.add(costs));
        all
    }

    /// All faults, with a device and without.
    #[must_use]
    pub fn faults(&self) -> Option<u64> {
        Some(self.minor_faults?.saturating_add(self.major_faults?))
    }

    /// What is paid after the calls that asked: at first touch and at release.
    #[must_use]
    pub fn paid_later_ns(&self) -> u64 {
        self.first_touch_ns.unwrap_or(0).saturating_add(self.release_ns)
    }

    /// How far the true number of calls may be from `calls`, as a part of it, with 95 %; `None`: it
    /// is exact.
    #[must_use]
    pub fn calls_within(&self) -> Option<f64> {
        within(self.calls, self.calls_error)
    }

    /// The same of `bytes`.
    #[must_use]
    pub fn bytes_within(&self) -> Option<f64> {
        within(self.bytes, self.bytes_error)
    }

    /// The same of `true_ns`.
    #[must_use]
    pub fn true_within(&self) -> Option<f64> {
        within(self.true_ns?, self.true_error_ns)
    }

    /// `true_ns` as a multiple of `apparent_ns`.
    #[must_use]
    pub fn true_per_apparent(&self) -> Option<f64> {
        let true_ns = self.true_ns.filter(|_| self.apparent_ns > 0)?;
        Some(true_ns as f64 / self.apparent_ns as f64)
    }
}

/// Half the width of a 95 % interval of a normal distribution, in standard errors.
const HALF_OF_95: f64 = 1.96;

fn within(estimate: u64, error: Option<u64>) -> Option<f64> {
    let error = error.filter(|&error| error > 0 && estimate > 0)?;
    Some(HALF_OF_95 * error as f64 / estimate as f64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a root is not negative, and the cast saturates"
)]
fn root_of_squares(one: u64, other: u64) -> u64 {
    (one as f64).hypot(other as f64).round() as u64
}
