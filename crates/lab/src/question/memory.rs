//! The state of free memory to measure in.

use serde::Deserialize;

/// The state of the machine's free memory before a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryState {
    /// Idle for so long that the host has taken it back.
    Cold,
    /// Used just before, so that a host has backed it.
    Warm,
}

impl MemoryState {
    /// Its name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MemoryState::Cold => "cold",
            MemoryState::Warm => "warm",
        }
    }
}
