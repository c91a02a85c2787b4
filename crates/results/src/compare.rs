//! The result of `compare`: a lab result whose samples are runs of whole programs.

mod race;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Block, Comparison, Dropped, Machine, More, Placebo, Refused, SCHEMA, Stopped, Warning,
};
pub use race::{Race, RaceEnd, RacedArm};

/// The name of the experiment in such a result.
pub const EXPERIMENT: &str = "compare";

/// One comparison of a program under several arms.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgramResult {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// When the run started: RFC 3339, UTC.
    pub started: String,
    /// Duration, proofs and observed runs included.
    pub elapsed_ns: u64,
    /// The seed of every random order and padding.
    pub seed: u64,
    /// Why the run ended early; `null` if it ran to its end.
    #[serde(default)]
    pub stopped: Option<Stopped>,
    /// The option that would decide more, where something is open.
    #[serde(default)]
    pub more: Option<More>,
    /// The machine it ran on.
    pub machine: Machine,
    /// Warnings about figures, each with the arms that it concerns.
    pub warnings: Vec<Warning>,
    /// What was compared, and how.
    pub experiment: ProgramExperiment,
    /// The numbers of blocks after which the data were looked at.
    pub looks: Vec<u64>,
    /// The arms that were measured, the baseline first.
    pub arms: Vec<ProgramArm>,
    /// Activity of the machine, block by block, dropped blocks included.
    pub blocks: Vec<Block>,
    /// Blocks dropped by the rule for outside disturbance.
    pub dropped: Vec<Dropped<ProgramSample>>,
    /// Arms that are not available here, or whose setting does not take effect in this program.
    pub refused: Vec<Refused<ProgramSample>>,
    /// Every arm but the placebo against the baseline, metric by metric. The deciding metrics share
    /// one error allowance, the others another of the same size.
    pub comparisons: Vec<Comparison>,
    /// The baseline against itself, by the first deciding metric; `null` if no block is complete.
    pub placebo: Option<Placebo>,
    /// The limits that the user set.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// The race that chose the arm (`--tune`). Its runs are none of the above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Race>,
}

impl ProgramResult {
    /// A result without samples.
    #[must_use]
    pub fn empty(version: &str) -> Self {
        ProgramResult {
            schema: SCHEMA.to_owned(),
            version: version.to_owned(),
            ..ProgramResult::default()
        }
    }
}

/// What was compared, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgramExperiment {
    /// [`EXPERIMENT`].
    pub name: String,
    /// The question it answers.
    pub question: String,
    /// The first deciding metric: `wall_ns`.
    pub metric: String,
    /// The metrics that decide when to stop, and share the first error allowance.
    pub metrics: Vec<String>,
    /// A difference smaller than this share does not matter to the user.
    pub margin: f64,
    /// The command that all arms run unless they have their own.
    pub command: Vec<String>,
    /// Run before each sample, untimed, by a shell.
    #[serde(default)]
    pub prepare: Option<String>,
    /// Run after each sample, untimed, by a shell.
    #[serde(default)]
    pub cleanup: Option<String>,
    /// The file on standard input; `null`: it is empty.
    #[serde(default)]
    pub stdin: Option<String>,
    /// Whether the command is one line for a shell.
    #[serde(default)]
    pub shell: bool,
    /// The client that the program serves while it is measured.
    #[serde(default)]
    pub load: Option<String>,
    /// The command that succeeds once the program serves.
    #[serde(default)]
    pub ready: Option<String>,
    /// What finds the figure that the client, or the program itself, prints: a regular expression.
    #[serde(default)]
    pub figure: Option<String>,
    /// How long after its work the resident memory of a program that stays was read.
    #[serde(default)]
    pub settle_ns: Option<u64>,
    /// Whether addresses were randomised; `null`: as the machine does.
    #[serde(default)]
    pub aslr: Option<bool>,
    /// The processors that all samples ran on; empty: any.
    #[serde(default)]
    pub cpus: Vec<u32>,
    /// What was added to the nice value.
    #[serde(default)]
    pub nice: i32,
    /// The time cap.
    #[serde(default)]
    pub max_time_ns: Option<u64>,
    /// Number of blocks that the user chose instead of the scheduled looks.
    #[serde(default)]
    pub asked_blocks: Option<u64>,
}

