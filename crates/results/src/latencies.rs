//! How long single touches took: distributions, percentiles and what the clock itself takes.

use serde::{Deserialize, Serialize};

/// Touches of pages timed one by one, over all samples of an arm that count.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// Each from a reading of the clock before the touch to one after it, with what the clock takes
    /// in it.
    pub touches: Distribution,
    /// The same with nothing between the two readings, in the same processes: what the clock takes.
    /// It is not subtracted.
    pub clock: Distribution,
    /// How well percentiles of `touches` are known; empty where there were too few processes.
    #[serde(default)]
    pub intervals: Vec<PercentileInterval>,
}

/// Where the percentile of one process lies, in the middle of all processes, at 95 % (the sign
/// test's interval).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PercentileInterval {
    /// Which percentile: 500 is the median.
    pub per_mille: u64,
    /// Its lower end.
    pub low_ns: u64,
    /// Its upper end.
    pub high_ns: u64,
}

/// A distribution of times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Number of times, in all.
    pub count: u64,
    /// Half of them took at most that long. Percentiles are upper bounds that are at most 5 % (or 1
    /// ns) too high, since they are read from `buckets`.
    pub p50_ns: u64,
    /// 90 % took at most that long.
    pub p90_ns: u64,
    /// 99 % took at most that long.
    pub p99_ns: u64,
    /// 99.9 % took at most that long.
    pub p999_ns: u64,
    /// The longest, exactly.
    pub max_ns: u64,
    /// The distribution in steps of 1, 2 and 5 times a power of ten, from the first that holds a
    /// time to the last, as the screen shows it.
    pub rows: Vec<LatencyRow>,
    /// The distribution in narrow steps: 1 ns up to 200 ns, and no wider than a twentieth of the
    /// number above. Only those that hold a time, ascending.
    pub buckets: Vec<Bucket>,
}

/// Times from `low_ns` to just below `high_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The shortest time that belongs here.
    pub low_ns: u64,
    /// The shortest time that is too long to belong here.
    pub high_ns: u64,
    /// How many of them.
    pub count: u64,
}

/// A wider bucket, and what part of all times it holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatencyRow {
    /// Range and number.
    #[serde(flatten)]
    pub bucket: Bucket,
    /// Its number over that of all.
    pub share: f64,
    /// Its part of the time of all, as far as the middles of the narrow steps tell.
    pub time_share: f64,
}
