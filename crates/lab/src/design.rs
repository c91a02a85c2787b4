//! The design of one run: everything that is fixed before the first sample.

pub mod arrangement;
pub mod capacity;
pub mod factorial;
pub mod machine;
pub mod randomization;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stats::{LOOKS, Look};

use crate::inside::access_pattern::Handling;
use crate::inside::source::Source;
use crate::question::experiment::{Experiment, Metric};
use crate::question::preload::Allocator;
use crate::question::quantity::bytes_text;

/// The cumulative error allowance of a whole run.
pub const ALPHA: f64 = 0.05;

/// The name of the baseline's second appearance.
pub const PLACEBO: &str = "placebo";

/// The state of the machine's free memory before a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Used a moment ago: the host, if there is one, has backed it.
    Warm,
    /// Left idle until the host has taken it back.
    Cold,
}

impl Memory {
    /// As on the command line and in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Memory::Warm => "warm",
            Memory::Cold => "cold",
        }
    }
}

/// What one sample does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Where the memory comes from.
    pub source: Source,
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// Blocks of memory in a sample, of all threads together.
    pub operations: u64,
    /// The byte that both touches write.
    pub fill: u8,
    /// Threads that share the work.
    pub threads: u64,
    /// Bytes on top of the batch, for the injected arm.
    pub extra_bytes: u64,
    /// How the memory is used.
    pub handling: Handling,
    /// The threads share one mapping too.
    pub one_mapping: bool,
    /// What the child is born with.
    pub environment: Environment,
    /// What the same process did before, and released again.
    pub before: Option<Earlier>,
    /// The state of free memory to measure in.
    pub memory: Memory,
    /// Warm memory is made by touching that much.
    pub warm_bytes: u64,
}

/// What a child is born with, beside what this process has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Its allocator; `None`: the one that it would have anyway.
    pub allocator: Option<Allocator>,
    /// Variables, by name.
    pub variables: BTreeMap<String, String>,
}

/// What a process did before it measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Where that memory came from.
    pub source: Source,
    /// The byte that was written to it.
    pub fill: u8,
}

/// What an arm is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Others are compared with it.
    Baseline,
    /// It is compared.
    Compared,
    /// The baseline under another name.
    Placebo,
}

/// One row of the plan: an arm at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmPlan {
    /// Name; the same at all points.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// Index of its point in [`Design::points`].
    pub point: usize,
    /// What it does.
    pub work: Work,
}

/// A size, a number of threads and, where that is swept over too, a number of passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// Threads that share the work.
    pub threads: u64,
    /// Touches in all; `None`: as each arm has it.
    pub passes: Option<u32>,
}

impl Point {
    /// One where the arms say how often they touch.
    #[must_use]
    pub fn new(size_bytes: u64, threads: u64) -> Self {
        Point { size_bytes, threads, passes: None }
    }
}

/// What a run sweeps over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Sizes of blocks of memory.
    pub sizes: bool,
    /// Numbers of threads.
    pub threads: bool,
    /// Numbers of passes.
    pub passes: bool,
}

/// What is estimated from every block: the mean logarithm of some arms less that of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contrast {
    /// A factor of a factorial experiment, by index, or else a comparison of two arms.
    pub factor: Option<usize>,
    /// Arms, by index.
    pub plus: Vec<usize>,
    /// Arms, by index.
    pub minus: Vec<usize>,
}

impl Contrast {
    /// One arm against another.
    #[must_use]
    pub fn pair(arm: usize, baseline: usize) -> Self {
        Contrast { factor: None, plus: vec![arm], minus: vec![baseline] }
    }

    /// All arms that it needs.
    pub fn arms(&self) -> impl Iterator<Item = usize> + '_ {
        self.plus.iter().chain(&self.minus).copied()
    }
}

/// When to look, and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The looks, in order.
    pub looks: Vec<Look>,
    /// The time cap, from the start of the run; `None`: no cap.
    pub cap: Option<Duration>,
}

impl Schedule {
    /// The looks of docs/method.md.
    #[must_use]
    pub fn sequential(cap: Duration) -> Self {
        Schedule { looks: LOOKS.to_vec(), cap: Some(cap) }
    }

