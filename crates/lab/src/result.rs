//! Assembles a result from a run and its judgement. Nothing changes a result afterwards.

mod experiment;
mod rows;

use std::time::Duration;

use results::{LabResult, Machine, Refused, Stopped, TurningPoint};

use crate::design::Design;
use crate::judge::{Judged, comparison};
use crate::run::observe::ObservedArm;
use crate::run::{ColdPairs, Run};
pub(crate) use experiment::Asked;

/// The context of a run, besides its samples and its judgement.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The start of the run, in RFC 3339, UTC.
    pub started: String,
    /// The time of the whole run.
    pub elapsed_ns: u64,
    /// The machine that it ran on.
    pub machine: Machine,
    /// What the user requested.
    pub asked: Asked,
    /// The time cap of the whole run.
    pub cap: Option<Duration>,
    /// By arm of the design: its observed run.
    pub observed: Vec<ObservedArm>,
    /// Arms that were ruled out before the design was made.
    pub refused: Vec<Refused>,
    /// The sizes at which allocators switch from the program break to mappings.
    pub turning_points: Vec<TurningPoint>,
    /// The pairs of cold and warm samples, if they were measured.
    pub cold: Option<ColdPairs>,
}

/// Assembles the result.
#[must_use]
pub(crate) fn assemble(design: &Design, run: Run, judged: Judged, context: Context) -> LabResult {
    let looks = run.looks.iter().map(|look| look.blocks as u64).collect();
    let (mut stopped, mut blocks, mut dropped) =
        (run.stopped, run.blocks.clone(), rows::dropped(design, &run));
    let page_bytes = context.machine.page_bytes;
    let (mut arms, removed) =
        rows::rows(design, run, &context.observed, judged.latencies, page_bytes);
    let mut refused = [context.refused, removed].concat();
    if let Some(pairs) = context.cold {
        let pairs = following(pairs, blocks.len() as u64);
        stopped = stopped.or(pairs.run.stopped.filter(|&stopped| stopped == Stopped::Interrupted));
        blocks.extend(pairs.run.blocks.clone());
        dropped.extend(rows::dropped(&pairs.design, &pairs.run));
        rows::add_pairs(&mut arms, &mut refused, pairs);
    }
    let warning = context.observed.iter().find_map(|observation| observation.warning.clone());
    LabResult {
        schema: results::SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: context.started,
        elapsed_ns: context.elapsed_ns,
        seed: design.seed,
        stopped,
        more: Some(judged.more),
        machine: context.machine,
        warnings: judged.warnings.into_iter().chain(warning).collect(),
        experiment: experiment::experiment(design, context.cap, context.asked),
        looks,
        arms,
        blocks,
        dropped,
        refused,
        comparisons: judged.comparisons,
        explained: judged.explained,
        effects: judged.effects,
        spreads: judged.spreads,
        crossovers: judged.crossovers,
        pass_crossovers: judged.pass_crossovers,
        turning_points: context.turning_points,
        placebo: judged.placebo.map(comparison::placebo),
        floors: judged.floors,
        explanations: judged.explanations,
    }
}

/// Renumbers the blocks of `pairs` from `first` on.
fn following(mut pairs: ColdPairs, first: u64) -> ColdPairs {
    let run = &mut pairs.run;
    run.blocks.iter_mut().for_each(|block| block.block += first);
    run.samples.iter_mut().flatten().for_each(|sample| sample.block += first);
    for block in &mut run.dropped {
        block.block += first;
        block.samples.iter_mut().for_each(|(_, sample)| sample.block += first);
    }
    pairs
}
