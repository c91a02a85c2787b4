//! What parent and child say to each other: a job on the child's command line, an answer on its
//! standard output.

use serde::{Deserialize, Serialize};

use crate::access_pattern::AccessPattern;
use crate::measured_floors::MeasuredFloors;
use crate::measurement::Measurement;
use crate::source::Source;

/// The hidden first argument that makes the program a measured child.
pub const CHILD_VERB: &str = "__child";

/// What a child is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// Measure.
    Measure(Job),
    /// Say where malloc comes from.
    Allocator {
        /// The parent's process id.
        parent: u32,
    },
    /// Touch memory once and let it go, so that the host, if there is one, has backed it.
    Warm {
        /// The parent's process id.
        parent: u32,
        /// How much.
        bytes: u64,
    },
    /// Measure floors.
    Floors {
        /// The parent's process id.
        parent: u32,
        /// Which.
        group: FloorGroup,
        /// Memory of a sample.
        bytes: u64,
        /// Of one block of memory.
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

/// Floors that one process measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FloorGroup {
    /// Calls, faults of small pages, and writing.
    Faults,
    /// The populating call.
    Populate,
    /// Faults of huge pages, and writing to them.
    Huge,
    /// Writing to memory that is there, by one instruction or another.
    Stores,
    /// Copying, and reading a file.
    Copies,
}

impl FloorGroup {
    /// Those that explain arms.
    pub const BESIDE: [FloorGroup; 3] =
        [FloorGroup::Faults, FloorGroup::Populate, FloorGroup::Huge];
    /// All of them.
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
    /// Where the memory comes from.
    pub source: Source,
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// How many of them, all alive at once, of all threads together.
    pub operations: u64,
    /// So much on top of the batch: as many whole blocks as it holds, and the rest.
    #[serde(default)]
    pub extra_bytes: u64,
    /// The byte to write.
    pub fill: u8,
    /// How the memory is used.
    #[serde(default)]
    pub pattern: AccessPattern,
    /// Of the order of the pages, where it is drawn.
    #[serde(default)]
    pub seed: u64,
    /// To be done before, untimed, with a batch as large.
    #[serde(default)]
    pub before: Option<Earlier>,
    /// Threads that share the work.
    #[serde(default = "one")]
    pub threads: u64,
    /// They share one mapping too, each with a part of it.
    #[serde(default)]
    pub one_mapping: bool,
    /// Processors that the threads may use; empty: those that the child was born with.
    #[serde(default)]
    pub cpus: Vec<u32>,
    /// The file that the parent has made for it.
    #[serde(default)]
    pub file: Option<JobFile>,
    /// Untimed: count traps, and look where the memory came from.
    pub observe: bool,
}

/// What a process did before it measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Where that memory came from.
    pub source: Source,
    /// The byte that was written to it.
    pub fill: u8,
}

/// A file that a child has from its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFile {
    /// The number of the descriptor.
    pub descriptor: i32,
    /// So much of it is for the child.
    pub bytes: u64,
}

fn one() -> u64 {
    1
}

impl Job {
    /// `operations` blocks of `size_bytes` from `source`, for the calling process, and nothing
    /// special.
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

    /// Sizes of the blocks, of `operations` and what comes on top.
    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        let (size, extra) = (self.size_bytes.max(1), self.extra_bytes);
        let rest = (!extra.is_multiple_of(size)).then_some(extra % size);
        let whole = usize::try_from(self.operations + extra / size).unwrap_or(usize::MAX);
        std::iter::repeat_n(size, whole).chain(rest)
    }
}

/// What a child says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// All phases were run.
    Measured(Box<Measurement>),
    /// The file that malloc came from, if that can be known.
    Allocator(Option<String>),
    /// The warm-up is done, as far as it went.
    Warmed,
    /// The floors were measured, each as far as it could be.
    Floors(MeasuredFloors),
    /// A call failed.
    Failed {
        /// Which, and with what: `malloc: ENOMEM (Cannot allocate memory)`.
        reason: String,
    },
}
