//! The state of free memory to measure in.

use serde::Deserialize;

/// The state of the machine's free memory before a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// Left idle until the host has taken it back.
    Cold,
    /// Used a moment ago: the host, if there is one, has backed it.
    Warm,
}

impl Memory {
    /// As on the command line and in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Memory::Cold => "cold",
            Memory::Warm => "warm",
        }
    }
}
