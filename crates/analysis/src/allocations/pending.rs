//! Blocks of calls that have not ended, by the ends of the calls.

use std::collections::BTreeMap;

use super::blocks::LiveBlock;

/// More calls than this are never under way at once; beyond it the first ones count as ended. It
/// bounds what a damaged recording can cost.
const UNDER_WAY_MAX: usize = 4096;

/// A block that is given out at the end of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct GiveOut {
    /// The end of the call.
    pub(super) end_ns: u64,
    /// The process.
    pub(super) pid: u32,
    /// The address of the block.
    pub(super) address: u64,
    /// The block.
    pub(super) block: LiveBlock,
}

/// Blocks that are given out later.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// By the end of the call, and a number that tells calls with the same end apart.
    by_end: BTreeMap<(u64, u64), GiveOut>,
    next: u64,
}

impl Pending {
    /// Adds a block. Returns one that has to be given out now.
    pub(super) fn add(&mut self, block: GiveOut) -> Option<GiveOut> {
        self.by_end.insert((block.end_ns, self.next), block);
        self.next += 1;
        if self.by_end.len() <= UNDER_WAY_MAX {
            return None;
        }
        self.by_end.pop_first().map(|(_, first)| first)
    }

    /// The next block whose call has ended by `time_ns`.
    pub(super) fn pop(&mut self, time_ns: u64) -> Option<GiveOut> {
        let first = self.by_end.first_entry()?;
        (first.key().0 <= time_ns).then(|| first.remove())
    }

    /// The first block of process `pid` of which `is` holds, however late its call ends.
    pub(super) fn take(&mut self, pid: u32, is: impl Fn(&GiveOut) -> bool) -> Option<GiveOut> {
        let key = *self.by_end.iter().find(|(_, block)| block.pid == pid && is(block))?.0;
        self.by_end.remove(&key)
    }
}
