//! Streams that have only calls on some blocks, and counts of all calls.

use events::{Allocation, AllocationFunction, CallCounts, StackId, Thinning};

use super::figures::TimedCalls;
use super::frames::FrameId;
use super::number_map::NumberMap;
use super::sites::SiteTable;

/// A fault so far below a block is of its header: the allocator writes the block's size there.
/// Further below there may be blocks that are not followed.
const HEADER_BYTES: u64 = 16;

/// From when on, and how few blocks were followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThinnedAccount {
    /// When the first level began, on the stream's clock.
    pub from_ns: u64,
    /// The blocks of which one was followed at the end.
    pub one_in: u64,
    /// All calls that only gave back, which were counted.
    pub releases: TimedCalls,
    /// Counted calls that asked for memory and have no site: their first call is missing in the
    /// stream.
    pub without_site: u64,
    /// The standard error of the time of faults on blocks, of all sites together, in nanoseconds.
    pub touches_error_ns: u64,
}

/// The levels of thinning of a stream, and its counted calls.
#[derive(Debug, Default)]
pub(super) struct ThinnedStream {
    /// Those that have not begun, the last one first.
    coming: Vec<Thinning>,
    has_counts: bool,
    now: Option<Thinning>,
    from_ns: u64,
    /// Counts by the first call of their kind, until that comes. Of one call there may be several,
    /// one for each part of the recording.
    waiting: NumberMap<u64, Vec<CallCounts>>,
    /// All calls that only gave back.
    releases: TimedCalls,
}

/// Counts are found by the beginning of their first call; this tells apart those of one moment.
fn is_of(counts: &CallCounts, pid: u32, stack: StackId, function: AllocationFunction) -> bool {
    counts.pid == pid && counts.stack == stack && counts.function == function
}

impl ThinnedStream {
    /// The levels of a stream in any order, and the counts of its calls.
    pub(super) fn new(mut levels: Vec<Thinning>, counts: &[CallCounts]) -> ThinnedStream {
        levels.sort_by_key(|level| std::cmp::Reverse((level.from_ns, level.level)));
        let has_counts = !levels.is_empty() || !counts.is_empty();
        let mut stream = ThinnedStream { coming: levels, has_counts, ..ThinnedStream::default() };
        for counts in counts {
            if counts.releases {
                stream.releases.add_all(&TimedCalls::counted(counts));
            } else {
                stream.waiting.entry(counts.first_ns).or_default().push(*counts);
            }
        }
        stream
    }

    /// The level that begins by `time_ns`, if one does.
    #[inline]
    pub(super) fn begins(&mut self, time_ns: u64) -> Option<Thinning> {
        let mut next = self.coming.pop_if(|next| next.from_ns <= time_ns)?;
        if self.now.is_none() {
            self.from_ns = next.from_ns;
        }
        while let Some(begun) = self.coming.pop_if(|next| next.from_ns <= time_ns) {
            next = if begun.level > next.level { begun } else { next };
        }
        // They may begin in another order.
        let is_higher = self.now.is_none_or(|now| now.level < next.level);
        self.now = if is_higher { Some(next) } else { self.now };
        is_higher.then_some(next)
    }

    /// Whether all calls are counted, from the beginning to the end of the stream.
    pub(super) fn has_counts(&self) -> bool {
        self.has_counts
    }

    /// Whether not all blocks are followed now.
    fn is_on(&self) -> bool {
        self.now.is_some()
    }

    /// Whether the block at this address is followed now.
    pub(super) fn follows(&self, address: u64) -> bool {
        self.now.is_none_or(|now| now.follows(address))
    }

    /// Whether a call in the stream stands for others: by the block that it gives out, or else by
    /// the one that it gives back. It may be there for another reason.
    pub(super) fn stands_for_others(&self, call: &Allocation) -> bool {
        self.follows(if call.address != 0 { call.address } else { call.released })
    }

    /// The group of an address ([`Thinning::group`]), where sums are estimated.
    pub(super) fn group(&self, address: u64) -> Option<usize> {
        self.now.map(|now| now.group(address))
    }

    /// Where blocks end that may pay for a fault at `address` on a page that ends at `page_end`
    /// without containing it.
    pub(super) fn reach(&self, address: u64, page_end: u64) -> u64 {
        if self.is_on() { page_end.min(address.saturating_add(HEADER_BYTES + 1)) } else { page_end }
    }

    /// The counts whose first call is `call`, which begins at `time_ns`.
    pub(super) fn first(&mut self, pid: u32, time_ns: u64, call: &Allocation) -> Vec<CallCounts> {
        let Some(at_this_time) = self.waiting.get_mut(&time_ns) else { return Vec::new() };
        let is_of_call = |counts: &mut CallCounts| is_of(counts, pid, call.stack, call.function);
        at_this_time.extract_if(.., is_of_call).collect()
    }

    /// Counts that have no site go to the one without a stack. What is to be said at the end.
    pub(super) fn finish(self, sites: &mut SiteTable) -> Option<ThinnedAccount> {
        let mut without_site = 0_u64;
        for counts in self.waiting.into_values().flatten() {
            let site = sites.of_stack(FrameId::NONE, false);
            sites.count(site, &counts);
            without_site = without_site.saturating_add(counts.calls);
        }
        let now = self.now?;
        Some(ThinnedAccount {
            from_ns: self.from_ns,
            one_in: now.one_in(),
            releases: self.releases,
            without_site,
            touches_error_ns: sites.touches_error_ns(),
        })
    }
}
