//! Who paid for the pages of a process, so that the return of memory is charged to those whose
//! pages it returns.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ranges::{self, RangeValue};
use super::sites::Payer;

/// A range of pages, up to `end`, for whose first touch `payer` paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OwnedRange {
    end: u64,
    payer: Payer,
    /// When the pages were returned to the kernel, if they were.
    returned_ns: Option<u64>,
}

/// Owners by ranges of addresses that do not overlap. A fork copies nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct PageOwners {
    by_start: Arc<BTreeMap<u64, OwnedRange>>,
}

impl RangeValue for OwnedRange {
    fn end(&self) -> u64 {
        self.end
    }

    fn with_end(self, end: u64) -> OwnedRange {
        OwnedRange { end, ..self }
    }
}

impl PageOwners {
    /// Those of a child, which has the same pages.
    pub(super) fn fork(&self) -> PageOwners {
        self.clone()
    }

    /// `payer` paid for a fault on the page from `start` to `end`. Returns when that page was
    /// returned to the kernel, if it had been touched before.
    pub(super) fn touch(&mut self, (start, end): (u64, u64), payer: Payer) -> Option<u64> {
        let before = self.at(start).and_then(|before| before.returned_ns);
        self.cut(start, end);
        let by_start = Arc::make_mut(&mut self.by_start);
        let range = OwnedRange { end, payer, returned_ns: None };
        let last = by_start.range_mut(..start).next_back();
        match last.filter(|(_, last)| **last == OwnedRange { end: start, ..range }) {
            Some((_, last)) => last.end = end,
            None => {
                by_start.insert(start, range);
            }
        }
        before
    }

    fn at(&self, address: u64) -> Option<OwnedRange> {
        ranges::at(&self.by_start, address).map(|(_, range)| range)
    }

    /// Removes what is between two addresses, and returns it.
    fn cut(&mut self, start: u64, end: u64) -> Vec<(u64, OwnedRange)> {
        ranges::cut(&mut self.by_start, start, end)
    }

    /// The memory between two addresses was returned to the kernel: its pages are gone, or it is no
    /// longer mapped. Returns who had paid for them, with their bytes.
    pub(super) fn give_back(
        &mut self,
        (start, end): (u64, u64),
        time_ns: u64,
        stays_mapped: bool,
    ) -> Vec<(Payer, u64)> {
        let gone = self.cut(start, end);
        if stays_mapped && !gone.is_empty() {
            let by_start = Arc::make_mut(&mut self.by_start);
            by_start.extend(
                gone.iter()
                    .map(|&(at, range)| (at, OwnedRange { returned_ns: Some(time_ns), ..range })),
            );
        }
        let there = gone.iter().filter(|(_, range)| range.returned_ns.is_none());
        there.map(|&(at, range)| (range.payer, range.end - at)).collect()
    }

    /// The pages between two addresses moved to `to` (mremap).
    pub(super) fn shift(&mut self, (start, end): (u64, u64), to: u64) {
        let moved = self.cut(start, end);
        self.cut(to, to.saturating_add(end.saturating_sub(start)));
        if moved.is_empty() {
            return;
        }
        let place = |at: u64| to.saturating_add(at - start);
        let by_start = Arc::make_mut(&mut self.by_start);
        by_start.extend(
            moved
                .into_iter()
                .map(|(at, range)| (place(at), OwnedRange { end: place(range.end), ..range })),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocations::sites::SiteId;

    const PAGE: u64 = 4096;

    fn payer(size_bytes: u64) -> Payer {
        Payer { site: SiteId::UNCHOSEN, size_bytes }
    }

    fn touch(owners: &mut PageOwners, pages: std::ops::Range<u64>, payer: Payer) {
        for page in pages {
            owners.touch((page * PAGE, (page + 1) * PAGE), payer);
        }
    }

    #[test]
    fn pages_are_returned_by_those_who_touched_them() {
        let mut owners = PageOwners::default();
        touch(&mut owners, 0..4, payer(1));
        touch(&mut owners, 4..6, payer(2));
        assert_eq!(owners.by_start.len(), 2, "neighbours are one range");
        let back = owners.give_back((2 * PAGE, 5 * PAGE), 70, true);
        assert_eq!(back, [(payer(1), 2 * PAGE), (payer(2), PAGE)]);
        assert_eq!(owners.give_back((0, 9 * PAGE), 80, false).len(), 2, "what is left, once");
        assert!(owners.by_start.is_empty());
    }

    #[test]
    fn a_page_that_was_returned_and_is_touched_again_has_a_new_owner() {
        let mut owners = PageOwners::default();
        touch(&mut owners, 0..3, payer(1));
        owners.give_back((PAGE, 2 * PAGE), 70, true);
        assert_eq!(owners.touch((PAGE, 2 * PAGE), payer(2)), Some(70));
        assert_eq!(owners.touch((2 * PAGE, 3 * PAGE), payer(2)), None);
        let back = owners.give_back((0, 3 * PAGE), 90, false);
        assert_eq!(back, [(payer(1), PAGE), (payer(2), 2 * PAGE)]);
    }

    #[test]
    fn moved_pages_keep_their_owners_and_a_child_has_its_own() {
        let mut owners = PageOwners::default();
        touch(&mut owners, 0..3, payer(1));
        let mut child = owners.fork();
        owners.shift((PAGE, 3 * PAGE), 10 * PAGE);
        assert_eq!(owners.give_back((10 * PAGE, 20 * PAGE), 1, false), [(payer(1), 2 * PAGE)]);
        assert_eq!(child.give_back((0, 20 * PAGE), 1, false), [(payer(1), 3 * PAGE)]);
    }
}
