//! The screen of a lab result.

use anstyle::Style;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use results::{Arm, LabResult, Stopped, Verdict};
use textwrap::core::display_width;

use crate::floors;
use crate::forest;
use crate::number::{TimeUnit, bytes, digits, duration, percent};
use crate::sentence;
use crate::text::{ALARM, BAD, BOLD, DIM, GOOD, clean, hanging, styled};

/// Columns of a terminal that is not one: wide enough for everything.
const PIPE_COLUMNS: usize = 120;

/// Renders `result` for a terminal of `width` columns; `None` for a pipe, where nothing is wrapped.
#[must_use]
pub fn screen(result: &LabResult, width: Option<usize>) -> String {
    let columns = width.unwrap_or(PIPE_COLUMNS);
    let paragraphs = [
        head(result, width),
        answer(result, columns),
        plot(result, columns),
        lines("", &sentence::verdicts(result), width),
        why(result, columns, width),
        lines("", &floors::sentences(result), width),
        refused(result, width),
        warnings(result, width),
        hanging("Next: ", &next(result), width),
    ];
    let mut screen = String::new();
    for paragraph in paragraphs.iter().filter(|paragraph| !paragraph.is_empty()) {
        if !screen.is_empty() && !paragraph.starts_with("Next") {
            screen.push('\n');
        }
        screen.push_str(paragraph);
    }
    screen
}

fn lines(head: &str, sentences: &[String], width: Option<usize>) -> String {
    sentences.iter().map(|sentence| hanging(head, sentence, width)).collect()
}

fn head(result: &LabResult, width: Option<usize>) -> String {
    let experiment = &result.experiment;
    let batch = match experiment.operations {
        0 | 1 => String::new(),
        n => format!(" x {} live blocks", crate::number::count(n as f64)),
    };
    let done = result.arms.first().map_or(0, |arm| arm.samples.len());
    let mut parts = vec![
        format!("{}, {}{batch}", clean(&experiment.name), bytes(experiment.size_bytes as f64)),
        format!("{} arms x {done} randomised blocks", result.arms.len()),
        format!("seed {}", result.seed),
        duration_short(result.elapsed_ns),
    ];
    if !result.dropped.is_empty() {
        parts.insert(2, format!("{} dropped", result.dropped.len()));
    }
    if experiment.memory == "cold" {
        parts.push("cold memory".to_owned());
    }
    if let Some(cpu) = experiment.cpu {
        parts.push(format!("cpu {cpu}"));
    }
    let stopped = match result.stopped {
        None => "",
        Some(Stopped::TimeCap) => "\nstopped by the time cap",
        Some(Stopped::Interrupted) => "\ninterrupted: this is what there was",
        Some(Stopped::BaselineFailed) => "\nstopped: the baseline failed, so nothing more can be compared",
    };
    let title = hanging("", &parts.join("    "), width);
    let stopped = if stopped.is_empty() { String::new() } else { format!("{}\n", styled(BAD, stopped.trim_start())) };
    format!("{}{stopped}", styled(BOLD, title.trim_end()) + "\n")
}

fn duration_short(ns: u64) -> String {
    if ns >= 1_000_000_000 { format!("{:.0} s", ns as f64 / 1e9) } else { duration(ns as f64) }
}

