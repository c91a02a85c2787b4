//! A trend over blocks: the machine warmed up, slowed down or filled up during the measurement.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::order::median;

/// Probability of reporting a trend where there is none.
const ALPHA: f64 = 0.001;
const VALUES_MIN: usize = 12;

/// A steady rise or fall of positive values in time order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// How many times as large the last value is as the first, on the fitted line.
    pub last_over_first: f64,
}

/// Tests positive `values`, in time order, for a trend: Mann–Kendall at 0.1 %, the size by Theil
/// and Sen's median of slopes; outliers affect neither much. `None` if none is found or there are
/// fewer than 12 values.
#[must_use]
pub fn trend(values: &[f64]) -> Option<Trend> {
    let n = values.len();
    if n < VALUES_MIN || values.iter().any(|v| *v <= 0.0) {
        return None;
    }
    let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
    let mut concordance = 0.0;
    let mut slopes = Vec::with_capacity(n * (n - 1) / 2);
    for i in 0..n {
        for j in i + 1..n {
            let rise = logs[j] - logs[i];
            concordance += if rise > 0.0 {
                1.0
            } else if rise < 0.0 {
                -1.0
            } else {
                0.0
            };
            slopes.push(rise / (j - i) as f64);
        }
    }
    let count = n as f64;
    let sigma = (count * (count - 1.0) * (2.0 * count + 5.0) / 18.0).sqrt();
    let limit = Normal::standard().inverse_cdf(1.0 - ALPHA / 2.0);
    ((f64::abs(concordance) - 1.0) / sigma > limit)
        .then(|| Trend { last_over_first: (median(&slopes).unwrap_or(0.0) * (count - 1.0)).exp() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_is_found_and_sized_through_noise() {
        let values: Vec<f64> = (0..24_u32)
            .map(|i| 100.0 * 1.01_f64.powi(i.cast_signed()) * if i % 2 == 0 { 1.02 } else { 0.98 })
            .collect();
        let found = trend(&values).expect("a trend");
        assert!((found.last_over_first - 1.01_f64.powi(23)).abs() < 0.03, "{found:?}");
    }

    #[test]
    fn noise_constants_and_few_values_have_none() {
        assert_eq!(trend(&[5.0; 30]), None);
        assert_eq!(
            trend(&(0..30).map(|i| 100.0 + f64::from(i * 7 % 11)).collect::<Vec<_>>()),
            None
        );
        assert_eq!(trend(&[1.0, 2.0, 3.0]), None);
    }
}
