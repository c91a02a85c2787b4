//! Judges the runs: comparisons by every metric, limits, warnings.

use std::collections::BTreeMap;

use lab::design::trial::Trial;
use lab::judge::comparison::{compared, placebo};
use lab::judge::diagnosis::{bimodal, busy, drifting, time_cap, untrusted, vague, warning};
use lab::judge::more::more_of;
use lab::judge::sign_judge::SignJudge;
use lab::run::ratios::{log_ratios, placebo_ratios};
use lab::run::{Judge, Run};
use results::compare::{Gate, GateOutcome, MetricSummary, ProgramSample};
use results::{Comparison, More, Placebo, Stopped, Verdict, Warning};
use stats::{Estimate, Look, median, robust_spread};

use crate::design::{ProgramDesign, evenly};
use crate::metric::ProgramMetric;

/// Below this, user and system time are not told apart: the kernel divides processor time between
/// them by ticks of up to 10 ms, and fewer than three are not significant.
const SPLIT_MIN_NS: f64 = 30e6;

/// Below this, a peak RSS may be that of the child of this process that execve(2) turned into the
/// program: the kernel keeps the peak of what was there before.
const SMALL_RSS_BYTES: f64 = 1.5 * (1 << 20) as f64;

/// The judgement of a run.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) placebo: Option<Placebo>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) more: More,
}

/// Judges `run` by the rules fixed in `design`, and holds it against the user's limits.
#[must_use]
pub(crate) fn judge(
    design: &ProgramDesign,
    run: &Run<ProgramSample>,
    limits: &[(ProgramMetric, f64)],
) -> Judged {
    let more = more_of(&design.schedule, run, |needed| design.whole_cap(needed));
    let found = stats::judge_placebo(&placebo_ratios(design, run));
    let mut comparisons = comparisons(design, run, &run.looks, &run.estimates);
    let shown = design.by(&shown_metrics(design, run));
    let looks: Vec<Look> = run.looks.iter().map(|look| evenly(*look)).collect();
    comparisons.extend(self::comparisons(&shown, run, &looks, &replayed(&shown, run, &looks)));
    comparisons.sort_by_key(|comparison| place(&comparison.metric));
    let gates = gates(&comparisons, limits);
    let mut warnings = warnings(design, run, found.as_ref(), more);
    warnings.extend(open_gates(&gates, &comparisons));
    Judged { comparisons, placebo: found.map(placebo), gates, warnings, more }
}

fn place(key: &str) -> Option<usize> {
    ProgramMetric::ALL.iter().position(|metric| metric.key() == key)
}

/// The comparisons of the arms that stayed, by `estimates`, one for each contrast, at the last of
/// `looks`.
fn comparisons(
    design: &ProgramDesign,
    run: &Run<ProgramSample>,
    looks: &[Look],
    estimates: &[Option<Estimate>],
) -> Vec<Comparison> {
    let Some(&look) = looks.last() else { return Vec::new() };
    let alpha = look.alpha / design.contrasts().len().max(1) as f64;
    let one = |(contrast, estimate): (&lab::design::Contrast, &Option<Estimate>)| {
        let (arm, baseline) = (*contrast.plus.first()?, *contrast.minus.first()?);
        let estimate = estimate.as_ref().filter(|_| run.removals[arm].is_none())?;
        let key = design.metrics[contrast.metric].key();
        let ratios = log_ratios(design, &run.samples, contrast);
        Some(compared(
            [&design.name(arm), &design.name(baseline), key],
            look,
            estimate,
            &ratios,
            alpha,
        ))
    };
    design.contrasts().iter().zip(estimates).filter_map(one).collect()
}

/// The estimates of a second family of comparisons, with an error allowance of its own. It is spent
/// at the same looks, whichever of them was the last, so it holds whatever ended the run.
fn replayed(
    design: &ProgramDesign,
    run: &Run<ProgramSample>,
    looks: &[Look],
) -> Vec<Option<Estimate>> {
    let ratios: Vec<Vec<f64>> =
        design.contrasts().iter().map(|one| log_ratios(design, &run.samples, one)).collect();
    let mut judge = SignJudge::new(ratios.len(), design.margin);
    let at = |look: &Look| judge.look(*look, &ratios);
    looks.iter().map(at).last().unwrap_or_default()
}

