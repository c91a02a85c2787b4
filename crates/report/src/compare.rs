//! The screen of a comparison of a whole program: the answer, then every metric.

mod answer;
pub(crate) mod metric;
mod table;
mod tune;
mod why;

use results::Comparison;
use results::compare::{GateOutcome, ProgramResult};

use crate::bench::forest::{draw, lines as lines_of};
use crate::bench::head::stop;
use crate::bench::{refused, warnings};
use crate::number::{duration, percent};
use crate::text::{BAD, BOLD, clean, hanging, styled, typed};
use crate::view::View;
use metric::{is_open, named};

/// Renders `result` as `view` wants it.
#[must_use]
pub fn screen(result: &ProgramResult, view: View) -> String {
    if let Some(race) = &result.race {
        return tune::screen(result, race, view);
    }
    let answers: Vec<String> =
        answer::answers(result).iter().map(|answer| styled(BOLD, answer)).collect();
    let mut paragraphs =
        vec![head(result, view) + &lines(&answers, view) + &lines(&gates(result), view)];
    paragraphs.push(table::table_of_metrics(result, view));
    paragraphs.push(plot(result, view));
    paragraphs.push(reasons(result, view));
    if view.verbose {
        paragraphs.push(lines(&proofs(result), view));
    }
    let next = hanging("Next: ", &next(result), view.width);
    let refused = refused(&result.refused, view);
    let notes = lines(&notes(result), view);
    paragraphs.push(refused + &notes + &warnings(&result.warnings, view) + &next);
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

fn lines(sentences: &[String], view: View) -> String {
    sentences.iter().map(|sentence| hanging("", sentence, view.width)).collect()
}

fn head(result: &ProgramResult, view: View) -> String {
    let experiment = &result.experiment;
    let command = if experiment.command.is_empty() {
        "compare, each arm its own command".to_owned()
    } else {
        let load = experiment
            .load
            .iter()
            .map(|load| format!("--load {} ", shown(std::slice::from_ref(load))));
        format!("compare {}-- {}", load.collect::<String>(), shown(&experiment.command))
    };
    let done = result.arms.iter().find(|arm| arm.baseline).map_or(0, |arm| arm.samples.len());
    let mut parts = vec![
        format!("{} arms x {done} block{}", result.arms.len(), if done == 1 { "" } else { "s" }),
        format!("seed {}", result.seed),
        duration(result.elapsed_ns as f64),
    ];
    if !result.dropped.is_empty() {
        parts.insert(1, format!("{} dropped", result.dropped.len()));
    }
    let stopped = stop(result.stopped, is_open(result));
    let title = hanging("", &command, view.width);
    let stopped = stopped.map(|why| format!("{}\n", styled(BAD, why))).unwrap_or_default();
    format!("{}\n{}\n{stopped}", styled(BOLD, title.trim_end()), parts.join("    "))
}

/// A command as it is typed, shortened at its end.
fn shown(command: &[String]) -> String {
    const LONGEST: usize = 200;
    let text = typed(command).unwrap_or_else(|| clean(&command.join(" ")));
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text,
    }
}

/// The user's limits, and whether they are kept.
fn gates(result: &ProgramResult) -> Vec<String> {
    let gate = |gate: &results::compare::Gate| {
        let word = match gate.outcome {
            GateOutcome::Passed => "kept",
            GateOutcome::Failed => "EXCEEDED",
            GateOutcome::Open => "open",
        };
        format!(
            "limit {word}: {} of {} at most {} above the baseline",
            named(&gate.metric).name,
            clean(&gate.arm),
            percent(gate.limit)
        )
    };
    result.gates.iter().map(gate).collect()
}

/// The first deciding metric as a picture, the smallest ratio first, and the placebo.
fn plot(result: &ProgramResult, view: View) -> String {
    let first = |comparison: &&Comparison| comparison.metric == result.experiment.metric;
    let lines = lines_of(result.comparisons.iter().filter(first), result.placebo.as_ref());
    let width = lines.iter().map(|line| line.name.len()).max().unwrap_or(0).min(24);
    draw(&lines, width, view.plot_columns())
}

/// Why arms differ.
fn reasons(result: &ProgramResult, view: View) -> String {
    let reason = |sentence: &String| hanging("Why: ", sentence, view.width);
    why::sentences(result).iter().map(reason).collect()
}

/// What was seen of every arm's settings in the running program.
fn proofs(result: &ProgramResult) -> Vec<String> {
    let mut sentences = Vec::new();
    for arm in result.arms.iter().filter(|arm| !arm.placebo) {
        let Some(proof) = &arm.proof else { continue };
        let name = clean(&arm.name);
        if let Some(malloc) = &proof.malloc {
            sentences.push(format!("{name}: malloc is that of {}", clean(malloc)));
        }
        for (tunable, value) in &proof.tunables {
            sentences.push(format!("{name}: {} is {}", clean(tunable), clean(value)));
        }
    }
    sentences
}

/// What the arms' settings do not reach, and what could not be seen of them. A note that concerns
/// all arms is there once.
fn notes(result: &ProgramResult) -> Vec<String> {
    let mut notes: Vec<(String, Vec<String>)> = Vec::new();
    for arm in result.arms.iter().filter(|arm| !arm.placebo) {
        let Some(proof) = &arm.proof else { continue };
        let unseen = proof.unseen.as_ref().map(|why| format!("not proved: {why}"));
        for note in proof.notes.iter().cloned().chain(unseen) {
            match notes.iter_mut().find(|(known, _)| *known == note) {
                Some((_, arms)) => arms.push(clean(&arm.name)),
                None => notes.push((note, vec![clean(&arm.name)])),
            }
        }
    }
    let all = result.arms.iter().filter(|arm| !arm.placebo).count();
    let line = |(note, arms): (String, Vec<String>)| {
        let arms = if arms.len() == all {
            String::new()
        } else {
            format!(" [{}]", crate::text::some_of(&arms))
        };
        format!("note: {}{arms}", clean(&note))
    };
    notes.into_iter().map(line).collect()
}

/// The most useful next command.
fn next(result: &ProgramResult) -> String {
    if let Some(more) = result.more {
        return format!("the same with {} narrows the intervals", more.option());
    }
    let command = typed(&result.experiment.command).filter(|command| !command.is_empty());
    match command {
        Some(command) => format!("firsttouch trace -c -- {command}    (its syscalls and faults)"),
        None => "--json keeps every run; report shows it again".to_owned(),
    }
}
