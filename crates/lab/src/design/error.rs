//! Why nothing was measured.

use crate::design::capacity::Refusal;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A sample would swap, fail or be killed.
    #[error("a sample needs {} bytes, more than {} allows", refusal.needed, refusal.limit)]
    Capacity {
        /// Bytes of one block of memory.
        size_bytes: u64,
        /// The limit that it would exceed.
        refusal: Refusal,
    },
    /// `--cpu` names a processor that this process may not use.
    #[error("this process may not use processor {cpu}: choose one of {allowed}")]
    Cpu {
        /// The requested processor.
        cpu: u32,
        /// The allowed processors.
        allowed: String,
    },
    /// The time is too short for the number of points.
    #[error(
        "{points} point(s) with {samples} samples in each block: one block would take about \
         {block}, the {blocks} that a verdict needs at least {all}, but there is time for {cap}. \
         Choose fewer points or arms, or give --max-time {all}"
    )]
    TooManyPoints {
        /// Sizes times numbers of threads.
        points: usize,
        /// Children in a block.
        samples: usize,
        /// Time of one block.
        block: String,
        /// Blocks of the first look.
        blocks: usize,
        /// The time of these blocks.
        all: String,
        /// The time cap.
        cap: String,
    },
    /// An option that does not fit the experiment.
    #[error("{0}")]
    Unfit(String),
    /// `--memory cold` on a machine without a cold state.
    #[error(
        "this machine has no cold memory: freed memory stays with it (no virtio balloon reports \
         free pages to a host). Leave out --memory cold"
    )]
    NothingCold,
    /// The baseline, or a cell of a factorial experiment, is not available here.
    #[error("the {arm} cannot be measured: {reason}")]
    Baseline {
        /// The baseline or cell.
        arm: String,
        /// Why.
        reason: String,
    },
    /// No arm is left to compare the baseline with.
    #[error("nothing is left to compare: {0}")]
    NothingToCompare(String),
    /// The program cannot start itself.
    #[error("cannot start children: {0}")]
    Children(#[from] std::io::Error),
    /// The user interrupted the run before there was a result.
    #[error("interrupted before anything was measured")]
    Interrupted,
}