/// One way of running the program, with all its samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgramArm {
    /// Its name.
    pub name: String,
    /// Whether the others are compared with it.
    pub baseline: bool,
    /// Whether it is a copy of the baseline under another name.
    pub placebo: bool,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Environment variables that it changes; `null` removes one.
    pub environment: BTreeMap<String, Option<String>>,
    /// Whether it turns off transparent huge pages (`PR_SET_THP_DISABLE`).
    #[serde(default)]
    pub huge_pages_off: bool,
    /// What was seen of its settings in the running program; `null` for the placebo.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// What an untimed, observed run did; `null` if there was none.
    #[serde(default)]
    pub observed: Option<ObservedProgram>,
    /// Medians and spreads over `samples`, by metric.
    #[serde(default)]
    pub summary: BTreeMap<String, MetricSummary>,
    /// One for each block that counts.
    pub samples: Vec<ProgramSample>,
}

/// A fresh run of the program. Times and faults are those of the program and of the children that
/// it waited for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgramSample {
    /// The block of the design.
    pub block: u64,
    /// Place in that block's order, from 0.
    pub position: u64,
    /// From its start to its end; with `load`, from the start to the end of the client; of a
    /// program that stays without one, from its start to the end of its work.
    pub wall_ns: u64,
    /// Processor time in user mode.
    pub user_ns: u64,
    /// Processor time in the kernel.
    pub sys_ns: u64,
    /// Peak resident set of its largest process (`VmHWM`).
    pub max_rss_bytes: u64,
    /// Peak memory of all its processes together, page cache included (cgroup `memory.peak`).
    pub tree_peak_bytes: Option<u64>,
    /// Memory of all its processes together, some time after its work: what several share counts
    /// once (the sum of their proportional set sizes, `Pss`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_rss_bytes: Option<u64>,
    /// The figure that its client prints, or it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<f64>,
    /// Page faults served without I/O.
    pub minor_faults: u64,
    /// Page faults that waited for I/O.
    pub major_faults: u64,
    /// Preemptions by the scheduler.
    pub involuntary_switches: u64,
    /// Its exit status; `null` if a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

/// What was seen of an arm's settings in the running program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The file that `malloc` resolves to; `null` if the program has none to resolve, or if it
    /// could not be seen.
    pub malloc: Option<String>,
    /// The tunables of the C library that were in force, with the values that it printed.
    pub tunables: BTreeMap<String, String>,
    /// What could not be seen, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
    /// The memory that the arm's setting cannot reach, and processes that were not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What an untimed run of an arm did, from its start to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedProgram {
    /// Page faults by cause.
    pub faults: BTreeMap<String, u64>,
    /// Memory syscalls by name; `null` where they could not be seen.
    pub syscalls: Option<BTreeMap<String, ObservedCalls>>,
    /// The largest page tables seen.
    pub page_tables_bytes: Option<u64>,
    /// Events that were lost.
    #[serde(default)]
    pub lost: u64,
}

/// The calls of one syscall.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedCalls {
    /// How many.
    pub calls: u64,
    /// Time in the kernel, of those whose time is known.
    pub ns: u64,
}

/// One metric over the samples of an arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// The median.
    pub median: f64,
    /// Robust spread as a share of the median.
    pub spread: f64,
}

/// A limit that the user set, for one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The limited metric.
    pub metric: String,
    /// The arm.
    pub arm: String,
    /// The largest share by which the arm may exceed the baseline.
    pub limit: f64,
    /// Whether it does.
    pub outcome: GateOutcome,
}

/// Whether a limit is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateOutcome {
    /// The whole interval lies within the limit.
    Passed,
    /// The whole interval lies beyond it.
    Failed,
    /// The interval reaches across it, or there is none.
    Open,
}