/// The metrics that do not decide and that every sample has.
fn shown_metrics(design: &ProgramDesign, run: &Run<ProgramSample>) -> Vec<ProgramMetric> {
    let samples = || run.samples.iter().flatten();
    let is_known = |metric: &ProgramMetric| samples().all(|sample| metric.of(sample).is_some());
    let wanted =
        |metric: &ProgramMetric| *metric != ProgramMetric::Cpu && !design.metrics.contains(metric);
    let is_resolved = |metric: &ProgramMetric| {
        !matches!(metric, ProgramMetric::User | ProgramMetric::Sys)
            || run.samples.iter().all(|samples| {
                median(&values(samples, *metric)).is_none_or(|median| median >= SPLIT_MIN_NS)
            })
    };
    ProgramMetric::ALL.into_iter().filter(wanted).filter(is_known).filter(is_resolved).collect()
}

fn values(samples: &[ProgramSample], metric: ProgramMetric) -> Vec<f64> {
    samples.iter().filter_map(|sample| metric.of(sample)).collect()
}

/// Median and spread of every metric that all of `samples` have.
#[must_use]
pub(crate) fn summary(samples: &[ProgramSample]) -> BTreeMap<String, MetricSummary> {
    let of = |metric: ProgramMetric| {
        let values = values(samples, metric);
        let median = median(&values).filter(|_| values.len() == samples.len())?;
        let spread = robust_spread(&values)? / median.max(f64::MIN_POSITIVE);
        let spread = if median > 0.0 { spread } else { 0.0 };
        Some((metric.key().to_owned(), MetricSummary { median, spread }))
    };
    ProgramMetric::ALL.into_iter().filter_map(of).collect()
}

fn gates(comparisons: &[Comparison], limits: &[(ProgramMetric, f64)]) -> Vec<Gate> {
    let of = |&(metric, limit): &(ProgramMetric, f64)| {
        let outcome = move |comparison: &Comparison| match comparison.low.zip(comparison.high) {
            Some((low, _)) if low > 1.0 + limit => GateOutcome::Failed,
            Some((_, high)) if high <= 1.0 + limit => GateOutcome::Passed,
            _ => GateOutcome::Open,
        };
        let by = move |comparison: &&Comparison| comparison.metric == metric.key();
        comparisons.iter().filter(by).map(move |comparison| Gate {
            metric: metric.key().to_owned(),
            arm: comparison.arm.clone(),
            limit,
            outcome: outcome(comparison),
        })
    };
    limits.iter().flat_map(of).collect()
}

/// The name on the command line of the metric with this key.
fn option_of(key: &str) -> &str {
    place(key).map_or(key, |index| ProgramMetric::ALL[index].option())
}

/// A warning for the limit on each metric that is neither kept nor exceeded.
fn open_gates(gates: &[Gate], comparisons: &[Comparison]) -> Vec<Warning> {
    let open: Vec<&Gate> = gates.iter().filter(|gate| gate.outcome == GateOutcome::Open).collect();
    let by_metric = open.chunk_by(|one, other| one.metric == other.metric);
    by_metric.filter_map(|open| open_limit(open, comparisons)).collect()
}

fn open_limit(open: &[&Gate], comparisons: &[Comparison]) -> Option<Warning> {
    let gate = open.first()?;
    let comparison = comparisons.iter().find(|c| c.arm == gate.arm && c.metric == gate.metric)?;
    let interval = comparison.low.zip(comparison.high).map_or_else(
        || "there is no interval yet".to_owned(),
        |(low, high)| format!("its interval [{low:.3}, {high:.3}] reaches across it"),
    );
    let message = format!(
        "the limit of {:.3}x on {} is neither kept nor exceeded by {}: {interval}. It counts as \
         kept",
        1.0 + gate.limit,
        option_of(&gate.metric),
        gate.arm
    );
    Some(warning("open-gate", message, open.iter().map(|gate| gate.arm.clone()).collect()))
}

/// All warnings about `run`, the most serious first.
fn warnings(
    design: &ProgramDesign,
    run: &Run<ProgramSample>,
    placebo: Option<&stats::Placebo>,
    more: More,
) -> Vec<Warning> {
    let first = design.metrics[0];
    let labelled: Vec<(String, Vec<f64>)> = (0..design.arms())
        .map(|arm| (design.name(arm), values(&run.samples[arm], first)))
        .collect();
    let (drifts, modes) = (drifting(&labelled), bimodal(&labelled));
    let mut warnings = Vec::new();
    warnings.extend(untrusted(placebo, drifts.is_some(), modes.is_some()));
    warnings.extend(too_few_blocks(design, run, more));
    warnings.extend(vague(placebo, more));
    warnings.extend(modes.map(|modes| {
        let message = format!("two modes: {}; medians fall in one of them", modes.counts);
        warning("two-modes", message, modes.names)
    }));
    warnings.extend(drifts);
    warnings.extend(busy(run));
    warnings.extend(unresolved(design, run));
    warnings.extend(small(design, run));
    warnings
}

