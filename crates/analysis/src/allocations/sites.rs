//! What each call site pays.

use events::{CallCounts, Thinning};

use super::frames::FrameId;
use super::number_map::NumberMap;
use super::thinned::times;

/// A site of an [`AllocationAccount`](super::AllocationAccount), by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(u32);

/// A call site: a stack from which memory was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Site {
    /// The innermost frame of its stack.
    pub stack: FrameId,
    /// Calls that ask for memory, failed ones included.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Its blocks that were given back, by a free or by a reallocation.
    pub frees: u64,
    /// The sum of the sizes that were given out, in bytes.
    pub bytes: u64,
    /// Its blocks that were live when their process ended, executed a program, or when the
    /// recording ended.
    pub unreleased: u64,
    /// Their sizes, in bytes.
    pub unreleased_bytes: u64,
    /// The most bytes that it had live at once.
    pub peak_bytes: u64,
    /// Its live bytes when all sites together had most.
    pub at_peak_bytes: u64,
    /// Time inside the allocating calls, less the faults on blocks in them.
    pub apparent: TimedCalls,
    /// Time inside the calls that only give its blocks back, less the faults on blocks in them.
    pub release: TimedCalls,
    /// Faults on its blocks.
    pub touches: FaultSums,
    /// Faults inside its calls that concern no block, such as the allocator's own data. Their time
    /// is part of `apparent` or `release`.
    pub inside: FaultSums,
    /// Memory syscalls inside its calls.
    pub syscalls: u64,
    /// The standard error of the time of `touches`, in nanoseconds; 0 where all blocks were
    /// followed.
    pub touches_error_ns: u64,
    live_bytes: u64,
    /// The number of the peak that `at_peak_bytes` belongs to.
    at_peak: u64,
}

impl Site {
    /// Faults that it pays for: on its blocks, and inside its calls.
    #[must_use]
    pub fn faults(&self) -> FaultSums {
        let mut all = self.touches;
        all.add_all(&self.inside);
        all
    }
}

/// Calls of which some are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimedCalls {
    /// All of them.
    pub calls: u64,
    /// Those that were timed.
    pub timed: u64,
    /// The sum of the times of those, in nanoseconds.
    pub timed_ns: u64,
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
        let (sum, timed) = (u128::from(mean_of.timed_ns), u128::from(mean_of.timed));
        u64::try_from(sum * u128::from(self.calls) / timed).unwrap_or(u64::MAX)
    }

    /// Adds a call that stands for `weight` of them; `None`: it was not timed.
    pub(super) fn add(&mut self, latency_ns: Option<u64>, weight: u64) {
        self.calls = self.calls.saturating_add(weight);
        if let Some(latency_ns) = latency_ns {
            self.timed = self.timed.saturating_add(weight);
            self.timed_ns = self.timed_ns.saturating_add(latency_ns.saturating_mul(weight));
        }
    }

    /// Adds the calls of `other`.
    pub(super) fn add_all(&mut self, other: &TimedCalls) {
        self.calls = self.calls.saturating_add(other.calls);
        self.timed = self.timed.saturating_add(other.timed);
        self.timed_ns = self.timed_ns.saturating_add(other.timed_ns);
    }
}

/// Faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultSums {
    /// Without a device.
    pub minor: u64,
    /// With pages read from a device.
    pub major: u64,
    /// The sum of their times, as far as they are known, in nanoseconds.
    pub ns: u64,
    /// Those of unknown time.
    pub untimed: u64,
}