/// A table without lines, the first column to the left and the others to the right. On a narrow terminal the columns
/// move closer, and then those in `expendable` go, one after the other.
fn table(mut rows: Vec<Vec<String>>, columns: usize, expendable: &[usize]) -> String {
    let mut gone: Vec<usize> = Vec::new();
    for &column in expendable {
        if width_of(&rows, 1) <= columns {
            break;
        }
        // The numbers in `expendable` are those of the full table.
        let index = column - gone.iter().filter(|&&other| other < column).count();
        for row in &mut rows {
            row.remove(index);
        }
        gone.push(column);
    }
    let gap = if width_of(&rows, 2) <= columns { 2 } else { 1 };
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.add_rows(rows);
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { gap }));
        column.set_cell_alignment(if index == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The columns that `rows` need with gaps of `gap`.
fn width_of(rows: &[Vec<String>], gap: usize) -> usize {
    let count = rows.first().map_or(0, Vec::len);
    let widest = |column: usize| rows.iter().map(|row| display_width(&row[column])).max().unwrap_or(0);
    (0..count).map(widest).sum::<usize>() + gap * count.saturating_sub(1)
}

/// The table of phases and verdicts. One unit for all times, so that they can be added up by eye.
fn answer(result: &LabResult, columns: usize) -> String {
    let times = |arm: &Arm| {
        arm.summary.as_ref().map(|summary| {
            let m = &summary.median;
            [m.obtain_ns, m.first_touch_ns, m.second_touch_ns, m.release_ns, m.total_ns]
        })
    };
    let largest = result.arms.iter().filter_map(times).flatten().fold(0.0, f64::max);
    let unit = TimeUnit::for_largest(largest);
    let mut header = vec![format!("median, {}", unit.name())];
    header.extend(["obtain", "1st touch", "2nd touch", "release", "total"].map(str::to_owned));
    header.extend([format!("vs {} [{}]", baseline_name(result), confidence_label(result)), String::new()]);
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect()];
    for arm in &result.arms {
        let mut row = vec![clean(&arm.name)];
        row.extend(
            times(arm)
                .map_or(vec!["-".to_owned(); 5], |times| times.iter().map(|ns| digits(ns / unit.ns(), 3)).collect()),
        );
        let (ratio, style, word) = standing(result, arm);
        row.extend([ratio, styled(style, word)]);
        rows.push(row);
    }
    table(rows, columns, &[3, 4])
}

fn baseline_name(result: &LabResult) -> String {
    result.arms.iter().find(|arm| arm.baseline).map_or_else(|| "baseline".to_owned(), |arm| clean(&arm.name))
}

fn confidence_label(result: &LabResult) -> String {
    match result.comparisons.first().filter(|c| c.low.is_some()) {
        Some(comparison) => format!("{} CI", sentence::confidence(comparison.confidence)),
        None => "no interval".to_owned(),
    }
}

/// The ratio of an arm, and its verdict in a word.
fn standing(result: &LabResult, arm: &Arm) -> (String, Style, &'static str) {
    if arm.baseline {
        return ("-".to_owned(), DIM, "baseline");
    }
    if arm.placebo {
        let Some(placebo) = &result.placebo else { return ("-".to_owned(), DIM, "unclear") };
        let style = if placebo.trusted == Some(false) { ALARM } else { DIM };
        return (sentence::ratio(placebo.ratio, placebo.low, placebo.high), style, sentence::placebo_word(placebo));
    }
    let Some(comparison) = result.comparisons.iter().find(|comparison| comparison.arm == arm.name) else {
        return ("-".to_owned(), DIM, "unclear");
    };
    let word = sentence::verdict_word(comparison);
    let style = match word {
        "faster" => GOOD,
        "slower" => BAD,
        "unclear" => DIM,
        _ => Style::new(),
    };
    (sentence::ratio(comparison.ratio, comparison.low, comparison.high), style, word)
}

fn plot(result: &LabResult, columns: usize) -> String {
    let mut plotted: Vec<forest::Line> = result
        .comparisons
        .iter()
        .filter_map(|c| {
            let (low, high) = c.low.zip(c.high)?;
            Some(forest::Line { name: clean(&c.arm), ratio: c.ratio, low, high, remark: String::new() })
        })
        .collect();
    plotted.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    if let Some(placebo) = &result.placebo
        && let Some((low, high)) = placebo.low.zip(placebo.high)
    {
        let remark = placebo.noise_floor().map(|floor| format!("noise floor {}", percent(floor))).unwrap_or_default();
        plotted.push(forest::Line { name: "placebo".to_owned(), ratio: placebo.ratio, low, high, remark });
    }
    let name_width = result.arms.iter().map(|arm| arm.name.len()).max().unwrap_or(0).min(24);
    forest::draw(&plotted, name_width, columns.min(110))
}

