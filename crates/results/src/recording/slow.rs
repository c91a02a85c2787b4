//! The slowest calls, and why each was slow.

use serde::{Deserialize, Serialize};

/// A slow call of an allocation function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowCallRow {
    /// When it began, since the start of the recording.
    pub time_ns: u64,
    /// Its process.
    pub pid: u32,
    /// Its thread.
    pub tid: u32,
    /// The function.
    pub function: String,
    /// The size that it asked for, or of the block that it gave back; `null` if unknown.
    pub size_bytes: Option<u64>,
    /// Its site, or that of the block that it only gave back, as an index of `sites`; `null` if
    /// unknown.
    pub site: Option<usize>,
    /// Its time.
    pub latency_ns: u64,
    /// What took most of it: the first of `parts`.
    pub cause: String,
    /// What it did, by time. Their times are its own.
    pub parts: Vec<SlowPartRow>,
}

/// What a slow call did for a part of its time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowPartRow {
    /// The name of a syscall, or a word of [`SlowPartRow`].
    pub what: String,
    /// The time, without preemptions where those are known.
    pub ns: u64,
    /// The part of it in which the thread waited; `null` if that was not seen.
    pub waited_ns: Option<u64>,
    /// How often it did that; `null` for the rest.
    pub times: Option<u64>,
}

impl SlowPartRow {
    /// Page faults on the block that it gave out.
    pub const OWN_FAULTS: &str = "own-faults";
    /// Other page faults.
    pub const OTHER_FAULTS: &str = "other-faults";
    /// Its thread was runnable and not on a processor.
    pub const PREEMPTED: &str = "preempted";
    /// Its thread waited outside of memory syscalls and faults, such as for a lock.
    pub const WAITED: &str = "waited";
    /// The recorder stopped its thread at memory syscalls.
    pub const STOPPED: &str = "stopped";
    /// Its thread was not on a processor, and why is not known.
    pub const OFF_CPU: &str = "off-cpu";
    /// Another call of its thread, such as of a signal handler.
    pub const NESTED: &str = "nested-call";
    /// The rest, where all else was seen.
    pub const USER_SPACE: &str = "user-space";
    /// The rest, where not all was seen.
    pub const UNKNOWN: &str = "unknown";
}

impl SlowCallRow {
    /// The part of its time that `part` took.
    #[must_use]
    pub fn share(&self, part: &SlowPartRow) -> f64 {
        part.ns as f64 / self.latency_ns.max(1) as f64
    }
}

impl SlowPartRow {
    /// Whether the thread waited for most of this time.
    #[must_use]
    pub fn waited(&self) -> bool {
        self.waited_ns.is_some_and(|ns| ns > self.ns / 2)
    }
}
