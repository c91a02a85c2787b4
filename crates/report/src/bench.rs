//! The screen of a lab result.

use anstyle::Style;
use results::{Arm, LabResult, PhaseTimes, Stopped};

use crate::bill;
use crate::floors;
use crate::forest;
use crate::latencies;
use crate::number::{TimeUnit, digits, duration, percent};
use crate::pairs;
use crate::sentence;
use crate::survey;
use crate::sweep::size_label;
use crate::table::{table, width_of};
use crate::text::{ALARM, BAD, BOLD, DIM, GOOD, clean, hanging, some_of, styled};
use crate::view::View;

/// Columns of a terminal that is not one: wide enough for everything.
const PIPE_COLUMNS: usize = 120;

/// Renders `result` as `view` wants it.
#[must_use]
pub fn screen(result: &LabResult, view: View) -> String {
    let width = view.width;
    let columns = width.unwrap_or(PIPE_COLUMNS);
    let body = if survey::is_survey(result) {
        survey::paragraphs(result, columns, width)
    } else if !result.experiment.factors.is_empty() {
        crate::factorial::paragraphs(result, columns, width)
    } else if is_sweep(result) {
        crate::sweep::paragraphs(result, columns, width)
    } else {
        one_point(result, columns, width)
    };
    let mut paragraphs = vec![head(result, width)];
    paragraphs.extend(body);
    paragraphs.extend([
        refused(result, width),
        warnings(result, width),
        hanging("Next: ", &crate::next::next(result), width),
    ]);
    let mut screen = String::new();
    for paragraph in paragraphs.iter().filter(|paragraph| !paragraph.is_empty()) {
        if !screen.is_empty() && !paragraph.starts_with("Next") {
            screen.push('\n');
        }
        screen.push_str(paragraph);
    }
    screen
}

/// The question, and the answer where there is one.
pub(crate) fn question(result: &LabResult, answers: Vec<String>, width: Option<usize>) -> String {
    let question = styled(BOLD, &clean(&result.experiment.question));
    lines("", &[vec![question], answers].concat(), width)
}

/// The question, and what single touches or else the comparisons answer.
fn asked(result: &LabResult, width: Option<usize>) -> String {
    let timed = latencies::answers(result);
    let answers = if timed.is_empty() { crate::answer::at_one_point(result) } else { timed };
    question(result, answers, width)
}

/// What stands between the head and the warnings where there is one size and one number of threads.
fn one_point(result: &LabResult, columns: usize, width: Option<usize>) -> Vec<String> {
    let pairs = pairs::are_counted(result);
    let asked =
        if pairs { question(result, pairs::answer(result), width) } else { asked(result, width) };
    let mut paragraphs = vec![asked, answer(result, columns), plot(result, columns)];
    if pairs {
        paragraphs.push(lines("", &pairs::what_they_are(result), width));
        return paragraphs;
    }
    let timed = latencies::paragraphs(result, columns, width);
    // Where single touches were timed, they are the answer, and what the clock adds to them makes
    // the bill meaningless.
    let reasons = if timed.is_empty() { bill::why(result, columns, width) } else { String::new() };
    paragraphs.extend(timed);
    paragraphs.push(lines("", &sentence::verdicts(result), width));
    paragraphs.push(reasons);
    paragraphs.push(lines("", &floors::sentences(result), width));
    paragraphs
}

/// Whether the run has more than one point.
fn is_sweep(result: &LabResult) -> bool {
    let experiment = &result.experiment;
    [experiment.sizes_bytes.len(), experiment.threads.len(), experiment.passes.len()]
        .into_iter()
        .any(|points| points > 1)
}

pub(crate) fn lines(head: &str, sentences: &[String], width: Option<usize>) -> String {
    sentences.iter().map(|sentence| hanging(head, sentence, width)).collect()
}

fn head(result: &LabResult, width: Option<usize>) -> String {
    let experiment = &result.experiment;
    let batch = match experiment.operations {
        0 | 1 => String::new(),
        n => {
            let what = if pairs::are_counted(result) { "pairs" } else { "live blocks" };
            format!(" x {} {what}", crate::number::count(n as f64))
        }
    };
    let sizes = &experiment.sizes_bytes;
    let size = match (sizes.first(), sizes.last()) {
        (Some(first), Some(last)) => {
            format!("{} to {} ({} sizes)", size_label(*first), size_label(*last), sizes.len())
        }
        _ => format!("{}{batch}", size_label(experiment.size_bytes)),
    };
    let threads = match &experiment.threads[..] {
        [] => String::new(),
        [one] => format!(", {one} threads"),
        several => format!(
            ", {} threads",
            several.iter().map(u64::to_string).collect::<Vec<_>>().join(" / ")
        ),
    };
    let passes = match &experiment.passes[..] {
        [] => String::new(),
        several => format!(
            ", {} passes",
            several.iter().map(u64::to_string).collect::<Vec<_>>().join(" / ")
        ),
    };
    let points = result.arms.iter().map(|arm| arm.points.len()).max().unwrap_or(0).max(1);
    // The baseline is in every block; the cold pairs of a factorial experiment are apart.
    let baseline = result.arms.iter().find(|arm| arm.baseline).or(result.arms.first());
    let done = baseline.map_or(0, |arm| arm.samples.len() / arm.points.len().max(1));
    let arms = if experiment.factors.is_empty() {
        let at = if points > 1 { format!(" x {points} points") } else { String::new() };
        format!("{} arms{at}", result.arms.len())
    } else {
        format!("{} cells, one twice,", 1_u64 << experiment.factors.len().min(16))
    };
    let mut parts = vec![
        format!("{}, {size}{threads}{passes}", clean(&experiment.name)),
        format!("{arms} x {done} randomised blocks"),
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
        Some(Stopped::BaselineFailed) => {
            "\nstopped: the baseline failed, so nothing more can be compared"
        }
    };
    let title = hanging("", &parts.join("    "), width);
    let stopped = if stopped.is_empty() {
        String::new()
    } else {
        format!("{}\n", styled(BAD, stopped.trim_start()))
    };
    format!("{}{stopped}", styled(BOLD, title.trim_end()) + "\n")
}

