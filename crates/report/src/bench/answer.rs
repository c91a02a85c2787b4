//! The answer to an experiment's question in one sentence, from its comparisons.

use results::{Comparison, LabResult, Verdict};

use super::arms::metric_name;
use super::verdict::{hidden, ratio, untrusted};
use crate::number::{duration, percent};
use crate::text::{clean, list};

/// The answer of a run at one point: a sentence for each arm that others are compared with.
pub(super) fn at_one_point(result: &LabResult) -> Vec<String> {
    let baselines = baselines(result);
    let several = baselines.len() > 1;
    baselines.iter().filter_map(|baseline| beside_one(result, baseline, several)).collect()
}

/// The arms that others are compared with, in the order of the comparisons.
pub(crate) fn baselines(result: &LabResult) -> Vec<&str> {
    let mut baselines: Vec<&str> = Vec::new();
    for comparison in &result.comparisons {
        if !baselines.contains(&comparison.baseline.as_str()) {
            baselines.push(&comparison.baseline);
        }
    }
    baselines
}

/// The label of the arms that are compared with `baseline`.
pub(super) fn beside(baseline: &str) -> String {
    format!("beside {}", clean(baseline))
}

/// The cheapest and the costliest arm, those that cost the same, and those that are unclear.
fn beside_one(result: &LabResult, baseline: &str, several: bool) -> Option<String> {
    let mut sorted: Vec<&Comparison> =
        result.comparisons.iter().filter(|c| c.baseline == baseline).collect();
    sorted.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let of_all = || sorted.iter().copied();
    let whole = with_time(result, baseline);
    let standing = |c: &Comparison| format!("{}: {}", clean(&c.arm), ratio(c.ratio, c.low, c.high));
    let is_different = |c: &Comparison| c.verdict == Verdict::Different;
    let is_open = |c: &Comparison| c.verdict == Verdict::Inconclusive;
    let ends =
        match (is_different(first) && first.ratio < 1.0, is_different(last) && last.ratio > 1.0) {
            (true, false) => format!("the cheapest is {} of {whole}", standing(first)),
            (true, true) => {
                let (first, last) = (standing(first), standing(last));
                format!("the cheapest is {first} of {whole}; the costliest is {last}")
            }
            (false, true) => {
                let certainly = if sorted.iter().any(|c| is_open(c)) { "certainly " } else { "" };
                let last = standing(last);
                format!("nothing is {certainly}cheaper than {whole}; the costliest is {last}")
            }
            (false, false) => format!("nothing is certainly cheaper or costlier than {whole}"),
        };
    let same = names(of_all(), Verdict::Equivalent)
        .map(|names| format!("the same within {}: {names}", percent(result.experiment.margin)));
    let parts = [Some(ends), same, unclear(of_all(), hidden(result))];
    let text = parts.into_iter().flatten().collect::<Vec<String>>().join("; ");
    let decided = sorted.iter().any(|c| !is_open(c));
    let text = doubtful(doubt(result).filter(|_| decided), text);
    Some(if several { sentence(format!("{}: {text}", beside(baseline))) } else { sentence(text) })
}

/// Which verdicts are not trusted, if some are not.
fn doubt(result: &LabResult) -> Option<String> {
    let placebo = untrusted(result)?;
    let (low, high) = placebo.low.zip(placebo.high)?;
    let hidden = percent(placebo.noise_floor()?);
    Some(format!(
        "differences below {hidden} are not trusted (the baseline is [{low:.2}, {high:.2}]x of \
         itself)"
    ))
}

fn doubtful(doubt: Option<String>, text: String) -> String {
    match doubt {
        Some(doubt) => format!("{doubt}: {text}"),
        None => text,
    }
}

