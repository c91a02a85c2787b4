//! A result in the benchmark format of Go, for benchstat (golang.org/design/14313-benchmark-format,
//! and the package `golang.org/x/perf/benchfmt`).

use std::fmt::Write;

use results::Machine;

use super::series::{Run, Series, size};
use crate::text::{clean, cleaned};

/// The unit of the time that is compared.
const TIME: &str = "ns/op";

/// The figure of which it is unknown whether more or less is better.
const OPEN: &str = "figure";

/// Figures and their units. Times and faults are those of one operation, memory is that of the
/// process.
const UNITS: [(&str, &str); 14] = [
    ("obtain_ns", "obtain-ns/op"),
    ("first_touch_ns", "first-touch-ns/op"),
    ("between_ns", "between-ns/op"),
    ("second_touch_ns", "second-touch-ns/op"),
    ("release_ns", "release-ns/op"),
    ("user_ns", "user-ns/op"),
    ("sys_ns", "sys-ns/op"),
    ("minor_faults", "minor-faults/op"),
    ("major_faults", "major-faults/op"),
    ("rss_bytes", "rss-bytes"),
    ("max_rss_bytes", "max-rss-bytes"),
    ("tree_peak_bytes", "tree-peak-bytes"),
    ("settled_rss_bytes", "settled-rss-bytes"),
    (OPEN, OPEN),
];

/// What all benchmarks of a document have in common.
pub(super) struct Head<'a> {
    pub(super) machine: &'a Machine,
    /// What was run: letters and digits of it make the name of the benchmark.
    pub(super) subject: &'a str,
    /// Lines for people.
    pub(super) comments: Vec<String>,
}

/// Configuration lines, the direction of each unit, and a line for each run. A figure that is 0 in
/// all runs is left out.
pub(super) fn benchmarks(head: &Head, series: &[Series]) -> String {
    let mut text = String::from("goos: linux\n");
    let known = [
        ("goarch", head.machine.arch.as_deref().map(architecture)),
        ("pkg", Some("firsttouch")),
        ("cpu", head.machine.cpu.as_deref()),
    ];
    for (key, value) in known {
        // A key without a value would delete it.
        if let Some(value) = value.map(|value| clean(value.trim())).filter(|v| !v.is_empty()) {
            let _ = writeln!(text, "{key}: {value}");
        }
    }
    for comment in &head.comments {
        let _ = writeln!(text, "# {}", clean(comment));
    }
    let shown: Vec<_> = UNITS.iter().filter(|(figure, _)| occurs(figure, series)).collect();
    let units = shown.iter().map(|(_, unit)| *unit);
    for unit in std::iter::once(TIME).chain(units).filter(|unit| *unit != OPEN) {
        let _ = writeln!(text, "Unit {unit} better=lower");
    }
    let base = base(head.subject);
    for series in series {
        let name = name(&base, series);
        for run in &series.runs {
            let operations = run.operations as f64;
            let _ = write!(text, "{name} {} {}", run.operations, run.time_ns as f64 / operations);
            let _ = write!(text, " {TIME}");
            for (figure, unit) in &shown {
                if let Some(value) = value(run, figure) {
                    let per = if unit.ends_with("/op") { operations } else { 1.0 };
                    let _ = write!(text, " {} {unit}", value / per);
                }
            }
            text.push('\n');
        }
    }
    text
}

fn value(run: &Run, figure: &str) -> Option<f64> {
    let found = run.figures.iter().find(|(name, _)| *name == figure);
    found.map(|(_, value)| *value).filter(|value| value.is_finite())
}

fn occurs(figure: &str, series: &[Series]) -> bool {
    let mut runs = series.iter().flat_map(|series| &series.runs);
    runs.any(|run| value(run, figure).is_some_and(|value| value != 0.0))
}

/// Go's word for an instruction set.
fn architecture(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `small-churn` as `SmallChurn`, behind `Benchmark`.
fn base(subject: &str) -> String {
    let mut base = String::from("Benchmark");
    for word in subject.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
    {
        let (first, rest) = word.split_at(1);
        base += &first.to_ascii_uppercase();
        base += rest;
    }
    base
}

/// The point of a sweep and the arm as keys and values behind the base. The arm is the last.
fn name(base: &str, series: &Series) -> String {
    let mut name = base.to_owned();
    for (key, value) in series.point.parts() {
        let _ = match key {
            "size_bytes" => write!(name, "/size={}", size(value)),
            key => write!(name, "/{key}={value}"),
        };
    }
    name + "/arm=" + &escaped(series.arm)
}

/// A value within a name. What would end the value or the name, and what is not seen, is a percent
/// sign and its bytes in hexadecimal, as in a URL; so is a hyphen before a last number, which is
/// read as a number of processors (`-8`).
fn escaped(value: &str) -> String {
    let digits = value.chars().rev().take_while(char::is_ascii_digit).count();
    let before = &value[..value.len() - digits];
    let suffix = if digits > 0 && before.ends_with('-') { Some(before.len() - 1) } else { None };
    let mut escaped = String::new();
    for (at, letter) in value.char_indices() {
        let mut buffer = [0; 4];
        let text = letter.encode_utf8(&mut buffer);
        let is_plain = letter != '/'
            && letter != '%'
            && !letter.is_whitespace()
            && Some(at) != suffix
            && *cleaned(text) == *text;
        if is_plain {
            escaped.push(letter);
        } else {
            for byte in text.bytes() {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_word_without_what_the_format_reads() {
        for (name, expect) in [
            ("mmap+populate", "mmap+populate"),
            ("hugetlb-2M", "hugetlb-2M"),
            ("arena-2", "arena%2D2"),
            ("-64", "%2D64"),
            ("a-1-2", "a-1%2D2"),
            ("64", "64"),
            ("a b\tc\n", "a%20b%09c%0A"),
            ("malloc@/lib/a.so", "malloc@%2Flib%2Fa.so"),
            ("50%", "50%25"),
            ("a=b", "a=b"),
            ("größe\u{a0}\u{202e}", "größe%C2%A0%E2%80%AE"),
        ] {
            assert_eq!(escaped(name), expect, "{name:?}");
        }
        assert_eq!(base("small-churn"), "BenchmarkSmallChurn");
        assert_eq!(base("my question 2"), "BenchmarkMyQuestion2");
        assert_eq!(base("größe"), "BenchmarkGrE");
    }
}
