//! The screen of `compare --tune`: what is confirmed, how to use it, and the race that chose it.

mod front;
mod racers;
mod usage;

use results::compare::{ProgramArm, ProgramResult, Race, RaceEnd, RacedArm};
use results::{Comparison, Stopped, Verdict};

use super::metric::{Named, comparison as find, named, word};
use super::table::table_of_metrics;
use super::{gates, lines, next, notes, plot, proofs, reasons, shown, warnings};
use crate::bench::verdict::{level, ratio};
use crate::number::{duration, percent};
use crate::text::{BAD, BOLD, clean, hanging, styled};
use crate::view::View;

/// The time of a run, and its memory.
const WALL: &str = "wall_ns";
const MEMORY: &str = "max_rss_bytes";

/// Renders `result`, which began with `race`.
pub(super) fn screen(result: &ProgramResult, race: &Race, view: View) -> String {
    let answers: Vec<String> = answer(result, race).iter().map(|text| styled(BOLD, text)).collect();
    let limits = lines(&gates(result), view);
    let mut paragraphs = vec![head(result, race, view) + &lines(&answers, view) + &limits];
    if let Some(winner) = better(result, race) {
        paragraphs.push(usage::lines(result, winner, view));
    }
    paragraphs.push(ended(result, race, view) + &racers::table_of_arms(result, race, view));
    paragraphs.push(front::picture(race, view));
    paragraphs.push(reasons(result, view));
    if view.verbose {
        paragraphs.push(lines(&settings(race), view));
        paragraphs.push(table_of_metrics(result, view));
        paragraphs.push(plot(result, view));
        paragraphs.push(lines(&proofs(result), view));
        paragraphs.push(lines(&notes(result), view));
    }
    let failed = super::refused(&result.refused, view);
    let next = hanging("Next: ", &next(result), view.width);
    paragraphs.push(refused(race, view) + &failed + &warnings(&result.warnings, view) + &next);
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

fn head(result: &ProgramResult, race: &Race, view: View) -> String {
    let command = format!("compare --tune -- {}", shown(&result.experiment.command));
    let title = hanging("", &command, view.width);
    let fresh = baseline(result).map_or(0, |arm| arm.samples.len());
    let count =
        |number: u64, of: &str| format!("{number} {of}{}", if number == 1 { "" } else { "s" });
    let more = match race.refused.len() {
        0 => String::new(),
        more => format!(", {more} refused (-v)"),
    };
    let parts = [
        count(race.arms.len().saturating_sub(1) as u64, "candidate") + &more,
        format!("{} raced, {fresh} fresh", count(race.blocks, "block")),
        format!("seed {}", result.seed),
        duration(result.elapsed_ns as f64),
    ];
    let stopped = match (result.stopped, race.ended) {
        (_, RaceEnd::Interrupted) => "interrupted: nothing is confirmed",
        (Some(Stopped::Interrupted), _) => "interrupted: this is what there was",
        (Some(Stopped::BaselineFailed), _) => "stopped: the program as it is failed",
        _ => "",
    };
    let stopped =
        if stopped.is_empty() { String::new() } else { format!("{}\n", styled(BAD, stopped)) };
    format!("{}\n{}\n{stopped}", styled(BOLD, title.trim_end()), parts.join("    "))
}

fn baseline(result: &ProgramResult) -> Option<&ProgramArm> {
    result.arms.iter().find(|arm| arm.baseline)
}

fn chosen(race: &Race) -> Option<&RacedArm> {
    race.arms.iter().find(|arm| arm.chosen)
}

/// The comparison of the winner by the metric that decides.
fn confirmed<'a>(result: &'a ProgramResult, race: &Race) -> Option<&'a Comparison> {
    find(result, &chosen(race)?.name, &result.experiment.metric)
}

/// Whether the placebo could be as different.
fn is_doubtful(result: &ProgramResult, comparison: &Comparison) -> bool {
    word(result, comparison).ends_with('?')
}

/// The winner, if it is certainly better than the program as it is.
fn better<'a>(result: &'a ProgramResult, race: &Race) -> Option<&'a ProgramArm> {
    let comparison = confirmed(result, race)?;
    let is_better = comparison.verdict == Verdict::Different
        && comparison.ratio < 1.0
        && !is_doubtful(result, comparison);
    result.arms.iter().find(|arm| is_better && arm.name == comparison.arm)
}

