//! From log ratios to an estimate and a verdict.

use crate::binomial::largest_rank;
use crate::interval::{Interval, sign_interval};
use crate::order::{median_of_sorted, sorted};

/// The confidence at which the placebo is judged, once, at the end.
pub const PLACEBO_CONFIDENCE: f64 = 0.99;

/// How far from 1, as a share, the placebo's interval may reach. A wider one would not notice a
/// bias of a quarter, and is no reason for trust.
const PLACEBO_REACH_MAX: f64 = 0.25;

/// What the data show about an arm against the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The interval lies inside `[1/(1+m), 1+m]`: no difference larger than the margin `m`.
    Equivalent,
    /// The interval excludes 1.
    Different,
    /// Neither: the data do not say.
    Inconclusive,
}

/// An arm against the baseline. Ratios, not logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// `exp(median)` of the log ratios.
    pub ratio: f64,
    /// Lower and upper bound of the ratio; `None` where the look affords no interval.
    pub interval: Option<Interval>,
    /// What follows from the interval.
    pub verdict: Verdict,
    /// How far from 1 a ratio must be for an interval as wide as this one to exclude 1, as a share:
    /// 0.02 is 2 %. An effect of exactly this size would be found about half the time.
    pub smallest_detectable: Option<f64>,
}

/// Judges the log ratios of one arm with the interval of rank `rank` (see [`crate::Spending::pay`])
/// against `margin` (a share: 0.03 is 3 %). `None` if there are no log ratios.
#[must_use]
pub fn compare(log_ratios: &[f64], rank: usize, margin: f64) -> Option<Estimate> {
    let values = sorted(log_ratios);
    let center = median_of_sorted(&values)?;
    Some(estimate(center, sign_interval(&values, rank), margin))
}

/// The estimate of a ratio whose logarithm is `center` and has the bounds `interval`.
pub(crate) fn estimate(center: f64, interval: Option<Interval>, margin: f64) -> Estimate {
    Estimate {
        ratio: center.exp(),
        interval: interval.map(|i| Interval { low: i.low.exp(), high: i.high.exp() }),
        verdict: interval.map_or(Verdict::Inconclusive, |i| verdict(i, margin.ln_1p())),
        smallest_detectable: interval.map(|i| f64::max(i.high - center, center - i.low).exp_m1()),
    }
}

/// Equivalence takes precedence over difference: a difference known to be smaller than the margin
/// is no reason to prefer an arm.
fn verdict(log_ratio: Interval, log_margin: f64) -> Verdict {
    if log_ratio.low >= -log_margin && log_ratio.high <= log_margin {
        Verdict::Equivalent
    } else if log_ratio.contains(0.0) {
        Verdict::Inconclusive
    } else {
        Verdict::Different
    }
}

/// The baseline against itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placebo {
    /// `exp(median)` of its log ratios.
    pub ratio: f64,
    /// Bounds of the ratio at [`PLACEBO_CONFIDENCE`]; `None` for fewer than 8 blocks.
    pub interval: Option<Interval>,
    /// Whether the interval holds 1; `None` without an interval, and where it holds 1 but reaches
    /// further than a quarter from it.
    pub trusted: Option<bool>,
}

/// Judges the placebo's log ratios. `None` if there are none.
#[must_use]
pub fn judge_placebo(log_ratios: &[f64]) -> Option<Placebo> {
    let values = sorted(log_ratios);
    let center = median_of_sorted(&values)?;
    let interval = sign_interval(&values, largest_rank(values.len(), 1.0 - PLACEBO_CONFIDENCE));
    Some(Placebo {
        ratio: center.exp(),
        interval: interval.map(|i| Interval { low: i.low.exp(), high: i.high.exp() }),
        trusted: interval.and_then(|i| {
            let reach = f64::max(i.high, -i.low);
            let is_vague = i.contains(0.0) && reach > PLACEBO_REACH_MAX.ln_1p();
            (!is_vague).then(|| i.contains(0.0))
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(bounds: (f64, f64), margin: f64, expect: Verdict) {
        let values = [bounds.0.ln(), f64::midpoint(bounds.0.ln(), bounds.1.ln()), bounds.1.ln()];
        assert_eq!(
            compare(&values, 1, margin).unwrap().verdict,
            expect,
            "[{}, {}] at {margin}",
            bounds.0,
            bounds.1
        );
    }

    #[test]
    fn verdicts() {
        check((0.98, 1.02), 0.03, Verdict::Equivalent);
        check((0.70, 0.73), 0.03, Verdict::Different);
        check((1.10, 1.20), 0.03, Verdict::Different);
        check((0.95, 1.01), 0.03, Verdict::Inconclusive);
        check((1.01, 1.02), 0.03, Verdict::Equivalent);
        check((1.01, 1.04), 0.03, Verdict::Different);
        // The margin is symmetric in logarithms: 1/1.03 = 0.9709.
        check((0.971, 1.02), 0.03, Verdict::Equivalent);
        check((0.970, 1.02), 0.03, Verdict::Inconclusive);
    }

    #[test]
    fn without_an_interval_the_verdict_is_inconclusive() {
        let estimate = compare(&[-0.5; 5], 0, 0.03).unwrap();
        assert_eq!((estimate.verdict, estimate.interval), (Verdict::Inconclusive, None));
        assert_eq!(compare(&[], 0, 0.03), None);
    }

    #[test]
    fn a_placebo_needs_eight_blocks_and_holds_one() {
        assert_eq!(judge_placebo(&[0.0; 7]).unwrap().trusted, None);
        assert_eq!(
            judge_placebo(&[0.01, -0.01, 0.0, 0.02, -0.02, 0.0, 0.01, -0.01]).unwrap().trusted,
            Some(true)
        );
        assert_eq!(judge_placebo(&[0.03; 12]).unwrap().trusted, Some(false));
    }

    #[test]
    fn a_vague_placebo_is_not_trusted() {
        let within = |low: f64, high: f64| {
            let values = [low.ln(), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, high.ln()];
            judge_placebo(&values).unwrap().trusted
        };
        assert_eq!(within(0.55, 1.18), None, "a bias of 80 % would not be noticed");
        assert_eq!(within(0.98, 1.3), None);
        assert_eq!(within(0.81, 1.24), Some(true));
        assert_eq!(judge_placebo(&[1.0; 12]).unwrap().trusted, Some(false), "nor is it vague");
    }

    proptest! {
        /// Shifting the values by the smallest detectable effect moves the interval off 1.
        #[test]
        fn an_effect_beyond_the_smallest_detectable_is_found(
            values in prop::collection::vec(-0.2..0.2_f64, 12..96),
        ) {
            let center = crate::median(&values).unwrap();
            let centred: Vec<f64> = values.iter().map(|v| v - center).collect();
            let rank = largest_rank(values.len(), 0.0125);
            let limit = compare(&centred, rank, 0.0).unwrap().smallest_detectable.unwrap();
            let moved: Vec<f64> = centred.iter().map(|v| v + (limit + 1e-9).ln_1p()).collect();
            prop_assert_eq!(compare(&moved, rank, 0.0).unwrap().verdict, Verdict::Different);
        }
    }
}
