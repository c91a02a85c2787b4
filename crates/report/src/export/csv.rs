//! Every sample that counts as a row of CSV (RFC 4180, with lines that end in LF).

use std::borrow::Cow;

use results::compare::{ProgramArm, ProgramResult, ProgramSample};
use results::{Arm, LabResult, Sample};

use crate::text::clean;

/// A column: its name, and its cell in the row of a sample of an arm of a result.
type Column<R, A, S> = (&'static str, fn(&R, &A, &S) -> String);

/// docs/result-format.md describes them.
const OF_LAB: [Column<LabResult, Arm, Sample>; 29] = [
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

/// As above.
const OF_PROGRAM: [Column<ProgramResult, ProgramArm, ProgramSample>; 18] = [
    ("experiment", |result, _, _| result.experiment.name.clone()),
    ("arm", |_, arm, _| arm.name.clone()),
    ("baseline", |_, arm, _| arm.baseline.to_string()),
    ("placebo", |_, arm, _| arm.placebo.to_string()),
    ("block", |_, _, sample| sample.block.to_string()),
    ("position", |_, _, sample| sample.position.to_string()),
    ("wall_ns", |_, _, sample| sample.wall_ns.to_string()),
    ("user_ns", |_, _, sample| sample.user_ns.to_string()),
    ("sys_ns", |_, _, sample| sample.sys_ns.to_string()),
    ("max_rss_bytes", |_, _, sample| sample.max_rss_bytes.to_string()),
    ("tree_peak_bytes", |_, _, sample| known(sample.tree_peak_bytes)),
    ("settled_rss_bytes", |_, _, sample| known(sample.settled_rss_bytes)),
    ("figure", |_, _, sample| known(sample.figure)),
    ("minor_faults", |_, _, sample| sample.minor_faults.to_string()),
    ("major_faults", |_, _, sample| sample.major_faults.to_string()),
    ("involuntary_switches", |_, _, sample| sample.involuntary_switches.to_string()),
    ("exit_code", |_, _, sample| known(sample.exit_code)),
    ("signal", |_, _, sample| known(sample.signal)),
];

/// A number, or an empty cell where it is unknown.
fn known(number: Option<impl ToString>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// Rows of arms and their samples in the order of the result. Samples of dropped blocks, of refused
/// arms and of bisections are in the JSON alone. Names are data, and stand as they are, but for the
/// eyes of a `terminal` they are escaped.
pub(super) fn of_lab(result: &LabResult, terminal: bool) -> String {
    let arms = result.arms.iter().map(|arm| (arm, &arm.samples[..]));
    table(&OF_LAB, result, arms, terminal)
}

/// As [`of_lab`].
pub(super) fn of_program(result: &ProgramResult, terminal: bool) -> String {
    let arms = result.arms.iter().map(|arm| (arm, &arm.samples[..]));
    table(&OF_PROGRAM, result, arms, terminal)
}

/// A header, and a row for each sample of each arm.
fn table<'a, R, A: 'a, S: 'a>(
    columns: &[Column<R, A, S>],
    result: &R,
    arms: impl Iterator<Item = (&'a A, &'a [S])>,
    terminal: bool,
) -> String {
    let mut text = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",") + "\n";
    for (arm, samples) in arms {
        for sample in samples {
            let seen = |cell: String| if terminal { clean(&cell) } else { cell };
            let cells = columns.iter().map(|(_, cell)| seen(cell(result, arm, sample)));
            let cells: Vec<String> = cells.map(|cell| quoted(&cell).into_owned()).collect();
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
