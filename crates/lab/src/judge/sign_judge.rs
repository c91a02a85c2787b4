//! The judge: looks at the blocks as scheduled, and spends the error probability.

use stats::{Estimate, Look, Spending, compare};

use crate::run::Judge;

/// The judge of docs/method.md: sign-test intervals, with an error probability that all comparisons
/// share and that is carried forward.
#[derive(Debug, Clone)]
pub struct SignJudge {
    /// The error probability that may still be spent.
    pub spending: Spending,
    margin: f64,
}

impl SignJudge {
    /// A judge of `comparisons` confirmatory comparisons with `margin`.
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
