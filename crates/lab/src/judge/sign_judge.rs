//! The judge: looks at the blocks when it is time, and spends the error allowance.

use stats::{Estimate, Look, Spending, compare};

use crate::run::Judge;

/// The judge of docs/method.md: sign-test intervals, an allowance shared by all comparisons and
/// carried forward.
#[derive(Debug, Clone)]
pub struct SignJudge {
    /// What may still be spent.
    pub spending: Spending,
    margin: f64,
}

impl SignJudge {
    /// For `comparisons` confirmatory comparisons against `margin`.
    #[must_use]
    pub fn new(comparisons: usize, margin: f64) -> Self {
        SignJudge { spending: Spending::new(comparisons), margin }
    }
}

impl Judge for SignJudge {
    fn look(&mut self, look: Look, log_ratios: &[Vec<f64>]) -> Vec<Option<Estimate>> {
        let rank = self.spending.pay(look);
        log_ratios.iter().map(|ratios| compare(ratios, rank, self.margin)).collect()
    }
}
