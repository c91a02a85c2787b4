//! The metrics of a program in words.

use results::Verdict;

use crate::number::{TimeUnit, bytes, count, digits};

/// A metric as it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    /// Its name.
    pub(super) name: &'static str,
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

/// The metric with this key.
pub(super) fn named(key: &str) -> Named {
    let (name, kind, words) = match key {
        "wall_ns" => ("wall", Kind::Time, ("faster", "slower")),
        "user_ns" => ("user", Kind::Time, ("less", "more")),
        "sys_ns" => ("sys", Kind::Time, ("less", "more")),
        "cpu_ns" => ("cpu", Kind::Time, ("less", "more")),
        "max_rss_bytes" => ("peak RSS", Kind::Bytes, ("smaller", "larger")),
        "tree_peak_bytes" => ("tree peak", Kind::Bytes, ("smaller", "larger")),
        "settled_rss_bytes" => ("settled RSS", Kind::Bytes, ("smaller", "larger")),
        "faults" => ("page faults", Kind::Count, ("fewer", "more")),
        _ => ("figure", Kind::Figure, ("lower", "higher")),
    };
    Named { name, kind, words }
}

impl Named {
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
    pub(super) fn word(self, verdict: Verdict, ratio: f64) -> &'static str {
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
