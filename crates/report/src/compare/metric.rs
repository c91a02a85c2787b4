//! The metrics of a program in words.

use results::compare::ProgramResult;
use results::{Comparison, Verdict};

use crate::bench::verdict::is_within_noise;
use crate::number::{TimeUnit, bytes, count, digits};

/// A metric as it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    /// Its name in a column.
    pub(crate) name: &'static str,
    /// Its name in a sentence.
    pub(crate) title: &'static str,
    kind: Kind,
    /// Its words for less and more.
    words: (&'static str, &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    Bytes,
    Count,
    Figure,
}

/// The metric of a program with this key.
pub(crate) fn named(key: &str) -> Named {
    known(key).unwrap_or(Named {
        name: "figure",
        title: "figure",
        kind: Kind::Figure,
        words: ("lower", "higher"),
    })
}

/// As [`named`]; `None` if programs have no such metric.
pub(crate) fn known(key: &str) -> Option<Named> {
    let (name, title, kind, words) = match key {
        "wall_ns" => ("wall", "wall time", Kind::Time, ("faster", "slower")),
        "user_ns" => ("user", "user time", Kind::Time, ("lower", "higher")),
        "sys_ns" => ("sys", "system time", Kind::Time, ("lower", "higher")),
        "cpu_ns" => ("cpu", "processor time", Kind::Time, ("lower", "higher")),
        "max_rss_bytes" => ("peak RSS", "peak RSS", Kind::Bytes, ("smaller", "larger")),
        "tree_peak_bytes" => {
            ("tree peak", "peak memory of all processes", Kind::Bytes, ("smaller", "larger"))
        }
        "settled_rss_bytes" => ("settled RSS", "settled RSS", Kind::Bytes, ("smaller", "larger")),
        "faults" => ("page faults", "page faults", Kind::Count, ("fewer", "more")),
        "figure" => ("figure", "figure", Kind::Figure, ("lower", "higher")),
        _ => return None,
    };
    Some(Named { name, title, kind, words })
}

impl Named {
    /// A value with its unit.
    pub(crate) fn value(self, value: f64) -> String {
        self.values(&[Some(value)]).remove(0)
    }

    /// The values of one metric, in one unit where it has one.
    pub(super) fn values(self, values: &[Option<f64>]) -> Vec<String> {
        let largest = values.iter().flatten().copied().fold(0.0, f64::max);
        let unit = TimeUnit::for_largest(largest);
        let one = |value: f64| match self.kind {
            Kind::Time => format!("{} {}", digits(value / unit.ns(), 3), unit.name()),
            Kind::Bytes => bytes(value),
            Kind::Count => count(value),
            Kind::Figure => digits(value, 4),
        };
        values.iter().map(|value| value.map_or_else(|| "-".to_owned(), one)).collect()
    }

    /// The verdict on a ratio in a word.
    pub(crate) fn word(self, verdict: Verdict, ratio: f64) -> &'static str {
        match verdict {
            Verdict::Equivalent => "same",
            Verdict::Inconclusive => "unclear",
            Verdict::Different if ratio < 1.0 => self.words.0,
            Verdict::Different => self.words.1,
        }
    }

    /// Whether less of it is better.
    pub(super) fn less_is_better(self) -> bool {
        self.kind != Kind::Figure
    }

    /// Whether it is a time, for which the placebo speaks.
    pub(super) fn is_time(self) -> bool {
        self.kind == Kind::Time
    }
}

/// The comparison of an arm by a metric.
pub(crate) fn comparison<'a>(
    result: &'a ProgramResult,
    arm: &str,
    key: &str,
) -> Option<&'a Comparison> {
    result.comparisons.iter().find(|comparison| comparison.arm == arm && comparison.metric == key)
}

/// The verdict in a word that fits the metric. With a question mark if the placebo, which is judged
/// by the first metric that decides, speaks for this metric, too, and could be as different.
pub(crate) fn word(result: &ProgramResult, comparison: &Comparison) -> String {
    let (first, key) = (&result.experiment.metric, &comparison.metric);
    let metric = named(key);
    let speaks = first == key || (named(first).is_time() && metric.is_time());
    let is_doubtful = speaks
        && comparison.verdict == Verdict::Different
        && is_within_noise(result.placebo.as_ref(), comparison.ratio);
    let word = metric.word(comparison.verdict, comparison.ratio);
    if is_doubtful { format!("{word}?") } else { word.to_owned() }
}

/// Whether anything that decides is undecided.
pub(crate) fn is_open(result: &ProgramResult) -> bool {
    result.comparisons.iter().any(|comparison| {
        comparison.verdict == Verdict::Inconclusive
            && result.experiment.metrics.contains(&comparison.metric)
    })
}
