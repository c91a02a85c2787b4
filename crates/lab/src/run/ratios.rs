//! The values of contrasts, block by block.

use crate::design::Contrast;
use crate::design::trial::Trial;
use crate::run::Run;

/// Whether `point` has lost an essential arm.
pub(crate) fn lost<T: Trial>(trial: &T, run: &Run<T::Sample>, point: usize) -> bool {
    trial
        .arms_at(point)
        .into_iter()
        .any(|arm| run.removals[arm].is_some() && trial.is_essential(arm))
}

/// The ratios of placebos to their baselines in each block that counts, at the points that still
/// have both.
#[must_use]
pub fn placebo_ratios<T: Trial>(trial: &T, run: &Run<T::Sample>) -> Vec<f64> {
    let kept = |arm: &usize| !lost(trial, run, trial.point_of(*arm));
    let kept = |arms: &[usize]| arms.iter().copied().filter(kept).collect::<Vec<usize>>();
    let whole = trial.placebo();
    let contrast = Contrast { plus: kept(&whole.plus), minus: kept(&whole.minus), ..whole.clone() };
    log_ratios(trial, &run.samples, &contrast)
}

/// The value of `contrast` in each block that counts: for two arms, the logarithm of the ratio of
/// their figures.
#[must_use]
pub fn log_ratios<T: Trial>(
    trial: &T,
    samples: &[Vec<T::Sample>],
    contrast: &Contrast,
) -> Vec<f64> {
    let blocks = contrast.arms().map(|arm| samples[arm].len()).min().unwrap_or(0);
    let value = |arm: usize, block: usize| trial.figure(contrast, &samples[arm][block]).ln();
    let mean = |arms: &[usize], block: usize| {
        arms.iter().map(|&arm| value(arm, block)).sum::<f64>() / arms.len().max(1) as f64
    };
    (0..blocks).map(|block| mean(&contrast.plus, block) - mean(&contrast.minus, block)).collect()
}