fn duration_short(ns: u64) -> String {
    if ns >= 1_000_000_000 { format!("{:.0} s", ns as f64 / 1e9) } else { duration(ns as f64) }
}

/// A column of times: its title, and what is in it.
type Column = (&'static str, fn(&PhaseTimes) -> f64);

const PHASES: [Column; 5] = [
    ("obtain", |m| m.obtain_ns),
    ("1st touch", |m| m.first_touch_ns),
    ("between", |m| m.between_ns),
    ("2nd touch", |m| m.second_touch_ns),
    ("release", |m| m.release_ns),
];

/// The phases that some arm has, and the sum that is compared, if it is one.
fn columns_of(result: &LabResult) -> Vec<Column> {
    if pairs::are_counted(result) {
        return vec![("a pair", |m| m.metric_ns)];
    }
    let medians =
        || result.arms.iter().filter_map(|arm| arm.summary.as_ref()).map(|summary| &summary.median);
    // Several threads wait for each other between the touches even where they do nothing there.
    let idle = |title: &str| title == "between" && !result.arms.iter().any(does_something_between);
    let mut columns: Vec<Column> = PHASES
        .into_iter()
        .filter(|(title, value)| !idle(title) && medians().any(|median| value(median) > 0.0))
        .collect();
    match metric_name(&result.experiment.metric) {
        "total" => columns.push(("total", |m| m.total_ns)),
        sum @ ("again" | "whole") => columns.push((sum, |m| m.metric_ns)),
        _ => {}
    }
    columns
}

fn does_something_between(arm: &Arm) -> bool {
    arm.work.as_ref().is_none_or(|work| work.between != "nothing")
}

/// A metric as the title of its column.
pub(crate) fn metric_name(metric: &str) -> &'static str {
    match metric {
        "obtain_ns" => "obtain",
        "first_touch_ns" => "1st touch",
        "between_ns" => "between",
        "second_touch_ns" => "2nd touch",
        "again_ns" => "again",
        "release_ns" => "release",
        "whole_ns" => "whole",
        _ => "total",
    }
}

/// The table of phases and verdicts. One unit for all times, so that they can be added up by eye.
fn answer(result: &LabResult, columns: usize) -> String {
    let shown = columns_of(result);
    let times = |arm: &Arm| {
        let median = &arm.summary.as_ref()?.median;
        Some(shown.iter().map(|(_, value)| value(median)).collect::<Vec<f64>>())
    };
    let largest = result.arms.iter().filter_map(times).flatten().fold(0.0, f64::max);
    let unit = TimeUnit::for_largest(largest);
    let mut header = vec![format!("median, {}", unit.name())];
    header.extend(shown.iter().map(|(title, _)| title_of(title, result)));
    header.extend([format!("{} [{}]", against(result), confidence_label(result)), String::new()]);
    let several = several_baselines(result);
    if several {
        header.insert(header.len() - 2, "of".to_owned());
    }
    let mut rows: Vec<Vec<String>> = vec![header.iter().map(|name| styled(DIM, name)).collect()];
    for arm in &result.arms {
        let mut row = vec![clean(&arm.name)];
        row.extend(times(arm).map_or(vec!["-".to_owned(); shown.len()], |times| {
            times.iter().map(|ns| digits(ns / unit.ns(), 3)).collect()
        }));
        let (ratio, style, word) = standing(result, arm);
        if several {
            row.push(baseline_of(result, arm));
        }
        row.extend([ratio, styled(style, word)]);
        rows.push(row);
    }
    let width = width_of(&rows, 1);
    if width > columns {
        // What it is the ratio of stands in the answer too.
        let short = styled(DIM, &format!("ratio [{}]", confidence_label(result)));
        let place = rows[0].len() - 2;
        let long = std::mem::replace(&mut rows[0][place], short);
        if width_of(&rows, 1) == width {
            rows[0][place] = long;
        }
    }
    // What may go where there is still no room, the least first, unless it is what is compared.
    let metric = metric_name(&result.experiment.metric);
    let place = |title: &str| shown.iter().position(|(name, _)| *name == title && title != metric);
    let droppable: Vec<usize> = ["2nd touch", "release", "obtain", "between"]
        .into_iter()
        .filter_map(place)
        .map(|index| index + 1)
        .collect();
    table(rows, columns, &droppable)
}

