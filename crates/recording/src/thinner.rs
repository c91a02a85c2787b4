//! Decides which calls a recording of bounded size has, and counts all of them.
//!
//! ```text
//!   bytes used          0 ------- 1/2 ----- 2/3 ---- 3/4 --- 4/5 ... -> size
//!   level                    0     |    1    |    2   |   3   | ...
//!   blocks followed         all    |   1/2   |   1/4  |  1/8  | ...
//! ```
//! Level k gets 1 / ((k + 1) (k + 2)) of what is left for calls, so no number of levels fills it.
//! It lasts 2^k times as long for its bytes, so levels come by the logarithm of time. (If each got
//! half of what is left, all would last as long as the first, and a long run would end with
//! hardly a block that is followed.)

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use events::{Allocation, AllocationFunction, CallCounts, NumberHasher, StackId, Thinning};

/// Calls get this part of the size at least: where other things fill it, leaving calls out does not
/// help.
const CALLS_SHARE_MIN: u64 = 8;

/// Chooses calls by level, and counts all of them.
///
/// A level is decided on while calls are read, thread by thread and not in the order of time. From
/// then on it chooses, whenever a call began; so a level begins with the earliest of these calls,
/// which is known when what was read is handed over ([`Thinner::take_level`]). Of other calls that
/// began later, more than necessary may have been kept: the reader does not follow those.
#[derive(Debug)]
pub struct Thinner {
    size_bytes: u64,
    seed: u64,
    /// Those that were taken.
    levels: Vec<Thinning>,
    /// The one that was decided on since.
    open: Option<Thinning>,
    /// The bytes of calls when the level was decided on.
    begun_bytes: u64,
    counts: HashMap<CountKey, CallCounts, BuildHasherDefault<NumberHasher>>,
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
            open: None,
            begun_bytes: 0,
            counts: HashMap::default(),
        }
    }

    /// Decides on a call that began at `time_ns`: whether it is part of the recording. It is
    /// counted anyway. Calls that map memory are few: all of them are, and none is counted.
    #[inline]
    pub fn keeps(&mut self, image: ProcessImage, time_ns: u64, call: &Allocation) -> bool {
        if call.function.maps() {
            return true;
        }
        let is_first = self.count(image, time_ns, call);
        let level = match &mut self.open {
            Some(open) => {
                open.from_ns = open.from_ns.min(time_ns);
                Some(*open)
            }
            // A call that was under way for long may have begun before a level that was taken.
            None => Thinning::in_force(&self.levels, time_ns),
        };
        let Some(level) = level else { return true };
        let is_followed = |address| address != 0 && level.follows(address);
        is_first || is_followed(call.address) || is_followed(call.released)
    }

    /// Counts a call. Returns whether it has to be in the recording as the first that asks for
    /// memory from its stack.
    fn count(&mut self, image: ProcessImage, time_ns: u64, call: &Allocation) -> bool {
        let Allocation { address, released, function, .. } = *call;
        let releases = call.only_gives_back();
        // What only gives back belongs to the site of its block, whatever its own stack is.
        let stack = if releases { StackId::NONE } else { call.stack };
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

    /// Decides on the next level if so many bytes are used: those of calls, and those of everything
    /// else that is in the file or will be.
    pub fn used(&mut self, call_bytes: u64, other_bytes: u64) {
        let level = self.level();
        let for_calls = self.size_bytes.saturating_sub(other_bytes);
        let for_calls = for_calls.max(self.size_bytes / CALLS_SHARE_MIN);
        let (this, next) = (u64::from(level) + 1, u64::from(level) + 2);
        // What was foreseen may have become less.
        self.begun_bytes = self.begun_bytes.min(call_bytes);
        let is_due = call_bytes - self.begun_bytes >= for_calls / (this * next);
        if is_due && level < Thinning::LEVEL_MAX {
            let from_ns = self.open.map_or(u64::MAX, |open| open.from_ns);
            self.open = Some(Thinning { from_ns, level: level + 1, seed: self.seed });
            self.begun_bytes = call_bytes;
        }
    }

    /// The level that chooses now; 0 as long as everything is kept.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.open.or(self.levels.last().copied()).map_or(0, |level| level.level)
    }

    /// The level that was decided on since the last call, if it has chosen. It begins at a time
    /// that may be before that of the one before.
    pub fn take_level(&mut self) -> Option<Thinning> {
        let level = self.open.take_if(|open| open.from_ns < u64::MAX)?;
        self.levels.push(level);
        Some(level)
    }

    /// What was counted since the last call, in an order that does not depend on chance.
    pub fn take_counts(&mut self) -> Vec<CallCounts> {
        let all = self.counts();
        for counts in self.counts.values_mut() {
            *counts =
                CallCounts { calls: 0, failed: 0, bytes: 0, timed: 0, timed_ns: 0, ..*counts };
        }
        all
    }

    /// What [`Thinner::take_counts`] would return.
    #[must_use]
    pub fn counts(&self) -> Vec<CallCounts> {
        let counted = self.counts.values().filter(|counts| counts.calls > 0);
        let mut all: Vec<CallCounts> = counted.copied().collect();
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
        let (mut used, mut random) = (0, 1_u64);
        for time_ns in 0..1 << 24 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let call = malloc(0x7000 + (random >> 40) * 16, 1);
            used += CALL_BYTES * u64::from(thinner.keeps(IMAGE, time_ns, &call));
            thinner.used(used, 0);
            thinner.take_level();
        }
        assert!(used < SIZE, "{used}");
        // The calls would fill it 64 times: the sum of 2^k / ((k + 1) (k + 2)) up to that level.
        assert!((11..=14).contains(&thinner.level()), "{}", thinner.level());
    }

    #[test]
    fn what_is_not_of_calls_leaves_less_for_them() {
        let mut thinner = Thinner::new(1000, 3);
        thinner.used(499, 0);
        assert_eq!(thinner.level(), 0);
        thinner.used(100, 800);
        assert_eq!(thinner.level(), 1);
        // Level 1 gets a sixth of an eighth, however much was used before.
        thinner.used(119, 2000);
        assert_eq!(thinner.level(), 1);
        thinner.used(120, 2000);
        assert_eq!((thinner.level(), thinner.take_level()), (2, None), "it has chosen nothing");
    }

    proptest! {
        /// In whatever order calls are read, and whenever levels come.
        #[test]
        fn all_calls_are_counted_and_those_on_followed_blocks_are_kept(
            calls in prop::collection::vec(
                (0..1000_u64, 1..60_u64, 0..4_u32, any::<bool>(), 0..12_u8), 1..300
            ),
            seed: u64,
        ) {
            let mut thinner = Thinner::new(100, seed);
            let (mut levels, mut kept, mut dumped) = (Vec::new(), Vec::new(), Vec::new());
            let mut used = 0;
            for &(time_ns, block, stack, gives, then) in &calls {
                let call = if gives { malloc(block * 16, stack) } else { free(block * 16) };
                kept.push(thinner.keeps(IMAGE, time_ns, &call));
                match then {
                    0 => {
                        used += 100;
                        thinner.used(used, 0);
                    }
                    1 | 2 => levels.extend(thinner.take_level()),
                    3 => dumped.extend(thinner.take_counts()),
                    _ => {}
                }
            }
            levels.extend(thinner.take_level());
            dumped.extend(thinner.take_counts());
            prop_assert!(thinner.take_counts().is_empty(), "each call is counted once");
            let count = |releases: bool| {
                let of_kind = dumped.iter().filter(|counts| counts.releases == releases);
                of_kind.map(|counts| counts.calls).sum::<u64>()
            };
            let given = calls.iter().filter(|call| call.3).count() as u64;
            prop_assert_eq!((count(false), count(true)), (given, calls.len() as u64 - given));
            let bytes: u64 = dumped.iter().map(|counts| counts.bytes).sum();
            prop_assert_eq!(bytes, 40 * given);
            let mut firsts = std::collections::BTreeSet::new();
            for (&(time_ns, block, stack, gives, _), &is_kept) in calls.iter().zip(&kept) {
                let level = Thinning::in_force(&levels, time_ns);
                let is_followed = level.is_none_or(|level| level.follows(block * 16));
                prop_assert!(is_kept || !is_followed, "block {} at {}", block, time_ns);
                let is_first = gives && firsts.insert(stack);
                prop_assert!(is_kept || !is_first, "the first of its stack");
            }
            for counts in dumped.iter().filter(|counts| !counts.releases) {
                let is_first = |(call, kept): (&(u64, u64, u32, bool, u8), &bool)| {
                    let is_of = StackId::from_number(call.2) == counts.stack;
                    *kept && call.3 && is_of && call.0 == counts.first_ns
                };
                prop_assert!(calls.iter().zip(&kept).any(is_first), "{:?}", counts);
            }
        }
    }
}
