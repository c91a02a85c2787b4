//! Ratios, intervals and verdicts as text.

use anstyle::Style;
use results::{Arm, Comparison, LabResult, Placebo, Verdict};

use crate::number::{decimals_for, fixed};
use crate::text::{ALARM, BAD, DIM, GOOD, clean};

/// `0.71x [0.70, 0.73]`, with as many digits as the interval supports.
pub(crate) fn ratio(ratio: f64, low: Option<f64>, high: Option<f64>) -> String {
    match low.zip(high) {
        Some((low, high)) => {
            let decimals = decimals_for(low, high);
            let [ratio, low, high] = [ratio, low, high].map(|value| fixed(value, decimals));
            format!("{ratio}x [{low}, {high}]")
        }
        None => format!("{}x", fixed(ratio, 2)),
    }
}

/// The verdict in a word; with a question mark if the placebo could be as different: `faster?`.
pub(crate) fn verdict_word(result: &LabResult, comparison: &Comparison) -> &'static str {
    let is_doubtful = is_within_noise(result.placebo.as_ref(), comparison.ratio);
    match word(comparison.verdict, comparison.ratio) {
        "faster" if is_doubtful => "faster?",
        "slower" if is_doubtful => "slower?",
        word => word,
    }
}

/// Whether the placebo is not trusted, and could be as far from 1 as `ratio` is.
pub(crate) fn is_within_noise(placebo: Option<&Placebo>, ratio: f64) -> bool {
    ratio.max(1.0 / ratio) - 1.0 < hidden_by(placebo)
}

/// The verdict on a ratio of times in a word.
pub(crate) fn word(verdict: Verdict, ratio: f64) -> &'static str {
    match verdict {
        Verdict::Equivalent => "same",
        Verdict::Inconclusive => "unclear",
        Verdict::Different if ratio < 1.0 => "faster",
        Verdict::Different => "slower",
    }
}

/// The placebo, if it is not trusted.
pub(super) fn untrusted(result: &LabResult) -> Option<&Placebo> {
    result.placebo.as_ref().filter(|placebo| placebo.trusted != Some(true))
}

/// The effect that this run could hide, if its placebo is not trusted.
pub(super) fn hidden(result: &LabResult) -> f64 {
    hidden_by(result.placebo.as_ref())
}

fn hidden_by(placebo: Option<&Placebo>) -> f64 {
    let untrusted = placebo.filter(|placebo| placebo.trusted != Some(true));
    untrusted.and_then(Placebo::noise_floor).unwrap_or(0.0)
}

/// Whether the placebo lets the run be trusted, in a word.
pub(crate) fn placebo_word(placebo: &Placebo) -> &'static str {
    match placebo.trusted {
        Some(true) => "trusted",
        Some(false) => "UNTRUSTED",
        None => "unclear",
    }
}

/// A level of confidence: `97 %`.
pub(crate) fn confidence(confidence: f64) -> String {
    let percent = (1000.0 * confidence).round() / 10.0;
    format!("{percent} %")
}

/// The confidence of the comparisons' intervals, for a heading: `95 % CI`.
pub(crate) fn confidence_label(result: &LabResult) -> String {
    level(result.comparisons.iter().take(1).map(|c| (c.low, c.confidence)))
}

/// The confidence of the first that has a lower bound, for a heading: `95 % CI`.
pub(crate) fn level(bounds: impl IntoIterator<Item = (Option<f64>, f64)>) -> String {
    match bounds.into_iter().find(|(low, _)| low.is_some()) {
        Some((_, of_all)) => format!("{} CI", confidence(of_all)),
        None => "no interval".to_owned(),
    }
}

/// Explains a ratio that contradicts the medians beside it: the ratio compares within blocks.
pub(super) fn against_medians(result: &LabResult) -> Option<String> {
    let median = |name: &str| {
        let arm = result.arms.iter().find(|arm| arm.name == name)?;
        Some(arm.summary.as_ref()?.median.metric_ns)
    };
    let contradicts = |comparison: &&Comparison| {
        let medians = median(&comparison.arm).zip(median(&comparison.baseline));
        comparison.verdict == Verdict::Different
            && medians.is_some_and(|(arm, baseline)| (arm < baseline) != (comparison.ratio < 1.0))
    };
    let found = result.comparisons.iter().find(contradicts)?;
    Some(format!(
        "{}: the ratio is the median within blocks, so it can differ from that of the medians.",
        clean(&found.arm)
    ))
}

/// The ratio of an arm, and its verdict in a word.
pub(crate) fn standing(result: &LabResult, arm: &Arm) -> (String, Style, &'static str) {
    if arm.baseline {
        return ("-".to_owned(), DIM, "baseline");
    }
    if arm.placebo {
        let Some(placebo) = &result.placebo else { return ("-".to_owned(), DIM, "unclear") };
        let style = if placebo.trusted == Some(false) { ALARM } else { DIM };
        return (ratio(placebo.ratio, placebo.low, placebo.high), style, placebo_word(placebo));
    }
    let own = result.comparisons.iter().find(|comparison| comparison.arm == arm.name);
    let Some(own) = own else { return ("-".to_owned(), DIM, "unclear") };
    let word = verdict_word(result, own);
    (ratio(own.ratio, own.low, own.high), verdict_style(word), word)
}

/// The word carries the meaning; the colour only helps to find it.
pub(crate) fn verdict_style(word: &str) -> Style {
    match word {
        "faster" => GOOD,
        "slower" => BAD,
        "unclear" | "faster?" | "slower?" => DIM,
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_the_placebo_could_have_is_questioned() {
        let placebo = |trusted| Placebo {
            ratio: 1.0,
            low: Some(0.9),
            high: Some(1.3),
            confidence: 0.99,
            trusted,
        };
        let compared = |ratio, verdict| Comparison {
            arm: "populate".to_owned(),
            baseline: "mmap".to_owned(),
            metric: "total_ns".to_owned(),
            size_bytes: 1 << 20,
            threads: None,
            passes: None,
            ratio,
            low: None,
            high: None,
            confidence: 0.97,
            blocks: 48,
            verdict,
            smallest_detectable: None,
            sensitivity: None,
        };
        for (trusted, ratio, verdict, expect) in [
            (None, 0.77, Verdict::Different, "faster?"),
            (Some(false), 1.29, Verdict::Different, "slower?"),
            (Some(true), 0.77, Verdict::Different, "faster"),
            (None, 0.75, Verdict::Different, "faster"),
            (None, 1.31, Verdict::Different, "slower"),
            (None, 1.01, Verdict::Equivalent, "same"),
        ] {
            let result = LabResult { placebo: Some(placebo(trusted)), ..LabResult::default() };
            assert_eq!(verdict_word(&result, &compared(ratio, verdict)), expect);
        }
    }
}
