//! The lab's result file, `firsttouch.result/1`, as types. `docs/result-format.md` describes it for
//! other programs.
//!
//! Everything that a screen shows is in here, so that a screen can be printed again from the file
//! alone; everything it was computed from, down to each sample, is in here too. Field names are the
//! keys of the JSON: times end in `_ns`, sizes in `_bytes`, ratios are plain numbers, and what is
//! unknown is `null`.

pub mod claims;
pub mod doctor;
mod effect;
mod file;
mod floors;
mod latencies;
pub mod layout;
mod sample;
mod summary;
pub mod trace;
mod verdict;
mod work;

pub use effect::{Crossover, Effect, Explained, Factor, PassCrossover, Step, TurningPoint};
pub use file::{Reading, read, read_claims, read_diagnosis, read_layout, write};
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
    /// How long it took, warm-up and observed runs included.
    pub elapsed_ns: u64,
    /// Where every random order and padding came from.
    pub seed: u64,
    /// What cut the run short, in words; `null` when it ran to its end.
    #[serde(default)]
    pub stopped: Option<Stopped>,
    /// The machine it ran on.
    pub machine: Machine,
    /// Doubts about the figures, each naming the arms that it touches.
    pub warnings: Vec<Warning>,
    /// What was asked.
    pub experiment: ExperimentRecord,
    /// After how many blocks the data were looked at.
    pub looks: Vec<u64>,
    /// The arms that took effect.
    pub arms: Vec<Arm>,
    /// What else happened on the machine, block by block, dropped ones included.
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// Blocks that do not count, by the rule for outside disturbance.
    pub dropped: Vec<Dropped>,
    /// Arms that could not be had or did not take effect.
    pub refused: Vec<Refused>,
    /// Every arm but the placebo against the baseline, at each point; in a factorial experiment,
    /// the one pair of cells that differ in every factor.
    pub comparisons: Vec<Comparison>,
    /// In a factorial experiment: what each factor does, all others averaged out.
    #[serde(default)]
    pub effects: Vec<Effect>,
    /// In a factorial experiment: what each factor does to the spread of single samples.
    #[serde(default)]
    pub spreads: Vec<Effect>,
    /// In a factorial experiment with a reference: how much of it the factors could explain here.
    #[serde(default)]
    pub explained: Option<Explained>,
    /// In a sweep over sizes: where an arm and the baseline change places.
    #[serde(default)]
    pub crossovers: Vec<Crossover>,
    /// In a sweep over passes: likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_crossovers: Vec<PassCrossover>,
    /// In a sweep over sizes: where allocators turn from the program break to mappings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turning_points: Vec<TurningPoint>,
    /// The baseline against itself; `null` when not one block was complete.
    pub placebo: Option<Placebo>,
    /// What the steps of getting memory took in processes of their own, beside the arms; `null` if
    /// not measured.
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
    /// A signal asked for the end.
    Interrupted,
    /// The baseline failed: nothing can be compared any more.
    BaselineFailed,
}

/// The machine and the state it was found in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Kernel release, as `uname -r` says.
    pub kernel: Option<String>,
    /// Processor model.
    pub cpu: Option<String>,
    /// Processors that the run was allowed to use.
    pub cpus: u64,
    /// All of its memory.
    pub ram_bytes: Option<u64>,
    /// Transparent huge pages of 2 MiB for anonymous memory: `always`, `madvise` or `never`.
    pub thp: Option<String>,
    /// Whether it is a guest of a hypervisor.
    pub virtualized: Option<bool>,
    /// Whether the guest hands freed memory back to its host (virtio-balloon free page reporting).
    #[serde(default)]
    pub free_page_reporting: Option<bool>,
    /// Size of a base page.
    #[serde(default)]
    pub page_bytes: u64,
    /// The C library: `glibc 2.36`.
    #[serde(default)]
    pub libc: Option<String>,
}

/// A doubt about figures, with the figures that it touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable name of the kind of doubt.
    pub id: String,
    /// What was seen and what it does to the figures.
    pub message: String,
    /// The arms whose figures it touches; empty when it touches all.
    pub arms: Vec<String>,
}

