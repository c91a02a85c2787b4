//! The answer to an experiment's question in one sentence, from its comparisons.

use results::{Comparison, LabResult, Verdict};

use crate::number::percent;
use crate::sentence::ratio;
use crate::text::clean;

/// The answer of a run at one point.
pub(crate) fn at_one_point(result: &LabResult) -> Option<String> {
    let mut sorted: Vec<&Comparison> = result.comparisons.iter().collect();
    sorted.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let with =
        |c: &Comparison| format!("{}: {} of {}", clean(&c.arm), ratio(c.ratio, c.low, c.high), clean(&c.baseline));
    let different = |c: &Comparison| c.verdict == Verdict::Different;
    let (faster, slower) = (different(first) && first.ratio < 1.0, different(last) && last.ratio > 1.0);
    let names = |verdict: Verdict| {
        let names: Vec<String> = sorted.iter().filter(|c| c.verdict == verdict).map(|c| clean(&c.arm)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let ends = match (faster, slower) {
        (true, true) => Some(format!("the cheapest is {}; the dearest is {}", with(first), with(last))),
        (true, false) => Some(format!("the cheapest is {}", with(first))),
        (false, true) => {
            Some(format!("nothing is cheaper than {}; the dearest is {}", clean(&last.baseline), with(last)))
        }
        (false, false) => None,
    };
    let margin = percent(result.experiment.margin);
    let same = names(Verdict::Equivalent).map(|names| format!("{names}: no difference larger than {margin}"));
    let open = names(Verdict::Inconclusive).map(|names| format!("not decided: {names}"));
    Some(sentence([ends, same, open].into_iter().flatten().collect::<Vec<String>>().join("; ")))
}

/// The answer of a sweep: who is the cheapest where. `places` are the points in the order of the table, each with its
/// comparisons; the label of a stretch of them comes from `stretch`, by their indices.
pub(crate) fn of_a_sweep(places: &[Vec<&Comparison>], stretch: impl Fn(&[usize]) -> String) -> Option<String> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (index, comparisons) in places.iter().enumerate() {
        let cheapest = cheapest(comparisons)?;
        match groups.iter_mut().find(|(name, _)| *name == cheapest) {
            Some((_, indices)) => indices.push(index),
            None => groups.push((cheapest, vec![index])),
        }
    }
    let groups: Vec<String> = groups.iter().map(|(name, indices)| format!("{name} at {}", stretch(indices))).collect();
    (!groups.is_empty()).then(|| sentence(format!("the cheapest: {}", groups.join("; "))))
}

/// The arm that is certainly cheaper than the baseline, and by most; the baseline where all others are certainly no
/// cheaper; nothing certain otherwise. `None` without comparisons.
fn cheapest(comparisons: &[&Comparison]) -> Option<String> {
    let best = comparisons.iter().min_by(|a, b| a.ratio.total_cmp(&b.ratio))?;
    Some(match best.verdict {
        Verdict::Different if best.ratio < 1.0 => clean(&best.arm),
        Verdict::Different => clean(&best.baseline),
        Verdict::Equivalent => format!("{} and {}, alike,", clean(&best.baseline), clean(&best.arm)),
        Verdict::Inconclusive => "undecided".to_owned(),
    })
}

/// With a capital and a full stop. Names of arms keep their letters: they are commands.
fn sentence(text: String) -> String {
    let capital = ["the ", "nothing ", "not "].iter().any(|word| text.starts_with(word));
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
        let experiment = results::Experiment { margin: 0.03, ..results::Experiment::default() };
        at_one_point(&LabResult { comparisons, experiment, ..LabResult::default() }).unwrap_or_default()
    }

    #[test]
    fn every_kind_of_answer() {
        let fast = comparison("huge", 0.3, 0.35, Verdict::Different);
        let slow = comparison("collapse", 1.5, 1.9, Verdict::Different);
        let same = comparison("malloc", 0.99, 1.01, Verdict::Equivalent);
        let open = comparison("calloc", 0.9, 1.1, Verdict::Inconclusive);
        assert_eq!(
            answer(vec![slow.clone(), same.clone(), fast.clone()]),
            "The cheapest is huge: 0.32x [0.30, 0.35] of mmap; the dearest is collapse: 1.69x [1.50, 1.90] of mmap; malloc: no \
             difference larger than 3 %."
        );
        assert!(answer(vec![fast]).starts_with("The cheapest is huge: 0.32x"), "one winner");
        assert!(answer(vec![slow, open.clone()]).starts_with("Nothing is cheaper than mmap; the dearest is collapse"));
        assert_eq!(answer(vec![same]), "malloc: no difference larger than 3 %.");
        assert_eq!(answer(vec![open]), "Not decided: calloc.");
        assert_eq!(answer(Vec::new()), "");
    }

    #[test]
    fn a_sweep_says_who_is_the_cheapest_where() {
        let fast = comparison("populate", 0.6, 0.7, Verdict::Different);
        let slow = comparison("populate", 1.6, 1.7, Verdict::Different);
        let open = comparison("populate", 0.9, 1.2, Verdict::Inconclusive);
        let places = [vec![&slow], vec![&slow], vec![&open], vec![&fast]];
        let stretch = |indices: &[usize]| format!("{indices:?}");
        assert_eq!(
            of_a_sweep(&places, stretch).unwrap(),
            "The cheapest: mmap at [0, 1]; undecided at [2]; populate at [3]."
        );
        assert_eq!(of_a_sweep(&[Vec::new()], stretch), None);
    }
}
