//! Why an arm differs: what the observed runs did differently.

use results::compare::{ObservedProgram, ProgramArm, ProgramResult};
use results::{Comparison, Verdict};

use super::metric::{comparison, named};
use crate::number::{count, duration};
use crate::text::clean;

/// A count that changes less than this is alike.
const ALIKE: f64 = 1.2;
/// Fewer faults or calls than this explain nothing.
const FEWEST: u64 = 20;
/// The most facts of an arm on a screen.
const FACTS: usize = 3;

/// A sentence for each arm that was observed beside the baseline.
pub(super) fn sentences(result: &ProgramResult) -> Vec<String> {
    let Some(baseline) = result.arms.iter().find(|arm| arm.baseline) else { return Vec::new() };
    let Some(of_baseline) = &baseline.observed else { return Vec::new() };
    let sentence = |arm: &ProgramArm| {
        let observed = arm.observed.as_ref().filter(|_| !arm.baseline)?;
        let faults = comparison(result, &arm.name, "faults");
        let told = told(of_baseline, observed, faults);
        let time = time_between(result, baseline, arm).unwrap_or_default();
        Some(format!("{}{time}: {told}.", clean(&arm.name)))
    };
    result.arms.iter().filter_map(sentence).collect()
}

/// The time between the medians of `arm` and `baseline`, if their times are certainly different:
/// what the reasons have to explain.
fn time_between(result: &ProgramResult, baseline: &ProgramArm, arm: &ProgramArm) -> Option<String> {
    let key = &result.experiment.metric;
    let compared = comparison(result, &arm.name, key)?;
    let median = |arm: &ProgramArm| arm.summary.get(key).map(|summary| summary.median);
    let change = median(arm)? - median(baseline)?;
    let is_certain = named(key).is_time()
        && compared.verdict == Verdict::Different
        && (compared.ratio < 1.0) == (change < 0.0);
    let way = if change < 0.0 { "less" } else { "more" };
    is_certain.then(|| format!(" ({} {way})", duration(change.abs())))
}

/// What differs between two runs, the most first. Their faults are told if the timed runs, which
/// `counted` compares, say the same: a single run of a program with threads may differ by chance.
fn told(one: &ObservedProgram, other: &ObservedProgram, counted: Option<&Comparison>) -> String {
    let mut facts: Vec<(f64, String)> = Vec::new();
    let faults = |of: &ObservedProgram| of.faults.values().sum::<u64>();
    let (before, after) = (faults(one), faults(other));
    let by_chance = differ(before, after) && !agrees(counted, after < before);
    if differ(before, after) && !by_chance {
        let causes = causes(one, other);
        facts.push((
            weight_of_faults(before, after),
            format!(
                "{} page faults instead of {}{causes}",
                count(after as f64),
                count(before as f64)
            ),
        ));
    }
    if let (Some(before), Some(after)) = (&one.syscalls, &other.syscalls) {
        let names: std::collections::BTreeSet<&String> =
            before.keys().chain(after.keys()).collect();
        for name in names {
            let [was, is] =
                [before, after].map(|calls| calls.get(name).copied().unwrap_or_default());
            if differ(was.calls, is.calls) {
                let text = format!(
                    "{} {} instead of {} ({} instead of {} in the kernel)",
                    count(is.calls as f64),
                    clean(name),
                    count(was.calls as f64),
                    duration(is.ns as f64),
                    duration(was.ns as f64)
                );
                facts.push((was.ns.abs_diff(is.ns) as f64, text));
            }
        }
    }
    facts.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    if facts.is_empty() && by_chance {
        return "its memory syscalls are those of the baseline, and its page faults vary between \
                runs as much as between the arms, so the difference lies elsewhere"
            .to_owned();
    }
    if facts.is_empty() {
        return "its page faults and memory syscalls are those of the baseline, so the difference \
                lies elsewhere"
            .to_owned();
    }
    let told: Vec<String> = facts.into_iter().take(FACTS).map(|(_, text)| text).collect();
    told.join(", ")
}

/// Whether the timed runs have `fewer` faults or more, as the observed ones. Without an interval
/// their ratio has to do.
fn agrees(counted: Option<&Comparison>, fewer: bool) -> bool {
    counted.is_none_or(|counted| {
        let is_certain = counted.low.is_none() || counted.verdict == Verdict::Different;
        is_certain && (counted.ratio < 1.0) == fewer
    })
}

/// The cause that changed most, if there are several.
fn causes(one: &ObservedProgram, other: &ObservedProgram) -> String {
    let of = |of: &ObservedProgram, cause: &str| of.faults.get(cause).copied().unwrap_or(0);
    let names = one.faults.keys().chain(other.faults.keys());
    let most = names.max_by_key(|cause| of(one, cause).abs_diff(of(other, cause)));
    match most {
        Some(cause) if one.faults.len() > 1 || other.faults.len() > 1 => format!(
            " ({}: {} instead of {})",
            clean(cause),
            count(of(other, cause) as f64),
            count(of(one, cause) as f64)
        ),
        _ => String::new(),
    }
}

/// For the order alone: a fault takes about half a microsecond and more.
fn weight_of_faults(before: u64, after: u64) -> f64 {
    500.0 * before.abs_diff(after) as f64
}

fn differ(before: u64, after: u64) -> bool {
    let (less, more) = (before.min(after), before.max(after));
    more - less >= FEWEST && more as f64 >= ALIKE * less as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::compare::ObservedCalls;

    fn observed(first: u64, munmaps: u64) -> ObservedProgram {
        ObservedProgram {
            faults: [("first-touch".to_owned(), first), ("file".to_owned(), 40)].into(),
            syscalls: Some(
                [("munmap".to_owned(), ObservedCalls { calls: munmaps, ns: 1000 * munmaps })]
                    .into(),
            ),
            ..ObservedProgram::default()
        }
    }

    #[test]
    fn what_differs_is_told_and_the_rest_is_not() {
        let told = |one, other| super::told(&one, &other, None);
        let text = told(observed(20_000, 41_000), observed(2_000, 12));
        assert_eq!(
            text,
            "12 munmap instead of 41,000 (12.0 us instead of 41.0 ms in the kernel), 2,040 page \
             faults instead of 20,040 (first-touch: 2,000 instead of 20,000)"
        );
        assert!(told(observed(20_000, 12), observed(20_010, 13)).contains("lies elsewhere"));
    }

    #[test]
    fn faults_that_vary_as_much_between_runs_are_no_reason() {
        let counted = |ratio: f64, verdict| Comparison {
            arm: "other".to_owned(),
            baseline: "system".to_owned(),
            metric: "faults".to_owned(),
            size_bytes: 0,
            threads: None,
            passes: None,
            ratio,
            low: Some(ratio * 0.7),
            high: Some(ratio * 1.3),
            confidence: 0.95,
            blocks: 12,
            verdict,
            smallest_detectable: None,
            sensitivity: None,
        };
        let told =
            |counted: &Comparison| told(&observed(2_900, 12), &observed(4_500, 12), Some(counted));
        assert!(told(&counted(1.5, Verdict::Different)).contains("4,540 page faults"));
        assert!(told(&counted(1.5, Verdict::Inconclusive)).contains("vary between runs"));
        assert!(told(&counted(0.6, Verdict::Different)).contains("vary between runs"));
        let few = Comparison { low: None, ..counted(1.5, Verdict::Inconclusive) };
        assert!(told(&few).contains("4,540 page faults"));
    }
}
