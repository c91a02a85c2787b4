//! All call sites, and what they pay together.

use events::{CallCounts, StackSampling, Thinning};

use super::figures::rounded;
use super::frames::FrameId;
use super::sampled::{Estimates, SampledAccount};
use super::site::{Charge, Site, SiteErrors};

/// A site of an [`AllocationAccount`](super::AllocationAccount), by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SiteId(u32);

impl SiteId {
    /// That of calls that were not chosen, where only some have their stack: which one it is, is
    /// not known.
    pub(super) const UNCHOSEN: SiteId = SiteId(u32::MAX);

    /// Its place among all sites; `None`: it is [`SiteId::UNCHOSEN`].
    #[inline]
    pub(super) fn index(self) -> Option<usize> {
        (self != SiteId::UNCHOSEN).then_some(self.0 as usize)
    }
}

/// Who pays: the site of a call, or of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payer {
    /// The site.
    pub(super) site: SiteId,
    /// The size of the block, or that the call asked for, in bytes: what it stands for may depend
    /// on it.
    pub(super) size_bytes: u64,
}

/// Sites by the innermost frames of their stacks.
#[derive(Debug, Default)]
struct SitesByStack {
    numbered: Vec<Option<SiteId>>,
    /// The site of [`FrameId::LEFT_OUT`], whose number is not that of a frame.
    left_out: Option<SiteId>,
}

impl SitesByStack {
    fn get(&self, stack: FrameId) -> Option<SiteId> {
        let numbered = self.numbered.get(stack.index()).copied().flatten();
        numbered.or(self.left_out.filter(|_| stack == FrameId::LEFT_OUT))
    }

    fn set(&mut self, stack: FrameId, site: SiteId) {
        if stack == FrameId::LEFT_OUT {
            self.left_out = Some(site);
            return;
        }
        if self.numbered.len() <= stack.index() {
            self.numbered.resize(stack.index() + 1, None);
        }
        self.numbered[stack.index()] = Some(site);
    }
}

/// The sites so far, and the live bytes of all of them.
#[derive(Debug, Default)]
pub(super) struct SiteTable {
    sites: Vec<Site>,
    /// Those of the allocator, and those that map memory.
    by_stack: [SitesByStack; 2],
    /// The live bytes of the allocator's blocks.
    live_bytes: u64,
    peak_bytes: u64,
    peak_ns: u64,
    /// The blocks that each one stands for, less one.
    others: u64,
    /// For each site, the time of faults on its blocks by groups of addresses, where that is
    /// estimated: the first sites, up to the last that has any.
    groups: Vec<[u64; Thinning::GROUPS]>,
    /// What sites pay, where only some calls have their stack.
    estimates: Option<Estimates>,
    /// The number of the latest peak. A site whose live bytes change notes first what they were at
    /// that peak, so a peak costs the same however many sites there are.
    peak: u64,
}

impl SiteTable {
    /// Only some calls have their stack.
    pub(super) fn sample(&mut self, sampling: StackSampling) {
        self.estimates = Some(Estimates::new(sampling));
    }

    /// Whether only some calls have their stack.
    pub(super) fn is_sampled(&self) -> bool {
        self.estimates.is_some()
    }

    /// Whether the blocks of a site stand for others by their size.
    pub(super) fn is_estimated(&self, id: SiteId) -> bool {
        self.is_sampled() && id != SiteId::UNCHOSEN && !self.maps(id)
    }

    /// Whether a site maps memory itself.
    pub(super) fn maps(&self, id: SiteId) -> bool {
        let site = self.place(id).and_then(|place| self.sites.get(place));
        site.is_some_and(|site| site.maps)
    }

    /// The site with this stack; `maps`: that of its calls that map memory.
    pub(super) fn of_stack(&mut self, stack: FrameId, maps: bool) -> SiteId {
        match self.by_stack[usize::from(maps)].get(stack) {
            Some(site) => site,
            None => self.add(stack, maps),
        }
    }

    #[cold]
    fn add(&mut self, stack: FrameId, maps: bool) -> SiteId {
        let site = SiteId(u32::try_from(self.sites.len()).unwrap_or(u32::MAX));
        self.sites.push(Site::new(stack, maps));
        self.by_stack[usize::from(maps)].set(stack, site);
        site
    }

    /// The place of a site; `None`: it is that of calls that were not chosen.
    fn place(&self, id: SiteId) -> Option<usize> {
        let last = self.sites.len().saturating_sub(1);
        id.index().map(|index| last.min(index))
    }

    /// A site; `None`: it is that of calls that were not chosen.
    fn site(&mut self, id: SiteId) -> Option<&mut Site> {
        let place = self.place(id)?;
        self.sites.get_mut(place)
    }

    /// The payer pays for `charge`.
    pub(super) fn pay(&mut self, payer: Payer, charge: Charge) {
        let (place, weight) = (self.place(payer.site), self.weight());
        let site = place.and_then(|place| self.sites.get_mut(place));
        match (site, &mut self.estimates) {
            (Some(site), _) if site.maps => site.pay(charge, 1),
            (_, Some(estimates)) => estimates.pay(place, payer.size_bytes, charge),
            (Some(site), None) => site.pay(charge, weight),
            (None, None) => {}
        }
    }

