//! Decides which calls a recording of bounded size has, and counts all of them.
//!
//! ```text
//!   bytes used          0 ------- 1/2 ----- 2/3 ---- 3/4 --- 4/5 ... -> size
//!   level                    0     |    1    |    2   |   3   | ...
//!   blocks followed         all    |   1/2   |   1/4  |  1/8  | ...
//! ```
//! Level k gets 1 / ((k + 1) (k + 2)) of the size, so no number of levels fills it. It lasts 2^k
//! times as long for its bytes, so levels come by the logarithm of time. (If each level got half of
//! what is left, all would last as long as the first, and a long run would end with hardly a block
//! that is followed.)

use std::collections::HashMap;

use events::{Allocation, AllocationFunction, CallCounts, StackId, Thinning};

/// Chooses calls by level, and counts them from the first level on.
#[derive(Debug)]
pub struct Thinner {
    size_bytes: u64,
    seed: u64,
    /// From the first level on.
    levels: Vec<Thinning>,
    /// The levels that have been taken.
    taken: usize,
    /// The latest beginning of a call that was decided on.
    latest_ns: u64,
    counts: HashMap<CountKey, CallCounts>,
}

/// The calls that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct CountKey {
    image: ProcessImage,
    stack: StackId,
    function: AllocationFunction,
    releases: bool,
}

/// A process as long as it executes one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessImage {
    /// The process.
    pub pid: u32,
    /// Tells apart what it executes one after the other.
    pub program: u32,
}

impl Thinner {
    /// The thinner of a recording of about `size_bytes`, which chooses blocks by `seed`.
    #[must_use]
    pub fn new(size_bytes: u64, seed: u64) -> Thinner {
        Thinner {
            size_bytes,
            seed,
            levels: Vec::new(),
            taken: 0,
            latest_ns: 0,
            counts: HashMap::new(),
        }
    }

    /// Decides on a call that began at `time_ns`: whether it is part of the recording. It is
    /// counted anyway.
    #[inline]
    pub fn keeps(&mut self, image: ProcessImage, time_ns: u64, call: &Allocation) -> bool {
        self.latest_ns = self.latest_ns.max(time_ns);
        if self.levels.is_empty() {
            return true;
        }
        // A thread whose calls are read late has some from before the last level.
        match self.levels.iter().rev().find(|level| level.from_ns <= time_ns) {
            Some(&level) => self.keeps_at(level, image, time_ns, call),
            None => true,
        }
    }

    fn keeps_at(
        &mut self,
        level: Thinning,
        image: ProcessImage,
        time_ns: u64,
        call: &Allocation,
    ) -> bool {
        let is_first = self.count(image, time_ns, call);
        let is_followed = |address| address != 0 && level.follows(address);
        is_first || is_followed(call.address) || is_followed(call.released)
    }

    /// Counts a call. Returns whether it has to be in the recording as the first that asks for
    /// memory from its stack.
    fn count(&mut self, image: ProcessImage, time_ns: u64, call: &Allocation) -> bool {
        let Allocation { address, released, stack, function, .. } = *call;
        let releases = call.only_gives_back();
        let key = CountKey { image, stack, function, releases };
        let mut is_first = false;
        let counts = self.counts.entry(key).or_insert_with(|| {
            is_first = !releases;
            let first_ns = time_ns;
            CallCounts {
                pid: image.pid,
                stack,
                function,
                releases,
                first_ns,
                calls: 0,
                failed: 0,
                bytes: 0,
                timed: 0,
                timed_ns: 0,
            }
        });
        // A free of nothing is no call (`Ledger`).
        counts.calls += u64::from(!(releases && released == 0));
        counts.failed += u64::from(!releases && address == 0);
        if address != 0 {
            counts.bytes = counts.bytes.saturating_add(call.size_bytes);
        }
        if let Some(latency_ns) = call.latency_ns {
            counts.timed += 1;
            counts.timed_ns = counts.timed_ns.saturating_add(latency_ns.get());
        }
        is_first
    }

    /// Begins the next level if `used_bytes` of the size are used: those of the recording so far,
    /// and those that it needs anyway.
    pub fn used(&mut self, used_bytes: u64) {
        let level = self.levels.len() as u64;
        let due = u128::from(used_bytes) * u128::from(level + 2)
            >= u128::from(self.size_bytes) * u128::from(level + 1);
        if due && level < u64::from(Thinning::LEVEL_MAX) {
            // No call that was decided on is concerned.
            let from_ns = self.latest_ns.saturating_add(1);
            let level = self.levels.last().map_or(1, |last| last.level + 1);
            self.levels.push(Thinning { from_ns, level, seed: self.seed });
        }
    }