impl FaultSums {
    /// All of them.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.minor.saturating_add(self.major)
    }

    /// Adds a fault that stands for `weight` of them.
    pub(super) fn add(&mut self, major: bool, latency_ns: Option<u64>, weight: u64) {
        let count = if major { &mut self.major } else { &mut self.minor };
        *count = count.saturating_add(weight);
        match latency_ns {
            Some(ns) => self.ns = self.ns.saturating_add(ns.saturating_mul(weight)),
            None => self.untimed = self.untimed.saturating_add(weight),
        }
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

/// The sites so far, and the live bytes of all of them.
#[derive(Debug, Default)]
pub(super) struct SiteTable {
    sites: Vec<Site>,
    by_stack: NumberMap<FrameId, SiteId>,
    live_bytes: u64,
    peak_bytes: u64,
    peak_ns: u64,
    /// The blocks that each one stands for, less one.
    others: u64,
    /// For each site, the time of faults on its blocks by groups of addresses, where that is
    /// estimated: the first sites, up to the last that has any.
    groups: Vec<[u64; Thinning::GROUPS]>,
    /// The number of the latest peak. A site whose live bytes change notes first what they were at
    /// that peak, so a peak costs the same however many sites there are.
    peak: u64,
}

impl SiteTable {
    /// The site with this stack.
    pub(super) fn of_stack(&mut self, stack: FrameId) -> SiteId {
        let next = SiteId(u32::try_from(self.sites.len()).unwrap_or(u32::MAX));
        let id = *self.by_stack.entry(stack).or_insert(next);
        if id == next {
            self.sites.push(Site { stack, ..Site::default() });
        }
        id
    }

    /// A site.
    pub(super) fn site(&mut self, id: SiteId) -> &mut Site {
        let last = self.sites.len().saturating_sub(1);
        &mut self.sites[last.min(id.0 as usize)]
    }

    /// A block of `size_bytes` of the site is live from `time_ns` on.
    pub(super) fn grow(&mut self, id: SiteId, size_bytes: u64, time_ns: u64) {
        let (peak, size_bytes) = (self.peak, size_bytes.saturating_mul(self.weight()));
        let site = self.site(id);
        site.note_peak(peak);
        site.live_bytes = site.live_bytes.saturating_add(size_bytes);
        site.peak_bytes = site.peak_bytes.max(site.live_bytes);
        self.live_bytes = self.live_bytes.saturating_add(size_bytes);
        if self.live_bytes > self.peak_bytes {
            (self.peak_bytes, self.peak_ns) = (self.live_bytes, time_ns);
            self.peak += 1;
        }
    }

    /// A block of `size_bytes` of the site is no longer live.
    pub(super) fn shrink(&mut self, id: SiteId, size_bytes: u64) {
        let (peak, size_bytes) = (self.peak, size_bytes.saturating_mul(self.weight()));
        let site = self.site(id);
        site.note_peak(peak);
        site.live_bytes = site.live_bytes.saturating_sub(size_bytes);
        self.live_bytes = self.live_bytes.saturating_sub(size_bytes);
    }

    /// The blocks that each one stands for.
    pub(super) fn weight(&self) -> u64 {
        self.others + 1
    }

    /// From now on each block stands for so many, at least one. No block may be live meanwhile.
    pub(super) fn set_weight(&mut self, weight: u64) {
        self.others = weight.saturating_sub(1);
    }

    /// A fault on a block of the site; with the group of the block, where that stands for others.
    pub(super) fn touch(
        &mut self,
        id: SiteId,
        major: bool,
        latency_ns: Option<u64>,
        group: Option<usize>,
    ) {
        let weight = self.weight();
        self.site(id).touches.add(major, latency_ns, weight);
        let Some(group) = group else { return };
        let place = id.0 as usize;
        if self.groups.len() <= place {
            self.groups.resize(place + 1, [0; Thinning::GROUPS]);
        }
        if let Some(sum) = self.groups[place].get_mut(group) {
            *sum = sum.saturating_add(latency_ns.unwrap_or(0).saturating_mul(weight));
        }
    }

    /// A memory syscall inside a call of the site.
    pub(super) fn count_syscall(&mut self, id: SiteId) {
        let weight = self.weight();
        let site = self.site(id);
        site.syscalls = site.syscalls.saturating_add(weight);
    }

    /// The standard error of the time of faults on blocks of all sites, in nanoseconds.
    pub(super) fn touches_error_ns(&self) -> u64 {
        let mut all = [0_u64; Thinning::GROUPS];
        for groups in &self.groups {
            let sums = all.iter_mut().zip(groups);
            sums.for_each(|(sum, group)| *sum = sum.saturating_add(*group));
        }
        standard_error(&all)
    }

    /// The most live bytes of all sites together, and when that was.
    pub(super) fn peak(&self) -> (u64, u64) {
        (self.peak_bytes, self.peak_ns)
    }

    /// All sites, by their numbers.
    pub(super) fn finish(mut self) -> Vec<Site> {
        let peak = self.peak;
        self.sites.iter_mut().for_each(|site| site.note_peak(peak));
        for (site, groups) in self.sites.iter_mut().zip(&self.groups) {
            site.touches_error_ns = standard_error(groups);
        }
        self.sites
    }
}

/// The standard error of a sum over addresses that were chosen by chance, from the sums of groups
/// that were chosen by chance as well (Wolter, Introduction to Variance Estimation, chapter 2:
/// random groups). It is that of a choice with replacement, so a little too large where many were
/// chosen.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a square root is not negative, and the cast saturates"
)]
fn standard_error(groups: &[u64; Thinning::GROUPS]) -> u64 {
    let count = groups.len() as f64;
    let mean = groups.iter().map(|&sum| sum as f64).sum::<f64>() / count;
    let squares: f64 = groups.iter().map(|&sum| (sum as f64 - mean).powi(2)).sum();
    (squares * count / (count - 1.0)).sqrt().round() as u64
}

impl Site {
    /// Adds calls that were counted.
    pub(super) fn count(&mut self, counts: &CallCounts) {
        self.calls = self.calls.saturating_add(counts.calls);
        self.failed = self.failed.saturating_add(counts.failed);
        self.bytes = self.bytes.saturating_add(counts.bytes);
        self.apparent.add_all(&times(counts));
    }

    /// Notes the live bytes at the latest peak, the one with the number `peak`, before they change.
    fn note_peak(&mut self, peak: u64) {
        if self.at_peak < peak {
            (self.at_peak, self.at_peak_bytes) = (peak, self.live_bytes);
        }
    }
}