/// What is confirmed, and what it costs.
fn answer(result: &ProgramResult, race: &Race) -> Vec<String> {
    let Some(winner) = chosen(race) else { return Vec::new() };
    let name = clean(&winner.name);
    let metric = named(&result.experiment.metric);
    let Some(comparison) = confirmed(result, race) else {
        return vec![format!(
            "{name} won the race, which proves nothing: it was not compared on fresh blocks."
        )];
    };
    let standing = format!(
        "{} {} ({})",
        metric.name,
        ratio(comparison.ratio, comparison.low, comparison.high),
        level([(comparison.low, comparison.confidence)])
    );
    if better(result, race).is_some() {
        let word = adjective(metric, comparison.ratio);
        let first = format!("{name} is {word} than {}: {standing}.", clean(&comparison.baseline));
        return [Some(first), price(result, &winner.name)].into_iter().flatten().collect();
    }
    let how = match comparison.verdict {
        Verdict::Equivalent => {
            format!("is the same within {}", percent(result.experiment.margin))
        }
        Verdict::Different if comparison.ratio < 1.0 => {
            "may be better, but the placebo is as different".to_owned()
        }
        Verdict::Different => {
            format!("is {}", adjective(metric, comparison.ratio))
        }
        Verdict::Inconclusive => "is unclear".to_owned(),
    };
    vec![format!(
        "Nothing in the list is certainly better than the program as it is. The winner of the \
         race, {name}, {how}: {standing}."
    )]
}

/// What an arm with a certainly different `metric` is.
fn adjective(metric: Named, ratio: f64) -> &'static str {
    match metric.word(Verdict::Different, ratio) {
        // Of a count or of processor time: an arm is not "fewer" than another.
        "fewer" | "lower" => "better",
        "more" | "higher" => "worse",
        word => word,
    }
}

/// What the winner costs in memory; in time where memory decides.
fn price(result: &ProgramResult, winner: &str) -> Option<String> {
    let first = &result.experiment.metric;
    let key = if named(first).is_time() { MEMORY } else { WALL };
    let (metric, found) = (named(key), find(result, winner, key)?);
    let median = |name: &str| {
        let arm = result.arms.iter().find(|arm| arm.name == name)?;
        Some(arm.summary.get(key)?.median)
    };
    let values = metric.values(&[median(winner), median(&found.baseline)]);
    let how = match found.verdict {
        Verdict::Equivalent => format!("the same within {}", percent(result.experiment.margin)),
        Verdict::Inconclusive => "unclear".to_owned(),
        Verdict::Different => word(result, found),
    };
    Some(format!(
        "Its {} is {how}: {}, {} instead of {}.",
        metric.name,
        ratio(found.ratio, found.low, found.high),
        values[0],
        values[1]
    ))
}

/// Why the race ended, over its table.
fn ended(result: &ProgramResult, race: &Race, view: View) -> String {
    let margin = percent(result.experiment.margin);
    let why = match race.ended {
        RaceEnd::OneLeft => "one was left".to_owned(),
        RaceEnd::NoneLeft => "every candidate was certainly worse than another".to_owned(),
        RaceEnd::Alike => format!("those left are the same within {margin}"),
        RaceEnd::TimeUp => "its time was up".to_owned(),
        RaceEnd::AllBlocks => "it had all its blocks".to_owned(),
        RaceEnd::Interrupted => "it was interrupted".to_owned(),
    };
    let text = format!("Race: {why}. Its figures only chose the winner:");
    hanging("", &text, view.width)
}

/// What each arm of the race changes, and why it left.
fn settings(race: &Race) -> Vec<String> {
    let one = |arm: &RacedArm| {
        let variable = |(name, value): (&String, &Option<String>)| match value {
            Some(value) => clean(&format!("{name}={value}")),
            None => clean(&format!("-u {name}")),
        };
        let mut words: Vec<String> = arm.environment.iter().map(variable).collect();
        words.extend(arm.huge_pages_off.then(|| "thp=never".to_owned()));
        words.extend(arm.command.iter().map(|command| format!("-- {}", shown(command))));
        let reason = arm.reason.as_deref().map(|reason| format!("; left: {}", clean(reason)));
        let text = words.join(" ") + &reason.unwrap_or_default();
        (!text.is_empty())
            .then(|| format!("{}: {}", clean(&arm.name), text.trim_start_matches("; ")))
    };
    race.arms.iter().filter_map(one).collect()
}

/// The candidates that did not run, with their reasons.
fn refused(race: &Race, view: View) -> String {
    if !view.verbose {
        return String::new();
    }
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for refused in &race.refused {
        match groups.iter_mut().find(|(reason, _)| *reason == refused.reason) {
            Some((_, arms)) => arms.push(clean(&refused.arm)),
            None => groups.push((&refused.reason, vec![clean(&refused.arm)])),
        }
    }
    let line = |(reason, arms): &(&str, Vec<String>)| {
        let text = format!("{}: {}", crate::text::list(arms), clean(reason));
        hanging(&styled(BAD, "refused "), &text, view.width)
    };
    groups.iter().map(line).collect()
}
