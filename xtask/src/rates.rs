//! Rates with exact intervals, and Welch's t-test.

use statrs::distribution::{Beta, ContinuousCDF, StudentsT};

/// A number of hits out of a total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The hits.
    pub(crate) hits: u64,
    /// The total.
    pub(crate) of: u64,
}

impl Rate {
    /// How many of `outcomes` are true.
    pub(crate) fn of(outcomes: impl IntoIterator<Item = bool>) -> Self {
        outcomes.into_iter().fold(Rate::default(), |rate, hit| Rate {
            hits: rate.hits + u64::from(hit),
            of: rate.of + 1,
        })
    }

    /// The exact 95 % interval of the true rate (Clopper and Pearson 1934).
    #[must_use]
    pub(crate) fn interval(self) -> (f64, f64) {
        const TAIL: f64 = 0.025;
        let (hits, misses) = (self.hits as f64, (self.of - self.hits) as f64);
        let quantile =
            |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
        let low = if self.hits == 0 { 0.0 } else { quantile(hits, misses + 1.0, TAIL) };
        let high =
            if self.hits == self.of { 1.0 } else { quantile(hits + 1.0, misses, 1.0 - TAIL) };
        (low, high)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.of == 0 {
            return f.write_str("-");
        }
        let ((low, high), share) = (self.interval(), self.hits as f64 / self.of as f64);
        write!(
            f,
            "{} of {} = {:.1} % [{:.1}, {:.1}]",
            self.hits,
            self.of,
            100.0 * share,
            100.0 * low,
            100.0 * high
        )
    }
}

/// The two-sided p of Welch's t-test that two samples have the same mean; `None` for fewer than two
/// values each, or for constant values.
#[must_use]
pub(crate) fn welch(a: &[f64], b: &[f64]) -> Option<f64> {
    let moments = |values: &[f64]| {
        let (n, mean) = (values.len() as f64, values.iter().sum::<f64>() / values.len() as f64);
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (n, mean, variance / n)
    };
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let ((n_a, mean_a, error_a), (n_b, mean_b, error_b)) = (moments(a), moments(b));
    let error = error_a + error_b;
    if error <= 0.0 {
        return None;
    }
    let t = (mean_a - mean_b) / error.sqrt();
    let freedom = error.powi(2) / (error_a.powi(2) / (n_a - 1.0) + error_b.powi(2) / (n_b - 1.0));
    let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(2.0 * (1.0 - distribution.cdf(t.abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hits: u64, of: u64, expect: (f64, f64)) {
        let (low, high) = Rate { hits, of }.interval();
        assert!(
            (low - expect.0).abs() < 5e-4 && (high - expect.1).abs() < 5e-4,
            "{hits} of {of}: [{low}, {high}]"
        );
    }

    /// Closed forms: 1 - 0.025^(1/n) at the ends; and a published value (10 of 100).
    #[test]
    fn intervals_are_exact() {
        check(0, 100, (0.0, 0.0362));
        check(100, 100, (0.9638, 1.0));
        check(10, 100, (0.0490, 0.1762));
        check(1, 1, (0.025, 1.0));
        assert_eq!(Rate::of([true, false, true]), Rate { hits: 2, of: 3 });
        assert_eq!(Rate { hits: 0, of: 0 }.to_string(), "-");
    }

    #[test]
    fn welch_at_the_extremes() {
        let a = [10.0, 11.0, 9.0, 10.5, 9.5];
        assert!(welch(&a, &a).unwrap() > 0.999);
        let far: Vec<f64> = a.iter().map(|v| v + 100.0).collect();
        assert!(welch(&a, &far).unwrap() < 1e-6);
        // One degree of freedom each: t = 1 / sqrt(1/2) with equal variances 0.5 and nu = 2, p = 1
        // - t / sqrt(t^2 + 2).
        let p = welch(&[0.0, 1.0], &[1.0, 2.0]).unwrap();
        let t = 2_f64.sqrt();
        assert!((p - (1.0 - t / (t * t + 2.0).sqrt())).abs() < 1e-9, "{p}");
        assert_eq!(welch(&[1.0], &a), None);
        assert_eq!(welch(&[1.0, 1.0], &[1.0, 1.0]), None);
    }
}
