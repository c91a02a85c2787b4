//! Faults that no call site pays for.

use serde::{Deserialize, Serialize};

/// Faults of one kind of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestRow {
    /// The kind of memory.
    pub kind: RestMemory,
    /// Faults that read no device.
    pub minor_faults: u64,
    /// Faults that read a device.
    pub major_faults: u64,
    /// Their time.
    pub fault_ns: u64,
}

/// The kinds of memory that faults outside of blocks concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestMemory {
    /// Code and constants of programs and libraries, and other files.
    File,
    /// Writable data of programs and libraries, bss included.
    ProgramData,
    /// Stacks.
    Stack,
    /// The heap, outside of live blocks.
    Heap,
    /// Other private memory without a file.
    Anonymous,
    /// Shared memory without a file.
    Shared,
    /// The memory by which the program is recorded.
    Recorder,
    /// Not known.
    Unknown,
}
