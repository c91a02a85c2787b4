//! Samples, block after block, from child processes or from a simulation of them; and observations
//! beside them.

pub mod activity;
pub mod allocators;
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

/// The source of samples: child processes on a real machine, or a simulation of them.
pub trait Bench {
    /// What one sample measures.
    type Sample;
    /// Time since the start of the run.
    fn now(&mut self) -> Duration;
    /// One sample of arm number `arm`.
    fn sample(&mut self, arm: usize, block: u64, position: u64) -> Taken<Self::Sample>;
    /// Called before the first sample of a block.
    fn begin_block(&mut self);
    /// Called after the last sample of a block; returns what else happened on the machine
    /// meanwhile.
    fn end_block(&mut self, block: u64) -> Block;
}

/// The outcome of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken<S = Sample> {
    /// It was measured.
    Sample(S),
    /// The arm's policy did not take effect, so the sample measured something else.
    Unproved(S, String),
    /// The child failed or was killed.
    Failed(String),
    /// The user interrupted the run.
    Interrupted,
}

/// An arm that left the run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Why.
    pub reason: String,
    /// Whether it failed, rather than being impossible here.
    pub failed: bool,
}

/// A block that does not count, with its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedBlock<S = Sample> {
    /// Number of the block.
    pub block: u64,
    /// The disturbance.
    pub reason: String,
    /// Whether all its samples were taken. An incomplete block never counts.
    pub complete: bool,
    /// Its samples, with the index of their arm.
    pub samples: Vec<(usize, S)>,
}

/// The samples and events of a session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run<S = Sample> {
    /// By arm: the samples of the blocks that count.
    pub samples: Vec<Vec<S>>,
    /// By arm: whether it left the run.
    pub removals: Vec<Option<Removal>>,
    /// All blocks, dropped ones included.
    pub blocks: Vec<Block>,
    /// Blocks that do not count.
    pub dropped: Vec<DroppedBlock<S>>,
    /// The looks that were taken.
    pub looks: Vec<Look>,
    /// By contrast: the estimate of the last look; `None` if an arm that it needs has left.
    pub estimates: Vec<Option<Estimate>>,
    /// Why it ended early, if it did.
    pub stopped: Option<Stopped>,
    /// The mean time of a block.
    pub block_time: Duration,
}

/// The progress of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The number of blocks so far that count.
    pub kept: usize,
    /// The number of blocks at the last look; `None` before that is known.
    pub last: Option<usize>,
    /// The time since the start of the run.
    pub now: Duration,
    /// Lower and upper bound of the widest interval at the last look.
    pub widest: Option<(f64, f64)>,
}

/// Judges all comparisons at a look. The session collects samples, the judge decides; tests use
/// wrong judges to prove that the simulations detect them.
pub trait Judge {
    /// One estimate for each list of log ratios. Called once per look, in order.
    fn look(&mut self, look: Look, log_ratios: &[Vec<f64>]) -> Vec<Option<Estimate>>;
}

/// Measurements beside the samples.
#[derive(Debug, Clone, Default)]
pub struct Aside {
    /// The floors, block by block.
    pub floors: TakenFloors,
    /// Times of single touches, sample by sample.
    pub timings: Vec<TakenTimings>,
}

/// Floors that were measured beside the blocks.
#[derive(Debug, Clone, Default)]
pub struct TakenFloors {
    /// One for each block in which all floors were measured.
    pub samples: Vec<FloorSample>,
    /// Why measuring floors failed, if it did.
    pub failed: Option<String>,
}

/// The pairs of cold and warm samples after a session.
#[derive(Debug, Clone)]
pub struct ColdPairs {
    /// Their design: two arms and a contrast.
    pub design: Design,
    /// Their samples.
    pub run: Run,
}
