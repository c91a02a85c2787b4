//! Turns a request into a design: everything that can be decided before a child is started.

use results::Refused;
use sample::access_pattern::{AccessPattern, Touch};

use crate::design::arrangement::{self, Arrangement};
use crate::design::capacity::{self, MemoryLimits};
use crate::design::error::BenchError;
use crate::design::machine_limits::MachineLimits;
use crate::design::schedule::Schedule;
use crate::design::time_budget::{cap_before_bisections, cap_before_pairs};
use crate::design::{Design, Point, factorial, survey};
use crate::question::arm::ArmSpec;
use crate::question::defaults::Defaults;
use crate::question::experiment::{Factors, Metric, Subject};
use crate::question::request::{BenchRequest, MAX_TIME};

/// The plan of a run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The main session.
    pub design: Design,
    /// The pairs of cold and warm samples that follow it.
    pub pairs: Option<Arrangement>,
    /// Arms that are not available here.
    pub refused: Vec<Refused>,
}

/// Plans a run. The main session shares its time with what follows: pairs of cold and warm samples,
/// or bisections.
///
/// # Errors
/// As [`design`].
pub(crate) fn plan(request: &BenchRequest, limits: &MachineLimits) -> Result<Plan, BenchError> {
    let (mut design, refused) = design(request, limits)?;
    let pairs = factorial::cold_pairs_wanted(request, limits);
    if pairs.is_some() {
        design.schedule.cap = design.schedule.cap.map(cap_before_pairs);
        design.pairs_follow = true;
    }
    if request.experiment.bisect {
        design.schedule.cap = design.schedule.cap.map(cap_before_bisections);
    }
    Ok(Plan { design, pairs, refused })
}

/// The design of `request`, and the arms that are not available here.
///
/// # Errors
/// Options that do not fit the experiment, or more memory than the machine has.
pub(crate) fn design(
    request: &BenchRequest,
    limits: &MachineLimits,
) -> Result<(Design, Vec<Refused>), BenchError> {
    let Arrangement { points, arms, contrasts, placebo, factors, refused } =
        arrangement(request, limits)?;
    let memory = MemoryLimits::now();
    // The largest sample is checked first, since most limits are about it.
    for arm in arms.iter().rev() {
        capacity::check(limits.needed_bytes(&arm.work), &memory.with_threads(arm.work.threads))
            .map_err(|refusal| BenchError::Capacity { size_bytes: arm.work.size_bytes, refusal })?;
    }
    let schedule = match request.blocks {
        Some(blocks) => {
            Schedule::fixed(usize::try_from(blocks).unwrap_or(usize::MAX), request.cap())
        }
        None => Schedule::sequential(request.cap().unwrap_or(MAX_TIME)),
    };
    let design = Design {
        experiment: request.experiment.clone(),
        points,
        arms,
        contrasts,
        placebo,
        factors,
        schedule,
        blocks: request.blocks,
        margin: request.margin.unwrap_or(request.experiment.margin),
        seed: request.seed,
        cpu: request.cpu,
        memory: request.memory,
        swept: None,
        pairs_follow: false,
    };
    if design.experiment.subject != Subject::Floors {
        design.comparable(&refused)?;
    }
    Ok((design, refused))
}

fn arrangement(request: &BenchRequest, limits: &MachineLimits) -> Result<Arrangement, BenchError> {
    match &request.experiment.subject {
        Subject::Arms { baseline, arms, defaults } => {
            let others = request.others(baseline, arms);
            check_arms(request, baseline, &others, *defaults)?;
            let points = points(request.sizes_bytes(), request.threads(), request.passes());
            Ok(arrangement::arms(limits, baseline, &others, *defaults, &points))
        }
        Subject::Floors => survey::arrangement(request, limits),
        Subject::Factors(factors) => cells(request, limits, factors),
    }
}

/// Refuses sweeps and touches that the arms cannot do.
fn check_arms(
    request: &BenchRequest,
    baseline: &ArmSpec,
    others: &[ArmSpec],
    defaults: Defaults,
) -> Result<(), BenchError> {
    let all = || others.iter().chain([baseline]);
    let metric = request.experiment.metric;
    if request.passes().len() > 1
        && matches!(metric, Metric::Total | Metric::Obtain | Metric::FirstTouch)
    {
        let name = &request.experiment.name;
        return Err(BenchError::Unfit(format!(
            "{name} compares {}, which does not include touches after the first, so a sweep over \
             passes has no effect. Set metric = \"whole_ns\" in a file, or use map-or-copy",
            metric.name()
        )));
    }
    for (spec, &passes) in all().flat_map(|spec| request.passes().iter().map(move |n| (spec, n))) {
        let pattern = AccessPattern { passes, ..spec.overrides.over(defaults.pattern) };
        if let Some(reason) = spec.source.and_then(|source| pattern.unfit(source)) {
            return Err(BenchError::Unfit(reason));
        }
    }
    let several_threads = request.threads() != [1];
    let several_points =
        request.sizes_bytes().len() > 1 || several_threads || request.passes().len() > 1;
    let timed = |arm: &ArmSpec| arm.overrides.over(defaults.pattern).touch == Touch::Timed;
    if several_points && all().any(timed) {
        let wish = "touches are timed at one size and in one thread: give one --size, and leave \
                    out --threads";
        return Err(BenchError::Unfit(wish.to_owned()));
    }
    if several_threads && others.iter().any(|arm| arm.extra > 0.0) {
        let wish = "an injected arm works in one thread: leave out --threads, or the arm";
        return Err(BenchError::Unfit(wish.to_owned()));
    }
    Ok(())
}

fn cells(
    request: &BenchRequest,
    limits: &MachineLimits,
    factors: &Factors,
) -> Result<Arrangement, BenchError> {
    let name = &request.experiment.name;
    if !request.arms.is_empty() {
        return Err(BenchError::Unfit(format!(
            "{name} has factors instead of arms: leave out --arm"
        )));
    }
    let sizes = request.sizes_bytes();
    if sizes.len() > 1 || request.threads() != [1] || !request.passes().is_empty() {
        return Err(BenchError::Unfit(format!(
            "{name} crosses its factors at one size and with one thread: give one --size, and \
             leave out --threads and --passes"
        )));
    }
    let arrangement = factorial::cells(limits, factors, sizes[0]);
    match arrangement.refused.first() {
        Some(refused) => {
            Err(BenchError::NothingToCompare(format!("{}: {}", refused.arm, refused.reason)))
        }
        None => Ok(arrangement),
    }
}

/// Every combination; without a sweep over passes, each arm has its own number.
fn points(sizes: &[u64], threads: &[u64], passes: &[u32]) -> Vec<Point> {
    let passes: Vec<Option<u32>> =
        if passes.is_empty() { vec![None] } else { passes.iter().copied().map(Some).collect() };
    let mut points = Vec::with_capacity(sizes.len() * threads.len() * passes.len());
    for &threads in threads {
        for &passes in &passes {
            points.extend(sizes.iter().map(|&size_bytes| Point { size_bytes, threads, passes }));
        }
    }
    points
}
