//! Touches timed one by one: the inside of a child whose touches are timed, and distributions of what it found.
//!
//! Each touch has a reading of the clock before it and one after it. On x86 and Arm the reading waits for what precedes it
//! (`rdtsc_ordered` and `isb` in the kernel's vDSO), so a fault lies between the two; a write that faults nowhere may
//! still be on its way to the cache at the second reading. What the two readings take themselves is measured in the same
//! process, with nothing between them, and told beside the touches.

use std::time::Instant;

use results::{Bucket, Distribution, LabResult, Latencies, PercentileInterval, Row};
use serde::{Deserialize, Serialize};

use crate::design::Design;
use crate::judge::estimate::interval;
use crate::question::quantity::nanoseconds;

/// Empty spans that are timed for what the clock takes.
const EMPTY_SPANS: usize = 1000;
/// A bucket is no wider than this part of the power of ten below it.
const PARTS_OF_TEN: u64 = 20;

/// The percentiles that are shown.
const PER_MILLE: [u64; 4] = [500, 900, 990, 999];

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

    /// Times `touch`. What comes after the touches that it was made for is run, but not noted: noting it would allocate.
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

/// What one sample said of its touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenTimings {
    /// Of which arm of the design.
    pub arm: usize,
    /// In which block.
    pub block: u64,
    /// What it said.
    pub timings: Timings,
}

/// Adds to each arm the touches of its samples that count.
pub fn attach(result: &mut LabResult, design: &Design, taken: &[TakenTimings]) {
    for arm in &mut result.arms {
        let of_arm = |taken: &&TakenTimings| {
            design.arms[taken.arm].name == arm.name && arm.samples.iter().any(|sample| sample.block == taken.block)
        };
        let mut sum: Option<Timings> = None;
        for taken in taken.iter().filter(of_arm) {
            sum.get_or_insert_default().add(&taken.timings);
        }
        let each: Vec<&Timing> = taken.iter().filter(of_arm).map(|taken| &taken.timings.touches).collect();
        arm.latencies = sum.map(|sum| Latencies { intervals: intervals(&each), ..sum.latencies() });
    }
}

/// Of the percentiles that are shown, from those of single processes.
fn intervals(each: &[&Timing]) -> Vec<PercentileInterval> {
    let of = |per_mille: u64| {
        let times_ns: Vec<f64> = each.iter().map(|timing| timing.percentile(per_mille) as f64).collect();
        let bounds = interval(&times_ns)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounds are times of the list")]
        let [low_ns, high_ns] = [bounds.low as u64, bounds.high as u64];
        Some(PercentileInterval { per_mille, low_ns, high_ns })
    };
    PER_MILLE.into_iter().filter_map(of).collect()
}

/// Times in buckets. They can be added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// The longest.
    pub max_ns: u64,
    /// Only those that hold a time, ascending.
    pub buckets: Vec<Bucket>,
}

impl Timings {
    /// Adds those of another child.
    pub fn add(&mut self, other: &Timings) {
        self.touches.add(&other.touches);
        self.clock.add(&other.clock);
    }

    /// As the result has it.
    #[must_use]
    pub fn latencies(self) -> Latencies {
        Latencies { touches: self.touches.distribution(), clock: self.clock.distribution(), intervals: Vec::new() }
    }
}

impl Timing {
    /// Of single times.
    #[must_use]
    pub fn of(times_ns: &[u64]) -> Self {
        let mut sorted = times_ns.to_vec();
        sorted.sort_unstable();
        let mut timing = Timing { max_ns: sorted.last().copied().unwrap_or(0), buckets: Vec::new() };
        for time_ns in sorted {
            match timing.buckets.last_mut() {
                Some(bucket) if time_ns < bucket.high_ns => bucket.count += 1,
                _ => timing.buckets.push(Bucket { count: 1, ..bucket_of(time_ns) }),
            }
        }
        timing
    }

    /// How many times it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// Adds the times of another.
    pub fn add(&mut self, other: &Timing) {
        self.max_ns = self.max_ns.max(other.max_ns);
        for bucket in &other.buckets {
            match self.buckets.binary_search_by_key(&bucket.low_ns, |own| own.low_ns) {
                Ok(place) => self.buckets[place].count += bucket.count,
                Err(place) => self.buckets.insert(place, *bucket),
            }
        }
    }

    fn distribution(self) -> Distribution {
        let count = self.count();
        let at = |per_mille: u64| self.percentile(per_mille);
        Distribution {
            count,
            p50_ns: at(PER_MILLE[0]),
            p90_ns: at(PER_MILLE[1]),
            p99_ns: at(PER_MILLE[2]),
            p999_ns: at(PER_MILLE[3]),
            max_ns: self.max_ns,
            rows: rows(&self.buckets, count),
            buckets: self.buckets,
        }
    }

