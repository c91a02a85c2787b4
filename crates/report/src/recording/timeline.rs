//! The figures of a recording over its time, a line each.

use std::fmt::Write;

use results::recording::{
    CostlyMoment, MomentPayer, RecordedStep, RecordedTimeline, RecordingReport,
};

use crate::number::{Nanoseconds, bytes, rounded, whole};
use crate::text::{BOLD, DIM, clean, hanging, styled};
use crate::view::View;

use super::functions::with_short_strings;

/// From nothing to the most: the first is for zero alone.
const LEVELS: [char; 9] = [' ', '.', ':', '-', '=', '+', '*', '#', '@'];
/// The columns of the names.
const NAMES: usize = 12;
/// The fewest columns of a line.
const COLUMNS_MIN: usize = 16;
/// Fewer steps make no line.
const STEPS_MIN: usize = 8;

/// How a figure is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawn {
    /// The most of a column's time: bytes.
    Level,
    /// How many there are in a time.
    Rate,
    /// The part of a time that is spent, which several threads may do at once.
    Time,
}

/// A figure of a step.
struct Figure {
    name: &'static str,
    drawn: Drawn,
    of: fn(&RecordedStep) -> Option<u64>,
    /// Whether only `-v` shows it.
    verbose: bool,
}

const FIGURES_OF_STEPS: [Figure; 7] = [
    figure("live", Drawn::Level, |step| Some(step.live_bytes), false),
    figure("resident", Drawn::Level, |step| step.resident_bytes, false),
    figure("calls", Drawn::Rate, |step| step.calls, true),
    figure("faults", Drawn::Rate, |step| step.faults, false),
    figure("syscalls", Drawn::Rate, |step| step.syscalls, false),
    figure("fault time", Drawn::Time, |step| step.fault_ns, true),
    figure("syscall time", Drawn::Time, |step| step.syscall_ns, true),
];

const fn figure(
    name: &'static str,
    drawn: Drawn,
    of: fn(&RecordedStep) -> Option<u64>,
    verbose: bool,
) -> Figure {
    Figure { name, drawn, of, verbose }
}

/// The lines, and with `-v` the moments that cost most; nothing where there is nothing to draw.
pub(super) fn timeline(report: &RecordingReport, view: View) -> String {
    let timeline = &report.timeline;
    let figures = FIGURES_OF_STEPS.iter().filter(|figure| view.verbose || !figure.verbose);
    let most = |figure: &'static Figure| Some((figure, timeline.most(figure.of)?));
    let rows: Vec<_> = figures.filter_map(most).collect();
    if rows.is_empty() || timeline.steps.len() < STEPS_MIN {
        return String::new();
    }
    let said: Vec<String> = rows.iter().map(|(figure, most)| said(report, figure, most)).collect();
    let widest = said.iter().map(String::len).max().unwrap_or(0);
    let room = view.plot_columns().saturating_sub(NAMES + 3 + widest).max(COLUMNS_MIN);
    let columns = room.min(timeline.steps.len());
    let mut text = String::from("\n") + &axis(report, columns);
    for ((figure, (most, _)), said) in rows.iter().zip(said) {
        let line = line(timeline, figure, *most, columns);
        let _ = writeln!(text, "{:NAMES$}|{line}| {said}", figure.name);
    }
    if view.verbose {
        text += &moments(report, view);
    }
    text
}

/// The times of the first and the last column.
fn axis(report: &RecordingReport, columns: usize) -> String {
    let end = Nanoseconds(report.elapsed_ns).to_string();
    let head = format!("{:NAMES$} 0{end:>room$}  most", "time", room = columns.saturating_sub(1));
    styled(DIM, &head) + "\n"
}

/// A line of so many columns.
fn line(timeline: &RecordedTimeline, figure: &Figure, most: u64, columns: usize) -> String {
    let values: Vec<f64> =
        timeline.steps.iter().map(|step| (figure.of)(step).unwrap_or(0) as f64).collect();
    let drawn = match figure.drawn {
        Drawn::Level => columns_of(&values, columns, f64::max),
        Drawn::Rate | Drawn::Time => columns_of(&values, columns, |sum, part| sum + part),
    };
    // Of rates, the column with the most may be lower than the step with the most.
    let top = drawn.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let top = if figure.drawn == Drawn::Level { most as f64 } else { top };
    drawn.into_iter().map(|value| level(value / top)).collect()
}