    /// Exactly `blocks` blocks and one look at the end, which may spend the whole allowance.
    #[must_use]
    pub fn fixed(blocks: usize, cap: Option<Duration>) -> Self {
        Schedule { looks: vec![Look { blocks, alpha: ALPHA }], cap }
    }

    /// The last look for which there is time, when `kept` blocks are done at `now` and each takes `block`. `None` if
    /// there is time for none.
    #[must_use]
    pub fn last_that_fits(&self, kept: usize, now: Duration, block: Duration) -> Option<Look> {
        let Some(cap) = self.cap else { return self.looks.last().copied() };
        let needed = |look: &Look| now + block.mul_f64(look.blocks.saturating_sub(kept) as f64);
        self.looks.iter().rev().find(|look| needed(look) <= cap).copied()
    }
}

/// A whole run, before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// The question.
    pub experiment: Experiment,
    /// Sizes and numbers of threads, in the order of the screen.
    pub points: Vec<Point>,
    /// The arms, point by point, in their order on the screen.
    pub arms: Vec<ArmPlan>,
    /// What is to be decided.
    pub contrasts: Vec<Contrast>,
    /// The placebos against their baselines.
    pub placebo: Contrast,
    /// The factors that are crossed; empty unless the experiment is factorial.
    pub factors: Vec<results::Factor>,
    /// Looks and cap.
    pub schedule: Schedule,
    /// Blocks asked for by the user instead of the scheduled looks.
    pub blocks: Option<u64>,
    /// The share below which a difference does not matter.
    pub margin: f64,
    /// Every random choice follows from it.
    pub seed: u64,
    /// The processor to measure on.
    pub cpu: Option<u32>,
    /// The state of free memory to measure in.
    pub memory: Memory,
    /// A design of one point out of a sweep: what was swept over.
    pub swept: Option<Swept>,
    /// Pairs of cold and warm samples are to follow in the time that this schedule leaves.
    pub pairs_follow: bool,
}

impl Design {
    /// Which figure of a sample is compared.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.experiment.metric
    }

    /// The time cap of a whole run that leaves `needed` to this design.
    #[must_use]
    pub fn whole_cap(&self, needed: Duration) -> Duration {
        let needed = if self.experiment.bisect { needed.div_f64(1.0 - crate::bisect::SHARE) } else { needed };
        if self.pairs_follow { needed + needed.min(crate::cold::pairs_time()) } else { needed }
    }

    /// Whether `arm`'s point, or the whole of a factorial experiment, is worth nothing without it.
    #[must_use]
    pub fn essential(&self, arm: usize) -> bool {
        !self.factors.is_empty() || self.arms[arm].role != Role::Compared
    }

    /// Whether the run has points that differ in what `of` says.
    fn several<T: PartialEq>(&self, of: fn(&Point) -> T) -> bool {
        self.points.iter().any(|point| of(point) != of(&self.points[0]))
    }

    /// What the run sweeps over.
    #[must_use]
    pub fn sweeps(&self) -> Swept {
        self.swept.unwrap_or(Swept {
            sizes: self.several(|point| point.size_bytes),
            threads: self.several(|point| point.threads),
            passes: self.several(|point| point.passes),
        })
    }

    /// Whether `arm` is the baseline's second appearance.
    #[must_use]
    pub fn is_placebo(&self, arm: usize) -> bool {
        self.arms[arm].role == Role::Placebo
    }

    /// Whether the run sweeps over sizes.
    #[must_use]
    pub fn sweeps_sizes(&self) -> bool {
        self.sweeps().sizes
    }

    /// Whether the run sweeps over numbers of threads.
    #[must_use]
    pub fn sweeps_threads(&self) -> bool {
        self.sweeps().threads
    }

    /// Whether the run sweeps over numbers of passes.
    #[must_use]
    pub fn sweeps_passes(&self) -> bool {
        self.sweeps().passes
    }

    /// How to name `arm` where its point matters.
    #[must_use]
    pub fn label(&self, arm: usize) -> String {
        let plan = &self.arms[arm];
        let size = self.sweeps_sizes().then(|| format!(" at {}", bytes_text(plan.work.size_bytes)));
        let several = |n: u64, one: &str, many: &str| format!(", {n} {}", if n == 1 { one } else { many });
        let threads = self.sweeps_threads().then(|| several(plan.work.threads, "thread", "threads"));
        let passes = self.sweeps_passes().then(|| several(u64::from(plan.work.handling.passes), "pass", "passes"));
        [Some(plan.name.clone()), size, threads, passes].into_iter().flatten().collect()
    }

    /// The same design without the arms in `gone`. A point that loses an arm without which it says nothing loses all.
    #[must_use]
    pub fn without(&self, gone: &[usize]) -> Design {
        let lost = |point: usize| gone.iter().any(|&arm| self.arms[arm].point == point && self.essential(arm));
        let stays = |arm: &usize| !gone.contains(arm) && !lost(self.arms[*arm].point);
        let kept: Vec<usize> = (0..self.arms.len()).filter(stays).collect();
        let points: Vec<usize> = (0..self.points.len()).filter(|&point| !lost(point)).collect();
        let place = |of: &[usize], old: usize| of.iter().position(|&index| index == old);
        let moved = |arms: &[usize]| arms.iter().filter_map(|&arm| place(&kept, arm)).collect::<Vec<usize>>();
        let arm = |&old: &usize| {
            let plan = &self.arms[old];
            Some(ArmPlan { point: place(&points, plan.point)?, ..plan.clone() })
        };
        let whole = |contrast: &&Contrast| contrast.arms().all(|arm| kept.contains(&arm));
        let contrast =
            |old: &Contrast| Contrast { factor: old.factor, plus: moved(&old.plus), minus: moved(&old.minus) };
        Design {
            points: points.iter().map(|&point| self.points[point]).collect(),
            arms: kept.iter().filter_map(arm).collect(),
            contrasts: self.contrasts.iter().filter(whole).map(contrast).collect(),
            placebo: contrast(&self.placebo),
            ..self.clone()
        }
    }

    /// Arms of `point`, by index.
    pub fn arms_of(&self, point: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.arms.len()).filter(move |&arm| self.arms[arm].point == point)
    }
}

