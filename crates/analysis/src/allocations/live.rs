//! The live blocks of one process.

use std::sync::Arc;

use super::blocks::{BlockMap, LiveBlock};
use super::number_map::NumberMap;
use super::site::Charge;
use super::sites::{Payer, SiteTable};

/// The live blocks of a process over time. A fork copies nothing: parent and child share them until
/// one of them changes its own.
#[derive(Debug)]
pub(super) struct LiveBlocks {
    blocks: Arc<BlockMap>,
    /// The number of this process, which owns the blocks that it got itself. Those that it
    /// inherited are live bytes of their owner.
    number: u32,
    /// The time of the faults on blocks so far, where it is needed.
    touched_ns: NumberMap<u64, u64>,
}

impl LiveBlocks {
    fn of(blocks: Arc<BlockMap>, number: u32) -> LiveBlocks {
        LiveBlocks { blocks, number, touched_ns: NumberMap::default() }
    }

    /// The blocks of a new process.
    pub(super) fn new(number: u32) -> LiveBlocks {
        LiveBlocks::of(Arc::default(), number)
    }

    /// The blocks of a child with this number.
    pub(super) fn fork(&self, number: u32) -> LiveBlocks {
        LiveBlocks::of(Arc::clone(&self.blocks), number)
    }

    /// The number of the process.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// A block that thread `tid` of this process gets at `born_ns`.
    pub(super) fn own(
        &self,
        Payer { site, size_bytes }: Payer,
        tid: u32,
        born_ns: u64,
    ) -> LiveBlock {
        LiveBlock { size_bytes, born_ns, site, owner: self.number, tid }
    }

    /// Whether a block begins at `address`.
    pub(super) fn has(&self, address: u64) -> bool {
        self.blocks.has(address)
    }

    /// `block` is live from `time_ns` on. Returns how many blocks it replaced: their release was
    /// not seen.
    pub(super) fn insert(
        &mut self,
        address: u64,
        block: LiveBlock,
        sites: &mut SiteTable,
        time_ns: u64,
    ) -> u64 {
        let mut replaced = 0;
        let blocks = Arc::make_mut(&mut self.blocks);
        if blocks.insert_alone(address, block) {
            sites.grow(block.payer(), time_ns);
            return 0;
        }
        while let Some(old_at) = blocks.overlapping(address, block.size_bytes)
            && let Some(old) = blocks.remove(old_at)
        {
            if old.owner == self.number {
                sites.shrink(old.payer());
            }
            replaced += 1;
            if !self.touched_ns.is_empty() {
                self.touched_ns.remove(&old_at);
            }
        }
        blocks.insert(address, block);
        sites.grow(block.payer(), time_ns);
        replaced
    }

    /// The block at `address` is given back. Returns it; `None` if no such block is known.
    pub(super) fn release(&mut self, address: u64, sites: &mut SiteTable) -> Option<LiveBlock> {
        // What is shared is copied only if it changes.
        if Arc::strong_count(&self.blocks) > 1 && !self.has(address) {
            return None;
        }
        let block = Arc::make_mut(&mut self.blocks).remove(address)?;
        if !self.touched_ns.is_empty() {
            self.touched_ns.remove(&address);
        }
        sites.pay(block.payer(), Charge::Free);
        if block.owner == self.number {
            sites.shrink(block.payer());
        }
        Some(block)
    }

    /// The block that a fault at `address` on a page that ends at `page_end` belongs to, with its
    /// address.
    pub(super) fn paying(&self, address: u64, page_end: u64) -> Option<(u64, LiveBlock)> {
        self.blocks.paying(address, page_end)
    }

    /// The blocks that have a byte from `from` to `end`, with the number of these bytes.
    pub(super) fn between(&self, from: u64, end: u64) -> Vec<(u64, LiveBlock, u64)> {
        self.blocks.between(from, end)
    }

    /// A fault on the block at `address` took so long. Returns the time of those before.
    pub(super) fn touch(&mut self, address: u64, ns: u64) -> u64 {
        let touched_ns = self.touched_ns.entry(address).or_default();
        std::mem::replace(touched_ns, touched_ns.saturating_add(ns))
    }

    /// The blocks that the process got itself.
    fn owned(&self) -> impl Iterator<Item = (u64, LiveBlock)> {
        self.blocks.iter().filter(|(_, block)| block.owner == self.number)
    }

    /// Blocks at other addresses are not followed further. The bytes of those that are left do not
    /// count until [`LiveBlocks::grow_again`].
    pub(super) fn shrink_to(&mut self, follows: impl Fn(u64) -> bool, sites: &mut SiteTable) {
        for (_, block) in self.owned() {
            sites.shrink(block.payer());
        }
        Arc::make_mut(&mut self.blocks).retain(follows);
    }

    /// The blocks that are left count with what each of them stands for now.
    pub(super) fn grow_again(&self, sites: &mut SiteTable, time_ns: u64) {
        for (_, block) in self.owned() {
            sites.grow(block.payer(), time_ns);
        }
    }

    /// The process ends or executes a program; the last pause of the recording began at
    /// `paused_ns`, if there was one. Returns its own blocks, and of those that were live in the
    /// pause the number and the bytes: they may have been given back in it.
    pub(super) fn forget(
        &mut self,
        sites: &mut SiteTable,
        paused_ns: Option<u64>,
    ) -> (Vec<(u64, LiveBlock)>, u64, u64) {
        let (mut unsure, mut unsure_bytes) = (0_u64, 0_u64);
        let own: Vec<(u64, LiveBlock)> = self.owned().collect();
        for (_, block) in &own {
            let weight = sites.weight();
            if paused_ns.is_some_and(|paused_ns| block.born_ns < paused_ns) {
                let bytes = block.size_bytes.saturating_mul(weight);
                unsure = unsure.saturating_add(weight);
                unsure_bytes = unsure_bytes.saturating_add(bytes);
            } else {
                sites.pay(block.payer(), Charge::Kept { size_bytes: block.size_bytes });
            }
            sites.shrink(block.payer());
        }
        *self = LiveBlocks::new(self.number);
        (own, unsure, unsure_bytes)
    }
}