    /// The level in force; 0 as long as everything is written.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.levels.last().map_or(0, |last| last.level)
    }

    /// The levels that began since the last call.
    pub fn take_levels(&mut self) -> &[Thinning] {
        let taken = std::mem::replace(&mut self.taken, self.levels.len());
        &self.levels[taken..]
    }

    /// What was counted since the last call, in an order that does not depend on chance.
    pub fn take_counts(&mut self) -> Vec<CallCounts> {
        let counted = self.counts.values_mut().filter(|counts| counts.calls > 0);
        let mut all: Vec<CallCounts> = counted
            .map(|counts| {
                let none =
                    CallCounts { calls: 0, failed: 0, bytes: 0, timed: 0, timed_ns: 0, ..*counts };
                std::mem::replace(counts, none)
            })
            .collect();
        let order = |counts: &CallCounts| {
            (counts.pid, counts.first_ns, counts.stack, counts.function, counts.releases)
        };
        all.sort_unstable_by_key(order);
        all
    }

    /// The number of entries that [`Thinner::take_counts`] may have.
    #[must_use]
    pub fn kinds(&self) -> u64 {
        self.counts.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use proptest::prelude::*;

    use super::*;

    const IMAGE: ProcessImage = ProcessImage { pid: 7, program: 1 };

    fn malloc(address: u64, stack: u32) -> Allocation {
        Allocation {
            address,
            released: 0,
            size_bytes: 40,
            latency_ns: NonZeroU64::new(20),
            stack: StackId::from_number(stack),
            function: AllocationFunction::Malloc,
            alignment_log2: 0,
        }
    }

    fn free(released: u64) -> Allocation {
        let function = AllocationFunction::Free;
        Allocation { address: 0, released, function, latency_ns: None, ..malloc(0, 9) }
    }

    #[test]
    fn levels_come_by_the_logarithm_of_time_and_never_fill_the_size() {
        const SIZE: u64 = 1 << 20;
        const CALL_BYTES: u64 = 4;
        let mut thinner = Thinner::new(SIZE, 3);
        let (mut used, mut ends, mut random) = (0, Vec::new(), 1_u64);
        for time_ns in 0..1 << 24 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let call = malloc(0x7000 + (random >> 40) * 16, 1);
            used += CALL_BYTES * u64::from(thinner.keeps(IMAGE, time_ns, &call));
            let before = thinner.level();
            thinner.used(used);
            if thinner.level() > before {
                ends.push(time_ns);
            }
        }
        assert!(used < SIZE, "{used}");
        // The calls would fill it 64 times: the sum of 2^k / ((k + 1) (k + 2)) up to that level.
        assert!((11..=14).contains(&thinner.level()), "{ends:?}");
    }

    proptest! {
        #[test]
        fn every_call_is_written_or_counted_and_followed_blocks_have_both_ends(
            sizes in prop::collection::vec(1..9_u32, 1..400), seed: u64, at in 0..400_usize
        ) {
            // Each size is a block: it is given out, and freed some calls later.
            let mut thinner = Thinner::new(1000, seed);
            let address = |n: usize| 0x1000 + 16 * n as u64;
            let (mut kept_given, mut kept_freed) = (Vec::new(), Vec::new());
            let (mut written, mut time_ns) = (0, 1);
            let mut stacks = std::collections::BTreeSet::new();
            for n in 0..sizes.len() + 5 {
                if n == at {
                    thinner.used(u64::MAX);
                }
                if let Some(&size) = sizes.get(n) {
                    let is_kept = thinner.keeps(IMAGE, time_ns, &malloc(address(n), size));
                    let is_first = thinner.level() > 0 && stacks.insert(size);
                    written += u64::from(is_kept && thinner.level() == 0);
                    kept_given.push(is_kept && !is_first);
                    prop_assert!(is_kept || !is_first, "the first call of a stack is written");
                }
                time_ns += 1;
                if let Some(freed) = n.checked_sub(5) {
                    kept_freed.push(thinner.keeps(IMAGE, time_ns, &free(address(freed))));
                    written += u64::from(thinner.level() == 0);
                }
                time_ns += 1;
            }
            let counts = thinner.take_counts();
            let counted: u64 = counts.iter().map(|counts| counts.calls).sum();
            prop_assert_eq!(written + counted, 2 * sizes.len() as u64);
            let bytes: u64 = counts.iter().map(|counts| counts.bytes).sum();
            prop_assert_eq!(bytes, 40 * sizes.len().saturating_sub(at) as u64);
            prop_assert!(thinner.take_counts().is_empty(), "each call is counted once");
            let levels = thinner.take_levels().to_vec();
            prop_assert!(thinner.take_levels().is_empty());
            for (n, (&given, &freed)) in kept_given.iter().zip(&kept_freed).enumerate() {
                let follows = levels.iter().all(|level| level.follows(address(n)));
                if n >= at {
                    // A first call may be written without being followed.
                    prop_assert!(given <= follows && freed == follows, "{}", n);
                } else {
                    prop_assert!(given && (freed || !follows), "{}", n);
                }
            }
        }

        #[test]
        fn a_level_concerns_no_call_that_was_decided_on(
            times in prop::collection::vec(0..1000_u64, 1..100)
        ) {
            let mut thinner = Thinner::new(1, 1);
            let mut latest = 0;
            for time_ns in times {
                thinner.keeps(IMAGE, time_ns, &malloc(16 * time_ns + 16, 1));
                latest = latest.max(time_ns);
                thinner.used(u64::MAX);
                let begun = thinner.take_levels().last().copied();
                prop_assert!(begun.is_none_or(|level| level.from_ns > latest));
            }
        }
    }
}