    /// The payer's block is live from `time_ns` on.
    pub(super) fn grow(&mut self, Payer { site, size_bytes }: Payer, time_ns: u64) {
        let (place, weight, peak) = (self.place(site), self.weight(), self.peak);
        if let Some(estimates) = &mut self.estimates {
            estimates.grow(place, size_bytes, peak);
        } else if let Some(site) = self.site(site) {
            site.grow(size_bytes, weight, peak);
        }
        self.live_bytes = self.live_bytes.saturating_add(size_bytes.saturating_mul(weight));
        if self.live_bytes > self.peak_bytes {
            (self.peak_bytes, self.peak_ns) = (self.live_bytes, time_ns);
            self.peak += 1;
        }
    }

    /// The payer's block is no longer live.
    pub(super) fn shrink(&mut self, Payer { site, size_bytes }: Payer) {
        let (place, weight, peak) = (self.place(site), self.weight(), self.peak);
        if let Some(estimates) = &mut self.estimates {
            estimates.shrink(place, size_bytes, peak);
        } else if let Some(site) = self.site(site) {
            site.shrink(size_bytes, weight, peak);
        }
        self.live_bytes = self.live_bytes.saturating_sub(size_bytes.saturating_mul(weight));
    }

    /// The blocks that each one stands for, where that does not depend on their size.
    pub(super) fn weight(&self) -> u64 {
        self.others + 1
    }

    /// The blocks that each one of a site stands for, where that does not depend on their size.
    pub(super) fn weight_of(&self, id: SiteId) -> u64 {
        if self.others == 0 || self.maps(id) { 1 } else { self.weight() }
    }

    /// So many bytes of mappings are more, or less, of a site that maps memory.
    pub(super) fn remap(&mut self, id: SiteId, grown_bytes: u64, shrunk_bytes: u64) {
        let peak = self.peak;
        if let Some(site) = self.site(id) {
            site.shrink(shrunk_bytes, 1, peak);
            site.grow(grown_bytes, 1, peak);
        }
    }

    /// From now on each block stands for so many, at least one. No block may be live meanwhile.
    pub(super) fn set_weight(&mut self, weight: u64) {
        self.others = weight.saturating_sub(1);
    }

    /// The time of a fault on a block of a site, with the group of the block, where that stands for
    /// others.
    pub(super) fn group(&mut self, id: SiteId, latency_ns: Option<u64>, group: Option<usize>) {
        let Some((place, group)) = self.place(id).zip(group) else { return };
        let weight = self.weight();
        if self.groups.len() <= place {
            self.groups.resize(place + 1, [0; Thinning::GROUPS]);
        }
        if let Some(sum) = self.groups[place].get_mut(group) {
            *sum = sum.saturating_add(latency_ns.unwrap_or(0).saturating_mul(weight));
        }
    }

    /// Of the time of faults on the payer's block, so much is new, and so much was there before.
    pub(super) fn vary(&mut self, payer: Payer, new_ns: u64, before_ns: u64) {
        let place = self.place(payer.site);
        if let (Some(estimates), Some(place)) = (&mut self.estimates, place) {
            estimates.vary(place, payer.size_bytes, new_ns, before_ns);
        }
    }

    /// Adds calls that were counted.
    pub(super) fn count(&mut self, id: SiteId, counts: &CallCounts) {
        if let Some(site) = self.site(id) {
            site.count(counts);
        }
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

    /// The live bytes of all sites together.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// The most live bytes of all sites together, and when that was.
    pub(super) fn peak(&self) -> (u64, u64) {
        (self.peak_bytes, self.peak_ns)
    }

    /// All sites, by their numbers, and what is known beside estimates of them.
    pub(super) fn finish(mut self) -> (Vec<Site>, Option<SampledAccount>) {
        let peak = self.peak;
        self.sites.iter_mut().for_each(|site| site.note_peak(peak));
        for (site, groups) in self.sites.iter_mut().zip(&self.groups) {
            site.errors =
                SiteErrors { touches_ns: standard_error(groups), ..SiteErrors::default() };
        }
        let sampled = self.estimates.map(|estimates| estimates.finish(&mut self.sites, peak));
        (self.sites, sampled)
    }
}

/// The standard error of a sum over addresses that were chosen by chance, from the sums of groups
/// that were chosen by chance as well (Wolter, Introduction to Variance Estimation, chapter 2:
/// random groups). It is that of a choice with replacement, so a little too large where many were
/// chosen.
fn standard_error(groups: &[u64; Thinning::GROUPS]) -> u64 {
    let count = groups.len() as f64;
    let mean = groups.iter().map(|&sum| sum as f64).sum::<f64>() / count;
    let squares: f64 = groups.iter().map(|&sum| (sum as f64 - mean).powi(2)).sum();
    rounded((squares * count / (count - 1.0)).sqrt())
}
