//! Results of factorial experiments and sweeps beside their comparisons.

use serde::{Deserialize, Serialize};

use crate::{ArmSample, Comparison, Verdict};

/// A factor with its two levels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// `api`, `fill`, `position` or `memory`.
    pub name: String,
    /// The level that is measured against the other, and the other.
    pub levels: [String; 2],
}

/// The effect of one factor, averaged over all others: the first level over the second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Name of the factor.
    pub factor: String,
    /// The level that is measured against the other, and the other.
    pub levels: [String; 2],
    /// `exp(median)` over the blocks of the difference of mean logarithms.
    pub ratio: f64,
    /// Lower bound; `null` of too few blocks.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Joint confidence of all effects and comparisons of this kind.
    pub confidence: f64,
    /// Number of blocks; for a spread, pairs of blocks.
    pub blocks: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// How far from 1, as a share, a ratio must be for an interval of this width to exclude 1.
    pub smallest_detectable: Option<f64>,
}

/// The block size at which the faster of an arm and the baseline changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crossover {
    /// Which arm.
    pub arm: String,
    /// What it is compared with.
    pub baseline: String,
    /// Threads that shared the work; only where the run has more than one number of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Touches in all; only where the run has more than one number of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<u64>,
    /// Where the line through the two nearest estimates crosses 1.
    pub size_bytes: f64,
    /// The largest size below at which the interval lies on one side.
    pub low_bytes: u64,
    /// The smallest size above at which the interval lies on the other side.
    pub high_bytes: u64,
    /// Whether the arm is faster above it.
    pub faster_above: bool,
    /// Of all comparisons of the run together; of each step by itself, where there are steps.
    pub confidence: f64,
    /// What was measured between the points of the sweep to find it more closely, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// The number of passes at which the faster of an arm and the baseline changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassCrossover {
    /// Which arm.
    pub arm: String,
    /// What it is compared with.
    pub baseline: String,
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// Threads that shared the work; only where the run has more than one number of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// The largest number of passes below at which the interval lies on one side.
    pub low_passes: u64,
    /// The smallest number above at which the interval lies on the other side.
    pub high_passes: u64,
    /// Whether the arm is faster with more passes.
    pub faster_above: bool,
    /// Of all comparisons of the run together; of each step by itself, where there are steps.
    pub confidence: f64,
    /// What was measured between the points of the sweep to find it more closely, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// One step of a bisection: a comparison between two points of a sweep, with its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The comparison.
    pub comparison: Comparison,
    /// The samples.
    pub samples: Vec<ArmSample>,
}

/// The block size at which an allocator changes from the program break to mmap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurningPoint {
    /// Which arm.
    pub arm: String,
    /// The file that its malloc came from.
    pub allocator: Option<String>,
    /// The largest block that moved the break.
    pub break_bytes: u64,
    /// The smallest block that was mapped.
    pub mapping_bytes: u64,
    /// Number of untimed runs of the search.
    pub runs: u64,
}

/// How much of a published ratio the factors could explain together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The source of the ratio.
    pub who: String,
    /// The smallest published ratio.
    pub reference_low: f64,
    /// The largest published ratio.
    pub reference_high: f64,
    /// The factors that have an interval.
    pub factors: Vec<String>,
    /// Factors of the experiment that this run did not measure.
    #[serde(default)]
    pub unmeasured: Vec<String>,
    /// The product of the upper bounds of their effects; `null` if none has an interval.
    pub at_most: Option<f64>,
    /// Joint confidence of these bounds.
    pub confidence: f64,
    /// Whether the product reaches the smallest published ratio; `null` if a factor has no interval
    /// or was not measured.
    pub enough: Option<bool>,
}
