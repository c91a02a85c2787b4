//! Which allocating calls a report is of.

use serde::{Deserialize, Serialize};

use super::SiteCosts;

/// The calls that were asked for, by bounds that all of them meet; what `null` bounds is not
/// bounded. `sites`, `callers` and `costs` are of these calls and their blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ReportFilter {
    /// They began at this time after the start of the recording, or later.
    pub from_ns: Option<u64>,
    /// They began before this time.
    pub until_ns: Option<u64>,
    /// Their thread.
    pub tid: Option<u32>,
    /// Their process.
    pub pid: Option<u32>,
    /// They asked for so many bytes, or for more.
    pub min_bytes: Option<u64>,
    /// They asked for so many bytes, or for less.
    pub max_bytes: Option<u64>,
    /// What the other calls and their blocks cost.
    pub left_out: SiteCosts,
}

/// A function that was not taken for a caller, because that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFunction {
    /// The function, as it was asked for.
    pub function: String,
    /// The sites that would have been its own, or those of another such function.
    pub sites: u64,
}
