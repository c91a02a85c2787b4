//! A recording of bounded size: from a time on, only calls on some blocks are in the stream, and
//! all calls are counted.

use crate::{AllocationFunction, StackId};

/// From `from_ns` on, a call is certainly in the stream if it is on a block that is followed: a
/// block at an address that is chosen by chance. So a block is followed from the call that gives it
/// out to the one that gives it back, whoever makes these calls. Of the blocks that a level
/// follows, the next one follows half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thinning {
    /// The first beginning of a call to which it applies, on the stream's clock.
    pub from_ns: u64,
    /// Of 2^level addresses one is followed, on average.
    pub level: u8,
    /// What the choice depends on, the same for all levels of a stream.
    pub seed: u64,
}

impl Thinning {
    /// The highest level.
    pub const LEVEL_MAX: u8 = 40;
    /// The number of [`Thinning::group`]s.
    pub const GROUPS: usize = 16;

    /// The level that is in force at a time: the highest that has begun, since they may begin in
    /// another order.
    #[must_use]
    pub fn in_force(levels: &[Thinning], time_ns: u64) -> Option<Thinning> {
        let begun = levels.iter().filter(|level| level.from_ns <= time_ns);
        begun.max_by_key(|level| level.level).copied()
    }

    /// Whether blocks at this address are followed.
    #[must_use]
    pub fn follows(&self, address: u64) -> bool {
        self.hash(address).leading_zeros() >= u32::from(self.level)
    }

    /// The number of addresses of which one is followed.
    #[must_use]
    pub fn one_in(&self) -> u64 {
        1 << self.level.min(Thinning::LEVEL_MAX)
    }

    /// Divides addresses into groups by chance, independent of whether they are followed. How much
    /// groups differ shows how uncertain a sum over followed blocks is.
    #[must_use]
    pub fn group(&self, address: u64) -> usize {
        usize::from((self.hash(address) & 0xffff) as u16) % Thinning::GROUPS
    }

    /// Spreads addresses: the last step of `SplitMix64` (Steele, Lea, Flood: Fast Splittable
    /// Pseudorandom Number Generators, 2014).
    fn hash(&self, address: u64) -> u64 {
        let mut mixed = address ^ self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Calls that were counted instead of written: those of one kind that a process made from one
/// stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCounts {
    /// The process.
    pub pid: u32,
    /// The stack.
    pub stack: StackId,
    /// The function.
    pub function: AllocationFunction,
    /// Whether they only gave back, as realloc(3) with a size of zero does, too.
    pub releases: bool,
    /// When the first of them began, which is in the stream as well (unless they only gave back):
    /// it shows the process's mappings in which the stack has its meaning.
    pub first_ns: u64,
    /// All of them.
    pub calls: u64,
    /// Those that asked for memory and got none.
    pub failed: u64,
    /// The sizes that were given out, in bytes.
    pub bytes: u64,
    /// Those that were timed.
    pub timed: u64,
    /// Their time, in nanoseconds.
    pub timed_ns: u64,
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn thinning(level: u8, seed: u64) -> Thinning {
        Thinning { from_ns: 0, level, seed }
    }

    #[test]
    fn a_level_follows_half_of_the_blocks_of_the_level_before() {
        for seed in [0, 1, 0x1234_5678_9abc_def0, u64::MAX] {
            // As allocators give them out: multiples of 16 in a row, and pages.
            for step in [16, 48, 4096, 1 << 21] {
                let addresses = (0..1_u64 << 14).map(|n| 0x5555_5555_0010 + n * step);
                let mut followed: Vec<u64> = addresses.collect();
                let mut expected = followed.len() as f64;
                for level in 0..8 {
                    let at = thinning(level, seed);
                    let before = followed.len();
                    followed.retain(|&address| at.follows(address));
                    if level > 0 {
                        expected /= 2.0;
                        assert!(followed.len() < before);
                    }
                    // Five standard deviations.
                    let off = (followed.len() as f64 - expected).abs();
                    assert!(off <= 5.0 * expected.sqrt(), "{seed} {step} {level}: {off}");
                }
            }
        }
    }

    #[test]
    fn groups_are_even_among_followed_blocks() {
        let at = thinning(4, 7);
        let mut groups = [0_u32; Thinning::GROUPS];
        let addresses = (0..1_u64 << 16).map(|n| 0x7fff_0000_0010 + n * 32);
        for address in addresses.filter(|&address| at.follows(address)) {
            groups[at.group(address)] += 1;
        }
        assert!(groups.iter().all(|count| (170..350).contains(count)), "{groups:?}");
    }
}
