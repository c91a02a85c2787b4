//! Figures, verdicts and times of a diff in words.

use results::Verdict;

use crate::bench::arms::metric_name;
use crate::number::{bytes, count, digits, duration};

/// The words for a change, those that matter most first.
pub(super) const CHANGED: [&str; 8] =
    ["slower", "larger", "more", "higher", "faster", "smaller", "fewer", "lower"];

/// The verdict on a ratio of a figure, in a word.
pub(super) fn of(metric: &str, verdict: Verdict, ratio: f64) -> &'static str {
    let (less, more) = match metric {
        "faults" => ("fewer", "more"),
        // Of a program's own figure it is not known whether more is better.
        "user_ns" | "sys_ns" | "cpu_ns" | "figure" => ("lower", "higher"),
        _ if metric.ends_with("_bytes") => ("smaller", "larger"),
        _ => ("faster", "slower"),
    };
    match verdict {
        Verdict::Equivalent => "same",
        Verdict::Inconclusive => "unclear",
        Verdict::Different if ratio < 1.0 => less,
        Verdict::Different => more,
    }
}

/// A figure's name.
pub(super) fn metric(key: &str) -> &'static str {
    match key {
        "wall_ns" => "wall",
        "user_ns" => "user",
        "sys_ns" => "sys",
        "cpu_ns" => "cpu",
        "max_rss_bytes" => "peak RSS",
        "faults" => "faults",
        "tree_peak_bytes" => "tree peak",
        "settled_rss_bytes" => "settled RSS",
        "figure" => "figure",
        lab => metric_name(lab),
    }
}

/// A figure with its unit.
pub(super) fn value(metric: &str, value: f64) -> String {
    match metric {
        "faults" => count(value),
        "figure" => digits(value, 3),
        _ if metric.ends_with("_bytes") => bytes(value),
        _ => duration(value),
    }
}

/// How long one run started after the other: `12 h 30 min later`.
pub(super) fn apart(ns: i64) -> String {
    let seconds = ns.unsigned_abs() / 1_000_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let long = match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{minutes} min"),
        7_200..172_800 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} days"),
    };
    let when = if ns < 0 { "earlier" } else { "later" };
    format!("{long} {when}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_between_runs() {
        for (seconds, expect) in [
            (0, "0 s later"),
            (119, "119 s later"),
            (-180, "3 min earlier"),
            (45_000, "12 h 30 min later"),
            (-7_200, "2 h 0 min earlier"),
            (864_000, "10 days later"),
        ] {
            assert_eq!(apart(seconds * 1_000_000_000), expect);
        }
        assert!(apart(i64::MIN).ends_with("days earlier"));
    }

    #[test]
    fn words_depend_on_the_figure() {
        for (metric, ratio, expect) in [
            ("total_ns", 0.5, "faster"),
            ("wall_ns", 2.0, "slower"),
            ("max_rss_bytes", 0.5, "smaller"),
            ("tree_peak_bytes", 2.0, "larger"),
            ("faults", 0.5, "fewer"),
            ("figure", 2.0, "higher"),
        ] {
            let word = of(metric, Verdict::Different, ratio);
            assert_eq!(word, expect, "{metric}");
            assert!(CHANGED.contains(&word));
        }
        assert_eq!(of("figure", Verdict::Equivalent, 1.01), "same");
        assert_eq!(of("faults", Verdict::Inconclusive, 1.01), "unclear");
    }
}
