//! Times of the touches of a sample that were timed one by one.

use results::Bucket;
use sample::stopwatch::{TimeBucket, Timing, Timings};

/// The times of one sample's touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenTimings {
    /// The index of its arm in the design.
    pub arm: usize,
    /// Its block.
    pub block: u64,
    /// The touches.
    pub touches: Histogram,
    /// Empty spans: the cost of reading the clock.
    pub clock: Histogram,
}

impl TakenTimings {
    /// The times of the sample of `arm` in `block`.
    #[must_use]
    pub fn new(arm: usize, block: u64, timings: Timings) -> Self {
        TakenTimings { arm, block, touches: timings.touches.into(), clock: timings.clock.into() }
    }
}

/// Times in buckets. Histograms can be added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The longest time.
    pub max_ns: u64,
    /// The buckets that are not empty, ascending.
    pub buckets: Vec<Bucket>,
}

impl From<Timing> for Histogram {
    fn from(timing: Timing) -> Self {
        let bucket =
            |TimeBucket { low_ns, high_ns, count }: TimeBucket| Bucket { low_ns, high_ns, count };
        Histogram {
            max_ns: timing.max_ns,
            buckets: timing.buckets.into_iter().map(bucket).collect(),
        }
    }
}

impl Histogram {
    /// The number of times in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// Adds the times of another.
    pub fn add(&mut self, other: &Histogram) {
        self.max_ns = self.max_ns.max(other.max_ns);
        for bucket in &other.buckets {
            match self.buckets.binary_search_by_key(&bucket.low_ns, |own| own.low_ns) {
                Ok(place) => self.buckets[place].count += bucket.count,
                Err(place) => self.buckets.insert(place, *bucket),
            }
        }
    }
}
