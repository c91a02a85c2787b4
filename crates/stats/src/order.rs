//! Order statistics: the median, and a spread that a burst of outliers hardly changes.

/// Makes the median absolute deviation of a normal sample estimate its standard deviation (1 /
/// Φ⁻¹(¾)).
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// A sorted copy of `values`.
#[must_use]
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut copy = values.to_vec();
    copy.sort_by(f64::total_cmp);
    copy
}

/// The median; the mean of the middle two for an even number of values; `None` for no values.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    median_of_sorted(&sorted(values))
}

/// As [`median`], for values that are already sorted.
pub(crate) fn median_of_sorted(values: &[f64]) -> Option<f64> {
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// The spread of the bulk of `values`, on the scale of a standard deviation: 1.4826 times the
/// median absolute deviation from the median. Up to half of the values may be arbitrarily far away
/// without moving it much.
#[must_use]
pub fn robust_spread(values: &[f64]) -> Option<f64> {
    let center = median(values)?;
    let deviations: Vec<f64> = values.iter().map(|v| (v - center).abs()).collect();
    median(&deviations).map(|mad| mad * MAD_TO_SIGMA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn the_robust_spread_ignores_a_burst() {
        let quiet: Vec<f64> = (-50..=50).map(f64::from).collect();
        let mut bursty = quiet.clone();
        bursty.extend([1e6; 10]);
        let (quiet, bursty) = (robust_spread(&quiet).unwrap(), robust_spread(&bursty).unwrap());
        assert!((quiet - 25.0 * MAD_TO_SIGMA).abs() < 1e-9, "{quiet}");
        assert!(bursty < quiet * 1.25, "{bursty} against {quiet}");
    }
}
