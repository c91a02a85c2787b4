//! The race before a comparison: which of many candidates is worth to be compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ProgramSample;
use crate::Refused;

/// A race of candidates. Its runs chose the arm that was then compared on fresh blocks: its figures
/// are those of the choice, with the winner's luck in them, and no result of their own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Race {
    /// Why it ended.
    pub ended: RaceEnd,
    /// Its blocks that count.
    pub blocks: u64,
    /// Its blocks that do not count, by the rule for outside disturbance.
    pub dropped: u64,
    /// Its duration.
    pub elapsed_ns: u64,
    /// The arms that ran, the program as it is first, then the best first.
    pub arms: Vec<RacedArm>,
    /// Candidates that are not available here, or whose settings are not in force in this program.
    pub refused: Vec<Refused<ProgramSample>>,
}

/// Why a race ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RaceEnd {
    /// One candidate was left.
    OneLeft,
    /// Every candidate was certainly worse than another arm.
    NoneLeft,
    /// The candidates that were left are the same within the margin.
    Alike,
    /// Its share of the time was up.
    #[default]
    TimeUp,
    /// It had as many blocks as a race may have.
    AllBlocks,
    /// The user interrupted it.
    Interrupted,
}

/// An arm of a race.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct RacedArm {
    /// Its name.
    pub name: String,
    /// Whether it is the program as it is, which stays to the end.
    #[serde(default)]
    pub baseline: bool,
    /// Whether it was chosen to be compared on fresh blocks.
    #[serde(default)]
    pub chosen: bool,
    /// Its own command; `null`: that of the comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Environment variables that it changes; `null` removes one.
    pub environment: BTreeMap<String, Option<String>>,
    /// Whether it turns off transparent huge pages (`PR_SET_THP_DISABLE`).
    #[serde(default)]
    pub huge_pages_off: bool,
    /// Its runs that count, one a block.
    pub blocks: u64,
    /// The number of blocks after which it left; `null` if it stayed to the end.
    pub left_after: Option<u64>,
    /// Why it left.
    pub reason: Option<String>,
    /// Whether it left because a run failed.
    #[serde(default)]
    pub failed: bool,
    /// Medians over its runs, by metric.
    pub medians: BTreeMap<String, f64>,
    /// The median of its ratios to the program as it is, block by block, by metric.
    pub ratios: BTreeMap<String, f64>,
}
