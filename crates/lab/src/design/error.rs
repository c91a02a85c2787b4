//! Why nothing was measured.

use crate::design::capacity::Refusal;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// It would swap, fail or be killed.
    #[error("a sample needs {} bytes, more than {} allows", refusal.needed, refusal.limit)]
    Capacity {
        /// Bytes of one block of memory.
        size_bytes: u64,
        /// What stands in the way.
        refusal: Refusal,
    },
    /// `--cpu` names a processor that this process may not use.
    #[error("processor {cpu} is not among those that this process may use ({allowed})")]
    Cpu {
        /// The wish.
        cpu: u32,
        /// What there is.
        allowed: String,
    },
    /// More points than there is time for.
    #[error(
        "{points} point(s) with {samples} samples in each block: one block would take about {block}, the {blocks} that a \
         verdict needs at least {all}, and there is time for {cap}. Choose fewer points or arms, or give --max-time {all}"
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
        /// Their time.
        all: String,
        /// The cap.
        cap: String,
    },
    /// A wish that the experiment has no place for.
    #[error("{0}")]
    Unfit(String),
    /// `--memory cold` on a machine without a cold state.
    #[error(
        "there is no cold memory here: freed memory stays with this machine (no virtio balloon that reports free pages \
         to a host). Leave out --memory cold"
    )]
    NothingCold,
    /// The baseline, or a cell of a factorial experiment, is not available here.
    #[error("the {arm} cannot be measured: {reason}")]
    Baseline {
        /// Which.
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
    /// The user asked for the end before there was anything to show.
    #[error("interrupted before anything was measured")]
    Interrupted,
}
