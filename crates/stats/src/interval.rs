//! The interval of a median by the sign test. Its bounds are two of the values, so it assumes no
//! distribution.

/// An interval on the scale of its input (log ratios, unless stated otherwise).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies inside, bounds included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// From the `rank`-th smallest to the `rank`-th largest of `values_sorted`; `None` for rank 0 (no
/// interval at this confidence) or when there are fewer than `2 · rank` values.
#[must_use]
pub fn sign_interval(values_sorted: &[f64], rank: usize) -> Option<Interval> {
    let n = values_sorted.len();
    (rank > 0 && 2 * rank <= n)
        .then(|| Interval { low: values_sorted[rank - 1], high: values_sorted[n - rank] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_count_from_both_ends() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(sign_interval(&values, 0), None);
        assert_eq!(sign_interval(&values, 1), Some(Interval { low: 1.0, high: 6.0 }));
        assert_eq!(sign_interval(&values, 3), Some(Interval { low: 3.0, high: 4.0 }));
        assert_eq!(sign_interval(&values, 4), None);
    }

    proptest! {
        /// The estimate always lies in its interval, and a higher confidence never narrows it.
        #[test]
        fn intervals_nest_around_the_median(
            values in prop::collection::vec(-1e3..1e3_f64, 2..120),
        ) {
            let values = crate::sorted(&values);
            let center = crate::median(&values).unwrap();
            let mut outer = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
            for rank in 1..=values.len() / 2 {
                let inner = sign_interval(&values, rank).unwrap();
                prop_assert!(inner.contains(center));
                prop_assert!(outer.low <= inner.low && inner.high <= outer.high);
                outer = inner;
            }
        }

        /// Swapping arm and baseline mirrors the interval: the result does not depend on which arm
        /// is the baseline.
        #[test]
        fn swapping_arm_and_baseline_mirrors(
            values in prop::collection::vec(-1.0..1.0_f64, 2..60),
            rank in 1_usize..30,
        ) {
            prop_assume!(2 * rank <= values.len());
            let swapped: Vec<f64> = values.iter().map(|v| -v).collect();
            let one = sign_interval(&crate::sorted(&values), rank).unwrap();
            let other = sign_interval(&crate::sorted(&swapped), rank).unwrap();
            prop_assert_eq!(one, Interval { low: -other.high, high: -other.low });
        }
    }
}
