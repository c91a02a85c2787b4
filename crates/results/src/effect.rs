//! What a factorial experiment and a sweep find out beside their comparisons.

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

/// What one factor does when all others are averaged out: the first level over the second.
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
    /// Of all effects and comparisons of its kind together.
    pub confidence: f64,
    /// Blocks behind it; of a spread, pairs of blocks.
    pub blocks: u64,
    /// What follows.
    pub verdict: Verdict,
    /// How far from 1, as a share, a ratio had to be for an interval as wide as this to exclude 1.
    pub smallest_detectable: Option<f64>,
}

/// Where, on the way from small blocks to large ones, an arm and the baseline change places.
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
    /// Where the line through the two nearest estimates passes 1.
    pub size_bytes: f64,
    /// The largest size below it at which the arm is on one side for certain.
    pub low_bytes: u64,
    /// The smallest size above it at which it is on the other side for certain.
    pub high_bytes: u64,
    /// Whether the arm is the faster one above it.
    pub faster_above: bool,
    /// Of all comparisons of the run together; of each step by itself, where there are steps.
    pub confidence: f64,
    /// What was measured between the points of the sweep to find it more closely, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// Where an arm and the baseline change places on the way from few passes over the memory to many.
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
    /// The largest number of passes below it at which the arm is on one side for certain.
    pub low_passes: u64,
    /// The smallest number above it at which it is on the other side for certain.
    pub high_passes: u64,
    /// Whether the arm is the faster one with more passes.
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
    /// What came of it.
    pub comparison: Comparison,
    /// What was measured.
    pub samples: Vec<ArmSample>,
}

/// Where an allocator turns from moving the program break to mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurningPoint {
    /// Which arm.
    pub arm: String,
    /// The file that its malloc came from.
    pub allocator: Option<String>,
    /// The largest block for which the break was seen to move.
    pub break_bytes: u64,
    /// The smallest block that was seen to be mapped.
    pub mapping_bytes: u64,
    /// Untimed runs that it took to find them.
    pub runs: u64,
}

/// What the factors could do together to a ratio that somebody else saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Whose ratio.
    pub who: String,
    /// The smallest ratio that they saw.
    pub reference_low: f64,
    /// The largest.
    pub reference_high: f64,
    /// The factors that have an interval.
    pub factors: Vec<String>,
    /// Factors of the experiment that this run did not come to.
    #[serde(default)]
    pub unmeasured: Vec<String>,
    /// The product of the upper bounds of their effects; `null` where none has an interval.
    pub at_most: Option<f64>,
    /// That all of these bounds hold together.
    pub confidence: f64,
    /// Whether that is as much as the smallest ratio that they saw; `null` where a factor has no
    /// interval or was not measured.
    pub enough: Option<bool>,
}
