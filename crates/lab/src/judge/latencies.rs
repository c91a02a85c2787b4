//! Distributions of touches that were timed one by one.

use results::{Bucket, Distribution, Latencies, LatencyRow, PercentileInterval};

use crate::judge::estimate::interval;
use crate::run::Run;
use crate::run::timings::{Histogram, TakenTimings};

/// The percentiles that are shown.
const PER_MILLE: [u64; 4] = [500, 900, 990, 999];

/// By arm of the design: the touches of its samples that count; `None` if none were timed.
#[must_use]
pub(crate) fn latencies(run: &Run, taken: &[TakenTimings]) -> Vec<Option<Latencies>> {
    let of_arm = |arm: usize| {
        let counts = |taken: &&TakenTimings| {
            taken.arm == arm && run.samples[arm].iter().any(|sample| sample.block == taken.block)
        };
        let counted: Vec<&TakenTimings> = taken.iter().filter(counts).collect();
        let sum = |of: fn(&TakenTimings) -> &Histogram| {
            let mut sum = Histogram::default();
            for taken in &counted {
                sum.add(of(taken));
            }
            distribution(sum)
        };
        let touches: Vec<&Histogram> = counted.iter().map(|taken| &taken.touches).collect();
        (!counted.is_empty()).then(|| Latencies {
            touches: sum(|taken| &taken.touches),
            clock: sum(|taken| &taken.clock),
            intervals: intervals(&touches),
        })
    };
    (0..run.samples.len()).map(of_arm).collect()
}

/// Intervals of the percentiles that are shown, from the percentiles of single processes.
fn intervals(each: &[&Histogram]) -> Vec<PercentileInterval> {
    let of = |per_mille: u64| {
        let times_ns: Vec<f64> =
            each.iter().map(|times| percentile(times, per_mille) as f64).collect();
        let bounds = interval(&times_ns)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounds are times of the list"
        )]
        let [low_ns, high_ns] = [bounds.low as u64, bounds.high as u64];
        Some(PercentileInterval { per_mille, low_ns, high_ns })
    };
    PER_MILLE.into_iter().filter_map(of).collect()
}

/// A distribution in the form of the result.
fn distribution(times: Histogram) -> Distribution {
    let count = times.count();
    let at = |per_mille: u64| percentile(&times, per_mille);
    Distribution {
        count,
        p50_ns: at(PER_MILLE[0]),
        p90_ns: at(PER_MILLE[1]),
        p99_ns: at(PER_MILLE[2]),
        p999_ns: at(PER_MILLE[3]),
        max_ns: times.max_ns,
        rows: rows(&times.buckets, count),
        buckets: times.buckets,
    }
}

/// The time that `per_mille` of a thousand do not exceed, by nearest rank: the longest time of its
/// bucket.
fn percentile(times: &Histogram, per_mille: u64) -> u64 {
    let rank = (u128::from(times.count()) * u128::from(per_mille)).div_ceil(1000).max(1);
    let mut passed = 0_u128;
    let bucket = times.buckets.iter().find(|bucket| {
        passed += u128::from(bucket.count);
        passed >= rank
    });
    bucket.map_or(0, |bucket| (bucket.high_ns - 1).min(times.max_ns))
}

/// The buckets grouped by steps of 1, 2 and 5, which no bucket crosses.
fn rows(buckets: &[Bucket], count: u64) -> Vec<LatencyRow> {
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Vec::new() };
    // The times of a bucket are taken as its midpoint.
    let time = |bucket: &Bucket| {
        f64::midpoint(bucket.low_ns as f64, (bucket.high_ns - 1) as f64) * bucket.count as f64
    };
    let total: f64 = buckets.iter().map(time).sum();
    let row = |(low_ns, high_ns): (u64, u64)| {
        let inside = || buckets.iter().filter(|bucket| (low_ns..high_ns).contains(&bucket.low_ns));
        let held = inside().map(|bucket| bucket.count).sum();
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        LatencyRow {
            bucket: Bucket { low_ns, high_ns, count: held },
            share: share(held as f64, count as f64),
            time_share: share(inside().map(time).fold(0.0, |sum, part| sum + part), total),
        }
    };
    steps().filter(|&(low, high)| high > first.low_ns && low <= last.low_ns).map(row).collect()
}

