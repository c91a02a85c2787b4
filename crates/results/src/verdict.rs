//! Comparisons and their verdicts.

use serde::{Deserialize, Serialize};

/// What the data show about an arm against the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No difference larger than the margin.
    Equivalent,
    /// The interval excludes 1.
    Different,
    /// The data do not decide.
    Inconclusive,
}

/// An arm against the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// The arm that it is compared with.
    pub baseline: String,
    /// The compared figure of the samples.
    pub metric: String,
    /// Bytes of one block of memory; 0 and left out where whole programs are compared.
    #[serde(default, skip_serializing_if = "is_none")]
    pub size_bytes: u64,
    /// Threads that shared the work; only where the run has several numbers of threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Number of touches; only where the run has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<u64>,
    /// `exp(median)` of the log ratios of blocks.
    pub ratio: f64,
    /// Ratio of the block of rank k: the lower bound. `null` if the look affords no interval.
    pub low: Option<f64>,
    /// Ratio of the block of rank n + 1 − k.
    pub high: Option<f64>,
    /// Joint confidence of all comparisons of the run.
    pub confidence: f64,
    /// Blocks that count.
    pub blocks: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// The smallest effect that this interval could have detected, as a share.
    pub smallest_detectable: Option<f64>,
    /// The same ratio by other estimators.
    #[serde(default)]
    pub sensitivity: Option<Sensitivity>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(bytes: &u64) -> bool {
    *bytes == 0
}

/// Other estimators of the same ratio, each at the error allowance of one comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// Median of pairwise means, with its signed-rank interval.
    pub hodges_lehmann: Option<SensitivityLine>,
    /// Geometric mean, with Student's interval.
    pub mean_t: Option<SensitivityLine>,
}

/// One other estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SensitivityLine {
    /// Estimate of the ratio.
    pub ratio: f64,
    /// Lower bound.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
}

/// The baseline against itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Placebo {
    /// `exp(median)` of its log ratios; 1 on an undisturbed machine.
    pub ratio: f64,
    /// Lower bound; `null` for too few blocks.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Confidence of the interval.
    pub confidence: f64,
    /// Whether the interval holds 1; `null` without an interval, and where it holds 1 and is too
    /// wide to notice a bias (docs/method.md).
    pub trusted: Option<bool>,
}

impl Placebo {
    /// How far from 1 its interval reaches, as a share: the effect of noise alone. `None` without
    /// an interval.
    #[must_use]
    pub fn noise_floor(&self) -> Option<f64> {
        let (low, high) = self.low.zip(self.high)?;
        Some(f64::max(high - 1.0, 1.0 / low - 1.0).max(0.0))
    }
}