/// The run was too short for an interval, or ended before all was decided.
fn too_few_blocks(design: &ProgramDesign, run: &Run<ProgramSample>, more: More) -> Option<Warning> {
    let first = design.schedule.looks.first()?.blocks;
    let done = run.samples.iter().map(Vec::len).max().unwrap_or(0);
    let open = run
        .estimates
        .iter()
        .flatten()
        .any(|estimate| estimate.verdict == stats::Verdict::Inconclusive);
    let capped = run.stopped == Some(Stopped::TimeCap) && design.schedule.cap.is_some();
    (capped && done < first && open).then(|| time_cap(done, first, more, Vec::new()))
}

/// User or system time decides, and is too short to be told apart.
fn unresolved(design: &ProgramDesign, run: &Run<ProgramSample>) -> Option<Warning> {
    let short = |metric: &&ProgramMetric| {
        matches!(metric, ProgramMetric::User | ProgramMetric::Sys)
            && run.samples.iter().any(|samples| {
                median(&values(samples, **metric)).is_some_and(|median| median < SPLIT_MIN_NS)
            })
    };
    let metric = design.metrics.iter().find(short)?;
    let message = format!(
        "{} is too short here: the kernel divides processor time into user and system time by \
         ticks of up to 10 ms. --metric cpu compares their sum, which is exact",
        metric.option()
    );
    Some(warning("ticks", message, Vec::new()))
}

/// Peaks of resident memory that may be that of the child which executes the program.
fn small(design: &ProgramDesign, run: &Run<ProgramSample>) -> Option<Warning> {
    let is_small = |arm: &usize| {
        median(&values(&run.samples[*arm], ProgramMetric::MaxRss))
            .is_some_and(|bytes| bytes < SMALL_RSS_BYTES)
    };
    let names: Vec<String> =
        (0..design.arms()).filter(is_small).map(|arm| design.name(arm)).collect();
    (!names.is_empty()).then(|| {
        let message = "a peak RSS below 1.5 MiB may be that of firsttouch's own child before it \
                       executed the program, which keeps it: it is the most that the program can \
                       have had"
            .to_owned();
        warning("small-rss", message, names)
    })
}

/// Whether anything that decides is undecided.
#[must_use]
pub(crate) fn is_open(comparisons: &[Comparison], metrics: &[ProgramMetric]) -> bool {
    comparisons.iter().any(|comparison| {
        comparison.verdict == Verdict::Inconclusive
            && metrics.iter().any(|metric| metric.key() == comparison.metric)
    })
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::tests::compared;

    #[test]
    fn every_limit_that_is_open_has_a_warning() {
        use GateOutcome::{Failed, Open, Passed};
        let metrics = [ProgramMetric::Wall, ProgramMetric::MaxRss];
        let limits = metrics.map(|metric| (metric, 0.03));
        let row = |metric: ProgramMetric, arm, bounds: [f64; 2]| Comparison {
            low: Some(bounds[0]),
            high: Some(bounds[1]),
            ..compared(arm, "a", metric.key())
        };
        let comparisons = [
            row(ProgramMetric::Wall, "b", [1.0, 1.1]),
            row(ProgramMetric::Wall, "c", [1.01, 1.2]),
            row(ProgramMetric::Wall, "d", [0.9, 1.03]),
            row(ProgramMetric::MaxRss, "b", [1.02, 1.04]),
            row(ProgramMetric::MaxRss, "c", [1.04, 1.05]),
        ];
        let gates = gates(&comparisons, &limits);
        let outcomes: Vec<GateOutcome> = gates.iter().map(|gate| gate.outcome).collect();
        assert_eq!(outcomes, [Open, Open, Passed, Open, Failed]);
        let warnings = open_gates(&gates, &comparisons);
        let arms: Vec<&[String]> = warnings.iter().map(|warning| &warning.arms[..]).collect();
        assert_eq!(arms, [&["b".to_owned(), "c".to_owned()][..], &["b".to_owned()]]);
        assert!(warnings[0].message.contains("on wall") && warnings[1].message.contains("on rss"));
    }
}
