//! The user's request.

use std::path::PathBuf;
use std::time::Duration;

use crate::question::arm::ArmSpec;
use crate::question::experiment::Experiment;
use crate::question::memory::MemoryState;

/// The default time cap.
pub const MAX_TIME: Duration = Duration::from_mins(1);

/// The user's request. For options that are not given, the experiment or the method decides.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchRequest {
    /// The question.
    pub experiment: Experiment,
    /// Bytes of one block of memory, ascending.
    pub sizes_bytes: Option<Vec<u64>>,
    /// Numbers of threads, ascending.
    pub threads: Option<Vec<u64>>,
    /// Numbers of touches, ascending.
    pub passes: Option<Vec<u32>>,
    /// Arms besides the baseline; empty: those of the experiment.
    pub arms: Vec<ArmSpec>,
    /// The exact number of blocks, instead of the scheduled looks.
    pub blocks: Option<u64>,
    /// A difference below this share does not matter.
    pub margin: Option<f64>,
    /// The time cap; `None`: the experiment's or the default, or none with `blocks`.
    pub max_time: Option<Duration>,
    /// The seed of every random choice.
    pub seed: u64,
    /// The processor to measure on.
    pub cpu: Option<u32>,
    /// The state of free memory to measure in.
    pub memory: MemoryState,
    /// The directory of the files; `None`: that of temporary files.
    pub directory: Option<PathBuf>,
}

impl BenchRequest {
    /// The time cap in force: the user's, or else the experiment's or the default; none for a fixed
    /// number of blocks.
    #[must_use]
    pub fn cap(&self) -> Option<Duration> {
        let usual = self.experiment.max_time.unwrap_or(MAX_TIME);
        self.max_time.or(self.blocks.is_none().then_some(usual))
    }

    /// The arms besides `baseline`: those requested and the arms that they are compared with, or
    /// else `own`, those of the experiment.
    #[must_use]
    pub fn others(&self, baseline: &ArmSpec, own: &[ArmSpec]) -> Vec<ArmSpec> {
        let wanted = if self.arms.is_empty() { own } else { &self.arms };
        let mut others: Vec<ArmSpec> =
            wanted.iter().filter(|arm| arm.name != baseline.name).cloned().collect();
        // The arm that another is compared with may be compared with a third.
        while let Some(missing) = own.iter().find(|arm| {
            let needed = others.iter().any(|other| other.against.as_ref() == Some(&arm.name));
            needed && others.iter().all(|other| other.name != arm.name)
        }) {
            others.insert(0, missing.clone());
        }
        others
    }

    /// The directory of the files.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The sizes in force.
    #[must_use]
    pub fn sizes_bytes(&self) -> &[u64] {
        self.sizes_bytes.as_ref().unwrap_or(&self.experiment.sizes_bytes)
    }

    /// The numbers of passes in force; empty: as in each arm.
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
