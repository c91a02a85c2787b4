//! Experiments: questions as data. The files in `experiments/` are built into the program; users
//! can write their own. `docs/experiments.md` describes the format.

mod file;
mod values;

use std::time::Duration;

use sample::source::Source;
use serde::Deserialize;

use crate::question::arm::{ArmSpec, nearest};
use crate::question::defaults::Defaults;
use crate::question::memory::MemoryState;

pub use file::Mistake;

/// A question, and how to measure the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its name on the command line.
    pub name: String,
    /// The file that it came from, as the user named it; `None` if it is built in.
    pub file: Option<String>,
    /// The question that it answers.
    pub question: String,
    /// The figure of a sample that is compared.
    pub metric: Metric,
    /// Bytes of one block of memory, ascending, unless the user gives others.
    pub sizes_bytes: Vec<u64>,
    /// Numbers of threads that share the work, ascending.
    pub threads: Vec<u64>,
    /// Numbers of touches, ascending; empty: as in each arm.
    pub passes: Vec<u32>,
    /// A difference smaller than this share does not matter.
    pub margin: f64,
    /// The time cap, if it differs from the default.
    pub max_time: Option<Duration>,
    /// Whether crossovers are narrowed down between the points of a sweep.
    pub bisect: bool,
    /// The arms, factors or floors that it measures.
    pub subject: Subject,
    /// A published ratio of the cell of all first levels to that of all second levels.
    pub reference: Option<Reference>,
}

/// A published ratio, to be explained.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Its author: "the post".
    pub who: String,
    /// The smallest published ratio.
    pub low: f64,
    /// The largest published ratio.
    pub high: f64,
}

/// The subject of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// Arms with a baseline.
    Arms {
        /// The arm that the others are compared with.
        baseline: ArmSpec,
        /// The other arms.
        arms: Vec<ArmSpec>,
        /// The settings of arms that do not have their own.
        defaults: Defaults,
    },
    /// Every combination of the levels of some factors.
    Factors(Factors),
    /// The floors, and every source as a multiple of the floor that it cannot beat.
    Floors,
}

/// Factors, each with two levels; the effect of a factor is its first level over its second.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factors {
    /// The source of the memory.
    #[serde(deserialize_with = "values::sources")]
    pub api: [Source; 2],
    /// The byte that the touches write.
    #[serde(deserialize_with = "values::two")]
    pub fill: [u8; 2],
    /// The position within the process.
    #[serde(deserialize_with = "values::two")]
    pub position: [Position; 2],
    /// The state of free memory, measured separately.
    #[serde(default, deserialize_with = "values::two_or_none")]
    pub memory: Option<[MemoryState; 2]>,
}

/// A position within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// Nothing was measured in the process before.
    First,
    /// The other API was used before, with the other fill, and its memory released.
    Second,
}

impl Position {
    /// Its name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Position::First => "first",
            Position::Second => "second",
        }
    }
}

/// A figure that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Metric {
    /// Obtaining and first touch.
    #[serde(rename = "total_ns")]
    Total,
    /// The obtaining calls.
    #[serde(rename = "obtain_ns")]
    Obtain,
    /// The first touch.
    #[serde(rename = "first_touch_ns")]
    FirstTouch,
    /// What happens between the touches.
    #[serde(rename = "between_ns")]
    Between,
    /// The touches after the first.
    #[serde(rename = "second_touch_ns")]
    SecondTouch,
    /// What happens between the touches, and the touches after the first.
    #[serde(rename = "again_ns")]
    Again,
    /// The releasing calls.
    #[serde(rename = "release_ns")]
    Release,
    /// All phases.
    #[serde(rename = "whole_ns")]
    Whole,
}

impl Metric {
    const ALL: [Metric; 8] = [
        Metric::Total,
        Metric::Obtain,
        Metric::FirstTouch,
        Metric::Between,
        Metric::SecondTouch,
        Metric::Again,
        Metric::Release,
        Metric::Whole,
    ];

    /// The metric called `name`, in a result.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Its name in an experiment: the key in a sample, if it has one there.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::Total => "total_ns",
            Metric::Obtain => "obtain_ns",
            Metric::FirstTouch => "first_touch_ns",
            Metric::Between => "between_ns",
            Metric::SecondTouch => "second_touch_ns",
            Metric::Again => "again_ns",
            Metric::Release => "release_ns",
            Metric::Whole => "whole_ns",
        }
    }

    /// Its value in `sample`.
    #[must_use]
    pub fn of(self, sample: &results::Sample) -> u64 {
        match self {
            Metric::Total => sample.total_ns,
            Metric::Obtain => sample.obtain_ns,
            Metric::FirstTouch => sample.first_touch_ns,
            Metric::Between => sample.between_ns,
            Metric::SecondTouch => sample.second_touch_ns,
            Metric::Again => sample.again_ns(),
            Metric::Release => sample.release_ns,
            Metric::Whole => sample.whole_ns(),
        }
    }
}

const FILES: &[&str] = &[
    include_str!("../../../../experiments/anonymous.toml"),
    include_str!("../../../../experiments/position.toml"),
    include_str!("../../../../experiments/populate.toml"),
    include_str!("../../../../experiments/page-size.toml"),
    include_str!("../../../../experiments/size-sweep.toml"),
    include_str!("../../../../experiments/threads.toml"),
    include_str!("../../../../experiments/refault.toml"),
    include_str!("../../../../experiments/release.toml"),
    include_str!("../../../../experiments/threshold.toml"),
    include_str!("../../../../experiments/allocators.toml"),
    include_str!("../../../../experiments/realloc-growth.toml"),
    include_str!("../../../../experiments/small-objects.toml"),
    include_str!("../../../../experiments/latency.toml"),
    include_str!("../../../../experiments/floors.toml"),
    include_str!("../../../../experiments/file-scan.toml"),
    include_str!("../../../../experiments/file-random.toml"),
    include_str!("../../../../experiments/map-or-copy.toml"),
    include_str!("../../../../experiments/cow.toml"),
    include_str!("../../../../experiments/fork.toml"),
];

/// The built-in experiments, the main one first.
///
/// # Panics
/// If a built-in file is malformed, which a test excludes.
#[must_use]
pub fn built_in() -> Vec<Experiment> {
    FILES
        .iter()
        .map(|text| Experiment::parse(text).expect("built-in experiments are well-formed"))
        .collect()
}

/// The experiment called `name`.
///
/// # Errors
/// A message with the nearest name, and all names.
pub fn by_name(name: &str) -> Result<Experiment, String> {
    let all = built_in();
    let names: Vec<String> = all.iter().map(|experiment| experiment.name.clone()).collect();
    all.into_iter().find(|experiment| experiment.name == name).ok_or_else(|| {
        let known = names.iter().map(String::as_str);
        let hint =
            nearest(name, known).map_or(".".to_owned(), |near| format!("; did you mean {near}?"));
        format!(
            "unknown experiment {name:?}{hint} Known: {} (see bench --list); the name of a file \
             ends in .toml",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_experiments_are_well_formed() {
        let all = built_in();
        assert_eq!(all[0].name, "anonymous");
        assert!(all.iter().all(|experiment| experiment.question.ends_with('?')));
    }

    #[test]
    fn unknown_names_suggest_the_nearest() {
        assert!(by_name("positon").unwrap_err().contains("did you mean position?"));
        assert_eq!(by_name("anonymous").unwrap().name, "anonymous");
    }
}
