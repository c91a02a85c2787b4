//! One run of an experiment on this machine, from the user's wish to the result.

use std::rc::Rc;
use std::time::{Duration, Instant};

use results::{LabResult, Refused, Stopped};
use sys::interrupt::Interrupt;

use crate::bisect;
use crate::cold;
use crate::design::arrangement::{self, Arrangement, Ground};
use crate::design::capacity::{self, Limits};
use crate::design::factorial;
use crate::design::randomization::Orders;
use crate::design::{ArmPlan, Design, Memory, Point, Role, Schedule};
use crate::inside::access_pattern::{Handling, Touch};
use crate::judge::diagnosis::{cap_for, doubts, exactly, seconds};
use crate::judge::explain;
use crate::judge::latencies::{self, TakenTimings};
use crate::judge::sign_judge::SignJudge;
use crate::question::arm::ArmSpec;
use crate::question::experiment::{Metric, Subject};
use crate::question::quantity::nanoseconds;
use crate::question::request::{BenchError, MAX_TIME, Request};
use crate::result::assemble::{Context, assemble};
use crate::run::children::{COLDNESS, Children, Surroundings, TakenFloors};
use crate::run::files::Files;
use crate::run::mmap_threshold;
use crate::run::observe::observe;
use crate::run::session::{self, Progress, Run, placebo_ratios};
use crate::survey;

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The observed run of an arm begins.
    Observing(String),
    /// Something that the user should know before the run goes on.
    Notice(String),
    /// The session moved on.
    Progress(Progress),
    /// A crossover is searched for: the arm, and where.
    Bisecting(String),
    /// A pair of a cold and a warm sample begins: which, and of how many.
    ColdPair(usize, usize),
}

/// Runs the experiment.
///
/// # Errors
/// [`BenchError`] when nothing could be measured. An arm that cannot be had is no error: it is in `refused`.
pub fn bench(request: &Request, interrupt: Interrupt, mut watch: impl FnMut(Event)) -> Result<LabResult, BenchError> {
    if request.experiment.subject == Subject::Floors {
        return survey::survey(request, interrupt, watch);
    }
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now());
    let machine = crate::design::machine::describe();
    let ground = ground(request, &machine)?;
    let (mut design, mut refused) = design(request, &ground)?;
    let pairs = cold::wanted(request, &ground);
    let cold_wanted = pairs.is_some();
    if cold_wanted {
        design.schedule.cap = design.schedule.cap.map(cold::leave_time);
        design.pairs_follow = true;
    }
    if request.experiment.bisect {
        design.schedule.cap = design.schedule.cap.map(bisect::leave_time);
    }
    // Asked for once: from here on this process moves from one of them to the next.
    let cpus = request.cpu.map_or_else(sys::process::allowed_cpus, |cpu| vec![cpu]);
    let files = Rc::new(Files::make(&design, &request.directory()));
    let surroundings = Surroundings { interrupt, started, cpus, files };
    let mut children = Children::new(&design, surroundings.clone())?;
    refuse_too_many(&design, &mut children)?;

    let observing = Instant::now();
    let (design, observed, missing) = observe(&design, &mut children, |arm| watch(Event::Observing(arm)))?;
    refused.extend(missing);
    comparable(&design, &refused)?;
    // One sample of each arm has been run: a first idea of how long a block takes.
    if let Some(notice) = too_short(&design, observing.elapsed(), started.elapsed()) {
        watch(Event::Notice(notice));
    }

    let turning_points = mmap_threshold::find(&design, &observed, &mut children);
    let (run, (floors, timings)) = run(&design, surroundings.clone(), &mut watch)?;
    let cold = match pairs {
        Some(pairs) if run.stopped != Some(Stopped::Interrupted) => {
            cold::run(pairs, &design, surroundings.clone(), request.cap(), &mut watch)?
        }
        _ => None,
    };
    let placebo = stats::judge_placebo(&placebo_ratios(&design, &run));
    let mut warnings = doubts(&design, &run, &machine, placebo.as_ref());
    warnings.extend(observed.iter().find_map(|observation| observation.warning.clone()));
    let context = Context {
        started: started_at.to_string(),
        elapsed_ns: nanoseconds(started.elapsed()),
        machine,
        observed: observed.into_iter().map(|o| (o.traps, o.observed)).collect(),
        refused,
        turning_points,
        warnings,
        placebo,
        cap: request.cap(),
        cold_wanted,
        cold,
    };
    let mut result = assemble(&design, run, context);
    let asked = &mut result.experiment;
    asked.asked_arms = request.arms.iter().map(|arm| arm.name.clone()).collect();
    asked.asked_passes = match request.passes.as_deref() {
        Some(&[one]) => Some(u64::from(one)),
        _ => None,
    };
    asked.asked_directory = request.directory.as_ref().map(|path| path.display().to_string());
    latencies::attach(&mut result, &design, &timings);
    explain::attach(&mut result, floors);
    if let (true, Subject::Arms { baseline, arms, .. }) = (request.experiment.bisect, &request.experiment.subject) {
        let specs = request.others(baseline, arms);
        bisect::narrow(&mut result, &design, (&ground, &specs), &surroundings, request.cap(), &mut watch)?;
        result.elapsed_ns = nanoseconds(started.elapsed());
    }
    Ok(result)
}

