//! Everything that is fixed before the first sample.

use std::time::Duration;

use lab::design::Contrast;
use lab::design::schedule::{ALPHA, Schedule};
use lab::design::trial::Trial;
use results::compare::ProgramSample;
use stats::{LOOKS, Look, Spending};

use crate::arm::PreparedArm;
use crate::metric::ProgramMetric;

/// The arms, the metrics that decide, and when to look.
#[derive(Debug, Clone)]
pub struct ProgramDesign {
    /// The arms, the baseline first. The placebo is one more, with the next index.
    pub arms: Vec<PreparedArm>,
    /// The metrics that decide.
    pub metrics: Vec<ProgramMetric>,
    /// A difference below this share does not matter.
    pub margin: f64,
    /// Looks and cap.
    pub schedule: Schedule,
    /// Whether a race comes first, which takes up to half of the cap.
    pub after_race: bool,
    contrasts: Vec<Contrast>,
    placebo: Contrast,
}

impl ProgramDesign {
    /// Every arm against the first, by each of `metrics`.
    #[must_use]
    pub fn new(
        arms: Vec<PreparedArm>,
        metrics: &[ProgramMetric],
        margin: f64,
        schedule: Schedule,
    ) -> Self {
        let placebo = Contrast::pair(arms.len(), 0);
        let contrasts = contrasts(arms.len(), metrics.len());
        let metrics = metrics.to_vec();
        let after_race = false;
        ProgramDesign { arms, metrics, margin, schedule, after_race, contrasts, placebo }
    }

    /// The time cap of a whole run whose blocks end after `needed`.
    #[must_use]
    pub fn whole_cap(&self, needed: Duration) -> Duration {
        if self.after_race { 2 * needed } else { needed }
    }

    /// The arm with this index; the placebo is the baseline.
    #[must_use]
    pub fn arm(&self, index: usize) -> &PreparedArm {
        self.arms.get(index).unwrap_or(&self.arms[0])
    }

    /// The name of the arm with this index.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        match self.arms.get(index) {
            Some(arm) => arm.name.clone(),
            None => format!("placebo ({})", self.arms[0].name),
        }
    }

    /// The same design, judged by other metrics.
    #[must_use]
    pub fn by(&self, metrics: &[ProgramMetric]) -> Self {
        let contrasts = contrasts(self.arms.len(), metrics.len());
        ProgramDesign { metrics: metrics.to_vec(), contrasts, ..self.clone() }
    }
}

/// The look of the metrics that do not decide, at the time of `look` of those that do. They spend
/// their allowance in equal parts, where the others save for later looks: they are more
/// comparisons, and with eleven and more the first look would allow no interval.
pub(crate) fn evenly(look: Look) -> Look {
    match LOOKS.iter().position(|planned| *planned == look) {
        Some(index) => Look { alpha: ALPHA * (index + 1) as f64 / LOOKS.len() as f64, ..look },
        None => look,
    }
}

/// Metric by metric, every arm against the baseline.
fn contrasts(arms: usize, metrics: usize) -> Vec<Contrast> {
    let of =
        |metric: usize| (1..arms).map(move |arm| Contrast { metric, ..Contrast::pair(arm, 0) });
    (0..metrics).flat_map(of).collect()
}

impl Trial for ProgramDesign {
    type Sample = ProgramSample;

    fn arms(&self) -> usize {
        self.arms.len() + 1
    }

    fn points(&self) -> usize {
        1
    }

    fn point_of(&self, _: usize) -> usize {
        0
    }

    fn is_essential(&self, arm: usize) -> bool {
        arm == 0 || arm == self.arms.len()
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

    /// The metrics that do not decide get an interval, too.
    fn least_blocks(&self) -> usize {
        let others = ProgramMetric::USUAL.iter().filter(|usual| !self.metrics.contains(usual));
        let mut spending = Spending::new(others.count() * (self.arms.len() - 1));
        let mut looks = self.schedule.looks.iter();
        looks.find(|look| spending.pay(evenly(**look)) > 0).map_or(0, |look| look.blocks)
    }

    fn figure(&self, contrast: &Contrast, sample: &ProgramSample) -> f64 {
        let metric = self.metrics[contrast.metric];
        let figure = metric.of(sample).unwrap_or(1.0);
        // The client's figure may be any positive number; the others are whole.
        if metric == ProgramMetric::Figure { figure } else { figure.max(1.0) }
    }

    fn block_of(sample: &ProgramSample) -> u64 {
        sample.block
    }
}

/// The time cap where the user gave none: enough for a first verdict on a program whose blocks take
/// `block`, and no less than two minutes.
#[must_use]
pub fn default_cap(block: Duration, before: Duration) -> Duration {
    let first = lab::design::schedule::first_look();
    LEAST_CAP.max(lab::design::time_budget::cap_for(first, block, before))
}

/// The default time cap for short programs.
const LEAST_CAP: Duration = Duration::from_mins(2);