/// Where the time went: the bill and its parts, the faults, the huge pages.
fn why(result: &LabResult, columns: usize, width: Option<usize>) -> String {
    let arms: Vec<&Arm> = result.arms.iter().filter(|arm| !arm.placebo && arm.summary.is_some()).collect();
    if arms.is_empty() {
        return String::new();
    }
    let bills = arms.iter().filter_map(|arm| arm.summary.as_ref()).map(|summary| summary.bill.bill_ns);
    let unit = TimeUnit::for_largest(bills.fold(0.0, f64::max));
    let with_huge = arms.iter().any(|arm| arm.summary.as_ref().is_some_and(|s| s.huge_bytes.is_some_and(|b| b > 0.0)));
    let mut header = vec!["why".to_owned(), format!("bill, {}", unit.name())];
    header.extend(["in call", "1st touch", "release", "traps", "each"].map(str::to_owned));
    if with_huge {
        header.push("huge pages".to_owned());
    }
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect()];
    rows.extend(arms.iter().filter_map(|arm| {
        let summary = arm.summary.as_ref()?;
        let bill = &summary.bill;
        let mut row = vec![clean(&arm.name), digits(bill.bill_ns / unit.ns(), 3)];
        row.extend([bill.in_call, bill.in_first_touch, bill.in_release].map(percent));
        row.extend([sentence::faults(arm), sentence::unit_cost(arm)]);
        if with_huge {
            row.push(summary.huge_bytes.filter(|b| *b > 0.0).map_or_else(|| "-".to_owned(), bytes));
        }
        Some(row)
    }));
    let mut text = table(rows, columns, &[4, 1]);
    let mut sentences = sentence::reasons(result);
    sentences.push(
        "The bill is call, first touch and release. A fault took no more than its share of the first touch, and no less \
         than what the second touch, the same writing without faults, leaves of it."
            .to_owned(),
    );
    text.push_str(&lines("", &sentences, width));
    text
}

fn refused(result: &LabResult, width: Option<usize>) -> String {
    let entry = |refused: &results::Refused| {
        let word = if refused.failed { "failed " } else { "refused " };
        hanging(&styled(BAD, word), &format!("{}: {}", clean(&refused.arm), clean(&refused.reason)), width)
    };
    result.refused.iter().map(entry).collect()
}

fn warnings(result: &LabResult, width: Option<usize>) -> String {
    let entry = |warning: &results::Warning| {
        let arms: Vec<String> = warning.arms.iter().map(|arm| clean(arm)).collect();
        let touched = if arms.is_empty() { String::new() } else { format!(" [{}]", arms.join(", ")) };
        let head = format!("{} {}: ", styled(BAD, "warning"), clean(&warning.id));
        hanging(&head, &format!("{}{touched}", clean(&warning.message)), width)
    };
    result.warnings.iter().map(entry).collect()
}

/// The most useful next command.
fn next(result: &LabResult) -> String {
    let experiment = &result.experiment;
    let size = |size: u64| bytes(size as f64).replace([' ', ','], "");
    let same_question = format!("firsttouch bench {} --size {}", clean(&experiment.name), size(experiment.size_bytes));
    if result.placebo.as_ref().is_some_and(|placebo| placebo.trusted == Some(false)) {
        return format!(
            "{same_question} --seed {}    (an untrusted run is worth repeating)",
            result.seed.wrapping_add(1)
        );
    }
    if result.comparisons.iter().any(|c| c.verdict == Verdict::Inconclusive) || result.comparisons.is_empty() {
        return format!("{same_question} --max-time {}s    (more blocks decide more)", longer_seconds(result));
    }
    if experiment.size_bytes >= 1 << 20 {
        "firsttouch bench --size 64KiB    (small blocks: the allocator keeps what the kernel would take back)"
            .to_owned()
    } else {
        "firsttouch bench --size 100MiB    (large blocks: the allocator asks the kernel each time)".to_owned()
    }
}

/// A time cap that decides more: three times the present one, and time for the first look at least.
fn longer_seconds(result: &LabResult) -> u64 {
    let cap_ns = result.experiment.max_time_ns.unwrap_or(20_000_000_000);
    let done = result.arms.first().map_or(1, |arm| arm.samples.len().max(1)) as u64;
    let twelve_ns = (result.elapsed_ns / done).saturating_mul(15);
    (cap_ns.saturating_mul(3).max(twelve_ns) / 1_000_000_000 + 1).next_multiple_of(10)
}