/// What was taken beside the samples: floors, and touches timed one by one.
type Aside = (TakenFloors, Vec<TakenTimings>);

/// A session of `design`: in the orders of its seed, with real children, by the judge of docs/method.md.
pub(crate) fn measure(
    design: &Design,
    surroundings: Surroundings,
    watch: impl FnMut(&Progress),
) -> Result<(Run, Aside), BenchError> {
    let mut children = Children::new(design, surroundings)?;
    let points = (0..design.points.len()).map(|point| design.arms_of(point).collect()).collect();
    let mut orders = Orders::new(points, design.seed);
    let mut judge = SignJudge::new(design.contrasts.len(), design.margin);
    let run = session::run(design, |index| orders.order(index), &mut judge, &mut children, watch);
    Ok((run, children.into_taken()))
}

/// The session of the arms; an error if nothing came of it.
fn run(design: &Design, surroundings: Surroundings, watch: &mut impl FnMut(Event)) -> Result<(Run, Aside), BenchError> {
    let (run, aside) = measure(design, surroundings, |progress| watch(Event::Progress(*progress)))?;
    let in_dropped = run.dropped.iter().any(|dropped| !dropped.samples.is_empty());
    if in_dropped || run.samples.iter().any(|samples| !samples.is_empty()) {
        return Ok((run, aside));
    }
    let mut essential = (0..design.arms.len()).filter(|&arm| design.essential(arm));
    let broke = essential.find_map(|arm| Some((arm, run.removals[arm].as_ref()?)));
    Err(match broke {
        Some((arm, removal)) => {
            BenchError::Baseline { arm: essential_name(design, arm), reason: removal.reason.clone() }
        }
        None => BenchError::Interrupted,
    })
}

/// What can be known before a child is started of what the machine allows.
pub(crate) fn ground(request: &Request, machine: &results::Machine) -> Result<Ground, BenchError> {
    if let Some(cpu) = request.cpu {
        let allowed = sys::process::allowed_cpus();
        if !allowed.contains(&cpu) {
            let allowed = allowed.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            return Err(BenchError::Cpu { cpu, allowed });
        }
    }
    if request.memory == Memory::Cold && sys::machine::free_page_reporting() == Some(false) {
        return Err(BenchError::NothingCold);
    }
    let pages = sys::facts::HugePages::now();
    Ok(Ground {
        page_bytes: machine.page_bytes,
        thp: machine.thp.clone(),
        thp_common: pages.enabled,
        page_sizes: pages.sizes.unwrap_or_default(),
        pools: sys::facts::hugetlb_pools(),
        left_bytes: Limits::now().left_bytes(),
        memory: request.memory,
    })
}

