//! The phases that a child measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::stopwatch::Timings;

/// The measurements of one child about itself: sums over its batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Time and faults of each phase.
    pub phases: Phases,
    /// The file that malloc came from, if the source is of the heap.
    pub allocator: Option<String>,
    /// Resident set size after the first touch; `None` without `/proc`.
    pub rss_bytes: Option<u64>,
    /// The part of it in huge pages that were not there before obtaining.
    pub huge_bytes: Option<u64>,
    /// Bytes in whole aligned huge page ranges of the batch.
    pub huge_eligible_bytes: u64,
    /// Involuntary context switches over all phases.
    pub involuntary_switches: u64,
    /// Time spent waiting for a processor over all phases.
    pub run_delay_ns: Option<u64>,
    /// Times of single touches, if they were timed.
    #[serde(default)]
    pub timings: Option<Timings>,
    /// Present only after an observed run.
    pub observation: Option<Observation>,
}

/// Time and faults, phase by phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// The obtaining calls.
    pub obtain: PhaseCost,
    /// The first touch.
    pub first_touch: PhaseCost,
    /// The step between the touches.
    pub between: PhaseCost,
    /// All touches after the first.
    pub second_touch: PhaseCost,
    /// The releasing calls.
    pub release: PhaseCost,
}

impl Phases {
    /// The phases in their order.
    #[must_use]
    pub fn all(&self) -> [PhaseCost; 5] {
        [self.obtain, self.first_touch, self.between, self.second_touch, self.release]
    }

    /// Phases from their costs in that order.
    #[must_use]
    pub fn from_all([obtain, first_touch, between, second_touch, release]: [PhaseCost; 5]) -> Self {
        Phases { obtain, first_touch, between, second_touch, release }
    }
}

/// The cost of one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseCost {
    /// Time.
    pub time_ns: u64,
    /// `ru_minflt`.
    pub minor_faults: u64,
    /// `ru_majflt`.
    pub major_faults: u64,
}

/// The facts that an observed run collects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Faults taken in user mode from obtain to release, or why they could not be counted.
    pub traps: Result<u64, String>,
    /// Movement of the program break while obtaining.
    pub break_growth_bytes: u64,
    /// Growth of the address space while obtaining, without that of the program break.
    pub mapped_growth_bytes: u64,
    /// Growth of the resident set while obtaining.
    pub resident_after_obtain_bytes: Option<u64>,
}

/// A duration in whole nanoseconds, the unit of results.
#[must_use]
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
