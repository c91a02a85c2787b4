//! Puts runs and verdicts into a result. Nothing changes a result afterwards.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use lab::design::machine;
use lab::design::trial::Trial;
use lab::judge::diagnosis::warning;
use lab::nanoseconds;
use lab::run::{DroppedBlock, Run};
use results::compare::{
    EXPERIMENT, ObservedProgram, ProgramArm, ProgramExperiment, ProgramResult, ProgramSample,
    Proof, Race,
};
use results::{ArmSample, Dropped, Refused, Warning};
use sys::launch::Addresses;

use crate::design::ProgramDesign;
use crate::error::CompareError;
use crate::judge::{Judged, is_open, summary};
use crate::metric::ProgramMetric;
use crate::request::{CompareRequest, Way};

/// What happened before the first block.
#[derive(Debug)]
pub(crate) struct Before {
    /// The start of the run, in RFC 3339, UTC.
    pub(crate) started: String,
    /// Arms that were ruled out.
    pub(crate) refused: Vec<Refused<ProgramSample>>,
    /// By arm of the design: what was seen of its settings.
    pub(crate) proofs: Vec<Proof>,
    /// By name, the processes that were left behind; those of the blocks included in the end.
    pub(crate) left: Vec<LeftBehind>,
    /// The race that chose the arm, if there was one.
    pub(crate) race: Option<Race>,
}

/// Processes of one name that were left behind.
#[derive(Debug)]
pub(crate) struct LeftBehind {
    /// The name.
    pub(crate) name: String,
    /// The arms that left one.
    pub(crate) arms: Vec<String>,
    /// How many were left.
    pub(crate) count: u64,
}

impl LeftBehind {
    /// Adds `more` to `all`.
    pub(crate) fn add(all: &mut Vec<LeftBehind>, more: LeftBehind) {
        let Some(known) = all.iter_mut().find(|known| known.name == more.name) else {
            all.push(more);
            return;
        };
        known.count += more.count;
        for arm in more.arms {
            if !known.arms.contains(&arm) {
                known.arms.push(arm);
            }
        }
    }
}

/// What a run came with, besides its samples and its judgement.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) before: Before,
    /// The time of the whole run.
    pub(crate) elapsed: Duration,
    /// By arm of the design: its observed run.
    pub(crate) observed: Vec<Option<ObservedProgram>>,
}

/// An error if there is no sample to show.
///
/// # Errors
/// The reason why the baseline left, or that the user interrupted it.
pub(crate) fn must_have_samples(
    design: &ProgramDesign,
    run: &Run<ProgramSample>,
) -> Result<(), CompareError> {
    let in_dropped = run.dropped.iter().any(|dropped| !dropped.samples.is_empty());
    if in_dropped || run.samples.iter().any(|samples| !samples.is_empty()) {
        return Ok(());
    }
    let mut essential = (0..design.arms()).filter(|&arm| design.is_essential(arm));
    let broke = essential.find_map(|arm| run.removals[arm].as_ref());
    Err(match broke {
        Some(removal) => {
            CompareError::Baseline { arm: design.name(0), reason: removal.reason.clone() }
        }
        None => CompareError::Interrupted,
    })
}

/// Assembles the result.
#[must_use]
pub(crate) fn assemble(
    request: &CompareRequest,
    design: &ProgramDesign,
    run: Run<ProgramSample>,
    judged: Judged,
    context: Context,
) -> ProgramResult {
    let open = is_open(&judged.comparisons, &design.metrics);
    let Context { before, elapsed, observed } = context;
    let dropped = run.dropped.iter().map(|block| dropped(design, block)).collect();
    let (arms, removed) = arms(design, run.samples, run.removals, observed, &before.proofs);
    let left = left_behind(&before.left, request.way.load.is_some());
    ProgramResult {
        started: before.started,
        elapsed_ns: nanoseconds(elapsed),
        seed: request.seed,
        stopped: run.stopped,
        more: open.then_some(judged.more),
        machine: machine::describe(),
        warnings: judged.warnings.into_iter().chain(left).collect(),
        experiment: experiment(request, design),
        looks: run.looks.iter().map(|look| look.blocks as u64).collect(),
        arms,
        blocks: run.blocks,
        dropped,
        refused: [before.refused, removed].concat(),
        comparisons: judged.comparisons,
        placebo: judged.placebo,
        gates: judged.gates,
        race: before.race,
        ..ProgramResult::empty(env!("CARGO_PKG_VERSION"))
    }
}

