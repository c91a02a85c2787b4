//! What `firsttouch report --diff OLD NEW --json` writes, `firsttouch.diff/1`, as types: two
//! results of one question, arm by arm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Verdict;

/// The schema that this version writes.
pub const SCHEMA: &str = "firsttouch.diff/1";

/// Two results of one experiment, or of one command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// The experiment of both: `compare` for results of that verb.
    pub experiment: String,
    /// The file that the experiment of the new run was read from; `null` for built-in experiments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_file: Option<String>,
    /// The command that both ran; empty for results of `bench`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The older file.
    pub old: DiffedRun,
    /// The newer file.
    pub new: DiffedRun,
    /// From the start of the old run to that of the new one; negative if the new one ran first,
    /// `null` if either start is no time.
    pub apart_ns: Option<i64>,
    /// A difference smaller than this share does not matter: the larger margin of the two files.
    pub margin: f64,
    /// Joint confidence of all `comparisons`; and again of all their `against_baseline`.
    pub confidence: f64,
    /// Always false: nothing balanced what differs between the two times and machines.
    pub randomised_together: bool,
    /// What differs between the machines and conditions of the two runs.
    pub differences: Vec<Difference>,
    /// Every arm that both have, at each point and for each metric that both have.
    pub comparisons: Vec<Change>,
    /// What both have, without a ratio.
    pub left_out: Vec<LeftOut>,
}

/// A run that is compared with another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DiffedRun {
    /// Its file, as the user named it.
    pub file: String,
    /// When it started: RFC 3339, UTC.
    pub started: String,
    /// Its duration.
    pub elapsed_ns: u64,
    /// The ids of its warnings, each once.
    pub warnings: Vec<String>,
    /// Whether its placebo is trusted; `null` if that is not known, or if it has none.
    pub trusted: Option<bool>,
}

/// A condition that is not the same in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The key in the results: `kernel`, `ram_bytes`, `passes of malloc`.
    pub what: String,
    /// Its value in the old run, as text; `null` if it is unknown or absent.
    pub old: Option<String>,
    /// In the new one.
    pub new: Option<String>,
}

/// An arm in the new run against the same arm in the old one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The arm.
    pub arm: String,
    /// Whether it is the baseline of both runs.
    pub baseline: bool,
    /// The compared figure of the samples.
    pub metric: String,
    /// Bytes of one block of memory; `null` where whole programs are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Threads that shared the work; `null` where whole programs are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Number of touches; only where the runs have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<u64>,
    /// The median of the old samples, in the unit of the metric, per block of memory. Of an even
    /// number of samples, the geometric mean of the middle two.
    pub old: f64,
    /// The median of the new ones.
    pub new: f64,
    /// Number of old samples.
    pub old_samples: u64,
    /// Number of new samples.
    pub new_samples: u64,
    /// `new / old`.
    pub ratio: f64,
    /// Lower bound; `null` if there are too few samples for an interval.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Joint confidence of all comparisons.
    pub confidence: f64,
    /// The verdict on the ratio.
    pub verdict: Verdict,
    /// How the ratio to the baseline of its own run changed; `null` for a baseline, and for arms
    /// that are not compared with the same baseline in both runs.
    pub against_baseline: Option<RelativeChange>,
}

/// The ratio of an arm to the baseline within the blocks of its own run, new over old.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelativeChange {
    /// The baseline.
    pub baseline: String,
    /// The ratio of ratios.
    pub ratio: f64,
    /// Lower bound; `null` if there are too few blocks for an interval.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// The verdict on it.
    pub verdict: Verdict,
}

/// A figure that both runs have, and that has no ratio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The arm.
    pub arm: String,
    /// The figure.
    pub metric: String,
    /// Why.
    pub reason: String,
}

/// The values of `record` by key, as text: lists in one line, unknown values left out. Keys of
/// records within it are joined by dots.
#[must_use]
pub fn values(record: &impl Serialize) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    // Our own types have no keys that JSON could not have.
    collect("", &serde_json::to_value(record).unwrap_or_default(), &mut found);
    found
}

fn collect(key: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(&below(name), value, found);
            }
        }
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, item) in items.iter().enumerate() {
                collect(&below(&index.to_string()), item, found);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            found.insert(key.to_owned(), items.join(", "));
        }
        one => {
            found.insert(key.to_owned(), text(one));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExperimentRecord, Factor, Machine};

    #[test]
    fn values_have_their_keys() {
        let machine = Machine { cpu: Some("a b".into()), cpus: 2, ..Machine::default() };
        let found = values(&machine);
        let pairs: Vec<(&str, &str)> =
            found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("cpu", "a b"), ("cpus", "2"), ("page_bytes", "0")]);
        let experiment = ExperimentRecord {
            threads: vec![1, 2],
            factors: vec![Factor { name: "api".into(), levels: ["x".into(), "y".into()] }],
            ..ExperimentRecord::default()
        };
        let found = values(&experiment);
        assert_eq!(found["threads"], "1, 2");
        assert_eq!(
            (found["factors.0.name"].as_str(), &*found["factors.0.levels"]),
            ("api", "x, y")
        );
        assert!(!found.contains_key("passes") && !found.contains_key("file"));
    }
}