/// `values` in so many columns, of which each `joins` its part of them.
fn columns_of(values: &[f64], columns: usize, joins: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let width = values.len() as f64 / columns as f64;
    let column = |index: usize| {
        let (from, to) = (index as f64 * width, (index + 1) as f64 * width);
        let is_sum = joins(1.0, 1.0) > 1.0;
        let part = |(at, value): (usize, &f64)| {
            let at = at as f64;
            let overlap = (at + 1.0).min(to) - at.max(from);
            let counts = if is_sum { overlap } else { f64::from(u8::from(overlap > 1e-9)) };
            value * counts.max(0.0)
        };
        values.iter().enumerate().map(part).fold(0.0, &joins)
    };
    (0..columns).map(column).collect()
}

/// The sign of a part of the most. What is not nothing is never drawn as nothing.
fn level(part: f64) -> char {
    if part <= 0.0 || !part.is_finite() {
        return LEVELS[0];
    }
    let signs = LEVELS.len() - 1;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of one, and the cast saturates"
    )]
    let index = (part * signs as f64).ceil() as usize;
    LEVELS[index.clamp(1, signs)]
}

/// The most, with its unit, and when that was.
fn said(report: &RecordingReport, figure: &Figure, (most, step): &(u64, RecordedStep)) -> String {
    let (timeline, most) = (&report.timeline, *most);
    let amount = match figure.drawn {
        Drawn::Level => bytes(most as f64),
        Drawn::Rate => format!("{}/s", per_second(timeline.per_second(most))),
        Drawn::Time => format!("{} in {}", Nanoseconds(most), Nanoseconds(timeline.step_ns)),
    };
    let is_peak = figure.name == "live" && most == report.totals.peak_live_bytes;
    let at_ns = if is_peak { report.totals.peak_ns } else { step.time_ns };
    format!("{amount} at {}", Nanoseconds(at_ns))
}

/// The first three digits of a rate.
fn per_second(rate: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is not negative, and the cast saturates"
    )]
    let rate = rate.round() as u64;
    whole(rounded(rate))
}

/// The moments that cost most, a line each.
fn moments(report: &RecordingReport, view: View) -> String {
    let moments = &report.timeline.moments;
    if moments.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", styled(BOLD, "The moments that cost most"));
    for moment in moments {
        let head = format!("  {:>9}  ", Nanoseconds(moment.cost_ns).to_string());
        let what = format!(
            "from {} to {}: at least {} {}",
            Nanoseconds(moment.time_ns),
            Nanoseconds(moment.until_ns),
            Nanoseconds(moment.payer_ns),
            payer(report, moment)
        );
        text += &hanging(&head, &what, view.width);
    }
    text
}

/// What took most of the time of `moment`.
fn payer(report: &RecordingReport, moment: &CostlyMoment) -> String {
    let site = || site(report, moment.site);
    let syscall = || moment.syscall.as_deref().unwrap_or("syscall");
    match moment.payer {
        MomentPayer::Blocks => format!("faults on blocks of {}", site()),
        MomentPayer::Calls => format!("faults of the allocator in calls of {}", site()),
        MomentPayer::Rest => {
            format!("faults of {}", moment.memory.map_or("unknown", super::word))
        }
        MomentPayer::Returns => format!("{} of pages of {}", syscall(), site()),
        MomentPayer::SyscallsInCalls => format!("{} for {}", syscall(), site()),
        MomentPayer::Syscalls => format!("{} in no timed call", syscall()),
    }
}

/// The caller of a site: the number of its row in the table, and its name.
pub(super) fn site(report: &RecordingReport, site: Option<usize>) -> String {
    let of = |site| report.callers.iter().position(|caller| caller.sites.contains(&site));
    let Some(index) = site.and_then(of) else {
        return "calls whose stack is not known".to_owned();
    };
    let caller = &report.callers[index];
    let at = caller.at.as_deref().map(|at| format!(" {}", clean(at))).unwrap_or_default();
    format!("{} {}{at}", index + 1, with_short_strings(&clean(&caller.function)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_nothing_is_drawn() {
        let drawn: String = [0.0, 1e-9, 0.125, 0.126, 0.5, 0.99, 1.0].map(level).iter().collect();
        assert_eq!(drawn, " ..:=@@");
    }

    #[test]
    fn columns_share_the_steps_between_them() {
        let even = columns_of(&[3.0; 7], 5, |sum, part| sum + part);
        assert!(even.iter().all(|column| (column - 4.2).abs() < 1e-9), "{even:?}");
        let levels = columns_of(&[1.0, 5.0, 2.0, 2.0], 2, f64::max);
        assert_eq!(levels, [5.0, 2.0]);
    }
}
