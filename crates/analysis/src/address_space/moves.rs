//! mremap(2). It concerns one mapping, except for a move to a fixed address without a change of the
//! size: since Linux 6.17 the kernel moves all mappings of the range, one after the other
//! (`remap_move` of mm/mremap.c). What lies opposite a hole stays as it was, and if a mapping
//! cannot be moved, those before it have been. Earlier such a call unmapped its target and failed.

use std::ops::Range;
use std::sync::Arc;

use events::MappingKind;

use super::AddressSpace;
use super::regions::{ACCESSIBLE, MappedRegion};

const MREMAP_FIXED: u64 = 2;
const MREMAP_DONTUNMAP: u64 = 4;

impl AddressSpace {
    /// Applies a successful mremap(2) to `to`, which began at `time_ns`, and whose addresses the
    /// program gets at `born_ns`.
    pub(super) fn mremap(&mut self, arguments: &[u64; 6], to: u64, time_ns: u64, born_ns: u64) {
        let [from, old, new, flags, ..] = *arguments;
        let (old, new) = (self.page_end(old), self.page_end(new));
        let (from_end, to_end) = (from.saturating_add(old), to.saturating_add(new));
        if old == 0 {
            // A second mapping of shared memory.
            if let Some(twin) = self.at(from).map(|region| region.part(from, u64::MAX)) {
                self.put(MappedRegion { start: to, end: to_end, ..twin }, born_ns);
            }
            return;
        }
        let last = from_end.checked_sub(1).and_then(|last| self.at(last));
        if to == from {
            self.unmap(to_end, from_end, time_ns);
        } else if old == new && flags & MREMAP_FIXED != 0 {
            self.relocate_each(from..from_end, to, time_ns, born_ns);
        } else {
            let moved = from..from.saturating_add(old.min(new));
            self.relocate(moved, to..to_end, time_ns, born_ns);
        }
        // It grows before the old place goes: page tables that serve both stay.
        if let Some(last) = last.filter(|_| old < new) {
            let at_end = last.part(from_end - 1, from_end).offset_bytes;
            let offset_bytes = at_end.wrapping_add(u64::from(last.has_offset()));
            let grown = last.moved(to.wrapping_sub(from), to.saturating_add(old), to_end);
            self.put(MappedRegion { offset_bytes, ..grown }, born_ns);
        }
        if to != from && flags & MREMAP_DONTUNMAP == 0 {
            self.unmap(from, from_end, time_ns);
        }
    }

    /// Moves what is mapped in `from` to the same distances from `to`.
    fn relocate_each(&mut self, from: Range<u64>, to: u64, time_ns: u64, born_ns: u64) {
        let target = |address: u64| to.saturating_add(address - from.start);
        for range in self.regions.ever_mapped(from.start, from.end, time_ns) {
            let mut at = range.start;
            for part in self.regions.known(range.start, range.end, time_ns) {
                if part.perhaps {
                    let (start, end) = (target(part.start), target(part.end));
                    self.relocate(at..part.start, target(at)..start, time_ns, born_ns);
                    self.perhaps_replace(MappedRegion { start, end, ..part });
                    at = part.end;
                }
            }
            self.relocate(at..range.end, target(at)..target(range.end), time_ns, born_ns);
        }
    }

    /// Moves the regions in `from` to the start of `to`, with their touched pages.
    fn relocate(&mut self, from: Range<u64>, to: Range<u64>, time_ns: u64, born_ns: u64) {
        if from.is_empty() {
            return;
        }
        self.settle_moves_from(to.start, to.end);
        let parts = self.regions.known(from.start, from.end, time_ns);
        self.unmap(to.start, to.end, u64::MAX);
        let (first, end, target) =
            (self.page(from.start), self.page(from.end), self.page(to.start));
        for pages in self.sets() {
            if pages.reaches_into(first, end) {
                Arc::make_mut(pages).move_range(first, end, target);
            }
        }
        self.layers.note_move(&(first..end));
        // Where the old addresses had been given out again before this call was seen, it is not
        // known what was moved.
        let unknown = MappedRegion::new(to.start, to.end, MappingKind::Other, ACCESSIBLE);
        self.move_tables(from.start, from.end, to.start);
        let distance = to.start.wrapping_sub(from.start);
        let regions = self.regions_mut();
        regions.put(unknown, born_ns);
        for part in parts {
            let start = to.start.saturating_add(part.start - from.start);
            let end = start.saturating_add(part.end - part.start);
            regions.replace(MappedRegion { perhaps: false, ..part.moved(distance, start, end) });
        }
    }

    /// Applies an mremap(2) that failed, and began at `time_ns`. If it was to move several
    /// mappings, it may have moved any of them but the last. Which, is not known, so neither is
    /// what lies at their target. The source is as it was, or gone.
    pub(super) fn mremap_failed(&mut self, arguments: &[u64; 6], time_ns: u64) {
        let [from, old, new, flags, to, _] = *arguments;
        let (old, new) = (self.page_end(old), self.page_end(new));
        let (from_end, to_end) = (from.saturating_add(old), to.saturating_add(new));
        let is_aligned = self.page_end(from) == from && self.page_end(to) == to;
        let overlaps = from < to_end && to < from_end;
        if flags & MREMAP_FIXED == 0 || old != new || !is_aligned || overlaps {
            return;
        }
        let mut parts = self.regions.known(from, from_end, time_ns);
        // With a hole at its beginning, the kernel moves nothing.
        if parts.first().is_none_or(|first| first.start != from) {
            return;
        }
        parts.pop();
        for part in parts {
            let start = to.saturating_add(part.start - from);
            let end = start.saturating_add(part.end - part.start);
            self.perhaps_replace(MappedRegion { start, end, ..part });
            if flags & MREMAP_DONTUNMAP == 0 {
                self.regions_mut().replace(MappedRegion { perhaps: true, ..part });
            }
        }
    }

    /// `region` may have taken the place of what was there before.
    fn perhaps_replace(&mut self, region: MappedRegion) {
        let before = self.regions.parts(region.start, region.end);
        let regions = self.regions_mut();
        // Where nothing was before, nothing else can fault.
        regions.replace(MappedRegion { perhaps: true, ..region });
        for old in before {
            let same = region.part(old.start, old.end);
            let unknown = MappedRegion {
                perhaps: old.perhaps,
                ..MappedRegion::new(old.start, old.end, MappingKind::Other, ACCESSIBLE)
            };
            regions.replace(if old == same { old } else { unknown });
        }
    }
}
