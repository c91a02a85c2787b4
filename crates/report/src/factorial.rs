//! The screen of a factorial experiment: cells, effects, and what they could explain.

use results::{Arm, Comparison, Effect, Explained, LabResult, Verdict};

use crate::bench::{lines, placebo_line, question, verdict_style};
use crate::forest;
use crate::number::{TimeUnit, digits, percent};
use crate::sentence;
use crate::table::table;
use crate::text::{DIM, clean, styled};

/// What stands between the head and the warnings.
pub(crate) fn paragraphs(result: &LabResult, columns: usize, width: Option<usize>) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.extend(result.comparisons.first().and_then(|pair| whole_pair(result, pair)));
    sentences.extend(result.effects.iter().map(|effect| effect_sentence(result, effect)));
    sentences.extend(spread_sentence(result));
    sentences.extend(result.explained.as_ref().map(explanation));
    let answer = answer(result).into_iter().collect();
    vec![
        question(result, answer, width),
        cells(result, columns),
        effects(result, columns),
        plot(result, columns),
        lines("", &sentences, width),
    ]
}

/// Which factors change the time, and which do not.
fn answer(result: &LabResult) -> Option<String> {
    let of = |verdict: Verdict, text: fn(&Effect) -> String| {
        let found: Vec<String> =
            result.effects.iter().filter(|e| e.verdict == verdict).map(text).collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    let name = |effect: &Effect| clean(&effect.factor);
    let changes = of(Verdict::Different, |effect| {
        format!(
            "{} {}",
            clean(&effect.factor),
            sentence::ratio(effect.ratio, effect.low, effect.high)
        )
    });
    let margin = percent(result.experiment.margin);
    let parts = [
        changes.map(|found| format!("of the parts, these change the time: {found}")),
        of(Verdict::Equivalent, name)
            .map(|found| format!("no difference larger than {margin}: {found}")),
        of(Verdict::Inconclusive, name).map(|found| format!("not decided: {found}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| crate::answer::sentence(parts.join("; ")))
}

/// Medians of each cell.
fn cells(result: &LabResult, columns: usize) -> String {
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
        // Of one or two samples there is none.
        let spread =
            if arm.samples.len() < 3 { "-".to_owned() } else { percent(summary.total_spread) };
        row.extend([spread, arm.samples.len().to_string()]);
        row
    }));
    table(rows, columns, &[3, 1, 4])
}

/// The placebo is a cell again, and says which.
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

/// A row for each effect: on the time, and on its spread.
fn effects(result: &LabResult, columns: usize) -> String {
    let confidence =
        result.effects.first().map_or_else(String::new, |e| sentence::confidence(e.confidence));
    let spread_confidence =
        result.spreads.first().map_or_else(String::new, |e| sentence::confidence(e.confidence));
    let header = [
        "effect".to_owned(),
        "of".to_owned(),
        format!("time [{confidence} CI]"),
        String::new(),
        format!("spread [{spread_confidence} CI]"),
    ];
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<String>>()];
    for effect in &result.effects {
        let spread = result.spreads.iter().find(|spread| spread.factor == effect.factor);
        let word = sentence::word(effect.verdict, effect.ratio);
        rows.push(vec![
            clean(&effect.factor),
            format!("{} / {}", clean(&effect.levels[0]), clean(&effect.levels[1])),
            sentence::ratio(effect.ratio, effect.low, effect.high),
            styled(verdict_style(word), word),
            spread.map_or_else(|| "-".to_owned(), |s| sentence::ratio(s.ratio, s.low, s.high)),
        ]);
    }
    if let Some(pair) = result.comparisons.first() {
        let word = sentence::verdict_word(pair);
        rows.push(vec![
            "all at once".to_owned(),
            "first / last cell".to_owned(),
            sentence::ratio(pair.ratio, pair.low, pair.high),
            styled(verdict_style(word), word),
            "-".to_owned(),
        ]);
    }
    if let Some(placebo) = &result.placebo {
        let word = sentence::placebo_word(placebo);
        let ratio = sentence::ratio(placebo.ratio, placebo.low, placebo.high);
        rows.push(vec![
            "placebo".to_owned(),
            "a cell / itself".to_owned(),
            ratio,
            styled(DIM, word),
            "-".to_owned(),
        ]);
    }
    table(rows, columns, &[])
}

