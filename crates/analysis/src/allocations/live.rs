//! The live blocks of one process.

use std::sync::Arc;

use super::blocks::{BlockMap, LiveBlock};
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
}

impl LiveBlocks {
    /// The blocks of a new process.
    pub(super) fn new(number: u32) -> LiveBlocks {
        LiveBlocks { blocks: Arc::default(), number }
    }

    /// The blocks of a child with this number.
    pub(super) fn fork(&self, number: u32) -> LiveBlocks {
        LiveBlocks { blocks: Arc::clone(&self.blocks), number }
    }

    /// A block that this process gets, when so many pauses of the recording have begun.
    pub(super) fn own(&self, Payer { site, size_bytes }: Payer, pauses: u32) -> LiveBlock {
        LiveBlock { size_bytes, site, owner: self.number, pauses, touched_ns: 0 }
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
        while let Some(old) =
            blocks.overlapping(address, block.size_bytes).and_then(|old| blocks.remove(old))
        {
            if old.owner == self.number {
                sites.shrink(old.payer());
            }
            replaced += 1;
        }
        blocks.insert(address, block);
        sites.grow(block.payer(), time_ns);
        replaced
    }

    /// The block at `address` is given back. Returns who pays for it; `None` if no such block is
    /// known.
    pub(super) fn release(&mut self, address: u64, sites: &mut SiteTable) -> Option<Payer> {
        if !self.has(address) {
            return None;
        }
        let block = Arc::make_mut(&mut self.blocks).remove(address)?;
        sites.pay(block.payer(), Charge::Free);
        if block.owner == self.number {
            sites.shrink(block.payer());
        }
        Some(block.payer())
    }

    /// The address of the block that a fault at `address` on a page that ends at `page_end` belongs
    /// to, and who pays for it.
    pub(super) fn paying(&self, address: u64, page_end: u64) -> Option<(u64, Payer)> {
        self.blocks.paying(address, page_end).map(|(start, block)| (start, block.payer()))
    }

    /// A fault on the block at `address` took so long. Returns the time of those before; `None` if
    /// no such block is known.
    pub(super) fn touch(&mut self, address: u64, ns: u64) -> Option<u64> {
        if !self.has(address) {
            return None;
        }
        Some(Arc::make_mut(&mut self.blocks).get_mut(address)?.touch(ns))
    }

    /// Blocks at other addresses are not followed further. The bytes of those that are left do not
    /// count until [`LiveBlocks::grow_again`].
    pub(super) fn shrink_to(&mut self, follows: impl Fn(u64) -> bool, sites: &mut SiteTable) {
        for block in self.blocks.values().filter(|block| block.owner == self.number) {
            sites.shrink(block.payer());
        }
        Arc::make_mut(&mut self.blocks).retain(follows);
    }

    /// The blocks that are left count with what each of them stands for now.
    pub(super) fn grow_again(&self, sites: &mut SiteTable, time_ns: u64) {
        for block in self.blocks.values().filter(|block| block.owner == self.number) {
            sites.grow(block.payer(), time_ns);
        }
    }

    /// The process ends or executes a program, when so many pauses of the recording have begun.
    /// Returns the blocks that were live in one of them, and their bytes: they may have been given
    /// back in it.
    pub(super) fn forget(&mut self, sites: &mut SiteTable, pauses: u32) -> (u64, u64) {
        let (mut unsure, mut unsure_bytes) = (0_u64, 0_u64);
        for block in self.blocks.values().filter(|block| block.owner == self.number) {
            let weight = sites.weight();
            if block.pauses < pauses {
                let bytes = block.size_bytes.saturating_mul(weight);
                unsure = unsure.saturating_add(weight);
                unsure_bytes = unsure_bytes.saturating_add(bytes);
            } else {
                sites.pay(block.payer(), Charge::Kept { size_bytes: block.size_bytes });
            }
            sites.shrink(block.payer());
        }
        self.blocks = Arc::default();
        (unsure, unsure_bytes)
    }
}
