//! Which calls have their stack, where only some have.
//!
//! The bytes that a thread asks for are a line. Samples lie on it at random: the distance to the
//! next one is exponential, with a mean of T bytes. A call is chosen if a sample lies on its bytes,
//! so a call of s bytes is chosen with the chance 1 - exp(-s / T), whichever calls came before it:
//! what is left of an exponential distance is as long as a new one.

/// The smallest mean distance, in bytes.
pub const MEAN_BYTES_MIN: u64 = 1;
/// The largest mean distance, in bytes: up to here the chance of a single byte is exact.
pub const MEAN_BYTES_MAX: u64 = 1 << 30;

/// Random numbers of a thread: xorshift64* (Vigna, An experimental exploration of Marsaglia's
/// xorshift generators, scrambled, 2016).
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadRandom(u64);

impl ThreadRandom {
    /// Not seeded: all its numbers are 0.
    pub const ZERO: ThreadRandom = ThreadRandom(0);

    /// The numbers of a seed. Those of similar seeds are not similar.
    #[must_use]
    pub fn new(seed: u64) -> ThreadRandom {
        // The last step of `SplitMix64` (Steele, Lea, Flood 2014).
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // Of 0 there is no way to another number.
        ThreadRandom((mixed ^ (mixed >> 31)).max(1))
    }

    /// The next number: any but 0 is equally likely.
    #[inline]
    pub fn next_number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The bytes until the next sample, that one included: at least 1, on average about
    /// `mean_bytes`.
    #[must_use]
    pub fn next_distance(&mut self, mean_bytes: u64) -> i64 {
        distance(self.next_number(), mean_bytes)
    }
}

/// An exponential distance with the mean `mean_bytes`, from a random number, rounded up: so many
/// whole bytes have a sample exactly if they are at least as long.
fn distance(random: u64, mean_bytes: u64) -> i64 {
    let mean_bytes = mean_bytes.clamp(MEAN_BYTES_MIN, MEAN_BYTES_MAX);
    let bytes = (u128::from(mean_bytes) * u128::from(minus_ln(random))).div_ceil(1 << FRACTION);
    i64::try_from(bytes).unwrap_or(i64::MAX).max(1)
}

/// Bits of a logarithm behind the point.
const FRACTION: u32 = 40;
/// ln(2) * 2^64, rounded.
const LN_2: u64 = 0xb172_17f7_d1cf_79ac;

/// -ln(random / 2^64) with [`FRACTION`] bits behind the point, for a number above 0.
#[expect(clippy::cast_possible_truncation, reason = "the high half of a product of two words")]
fn minus_ln(random: u64) -> u64 {
    let random = random.max(1);
    let zeros = random.leading_zeros();
    // random = 2^(63 - zeros) * m with m in [1, 2): squaring m gives the next bit of its logarithm.
    let mut m = random << zeros;
    let mut log2 = u64::from(63 - zeros);
    for _ in 0..FRACTION {
        let square = u128::from(m) * u128::from(m);
        let is_two = square >> 127;
        m = (square >> (63 + is_two)) as u64;
        log2 = log2 << 1 | is_two as u64;
    }
    let minus_log2 = (64 << FRACTION) - log2;
    ((u128::from(minus_log2) * u128::from(LN_2)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn logarithms_are_those_of_the_library() {
        let mut random = ThreadRandom::new(5);
        let some = (0..20_000).map(|_| random.next_number());
        let powers = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, (1 << bit) + 1]);
        for number in some.chain(powers).chain([u64::MAX]).filter(|&number| number > 0) {
            // Near 1 the quotient has no digits left, its distance from 1 has.
            let from_one = (u64::MAX - number + 1) as f64 / 2_f64.powi(64);
            let expected = if from_one < 0.5 {
                -(-from_one).ln_1p()
            } else {
                64.0 * std::f64::consts::LN_2 - (number as f64).ln()
            };
            let found = minus_ln(number) as f64 / 2_f64.powi(FRACTION.cast_signed());
            assert!((found - expected).abs() < 1e-11, "{number}: {found}, {expected}");
        }
    }

    #[test]
    fn calls_of_any_size_are_chosen_with_their_chance() {
        const DRAWS: u32 = 200_000;
        for mean_bytes in [1, 7, 4096, 64 << 10, MEAN_BYTES_MAX] {
            let mut random = ThreadRandom::new(mean_bytes);
            let draws = (0..DRAWS).map(|_| random.next_distance(mean_bytes));
            let distances: std::vec::Vec<i64> = draws.collect();
            assert!(distances.iter().all(|&distance| distance >= 1));
            // Rounded up, the distance is geometric.
            let per_byte = -(-1.0 / mean_bytes as f64).exp_m1();
            let sum: f64 = distances.iter().map(|&distance| distance as f64).sum();
            let (mean, error) = (1.0 / per_byte, (1.0 - per_byte).sqrt() / per_byte);
            let off = (sum / f64::from(DRAWS) - mean) / (error / f64::from(DRAWS).sqrt());
            assert!(off.abs() < 4.5, "the mean of {mean_bytes} is {off} standard errors off");
            // Of small calls, of those like the mean, and of the tail.
            for times in [0.01, 0.1, 0.5, 1.0, 2.0, 4.0, 7.0] {
                let size_bytes = (times * mean_bytes as f64).ceil();
                let chance = -(-size_bytes / mean_bytes as f64).exp_m1();
                let chosen = distances.iter().filter(|&&left| left as f64 <= size_bytes).count();
                let expected = f64::from(DRAWS) * chance;
                let deviation = (expected * (1.0 - chance)).sqrt();
                let off = (chosen as f64 - expected) / deviation;
                assert!(off.abs() < 4.5, "{size_bytes} of {mean_bytes}: {chosen}, {off}");
            }
        }
    }

    #[test]
    fn a_line_of_calls_has_a_sample_for_each_mean_distance() {
        // Sizes in a pattern, as programs have them: each is chosen with its own chance.
        const SIZES: [i64; 4] = [16, 5000, 70_000, 48];
        const ROUNDS: u32 = 100_000;
        let mut random = ThreadRandom::new(1);
        let mut left = random.next_distance(64 << 10);
        let mut chosen = [0_u32; SIZES.len()];
        for _ in 0..ROUNDS {
            for (size, count) in SIZES.iter().zip(&mut chosen) {
                left -= size;
                if left <= 0 {
                    *count += 1;
                    left = random.next_distance(64 << 10);
                }
            }
        }
        for (size, count) in SIZES.iter().zip(chosen) {
            let chance = -(-(*size as f64) / f64::from(64 << 10)).exp_m1();
            let expected = f64::from(ROUNDS) * chance;
            let off = (f64::from(count) - expected) / (expected * (1.0 - chance)).sqrt();
            assert!(off.abs() < 4.5, "{size}: {count} of {expected}");
        }
    }

    #[test]
    fn similar_seeds_have_other_numbers() {
        let firsts = (0..1000).map(|seed| ThreadRandom::new(seed).next_number());
        let firsts: std::collections::BTreeSet<u64> = firsts.collect();
        assert_eq!(firsts.len(), 1000);
        let halves = firsts.iter().filter(|&&first| first >> 63 == 1).count();
        assert!((400..600).contains(&halves), "{halves}");
    }
}
