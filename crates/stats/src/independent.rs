//! Two samples that were not taken together: two runs, hours or machines apart. There are no blocks
//! to take ratios within, so the medians of the two are compared.

use crate::binomial::largest_rank;
use crate::interval::{Interval, sign_interval};
use crate::order::{median_of_sorted, sorted};
use crate::verdict::{Estimate, estimate};

/// A larger correlation of neighbours is not distinguished from a level that moved once.
const CORRELATION_MAX: f64 = 0.9;

/// The ratio of the medians of `new` over `old`, both logarithms in the order in which they were
/// measured, with an interval that misses with probability `alpha`, judged against `margin` (a
/// share). `None` if either is empty; there is no interval if either has too few values for one.
///
/// Each median has its sign interval at `alpha`, so no distribution is assumed; the two are joined
/// by the method of variance estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008):
/// the distances from the medians to the bounds are added as the legs of right-angled triangles,
/// each side on its own, because the distributions may be skewed. The ranks are those of fewer
/// values where neighbours resemble each other (see `effective_count`). `tests/independent.rs`
/// shows what this covers, and what the alternatives do not.
#[must_use]
pub fn compare_independent(old: &[f64], new: &[f64], alpha: f64, margin: f64) -> Option<Estimate> {
    let (old, new) = (median_with_bounds(old, alpha)?, median_with_bounds(new, alpha)?);
    let center = new.median - old.median;
    let interval = old.interval.zip(new.interval).map(|(o, n)| Interval {
        low: center - f64::hypot(new.median - n.low, o.high - old.median),
        high: center + f64::hypot(n.high - new.median, old.median - o.low),
    });
    Some(estimate(center, interval, margin))
}

/// A median and its sign interval.
struct Bounded {
    median: f64,
    interval: Option<Interval>,
}

fn median_with_bounds(values: &[f64], alpha: f64) -> Option<Bounded> {
    let in_order = sorted(values);
    let median = median_of_sorted(&in_order)?;
    let rank = rank(values, median, alpha);
    Some(Bounded { median, interval: sign_interval(&in_order, rank) })
}

/// The rank of the interval: as large a share of the values as the effective number of them allows.
/// Where that is too few for any interval, but the values are enough, the interval is their range.
fn rank(values: &[f64], median: f64, alpha: f64) -> usize {
    let independent = largest_rank(values.len(), alpha);
    let effective = effective_count(values, median);
    let scaled = largest_rank(effective, alpha) * values.len() / effective.max(1);
    scaled.clamp(independent.min(1), independent)
}

/// How many independent values would tell as much about the median: n · (1 − r) / (1 + r), where r
/// is the correlation of neighbours being on the same side of the median, as if it faded by the
/// same factor with every further value. What alternates counts as independent.
fn effective_count(values: &[f64], median: f64) -> usize {
    let sides: Vec<f64> = values.iter().map(|value| side(*value, median)).collect();
    let count = values.len() as f64;
    let off_median = sides.iter().filter(|side| **side != 0.0).count();
    if off_median == 0 {
        return values.len();
    }
    let products: f64 = sides.windows(2).map(|pair| pair[0] * pair[1]).sum();
    // Of independent values the estimate is 1/n too small on average.
    let correlation = products / off_median as f64 + 1.0 / count;
    let correlation = correlation.clamp(0.0, CORRELATION_MAX);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of values"
    )]
    let effective = (count * (1.0 - correlation) / (1.0 + correlation)).floor() as usize;
    effective
}