/// 0 to 1, 1 to 2, 2 to 5, 5 to 10 and so on.
fn steps() -> impl Iterator<Item = (u64, u64)> {
    let edges =
        (0..20).flat_map(|digits| [1, 2, 5].map(|times| 10_u64.pow(digits).saturating_mul(times)));
    std::iter::once(0).chain(edges.clone()).zip(edges)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use sample::stopwatch::Timing;

    fn histogram(times_ns: &[u64]) -> Histogram {
        Timing::of(times_ns).into()
    }

    #[test]
    fn bucket_limits_include_row_limits() {
        let timing = histogram(&[18, 19, 20, 21, 4_000]);
        let rows = rows(&timing.buckets, 5);
        let ranges: Vec<_> = rows
            .iter()
            .map(|row| (row.bucket.low_ns, row.bucket.high_ns, row.bucket.count))
            .collect();
        assert_eq!(ranges[..2], [(10, 20, 2), (20, 50, 2)]);
        assert_eq!((ranges.last(), ranges.len()), (Some(&(2_000, 5_000, 1)), 8));
        assert!(rows[7].time_share > 0.98 && (rows[7].share - 0.2).abs() < 1e-12, "{rows:?}");
    }

    #[test]
    fn intervals_are_those_of_processes() {
        let timings: Vec<Histogram> = (1..=12).map(|n| histogram(&[10 + n, 10 + n, 500])).collect();
        let each: Vec<&Histogram> = timings.iter().collect();
        let all = intervals(&each);
        assert_eq!(
            all[0],
            PercentileInterval { per_mille: 500, low_ns: 13, high_ns: 20 },
            "the third from either end"
        );
        assert_eq!(all.iter().map(|interval| interval.per_mille).collect::<Vec<_>>(), PER_MILLE);
        assert_eq!(intervals(&each[..5]), [], "five processes are too few for 95 %");
    }

    #[test]
    fn no_times_give_no_distribution() {
        let nothing = distribution(Histogram::default());
        assert_eq!((nothing.count, nothing.max_ns, nothing.rows.len()), (0, 0, 0));
    }

    proptest! {
        /// Adding histograms is the same as counting all times at once; percentiles are those of
        /// the times themselves, or at most a twentieth above.
        #[test]
        fn sums_and_percentiles_hold(
            one in proptest::collection::vec(0_u64..10_000_000, 1..200),
            other in proptest::collection::vec(0_u64..3_000, 0..200),
        ) {
            let mut sum = histogram(&one);
            sum.add(&histogram(&other));
            let mut all = [one, other].concat();
            all.sort_unstable();
            prop_assert_eq!(&sum, &histogram(&all));
            let shown = distribution(sum);
            prop_assert_eq!(shown.count, all.len() as u64);
            let in_buckets: u64 = shown.buckets.iter().map(|bucket| bucket.count).sum();
            let in_rows: u64 = shown.rows.iter().map(|row| row.bucket.count).sum();
            prop_assert_eq!((in_buckets, in_rows), (shown.count, shown.count));
            prop_assert_eq!(shown.max_ns, *all.last().unwrap());
            let percentiles = [shown.p50_ns, shown.p90_ns, shown.p99_ns, shown.p999_ns];
            for (per_mille, found) in [500, 900, 990, 999].into_iter().zip(percentiles) {
                let exact = all[(all.len() * per_mille).div_ceil(1000) - 1];
                let most = exact as f64 * 1.05 + 1.0;
                prop_assert!(found >= exact && found as f64 <= most, "{} for {}", found, exact);
            }
        }
    }
}
