//! What a factorial experiment and a sweep find out beside their comparisons.

use serde::{Deserialize, Serialize};

use crate::Verdict;

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
    /// Where the line through the two nearest estimates passes 1.
    pub size_bytes: f64,
    /// The largest size below it at which the arm is on one side for certain.
    pub low_bytes: u64,
    /// The smallest size above it at which it is on the other side for certain.
    pub high_bytes: u64,
    /// Whether the arm is the faster one above it.
    pub faster_above: bool,
    /// Of all comparisons of the run together.
    pub confidence: f64,
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
    /// Whether that is as much as the smallest ratio that they saw; `null` where a factor has no interval or was not
    /// measured.
    pub enough: Option<bool>,
}
