//! The protocol of parent and child: a task on the child's command line, an answer on its standard
//! output.

use serde::{Deserialize, Serialize};

use crate::access_pattern::AccessPattern;
use crate::measured_floors::MeasuredFloors;
use crate::measurement::Measurement;
use crate::source::Source;

/// The hidden first argument that turns the program into a measured child.
pub const CHILD_VERB: &str = "__child";

/// A task for a child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// Measure.
    Measure(Job),
    /// Report where malloc comes from.
    Allocator {
        /// The parent's process id.
        parent: u32,
    },
    /// Touch memory once and release it, so that a host has backed it.
    Warm {
        /// The parent's process id.
        parent: u32,
        /// How much memory.
        bytes: u64,
    },
    /// Measure floors.
    Floors {
        /// The parent's process id.
        parent: u32,
        /// The floors to measure.
        group: FloorGroup,
        /// The memory of a sample.
        bytes: u64,
        /// The size of one block of memory.
        block_bytes: u64,
    },
}

impl Task {
    /// The parent's process id: the child ends with it.
    #[must_use]
    pub fn parent(&self) -> u32 {
        match self {
            Task::Measure(job) => job.parent,
            Task::Allocator { parent }
            | Task::Warm { parent, .. }
            | Task::Floors { parent, .. } => *parent,
        }
    }
}

/// The floors that one process measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FloorGroup {
    /// Calls, faults of small pages, and writing.
    Faults,
    /// The call that populates.
    Populate,
    /// Faults of huge pages, and writing to them.
    Huge,
    /// Writing to resident memory, by different instructions.
    Stores,
    /// Copying, and reading a file.
    Copies,
}

impl FloorGroup {
    /// The groups that explain arms.
    pub const BESIDE: [FloorGroup; 3] =
        [FloorGroup::Faults, FloorGroup::Populate, FloorGroup::Huge];
    /// All groups.
    pub const ALL: [FloorGroup; 5] = [
        FloorGroup::Faults,
        FloorGroup::Populate,
        FloorGroup::Huge,
        FloorGroup::Stores,
        FloorGroup::Copies,
    ];
}

/// A measurement: obtain, touch, touch again, release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The parent's process id: the child ends with it.
    pub parent: u32,
    /// The source of the memory.
    pub source: Source,
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// The number of blocks, all alive at once, over all threads.
    pub operations: u64,
    /// Bytes in addition to the batch: as many whole blocks as fit, and the rest.
    #[serde(default)]
    pub extra_bytes: u64,
    /// The byte to write.
    pub fill: u8,
    /// How the memory is used.
    #[serde(default)]
    pub pattern: AccessPattern,
    /// The seed of a random page order.
    #[serde(default)]
    pub seed: u64,
    /// Done before, untimed, with a batch of the same size.
    #[serde(default)]
    pub before: Option<Earlier>,
    /// Threads that share the work.
    #[serde(default = "one")]
    pub threads: u64,
    /// Whether they also share one mapping, each with a part of it.
    #[serde(default)]
    pub one_mapping: bool,
    /// Processors that the threads may use; empty: those that the child inherited.
    #[serde(default)]
    pub cpus: Vec<u32>,
    /// The file that the parent has created for it.
    #[serde(default)]
    pub file: Option<JobFile>,
    /// Whether the run is observed: untimed, it counts faults and finds out where the memory came
    /// from.
    pub observe: bool,
}

/// The work of a process before its measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The source of that memory.
    pub source: Source,
    /// The byte that was written to it.
    pub fill: u8,
}

/// A file that a child inherits from its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFile {
    /// The number of the descriptor.
    pub descriptor: i32,
    /// The bytes of it that the child may use.
    pub bytes: u64,
}

fn one() -> u64 {
    1
}

impl Job {
    /// `operations` blocks of `size_bytes` from `source`, with the calling process as parent and
    /// defaults for the rest.
    #[must_use]
    pub fn plain(source: Source, size_bytes: u64, operations: u64) -> Self {
        Job {
            parent: std::process::id(),
            source,
            size_bytes,
            operations,
            extra_bytes: 0,
            fill: 1,
            pattern: AccessPattern::default(),
            seed: 0,
            before: None,
            threads: 1,
            one_mapping: false,
            cpus: Vec::new(),
            file: None,
            observe: false,
        }
    }

    /// The sizes of all blocks: of the batch, and of the extra bytes.
    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        let (size, extra) = (self.size_bytes.max(1), self.extra_bytes);
        let rest = (!extra.is_multiple_of(size)).then_some(extra % size);
        let whole = usize::try_from(self.operations + extra / size).unwrap_or(usize::MAX);
        std::iter::repeat_n(size, whole).chain(rest)
    }
}

/// The answer of a child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// All phases were run.
    Measured(Box<Measurement>),
    /// The file that malloc came from, if it can be found.
    Allocator(Option<String>),
    /// The warm-up is done, as far as memory sufficed.
    Warmed,
    /// The floors were measured; those that could not be are marked.
    Floors(MeasuredFloors),
    /// A call failed.
    Failed {
        /// The call and its error: `malloc: ENOMEM (Cannot allocate memory)`.
        reason: String,
    },
}