/// How many blocks of memory make a sample: enough that a sample handles some 32 MiB, so that its phases last far longer
/// than reading the clock, and at most 8,192, to stay far below the kernel's limit of mappings (65,530).
#[must_use]
pub fn operations_for(size_bytes: u64, page_bytes: u64) -> u64 {
    const GOAL_BYTES: u64 = 32 << 20;
    const MOST: u64 = 8192;
    (GOAL_BYTES / size_bytes.max(page_bytes)).clamp(1, MOST)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A design of nothing.
    pub(crate) fn empty(experiment: Experiment) -> Design {
        Design {
            experiment,
            points: Vec::new(),
            arms: Vec::new(),
            contrasts: Vec::new(),
            placebo: Contrast::default(),
            factors: Vec::new(),
            schedule: Schedule::sequential(Duration::from_mins(1)),
            blocks: None,
            margin: 0.03,
            seed: 1,
            cpu: None,
            memory: Memory::Warm,
            swept: None,
            pairs_follow: false,
        }
    }

    #[test]
    fn small_blocks_come_in_batches() {
        for (size, operations) in [(1, 8192), (4096, 8192), (65_536, 512), (8 << 20, 4), (100 << 20, 1), (2 << 30, 1)] {
            assert_eq!(operations_for(size, 4096), operations, "{size}");
        }
        assert_eq!(operations_for(1, 65_536), 512, "a page of 64 KiB");
    }

    #[test]
    fn the_cap_chooses_the_last_look() {
        let schedule = Schedule::sequential(Duration::from_mins(1));
        let last = |block_ms| {
            let block = Duration::from_millis(block_ms);
            schedule.last_that_fits(2, block * 2, block).map(|look| look.blocks)
        };
        assert_eq!(last(500), Some(96));
        assert_eq!(last(700), Some(48));
        assert_eq!(last(2_000), Some(24));
        assert_eq!(last(5_000), Some(12));
        assert_eq!(last(6_000), None);
        let fixed = Schedule::fixed(7, None);
        assert_eq!(fixed.last_that_fits(2, Duration::ZERO, Duration::from_secs(100)).map(|l| l.blocks), Some(7));
    }
}
