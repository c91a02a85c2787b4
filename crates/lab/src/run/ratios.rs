//! The values of contrasts, block by block.

use results::Sample;

use crate::design::{Contrast, Design};
use crate::run::Run;

/// Whether `point` has lost an essential arm.
pub(crate) fn lost(design: &Design, run: &Run, point: usize) -> bool {
    design.arms_of(point).any(|arm| run.removals[arm].is_some() && design.essential(arm))
}

/// The ratios of placebos to their baselines in each block that counts, at the points that still
/// have both.
#[must_use]
pub fn placebo_ratios(design: &Design, run: &Run) -> Vec<f64> {
    let kept = |arm: &usize| !lost(design, run, design.arms[*arm].point);
    let kept = |arms: &[usize]| arms.iter().copied().filter(kept).collect::<Vec<usize>>();
    let contrast = Contrast {
        factor: None,
        plus: kept(&design.placebo.plus),
        minus: kept(&design.placebo.minus),
    };
    log_ratios(design, &run.samples, &contrast)
}

/// The value of `contrast` in each block that counts: for two arms, the logarithm of the ratio of
/// their metric.
#[must_use]
pub fn log_ratios(design: &Design, samples: &[Vec<Sample>], contrast: &Contrast) -> Vec<f64> {
    let blocks = contrast.arms().map(|arm| samples[arm].len()).min().unwrap_or(0);
    let value =
        |arm: usize, block: usize| (design.metric().of(&samples[arm][block]).max(1) as f64).ln();
    let mean = |arms: &[usize], block: usize| {
        arms.iter().map(|&arm| value(arm, block)).sum::<f64>() / arms.len().max(1) as f64
    };
    (0..blocks).map(|block| mean(&contrast.plus, block) - mean(&contrast.minus, block)).collect()
}
