//! The exact distribution behind the sign test: Binomial(n, ½).

/// `2 · P(Bin(n, ½) < k)`: how often the interval from the k-th smallest to the k-th largest of `n`
/// values misses the true median, whatever the distribution. At most 1; 0 for `k` = 0.
#[must_use]
pub fn two_sided_tail(n: usize, k: usize) -> f64 {
    tails(n).nth(k).unwrap_or(1.0).min(1.0)
}

/// The largest rank `k` (counted from 1) whose two-sided tail is within `alpha`; 0 if even `k` = 1
/// is not, in which case `n` values allow no interval.
#[must_use]
pub fn largest_rank(n: usize, alpha: f64) -> usize {
    // tails(n) starts with k = 0, whose tail is 0.
    tails(n).take_while(|&tail| tail <= alpha).count().saturating_sub(1).min(n / 2)
}

/// `2 · P(Bin(n, ½) < k)` for k = 0, 1, 2, … n. Summed from logarithms, so that large `n` does not
/// underflow.
fn tails(n: usize) -> impl Iterator<Item = f64> {
    let log_all = n as f64 * std::f64::consts::LN_2;
    let mut log_choose = 0.0;
    let mut below = 0.0;
    (0..=n).map(move |k| {
        let tail = 2.0 * below;
        below += f64::exp(log_choose - log_all);
        log_choose += f64::ln((n - k) as f64) - f64::ln(k as f64 + 1.0);
        tail
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same tail by enumerating all outcomes of a small `n`.
    fn counted(n: u32, k: u32) -> f64 {
        let below = (0..1_u32 << n).filter(|outcome| outcome.count_ones() < k).count();
        2.0 * below as f64 / f64::from(1_u32 << n)
    }

    #[test]
    fn tails_agree_with_enumeration() {
        for n in 1..=12 {
            for k in 0..=n / 2 {
                let (ours, truth) = (two_sided_tail(n as usize, k as usize), counted(n, k));
                assert!((ours - truth).abs() < 1e-12, "n {n} k {k}: {ours} against {truth}");
            }
        }
    }

    #[test]
    fn the_rank_is_the_largest_that_fits() {
        for n in 1..200 {
            for alpha in [0.05, 0.01, 0.001_25] {
                let k = largest_rank(n, alpha);
                assert!(two_sided_tail(n, k) <= alpha);
                assert!(
                    k == n / 2 || two_sided_tail(n, k + 1) > alpha,
                    "n {n}: {k} is not the largest"
                );
            }
        }
    }

    #[test]
    fn few_values_allow_no_interval() {
        assert_eq!(largest_rank(0, 0.05), 0);
        assert_eq!(largest_rank(5, 0.05), 0);
        assert_eq!(largest_rank(6, 0.05), 1);
    }
}
