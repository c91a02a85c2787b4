//! The file of hyperfine (`--export-json`), as types: its scripts and other tools read it. The
//! names and the order of the keys are those of hyperfine 1.20 (`src/benchmark/benchmark_result.rs`
//! there). Times are in seconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// One for each command.
    pub results: Vec<Benchmark>,
}

/// The runs of one command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Benchmark {
    /// Its name.
    pub command: String,
    /// Mean of `times`.
    pub mean: f64,
    /// Sample standard deviation of `times`; `null` for one run.
    pub stddev: Option<f64>,
    /// Median of `times`.
    pub median: f64,
    /// Mean processor time in user mode; `null` where it is unknown. hyperfine always knows it.
    pub user: Option<f64>,
    /// Mean processor time in the kernel; `null` where it is unknown.
    pub system: Option<f64>,
    /// The least of `times`.
    pub min: f64,
    /// The greatest of `times`.
    pub max: f64,
    /// One for each run.
    pub times: Vec<f64>,
    /// Peak resident memory of each run; left out where it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_usage_byte: Option<Vec<u64>>,
    /// One for each run; `null` if a signal ended it.
    pub exit_codes: Vec<Option<i32>>,
    /// What tells this benchmark from others of the same command; left out if there is nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}
