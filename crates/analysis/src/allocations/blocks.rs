//! The blocks of an address space, found by address. No two overlap.
//!
//! A table has each block by its address. Which blocks are near an address is known apart from it,
//! so that calls do not pay for what only faults need: nearly all blocks are small, and these are
//! two bits and more on their page; the few others are kept in order.

mod near;
mod page;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

use super::number_map::NumberMap;
use super::sites::{Payer, SiteId};
use near::NearHasher;
use page::{GRANULE_BYTES, GRANULES, PAGE_BYTES, PageBits};

/// So many pages are kept although they have no block: most get one again.
const EMPTY_PAGES_MIN: usize = 1024;

/// A block that was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LiveBlock {
    /// The size that was asked for, in bytes.
    pub(super) size_bytes: u64,
    /// When it was given out, on the stream's clock.
    pub(super) born_ns: u64,
    /// The site that asked.
    pub(super) site: SiteId,
    /// The number of the process that asked; the child of a fork inherits blocks of others.
    pub(super) owner: u32,
    /// The thread that asked.
    pub(super) tid: u32,
}

impl LiveBlock {
    /// Who pays for it.
    pub(super) fn payer(&self) -> Payer {
        Payer { site: self.site, size_bytes: self.size_bytes }
    }
}

/// Blocks by their addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockMap {
    blocks: HashMap<u64, LiveBlock, BuildHasherDefault<NearHasher>>,
    /// Pages with small blocks.
    pages: NumberMap<u64, PageBits>,
    /// The same pages in order.
    order: BTreeSet<u64>,
    /// The other blocks: their beginnings and ends.
    others: BTreeMap<u64, u64>,
    /// At so many pages the empty ones go.
    pages_max: usize,
}

/// The range of a block, which has at least one byte.
#[derive(Debug, Clone, Copy)]
struct Extent {
    start: u64,
    end: u64,
}

impl Extent {
    fn new(start: u64, size_bytes: u64) -> Extent {
        Extent { start, end: end_of(start, size_bytes).max(1) }
    }

    fn is_small(self) -> bool {
        let Extent { start, end } = self;
        end - start < PAGE_BYTES && start.is_multiple_of(GRANULE_BYTES) && end < u64::MAX / 2
    }

    /// The first and the last page with a byte of it.
    fn pages(self) -> (u64, u64) {
        (self.start / PAGE_BYTES, (self.end - 1) / PAGE_BYTES)
    }

    /// Its granules on a page.
    #[inline]
    fn granules(self, page: u64) -> (u64, u64) {
        let from = page * PAGE_BYTES;
        let first = self.start.saturating_sub(from) / GRANULE_BYTES;
        let end = (self.end - from).div_ceil(GRANULE_BYTES).min(GRANULES);
        (first, end)
    }
}

impl BlockMap {
    #[cold]
    fn make_page(&mut self, page: u64) -> &mut PageBits {
        if self.pages.len() >= self.pages_max {
            self.pages.retain(|_, bits| !bits.is_empty());
            self.order.retain(|page| self.pages.contains_key(page));
            self.pages_max = EMPTY_PAGES_MIN.max(2 * self.pages.len());
        }
        let start = page * PAGE_BYTES;
        let other = self.other_in(start, start + PAGE_BYTES);
        self.order.insert(page);
        self.pages.entry(page).or_insert(PageBits::new(other.is_some()))
    }

    /// The beginning of the last block of another kind that has a byte of a range.
    fn other_in(&self, from: u64, end: u64) -> Option<u64> {
        let (&start, &its_end) = self.others.range(..end).next_back()?;
        (its_end > from).then_some(start)
    }

    /// Adds `block` at `address`. The caller has removed those that it overlaps.
    #[inline]
    pub(super) fn insert(&mut self, address: u64, block: LiveBlock) {
        self.blocks.insert(address, block);
        let extent = Extent::new(address, block.size_bytes);
        let (first, last) = extent.pages();
        if extent.is_small() {
            for page in first..=last {
                let (granule, end) = extent.granules(page);
                match self.pages.get_mut(&page) {
                    Some(bits) => bits.cover(granule, end, page == first),
                    None => self.make_page(page).cover(granule, end, page == first),
                }
            }
            return;
        }
        self.others.insert(address, extent.end);
        let reached: Vec<u64> = self.order.range(first..=last).copied().collect();
        for page in reached {
            if let Some(bits) = self.pages.get_mut(&page) {
                bits.may_have_others = true;
            }
        }
    }

