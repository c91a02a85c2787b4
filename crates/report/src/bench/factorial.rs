//! The screen of a factorial experiment: cells, effects, and what they could explain.

use results::{Arm, Comparison, Effect, Explained, LabResult, Verdict};

use super::verdict::{self, verdict_style};
use super::{answer, forest, lines};
use crate::number::{TimeUnit, digits, fixed, percent};
use crate::table::table;
use crate::text::{DIM, clean, styled};
use crate::view::View;

/// The tables and the plot below the answer.
pub(super) fn paragraphs(result: &LabResult, view: View) -> Vec<String> {
    let mut paragraphs = vec![effects(result, view), plot(result, view)];
    if view.verbose {
        paragraphs.insert(0, cells(result, view));
        let pair = result.comparisons.first().and_then(whole_pair);
        let sentences: Vec<String> = pair.into_iter().chain(spread_sentence(result)).collect();
        paragraphs.push(lines(&sentences, view));
    }
    paragraphs
}

/// Which factors change the time, which do not, and whether that explains the reference.
pub(super) fn answers(result: &LabResult) -> Vec<String> {
    let of = |verdict: Verdict, text: fn(&Effect) -> String| {
        let found: Vec<String> =
            result.effects.iter().filter(|e| e.verdict == verdict).map(text).collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    let name = |effect: &Effect| clean(&effect.factor);
    let changes = of(Verdict::Different, |effect| {
        let ratio = verdict::ratio(effect.ratio, effect.low, effect.high);
        format!("{} {ratio}", clean(&effect.factor))
    });
    let margin = percent(result.experiment.margin);
    let parts = [
        changes.map(|found| format!("factors that change the time: {found}")),
        of(Verdict::Equivalent, name).map(|found| format!("the same within {margin}: {found}")),
        of(Verdict::Inconclusive, name).map(|found| format!("unclear: {found}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let factors = (!parts.is_empty()).then(|| answer::sentence(parts.join("; ")));
    factors.into_iter().chain(result.explained.as_ref().map(together)).collect()
}

/// Medians of each cell.
fn cells(result: &LabResult, view: View) -> String {
    let with_summary = || result.arms.iter().filter_map(|arm| Some((arm, arm.summary.as_ref()?)));
    let unit =
        TimeUnit::for_largest(with_summary().map(|(_, s)| s.median.total_ns).fold(0.0, f64::max));
    let names: Vec<String> =
        result.experiment.factors.iter().map(|factor| clean(&factor.name)).collect();
    let header = [
        format!("{} ({})", names.join("/"), unit.name()),
        "obtain".to_owned(),
        "1st touch".to_owned(),
        "2nd touch".to_owned(),
        "release".to_owned(),
        "total".to_owned(),
        "spread".to_owned(),
        "samples".to_owned(),
    ];
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<String>>()];
    rows.extend(with_summary().map(|(arm, summary)| {
        let m = &summary.median;
        let times = [m.obtain_ns, m.first_touch_ns, m.second_touch_ns, m.release_ns, m.total_ns];
        let mut row = vec![cell_name(result, arm)];
        row.extend(times.iter().map(|ns| digits(ns / unit.ns(), 3)));
        // One or two samples have no spread.
        let spread =
            if arm.samples.len() < 3 { "-".to_owned() } else { percent(summary.total_spread) };
        row.extend([spread, arm.samples.len().to_string()]);
        row
    }));
    table(rows, view.table_columns(), &[3, 1, 4])
}

/// A cell's name; the placebo's names the cell that it repeats.
fn cell_name(result: &LabResult, arm: &Arm) -> String {
    if !arm.placebo {
        return clean(&arm.name);
    }
    format!(
        "again: {}",
        result
            .arms
            .iter()
            .find(|arm| arm.baseline)
            .map_or_else(String::new, |arm| clean(&arm.name))
    )
}

/// A row for each effect: on the time, whether it could explain the reference, and on the spread.
fn effects(result: &LabResult, view: View) -> String {
    let level = |effects: &[Effect]| verdict::level(effects.iter().map(|e| (e.low, e.confidence)));
    let explained = result.explained.as_ref();
    let mut header = vec![
        "effect".to_owned(),
        "of".to_owned(),
        format!("time [{}]", level(&result.effects)),
        String::new(),
    ];
    header.extend(explained.map(explains_heading));
    header.push(format!("spread [{}]", level(&result.spreads)));
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<String>>()];
    for effect in &result.effects {
        let spread = result.spreads.iter().find(|spread| spread.factor == effect.factor);
        let word = verdict::word(effect.verdict, effect.ratio);
        let mut row = vec![
            clean(&effect.factor),
            format!("{} / {}", clean(&effect.levels[0]), clean(&effect.levels[1])),
            verdict::ratio(effect.ratio, effect.low, effect.high),
            styled(verdict_style(word), word),
        ];
        row.extend(explained.map(|explained| explains(effect, explained)));
        row.push(spread.map_or_else(|| "-".to_owned(), |s| verdict::ratio(s.ratio, s.low, s.high)));
        rows.push(row);
    }
    let mut whole = |name: &str, of: &str, ratio: String, word: String| {
        let mut row = vec![name.to_owned(), of.to_owned(), ratio, word];
        row.extend(explained.map(|_| "-".to_owned()));
        row.push("-".to_owned());
        rows.push(row);
    };
    if let Some(pair) = result.comparisons.first() {
        let word = verdict::verdict_word(result, pair);
        let ratio = verdict::ratio(pair.ratio, pair.low, pair.high);
        whole("all at once", "first / last", ratio, styled(verdict_style(word), word));
    }
    if let Some(placebo) = &result.placebo {
        let ratio = verdict::ratio(placebo.ratio, placebo.low, placebo.high);
        let word = styled(DIM, verdict::placebo_word(placebo));
        whole("placebo", "a cell / itself", ratio, word);
    }
    let spread = rows[0].len() - 1;
    table(rows, view.table_columns(), &[spread, 1])
}

fn plot(result: &LabResult, view: View) -> String {
    let effects = result.effects.iter();
    let mut plotted: Vec<forest::Line> =
        effects.filter_map(|e| forest::Line::new(&e.factor, e.ratio, e.low.zip(e.high))).collect();
    let pair = result.comparisons.first();
    plotted.extend(pair.and_then(|c| forest::Line::new("all at once", c.ratio, c.low.zip(c.high))));
    plotted.extend(result.placebo.as_ref().and_then(forest::placebo_line));
    forest::draw(&plotted, 11, view.plot_columns())
}

/// The pair of cells that differ in every factor.
fn whole_pair(pair: &Comparison) -> Option<String> {
    pair.low?;
    Some(format!(
        "All at once: \"{}\" against \"{}\", {} blocks.",
        clean(&pair.arm),
        clean(&pair.baseline),
        pair.blocks
    ))
}

/// `explains 1.22x?`: the answer says whose ratio that is.
fn explains_heading(explained: &Explained) -> String {
    format!("explains {}x?", fixed(explained.reference_low, 2))
}

/// Whether a factor could explain the reference alone.
fn explains(effect: &Effect, explained: &Explained) -> String {
    let Some(high) = effect.high.map(|high| high.max(1.0)) else { return "unknown".to_owned() };
    match effect.verdict {
        _ if high < explained.reference_low => format!("no, at most {}x", fixed(high, 2)),
        Verdict::Different => format!("could, up to {}x", fixed(high, 2)),
        _ => format!("not excluded, {}x", fixed(high, 2)),
    }
}

/// Whether any factor changes how much single runs scatter.
fn spread_sentence(result: &LabResult) -> Option<String> {
    let first = result.spreads.first()?;
    let told: Vec<&Effect> = result.spreads.iter().filter(|spread| spread.low.is_some()).collect();
    if told.is_empty() {
        return Some(format!(
            "Spread: {} pairs of blocks are too few to compare how much single runs scatter.",
            first.blocks
        ));
    }
    let describe = |spread: &&Effect| {
        let ratio = verdict::ratio(spread.ratio, spread.low, spread.high);
        format!(
            "{} scatters {ratio} as much as {}",
            clean(&spread.levels[0]),
            clean(&spread.levels[1])
        )
    };
    let found: Vec<String> =
        told.iter().filter(|s| s.verdict == Verdict::Different).map(describe).collect();
    if found.is_empty() {
        let api = told.iter().find(|spread| spread.factor == "api").or(told.first())?;
        return Some(format!(
            "Spread: no factor changes it for certain here; {} ({} pairs of blocks).",
            describe(api),
            api.blocks
        ));
    }
    Some(format!("Spread: {} ({} pairs of blocks).", found.join(", "), first.blocks))
}

/// How much of the reference all factors together could explain.
fn together(explained: &Explained) -> String {
    let (who, low) = (clean(&explained.who), explained.reference_low);
    let saw = format!("{who} saw {}x to {}x", fixed(low, 2), fixed(explained.reference_high, 2));
    let Some(at_most) = explained.at_most else {
        return answer::sentence(format!("{saw}; no effect has an interval to compare with that"));
    };
    let confidence = verdict::confidence(explained.confidence);
    let together =
        format!("all factors together make at most {}x here ({confidence})", fixed(at_most, 2));
    answer::sentence(match explained.enough {
        Some(true) => format!("{saw}; {together}: they could explain it"),
        Some(false) => format!("{saw}; {together}: they do not explain it"),
        None if explained.unmeasured.is_empty() => {
            format!(
                "{saw}; {together}, and a factor has no interval: whether they explain it is open"
            )
        }
        None => {
            let unmeasured = clean(&explained.unmeasured.join(", "));
            format!("{saw}; {together}, without {unmeasured} (out of time): the rest is open")
        }
    })
}
