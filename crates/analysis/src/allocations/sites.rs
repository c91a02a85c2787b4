//! What each call site pays.

use super::frames::FrameId;
use super::number_map::NumberMap;

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

    /// Adds a call; `None`: it was not timed.
    pub(super) fn add(&mut self, latency_ns: Option<u64>) {
        self.calls += 1;
        if let Some(latency_ns) = latency_ns {
            self.timed += 1;
            self.timed_ns = self.timed_ns.saturating_add(latency_ns);
        }
    }

    /// Adds the calls of `other`.
    pub(super) fn add_all(&mut self, other: &TimedCalls) {
        self.calls += other.calls;
        self.timed += other.timed;
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
        self.minor + self.major
    }

    pub(super) fn add(&mut self, major: bool, latency_ns: Option<u64>) {
        if major {
            self.major += 1;
        } else {
            self.minor += 1;
        }
        match latency_ns {
            Some(latency_ns) => self.ns = self.ns.saturating_add(latency_ns),
            None => self.untimed += 1,
        }
    }

    pub(super) fn add_all(&mut self, other: &FaultSums) {
        self.minor += other.minor;
        self.major += other.major;
        self.ns = self.ns.saturating_add(other.ns);
        self.untimed += other.untimed;
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
        let peak = self.peak;
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
        let peak = self.peak;
        let site = self.site(id);
        site.note_peak(peak);
        site.live_bytes = site.live_bytes.saturating_sub(size_bytes);
        self.live_bytes = self.live_bytes.saturating_sub(size_bytes);
    }

    /// The most live bytes of all sites together, and when that was.
    pub(super) fn peak(&self) -> (u64, u64) {
        (self.peak_bytes, self.peak_ns)
    }

    /// All sites, by their numbers.
    pub(super) fn finish(mut self) -> Vec<Site> {
        let peak = self.peak;
        self.sites.iter_mut().for_each(|site| site.note_peak(peak));
        self.sites
    }
}

impl Site {
    /// Notes the live bytes at the latest peak, the one with the number `peak`, before they change.
    fn note_peak(&mut self, peak: u64) {
        if self.at_peak < peak {
            (self.at_peak, self.at_peak_bytes) = (peak, self.live_bytes);
        }
    }
}
