//! Which processes have the same page after fork(2): whether a write to it copies it, or only makes
//! it writable again because nobody else has it any more.
//!
//! A fork makes the pages that a process has until then one layer, and both processes have it. A
//! process that writes to such a page, or gives it up, no longer has it in this layer. So two
//! processes share a page if both have it in the same layer; what ended or executes another program
//! has no layers.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::pages::Pages;
use super::remove_from;

/// The number of remembered copies: more than are made in a few microseconds.
const REMEMBERED: usize = 128;

/// The pages that a process may share, by the forks after which they were one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    layers: Vec<Layer>,
    /// Whether it has moved such pages. Where they are now, they are in no layer.
    moved: bool,
}

#[derive(Debug, Clone)]
struct Layer {
    /// It is the same in all processes that have this layer.
    number: u64,
    pages: Arc<Pages>,
}

/// Who else has a page that a process is about to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct Sharers {
    /// Another process has it.
    pub(crate) page: bool,
    /// Another process has a page of the same chunk.
    pub(crate) chunk: bool,
    /// Another process has a page that it had when it was forked from the same.
    pub(crate) any: bool,
    /// Another process may have it: pages were moved, or it is just making its own copy.
    pub(crate) perhaps: bool,
}

impl Layers {
    /// The process forks: the pages that it has are one layer more, with this `number`. Layers that
    /// nobody else has, as `is_elsewhere` says of each, are no longer any.
    pub(super) fn fork(
        &mut self,
        has: &Arc<Pages>,
        number: u64,
        is_elsewhere: impl Fn(u64) -> bool,
    ) {
        self.layers.retain(|layer| layer.pages.count() > 0 && is_elsewhere(layer.number));
        self.moved &= !self.layers.is_empty();
        let older: Vec<&Pages> = self.layers.iter().map(|layer| &*layer.pages).collect();
        let pages = if older.is_empty() { has.clone() } else { Arc::new(has.without(&older)) };
        self.layers.push(Layer { number, pages });
    }

    /// Whether there is a layer with this number.
    pub(super) fn has_layer(&self, number: u64) -> bool {
        self.layers.iter().any(|layer| layer.number == number && layer.pages.count() > 0)
    }

    /// The pages are the process's own from now on, or gone.
    pub(super) fn remove(&mut self, pages: &Range<u64>) {
        for layer in &mut self.layers {
            remove_from(&mut layer.pages, pages);
        }
    }

    /// Pages are moved to other addresses. They stay where they are in their layers, so that nobody
    /// who shares them seems to be alone.
    pub(super) fn note_move(&mut self, pages: &Range<u64>) {
        self.moved |= self.layers.iter().any(|layer| layer.pages.has_any(pages.start, pages.end));
    }

    /// Adds to `sharers` what the process with the layers `other` shares of `page`, which is one of
    /// `chunk`.
    pub(super) fn compare(
        &self,
        other: &Layers,
        page: u64,
        chunk: &Range<u64>,
        sharers: &mut Sharers,
    ) {
        for own in &self.layers {
            let twin = other.layers.iter().find(|twin| twin.number == own.number);
            let Some(twin) = twin.filter(|twin| twin.pages.count() > 0) else { continue };
            sharers.any = true;
            sharers.perhaps |= self.moved || other.moved;
            sharers.page |= own.pages.has(page) && twin.pages.has(page);
            // This process may have replaced its own pages there.
            sharers.chunk |= twin.pages.has_any(chunk.start, chunk.end);
        }
    }

    /// Whether nothing is shared with anyone.
    pub(super) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

/// The last copies of pages that another process had as well.
#[derive(Debug, Default)]
pub(super) struct Copies(VecDeque<Copied>);

#[derive(Debug)]
struct Copied {
    pid: u32,
    page: u64,
    end_ns: u64,
}

impl Copies {
    /// Process `pid` has its own copy of `page` at `end_ns`.
    pub(super) fn add(&mut self, pid: u32, page: u64, end_ns: u64) {
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front(Copied { pid, page, end_ns });
    }

    /// Whether another process than `pid` is making its copy of `page` at `time_ns`: the kernel
    /// gives up the old page at some moment of that.
    pub(super) fn is_under_way(&self, pid: u32, page: u64, time_ns: u64) -> bool {
        let is_it =
            |copied: &Copied| copied.page == page && copied.pid != pid && time_ns < copied.end_ns;
        self.0.iter().any(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(range: Range<u64>) -> Arc<Pages> {
        let mut pages = Pages::default();
        pages.add_range(range.start, range.end);
        Arc::new(pages)
    }

    fn sharers(own: &Layers, other: &Layers, page: u64) -> Sharers {
        let mut sharers = Sharers::default();
        own.compare(other, page, &(0..512), &mut sharers);
        sharers
    }

    #[test]
    fn a_page_is_shared_until_one_has_its_own() {
        let mut parent = Layers::default();
        parent.fork(&pages(0..4), 1, |_| false);
        let mut child = parent.clone();
        let all = Sharers { page: true, chunk: true, any: true, perhaps: false };
        assert_eq!([0, 3].map(|page| sharers(&parent, &child, page)), [all; 2]);
        child.remove(&(0..1));
        assert_eq!(sharers(&parent, &child, 0), Sharers { page: false, ..all });
        parent.note_move(&(7..9));
        assert_eq!(sharers(&child, &parent, 1), all);
        parent.note_move(&(1..2));
        assert_eq!(sharers(&child, &parent, 1), Sharers { perhaps: true, ..all });
        child.remove(&(0..4));
        assert_eq!(sharers(&parent, &child, 2), Sharers::default());
    }

    /// Parent and first child have their own copies when the second child comes.
    #[test]
    fn the_same_address_may_be_another_page() {
        let mut parent = Layers::default();
        let has = pages(0..4);
        parent.fork(&has, 1, |_| false);
        let mut first = parent.clone();
        parent.remove(&(0..1));
        parent.fork(&has, 2, |number| first.has_layer(number));
        let second = parent.clone();
        let shared =
            |one: &Layers, other: &Layers| [0, 1].map(|page| sharers(one, other, page).page);
        assert_eq!(shared(&parent, &second), [true, true]);
        assert_eq!(shared(&first, &second), [false, true]);
        first.remove(&(1..4));
        assert_eq!(shared(&first, &parent), [false, false]);
        // The first child is gone: what is left of the two layers is one.
        parent.fork(&has, 3, |number| second.has_layer(number));
        assert_eq!(parent.layers.len(), 3, "the second child has both");
        parent.fork(&has, 4, |_| false);
        assert_eq!(parent.layers.len(), 1);
    }

    #[test]
    fn a_copy_is_under_way_until_its_end() {
        let mut copies = Copies::default();
        copies.add(8, 5, 100);
        assert!(copies.is_under_way(7, 5, 99) && !copies.is_under_way(7, 5, 100));
        assert!(!copies.is_under_way(8, 5, 99) && !copies.is_under_way(7, 6, 99));
        (0..2 * REMEMBERED as u64).for_each(|page| copies.add(8, 100 + page, 200));
        assert_eq!(copies.0.len(), REMEMBERED);
    }
}