/// On which side of the median a value is: −1, 0 or 1.
fn side(value: f64, median: f64) -> f64 {
    if value > median {
        1.0
    } else if value < median {
        -1.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use proptest::prelude::*;

    /// An even and an odd pattern that alternate around `center`.
    fn alternating(center: f64, count: u32) -> Vec<f64> {
        (0..count)
            .map(|i| center + f64::from(i / 2 + 1) * if i % 2 == 0 { 0.001 } else { -0.001 })
            .collect()
    }

    #[test]
    fn a_shift_is_found_and_sized() {
        let (old, new) = (alternating(1.0, 24), alternating(1.0 + 1.2_f64.ln(), 24));
        let found = compare_independent(&old, &new, 0.05, 0.03).unwrap();
        assert!((found.ratio - 1.2).abs() < 1e-9, "{found:?}");
        assert_eq!(found.verdict, Verdict::Different);
        let same = compare_independent(&old, &old, 0.05, 0.03).unwrap();
        assert_eq!((same.ratio, same.verdict), (1.0, Verdict::Equivalent));
        let unclear = compare_independent(&old, &old, 0.05, 0.001).unwrap();
        assert_eq!(unclear.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn the_bounds_are_those_of_both_medians() {
        // Six values at 5 %: each interval is the range, [-0.003, 0.003] around the median.
        let old = alternating(0.0, 6);
        let found = compare_independent(&old, &old, 0.05, 0.03).unwrap().interval.unwrap();
        let reach = (2.0_f64).sqrt() * 0.003;
        assert!((found.low.ln() + reach).abs() < 1e-12, "{found:?}");
        assert!((found.high.ln() - reach).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn few_values_have_no_interval() {
        let (few, many) = (alternating(0.0, 5), alternating(1.0, 50));
        for (old, new) in [(&few, &many), (&many, &few)] {
            let found = compare_independent(old, new, 0.05, 0.03).unwrap();
            assert_eq!((found.interval, found.verdict), (None, Verdict::Inconclusive));
        }
        assert_eq!(compare_independent(&[], &many, 0.05, 0.03), None);
        assert_eq!(compare_independent(&many, &[], 0.05, 0.03), None);
    }

    #[test]
    fn values_that_resemble_their_neighbours_count_less() {
        let apart: Vec<f64> = alternating(0.0, 40);
        assert_eq!(effective_count(&apart, 0.0), 40);
        let wandering: Vec<f64> = (0..40).map(|i| f64::from(i / 5 % 2) - 0.5).collect();
        // Of 39 pairs of neighbours 7 change sides: r = (32 - 7) / 40 + 1 / 40 = 0.65.
        assert_eq!(effective_count(&wandering, 0.0), 8);
        assert_eq!(effective_count(&[1.0; 9], 1.0), 9, "equal values say nothing about order");
        let alone = rank(&apart, 0.0, 0.05);
        assert!(rank(&wandering, 0.0, 0.05) < alone && alone == largest_rank(40, 0.05));
    }

    proptest! {
        /// Swapping the two inverts the ratio and its bounds.
        #[test]
        fn swapping_mirrors(
            old in prop::collection::vec(-1.0..1.0_f64, 6..60),
            new in prop::collection::vec(-1.0..1.0_f64, 6..60),
        ) {
            let one = compare_independent(&old, &new, 0.05, 0.03).unwrap();
            let other = compare_independent(&new, &old, 0.05, 0.03).unwrap();
            prop_assert!((one.ratio * other.ratio - 1.0).abs() < 1e-9);
            let (one, other) = (one.interval.unwrap(), other.interval.unwrap());
            prop_assert!((one.low * other.high - 1.0).abs() < 1e-9);
            prop_assert!((one.high * other.low - 1.0).abs() < 1e-9);
        }

        /// The estimate lies in its interval, which a smaller alpha never narrows.
        #[test]
        fn intervals_nest(
            old in prop::collection::vec(-1.0..1.0_f64, 12..60),
            new in prop::collection::vec(-1.0..1.0_f64, 12..60),
        ) {
            let wide = compare_independent(&old, &new, 0.005, 0.03).unwrap();
            let narrow = compare_independent(&old, &new, 0.05, 0.03).unwrap();
            let (outer, inner) = (wide.interval.unwrap(), narrow.interval.unwrap());
            prop_assert!(inner.contains(narrow.ratio));
            prop_assert!(outer.low <= inner.low && inner.high <= outer.high);
        }
    }
}
