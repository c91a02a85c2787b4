//! Two other estimators of the same ratio, reported beside the median: where all three agree, the
//! choice of estimator did not matter.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::interval::Interval;
use crate::order::median_of_sorted;

/// Above this many values there are too many pairs to compute for a secondary figure.
const PAIRS_OF_AT_MOST: usize = 1_000;
/// Up to this many values the signed-rank distribution is computed exactly; above, the normal
/// approximation is accurate enough.
const EXACT_UP_TO: usize = 120;

/// The Hodges–Lehmann estimate (median of all pairwise means) and its signed-rank interval that
/// misses with probability `alpha`, if the distribution is symmetric. `None` for no values or more
/// than 1,000; the interval is `None` for too few values.
#[must_use]
pub fn hodges_lehmann(values: &[f64], alpha: f64) -> Option<(f64, Option<Interval>)> {
    let n = values.len();
    if n > PAIRS_OF_AT_MOST {
        return None;
    }
    let mut means: Vec<f64> = (0..n)
        .flat_map(|i| values[i..].iter().map(move |v| f64::midpoint(values[i], *v)))
        .collect();
    means.sort_by(f64::total_cmp);
    let center = median_of_sorted(&means)?;
    let rank = signed_rank(n, alpha / 2.0);
    Some((
        center,
        (rank > 0).then(|| Interval { low: means[rank - 1], high: means[means.len() - rank] }),
    ))
}

/// The largest `k` with P(T < k) ≤ `tail` for Wilcoxon's signed-rank sum T of `n` values.
fn signed_rank(n: usize, tail: f64) -> usize {
    let sums = n * (n + 1) / 2;
    if n > EXACT_UP_TO {
        let sigma = (sums as f64 * (2.0 * n as f64 + 1.0) / 12.0).sqrt();
        let normal = Normal::new(sums as f64 / 2.0, sigma).expect("a positive deviation");
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank, clamped at 0"
        )]
        return normal.inverse_cdf(tail).floor().max(0.0) as usize;
    }
    // chances[s] = P(T = s): each rank joins the sum or not, with a fair coin.
    let mut chances = vec![0.0; sums + 1];
    chances[0] = 1.0;
    for rank in 1..=n {
        for s in (0..=sums).rev() {
            let joined = if s >= rank { chances[s - rank] } else { 0.0 };
            chances[s] = f64::midpoint(chances[s], joined);
        }
    }
    let mut below = 0.0;
    chances
        .iter()
        .take_while(|&&chance| {
            below += chance;
            below <= tail
        })
        .count()
}

/// The mean and its t interval that misses with probability `alpha`, if the distribution is normal.
/// `None` for no values; the interval is `None` for one value.
#[must_use]
pub fn mean_t(values: &[f64], alpha: f64) -> Option<(f64, Option<Interval>)> {
    let n = values.len() as f64;
    let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / n)?;
    let interval = StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|t| {
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half = t.inverse_cdf(1.0 - alpha / 2.0) * (variance / n).sqrt();
        Interval { low: mean - half, high: mean + half }
    });
    Some((mean, interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Textbook values: T ≤ 8 of n = 10 has probability 0.0244 (Wilcoxon's table, two-sided 5 %).
    #[test]
    fn signed_ranks_agree_with_the_table() {
        for (n, tail, expect) in [(6, 0.025, 1), (10, 0.025, 9), (10, 0.005, 4), (20, 0.025, 53)] {
            assert_eq!(signed_rank(n, tail), expect, "n {n}, tail {tail}");
        }
        assert_eq!(signed_rank(5, 0.025), 0);
    }

    #[test]
    fn the_normal_approximation_continues_the_exact_ranks() {
        let exact = signed_rank(EXACT_UP_TO, 0.025);
        let beyond = signed_rank(EXACT_UP_TO + 1, 0.025);
        assert!((45..57).contains(&(beyond - exact)), "{exact} then {beyond}");
    }

    #[test]
    fn all_agree_on_symmetric_data() {
        let values: Vec<f64> = (-20..=20).map(|i| 0.1 + f64::from(i) / 100.0).collect();
        let (hl, hl_interval) = hodges_lehmann(&values, 0.05).unwrap();
        let (mean, t_interval) = mean_t(&values, 0.05).unwrap();
        assert!((hl - 0.1).abs() < 1e-12 && (mean - 0.1).abs() < 1e-12);
        let (hl_interval, t_interval) = (hl_interval.unwrap(), t_interval.unwrap());
        assert!((hl_interval.low - t_interval.low).abs() < 0.02, "{hl_interval:?} {t_interval:?}");
        // Student's t with 40 degrees of freedom: 2.0211; the standard error is 0.018708.
        assert!((t_interval.high - (0.1 + 2.021_075 * 0.018_708)).abs() < 1e-5, "{t_interval:?}");
    }

    #[test]
    fn too_few_values_have_no_interval() {
        assert_eq!(hodges_lehmann(&[], 0.05), None);
        assert_eq!(mean_t(&[0.3], 0.05), Some((0.3, None)));
        assert_eq!(hodges_lehmann(&[0.3], 0.05), Some((0.3, None)));
    }
}
