//! The screen of a lab result: the answer first, then the tables and pictures that it rests on.
//!
//! By default a screen has at most seven lines of prose. `-v` adds the reasons and bounds of the
//! figures; the JSON has all of them.

pub(crate) mod answer;
pub(crate) mod arms;
mod bill;
mod crossing;
mod factorial;
mod floors;
pub(crate) mod forest;
pub(crate) mod head;
mod latencies;
pub(crate) mod next;
pub(crate) mod pairs;
mod reasons;
mod scaling;
pub(crate) mod survey;
pub(crate) mod sweep;
mod unclear;
pub(crate) mod verdict;

use results::LabResult;

use crate::text::{BAD, BOLD, clean, hanging, some_of, styled};
use crate::view::View;

/// Renders `result` as `view` wants it.
#[must_use]
pub fn screen(result: &LabResult, view: View) -> String {
    let (answers, body) = if survey::is_survey(result) {
        (survey::answers(result), survey::paragraphs(result, view))
    } else if !result.experiment.factors.is_empty() {
        (factorial::answers(result), factorial::paragraphs(result, view))
    } else if is_sweep(result) {
        (sweep::answers(result), sweep::paragraphs(result, view))
    } else if pairs::are_counted(result) {
        (pairs::answers(result), pairs::paragraphs(result, view))
    } else if latencies::are_timed(result) {
        (latencies::answers(result), latencies::paragraphs(result, view))
    } else {
        (answer::at_one_point(result), one_point(result, view))
    };
    let mut paragraphs = vec![head::head(result, view.width) + &answered(result, &answers, view)];
    paragraphs.extend(body);
    if view.verbose {
        paragraphs.push(
            head::blocks(result)
                .map_or_else(String::new, |blocks| hanging("", &blocks, view.width)),
        );
    }
    let next = hanging("Next: ", &next::next(result), view.width);
    let refused = refused(&result.refused, view);
    paragraphs.push(refused + &warnings(&result.warnings, view) + &next);
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

/// The question, and its answer.
fn answered(result: &LabResult, answers: &[String], view: View) -> String {
    let question = hanging("", &clean(&result.experiment.question), view.width);
    let answers = answers.iter().map(|answer| styled(BOLD, answer)).collect::<Vec<_>>();
    question + &lines(&answers, view)
}

/// The paragraphs below the answer of a run at one size and one number of threads.
fn one_point(result: &LabResult, view: View) -> Vec<String> {
    let mut paragraphs = vec![arms::table_of_arms(result, view), forest::plot(result, view)];
    if view.verbose {
        paragraphs.push(bill::table_of_bills(result, view));
        paragraphs.push(lines(&reasons::in_full(result), view));
        paragraphs.push(lines(&floors::sentences(result), view));
        paragraphs.push(lines(&unclear::sentences(result), view));
    } else {
        let mut sentences = reasons::in_brief(result);
        sentences.extend(verdict::against_medians(result));
        paragraphs.push(lines(&sentences, view));
    }
    paragraphs
}

/// Whether the run has more than one point.
fn is_sweep(result: &LabResult) -> bool {
    let experiment = &result.experiment;
    [experiment.sizes_bytes.len(), experiment.threads.len(), experiment.passes.len()]
        .into_iter()
        .any(|points| points > 1)
}

fn lines(sentences: &[String], view: View) -> String {
    sentences.iter().map(|sentence| hanging("", sentence, view.width)).collect()
}

pub(crate) fn refused<S>(refused: &[results::Refused<S>], view: View) -> String {
    let entry = |refused: &results::Refused<S>| {
        let word = if refused.failed { "failed " } else { "refused " };
        let text = format!("{}: {}", clean(&refused.arm), clean(&refused.reason));
        hanging(&styled(BAD, word), &text, view.width)
    };
    refused.iter().map(entry).collect()
}

pub(crate) fn warnings(warnings: &[results::Warning], view: View) -> String {
    let entry = |warning: &results::Warning| {
        let arms: Vec<String> = warning.arms.iter().map(|arm| clean(arm)).collect();
        let touched =
            if arms.is_empty() { String::new() } else { format!(" [{}]", some_of(&arms)) };
        let head = format!("{} {}: ", styled(BAD, "warning"), clean(&warning.id));
        hanging(&head, &format!("{}{touched}", clean(&warning.message)), view.width)
    };
    let mut text: String = warnings.iter().map(entry).collect();
    let explained =
        |warning: &results::Warning| results::doctor::BENCH_WARNINGS.contains(&warning.id.as_str());
    if warnings.iter().any(explained) {
        let doctor = "firsttouch doctor says more about this machine, and what to do.";
        text.push_str(&hanging("", doctor, view.width));
    }
    text
}
