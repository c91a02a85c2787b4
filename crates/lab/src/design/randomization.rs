//! The order of samples: randomised complete blocks with balanced positions.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use sample::random::below;

/// Puts `items` into a random order, all equally likely (Fisher-Yates shuffle).
///
/// # Panics
/// Never: a drawn number is an index.
pub fn shuffle<T>(random: &mut impl Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let other = usize::try_from(below(random, last as u64 + 1)).expect("an index");
        items.swap(last, other);
    }
}

/// An endless sequence of orders in which `arms` are run. Each run of `arms` blocks is a Latin
/// square: every arm is once in every position, so that effects of the position affect all arms
/// equally. And every arm follows every other equally often, over each square for an even number of
/// arms and over each two squares for an odd one (Williams 1949), so that after-effects of a sample
/// on the next affect all arms equally too.
#[derive(Debug, Clone)]
pub struct LatinOrders {
    random: Xoshiro256PlusPlus,
    arms: usize,
    orders: Vec<Vec<usize>>,
    /// For an odd number of arms: the labels of the square whose mirror image comes next.
    half: Option<Vec<usize>>,
}

impl LatinOrders {
    /// The orders of `arms` arms drawn by `seed`.
    #[must_use]
    pub fn new(arms: usize, seed: u64) -> Self {
        LatinOrders {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            arms,
            orders: Vec::new(),
            half: None,
        }
    }

    /// The order of block `index`: arm numbers in the sequence in which they run. Repeated calls
    /// return the same.
    pub fn order(&mut self, index: usize) -> &[usize] {
        while self.orders.len() <= index {
            let square = self.square();
            self.orders.extend(square);
        }
        &self.orders[index]
    }

    /// A square with shuffled rows and labels. Its columns are a zigzag through the labels, 0 n-1 1
    /// n-2 ..., whose steps are all different; for an odd number each size of step occurs twice,
    /// and the mirror image has it in the other direction.
    fn square(&mut self) -> Vec<Vec<usize>> {
        let n = self.arms;
        let mirrored = self.half.is_some();
        let labels = self.half.take().unwrap_or_else(|| shuffled(&mut self.random, n));
        if n % 2 == 1 && !mirrored {
            self.half = Some(labels.clone());
        }
        let mut columns: Vec<usize> =
            (0..n).map(|i| if i % 2 == 0 { i / 2 } else { n - i.div_ceil(2) }).collect();
        if mirrored {
            columns.reverse();
        }
        let rows = shuffled(&mut self.random, n);
        rows.iter()
            .map(|row| columns.iter().map(|column| labels[(row + column) % n]).collect())
            .collect()
    }
}

/// The numbers below `n` in a random order.
fn shuffled(random: &mut impl Rng, n: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..n).collect();
    shuffle(random, &mut numbers);
    numbers
}

/// The orders of a whole design: its points in a random sequence, and within each point the arms in
/// the order of that point's own Latin square, so that arms that are compared run close together.
#[derive(Debug, Clone)]
pub struct Orders {
    random: Xoshiro256PlusPlus,
    /// By point: its arms, and their orders.
    points: Vec<(Vec<usize>, LatinOrders)>,
    sequences: Vec<Vec<usize>>,
}

impl Orders {
    /// The orders of the arms of `points` drawn by `seed`.
    #[must_use]
    pub fn new(points: Vec<Vec<usize>>, seed: u64) -> Self {
        let latin = |(point, arms): (usize, Vec<usize>)| {
            // The first point uses the seed itself, so that a run of one point has the same order
            // as before sweeps existed.
            let plan = LatinOrders::new(arms.len(), seed ^ (point as u64).rotate_right(16));
            (arms, plan)
        };
        Orders {
            random: Xoshiro256PlusPlus::seed_from_u64(seed.rotate_left(32)),
            points: points.into_iter().enumerate().map(latin).collect(),
            sequences: Vec::new(),
        }
    }

    /// The order of block `index`. Repeated calls return the same.
    pub fn order(&mut self, index: usize) -> Vec<usize> {
        while self.sequences.len() <= index {
            let mut sequence: Vec<usize> = (0..self.points.len()).collect();
            shuffle(&mut self.random, &mut sequence);
            self.sequences.push(sequence);
        }
        let mut order = Vec::new();
        for &point in &self.sequences[index] {
            let (arms, plan) = &mut self.points[point];
            order.extend(plan.order(index).iter().map(|&place| arms[place]));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every block is complete, and over each full square every arm is once in every position.
        #[test]
        fn positions_balance(arms in 1_usize..12, seed: u64, squares in 1_usize..4) {
            let mut plan = LatinOrders::new(arms, seed);
            let mut seen = vec![vec![0; arms]; arms];
            for block in 0..squares * arms {
                for (position, &arm) in plan.order(block).iter().enumerate() {
                    seen[arm][position] += 1;
                }
            }
            prop_assert!(seen.iter().flatten().all(|&times| times == squares), "{seen:?}");
        }

        /// Over each square, or two of an odd number, every arm follows every other equally often.
        #[test]
        fn predecessors_balance(arms in 2_usize..12, seed: u64, squares in 1_usize..3) {
            let mut plan = LatinOrders::new(arms, seed);
            let (together, times) = if arms % 2 == 0 { (arms, 1) } else { (2 * arms, 2) };
            let mut seen = vec![vec![0; arms]; arms];
            for block in 0..squares * together {
                for pair in plan.order(block).windows(2) {
                    seen[pair[0]][pair[1]] += 1;
                }
            }
            for (first, row) in seen.iter().enumerate() {
                for (second, &count) in row.iter().enumerate() {
                    let expected = if first == second { 0 } else { squares * times };
                    prop_assert_eq!(count, expected, "{:?}", seen);
                }
            }
        }

        #[test]
        fn the_seed_decides(arms in 2_usize..8, seed: u64, index in 0_usize..40) {
            let order = LatinOrders::new(arms, seed).order(index).to_vec();
            let again = LatinOrders::new(arms, seed).order(index).to_vec();
            prop_assert_eq!(order, again);
        }
    }

    #[test]
    fn points_stay_together_and_change_places() {
        let mut orders = Orders::new(vec![vec![0, 1, 2], vec![3, 4, 5]], 7);
        let mut firsts = [0; 2];
        for block in 0..60 {
            let order = orders.order(block);
            let points: Vec<usize> = order.iter().map(|arm| arm / 3).collect();
            assert!(points == [0, 0, 0, 1, 1, 1] || points == [1, 1, 1, 0, 0, 0], "{order:?}");
            firsts[points[0]] += 1;
        }
        assert!(firsts.iter().all(|&times| times > 15), "{firsts:?}");
        assert_eq!(
            Orders::new(vec![vec![0, 1, 2]], 7).order(5),
            LatinOrders::new(3, 7).order(5),
            "one point is a Latin square"
        );
    }

    #[test]
    fn orders_vary_within_and_between_squares() {
        let mut plan = LatinOrders::new(6, 7);
        let mut orders: Vec<Vec<usize>> = (0..48).map(|block| plan.order(block).to_vec()).collect();
        orders.sort();
        orders.dedup();
        assert!(orders.len() > 40, "only {} different orders in 48 blocks", orders.len());
    }
}