/// What was asked, with every choice that the answer depends on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRecord {
    /// Name, as on the command line.
    pub name: String,
    /// The file that it was read from, as the user named it; `null` of those that are built in.
    #[serde(default)]
    pub file: Option<String>,
    /// The question it answers.
    pub question: String,
    /// The compared metric: `total_ns`.
    pub metric: String,
    /// A difference smaller than this share does not matter to the asker.
    pub margin: f64,
    /// Bytes of one block of memory; of a sweep, the first.
    pub size_bytes: u64,
    /// All sizes of a sweep, ascending; empty where there is but one.
    #[serde(default)]
    pub sizes_bytes: Vec<u64>,
    /// Numbers of threads that shared the work; empty where one thread did it throughout.
    #[serde(default)]
    pub threads: Vec<u64>,
    /// Numbers of touches; empty unless the run sweeps over them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<u64>,
    /// What a factorial experiment crosses; empty in all others.
    #[serde(default)]
    pub factors: Vec<Factor>,
    /// Blocks of memory in a sample, all alive at once; of a sweep, at its first point.
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
    /// Arms asked for by the user instead of the experiment's.
    #[serde(default)]
    pub asked_arms: Vec<String>,
    /// The one number of touches asked for by the user instead of that of each arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_passes: Option<u64>,
    /// The directory asked for by the user for files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_directory: Option<String>,
    /// Blocks asked for by the user instead of the scheduled looks.
    #[serde(default)]
    pub blocks: Option<u64>,
}

/// One way of getting memory, and all that was seen of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Name, as on the command line.
    pub name: String,
    /// Whether the others are compared with it.
    pub baseline: bool,
    /// Whether it is the baseline again, under another name.
    pub placebo: bool,
    /// What each of its samples does; `null` in files of before it was written down.
    #[serde(default)]
    pub work: Option<ArmWork>,
    /// Page faults trapped in user mode per block of memory in the observed run (perf's software
    /// event); `null` where counting them is refused.
    pub traps: Option<f64>,
    /// What the observed run proved about where the memory came from.
    #[serde(default)]
    pub observed: Option<Observed>,
    /// Medians and shares over `samples`, as the screen shows them; `null` without samples, and in
    /// a sweep.
    #[serde(default)]
    pub summary: Option<ArmSummary>,
    /// In a sweep: the same, point by point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<PointSummary>,
    /// How long single touches took, where they were timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latencies: Option<Latencies>,
    /// One for each block that counts.
    pub samples: Vec<Sample>,
}

/// What one untimed run of an arm told about how its memory was served.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The file that the allocation function came from (`dladdr`); `null` for arms that call the
    /// kernel.
    pub allocator: Option<String>,
    /// How far the program break moved while obtaining.
    pub break_growth_bytes: u64,
    /// How much the address space grew otherwise (mappings) while obtaining.
    pub mapped_growth_bytes: u64,
    /// How much became resident while obtaining, before the first touch.
    pub resident_after_obtain_bytes: Option<u64>,
    /// Of the file that it used, what was in the page cache before; `null` of arms that use none.
    #[serde(default)]
    pub cached_before_bytes: Option<u64>,
    /// The same after it.
    #[serde(default)]
    pub cached_after_bytes: Option<u64>,
    /// Pages of a mapped file that one fault of the first touch mapped.
    #[serde(default)]
    pub pages_per_fault: Option<f64>,
    /// Pages that came into the page cache for each fault of the first touch that waited for the
    /// disk.
    #[serde(default)]
    pub pages_per_wait: Option<f64>,
}

/// An arm without a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// Name, as on the command line.
    pub arm: String,
    /// Why: the policy, the errno, the signal.
    pub reason: String,
    /// Whether the arm broke while it was measured, rather than being impossible here.
    #[serde(default)]
    pub failed: bool,
    /// What had been measured until then.
    #[serde(default)]
    pub samples: Vec<Sample>,
}
