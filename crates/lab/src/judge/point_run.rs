//! A run at one point, for comparison with its floors.

use results::{FloorSample, Sample};
use sample::access_pattern::AccessPattern;
use sample::source::Source;

use crate::design::work::Work;
use crate::design::{Design, Role};
use crate::question::preload::Environment;
use crate::run::Run;

/// A run at one point.
#[derive(Debug, Clone)]
pub struct PointRun<'a> {
    /// The arms that did not leave the run.
    pub arms: Vec<ArmRun<'a>>,
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// Blocks of memory in a sample.
    pub operations: u64,
    /// The size of a base page.
    pub page_bytes: u64,
    /// A difference below this share does not matter.
    pub margin: f64,
    /// The blocks of the design that do not count.
    pub dropped: Vec<u64>,
}

/// An arm of the run.
#[derive(Debug, Clone)]
pub struct ArmRun<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is the baseline's second appearance.
    pub placebo: bool,
    /// The source of its memory, if the memory is filled twice and nothing else is done with it.
    pub plain_source: Option<Source>,
    /// Its samples that count.
    pub samples: &'a [Sample],
}

impl<'a> PointRun<'a> {
    /// The run of `design` at its first point.
    #[must_use]
    pub fn new(design: &'a Design, run: &'a Run, page_bytes: u64) -> Self {
        let stayed = (0..design.arms.len()).filter(|&arm| run.removals[arm].is_none());
        let arm = |arm: usize| ArmRun {
            name: &design.arms[arm].name,
            placebo: design.arms[arm].role == Role::Placebo,
            plain_source: plain_source(&design.arms[arm].work),
            samples: &run.samples[arm],
        };
        PointRun {
            arms: stayed.map(arm).collect(),
            size_bytes: design.points.first().map_or(0, |point| point.size_bytes),
            operations: design.arms.first().map_or(0, |arm| arm.work.operations),
            page_bytes,
            margin: design.margin,
            dropped: run.dropped.iter().map(|dropped| dropped.block).collect(),
        }
    }

    /// Those of `floors` whose blocks were not dropped.
    #[must_use]
    pub fn counted<'f>(&self, floors: &'f [FloorSample]) -> Vec<&'f FloorSample> {
        floors.iter().filter(|sample| !self.dropped.contains(&sample.block)).collect()
    }
}

impl ArmRun<'_> {
    /// Its sample of `block`, if that counts.
    #[must_use]
    pub fn of_block(&self, block: u64) -> Option<&Sample> {
        self.samples.iter().find(|sample| sample.block == block)
    }
}

fn plain_source(work: &Work) -> Option<Source> {
    let plain = work.pattern == AccessPattern::default() && !work.one_mapping;
    (plain && work.environment == Environment::default()).then_some(work.source)
}
