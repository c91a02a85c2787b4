//! Two modes in an arm's samples: the machine was in two states during the measurement.

use crate::order::sorted;

/// A group with fewer values than this is outliers, not a mode: at least 3, and a tenth of all.
const SMALLEST_GROUP: usize = 3;
/// Below this many values a gap means nothing.
const VALUES_MIN: usize = 12;
/// The empty stretch between the groups, in standard deviations within the groups, is at least
/// 1.5 + 40/n: few values leave wide gaps by chance. Set by simulation: normal, uniform, skewed and
/// heavy-tailed samples of 12 to 96 values show such a gap in less than 1 % (see the tests).
const GAP_MIN: (f64, f64) = (1.5, 40.0);
/// Groups less than 10 % apart are ignored: the difference is too small to matter.
const RATIO_MIN: f64 = 1.1;

/// Two groups of samples with an empty stretch between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Modes {
    /// Geometric mean of the lower group, in the unit of the input.
    pub low: f64,
    /// Geometric mean of the upper group.
    pub high: f64,
    /// Values in the lower group.
    pub low_count: usize,
    /// Values in the upper group.
    pub high_count: usize,
}

/// Looks for two modes in positive values (times). `None` if there is one mode, or too few values
/// to decide.
#[must_use]
pub fn two_modes(values: &[f64]) -> Option<Modes> {
    let n = values.len();
    if n < VALUES_MIN || values.iter().any(|v| *v <= 0.0) {
        return None;
    }
    let logs: Vec<f64> = sorted(values).iter().map(|v| v.ln()).collect();
    let smallest = SMALLEST_GROUP.max(n.div_ceil(10));
    let split =
        (smallest..=n - smallest).max_by(|&a, &b| gap(&logs, a).total_cmp(&gap(&logs, b)))?;
    let (low, high) = logs.split_at(split);
    let ((low_mean, low_squares), (high_mean, high_squares)) =
        (mean_and_squares(low), mean_and_squares(high));
    let within = ((low_squares + high_squares) / (n - 2) as f64).sqrt();
    let gap_min = GAP_MIN.0 + GAP_MIN.1 / n as f64;
    (gap(&logs, split) >= gap_min * within && high_mean - low_mean >= RATIO_MIN.ln()).then(|| {
        Modes {
            low: low_mean.exp(),
            high: high_mean.exp(),
            low_count: low.len(),
            high_count: high.len(),
        }
    })
}

fn gap(logs: &[f64], split: usize) -> f64 {
    logs[split] - logs[split - 1]
}

/// The mean, and the sum of squared deviations from it.
fn mean_and_squares(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    fn uniform(random: &mut Xoshiro256PlusPlus) -> f64 {
        (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
        (-2.0 * (1.0 - uniform(random)).ln()).sqrt()
            * (std::f64::consts::TAU * uniform(random)).cos()
    }

    #[test]
    fn a_cold_and_a_warm_state_are_two_modes() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let values: Vec<f64> = (0..24)
            .map(|i| (if i % 4 == 0 { 379.0 } else { 14.0 }) * (0.05 * normal(&mut random)).exp())
            .collect();
        let modes = two_modes(&values).expect("two modes");
        assert_eq!((modes.low_count, modes.high_count), (18, 6));
        assert!((modes.high / modes.low - 379.0 / 14.0).abs() < 3.0, "{modes:?}");
    }

    type Draw = fn(&mut Xoshiro256PlusPlus) -> f64;

    #[test]
    fn one_mode_is_not_split() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        let shapes: [(&str, Draw); 4] = [
            ("normal", |r| (0.08 * normal(r)).exp()),
            ("uniform", |r| 1.0 + 0.5 * uniform(r)),
            ("skewed", |r| 1.0 - 0.2 * (1.0 - uniform(r)).ln()),
            ("heavy-tailed", |r| (0.1 * normal(r) / (0.3 + uniform(r))).exp()),
        ];
        for (name, draw) in shapes {
            for n in [12, 24, 48, 96] {
                let found = (0..2_000)
                    .filter(|_| {
                        two_modes(&(0..n).map(|_| draw(&mut random)).collect::<Vec<_>>()).is_some()
                    })
                    .count();
                assert!(found <= 20, "{name}, n {n}: {found} of 2,000 called bimodal");
            }
        }
    }

    #[test]
    fn too_few_or_impossible_values_have_no_modes() {
        assert_eq!(two_modes(&[1.0, 1.0, 1.0, 9.0, 9.0, 9.0]), None);
        assert_eq!(two_modes(&[0.0; 20]), None);
    }
}
