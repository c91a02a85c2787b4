//! What a table row shows: computed once by the lab, from the samples.

use serde::{Deserialize, Serialize};

/// Medians over the samples of an arm, per block of memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// Median of each phase.
    pub median: PhaseTimes,
    /// Robust spread of `total_ns` as a share of its median.
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

/// Nanoseconds per block of memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PhaseTimes {
    /// Obtaining.
    pub obtain_ns: f64,
    /// First touch.
    pub first_touch_ns: f64,
    /// Second touch.
    pub second_touch_ns: f64,
    /// Release.
    pub release_ns: f64,
    /// Obtaining and first touch. The median of sums, not the sum of medians.
    pub total_ns: f64,
}

/// What the memory cost beyond writing to it, per block of memory: the call, the faults, the release.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bill {
    /// In the obtaining call.
    pub call_ns: f64,
    /// First touch less second touch: what faulting the pages in took; 0 if the first was no slower.
    pub faults_ns: f64,
    /// In the releasing call.
    pub release_ns: f64,
    /// Sum of the three.
    pub bill_ns: f64,
    /// Share of the bill that came after the obtaining call had returned; `null` of no bill.
    pub after_call: Option<f64>,
    /// `faults_ns` per fault of the first touch; `null` where it took none worth dividing by.
    pub fault_ns: Option<f64>,
    /// `call_ns` per page that came with the call; `null` where it brought none worth dividing by.
    pub populated_ns: Option<f64>,
}
