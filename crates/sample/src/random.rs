//! Uniformly distributed random numbers.

use rand_xoshiro::rand_core::Rng;

/// A number below `bound`, all equally likely.
pub fn below(random: &mut impl Rng, bound: u64) -> u64 {
    // Values from the largest multiple of `bound` on are rejected: they would favour small
    // remainders.
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let value = random.next_u64();
        if value < limit {
            return value % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn draws_are_uniform() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut counts = [0; 5];
        (0..50_000).for_each(|_| counts[usize::try_from(below(&mut random, 5)).unwrap()] += 1);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }
}
