//! What the user wants, and why nothing could be made of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::design::Memory;
use crate::design::capacity::Refusal;
use crate::question::arm::ArmSpec;
use crate::question::experiment::Experiment;

/// The time cap unless the experiment or the user says otherwise.
pub const MAX_TIME: Duration = Duration::from_mins(1);

/// What the user wants. Where it says nothing, the experiment or the method decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The question.
    pub experiment: Experiment,
    /// Bytes of one block of memory, ascending.
    pub sizes_bytes: Option<Vec<u64>>,
    /// Numbers of threads, ascending.
    pub threads: Option<Vec<u64>>,
    /// Touches in all, ascending.
    pub passes: Option<Vec<u32>>,
    /// Arms beside the baseline; empty: those of the experiment.
    pub arms: Vec<ArmSpec>,
    /// Exactly so many blocks, instead of the scheduled looks.
    pub blocks: Option<u64>,
    /// The share below which a difference does not matter.
    pub margin: Option<f64>,
    /// The time cap; `None`: the experiment's or the default, or none with `blocks`.
    pub max_time: Option<Duration>,
    /// Every random choice follows from it.
    pub seed: u64,
    /// The processor to measure on.
    pub cpu: Option<u32>,
    /// The state of free memory to measure in.
    pub memory: Memory,
    /// Where files are made; `None`: where temporary ones are.
    pub directory: Option<PathBuf>,
}

impl Request {
    /// The time cap in force: what the user says, or else the experiment's or the default; none for a fixed number of
    /// blocks.
    #[must_use]
    pub fn cap(&self) -> Option<Duration> {
        let usual = self.experiment.max_time.unwrap_or(MAX_TIME);
        self.max_time.or(self.blocks.is_none().then_some(usual))
    }

    /// The arms beside `baseline`: those asked for and what they are compared with, or else `own`, those of the experiment.
    #[must_use]
    pub fn others(&self, baseline: &ArmSpec, own: &[ArmSpec]) -> Vec<ArmSpec> {
        let wanted = if self.arms.is_empty() { own } else { &self.arms };
        let mut others: Vec<ArmSpec> = wanted.iter().filter(|arm| arm.name != baseline.name).cloned().collect();
        // What stands in for the baseline may be compared with another in its turn.
        while let Some(missing) = own.iter().find(|arm| {
            let needed = others.iter().any(|other| other.against.as_ref() == Some(&arm.name));
            needed && others.iter().all(|other| other.name != arm.name)
        }) {
            others.insert(0, missing.clone());
        }
        others
    }

    /// Where files are made.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The sizes in force.
    #[must_use]
    pub fn sizes_bytes(&self) -> &[u64] {
        self.sizes_bytes.as_ref().unwrap_or(&self.experiment.sizes_bytes)
    }

    /// The numbers of passes in force; empty: as each arm has it.
    #[must_use]
    pub fn passes(&self) -> &[u32] {
        self.passes.as_ref().unwrap_or(&self.experiment.passes)
    }

    /// The numbers of threads in force.
    #[must_use]
    pub fn threads(&self) -> &[u64] {
        self.threads.as_ref().unwrap_or(&self.experiment.threads)
    }
}

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
    /// The baseline, or a cell of a factorial experiment, cannot be had.
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