/// `mmap (total 39.7 ms)`.
fn with_time(result: &LabResult, baseline: &str) -> String {
    let arm = result.arms.iter().find(|arm| arm.name == baseline);
    let Some(summary) = arm.and_then(|arm| arm.summary.as_ref()) else { return clean(baseline) };
    let metric = metric_name(&result.experiment.metric);
    format!("{} ({metric} {})", clean(baseline), duration(summary.median.metric_ns))
}

fn names<'a>(of: impl Iterator<Item = &'a Comparison>, verdict: Verdict) -> Option<String> {
    let names: Vec<String> = of.filter(|c| c.verdict == verdict).map(|c| clean(&c.arm)).collect();
    (!names.is_empty()).then(|| list(&names))
}

/// The unclear arms, and the difference that the run would have found in any of them.
fn unclear<'a>(of: impl Iterator<Item = &'a Comparison> + Clone, hidden: f64) -> Option<String> {
    let names = names(of.clone(), Verdict::Inconclusive)?;
    let open = of.filter(|c| c.verdict == Verdict::Inconclusive);
    let found =
        open.map(|c| c.smallest_detectable).try_fold(hidden, |most: f64, one| Some(most.max(one?)));
    Some(match found {
        Some(found) => {
            format!("unclear: {names} (a difference of {} would show)", percent(found))
        }
        None => format!("unclear: {names} (too few blocks for an interval)"),
    })
}

/// The points of a sweep that differ in one thing only.
pub(super) struct Row<'a> {
    /// The coordinates that distinguish this row from others: `in 4 passes`. Empty where there is
    /// one row.
    pub(super) label: String,
    /// Each point's label within the row and its comparisons, in the order of the table.
    pub(super) points: Vec<(String, Vec<&'a Comparison>)>,
}

/// The answer of a sweep: the cheapest arm at each point. Rows with the same answer share it.
pub(super) fn of_a_sweep(result: &LabResult, rows: &[Row]) -> Option<String> {
    let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
    for row in rows {
        let text = along(&row.points)?;
        match answers.iter_mut().find(|(other, _)| *other == text) {
            Some((_, labels)) => labels.push(&row.label),
            None => answers.push((text, vec![&row.label])),
        }
    }
    // An answer for all rows needs no label.
    let labelled = |(text, labels): &(String, Vec<&str>)| match answers.len() {
        1 => text.clone(),
        _ => format!("{} {text}", labels.join(" and ")),
    };
    let answers: Vec<String> = answers.iter().map(labelled).collect();
    let decided = || rows.iter().flat_map(|row| &row.points).flat_map(|(_, beside)| beside);
    let doubt = doubt(result).filter(|_| decided().any(|c| c.verdict != Verdict::Inconclusive));
    let text = format!("the cheapest: {}", answers.join("; "));
    (!answers.is_empty()).then(|| sentence(doubtful(doubt, text)))
}

/// `read up to 64 KiB, unclear at 256 KiB, file from 1 MiB on`.
fn along(points: &[(String, Vec<&Comparison>)]) -> Option<String> {
    let mut runs: Vec<(String, usize, usize)> = Vec::new();
    for (index, (_, comparisons)) in points.iter().enumerate() {
        let cheapest = cheapest(comparisons)?;
        match runs.last_mut() {
            Some((name, _, last)) if *name == cheapest => *last = index,
            _ => runs.push((cheapest, index, index)),
        }
    }
    let end = points.len().checked_sub(1)?;
    let label = |index: usize| points[index].0.as_str();
    let text = |(name, first, last): &(String, usize, usize)| match (*first, *last) {
        (0, last) if last == end => format!("{name} throughout"),
        (0, last) => format!("{name} up to {}", label(last)),
        (first, last) if last == end => format!("{name} from {} on", label(first)),
        (first, last) if first == last => format!("{name} at {}", label(first)),
        (first, last) => format!("{name} from {} to {}", label(first), label(last)),
    };
    Some(runs.iter().map(text).collect::<Vec<String>>().join(", "))
}

