//! Figures, verdicts and times of a diff in words.

use results::Verdict;

use crate::bench::arms::metric_name;
use crate::compare::metric::{known, named};
use crate::number::duration;

/// The words for a change, those that matter most first.
pub(super) const CHANGED: [&str; 8] =
    ["slower", "larger", "more", "higher", "faster", "smaller", "fewer", "lower"];

/// The verdict on a ratio of a figure, in a word. The figures of the lab are times.
pub(super) fn of(key: &str, verdict: Verdict, ratio: f64) -> &'static str {
    known(key).unwrap_or(named("wall_ns")).word(verdict, ratio)
}

/// A figure's name.
pub(super) fn metric(key: &str) -> &'static str {
    known(key).map_or_else(|| metric_name(key), |metric| metric.name)
}

/// A figure with its unit.
pub(super) fn value(key: &str, value: f64) -> String {
    known(key).map_or_else(|| duration(value), |metric| metric.value(value))
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
