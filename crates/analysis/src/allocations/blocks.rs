//! The blocks of an address space, ordered by address. No two overlap.

use std::collections::BTreeMap;

use super::sites::{Payer, SiteId};

/// A block that was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LiveBlock {
    /// The size that was asked for, in bytes.
    pub(super) size_bytes: u64,
    /// The site that asked.
    pub(super) site: SiteId,
    /// The number of the process that asked; the child of a fork inherits blocks of others.
    pub(super) owner: u32,
    /// The number of pauses of the recording that had begun when it was given out.
    pub(super) pauses: u32,
    /// The time of the faults on it so far, where it is needed: nanoseconds, up to some seconds.
    pub(super) touched_ns: u32,
}

impl LiveBlock {
    /// Who pays for it.
    pub(super) fn payer(&self) -> Payer {
        Payer { site: self.site, size_bytes: self.size_bytes }
    }

    /// A fault on it took so long. Returns the time of those before.
    pub(super) fn touch(&mut self, ns: u64) -> u64 {
        let before_ns = self.touched_ns;
        self.touched_ns = before_ns.saturating_add(u32::try_from(ns).unwrap_or(u32::MAX));
        before_ns.into()
    }
}

/// Blocks by their addresses. Its operations take logarithmic time.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockMap(BTreeMap<u64, LiveBlock>);

impl BlockMap {
    /// Adds `block` at `address`. The caller has removed those that it overlaps.
    pub(super) fn insert(&mut self, address: u64, block: LiveBlock) {
        self.0.insert(address, block);
    }

    /// Removes the block at `address`.
    pub(super) fn remove(&mut self, address: u64) -> Option<LiveBlock> {
        self.0.remove(&address)
    }

    /// Removes all blocks but those at addresses of which `stays` holds.
    pub(super) fn retain(&mut self, stays: impl Fn(u64) -> bool) {
        self.0.retain(|&address, _| stays(address));
    }

    /// Whether a block begins at `address`.
    pub(super) fn has(&self, address: u64) -> bool {
        self.0.contains_key(&address)
    }

    /// The address of the last block that overlaps `size_bytes` bytes from `address`, if any does.
    pub(super) fn overlapping(&self, address: u64, size_bytes: u64) -> Option<u64> {
        let (&start, block) = self.0.range(..end_of(address, size_bytes)).next_back()?;
        (end_of(start, block.size_bytes) > address).then_some(start)
    }

    /// The block that pays for a fault at `address` on the page from `page` to `page_end`: the one
    /// with the address, or else the nearest above it that begins on the page, whose header the
    /// address may be in.
    pub(super) fn paying(&self, address: u64, page_end: u64) -> Option<(u64, LiveBlock)> {
        let before = self.0.range(..=address).next_back();
        let contains = before.filter(|(start, block)| end_of(**start, block.size_bytes) > address);
        let next = address.saturating_add(1);
        let above = || self.0.range(next..page_end.max(next)).next();
        contains.or_else(above).map(|(start, block)| (*start, *block))
    }

    /// The block at `address`.
    pub(super) fn get_mut(&mut self, address: u64) -> Option<&mut LiveBlock> {
        self.0.get_mut(&address)
    }

    /// All blocks.
    pub(super) fn values(&self) -> impl Iterator<Item = &LiveBlock> {
        self.0.values()
    }
}

/// The address after a block. One without a size still has an address of its own.
pub(super) fn end_of(address: u64, size_bytes: u64) -> u64 {
    address.saturating_add(size_bytes.max(1))
}
