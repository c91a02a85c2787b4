//! Merges several sources into one order.
//!
//! ```text
//!   source 0   10  40 | watermark 50        emitted: 10, 20, 40    (before every watermark)
//!   source 1   20     | watermark 45        waiting: 48
//!   source 2          | watermark 48
//! ```
//! A watermark is a promise that nothing earlier will come from that source. An item with a time
//! before all watermarks has its final place. An item that breaks the promise (its thread was
//! preempted between reading the clock and publishing) is late: it is emitted as soon as it comes,
//! and counted.

use alloc::collections::{BinaryHeap, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;

/// Merges items of type `T` by their times.
#[derive(Debug)]
pub struct Merge<T> {
    sources: Vec<Source<T>>,
    /// The time of the last item that was emitted in order.
    emitted_ns: u64,
    late: u64,
}

#[derive(Debug)]
struct Source<T> {
    /// By time; items with equal times in the order of arrival.
    waiting: VecDeque<(u64, T)>,
    watermark_ns: u64,
}

impl<T> Merge<T> {
    /// A merge of `sources` sources without any watermark yet.
    #[must_use]
    pub fn new(sources: usize) -> Self {
        let source = || Source { waiting: VecDeque::new(), watermark_ns: 0 };
        Merge { sources: (0..sources).map(|_| source()).collect(), emitted_ns: 0, late: 0 }
    }

    /// Takes an item of a source. Sources deliver nearly in order: an item that is out of order is
    /// moved to its place.
    ///
    /// # Panics
    /// If there is no such source.
    pub fn push(&mut self, source: usize, time_ns: u64, item: T) {
        let waiting = &mut self.sources[source].waiting;
        let at = match waiting.back() {
            Some(&(last_ns, _)) if time_ns < last_ns => {
                waiting.partition_point(|&(other_ns, _)| other_ns <= time_ns)
            }
            _ => waiting.len(),
        };
        waiting.insert(at, (time_ns, item));
    }

    /// Promises that nothing earlier than `watermark_ns` will come from `source`. A lower watermark
    /// than before has no effect.
    ///
    /// # Panics
    /// If there is no such source.
    pub fn promise(&mut self, source: usize, watermark_ns: u64) {
        let source = &mut self.sources[source];
        source.watermark_ns = source.watermark_ns.max(watermark_ns);
    }

    /// Declares that nothing more will come from any source.
    pub fn close(&mut self) {
        for source in &mut self.sources {
            source.watermark_ns = u64::MAX;
        }
    }

    /// Emits all items whose place is final. Items with equal times are in the order of their
    /// sources. Takes O(sources) steps, and O(log sources) for each item.
    pub fn emit(&mut self, mut each: impl FnMut(T)) {
        let certain_ns =
            self.sources.iter().map(|source| source.watermark_ns).min().unwrap_or(u64::MAX);
        // Items at `u64::MAX` are only emitted when all sources are closed.
        let is_certain = |time_ns| time_ns < certain_ns || certain_ns == u64::MAX;
        let first = |waiting: &VecDeque<(u64, T)>| {
            waiting.front().map(|&(ns, _)| ns).filter(|&ns| is_certain(ns))
        };
        let firsts = self.sources.iter().enumerate();
        let mut firsts: BinaryHeap<Reverse<(u64, usize)>> = firsts
            .filter_map(|(index, source)| Some(Reverse((first(&source.waiting)?, index))))
            .collect();
        while let Some(Reverse((mut time_ns, index))) = firsts.pop() {
            let waiting = &mut self.sources[index].waiting;
            while let Some((_, item)) = waiting.pop_front() {
                self.late += u64::from(time_ns < self.emitted_ns);
                self.emitted_ns = self.emitted_ns.max(time_ns);
                each(item);
                let Some(next_ns) = first(waiting) else { break };
                // Consecutive items of one source are emitted without looking at the others.
                if firsts.peek().is_some_and(|&Reverse(other)| other < (next_ns, index)) {
                    firsts.push(Reverse((next_ns, index)));
                    break;
                }
                time_ns = next_ns;
            }
        }
    }

    /// The number of items that came after a later one had been emitted.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    /// The number of items that are waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.sources.iter().map(|source| source.waiting.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn emitted(merge: &mut Merge<u64>) -> Vec<u64> {
        let mut all = Vec::new();
        merge.emit(|item| all.push(item));
        all
    }

    #[test]
    fn items_before_every_watermark_are_emitted_in_order() {
        let mut merge = Merge::new(3);
        for (source, times) in [(0, vec![10, 40]), (1, vec![20, 48])] {
            for time in times {
                merge.push(source, time, time);
            }
        }
        merge.promise(0, 50);
        merge.promise(1, 49);
        assert_eq!(emitted(&mut merge), [] as [u64; 0], "the third source has no watermark");
        merge.promise(2, 48);
        assert_eq!(emitted(&mut merge), [10, 20, 40]);
        merge.push(2, 48, 48);
        merge.push(2, 30, 30);
        assert_eq!(emitted(&mut merge), [30], "late, but emitted");
        merge.close();
        assert_eq!(emitted(&mut merge), [48, 48]);
        assert_eq!((merge.late(), merge.waiting()), (1, 0));
    }

    #[test]
    fn a_watermark_never_decreases() {
        let mut merge = Merge::new(1);
        merge.promise(0, 100);
        merge.promise(0, 50);
        merge.push(0, 70, 70);
        assert_eq!(emitted(&mut merge), [70]);
    }

    #[test]
    fn items_of_a_source_are_sorted() {
        let mut merge = Merge::new(2);
        for time in [5, 9, 7, 7, 1] {
            merge.push(0, time, time);
        }
        merge.push(1, 6, 6);
        merge.close();
        assert_eq!(emitted(&mut merge), [1, 5, 6, 7, 7, 9]);
        assert_eq!(merge.late(), 0);
    }
}