fn experiment(request: &CompareRequest, design: &ProgramDesign) -> ProgramExperiment {
    let Way { load, .. } = &request.way;
    let load = load.as_ref();
    ProgramExperiment {
        name: EXPERIMENT.to_owned(),
        question: question(&request.metrics),
        metric: design.metrics[0].key().to_owned(),
        metrics: design.metrics.iter().map(|metric| metric.key().to_owned()).collect(),
        margin: design.margin,
        command: words(&request.command),
        prepare: request.way.prepare.clone(),
        cleanup: request.way.cleanup.clone(),
        stdin: request.way.stdin.as_ref().map(|path| path.display().to_string()),
        shell: request.way.shell,
        load: load.map(|load| load.command.clone()),
        ready: load.and_then(|load| load.ready.clone()),
        figure: request.way.figure.clone(),
        settle_ns: request.way.settle.map(nanoseconds),
        aslr: match request.way.addresses {
            Addresses::Inherited => None,
            Addresses::Fixed => Some(false),
            Addresses::Random => Some(true),
        },
        cpus: request.way.cpus.clone(),
        nice: request.way.nice,
        max_time_ns: design.schedule.cap.map(nanoseconds),
        asked_blocks: request.blocks,
    }
}

fn question(metrics: &[ProgramMetric]) -> String {
    let times = |metric: &ProgramMetric| {
        matches!(
            metric,
            ProgramMetric::Wall
                | ProgramMetric::User
                | ProgramMetric::Sys
                | ProgramMetric::Cpu
                | ProgramMetric::Figure
        )
    };
    let kind = match (metrics.iter().all(times), metrics.iter().any(times)) {
        (true, _) => "faster or slower",
        (_, true) => "faster or smaller",
        _ => "smaller or larger",
    };
    format!("Does another way of running this program make it {kind}?")
}

type Removals = Vec<Option<lab::run::Removal>>;

/// The rows of the arms that stayed, the placebo last, and the arms that left.
fn arms(
    design: &ProgramDesign,
    samples: Vec<Vec<ProgramSample>>,
    removals: Removals,
    mut observed: Vec<Option<ObservedProgram>>,
    proofs: &[Proof],
) -> (Vec<ProgramArm>, Vec<Refused<ProgramSample>>) {
    observed.resize(design.arms(), None);
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    for (index, ((samples, removal), observed)) in
        samples.into_iter().zip(removals).zip(observed).enumerate()
    {
        if let Some(removal) = removal {
            let (reason, failed) = (removal.reason, removal.failed);
            refused.push(Refused { arm: design.name(index), reason, failed, samples });
            continue;
        }
        let arm = design.arm(index);
        rows.push(ProgramArm {
            name: design.name(index),
            baseline: index == 0,
            placebo: index == design.arms.len(),
            command: words(&arm.command),
            environment: environment(&arm.variables),
            huge_pages_off: arm.huge_pages_off,
            proof: proofs.get(index).cloned(),
            observed,
            summary: summary(&samples),
            samples,
        });
    }
    (rows, refused)
}

fn dropped(
    design: &ProgramDesign,
    dropped: &DroppedBlock<ProgramSample>,
) -> Dropped<ProgramSample> {
    let named = |(arm, sample): &(usize, ProgramSample)| ArmSample {
        arm: design.name(*arm),
        sample: sample.clone(),
    };
    Dropped {
        block: dropped.block,
        reason: dropped.reason.clone(),
        samples: dropped.samples.iter().map(named).collect(),
    }
}

/// Processes that were left behind, which no figure includes.
fn left_behind(left: &[LeftBehind], is_served: bool) -> Option<Warning> {
    if left.is_empty() {
        return None;
    }
    let names: Vec<String> = left
        .iter()
        .map(
            |LeftBehind { name, count, .. }| {
                if *count == 1 { name.clone() } else { format!("{name} ({count} times)") }
            },
        )
        .collect();
    let names = names.join(", ");
    let message = if is_served {
        format!(
            "the program left processes running when it was asked to end, whose times and faults \
             are in no figure: {names}. If a shell starts it, write exec before its name"
        )
    } else {
        format!(
            "processes outlived the program: their time, faults and memory are in no figure, and \
             those that still ran after a second were ended: {names}. Measure a program that waits \
             for what it starts, or one that stays with --load or --settle"
        )
    };
    let mut arms: Vec<String> = left.iter().flat_map(|one| one.arms.clone()).collect();
    arms.sort();
    arms.dedup();
    Some(warning("left-behind", message, arms))
}

pub(crate) fn words(command: &[OsString]) -> Vec<String> {
    command.iter().map(|word| text(word)).collect()
}

fn text(word: &OsStr) -> String {
    word.to_string_lossy().into_owned()
}

pub(crate) fn environment(
    variables: &[(OsString, Option<OsString>)],
) -> BTreeMap<String, Option<String>> {
    variables.iter().map(|(name, value)| (text(name), value.as_deref().map(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_arms_that_left_a_process_are_named() {
        let mut all = Vec::new();
        for (name, arm) in [("redis", "a"), ("redis", "b"), ("sleep", "b"), ("redis", "a")] {
            let (name, arms) = (name.to_owned(), vec![arm.to_owned()]);
            LeftBehind::add(&mut all, LeftBehind { name, arms, count: 1 });
        }
        let warning = left_behind(&all, false).expect("a warning");
        assert_eq!(warning.arms, ["a", "b"]);
        assert!(warning.message.contains("redis (3 times), sleep."), "{}", warning.message);
        assert_eq!(left_behind(&[], false), None);
    }
}
