//! Latencies of single touches: distributions, percentiles, and the cost of reading the clock.

use serde::{Deserialize, Serialize};

/// Touches of pages timed one by one, over all samples of an arm that count.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// From a clock reading before the touch to one after it, so including the cost of a reading.
    pub touches: Distribution,
    /// The same with nothing between the two readings, in the same processes: the cost of the
    /// clock. It is not subtracted.
    pub clock: Distribution,
    /// Intervals of the percentiles of `touches`; empty if there were too few processes.
    #[serde(default)]
    pub intervals: Vec<PercentileInterval>,
}

/// The interval of the median, over processes, of a percentile in each process; 95 %, by the sign
/// test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PercentileInterval {
    /// The percentile in tenths of a percent: 500 is the median.
    pub per_mille: u64,
    /// Its lower end.
    pub low_ns: u64,
    /// Its upper end.
    pub high_ns: u64,
}

/// A distribution of times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Number of times.
    pub count: u64,
    /// Half of them took at most this long. Percentiles are upper bounds, at most 5 % (or 1 ns) too
    /// high, because they are read from `buckets`.
    pub p50_ns: u64,
    /// 90 % took at most this long.
    pub p90_ns: u64,
    /// 99 % took at most this long.
    pub p99_ns: u64,
    /// 99.9 % took at most this long.
    pub p999_ns: u64,
    /// The longest, exactly.
    pub max_ns: u64,
    /// The distribution in steps of 1, 2 and 5 times a power of ten, from the first non-empty step
    /// to the last, as on the screen.
    pub rows: Vec<LatencyRow>,
    /// The distribution in narrow steps: 1 ns up to 200 ns, and no wider than a twentieth of the
    /// number above. Only non-empty steps, ascending.
    pub buckets: Vec<Bucket>,
}

/// Times from `low_ns` to just below `high_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The shortest time in the bucket.
    pub low_ns: u64,
    /// The shortest time above the bucket.
    pub high_ns: u64,
    /// How many of them.
    pub count: u64,
}

/// A wider bucket and its shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatencyRow {
    /// Range and number.
    #[serde(flatten)]
    pub bucket: Bucket,
    /// Its share of the number of all times.
    pub share: f64,
    /// Its share of the sum of all times, estimated from the middles of the narrow steps.
    pub time_share: f64,
}
