//! The lab's result file, `firsttouch.result/1`, as types. `docs/result-format.md` describes it for
//! other programs. The file has everything that a screen shows, so a screen can be printed again
//! from the file alone, and everything it was computed from, down to each sample. Field names are
//! the keys of the JSON: times end in `_ns`, sizes in `_bytes`, ratios are plain numbers, and
//! unknown values are `null`.

mod check;
pub mod claims;
pub mod compare;
pub mod diff;
pub mod doctor;
mod effect;
mod file;
mod floors;
pub mod hyperfine;
mod latencies;
pub mod layout;
pub mod recording;
pub mod recording_diff;
mod sample;
pub mod start;
mod summary;
pub mod trace;
mod verdict;
mod work;

pub use check::Impossible;
pub use effect::{Crossover, Effect, Explained, Factor, PassCrossover, Step, TurningPoint};
pub use file::{
    AnyResult, BYTES_MAX, Comparable, Reading, read, read_any, read_claims, read_comparable,
    read_diagnosis, read_layout, write,
};
pub use floors::{
    Explanation, Floor, FloorEstimate, FloorPart, FloorSample, FloorSummary, Floors, InvalidFloor,
    SourceFloor,
};
pub use latencies::{Bucket, Distribution, Latencies, LatencyRow, PercentileInterval};
pub use sample::{ArmSample, Block, Dropped, Sample};
pub use summary::{ArmSummary, Bill, PhaseTimes, PointSummary};
pub use verdict::{Comparison, Placebo, Sensitivity, SensitivityLine, Verdict};
pub use work::ArmWork;

use serde::{Deserialize, Serialize};

/// The schema that this version writes and reads.
pub const SCHEMA: &str = "firsttouch.result/1";

/// One run of one experiment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabResult {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// When the run started: RFC 3339, UTC.
    pub started: String,
    /// Duration, warm-up and observed runs included.
    pub elapsed_ns: u64,
    /// The seed of every random order and padding.
    pub seed: u64,
    /// Why the run ended early; `null` if it ran to its end.
    #[serde(default)]
    pub stopped: Option<Stopped>,
    /// The option that would decide more, where something is open; `null` in files of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<More>,
    /// The machine it ran on.
    pub machine: Machine,
    /// Warnings about figures, each with the arms that it concerns.
    pub warnings: Vec<Warning>,
    /// The experiment.
    pub experiment: ExperimentRecord,
    /// The numbers of blocks after which the data were looked at.
    pub looks: Vec<u64>,
    /// The arms that were measured.
    pub arms: Vec<Arm>,
    /// Activity of the machine, block by block, dropped blocks included.
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// Blocks dropped by the rule for outside disturbance.
    pub dropped: Vec<Dropped>,
    /// Arms that are not available here or did not take effect.
    pub refused: Vec<Refused>,
    /// Every arm but the placebo against the baseline, at each point; in a factorial experiment,
    /// the one pair of cells that differ in every factor.
    pub comparisons: Vec<Comparison>,
    /// In a factorial experiment: the effect of each factor, averaged over the others.
    #[serde(default)]
    pub effects: Vec<Effect>,
    /// In a factorial experiment: the effect of each factor on the spread of single samples.
    #[serde(default)]
    pub spreads: Vec<Effect>,
    /// In a factorial experiment with a reference: how much of it the factors could explain here.
    #[serde(default)]
    pub explained: Option<Explained>,
    /// In a sweep over sizes: where the faster of an arm and the baseline changes.
    #[serde(default)]
    pub crossovers: Vec<Crossover>,
    /// In a sweep over passes: the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_crossovers: Vec<PassCrossover>,
    /// In a sweep over sizes: where allocators change from the program break to mappings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turning_points: Vec<TurningPoint>,
    /// The baseline against itself; `null` if no block is complete.
    pub placebo: Option<Placebo>,
    /// The floors: times of single steps of getting memory, measured in separate processes beside
    /// the arms; `null` if not measured.
    #[serde(default)]
    pub floors: Option<Floors>,
    /// Arms as sums of floors.
    #[serde(default)]
    pub explanations: Vec<Explanation>,
}

/// Why a run ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// The time cap was reached between looks.
    TimeCap,
    /// A signal interrupted the run.
    Interrupted,
    /// The baseline failed, so nothing can be compared.
    BaselineFailed,
}

/// What would decide more: more time, or more blocks than the schedule has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum More {
    /// A time cap, in nanoseconds.
    MaxTimeNs(u64),
    /// A number of blocks.
    Blocks(u64),
}

impl More {
    /// The option of `bench`: `--max-time 40s`.
    #[must_use]
    pub fn option(self) -> String {
        match self {
            More::MaxTimeNs(ns) => format!("--max-time {}s", ns.div_ceil(1_000_000_000)),
            More::Blocks(blocks) => format!("--blocks {blocks}"),
        }
    }
}

