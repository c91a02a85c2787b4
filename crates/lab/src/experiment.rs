//! Experiments: questions as data. The files lie under `experiments/` and are part of the program.

use serde::Deserialize;

use crate::quantity::parse_bytes;
use crate::source::Source;

/// A question, and how it is put to the machine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name, as on the command line.
    pub name: String,
    /// What it answers.
    pub question: String,
    /// Which figure of a sample is compared.
    pub metric: Metric,
    /// Bytes of one block of memory, unless the user says otherwise.
    #[serde(rename = "size", deserialize_with = "bytes")]
    pub size_bytes: u64,
    /// A difference smaller than this share does not matter.
    pub margin: f64,
    /// The byte that both touches write.
    pub fill: u8,
    /// What the others are compared with.
    pub baseline: Source,
    /// The others.
    pub arms: Vec<Source>,
}

/// A figure that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Metric {
    /// Obtaining and first touch.
    #[serde(rename = "total_ns")]
    Total,
}

impl Metric {
    /// Its key in a sample.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::Total => "total_ns",
        }
    }

    /// Its value in `sample`.
    #[must_use]
    pub fn of(self, sample: &results::Sample) -> u64 {
        match self {
            Metric::Total => sample.total_ns,
        }
    }
}

const FILES: [&str; 1] = [include_str!("../../../experiments/anonymous.toml")];

/// The experiments that come with the program, the main one first.
///
/// # Panics
/// If one of the built-in files is wrong, which a test rules out.
#[must_use]
pub fn built_in() -> Vec<Experiment> {
    FILES.iter().map(|text| toml::from_str(text).expect("built-in experiments are well-formed")).collect()
}

fn bytes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    parse_bytes(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// The name out of `known` that `wanted` was most likely meant to be, if any is close.
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&wanted.to_lowercase(), name);
    known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_experiments_are_sound() {
        let all = built_in();
        assert_eq!(all[0].name, "anonymous");
        for experiment in all {
            assert!(experiment.question.ends_with('?'), "{}", experiment.name);
            assert!(!experiment.arms.is_empty() && !experiment.arms.contains(&experiment.baseline));
            assert!(experiment.margin > 0.0 && experiment.margin < 1.0);
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let arms = Source::ALL.map(Source::name);
        assert_eq!(nearest("mallocc", arms), Some("malloc"));
        assert_eq!(nearest("mmap+populat", arms), Some("mmap+populate"));
        assert_eq!(nearest("hugepage", arms).unwrap_or("mmap+hugepage"), "mmap+hugepage");
        assert_eq!(nearest("xyz", arms), None);
    }
}
