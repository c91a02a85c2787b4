//! Every sample that counts as a row of CSV (RFC 4180, with lines that end in LF).

use std::borrow::Cow;

use results::{Arm, LabResult, Sample};

use crate::text::clean;

/// A column: its name, and its cell in the row of a sample.
type Column = (&'static str, fn(&LabResult, &Arm, &Sample) -> String);

/// docs/result-format.md describes them.
const COLUMNS: [Column; 29] = [
    ("experiment", |result, _, _| result.experiment.name.clone()),
    ("arm", |_, arm, _| arm.name.clone()),
    ("baseline", |_, arm, _| arm.baseline.to_string()),
    ("placebo", |_, arm, _| arm.placebo.to_string()),
    ("size_bytes", |result, _, sample| {
        sample.size_bytes.unwrap_or(result.experiment.size_bytes).to_string()
    }),
    ("threads", |result, _, sample| {
        let of_all = result.experiment.threads.first().copied();
        sample.threads.or(of_all).unwrap_or(1).to_string()
    }),
    ("passes", |_, arm, sample| known(sample.passes.or(arm.work.as_ref().map(|work| work.passes)))),
    ("block", |_, _, sample| sample.block.to_string()),
    ("position", |_, _, sample| sample.position.to_string()),
    ("operations", |_, _, sample| sample.operations.to_string()),
    ("obtain_ns", |_, _, sample| sample.obtain_ns.to_string()),
    ("first_touch_ns", |_, _, sample| sample.first_touch_ns.to_string()),
    ("between_ns", |_, _, sample| sample.between_ns.to_string()),
    ("second_touch_ns", |_, _, sample| sample.second_touch_ns.to_string()),
    ("release_ns", |_, _, sample| sample.release_ns.to_string()),
    ("total_ns", |_, _, sample| sample.total_ns.to_string()),
    ("run_delay_ns", |_, _, sample| known(sample.run_delay_ns)),
    ("minor_faults", |_, _, sample| sample.minor_faults.to_string()),
    ("major_faults", |_, _, sample| sample.major_faults.to_string()),
    ("obtain_minor_faults", |_, _, sample| sample.obtain_minor_faults.to_string()),
    ("first_touch_minor_faults", |_, _, sample| sample.first_touch_minor_faults.to_string()),
    ("first_touch_major_faults", |_, _, sample| sample.first_touch_major_faults.to_string()),
    ("second_touch_minor_faults", |_, _, sample| sample.second_touch_minor_faults.to_string()),
    ("rss_bytes", |_, _, sample| known(sample.rss_bytes)),
    ("huge_bytes", |_, _, sample| known(sample.huge_bytes)),
    ("huge_eligible_bytes", |_, _, sample| sample.huge_eligible_bytes.to_string()),
    ("involuntary_switches", |_, _, sample| sample.involuntary_switches.to_string()),
    ("cached_before_bytes", |_, _, sample| known(sample.cached_before_bytes)),
    ("cached_after_bytes", |_, _, sample| known(sample.cached_after_bytes)),
];

/// A number, or an empty cell where it is unknown.
fn known(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// A header, and a row for each sample of each arm in the order of the result. Samples of dropped
/// blocks, of refused arms and of bisections are in the JSON alone. Names are data, and stand as
/// they are, but for the eyes of a `terminal` they are escaped.
#[must_use]
pub fn csv(result: &LabResult, terminal: bool) -> String {
    let mut text = COLUMNS.map(|(name, _)| name).join(",") + "\n";
    for arm in &result.arms {
        for sample in &arm.samples {
            let seen = |cell: String| if terminal { clean(&cell) } else { cell };
            let row = COLUMNS.map(|(_, cell)| seen(cell(result, arm, sample)));
            let cells: Vec<Cow<str>> = row.iter().map(|cell| quoted(cell)).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
    }
    text
}

/// A cell, in quotes where its text would end it or the row.
fn quoted(cell: &str) -> Cow<'_, str> {
    if cell.contains(['"', ',', '\r', '\n']) || cell.trim() != cell {
        Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_separators_are_quoted() {
        for (cell, expect) in [
            ("mmap+populate", "mmap+populate"),
            ("a,b", "\"a,b\""),
            ("say \"a\"", "\"say \"\"a\"\"\""),
            ("a\nb", "\"a\nb\""),
            (" a", "\" a\""),
            ("", ""),
        ] {
            assert_eq!(quoted(cell), expect, "{cell:?}");
        }
    }
}
