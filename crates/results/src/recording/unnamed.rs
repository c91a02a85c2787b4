//! Files whose code has no names.

use serde::{Deserialize, Serialize};

/// A file whose code has no names, or fewer than it could have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnnamedFile {
    /// Its path when it was recorded.
    pub path: String,
    /// The reason.
    pub why: Unnamed,
    /// The build that was recorded, in hexadecimal.
    #[serde(default)]
    pub build_id: Option<String>,
    /// More of the reason, such as why a debug file cannot be used.
    #[serde(default)]
    pub reason: Option<String>,
    /// What the callers in it cost that it concerns: true cost, or without faults the time in
    /// calls.
    #[serde(default)]
    pub cost_ns: u64,
}

/// Why the code of a file has no names.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Unnamed {
    /// It is not the build that was recorded.
    Changed,
    /// It is not there.
    #[default]
    Missing,
    /// It could not be read.
    Unreadable,
    /// It has no symbols of some of its code.
    Stripped,
    /// It has functions, but no lines.
    NoLines,
    /// It has names, but whether it is the build that was recorded is not known.
    Unchecked,
}
