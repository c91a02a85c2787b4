//! Samples, block after block, from child processes or from a simulation of them; and what is found
//! out beside them.

pub mod children;
pub mod disturbance;
pub(crate) mod files;
pub(crate) mod mmap_threshold;
pub(crate) mod observe;
pub(crate) mod pilot;
pub(crate) mod policy_check;
pub mod ratios;
pub mod session;
pub(crate) mod timings;

use std::time::Duration;

use results::{Block, FloorSample, Sample, Stopped};
use stats::{Estimate, Look};

use crate::design::Design;
use timings::TakenTimings;

/// What measures: child processes on a real machine, or a simulation of them.
pub trait Bench {
    /// Time since the start of the run.
    fn now(&mut self) -> Duration;
    /// One sample of arm number `arm`.
    fn sample(&mut self, arm: usize, block: u64, position: u64) -> Taken;
    /// Called before the first sample of a block.
    fn begin_block(&mut self);
    /// Called after its last one: what else happened meanwhile.
    fn end_block(&mut self, block: u64) -> Block;
}

/// What became of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It was measured.
    Sample(Sample),
    /// The arm's policy did not take effect; what was measured is of something else.
    Unproved(Sample, String),
    /// The child failed or was killed.
    Failed(String),
    /// The user asked for the end.
    Interrupted,
}

/// An arm that left the run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Why.
    pub reason: String,
    /// It broke, rather than being impossible here.
    pub failed: bool,
}

/// A block that does not count, with its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedBlock {
    /// Number of the block.
    pub block: u64,
    /// The disturbance.
    pub reason: String,
    /// Whether it was run to its end. One that was not never counts.
    pub complete: bool,
    /// Its samples, with the index of their arm.
    pub samples: Vec<(usize, Sample)>,
}

/// Everything that happened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// By arm: the samples of the blocks that count.
    pub samples: Vec<Vec<Sample>>,
    /// By arm: whether it left the run.
    pub removals: Vec<Option<Removal>>,
    /// All blocks, dropped ones included.
    pub blocks: Vec<Block>,
    /// Blocks that do not count.
    pub dropped: Vec<DroppedBlock>,
    /// The looks that were taken.
    pub looks: Vec<Look>,
    /// By contrast: the estimate of the last look; `None` where an arm that it needs has left.
    pub estimates: Vec<Option<Estimate>>,
    /// What cut it short.
    pub stopped: Option<Stopped>,
    /// How long a block took, on average.
    pub block_time: Duration,
}

/// What a watcher may show while it goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Blocks that count, so far.
    pub kept: usize,
    /// The last block that the run may come to; `None` before that is known.
    pub last: Option<usize>,
    /// Since the start of the run.
    pub now: Duration,
    /// Lower and upper bound of the widest interval at the last look.
    pub widest: Option<(f64, f64)>,
}

/// Judges all comparisons at a look. The session gathers, the judge decides; the tests put wrong
/// judges in this place to prove that the simulations would notice.
pub trait Judge {
    /// One estimate for each list of log ratios. Called once per look, in order.
    fn look(&mut self, look: Look, log_ratios: &[Vec<f64>]) -> Vec<Option<Estimate>>;
}

/// What was taken beside the samples.
#[derive(Debug, Clone, Default)]
pub struct Aside {
    /// The floors, block by block.
    pub floors: TakenFloors,
    /// Touches that were timed one by one, sample by sample.
    pub timings: Vec<TakenTimings>,
}

/// Floors that were measured beside the blocks.
#[derive(Debug, Clone, Default)]
pub struct TakenFloors {
    /// One of each block that has all of them.
    pub samples: Vec<FloorSample>,
    /// Why there are no more of them.
    pub failed: Option<String>,
}

/// The pairs of cold and warm samples that followed a session.
#[derive(Debug, Clone)]
pub struct ColdPairs {
    /// Two arms and a contrast.
    pub design: Design,
    /// Their samples.
    pub run: Run,
}