/// The arm that is certainly cheaper than the baseline, and by most; the baseline where all others
/// are certainly no cheaper; nothing certain otherwise. `None` without comparisons.
fn cheapest(comparisons: &[&Comparison]) -> Option<String> {
    let best = comparisons.iter().min_by(|a, b| a.ratio.total_cmp(&b.ratio))?;
    Some(match best.verdict {
        Verdict::Different if best.ratio < 1.0 => clean(&best.arm),
        Verdict::Different => clean(&best.baseline),
        Verdict::Equivalent => alike(&best.baseline, comparisons),
        Verdict::Inconclusive => "unclear".to_owned(),
    })
}

/// The baseline and the arms that cost the same.
fn alike(baseline: &str, comparisons: &[&Comparison]) -> String {
    let same = comparisons.iter().filter(|c| c.verdict == Verdict::Equivalent);
    let names: Vec<String> = same.map(|c| clean(&c.arm)).collect();
    match names.split_last() {
        Some((last, [])) => format!("{} and {last} alike", clean(baseline)),
        Some(_) if names.len() == comparisons.len() => "all alike".to_owned(),
        Some((last, others)) => format!("{}, {} and {last} alike", clean(baseline), list(others)),
        None => clean(baseline),
    }
}

/// Adds a capital and a full stop. Names of arms keep their case: users type them.
pub(super) fn sentence(text: String) -> String {
    let words = [
        "the ",
        "nothing ",
        "differences ",
        "unclear: ",
        "beside ",
        "total ",
        "whole ",
        "again ",
        "obtain ",
        "between ",
        "release ",
        "factors ",
        "all ",
    ];
    let capital = words.iter().any(|word| text.starts_with(word));
    let mut text = text;
    if capital && let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(arm: &str, low: f64, high: f64, verdict: Verdict) -> Comparison {
        Comparison {
            arm: arm.to_owned(),
            baseline: "mmap".to_owned(),
            metric: "total_ns".to_owned(),
            size_bytes: 1 << 20,
            threads: None,
            passes: None,
            ratio: (low * high).sqrt(),
            low: Some(low),
            high: Some(high),
            confidence: 0.95,
            blocks: 96,
            verdict,
            smallest_detectable: None,
            sensitivity: None,
        }
    }

    fn answer(comparisons: Vec<Comparison>) -> String {
        let experiment =
            results::ExperimentRecord { margin: 0.03, ..results::ExperimentRecord::default() };
        at_one_point(&LabResult { comparisons, experiment, ..LabResult::default() }).join(" ")
    }

    /// A result whose placebo could hide much.
    fn vague() -> LabResult {
        LabResult {
            placebo: Some(results::Placebo {
                low: Some(0.44),
                high: Some(1.34),
                trusted: None,
                ratio: 0.8,
                confidence: 0.95,
            }),
            ..LabResult::default()
        }
    }

    #[test]
    fn every_kind_of_answer() {
        let fast = comparison("huge", 0.3, 0.35, Verdict::Different);
        let slow = comparison("collapse", 1.5, 1.9, Verdict::Different);
        let same = comparison("malloc", 0.99, 1.01, Verdict::Equivalent);
        let open = comparison("calloc", 0.9, 1.1, Verdict::Inconclusive);
        let cases = [
            (
                vec![slow.clone(), same.clone(), fast.clone()],
                "The cheapest is huge: 0.32x [0.30, 0.35] of mmap; the costliest is collapse: \
                 1.69x [1.50, 1.90]; the same within 3 %: malloc.",
            ),
            (vec![fast], "The cheapest is huge: 0.32x [0.30, 0.35] of mmap."),
            (
                vec![slow, open.clone()],
                "Nothing is certainly cheaper than mmap; the costliest is collapse: 1.69x \
                 [1.50, 1.90]; unclear: calloc (too few blocks for an interval).",
            ),
            (
                vec![same.clone()],
                "Nothing is certainly cheaper or costlier than mmap; the same within 3 %: malloc.",
            ),
            (
                vec![Comparison { smallest_detectable: Some(0.09), ..open }],
                "Nothing is certainly cheaper or costlier than mmap; unclear: calloc (a \
                 difference of 9 % would show).",
            ),
            (Vec::new(), ""),
        ];
        for (comparisons, expect) in cases {
            assert_eq!(answer(comparisons), expect);
        }
        let vague = LabResult {
            comparisons: vec![comparison("huge", 0.3, 0.35, Verdict::Different)],
            ..vague()
        };
        assert_eq!(
            at_one_point(&vague),
            ["Differences below 127 % are not trusted (the baseline is [0.44, 1.34]x of itself): \
              the cheapest is huge: 0.32x [0.30, 0.35] of mmap."]
        );
        let other = Comparison { baseline: "calloc".to_owned(), ..same.clone() };
        let beside = answer(vec![same, other]);
        assert!(beside.starts_with("Beside mmap: nothing"), "{beside}");
        assert!(beside.contains(". Beside calloc: nothing"), "{beside}");
    }

    #[test]
    fn a_sweep_says_who_is_the_cheapest_where() {
        let fast = comparison("populate", 0.6, 0.7, Verdict::Different);
        let slow = comparison("populate", 1.6, 1.7, Verdict::Different);
        let open = comparison("populate", 0.9, 1.2, Verdict::Inconclusive);
        let of = |who: &str| match who {
            "fast" => &fast,
            "slow" => &slow,
            _ => &open,
        };
        let row = |label: &str, points: &[(&str, &str)]| Row {
            label: label.to_owned(),
            points: points.iter().map(|(size, who)| (size.to_string(), vec![of(who)])).collect(),
        };
        let trusted = LabResult::default();
        let one = row("", &[("4 K", "slow"), ("8 K", "slow"), ("16 K", "open"), ("32 K", "fast")]);
        assert_eq!(
            of_a_sweep(&trusted, &[one]).unwrap(),
            "The cheapest: mmap up to 8 K, unclear at 16 K, populate from 32 K on."
        );
        let rows = [
            row(
                "in 1 pass",
                &[("4 K", "slow"), ("8 K", "fast"), ("16 K", "fast"), ("32 K", "slow")],
            ),
            row("in 4 passes", &[("4 K", "fast"), ("8 K", "fast")]),
            row("in 8 passes", &[("4 K", "fast"), ("8 K", "fast")]),
        ];
        assert_eq!(
            of_a_sweep(&trusted, &rows).unwrap(),
            "The cheapest: in 1 pass mmap up to 4 K, populate from 8 K to 16 K, mmap from 32 K on; \
             in 4 passes and in 8 \
             passes populate throughout."
        );
        assert_eq!(of_a_sweep(&trusted, &rows[1..]).unwrap(), "The cheapest: populate throughout.");
        assert_eq!(
            of_a_sweep(&vague(), &rows[1..]).unwrap(),
            "Differences below 127 % are not trusted (the baseline is [0.44, 1.34]x of itself): \
             the cheapest: populate throughout."
        );
        let same = comparison("malloc", 0.99, 1.01, Verdict::Equivalent);
        let more = Comparison { arm: "calloc".to_owned(), ..same.clone() };
        let points = [vec![&same], vec![&same, &more], vec![&same, &more, &slow]];
        let points =
            points.map(|comparisons| (comparisons.len().to_string(), comparisons)).to_vec();
        assert_eq!(
            of_a_sweep(&trusted, &[Row { label: String::new(), points }]).unwrap(),
            "The cheapest: mmap and malloc alike up to 1, all alike at 2, mmap, malloc and calloc \
             alike from 3 on."
        );
        let unknown = Row { label: String::new(), points: vec![("4 K".to_owned(), Vec::new())] };
        assert_eq!(of_a_sweep(&trusted, &[unknown]), None);
    }
}
