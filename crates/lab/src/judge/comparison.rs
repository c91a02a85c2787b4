//! Comparisons of two arms, in the form of the result file.

use results::{Comparison, Sensitivity, SensitivityLine, Verdict};
use stats::{Estimate, Interval, Look, hodges_lehmann, mean_t};

use crate::design::{Contrast, Design};
use crate::run::Run;
use crate::run::ratios::log_ratios;

/// Every comparison of two arms, as the last look of `run` judged it.
#[must_use]
pub(crate) fn comparisons(design: &Design, run: &Run) -> Vec<Comparison> {
    let Some(look) = run.looks.last() else { return Vec::new() };
    // The error probability of one comparison, for estimators that do not know about looks.
    let alpha = look.alpha / design.contrasts.len().max(1) as f64;
    let comparison = |(contrast, estimate): (&Contrast, &Option<Estimate>)| {
        let (None, Some(estimate), &[arm], &[baseline]) =
            (contrast.factor, estimate, &contrast.plus[..], &contrast.minus[..])
        else {
            return None;
        };
        let work = &design.arms[arm].work;
        let names = [&design.arms[arm].name, &design.arms[baseline].name, design.metric().name()];
        let ratios = log_ratios(design, &run.samples, contrast);
        Some(Comparison {
            size_bytes: work.size_bytes,
            threads: design.sweeps_threads().then_some(work.threads),
            passes: design.sweeps_passes().then_some(u64::from(work.pattern.passes)),
            ..compared(names, *look, estimate, &ratios, alpha)
        })
    };
    design.contrasts.iter().zip(&run.estimates).filter_map(comparison).collect()
}

/// The comparison of an arm with a baseline by a metric, in the order of `names`, as `look` judged
/// it. `alpha` is the error probability of one comparison, for estimators that do not know about
/// looks.
#[must_use]
pub fn compared(
    [arm, baseline, metric]: [&str; 3],
    look: Look,
    estimate: &Estimate,
    log_ratios: &[f64],
    alpha: f64,
) -> Comparison {
    Comparison {
        arm: arm.to_owned(),
        baseline: baseline.to_owned(),
        metric: metric.to_owned(),
        size_bytes: 0,
        threads: None,
        passes: None,
        ratio: estimate.ratio,
        low: estimate.interval.map(|i| i.low),
        high: estimate.interval.map(|i| i.high),
        confidence: 1.0 - look.alpha,
        blocks: look.blocks as u64,
        verdict: verdict(estimate.verdict),
        smallest_detectable: estimate.smallest_detectable,
        sensitivity: Some(sensitivity(log_ratios, alpha)),
    }
}

/// The verdict in the form of the result file.
#[must_use]
pub fn verdict(verdict: stats::Verdict) -> Verdict {
    match verdict {
        stats::Verdict::Equivalent => Verdict::Equivalent,
        stats::Verdict::Different => Verdict::Different,
        stats::Verdict::Inconclusive => Verdict::Inconclusive,
    }
}

/// The placebo in the form of the result file.
#[must_use]
pub fn placebo(placebo: stats::Placebo) -> results::Placebo {
    results::Placebo {
        ratio: placebo.ratio,
        low: placebo.interval.map(|i| i.low),
        high: placebo.interval.map(|i| i.high),
        confidence: stats::PLACEBO_CONFIDENCE,
        trusted: placebo.trusted,
    }
}

fn sensitivity(log_ratios: &[f64], alpha: f64) -> Sensitivity {
    let line = |(center, interval): (f64, Option<Interval>)| SensitivityLine {
        ratio: center.exp(),
        low: interval.map(|i| i.low.exp()),
        high: interval.map(|i| i.high.exp()),
    };
    Sensitivity {
        hodges_lehmann: hodges_lehmann(log_ratios, alpha).map(line),
        mean_t: mean_t(log_ratios, alpha).map(line),
    }
}