    /// The time that so many of a thousand do not exceed, by nearest rank: the longest time of its bucket.
    fn percentile(&self, per_mille: u64) -> u64 {
        let rank = (u128::from(self.count()) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut passed = 0_u128;
        let bucket = self.buckets.iter().find(|bucket| {
            passed += u128::from(bucket.count);
            passed >= rank
        });
        bucket.map_or(0, |bucket| (bucket.high_ns - 1).min(self.max_ns))
    }
}

/// The bucket that holds `time_ns`, with no count.
fn bucket_of(time_ns: u64) -> Bucket {
    let power = time_ns.checked_ilog10().map_or(1, |digits| 10_u64.pow(digits));
    let width = (power / PARTS_OF_TEN).max(1);
    let low_ns = time_ns / width * width;
    Bucket { low_ns, high_ns: low_ns.saturating_add(width), count: 0 }
}

/// The buckets gathered by steps of 1, 2 and 5, which no bucket reaches across.
fn rows(buckets: &[Bucket], count: u64) -> Vec<Row> {
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Vec::new() };
    // What a time in a bucket takes, as far as the bucket tells.
    let time = |bucket: &Bucket| f64::midpoint(bucket.low_ns as f64, (bucket.high_ns - 1) as f64) * bucket.count as f64;
    let total: f64 = buckets.iter().map(time).sum();
    let row = |(low_ns, high_ns): (u64, u64)| {
        let inside = || buckets.iter().filter(|bucket| (low_ns..high_ns).contains(&bucket.low_ns));
        let held = inside().map(|bucket| bucket.count).sum();
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        Row {
            bucket: Bucket { low_ns, high_ns, count: held },
            share: share(held as f64, count as f64),
            time_share: share(inside().map(time).fold(0.0, |sum, part| sum + part), total),
        }
    };
    steps().filter(|&(low, high)| high > first.low_ns && low <= last.low_ns).map(row).collect()
}

/// 0 to 1, 1 to 2, 2 to 5, 5 to 10 and so on.
fn steps() -> impl Iterator<Item = (u64, u64)> {
    let edges = (0..20).flat_map(|digits| [1, 2, 5].map(|times| 10_u64.pow(digits).saturating_mul(times)));
    std::iter::once(0).chain(edges.clone()).zip(edges)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_narrow_and_end_where_rows_end() {
        for (time, low, high) in
            [(0, 0, 1), (9, 9, 10), (199, 195, 200), (200, 200, 205), (1234, 1200, 1250), (5_049, 5_000, 5_050)]
        {
            let bucket = bucket_of(time);
            assert_eq!((bucket.low_ns, bucket.high_ns), (low, high), "{time}");
        }
        let timing = Timing::of(&[18, 19, 20, 21, 4_000]);
        let rows = rows(&timing.buckets, 5);
        let ranges: Vec<_> = rows.iter().map(|row| (row.bucket.low_ns, row.bucket.high_ns, row.bucket.count)).collect();
        assert_eq!(ranges[..2], [(10, 20, 2), (20, 50, 2)]);
        assert_eq!((ranges.last(), ranges.len()), (Some(&(2_000, 5_000, 1)), 8));
        assert!(rows[7].time_share > 0.98 && (rows[7].share - 0.2).abs() < 1e-12, "{rows:?}");
    }

    #[test]
    fn intervals_are_those_of_processes() {
        let timings: Vec<Timing> = (1..=12).map(|n| Timing::of(&[10 + n, 10 + n, 500])).collect();
        let each: Vec<&Timing> = timings.iter().collect();
        let all = intervals(&each);
        assert_eq!(all[0], PercentileInterval { per_mille: 500, low_ns: 13, high_ns: 20 }, "the third from either end");
        assert_eq!(all.iter().map(|interval| interval.per_mille).collect::<Vec<_>>(), PER_MILLE);
        assert_eq!(intervals(&each[..5]), [], "five processes are too few for 95 %");
    }

    #[test]
    fn nothing_timed_is_no_distribution() {
        let nothing = Timings::default().latencies();
        assert_eq!((nothing.touches.count, nothing.touches.max_ns, nothing.touches.rows.len()), (0, 0, 0));
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

    proptest! {
        /// Adding up bucket by bucket is the same as counting all times at once; percentiles are those of the times
        /// themselves, or at most a twentieth above.
        #[test]
        fn sums_and_percentiles_hold(
            one in proptest::collection::vec(0_u64..10_000_000, 1..200),
            other in proptest::collection::vec(0_u64..3_000, 0..200),
        ) {
            let mut sum = Timing::of(&one);
            sum.add(&Timing::of(&other));
            let mut all = [one, other].concat();
            all.sort_unstable();
            prop_assert_eq!(&sum, &Timing::of(&all));
            let shown = sum.distribution();
            prop_assert_eq!(shown.count, all.len() as u64);
            prop_assert_eq!(shown.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), shown.count);
            prop_assert_eq!(shown.rows.iter().map(|row| row.bucket.count).sum::<u64>(), shown.count);
            prop_assert_eq!(shown.max_ns, *all.last().unwrap());
            for (per_mille, found) in
                [(500, shown.p50_ns), (900, shown.p90_ns), (990, shown.p99_ns), (999, shown.p999_ns)]
            {
                let exact = all[(all.len() * per_mille).div_ceil(1000) - 1];
                prop_assert!(found >= exact && found as f64 <= exact as f64 * 1.05 + 1.0, "{} for {}", found, exact);
            }
        }
    }
}
