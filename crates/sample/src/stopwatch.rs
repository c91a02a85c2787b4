//! Times touches one by one.
//!
//! The clock is read before and after each touch. On x86 and Arm a reading waits for earlier
//! instructions (`rdtsc_ordered` and `isb` in the kernel's vDSO), so a fault is always between the
//! two; a write without a fault may not have reached the cache at the second reading. The cost of
//! the two readings is measured in the same process, with nothing between them, and reported beside
//! the touches.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::measurement::nanoseconds;

/// Empty spans that are timed to find the cost of reading the clock.
const EMPTY_SPANS: usize = 1000;
/// A bucket is at most this fraction of the next lower power of ten wide.
const PARTS_OF_TEN: u64 = 20;

/// Times touches. Allocates the memory for all times before the first touch.
#[derive(Debug)]
pub struct Stopwatch {
    spans_ns: Vec<u64>,
    empty_ns: Vec<u64>,
}

impl Stopwatch {
    /// A stopwatch for `touches` touches.
    #[must_use]
    pub fn new(touches: usize) -> Self {
        // Written to and emptied again: the pages are resident, and `push` does not allocate.
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

    /// Times `touch`. Touches beyond the number that it was created for run, but are not recorded,
    /// since that would allocate.
    #[inline]
    pub fn time(&mut self, touch: impl FnOnce()) {
        let start = Instant::now();
        touch();
        let end = Instant::now();
        if self.spans_ns.len() < self.spans_ns.capacity() {
            self.spans_ns.push(nanoseconds(end.saturating_duration_since(start)));
        }
    }

    /// The recorded times, for the parent.
    #[must_use]
    pub fn timings(&self) -> Timings {
        Timings { touches: Timing::of(&self.spans_ns), clock: Timing::of(&self.empty_ns) }
    }
}

/// The times of a child's touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// The touches.
    pub touches: Timing,
    /// Empty spans: the cost of reading the clock.
    pub clock: Timing,
}

/// A distribution of times, in buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// The longest time.
    pub max_ns: u64,
    /// The buckets that are not empty, ascending.
    pub buckets: Vec<TimeBucket>,
}

/// Times from `low_ns` to just below `high_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeBucket {
    /// The shortest time of the bucket.
    pub low_ns: u64,
    /// The first time beyond the bucket.
    pub high_ns: u64,
    /// The number of times in it.
    pub count: u64,
}

impl Timing {
    /// The distribution of single times.
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

    /// The number of times in it.
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
    fn every_touch_is_recorded_once_without_reallocation() {
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
