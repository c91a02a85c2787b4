//! The part of what memory cost in which threads were not on a processor.

use serde::{Deserialize, Serialize};

/// Times off the processor in the calls, faults and returns of memory of all sites, each once, and
/// for releases that were not timed as for those that were. All are `null` if that is not known:
/// times off the processor were not recorded, or only some calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffCpu {
    /// All of them.
    #[serde(default)]
    pub off_cpu_ns: Option<u64>,
    /// The thread could have gone on, and others had its processor.
    #[serde(default)]
    pub off_cpu_preempted_ns: Option<u64>,
    /// It waited: for a lock, a device, or another thread.
    #[serde(default)]
    pub off_cpu_waited_ns: Option<u64>,
    /// The recorder stopped it at its syscalls.
    #[serde(default)]
    pub off_cpu_stopped_ns: Option<u64>,
    /// Preempted or waited: the kernel does not say which (before Linux 4.17).
    #[serde(default)]
    pub off_cpu_unknown_ns: Option<u64>,
}