    /// Adds `block` at `address` if it is small, on one page, and nothing is there: so are nearly
    /// all, and this looks their page up once. Returns whether it did.
    #[inline]
    pub(super) fn insert_alone(&mut self, address: u64, block: LiveBlock) -> bool {
        let extent = Extent::new(address, block.size_bytes);
        let (page, last) = extent.pages();
        if page != last || !extent.is_small() {
            return false;
        }
        let Some(bits) = self.pages.get_mut(&page) else { return false };
        let (first, end) = extent.granules(page);
        if bits.may_have_others || bits.first_covered(first, end).is_some() {
            return false;
        }
        bits.cover(first, end, true);
        self.blocks.insert(address, block);
        true
    }

    /// Removes the block at `address`.
    #[inline]
    pub(super) fn remove(&mut self, address: u64) -> Option<LiveBlock> {
        let block = self.blocks.remove(&address)?;
        let extent = Extent::new(address, block.size_bytes);
        if extent.is_small() {
            let (first, last) = extent.pages();
            for page in first..=last {
                let (granule, end) = extent.granules(page);
                if let Some(bits) = self.pages.get_mut(&page) {
                    bits.uncover(granule, end);
                }
            }
        } else {
            self.others.remove(&address);
        }
        Some(block)
    }

    /// Removes all blocks but those at addresses of which `stays` holds.
    pub(super) fn retain(&mut self, stays: impl Fn(u64) -> bool) {
        let gone: Vec<u64> = self.blocks.keys().copied().filter(|&at| !stays(at)).collect();
        for address in gone {
            self.remove(address);
        }
    }

    /// Whether a block begins at `address`.
    pub(super) fn has(&self, address: u64) -> bool {
        self.blocks.contains_key(&address)
    }

    /// The address of a block that overlaps `size_bytes` bytes from `address`, if any does.
    #[inline]
    pub(super) fn overlapping(&self, address: u64, size_bytes: u64) -> Option<u64> {
        let extent = Extent::new(address, size_bytes);
        let (first, last) = extent.pages();
        if last - first > 1 {
            let other = self.other_in(extent.start, extent.end);
            return other.or_else(|| {
                let mut pages = self.order.range(first..=last);
                pages.find_map(|page| self.small_on(*page, self.pages.get(page)?, extent))
            });
        }
        (first..=last).find_map(|page| match self.pages.get(&page) {
            Some(bits) if bits.may_have_others => {
                let small = self.small_on(page, bits, extent);
                small.or_else(|| self.other_in(extent.start, extent.end))
            }
            Some(bits) => self.small_on(page, bits, extent),
            None => self.other_in(extent.start, extent.end),
        })
    }

    /// The address of a small block with a byte of `extent` on `page`.
    #[inline]
    fn small_on(&self, page: u64, bits: &PageBits, extent: Extent) -> Option<u64> {
        let (first, end) = extent.granules(page);
        let granule = bits.first_covered(first, end)?;
        // The last granule of a block may be covered in part, and not where another begins.
        let found = self.small_with(page, granule)?;
        let found_end = end_of(found, self.blocks.get(&found)?.size_bytes);
        if found_end > extent.start {
            return (found < extent.end).then_some(found);
        }
        let granule = bits.first_covered(granule + 1, end)?;
        self.small_with(page, granule).filter(|&next| next < extent.end)
    }

    /// The beginning of the small block that has a granule of a page, which is covered.
    fn small_with(&self, page: u64, granule: u64) -> Option<u64> {
        let before = |page: u64, granule: u64| {
            let start = self.pages.get(&page)?.last_start(granule)?;
            Some(page * PAGE_BYTES + start * GRANULE_BYTES)
        };
        before(page, granule).or_else(|| before(page.checked_sub(1)?, GRANULES - 1))
    }

