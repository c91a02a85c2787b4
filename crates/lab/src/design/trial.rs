//! What a session needs to know of a design, whatever its samples are.

use results::Sample;

use crate::design::schedule::Schedule;
use crate::design::{Contrast, Design};

/// Arms, contrasts and looks: the part of a design that a session, its judge and its simulations
/// share.
pub trait Trial {
    /// What is measured in one fresh process.
    type Sample;

    /// The number of arms, at all points together.
    fn arms(&self) -> usize;
    /// The number of points.
    fn points(&self) -> usize;
    /// The point of an arm.
    fn point_of(&self, arm: usize) -> usize;
    /// Whether the point of an arm is useless without it.
    fn is_essential(&self, arm: usize) -> bool;
    /// The contrasts to decide.
    fn contrasts(&self) -> &[Contrast];
    /// The placebos against their baselines.
    fn placebo(&self) -> &Contrast;
    /// Looks and cap.
    fn schedule(&self) -> &Schedule;
    /// The blocks before which a run does not end because all is decided, if the cap allows them.
    fn least_blocks(&self) -> usize {
        0
    }
    /// The positive figure of `sample` that `contrast` compares.
    fn figure(&self, contrast: &Contrast, sample: &Self::Sample) -> f64;
    /// The block in which `sample` was taken.
    fn block_of(sample: &Self::Sample) -> u64;

    /// The arms of `point`, by index.
    fn arms_at(&self, point: usize) -> Vec<usize> {
        (0..self.arms()).filter(|&arm| self.point_of(arm) == point).collect()
    }
}

impl Trial for Design {
    type Sample = Sample;

    fn arms(&self) -> usize {
        self.arms.len()
    }

    fn points(&self) -> usize {
        self.points.len()
    }

    fn point_of(&self, arm: usize) -> usize {
        self.arms[arm].point
    }

    fn is_essential(&self, arm: usize) -> bool {
        self.essential(arm)
    }

    fn contrasts(&self) -> &[Contrast] {
        &self.contrasts
    }

    fn placebo(&self) -> &Contrast {
        &self.placebo
    }

    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn figure(&self, _: &Contrast, sample: &Sample) -> f64 {
        self.metric().of(sample).max(1) as f64
    }

    fn block_of(sample: &Sample) -> u64 {
        sample.block
    }
}