/// The touches after the first are as many as the arms have passes.
fn title_of(title: &str, result: &LabResult) -> String {
    let most = result
        .arms
        .iter()
        .filter_map(|arm| arm.work.as_ref())
        .map(|work| work.passes)
        .max()
        .unwrap_or(2);
    if title == "2nd touch" && most > 2 { format!("touches 2-{most}") } else { title.to_owned() }
}

/// What ratios are of: `vs mmap`, or `2nd touch vs mmap` where it is not the total.
pub(crate) fn against(result: &LabResult) -> String {
    if several_baselines(result) {
        return "ratio".to_owned();
    }
    match metric_name(&result.experiment.metric) {
        "total" => format!("vs {}", baseline_name(result)),
        metric => format!("{metric} vs {}", baseline_name(result)),
    }
}

/// Whether arms are compared with different ones: those with an allocator with the same without it,
/// and those that name another.
fn several_baselines(result: &LabResult) -> bool {
    crate::answer::baselines(result).len() > 1
}

/// What an arm is compared with.
fn baseline_of(result: &LabResult, arm: &Arm) -> String {
    let comparison = result.comparisons.iter().find(|comparison| comparison.arm == arm.name);
    match comparison {
        Some(comparison) => clean(&comparison.baseline),
        None if arm.placebo => baseline_name(result),
        None => String::new(),
    }
}

pub(crate) fn baseline_name(result: &LabResult) -> String {
    result
        .arms
        .iter()
        .find(|arm| arm.baseline)
        .map_or_else(|| "baseline".to_owned(), |arm| clean(&arm.name))
}

pub(crate) fn confidence_label(result: &LabResult) -> String {
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
        return (
            sentence::ratio(placebo.ratio, placebo.low, placebo.high),
            style,
            sentence::placebo_word(placebo),
        );
    }
    let Some(comparison) = result.comparisons.iter().find(|comparison| comparison.arm == arm.name)
    else {
        return ("-".to_owned(), DIM, "unclear");
    };
    let word = sentence::verdict_word(comparison);
    let style = verdict_style(word);
    (sentence::ratio(comparison.ratio, comparison.low, comparison.high), style, word)
}

/// Meaning is in the word; the colour only helps to find it.
pub(crate) fn verdict_style(word: &str) -> Style {
    match word {
        "faster" => GOOD,
        "slower" => BAD,
        "unclear" => DIM,
        _ => Style::new(),
    }
}

fn plot(result: &LabResult, columns: usize) -> String {
    let mut plotted: Vec<forest::Line> = result
        .comparisons
        .iter()
        .filter_map(|c| {
            let (low, high) = c.low.zip(c.high)?;
            Some(forest::Line {
                name: clean(&c.arm),
                ratio: c.ratio,
                low,
                high,
                remark: String::new(),
            })
        })
        .collect();
    plotted.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    plotted.extend(placebo_line(result));
    let name_width = result.arms.iter().map(|arm| arm.name.len()).max().unwrap_or(0).min(24);
    forest::draw(&plotted, name_width, columns.min(110))
}

/// The placebo's line in a plot.
pub(crate) fn placebo_line(result: &LabResult) -> Option<forest::Line> {
    let placebo = result.placebo.as_ref()?;
    let (low, high) = placebo.low.zip(placebo.high)?;
    let remark = placebo
        .noise_floor()
        .map(|floor| format!("noise floor {}", percent(floor)))
        .unwrap_or_default();
    Some(forest::Line { name: "placebo".to_owned(), ratio: placebo.ratio, low, high, remark })
}

fn refused(result: &LabResult, width: Option<usize>) -> String {
    let entry = |refused: &results::Refused| {
        let word = if refused.failed { "failed " } else { "refused " };
        hanging(
            &styled(BAD, word),
            &format!("{}: {}", clean(&refused.arm), clean(&refused.reason)),
            width,
        )
    };
    result.refused.iter().map(entry).collect()
}

fn warnings(result: &LabResult, width: Option<usize>) -> String {
    let entry = |warning: &results::Warning| {
        let arms: Vec<String> = warning.arms.iter().map(|arm| clean(arm)).collect();
        let touched =
            if arms.is_empty() { String::new() } else { format!(" [{}]", some_of(&arms)) };
        let head = format!("{} {}: ", styled(BAD, "warning"), clean(&warning.id));
        hanging(&head, &format!("{}{touched}", clean(&warning.message)), width)
    };
    let mut text: String = result.warnings.iter().map(entry).collect();
    if result
        .warnings
        .iter()
        .any(|warning| results::doctor::BENCH_WARNINGS.contains(&warning.id.as_str()))
    {
        text.push_str(&hanging(
            "",
            "firsttouch doctor says more about this machine, and what to do.",
            width,
        ));
    }
    text
}
