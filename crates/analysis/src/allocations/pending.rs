//! Blocks of calls that have not ended, by the ends of the calls.

use super::blocks::LiveBlock;

/// More calls than this are never under way at once; beyond it the first ones count as ended. It
/// bounds what a damaged recording can cost.
const UNDER_WAY_MAX: usize = 4096;

/// A block that is given out at the end of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct GiveOut {
    /// The end of the call.
    pub(super) end_ns: u64,
    /// The place of the process.
    pub(super) process: u32,
    /// The address of the block.
    pub(super) address: u64,
    /// The block.
    pub(super) block: LiveBlock,
}

/// Blocks that are given out later: about as many as there are threads.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The first to be given out is the last here. Of calls with the same end, the first to begin
    /// ends first.
    latest_first: Vec<GiveOut>,
}

impl Pending {
    /// Adds a block. Returns one that has to be given out now.
    pub(super) fn add(&mut self, block: GiveOut) -> Option<GiveOut> {
        let place = self.latest_first.partition_point(|other| other.end_ns > block.end_ns);
        self.latest_first.insert(place, block);
        if self.latest_first.len() > UNDER_WAY_MAX { self.latest_first.pop() } else { None }
    }

    /// The next block whose call has ended by `time_ns`.
    pub(super) fn pop(&mut self, time_ns: u64) -> Option<GiveOut> {
        self.latest_first.pop_if(|first| first.end_ns <= time_ns)
    }

    /// The first block of the process at a place of which `is` holds, however late its call ends.
    pub(super) fn take(&mut self, process: u32, is: impl Fn(&GiveOut) -> bool) -> Option<GiveOut> {
        let is = |block: &GiveOut| block.process == process && is(block);
        let place = self.latest_first.iter().rposition(is)?;
        Some(self.latest_first.remove(place))
    }
}
