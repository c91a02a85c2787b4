//! The design of one run: everything that is fixed before the first sample.

use std::time::Duration;

use stats::{LOOKS, Look};

use crate::experiment::{Experiment, Metric};
use crate::source::Source;

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

/// One row of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmPlan {
    /// Name: the source's, or [`PLACEBO`].
    pub name: &'static str,
    /// What it measures.
    pub source: Source,
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
    /// The arms in their order on the screen: the baseline first, the placebo last.
    pub arms: Vec<ArmPlan>,
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// Blocks of memory in a sample.
    pub operations: u64,
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
}

impl Design {
    /// Index of the baseline in `arms`.
    pub const BASELINE: usize = 0;

    /// The arms for `others` beside the experiment's baseline.
    #[must_use]
    pub fn arms_for(experiment: &Experiment, others: &[Source]) -> Vec<ArmPlan> {
        let arm = |source: Source| ArmPlan { name: source.name(), source };
        let baseline = experiment.baseline;
        std::iter::once(arm(baseline))
            .chain(others.iter().copied().map(arm))
            .chain(std::iter::once(ArmPlan { name: PLACEBO, source: baseline }))
            .collect()
    }

    /// Index of the placebo in `arms`.
    #[must_use]
    pub fn placebo(&self) -> usize {
        self.arms.len() - 1
    }

    /// Which figure of a sample is compared.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.experiment.metric
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
mod tests {
    use super::*;

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
