//! Ranges of addresses that do not overlap, by their beginnings. A fork copies nothing: parent and
//! child share them until one of them changes its own.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a range.
pub(super) trait RangeValue: Copy {
    /// Where the range ends.
    fn end(&self) -> u64;

    /// The same of a range that ends at `end`.
    fn with_end(self, end: u64) -> Self;
}

/// The range that contains `address`, with its beginning.
pub(super) fn at<V: RangeValue>(by_start: &BTreeMap<u64, V>, address: u64) -> Option<(u64, V)> {
    let (&start, range) = by_start.range(..=address).next_back()?;
    (range.end() > address).then_some((start, *range))
}

/// Removes what is between two addresses, and returns it. What reaches beyond them stays there.
pub(super) fn cut<V: RangeValue>(
    by_start: &mut Arc<BTreeMap<u64, V>>,
    start: u64,
    end: u64,
) -> Vec<(u64, V)> {
    let first = by_start.range(..start).next_back();
    let first = first.filter(|(_, range)| range.end() > start).map(|(&at, _)| at);
    let next = by_start.range(start..end.max(start)).map(|(&at, _)| at);
    let overlapping: Vec<u64> = first.into_iter().chain(next).collect();
    if overlapping.is_empty() {
        return Vec::new();
    }
    let by_start = Arc::make_mut(by_start);
    let mut gone = Vec::with_capacity(overlapping.len());
    for at in overlapping {
        let Some(range) = by_start.remove(&at) else { continue };
        if at < start {
            by_start.insert(at, range.with_end(start));
        }
        if range.end() > end {
            by_start.insert(end, range);
        }
        gone.push((at.max(start), range.with_end(range.end().min(end))));
    }
    gone
}
