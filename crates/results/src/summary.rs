//! What a table row shows: computed once by the lab, from the samples.

use serde::{Deserialize, Serialize};

use crate::Observed;

/// Medians over the samples of an arm, per block of memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// Median of each phase.
    pub median: PhaseTimes,
    /// Robust spread of the metric as a share of its median.
    pub total_spread: f64,
    /// Where the cost of the memory fell due.
    pub bill: Bill,
    /// Median of minor faults per block of memory.
    pub minor_faults: f64,
    /// Of them, those that came with the obtaining call.
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
    /// Touches in all; only where the run has more than one number of them.
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
    /// What happened between the touches.
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

/// What an arm paid for its memory, and when, per block of memory: obtaining, first touch and
/// release.
///
/// The first touch is faults and writing together. How much of it is the writing cannot be told
/// exactly: at least nothing (the page was cleared a moment ago and is in the cache), at most as
/// much as the second touch, which writes the same bytes where nothing faults.
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
    /// A fault of the first touch takes at least that: first less second touch, per fault. `null`
    /// where there are no faults worth dividing by, and where the second touch does not do what the
    /// first did.
    pub fault_ns_low: Option<f64>,
    /// And at most that: first touch, per fault.
    pub fault_ns_high: Option<f64>,
    /// The call's time per page that came with it; `null` where it brought none worth dividing by.
    pub populated_ns: Option<f64>,
    /// How many pages came with the call, where `populated_ns` is told. Of a file, one fault maps
    /// several.
    #[serde(default)]
    pub populated_pages: Option<f64>,
}

impl Bill {
    /// The share that came after the obtaining call had returned.
    #[must_use]
    pub fn after_call(&self) -> f64 {
        self.in_first_touch + self.in_release
    }
}