/// Everything that can be decided before a child is started: the design, and the arms that it cannot have.
pub(crate) fn design(request: &Request, ground: &Ground) -> Result<(Design, Vec<Refused>), BenchError> {
    let Arrangement { points, arms, contrasts, placebo, factors, refused } = arrangement(request, ground)?;
    let limits = Limits::now();
    // The largest first: what it asks for is what stands in the way of most.
    for arm in arms.iter().rev() {
        capacity::check(ground.needed_bytes(&arm.work), &limits.with_threads(arm.work.threads))
            .map_err(|refusal| BenchError::Capacity { size_bytes: arm.work.size_bytes, refusal })?;
    }
    let schedule = match request.blocks {
        Some(blocks) => Schedule::fixed(usize::try_from(blocks).unwrap_or(usize::MAX), request.cap()),
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
        comparable(&design, &refused)?;
    }
    Ok((design, refused))
}

fn arrangement(request: &Request, ground: &Ground) -> Result<Arrangement, BenchError> {
    let (sizes, threads) = (request.sizes_bytes(), request.threads());
    match &request.experiment.subject {
        Subject::Arms { baseline, arms, common } => {
            let points = points(sizes, threads, request.passes());
            let others = request.others(baseline, arms);
            let metric = request.experiment.metric;
            if request.passes().len() > 1 && matches!(metric, Metric::Total | Metric::Obtain | Metric::FirstTouch) {
                let name = &request.experiment.name;
                return Err(BenchError::Unfit(format!(
                    "{name} compares {}, which the touches after the first are not in: a sweep over passes would compare the \
                     same again and again. Give metric = \"whole_ns\" in a file, or take map-or-copy",
                    metric.name()
                )));
            }
            for (spec, &passes) in
                others.iter().chain([baseline]).flat_map(|spec| request.passes().iter().map(move |n| (spec, n)))
            {
                let handling = Handling { passes, ..spec.handling.over(common.handling) };
                if let Some(reason) = spec.source.and_then(|source| handling.unfit(source)) {
                    return Err(BenchError::Unfit(reason));
                }
            }
            let timed = |arm: &ArmSpec| arm.handling.over(common.handling).touch == Touch::Timed;
            if (points.len() > 1 || threads != [1]) && others.iter().chain([baseline]).any(timed) {
                let wish = "touches are timed at one size and in one thread: give one --size, and no --threads";
                return Err(BenchError::Unfit(wish.to_owned()));
            }
            if threads != [1] && others.iter().any(|arm| arm.extra > 0.0) {
                let wish = "an injected arm is the work of one thread: leave out --threads, or the arm";
                return Err(BenchError::Unfit(wish.to_owned()));
            }
            Ok(arrangement::arms(ground, baseline, &others, *common, &points))
        }
        Subject::Floors => survey::arrangement(request, ground),
        Subject::Factors(factors) => {
            let name = &request.experiment.name;
            if !request.arms.is_empty() {
                return Err(BenchError::Unfit(format!("{name} is made of factors, not of arms: leave out --arm")));
            }
            if sizes.len() > 1 || threads != [1] || !request.passes().is_empty() {
                return Err(BenchError::Unfit(format!(
                    "{name} crosses its factors at one size and with one thread: give one --size, and neither --threads \
                     nor --passes"
                )));
            }
            let arrangement = factorial::cells(ground, factors, sizes[0]);
            match arrangement.refused.first() {
                Some(refused) => Err(BenchError::NothingToCompare(format!("{}: {}", refused.arm, refused.reason))),
                None => Ok(arrangement),
            }
        }
    }
}

/// Every combination; where there are no passes to sweep over, each arm has its own.
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