    fn at(&self, address: u64) -> Option<(u64, LiveBlock)> {
        self.blocks.get(&address).map(|&block| (address, block))
    }

    /// The block with `address`.
    fn containing(&self, address: u64) -> Option<(u64, LiveBlock)> {
        let other = || self.other_in(address, address.saturating_add(1));
        let page = address / PAGE_BYTES;
        let Some(bits) = self.pages.get(&page) else { return other().and_then(|at| self.at(at)) };
        let small = self.small_on(page, bits, Extent::new(address, 1));
        let other = || if bits.may_have_others { other() } else { None };
        small.or_else(other).and_then(|at| self.at(at))
    }

    /// The first block that begins in a range.
    fn first_between(&self, from: u64, end: u64) -> Option<(u64, LiveBlock)> {
        if from >= end {
            return None;
        }
        let small_on = |page: u64, bits: &PageBits| {
            let first = from.saturating_sub(page * PAGE_BYTES).div_ceil(GRANULE_BYTES);
            let start = if first < GRANULES { bits.first_start(first) } else { None };
            start.map(|start| page * PAGE_BYTES + start * GRANULE_BYTES)
        };
        let (page, last) = (from / PAGE_BYTES, (end - 1) / PAGE_BYTES);
        let (small, others) = if page < last {
            let mut pages = self.order.range(page..=last);
            (pages.find_map(|page| small_on(*page, self.pages.get(page)?)), true)
        } else {
            // One page, as of most faults: nothing has to be searched in order.
            let bits = self.pages.get(&page);
            let small = bits.and_then(|bits| small_on(page, bits));
            (small, bits.is_none_or(|bits| bits.may_have_others))
        };
        let small = small.filter(|at| *at < end);
        let mut others = others.then(|| self.others.range(from..end)).into_iter().flatten();
        let other = others.next().map(|(&at, _)| at);
        small.into_iter().chain(other).min().and_then(|at| self.at(at))
    }

    /// The block that pays for a fault at `address` on the page up to `page_end`: the one with the
    /// address, or else the nearest above it that begins on the page, whose header the address may
    /// be in.
    pub(super) fn paying(&self, address: u64, page_end: u64) -> Option<(u64, LiveBlock)> {
        let next = address.saturating_add(1);
        self.containing(address).or_else(|| self.first_between(next, page_end.max(next)))
    }

    /// The blocks that have a byte from `from` to `end`, with the number of these bytes.
    pub(super) fn between(&self, from: u64, end: u64) -> Vec<(u64, LiveBlock, u64)> {
        let mut found = Vec::new();
        let page = from / PAGE_BYTES;
        let bits = self.pages.get(&page).filter(|bits| !bits.may_have_others);
        if let Some(bits) = bits.filter(|_| from < end && (end - 1) / PAGE_BYTES == page) {
            let mut add = |at: u64, block: LiveBlock| {
                found.push((at, block, end_of(at, block.size_bytes).min(end) - at.max(from)));
            };
            if let Some((at, block)) = self.containing(from).filter(|(at, _)| *at < from) {
                add(at, block);
            }
            let start = page * PAGE_BYTES;
            let starts = bits.starts_from((from - start).div_ceil(GRANULE_BYTES));
            let starts = starts.map(|granule| start + granule * GRANULE_BYTES);
            let blocks = starts.take_while(|&at| at < end).filter_map(|at| self.at(at));
            blocks.for_each(|(at, block)| add(at, block));
            return found;
        }
        let mut next = self.containing(from).or_else(|| self.first_between(from, end));
        while let Some((at, block)) = next {
            let block_end = end_of(at, block.size_bytes);
            found.push((at, block, block_end.min(end) - at.max(from)));
            next = if block_end < end { self.first_between(block_end, end) } else { None };
        }
        found
    }

    /// All blocks with their addresses, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, LiveBlock)> {
        self.blocks.iter().map(|(&at, &block)| (at, block))
    }
}

/// The address after a block. One without a size still has an address of its own.
pub(super) fn end_of(address: u64, size_bytes: u64) -> u64 {
    address.saturating_add(size_bytes.max(1))
}
