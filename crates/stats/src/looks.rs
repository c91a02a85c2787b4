//! The looks at the data: after how many blocks, and how much of the error allowance each spends.

use crate::binomial::{largest_rank, two_sided_tail};

/// A look at the data: after how many blocks, and the error probability allowed up to and including
/// it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Blocks that count.
    pub blocks: usize,
    /// Cumulative probability that any interval of the experiment misses its true value.
    pub alpha: f64,
}

/// The looks of every experiment, fixed before it starts.
pub const LOOKS: [Look; 4] = [
    Look { blocks: 12, alpha: 0.005 },
    Look { blocks: 24, alpha: 0.015 },
    Look { blocks: 48, alpha: 0.03 },
    Look { blocks: 96, alpha: 0.05 },
];

/// The error allowance that looks are paid from. Each of the `comparisons` has an equal share of
/// every look's allowance (Bonferroni). Ranks are whole numbers, so a look may not spend all of its
/// allowance; the rest stays for the next look.
#[derive(Debug, Clone)]
pub struct Spending {
    comparisons: usize,
    /// Spent by each comparison so far.
    spent: f64,
}

impl Spending {
    /// An account for `comparisons` confirmatory comparisons (at least one is assumed; the placebo
    /// is not one).
    #[must_use]
    pub fn new(comparisons: usize) -> Self {
        Spending { comparisons: comparisons.max(1), spent: 0.0 }
    }

    /// Pays for a look and returns the rank of its intervals: the largest `k` with `2 · P(Bin(n, ½)
    /// < k) ≤ alpha / comparisons − spent`; 0 if the look affords no interval, which costs nothing.
    pub fn pay(&mut self, look: Look) -> usize {
        let rank = largest_rank(look.blocks, look.alpha / self.comparisons as f64 - self.spent);
        self.spent += two_sided_tail(look.blocks, rank);
        rank
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranks(comparisons: usize) -> [usize; 4] {
        let mut spending = Spending::new(comparisons);
        LOOKS.map(|look| spending.pay(look))
    }

    #[test]
    fn the_published_ranks() {
        assert_eq!(ranks(1), [1, 6, 16, 37]);
        assert_eq!(ranks(4), [1, 5, 14, 35]);
        assert_eq!(ranks(5), [1, 5, 14, 35]);
        assert_eq!(ranks(10)[0], 1);
        assert_eq!(ranks(11)[0], 0, "from 11 comparisons on, 12 blocks allow no interval");
    }

    proptest! {
        /// Whenever the looks happen, all comparisons together never spend more than the last
        /// look's allowance.
        #[test]
        fn never_overspent(
            comparisons in 1_usize..40,
            mut blocks in prop::collection::vec(1_usize..300, 1..12),
        ) {
            blocks.sort_unstable();
            blocks.dedup();
            let mut spending = Spending::new(comparisons);
            for (i, &n) in blocks.iter().enumerate() {
                let alpha = 0.05 * (i + 1) as f64 / blocks.len() as f64;
                spending.pay(Look { blocks: n, alpha });
                prop_assert!(spending.spent * comparisons as f64 <= alpha + 1e-12);
            }
        }
    }
}
