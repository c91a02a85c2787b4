//! The state of free memory to measure in.

use serde::Deserialize;

/// The state of the machine's free memory before a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryState {
    /// Left idle until the host has taken it back.
    Cold,
    /// Used a moment ago: the host, if there is one, has backed it.
    Warm,
}

impl MemoryState {
    /// As on the command line and in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MemoryState::Cold => "cold",
            MemoryState::Warm => "warm",
        }
    }
}
