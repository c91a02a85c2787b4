//! Who holds the mappings of a process: the call sites that reserved memory, and kinds of memory
//! that no call site reserved.

use std::collections::BTreeMap;

use events::MappingKind;

use super::regions::MappedRegion;

/// Who reserved a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MappingHolder {
    /// A call site, by the number that it was given.
    Site(u32),
    /// Memory without a file that no known call site reserved: the program itself did.
    Program,
    /// Files: programs and libraries with their data, and others.
    Files,
    /// The stack of the first thread.
    Stack,
    /// What the kernel adds, and what is not known.
    Other,
}

impl MappingHolder {
    /// Who holds a part of `region` that the call site with the number `site` reserved, if any did.
    fn of(region: &MappedRegion, site: Option<u32>) -> MappingHolder {
        match region.kind {
            MappingKind::PrivateFile | MappingKind::SharedFile => MappingHolder::Files,
            MappingKind::Stack => MappingHolder::Stack,
            MappingKind::Kernel | MappingKind::Other => MappingHolder::Other,
            _ => site.map_or(MappingHolder::Program, MappingHolder::Site),
        }
    }
}

/// The figures of a process that have a peak each, and of each holder at those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldSizes {
    /// Bytes of addresses.
    pub bytes: u64,
    /// Bytes that the kernel has committed memory for.
    pub accounted_bytes: u64,
    /// Mappings, each held by the holder of its first byte.
    pub mappings: u64,
}

impl HeldSizes {
    pub(super) fn figures(&self) -> [u64; 3] {
        [self.bytes, self.accounted_bytes, self.mappings]
    }

    pub(super) fn of(figures: [u64; 3]) -> HeldSizes {
        let [bytes, accounted_bytes, mappings] = figures;
        HeldSizes { bytes, accounted_bytes, mappings }
    }
}

/// The sizes of a holder now, and each at the latest peak of its figure of the process.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    now: [u64; 3],
    at_peak: [u64; 3],
    /// The numbers of the peaks that `at_peak` belongs to.
    peaks: [u64; 3],
}

impl Held {
    fn note_peaks(&mut self, peaks: [u64; 3]) {
        for (figure, peak) in peaks.into_iter().enumerate() {
            if self.peaks[figure] < peak {
                (self.peaks[figure], self.at_peak[figure]) = (peak, self.now[figure]);
            }
        }
    }
}

/// The holders of a process: which site reserved which addresses, and sums.
#[derive(Debug, Clone, Default)]
pub(super) struct Holders {
    /// Ranges that a call site reserved: by start, the end and the site.
    sites: BTreeMap<u64, (u64, u32)>,
    held: BTreeMap<MappingHolder, Held>,
    all: [u64; 3],
    /// The largest figures so far.
    most: [u64; 3],
    /// The numbers of the latest peaks.
    peaks: [u64; 3],
}

impl Holders {
    /// The sizes now.
    pub(super) fn sizes(&self) -> HeldSizes {
        HeldSizes::of(self.all)
    }

    /// Which of the figures are larger than ever.
    pub(super) fn are_peaks(&self) -> [bool; 3] {
        [0, 1, 2].map(|figure| self.all[figure] > self.most[figure])
    }

    /// These sizes are the largest so far, where they are.
    pub(super) fn note_peaks(&mut self) {
        for figure in 0..self.all.len() {
            if self.all[figure] > self.most[figure] {
                self.most[figure] = self.all[figure];
                self.peaks[figure] += 1;
            }
        }
    }

    /// What each holder had at the peak of each figure. Those at which it had nothing are 0.
    pub(super) fn at_peaks(&self) -> Vec<(MappingHolder, HeldSizes)> {
        let at_peak = |(&holder, held): (&MappingHolder, &Held)| {
            let mut held = *held;
            held.note_peaks(self.peaks);
            (holder, HeldSizes::of(held.at_peak))
        };
        self.held.iter().map(at_peak).filter(|(_, sizes)| *sizes != HeldSizes::default()).collect()
    }

    /// The addresses from `start` to `end` are reserved by `site`, if that is known.
    pub(super) fn reserve(&mut self, start: u64, end: u64, site: Option<u32>) {
        self.release(start, end);
        if let Some(site) = site.filter(|_| start < end) {
            let mut range = (start, end);
            let before = self.sites.range(..start).next_back();
            if let Some((&from, _)) = before.filter(|(_, own)| **own == (start, site)) {
                range.0 = from;
            }
            if let Some(&(to, _)) = self.sites.get(&end).filter(|(_, own)| *own == site) {
                self.sites.remove(&end);
                range.1 = to;
            }
            self.sites.insert(range.0, (range.1, site));
        }
    }

