//! Samples, and what else the machine did meanwhile.

use serde::{Deserialize, Serialize};

/// One child process: sums over its batch of `operations` blocks of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Which block of the design it belongs to.
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
    /// Time of what happened between the touches: giving back, forking; 0 where nothing did.
    #[serde(default)]
    pub between_ns: u64,
    /// Time of the touches after the first.
    pub second_touch_ns: u64,
    /// Time of the releasing calls.
    pub release_ns: u64,
    /// `obtain_ns + first_touch_ns`: what the post timed.
    pub total_ns: u64,
    /// Minor faults from obtain to release (`ru_minflt`; pages that a call populates count, without
    /// a trap).
    pub minor_faults: u64,
    /// Major faults likewise.
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
    /// Of it, memory in huge pages that was not there before obtaining.
    pub huge_bytes: Option<u64>,
    /// Bytes of the batch that could be in 2 MiB pages: whole aligned ranges.
    #[serde(default)]
    pub huge_eligible_bytes: u64,
    /// Times that the scheduler took the processor away.
    #[serde(default)]
    pub involuntary_switches: u64,
    /// Time spent ready to run but waiting for a processor (schedstat).
    #[serde(default)]
    pub run_delay_ns: Option<u64>,
    /// Of the file that it used, what was in the page cache before; only of arms that use a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_before_bytes: Option<u64>,
    /// The same after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_after_bytes: Option<u64>,
}

/// What the machine did during one block of the design. Differences of counters that cover the
/// whole machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Number, from 0, dropped ones included.
    pub block: u64,
    /// Since the start of the run.
    pub started_ns: u64,
    /// How long it took.
    pub elapsed_ns: u64,
    /// The processor that all its samples ran on.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// Processor time that the hypervisor gave to others.
    pub steal_ns: Option<u64>,
    /// Processor time that other processes used.
    pub others_cpu_ns: Option<u64>,
    /// Time that some task waited for a processor (PSI).
    pub cpu_pressure_ns: Option<u64>,
    /// Time that some task waited for memory (PSI).
    pub memory_pressure_ns: Option<u64>,
    /// Huge pages handed out on a fault.
    pub thp_fault_alloc: Option<u64>,
    /// Times that a fault wanted a huge page and got small ones.
    pub thp_fault_fallback: Option<u64>,
    /// Times that a fault compacted memory first.
    pub compact_stall: Option<u64>,
    /// Free memory when it ended.
    pub free_bytes: Option<u64>,
}

/// A block that does not count, with its samples: nothing is thrown away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Number of the block.
    pub block: u64,
    /// The disturbance, by the rule fixed beforehand.
    pub reason: String,
    /// Its samples.
    #[serde(default)]
    pub samples: Vec<ArmSample>,
}

/// A sample with the arm that it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmSample {
    /// Which arm.
    pub arm: String,
    /// What was measured.
    #[serde(flatten)]
    pub sample: Sample,
}