fn comparable(design: &Design, refused: &[Refused]) -> Result<(), BenchError> {
    if !design.contrasts.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = refused.iter().map(|r| format!("{}: {}", r.arm, r.reason)).collect();
    Err(BenchError::NothingToCompare(reasons.join("; ")))
}

/// What to call an arm without which nothing can be compared. The placebo is the baseline under another name.
pub(crate) fn essential_name(design: &Design, arm: usize) -> String {
    let plan = &design.arms[arm];
    let same_point = |other: &&ArmPlan| other.role == Role::Baseline && other.point == plan.point;
    let baseline = design.arms.iter().find(same_point).map_or(&plan.name, |baseline| &baseline.name);
    match plan.role {
        Role::Baseline | Role::Placebo => format!("baseline {baseline}"),
        Role::Compared => format!("cell \"{}\"", plan.name),
    }
}

/// A sweep of which not one block fits into the time is refused with the time that it would take, by the time of its
/// smallest and its largest sample, and so is cold memory. A single point of warm memory goes on: what it can say in the
/// time, it says.
fn refuse_too_many(design: &Design, children: &mut Children) -> Result<(), BenchError> {
    /// Nobody waits longer for a sweep without a time cap by accident.
    const NO_CAP: Duration = Duration::from_hours(24);
    let cap = design.schedule.cap.unwrap_or(NO_CAP);
    let long = design.points.len() > 1 || design.memory == Memory::Cold;
    let Some(blocks) = design.schedule.looks.first().map(|look| look.blocks).filter(|_| long) else {
        return Ok(());
    };
    let bytes = |arm: usize| (design.arms[arm].work.size_bytes * design.arms[arm].work.operations) as f64;
    let by_size = |a: &usize, b: &usize| bytes(*a).total_cmp(&bytes(*b));
    let (Some(small), Some(large)) = ((0..design.arms.len()).min_by(by_size), (0..design.arms.len()).max_by(by_size))
    else {
        return Ok(());
    };
    let mut time = |arm: usize| {
        let start = Instant::now();
        // If it breaks, the observed run will say so.
        let _ = children.observe(&design.arms[arm].work);
        start.elapsed().as_secs_f64()
    };
    let _ = time(small); // the first child of all brings the program into memory
    let (low, high) = (time(small), time(large));
    let per_byte = ((high - low) / (bytes(large) - bytes(small)).max(1.0)).max(0.0);
    let wait = if design.memory == Memory::Cold { COLDNESS.as_secs_f64() } else { 0.0 };
    let block: f64 = (0..design.arms.len()).map(|arm| wait + low + per_byte * (bytes(arm) - bytes(small))).sum();
    if block <= cap.as_secs_f64() {
        return Ok(());
    }
    let text = |factor: f64| seconds(Duration::from_secs_f64(block * factor));
    Err(BenchError::TooManyPoints {
        points: design.points.len(),
        samples: design.arms.len(),
        block: text(1.0),
        blocks,
        all: text(1.1 * (blocks + 1) as f64),
        cap: exactly(cap),
    })
}

/// What to say before the first block when the first look will not fit.
fn too_short(design: &Design, block_time: Duration, now: Duration) -> Option<String> {
    let block_time = match design.memory {
        Memory::Warm => block_time,
        Memory::Cold => block_time + COLDNESS * u32::try_from(design.arms.len()).unwrap_or(u32::MAX),
    };
    let (first, cap) = (design.schedule.looks.first()?.blocks, design.schedule.cap?);
    let needed = cap_for(first, block_time, now);
    (now + block_time.mul_f64(first as f64) > cap).then(|| {
        format!(
            "{first} blocks will take about {}, and there is time for {}: verdicts may stay open. \
             Give --max-time {}, or fewer {}",
            seconds(needed),
            exactly(cap),
            seconds(design.whole_cap(needed)),
            if design.points.len() > 1 { "points" } else { "arms" }
        )
    })
}