    /// No site holds the addresses from `start` to `end`.
    pub(super) fn release(&mut self, start: u64, end: u64) {
        if start >= end || self.sites.is_empty() {
            return;
        }
        let before = self.sites.range(..start).next_back().map(|(&from, &own)| (from, own));
        if let Some((from, (to, site))) = before.filter(|(_, (to, _))| *to > start) {
            self.sites.insert(from, (start, site));
            if to > end {
                self.sites.insert(end, (to, site));
            }
        }
        while let Some((&from, &(to, site))) = self.sites.range(start..end).next() {
            self.sites.remove(&from);
            if to > end {
                self.sites.insert(end, (to, site));
            }
        }
    }

    /// The parts of `start..end` in their order, with the site that reserved each.
    fn parts(&self, start: u64, end: u64) -> Vec<(u64, u64, Option<u32>)> {
        let before = self.sites.range(..start).next_back().filter(|(_, (to, _))| *to > start);
        let mut parts = Vec::new();
        let mut at = start;
        for (&from, &(to, site)) in before.into_iter().chain(self.sites.range(start..end)) {
            if at < from {
                parts.push((at, from, None));
            }
            let to = to.min(end);
            parts.push((from.max(start), to, Some(site)));
            at = to;
        }
        if at < end {
            parts.push((at, end, None));
        }
        parts
    }

    /// The sizes of `part` of the address space come, or go.
    pub(super) fn resize(&mut self, part: &MappedRegion, comes: bool) {
        if is_uncounted(part) {
            return;
        }
        for (start, end, site) in self.parts(part.start, part.end) {
            let bytes = end - start;
            let accounted = if part.vma.accounted { bytes } else { 0 };
            self.change(MappingHolder::of(part, site), [bytes, accounted, 0], comes);
        }
    }

    /// The mapping `whole` comes, or goes.
    pub(super) fn count(&mut self, whole: &MappedRegion, comes: bool) {
        if is_uncounted(whole) {
            return;
        }
        let before = self.sites.range(..=whole.start).next_back();
        let site = before.filter(|(_, (to, _))| *to > whole.start).map(|(_, (_, site))| *site);
        self.change(MappingHolder::of(whole, site), [0, 0, 1], comes);
    }

    fn change(&mut self, holder: MappingHolder, by: [u64; 3], comes: bool) {
        let held = self.held.entry(holder).or_default();
        held.note_peaks(self.peaks);
        for (figure, by) in by.into_iter().enumerate() {
            for sum in [&mut held.now[figure], &mut self.all[figure]] {
                *sum = if comes { sum.saturating_add(by) } else { sum.saturating_sub(by) };
            }
        }
    }
}

/// Whether the kernel does not count a mapping: that of vsyscall, above all others.
fn is_uncounted(region: &MappedRegion) -> bool {
    region.start >> 63 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(start: u64, end: u64) -> MappedRegion {
        MappedRegion::new(start, end, MappingKind::Anonymous, 3).accounted()
    }

    fn held(holders: &Holders, holder: MappingHolder) -> HeldSizes {
        holders
            .at_peaks()
            .into_iter()
            .find(|(own, _)| *own == holder)
            .map_or_else(HeldSizes::default, |(_, sizes)| sizes)
    }

    #[test]
    fn ranges_belong_to_the_last_site_that_reserved_them() {
        let mut holders = Holders::default();
        holders.reserve(0, 100, Some(1));
        holders.reserve(100, 200, Some(1));
        assert_eq!(holders.parts(0, 300), [(0, 200, Some(1)), (200, 300, None)]);
        holders.reserve(50, 60, Some(2));
        holders.release(150, 170);
        let parts = [
            (10, 50, Some(1)),
            (50, 60, Some(2)),
            (60, 150, Some(1)),
            (150, 170, None),
            (170, 180, Some(1)),
        ];
        assert_eq!(holders.parts(10, 180), parts);
        holders.reserve(0, 200, None);
        assert_eq!(holders.parts(0, 200), [(0, 200, None)]);
    }

    #[test]
    fn a_holder_keeps_what_it_had_at_the_peak_of_each_figure() {
        let mut holders = Holders::default();
        holders.reserve(0, 4096, Some(7));
        holders.resize(&memory(0, 8192), true);
        holders.count(&memory(0, 8192), true);
        assert_eq!(holders.are_peaks(), [true; 3]);
        holders.note_peaks();
        holders.resize(&memory(0, 8192), false);
        holders.resize(&memory(4096, 8192), true);
        assert_eq!(holders.are_peaks(), [false; 3]);
        let expected = HeldSizes { bytes: 4096, accounted_bytes: 4096, mappings: 1 };
        assert_eq!(held(&holders, MappingHolder::Site(7)), expected);
        let program = HeldSizes { mappings: 0, ..expected };
        assert_eq!(held(&holders, MappingHolder::Program), program);
        assert_eq!(holders.sizes(), HeldSizes { bytes: 4096, accounted_bytes: 4096, mappings: 1 });
    }
}
