//! Touches timed one by one.
//!
//! Each touch has a reading of the clock before it and one after it. On x86 and Arm the reading
//! waits for what precedes it (`rdtsc_ordered` and `isb` in the kernel's vDSO), so a fault lies
//! between the two; a write that faults nowhere may still be on its way to the cache at the second
//! reading. What the two readings take themselves is measured in the same process, with nothing
//! between them, and told beside the touches.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::measurement::nanoseconds;

/// Empty spans that are timed for what the clock takes.
const EMPTY_SPANS: usize = 1000;
/// A bucket is no wider than this part of the power of ten below it.
const PARTS_OF_TEN: u64 = 20;

/// Times touches, and has the memory to note all of them before the first.
#[derive(Debug)]
pub struct Stopwatch {
    spans_ns: Vec<u64>,
    empty_ns: Vec<u64>,
}

impl Stopwatch {
    /// For so many touches.
    #[must_use]
    pub fn new(touches: usize) -> Self {
        // Written to and emptied again: the pages are there, and `push` finds room.
        let room = |count: usize| {
            let mut room = vec![u64::MAX; count];
            room.clear();
            room
        };
        let mut watch = Stopwatch { spans_ns: room(EMPTY_SPANS), empty_ns: Vec::new() };
        (0..EMPTY_SPANS).for_each(|_| watch.time(|| ()));
        watch.empty_ns = std::mem::replace(&mut watch.spans_ns, room(touches));
        watch
    }

    /// Times `touch`. What comes after the touches that it was made for is run, but not noted:
    /// noting it would allocate.
    #[inline]
    pub fn time(&mut self, touch: impl FnOnce()) {
        let start = Instant::now();
        touch();
        let end = Instant::now();
        if self.spans_ns.len() < self.spans_ns.capacity() {
            self.spans_ns.push(nanoseconds(end.saturating_duration_since(start)));
        }
    }

    /// What was timed, for the parent.
    #[must_use]
    pub fn timings(&self) -> Timings {
        Timings { touches: Timing::of(&self.spans_ns), clock: Timing::of(&self.empty_ns) }
    }
}

/// What a child says of its touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// The touches.
    pub touches: Timing,
    /// Spans with nothing in them.
    pub clock: Timing,
}

/// Times in buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// The longest.
    pub max_ns: u64,
    /// Only those that hold a time, ascending.
    pub buckets: Vec<TimeBucket>,
}

/// Times from `low_ns` to just below `high_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeBucket {
    /// The shortest time that belongs here.
    pub low_ns: u64,
    /// The shortest time that is too long to belong here.
    pub high_ns: u64,
    /// How many times it holds.
    pub count: u64,
}

impl Timing {
    /// Of single times.
    #[must_use]
    pub fn of(times_ns: &[u64]) -> Self {
        let mut sorted = times_ns.to_vec();
        sorted.sort_unstable();
        let mut timing =
            Timing { max_ns: sorted.last().copied().unwrap_or(0), buckets: Vec::new() };
        for time_ns in sorted {
            match timing.buckets.last_mut() {
                Some(bucket) if time_ns < bucket.high_ns => bucket.count += 1,
                _ => timing.buckets.push(TimeBucket { count: 1, ..bucket_of(time_ns) }),
            }
        }
        timing
    }

    /// How many times it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }
}

/// The bucket that holds `time_ns`, with no count.
fn bucket_of(time_ns: u64) -> TimeBucket {
    let power = time_ns.checked_ilog10().map_or(1, |digits| 10_u64.pow(digits));
    let width = (power / PARTS_OF_TEN).max(1);
    let low_ns = time_ns / width * width;
    TimeBucket { low_ns, high_ns: low_ns.saturating_add(width), count: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow() {
        for (time, low, high) in [
            (0, 0, 1),
            (9, 9, 10),
            (199, 195, 200),
            (200, 200, 205),
            (1234, 1200, 1250),
            (5_049, 5_000, 5_050),
        ] {
            let bucket = bucket_of(time);
            assert_eq!((bucket.low_ns, bucket.high_ns), (low, high), "{time}");
        }
    }

    #[test]
    fn every_touch_is_noted_once_and_room_is_never_made_anew() {
        let mut watch = Stopwatch::new(100);
        let room = watch.spans_ns.capacity();
        let mut touched = 0;
        (0..100).for_each(|_| watch.time(|| touched += 1));
        assert_eq!((touched, watch.timings().touches.count()), (100, 100));
        assert_eq!(watch.timings().clock.count(), EMPTY_SPANS as u64);
        (0..room).for_each(|_| watch.time(|| ()));
        assert_eq!((watch.spans_ns.len(), watch.spans_ns.capacity()), (room, room));
    }
}
