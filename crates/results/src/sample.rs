//! Samples, and the activity of the machine during them.

use serde::{Deserialize, Serialize};

/// One child process: sums over its batch of `operations` blocks of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The block of the design.
    pub block: u64,
    /// Place in that block's order, from 0.
    pub position: u64,
    /// Blocks of memory obtained, touched and released.
    pub operations: u64,
    /// Bytes of one block of memory; only where the run has more than one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Threads that shared the work; only where the run has more than one number of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Touches in all; only where the run has more than one number of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<u64>,
    /// Time of the obtaining calls.
    pub obtain_ns: u64,
    /// Time of the first touch.
    pub first_touch_ns: u64,
    /// Time of the work between the touches (giving back, forking); 0 if there is none.
    #[serde(default)]
    pub between_ns: u64,
    /// Time of the touches after the first.
    pub second_touch_ns: u64,
    /// Time of the releasing calls.
    pub release_ns: u64,
    /// `obtain_ns + first_touch_ns`: the time that the post measured.
    pub total_ns: u64,
    /// Minor faults from obtain to release (`ru_minflt`, which also counts pages populated by
    /// syscalls).
    pub minor_faults: u64,
    /// Major faults from obtain to release.
    pub major_faults: u64,
    /// Minor faults while obtaining.
    #[serde(default)]
    pub obtain_minor_faults: u64,
    /// Minor faults during the first touch.
    #[serde(default)]
    pub first_touch_minor_faults: u64,
    /// Major faults during the first touch.
    #[serde(default)]
    pub first_touch_major_faults: u64,
    /// Minor faults during the touches after the first.
    #[serde(default)]
    pub second_touch_minor_faults: u64,
    /// Resident set after the first touch.
    pub rss_bytes: Option<u64>,
    /// Of it, memory in huge pages that was not resident before obtaining.
    pub huge_bytes: Option<u64>,
    /// Bytes of the batch that could be in 2 MiB pages: whole aligned ranges.
    #[serde(default)]
    pub huge_eligible_bytes: u64,
    /// Involuntary context switches.
    #[serde(default)]
    pub involuntary_switches: u64,
    /// Time spent ready to run but waiting for a processor (schedstat).
    #[serde(default)]
    pub run_delay_ns: Option<u64>,
    /// Bytes of its file in the page cache before; only for arms with a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_before_bytes: Option<u64>,
    /// The same after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_after_bytes: Option<u64>,
}

impl Sample {
    /// What happens between the touches, and the touches after the first.
    #[must_use]
    pub fn again_ns(&self) -> u64 {
        self.between_ns + self.second_touch_ns
    }

    /// All phases.
    #[must_use]
    pub fn whole_ns(&self) -> u64 {
        self.total_ns + self.again_ns() + self.release_ns
    }

    /// The time that an experiment compares under the name `metric`; `None` if there is no such
    /// one.
    #[must_use]
    pub fn metric_ns(&self, metric: &str) -> Option<u64> {
        Some(match metric {
            "total_ns" => self.total_ns,
            "obtain_ns" => self.obtain_ns,
            "first_touch_ns" => self.first_touch_ns,
            "between_ns" => self.between_ns,
            "second_touch_ns" => self.second_touch_ns,
            "again_ns" => self.again_ns(),
            "release_ns" => self.release_ns,
            "whole_ns" => self.whole_ns(),
            _ => return None,
        })
    }
}

/// Activity of the machine during one block of the design: differences of counters of the whole
/// machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Number, from 0, dropped ones included.
    pub block: u64,
    /// Start, since the start of the run.
    pub started_ns: u64,
    /// Duration.
    pub elapsed_ns: u64,
    /// The processor that all its samples ran on.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// Processor time that the hypervisor gave to other guests.
    pub steal_ns: Option<u64>,
    /// Processor time that other processes used.
    pub others_cpu_ns: Option<u64>,
    /// Time that some task waited for a processor (PSI).
    pub cpu_pressure_ns: Option<u64>,
    /// Time that some task waited for memory (PSI).
    pub memory_pressure_ns: Option<u64>,
    /// Huge pages allocated by faults.
    pub thp_fault_alloc: Option<u64>,
    /// Faults that fell back from a huge page to small pages.
    pub thp_fault_fallback: Option<u64>,
    /// Faults that compacted memory first.
    pub compact_stall: Option<u64>,
    /// Free memory at the end.
    pub free_bytes: Option<u64>,
}

/// A dropped block, with its samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped<S = Sample> {
    /// Number of the block.
    pub block: u64,
    /// The disturbance, by the rule fixed before the run.
    pub reason: String,
    /// Its samples.
    #[serde(default)]
    pub samples: Vec<ArmSample<S>>,
}

/// A sample with its arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmSample<S = Sample> {
    /// The arm.
    pub arm: String,
    /// The sample.
    #[serde(flatten)]
    pub sample: S,
}