/// The machine and its state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Kernel release, as in `uname -r`.
    pub kernel: Option<String>,
    /// The instruction set, by Rust's name of it: `x86_64`, `aarch64`; `null` in files of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Processor model.
    pub cpu: Option<String>,
    /// Processors that the run was allowed to use.
    pub cpus: u64,
    /// Total memory.
    pub ram_bytes: Option<u64>,
    /// Transparent huge pages of 2 MiB for anonymous memory: `always`, `madvise` or `never`.
    pub thp: Option<String>,
    /// Whether it is a guest of a hypervisor.
    pub virtualized: Option<bool>,
    /// Whether the guest returns freed memory to its host (virtio-balloon free page reporting).
    #[serde(default)]
    pub free_page_reporting: Option<bool>,
    /// Size of a base page.
    #[serde(default)]
    pub page_bytes: u64,
    /// The C library: `glibc 2.36`.
    #[serde(default)]
    pub libc: Option<String>,
}

/// A warning about figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable id of the kind of warning.
    pub id: String,
    /// The observation and its effect on the figures.
    pub message: String,
    /// The arms whose figures it concerns; empty for all.
    pub arms: Vec<String>,
}

/// The experiment, with every choice that the result depends on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRecord {
    /// Name, as on the command line.
    pub name: String,
    /// The file that it was read from, as the user named it; `null` for built-in experiments.
    #[serde(default)]
    pub file: Option<String>,
    /// The question it answers.
    pub question: String,
    /// The compared metric: `total_ns`.
    pub metric: String,
    /// A difference smaller than this share does not matter to the user.
    pub margin: f64,
    /// Bytes of one block of memory; in a sweep, at the first point.
    pub size_bytes: u64,
    /// All sizes of a sweep, ascending; empty if there is only one.
    #[serde(default)]
    pub sizes_bytes: Vec<u64>,
    /// Numbers of threads that shared the work; empty if every arm uses one thread.
    #[serde(default)]
    pub threads: Vec<u64>,
    /// Numbers of touches; empty unless the run sweeps over them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<u64>,
    /// The factors of a factorial experiment; empty in others.
    #[serde(default)]
    pub factors: Vec<Factor>,
    /// Blocks of memory in a sample, all alive at once; in a sweep, at the first point.
    #[serde(default)]
    pub operations: u64,
    /// The byte written by both touches.
    #[serde(default)]
    pub fill: u8,
    /// State of the machine's free memory before a sample: `warm` or `cold`.
    #[serde(default)]
    pub memory: String,
    /// The processor that children were pinned to.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// The time cap.
    #[serde(default)]
    pub max_time_ns: Option<u64>,
    /// Arms that the user chose instead of the experiment's.
    #[serde(default)]
    pub asked_arms: Vec<String>,
    /// The number of touches that the user chose instead of that of each arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_passes: Option<u64>,
    /// The directory that the user chose for files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_directory: Option<String>,
    /// Number of blocks that the user chose instead of the scheduled looks.
    #[serde(default)]
    pub blocks: Option<u64>,
}

/// One way of getting memory, with all its samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Name, as on the command line.
    pub name: String,
    /// Whether the others are compared with it.
    pub baseline: bool,
    /// Whether it is a copy of the baseline under another name.
    pub placebo: bool,
    /// What each of its samples does; `null` in files of older versions.
    #[serde(default)]
    pub work: Option<ArmWork>,
    /// Page faults taken in user mode per block of memory in the observed run (perf's software
    /// event); `null` if counting them is refused.
    pub traps: Option<f64>,
    /// Where the memory came from, by the observed run.
    #[serde(default)]
    pub observed: Option<Observed>,
    /// Medians and shares over `samples`, as on the screen; `null` without samples, and in a sweep.
    #[serde(default)]
    pub summary: Option<ArmSummary>,
    /// In a sweep: the same, point by point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<PointSummary>,
    /// Latencies of single touches, if they were timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latencies: Option<Latencies>,
    /// One for each block that counts.
    pub samples: Vec<Sample>,
}

/// How an arm's memory was obtained, observed in one untimed run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The file that the allocation function came from (`dladdr`); `null` for arms that call the
    /// kernel.
    pub allocator: Option<String>,
    /// How far the program break moved while obtaining.
    pub break_growth_bytes: u64,
    /// How much the address space grew by mappings while obtaining.
    pub mapped_growth_bytes: u64,
    /// How much became resident while obtaining, before the first touch.
    pub resident_after_obtain_bytes: Option<u64>,
    /// Bytes of its file in the page cache before; `null` for arms without a file.
    #[serde(default)]
    pub cached_before_bytes: Option<u64>,
    /// The same after it.
    #[serde(default)]
    pub cached_after_bytes: Option<u64>,
    /// Pages of a mapped file that one fault of the first touch mapped.
    #[serde(default)]
    pub pages_per_fault: Option<f64>,
    /// Pages read into the page cache per major fault of the first touch.
    #[serde(default)]
    pub pages_per_wait: Option<f64>,
}

/// An arm that has no row in the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused<S = Sample> {
    /// Name, as on the command line.
    pub arm: String,
    /// Why: the policy, the errno, the signal.
    pub reason: String,
    /// Whether the arm failed during the measurement; otherwise it is not available here.
    #[serde(default)]
    pub failed: bool,
    /// The samples measured before that.
    #[serde(default = "Vec::new")]
    pub samples: Vec<S>,
}