fn plot(result: &LabResult, columns: usize) -> String {
    let line = |name: &str, ratio: f64, bounds: Option<(f64, f64)>| {
        let (low, high) = bounds?;
        Some(forest::Line { name: clean(name), ratio, low, high, remark: String::new() })
    };
    let mut plotted: Vec<forest::Line> =
        result.effects.iter().filter_map(|e| line(&e.factor, e.ratio, e.low.zip(e.high))).collect();
    plotted.extend(
        result.comparisons.first().and_then(|c| line("all at once", c.ratio, c.low.zip(c.high))),
    );
    plotted.extend(placebo_line(result));
    forest::draw(&plotted, 11, columns.min(110))
}

/// The pair of cells that differ in everything, beside what somebody else saw of it.
fn whole_pair(result: &LabResult, pair: &Comparison) -> Option<String> {
    let saw = result.explained.as_ref().map_or_else(String::new, |explained| {
        format!(
            " {} compared just these two and saw {:.2}x to {:.2}x.",
            capital(&clean(&explained.who)),
            explained.reference_low,
            explained.reference_high
        )
    });
    pair.low?;
    Some(format!(
        "All at once: \"{}\" is {} of \"{}\" ({} simultaneous CI, {} blocks).{saw}",
        clean(&pair.arm),
        sentence::ratio(pair.ratio, pair.low, pair.high),
        clean(&pair.baseline),
        sentence::confidence(pair.confidence),
        pair.blocks
    ))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What one factor does here, and whether it could explain the reference alone.
fn effect_sentence(result: &LabResult, effect: &Effect) -> String {
    let margin = percent(result.experiment.margin);
    let levels = format!("{} against {}", clean(&effect.levels[0]), clean(&effect.levels[1]));
    let ratio = sentence::ratio(effect.ratio, effect.low, effect.high);
    let Some(high) = effect.high else {
        return format!(
            "{}: {levels} is {ratio}, of too few blocks for an interval ({}): nothing is said about it.",
            clean(&effect.factor),
            effect.blocks
        );
    };
    let said = match effect.verdict {
        Verdict::Equivalent => format!("{levels} is {ratio}: no difference larger than {margin}"),
        Verdict::Different => format!("{levels} is {ratio}: a difference"),
        Verdict::Inconclusive => {
            format!("{levels} is {ratio}: unclear, it reaches both sides of 1")
        }
    };
    let alone = result.explained.as_ref().map_or_else(String::new, |explained| {
        let (high, who) = (high.max(1.0), clean(&explained.who));
        match effect.verdict {
            _ if high < explained.reference_low => format!("; at most {high:.2}x, so it cannot explain {who} alone"),
            Verdict::Different => format!("; up to {high:.2}x, so it could explain {who} alone"),
            _ => format!("; up to {high:.2}x is possible, so it is not ruled out that it explains {who} alone"),
        }
    });
    format!("{}: {said}{alone}.", clean(&effect.factor))
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
        let ratio = sentence::ratio(spread.ratio, spread.low, spread.high);
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

/// What all factors together could make of the reference.
fn explanation(explained: &Explained) -> String {
    let who = clean(&explained.who);
    let Some(at_most) = explained.at_most else {
        return format!(
            "Whether these factors explain {who}'s ratio is open: no effect has an interval."
        );
    };
    let factors = clean(&explained.factors.join(", "));
    let unmeasured = if explained.unmeasured.is_empty() {
        String::new()
    } else {
        format!(" ({}: not measured, for want of time)", clean(&explained.unmeasured.join(", ")))
    };
    let confidence = sentence::confidence(explained.confidence);
    let together = format!(
        "{factors} together, each at its upper bound, make at most {at_most:.2}x here ({confidence})"
    );
    let low = explained.reference_low;
    match explained.enough {
        Some(true) => format!(
            "{together}: as much as the smallest ratio that {who} saw ({low:.2}x), so they could explain it on a machine like this."
        ),
        Some(false) => format!(
            "{together}: less than the smallest ratio that {who} saw ({low:.2}x). Nothing that was varied here explains it \
             on this machine; what was not varied (its kernel, its compiler, memory untouched since boot) is open."
        ),
        None => format!(
            "{together}; a factor without an interval{unmeasured} may add to that, so whether {who}'s {low:.2}x is explained is open."
        ),
    }
}
