//! Floors beside the samples: children that measure floors, in as many blocks as the time allows.
//!
//! The state of the caches depends on the previous child. So each group of floors has a random
//! place between two samples of the block, like the place of an arm.

use std::time::{Duration, Instant};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use results::FloorSample;
use sample::access_pattern::AccessPattern;
use sample::measured_floors::MeasuredFloors;
use sample::protocol::{Answer, FloorGroup, Task};
use sample::random::below;

use super::Children;
use super::conversion::add_floors;
use crate::design::{ArmPlan, Design};
use crate::question::experiment::Subject;
use crate::question::memory::MemoryState;
use crate::run::{Aside, TakenFloors};

/// Floors may take a fifth of the time that samples take.
const SAMPLES_TO_FLOORS: u32 = 5;

/// The floors measured so far, and their time.
#[derive(Debug)]
pub(super) struct Beside {
    taken: TakenFloors,
    /// The groups that are measured.
    groups: &'static [FloorGroup],
    /// A separate generator, so that the processors drawn for the samples do not depend on how
    /// often floors are measured.
    random: Xoshiro256PlusPlus,
    account: Account,
    /// The remaining groups of this block, each with the position of the sample that it precedes.
    due: Vec<(u64, FloorGroup)>,
    /// The floors of this block so far, and the number of groups measured.
    block: (FloorSample, usize),
    /// The time that they took.
    block_time: Duration,
}

/// The times of samples and floors so far.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    samples: Duration,
    floors: Duration,
    last: Duration,
}

impl Account {
    /// Whether there is time for floors that take as long as the last ones. The first are measured
    /// in any case.
    fn affords_more(&self) -> bool {
        (self.floors + self.last) * SAMPLES_TO_FLOORS <= self.samples
    }

    fn spend(&mut self, time: Duration) {
        self.floors += time;
        self.last = time;
    }
}

impl Beside {
    pub(super) fn new(design: &Design) -> Self {
        let groups = if wants_all(design) { &FloorGroup::ALL[..] } else { &FloorGroup::BESIDE };
        Beside {
            taken: TakenFloors::default(),
            groups,
            random: Xoshiro256PlusPlus::seed_from_u64(design.seed.rotate_left(32)),
            account: Account::default(),
            due: Vec::new(),
            block: (FloorSample::default(), 0),
            block_time: Duration::ZERO,
        }
    }
}

/// Whether the experiment is about floors: then all are measured in every block.
fn wants_all(design: &Design) -> bool {
    design.experiment.subject == Subject::Floors
}

impl Children<'_> {
    /// Measures the floors of `group` on as much memory as a sample has, in a process that is
    /// prepared like that of a sample; `None` if the user interrupted the run.
    ///
    /// # Errors
    /// Why the child failed.
    pub fn floors(&mut self, group: FloorGroup) -> Result<Option<MeasuredFloors>, String> {
        let Some(work) = self.design.arms.first().map(|arm| &arm.work) else { return Ok(None) };
        self.prepare_memory(MemoryState::Warm, work.warm_bytes);
        let page_bytes = sys::limits::page_bytes();
        let block_bytes = work.size_bytes;
        let bytes = block_bytes.div_ceil(page_bytes) * page_bytes * work.operations;
        let task = Task::Floors { parent: std::process::id(), group, bytes, block_bytes };
        match self.ask(&task)? {
            Some(Answer::Floors(floors)) => Ok(Some(floors)),
            Some(_) => Err("its child answered another question".to_owned()),
            None => Ok(None),
        }
    }

    /// Draws the places of the floors in the new block, if there is time for them. Floors are
    /// measured with warm memory, one size, one thread, and blocks that are filled twice: they
    /// would not explain other samples, and floors at every point of a sweep would take the time of
    /// its samples.
    pub(super) fn place_floors(&mut self) {
        let beside = &mut self.beside;
        beside.due.clear();
        beside.block = (FloorSample::default(), 0);
        beside.block_time = Duration::ZERO;
        let plain = self.design.points.len() == 1
            && self.design.points[0].threads == 1
            && self.design.factors.is_empty();
        // Memory that is used in another way is not a sum of floors (see `explain`).
        let usual = |arm: &ArmPlan| {
            arm.work.pattern == AccessPattern::default() && !arm.work.source.counts_pairs()
        };
        let (all, worth) = (wants_all(self.design), self.design.arms.iter().any(usual));
        let afforded = all || (worth && beside.account.affords_more());
        if !plain
            || self.design.memory == MemoryState::Cold
            || beside.taken.failed.is_some()
            || !afforded
        {
            return;
        }
        // If there are fewer arms than groups, some groups come after the last arm.
        let mut places: Vec<u64> =
            (0..self.design.arms.len().max(beside.groups.len()) as u64).collect();
        for &group in beside.groups {
            let index = below(&mut beside.random, places.len() as u64);
            beside.due.push((places.swap_remove(usize::try_from(index).expect("an index")), group));
        }
    }

    /// Measures the floors whose place is before the sample at `position`.
    pub(super) fn floors_before(&mut self, position: u64) {
        while let Some(index) = self.beside.due.iter().position(|&(place, _)| place <= position) {
            let (_, group) = self.beside.due.swap_remove(index);
            let began = Instant::now();
            std::mem::swap(&mut self.random, &mut self.beside.random);
            let outcome = self.floors(group);
            std::mem::swap(&mut self.random, &mut self.beside.random);
            self.beside.block_time += began.elapsed();
            match outcome {
                Ok(Some(floors)) => {
                    add_floors(&mut self.beside.block.0, floors);
                    self.beside.block.1 += 1;
                }
                Ok(None) => self.beside.due.clear(),
                Err(reason) => {
                    self.beside.taken.failed = Some(reason);
                    self.beside.due.clear();
                }
            }
        }
    }

    /// Keeps the floors of `block`, which took `elapsed` in all, if they are complete.
    pub(super) fn keep_floors(&mut self, block: u64, elapsed: Duration) {
        let beside = &mut self.beside;
        beside.account.samples += elapsed.saturating_sub(beside.block_time);
        if beside.block.1 == beside.groups.len() {
            beside.account.spend(beside.block_time);
            beside.taken.samples.push(FloorSample { block, ..std::mem::take(&mut beside.block.0) });
        }
    }

    /// The measurements beside the samples so far.
    #[must_use]
    pub fn into_aside(self) -> Aside {
        Aside { floors: self.beside.taken, timings: self.timings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of `blocks` blocks in which floors are measured.
    fn taken(blocks: u32, samples_ms: u64, floors_ms: u64) -> u32 {
        let (mut account, mut taken) = (Account::default(), 0);
        for _ in 0..blocks {
            account.samples += Duration::from_millis(samples_ms);
            if account.affords_more() {
                account.spend(Duration::from_millis(floors_ms));
                taken += 1;
            }
        }
        taken
    }

    #[test]
    fn floors_take_a_fifth_of_the_time() {
        assert_eq!(taken(24, 500, 100), 24, "a fifth: every block");
        assert_eq!(taken(24, 500, 200), 12, "every second");
        assert_eq!(taken(24, 100, 100), 4, "every fifth");
        assert_eq!(taken(1, 1, 1000), 1, "the first in any case");
        assert_eq!(taken(24, 1, 1000), 1);
    }
}
