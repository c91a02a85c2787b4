//! Judges the samples: comparisons, effects, explanations, warnings.

pub mod comparison;
pub(crate) mod crossover;
pub mod diagnosis;
pub mod effects;
pub(crate) mod estimate;
pub mod explain;
pub(crate) mod floor_ratio;
pub mod floors;
pub(crate) mod latencies;
pub mod more;
pub mod point_run;
pub mod sign_judge;
pub(crate) mod summary;

use results::{
    Comparison, Crossover, Effect, Explained, Explanation, Floors, Latencies, Machine, More,
    PassCrossover, Warning,
};
use stats::Placebo;

use crate::design::Design;
use crate::run::ratios::placebo_ratios;
use crate::run::{Aside, ColdPairs, Run};
use point_run::PointRun;

/// The judgement of a run.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Comparisons of arms.
    pub comparisons: Vec<Comparison>,
    /// Crossovers in a sweep over sizes.
    pub crossovers: Vec<Crossover>,
    /// Crossovers in a sweep over passes.
    pub pass_crossovers: Vec<PassCrossover>,
    /// Effects of the factors on the time.
    pub effects: Vec<Effect>,
    /// Effects of the factors on the spread of the time.
    pub spreads: Vec<Effect>,
    /// Whether the effects explain the reference.
    pub explained: Option<Explained>,
    /// By arm of the design: the distribution of its touches, if they were timed one by one.
    pub latencies: Vec<Option<Latencies>>,
    /// The floors that were measured beside the samples.
    pub floors: Option<Floors>,
    /// Arms as sums of floors.
    pub explanations: Vec<Explanation>,
    /// The comparison of the baseline with itself.
    pub placebo: Option<Placebo>,
    /// Warnings, the most serious first.
    pub warnings: Vec<Warning>,
    /// The option that would decide more.
    pub more: More,
}

/// The pairs of cold and warm samples after a session.
#[derive(Debug, Clone, Copy)]
pub enum Pairs<'a> {
    /// The experiment has no pairs, or the machine has no cold memory.
    NotWanted,
    /// There was no time for the pairs.
    NotMeasured,
    /// The measured pairs.
    Measured(&'a ColdPairs),
}

impl<'a> Pairs<'a> {
    /// The pairs that were `measured`, if they were `wanted`.
    #[must_use]
    pub fn of(wanted: bool, measured: Option<&'a ColdPairs>) -> Self {
        match measured {
            Some(pairs) => Pairs::Measured(pairs),
            None if wanted => Pairs::NotMeasured,
            None => Pairs::NotWanted,
        }
    }
}

/// Judges `run` by the rules fixed in `design`.
#[must_use]
pub fn judge(design: &Design, run: &Run, aside: &Aside, pairs: Pairs, machine: &Machine) -> Judged {
    let comparisons = comparison::comparisons(design, run);
    let mut effects = effects::effects(design, run);
    if let Pairs::Measured(ColdPairs { design, run }) = pairs {
        effects.extend(effects::effects(design, run));
    }
    let unmeasured =
        if matches!(pairs, Pairs::NotMeasured) { vec!["memory".to_owned()] } else { Vec::new() };
    let reference = design.experiment.reference.as_ref();
    let placebo = stats::judge_placebo(&placebo_ratios(design, run));
    let point = PointRun::new(design, run, machine.page_bytes);
    let counted = point.counted(&aside.floors.samples);
    Judged {
        crossovers: crossover::crossovers(design, &comparisons),
        pass_crossovers: crossover::pass_crossovers(design, &comparisons),
        comparisons,
        explained: reference.map(|reference| effects::explained(reference, &effects, unmeasured)),
        effects,
        spreads: effects::spreads(design, &run.samples),
        latencies: latencies::latencies(run, &aside.timings),
        floors: floors::floors(&aside.floors, &counted),
        explanations: explain::explanations(&point, &counted),
        warnings: diagnosis::warnings(design, run, machine, placebo.as_ref()),
        placebo,
        more: more::more(design, run),
    }
}

/// Judges the run of a survey: besides the usual figures, every floor with its interval, and every
/// source as a multiple of the floor that it cannot beat.
#[must_use]
pub fn judge_survey(design: &Design, run: &Run, aside: &Aside, machine: &Machine) -> Judged {
    let judged = judge(design, run, aside, Pairs::NotWanted, machine);
    let point = PointRun::new(design, run, machine.page_bytes);
    let counted = point.counted(&aside.floors.samples);
    let floors = judged.floors.map(|floors| Floors {
        estimates: estimate::estimates(&counted, machine.page_bytes),
        sources: floor_ratio::sources(&point, &counted),
        ..floors
    });
    Judged { floors, ..judged }
}
