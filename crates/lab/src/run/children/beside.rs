//! Floors beside the samples: children that measure floors, in as many blocks as they may cost.
//!
//! What a child finds in the caches depends on the child before it. So each group of floors has a
//! place between two samples of the block, drawn at random, as an arm's place is.

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

/// Floors may take one part of the run's time for every so many that the samples take.
const SAMPLES_TO_FLOORS: u32 = 5;

/// What has been measured, and what it has cost.
#[derive(Debug)]
pub(super) struct Beside {
    taken: TakenFloors,
    /// Which are measured.
    groups: &'static [FloorGroup],
    /// Of its own, so that the processors drawn for the samples do not depend on how often floors
    /// were taken.
    random: Xoshiro256PlusPlus,
    account: Account,
    /// The groups to come in this block, each with the position of the sample that it precedes.
    due: Vec<(u64, FloorGroup)>,
    /// What this block's groups have measured, and how many of them.
    block: (FloorSample, usize),
    /// What they took.
    block_time: Duration,
}

/// How the time of the run was divided so far.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    samples: Duration,
    floors: Duration,
    last: Duration,
}

impl Account {
    /// Whether floors that take as long as the last ones fit. The first are taken in any case.
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

/// Whether the floors are the question: then all are measured, in every block.
fn wants_all(design: &Design) -> bool {
    design.experiment.subject == Subject::Floors
}

impl Children<'_> {
    /// The floors of `group`, measured on as much memory as a sample has by a process that is
    /// prepared as that of a sample; `None` if the user asked for the end.
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

    /// Draws the places of the floors in the block that begins, if there is time for them. Floors
    /// are of warm memory, one size and one thread, and of blocks that are filled twice: beside
    /// other samples they would explain nothing, and floors of every point of a sweep would take
    /// the time of its samples.
    pub(super) fn place_floors(&mut self) {
        let beside = &mut self.beside;
        beside.due.clear();
        beside.block = (FloorSample::default(), 0);
        beside.block_time = Duration::ZERO;
        let plain = self.design.points.len() == 1
            && self.design.points[0].threads == 1
            && self.design.factors.is_empty();
        // What is handled in another way is not a sum of floors (see `explain`).
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
        // Where there are fewer arms than groups, some come after the last arm.
        let mut places: Vec<u64> =
            (0..self.design.arms.len().max(beside.groups.len()) as u64).collect();
        for &group in beside.groups {
            let index = below(&mut beside.random, places.len() as u64);
            beside.due.push((places.swap_remove(usize::try_from(index).expect("an index")), group));
        }
    }

    /// Takes the floors whose place is before the sample at `position`.
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

    /// What was taken beside the samples so far.
    #[must_use]
    pub fn into_aside(self) -> Aside {
        Aside { floors: self.beside.taken, timings: self.timings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `blocks` blocks get floors.
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
    fn floors_are_taken_as_often_as_they_may_cost() {
        assert_eq!(taken(24, 500, 100), 24, "a fifth: every block");
        assert_eq!(taken(24, 500, 200), 12, "every second");
        assert_eq!(taken(24, 100, 100), 4, "every fifth");
        assert_eq!(taken(1, 1, 1000), 1, "the first in any case");
        assert_eq!(taken(24, 1, 1000), 1);
    }
}
