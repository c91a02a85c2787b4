//! The figures of a table row, computed by the lab from the samples.

use serde::{Deserialize, Serialize};

use crate::Observed;

/// Medians over the samples of an arm, per block of memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// Median of each phase.
    pub median: PhaseTimes,
    /// Robust spread of the metric as a share of its median.
    pub total_spread: f64,
    /// In which phase the cost of the memory occurred.
    pub bill: Bill,
    /// Median of minor faults per block of memory.
    pub minor_faults: f64,
    /// Of them, those in the obtaining call.
    pub minor_faults_in_call: f64,
    /// Median of huge page memory per block of memory.
    pub huge_bytes: Option<f64>,
}

/// One arm at one point of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// Threads that shared the work.
    pub threads: u64,
    /// Number of touches; only where the run has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<u64>,
    /// Blocks of memory in a sample.
    pub operations: u64,
    /// As [`crate::Arm::traps`].
    pub traps: Option<f64>,
    /// Time of `total_ns` per page of memory, in nanoseconds.
    pub total_ns_per_page: Option<f64>,
    /// The metric of the experiment per page of memory, in nanoseconds.
    #[serde(default)]
    pub metric_ns_per_page: Option<f64>,
    /// As [`crate::Arm::observed`].
    #[serde(default)]
    pub observed: Option<Observed>,
    /// As [`crate::Arm::summary`].
    pub summary: Option<ArmSummary>,
}

/// Nanoseconds per block of memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PhaseTimes {
    /// Obtaining.
    pub obtain_ns: f64,
    /// First touch.
    pub first_touch_ns: f64,
    /// The work between the touches.
    #[serde(default)]
    pub between_ns: f64,
    /// The touches after the first.
    pub second_touch_ns: f64,
    /// Release.
    pub release_ns: f64,
    /// Obtaining and first touch. The median of sums, not the sum of medians.
    pub total_ns: f64,
    /// The metric of the experiment.
    #[serde(default)]
    pub metric_ns: f64,
}

/// The cost of an arm's memory by phase, per block of memory: obtaining, first touch and release.
/// The first touch consists of faults and writing. The share of the writing is not known exactly:
/// at least nothing (the kernel just cleared the page, so it is in the cache), at most the time of
/// the second touch, which writes the same bytes without faults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bill {
    /// Sum of obtaining, first touch and release.
    pub bill_ns: f64,
    /// Share of the obtaining call.
    pub in_call: f64,
    /// Share of the first touch.
    pub in_first_touch: f64,
    /// Share of the release.
    pub in_release: f64,
    /// Lower bound of a fault of the first touch: first less second touch, per fault. `null` if
    /// there are too few faults, or if the second touch does different work.
    pub fault_ns_low: Option<f64>,
    /// Upper bound: first touch, per fault.
    pub fault_ns_high: Option<f64>,
    /// Time of the call per page that it populated; `null` if it populated too few.
    pub populated_ns: Option<f64>,
    /// Number of pages populated by the call, if `populated_ns` is known. For a file, one fault
    /// maps several.
    #[serde(default)]
    pub populated_pages: Option<f64>,
}

impl Bill {
    /// The share of the cost after the obtaining call returned.
    #[must_use]
    pub fn after_call(&self) -> f64 {
        self.in_first_touch + self.in_release
    }
}
