//! The mappings that a program made itself, outside of its allocator, with the call site of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::blocks::LiveBlock;
use super::ranges::{self, RangeValue};

/// Mappings by ranges of addresses that do not overlap. A part of a mapping may be unmapped, or
/// mapped anew; what is left keeps what is known of it. A fork copies nothing.
///
/// A call that maps has its range when it ends: until then the range may belong to another thread,
/// which is just giving it back.
#[derive(Debug, Clone, Default)]
pub(super) struct OwnMappings {
    by_start: Arc<BTreeMap<u64, OwnRange>>,
    /// What calls map that have not ended; the first to end is the last here.
    latest_first: Vec<Mapped>,
}

/// More calls than this are never under way at once; beyond it the first ones count as ended.
const UNDER_WAY_MAX: usize = 4096;

/// What a call maps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mapped {
    /// When it ends.
    pub(super) end_ns: u64,
    /// The range of addresses.
    pub(super) range: (u64, u64),
    /// The mapping, and whether it is memory that is there to be touched: writable, of no file and
    /// no mere reservation. `None`: nobody's.
    pub(super) mapping: Option<(LiveBlock, bool)>,
}

/// A range up to `end`, of the mapping `mapping`, whose size was rounded up to pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OwnRange {
    end: u64,
    mapping: LiveBlock,
    is_memory: bool,
}

impl RangeValue for OwnRange {
    fn end(&self) -> u64 {
        self.end
    }

    fn with_end(self, end: u64) -> OwnRange {
        OwnRange { end, ..self }
    }
}

impl OwnMappings {
    /// Those of a child, which has the same ones.
    pub(super) fn fork(&self) -> OwnMappings {
        self.clone()
    }

    /// The mapping at `address`, with the beginning of what is left of it there.
    pub(super) fn at(&self, address: u64) -> Option<(u64, LiveBlock)> {
        ranges::at(&self.by_start, address).map(|(start, range)| (start, range.mapping))
    }

    /// A call maps something. It is there once [`OwnMappings::ended_by`] has returned it.
    pub(super) fn begin(&mut self, mapped: Mapped) {
        let place = self.latest_first.partition_point(|other| other.end_ns > mapped.end_ns);
        self.latest_first.insert(place, mapped);
    }

    /// The next call that has ended by `time_ns`. What it mapped over has to go first.
    #[inline]
    pub(super) fn ended_by(&mut self, time_ns: u64) -> Option<Mapped> {
        let is_crowded = self.latest_first.len() > UNDER_WAY_MAX;
        self.latest_first.pop_if(|first| first.end_ns <= time_ns || is_crowded)
    }

    /// The range is a mapping, and nothing else is there.
    pub(super) fn map(
        &mut self,
        (start, end): (u64, u64),
        (mapping, is_memory): (LiveBlock, bool),
    ) {
        if start < end {
            Arc::make_mut(&mut self.by_start).insert(start, OwnRange { end, mapping, is_memory });
        }
    }

    /// The parts of mappings in a range that are memory.
    pub(super) fn memory_in(&self, (start, end): (u64, u64)) -> Vec<((u64, u64), LiveBlock)> {
        let before = self.by_start.range(..start).next_back();
        let all = before.into_iter().chain(self.by_start.range(start..end.max(start)));
        let inside = all.filter(|(_, range)| range.is_memory && range.end > start);
        let part = |at: u64, range: &OwnRange| (at.max(start), range.end.min(end));
        inside.map(|(&at, range)| (part(at, range), range.mapping)).collect()
    }

    /// The mappings are gone in this range. Returns whose they were, with their ranges.
    pub(super) fn unmap(&mut self, (start, end): (u64, u64)) -> Vec<((u64, u64), LiveBlock)> {
        let gone = ranges::cut(&mut self.by_start, start, end);
        gone.into_iter().map(|(at, range)| ((at, range.end), range.mapping)).collect()
    }

    /// The process ends or executes a program. Returns all that was mapped: each mapping once, with
    /// the bytes that were left of it.
    pub(super) fn forget(&mut self) -> Vec<(LiveBlock, u64)> {
        let by_start = std::mem::take(&mut self.by_start);
        let mut left: Vec<(LiveBlock, u64)> =
            by_start.iter().map(|(&start, range)| (range.mapping, range.end - start)).collect();
        // Nothing but its parts was mapped by the same thread at the same time.
        left.sort_by_key(|(mapping, _)| (mapping.born_ns, mapping.owner, mapping.tid));
        left.dedup_by(|(mapping, bytes), (kept, all_bytes)| {
            let is_part = mapping == kept;
            *all_bytes += if is_part { *bytes } else { 0 };
            is_part
        });
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocations::sites::SiteId;

    fn mapping(born_ns: u64) -> LiveBlock {
        LiveBlock { size_bytes: 0x4000, born_ns, site: SiteId::UNCHOSEN, owner: 1, tid: 7 }
    }

    #[test]
    fn what_a_call_maps_is_there_when_it_ends() {
        let mut own = OwnMappings::default();
        for (end_ns, page) in [(30, 3), (10, 1), (20, 2)] {
            let range = (page << 12, (page + 1) << 12);
            own.begin(Mapped { end_ns, range, mapping: None });
        }
        assert!(own.ended_by(9).is_none());
        let ended = std::iter::from_fn(|| own.ended_by(20)).map(|mapped| mapped.range.0 >> 12);
        assert_eq!(ended.collect::<Vec<_>>(), [1, 2]);
        assert_eq!(own.ended_by(u64::MAX).map(|mapped| mapped.end_ns), Some(30));
    }

    #[test]
    fn what_is_left_of_a_mapping_is_one_mapping() {
        let mut own = OwnMappings::default();
        own.map((0x1000, 0x5000), (mapping(1), true));
        own.map((0x5000, 0x9000), (mapping(2), false));
        assert_eq!(own.memory_in((0x2000, 0x6000)), [((0x2000, 0x5000), mapping(1))]);
        let gone = own.unmap((0x2000, 0x6000));
        assert_eq!(gone, [((0x2000, 0x5000), mapping(1)), ((0x5000, 0x6000), mapping(2))]);
        assert_eq!(own.at(0x1fff), Some((0x1000, mapping(1))));
        assert_eq!([own.at(0x2000), own.at(0x5fff), own.at(0x9000)], [None; 3]);
        assert_eq!(own.at(0x6000), Some((0x6000, mapping(2))));
        own.unmap((0x7000, 0x8000));
        let mut child = own.fork();
        assert_eq!(own.forget(), [(mapping(1), 0x1000), (mapping(2), 0x2000)]);
        assert_eq!((own.at(0x1000), own.forget()), (None, Vec::new()));
        assert_eq!(child.unmap((0, u64::MAX)).len(), 3, "the child has its own");
    }
}
