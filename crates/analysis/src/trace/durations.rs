//! Durations in bounded memory: single values for few, a histogram for many.

use hdrhistogram::Histogram;

/// The most durations kept as single values.
const EXACT: usize = 256;
/// Two significant digits: a percentile is at most 1 % too high.
const DIGITS: u8 = 2;

/// Durations of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Durations {
    few: Vec<u64>,
    many: Option<Histogram<u64>>,
    /// Number of durations.
    pub(crate) count: u64,
    /// Their sum, in nanoseconds.
    pub(crate) sum_ns: u64,
    max_ns: u64,
}

impl Durations {
    /// Adds one.
    pub(crate) fn add(&mut self, ns: u64) {
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.max_ns = self.max_ns.max(ns);
        self.place(ns);
    }

    fn place(&mut self, ns: u64) {
        match &mut self.many {
            Some(many) => record(many, ns),
            None if self.few.len() < EXACT => self.few.push(ns),
            None => {
                let mut many = histogram();
                for ns in self.few.drain(..).chain([ns]) {
                    record(&mut many, ns);
                }
                self.many = Some(many);
            }
        }
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Durations) {
        for &ns in &other.few {
            self.place(ns);
        }
        if let Some(theirs) = &other.many {
            let own = self.many.get_or_insert_with(histogram);
            own.add(theirs).expect("the histogram resizes itself");
            for ns in self.few.drain(..) {
                record(own, ns);
            }
        }
        self.count += other.count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// The quantile at `per_mille` thousandths: exact for few durations, at most 1 % too high for
    /// many.
    pub(crate) fn quantile_ns(&self, per_mille: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        if let Some(many) = &self.many {
            #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
            return Some(many.value_at_quantile(per_mille as f64 / 1000.0).min(self.max_ns));
        }
        let mut sorted = self.few.clone();
        let rank = (per_mille * self.count).div_ceil(1000).clamp(1, self.count) - 1;
        let (_, &mut ns, _) =
            sorted.select_nth_unstable(usize::try_from(rank).expect("fewer than EXACT"));
        Some(ns)
    }

    /// The longest.
    pub(crate) fn max_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max_ns)
    }
}

/// A histogram that grows with the longest time, so short times take little memory.
fn histogram() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("the library allows this number of digits")
}

fn record(histogram: &mut Histogram<u64>, ns: u64) {
    histogram.record(ns).expect("the histogram grows to hold any time");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_for_few_and_close_for_many() {
        let of = |times: &[u64]| {
            let mut durations = Durations::default();
            for &ns in times {
                durations.add(ns);
            }
            durations
        };
        assert_eq!((of(&[]).quantile_ns(500), of(&[]).max_ns()), (None, None));
        let few = of(&[5, 1, 9, 3]);
        assert_eq!(
            (few.quantile_ns(500), few.quantile_ns(990), few.max_ns()),
            (Some(3), Some(9), Some(9))
        );
        let times: Vec<u64> = (1..=100_000).collect();
        for many in [of(&times), {
            let mut merged = of(&times[..100]);
            merged.merge(&of(&times[200..]));
            merged.merge(&of(&times[100..200]));
            merged
        }] {
            let (p50, p99) = (many.quantile_ns(500).unwrap(), many.quantile_ns(990).unwrap());
            assert!(
                (50_000..=50_500).contains(&p50) && (99_000..=100_000).contains(&p99),
                "{p50} {p99}"
            );
            assert_eq!(
                (many.count, many.sum_ns, many.max_ns()),
                (100_000, 5_000_050_000, Some(100_000))
            );
        }
        assert_eq!(of(&[1 << 62; 300]).quantile_ns(500), Some(1 << 62));
    }
}
