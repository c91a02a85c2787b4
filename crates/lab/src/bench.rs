//! One run of an experiment on this machine, from the user's wish to the result.

use std::time::{Duration, Instant};

use results::{LabResult, Observed, Refused};
use sys::interrupt::Interrupt;

use crate::assemble::{Context, assemble};
use crate::capacity::{self, Limits, Refusal};
use crate::children::{Children, Surroundings};
use crate::design::{Design, Memory, Schedule, operations_for};
use crate::diagnosis::{cap_for, doubts, seconds};
use crate::experiment::Experiment;
use crate::explain;
use crate::judge::SignJudge;
use crate::plan::LatinOrders;
use crate::proof::{impossible, policy_took_effect};
use crate::quantity::nanoseconds;
use crate::session::{self, Progress, Run, log_ratios};
use crate::source::Source;

/// The warm-up touches this many times the memory of a sample (method.md, hygiene).
const WARM_UP: f64 = 1.2;

/// What the user wants. Where it says nothing, the experiment or the method decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The question.
    pub experiment: Experiment,
    /// Bytes of one block of memory.
    pub size_bytes: Option<u64>,
    /// Arms by name, beside the baseline; empty: those of the experiment.
    pub arms: Vec<Source>,
    /// Exactly so many blocks, instead of the scheduled looks.
    pub blocks: Option<u64>,
    /// The share below which a difference does not matter.
    pub margin: Option<f64>,
    /// The time cap; `None`: the default, or none with `blocks`.
    pub max_time: Option<Duration>,
    /// Every random choice follows from it.
    pub seed: u64,
    /// The processor to measure on.
    pub cpu: Option<u32>,
    /// The state of free memory to measure in.
    pub memory: Memory,
}

impl Request {
    /// The time cap in force: what the user says, or the default; none for a fixed number of blocks.
    #[must_use]
    pub fn cap(&self) -> Option<Duration> {
        self.max_time.or(self.blocks.is_none().then_some(MAX_TIME))
    }
}

/// The time cap unless the user says otherwise.
pub const MAX_TIME: Duration = Duration::from_mins(1);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// It would swap, fail or be killed.
    #[error("a sample needs {} bytes, more than {} allows", refusal.needed, refusal.limit)]
    Capacity {
        /// Bytes of one block of memory.
        size_bytes: u64,
        /// What stands in the way.
        refusal: Refusal,
    },
    /// `--cpu` names a processor that this process may not use.
    #[error("processor {cpu} is not among those that this process may use ({allowed})")]
    Cpu {
        /// The wish.
        cpu: u32,
        /// What there is.
        allowed: String,
    },
    /// `--memory cold` on a machine without a cold state.
    #[error(
        "there is no cold memory here: freed memory stays with this machine (no virtio balloon that reports free pages \
         to a host). Leave out --memory cold"
    )]
    NothingCold,
    /// The baseline cannot be had.
    #[error("the baseline {arm} cannot be measured: {reason}")]
    Baseline {
        /// Which.
        arm: String,
        /// Why.
        reason: String,
    },
    /// No arm is left to compare the baseline with.
    #[error("nothing is left to compare: {0}")]
    NothingToCompare(String),
    /// The program cannot start itself.
    #[error("cannot start children: {0}")]
    Children(#[from] std::io::Error),
    /// The user asked for the end before there was anything to show.
    #[error("interrupted before anything was measured")]
    Interrupted,
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The observed run of an arm begins.
    Observing(&'static str),
    /// Something that the user should know before the run goes on.
    Notice(String),
    /// The session moved on.
    Progress(Progress),
}

/// Runs the experiment.
///
/// # Errors
/// [`BenchError`] when nothing could be measured. An arm that cannot be had is no error: it is in `refused`.
pub fn bench(request: &Request, interrupt: Interrupt, mut watch: impl FnMut(Event)) -> Result<LabResult, BenchError> {
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now());
    let machine = crate::machine::describe();
    let (design, mut refused, warm_bytes) = design(request, machine.thp.as_deref(), machine.page_bytes)?;
    // Asked for once: from here on this process moves from one of them to the next.
    let cpus = request.cpu.map_or_else(sys::process::allowed_cpus, |cpu| vec![cpu]);
    let surroundings = Surroundings { interrupt, started, warm_bytes, cpus };
    let mut children = Children::new(&design, surroundings.clone())?;

    let observing = Instant::now();
    let (design, observed) = observe(&design, &mut children, &mut refused, &mut watch)?;
    // One sample of each arm has been run: a first idea of how long a block takes.
    if let Some(notice) = too_short(&design, observing.elapsed(), started.elapsed()) {
        watch(Event::Notice(notice));
    }

    let mut children = Children::new(&design, surroundings)?;
    let mut orders = LatinOrders::new(design.arms.len(), design.seed);
    let mut judge = SignJudge::new(design.arms.len() - 2, design.margin);
    let run = session::run(
        &design,
        |index| orders.order(index).to_vec(),
        &mut judge,
        &mut children,
        |progress| {
            watch(Event::Progress(*progress));
        },
    );
    if run.samples[Design::BASELINE].is_empty() && run.dropped.iter().all(|dropped| dropped.samples.is_empty()) {
        // The placebo is the baseline under another name: whichever broke first says why.
        let broke = [Design::BASELINE, design.placebo()].into_iter().find_map(|arm| run.removals[arm].as_ref());
        return Err(match broke {
            Some(removal) => baseline_error(&design, removal.reason.clone()),
            None => BenchError::Interrupted,
        });
    }
    let mut result = finish(&design, run, machine, observed, refused, &started_at.to_string(), started.elapsed());
    explain::attach(&mut result, children.into_floors());
    Ok(result)
}

fn finish(
    design: &Design,
    run: Run,
    machine: results::Machine,
    observed: Vec<Observation>,
    refused: Vec<Refused>,
    started: &str,
    elapsed: Duration,
) -> LabResult {
    let placebo = stats::judge_placebo(&log_ratios(design, &run, design.placebo()));
    let mut warnings = doubts(design, &run, &machine, placebo.as_ref());
    warnings.extend(observed.iter().find_map(|observation| observation.warning.clone()));
    let context = Context {
        started: started.to_owned(),
        elapsed_ns: nanoseconds(elapsed),
        machine,
        observed: observed.into_iter().map(|o| (o.traps, o.observed)).collect(),
        refused,
        warnings,
        placebo,
    };
    assemble(design, run, context)
}

/// Everything that can be decided before a child is started: the design, the arms that it cannot have, and the size of
/// the warm-up.
fn design(request: &Request, thp: Option<&str>, page_bytes: u64) -> Result<(Design, Vec<Refused>, u64), BenchError> {
    let experiment = &request.experiment;
    let size_bytes = request.size_bytes.unwrap_or(experiment.size_bytes);
    let operations = operations_for(size_bytes, page_bytes);
    let (needed, limits) = (capacity::needed_bytes(size_bytes, operations, page_bytes), Limits::now());
    capacity::check(needed, &limits).map_err(|refusal| BenchError::Capacity { size_bytes, refusal })?;
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
    let wanted = if request.arms.is_empty() { &experiment.arms } else { &request.arms };
    let mut refused = Vec::new();
    let mut others = Vec::new();
    for &source in wanted.iter().filter(|&&source| source != experiment.baseline) {
        match impossible(source, size_bytes, thp) {
            Some(reason) => refused.push(refusal(source.name(), reason, false)),
            None => others.push(source),
        }
    }
    let schedule = match request.blocks {
        Some(blocks) => Schedule::fixed(usize::try_from(blocks).unwrap_or(usize::MAX), request.cap()),
        None => Schedule::sequential(request.cap().unwrap_or(MAX_TIME)),
    };
    let design = Design {
        experiment: experiment.clone(),
        arms: Design::arms_for(experiment, &others),
        size_bytes,
        operations,
        schedule,
        blocks: request.blocks,
        margin: request.margin.unwrap_or(experiment.margin),
        seed: request.seed,
        cpu: request.cpu,
        memory: request.memory,
    };
    comparable(&design, &refused)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size, rounded")]
    let warm_bytes = ((needed as f64 * WARM_UP) as u64).min(limits.left_bytes() / 10 * 9);
    Ok((design, refused, if request.memory == Memory::Warm { warm_bytes } else { 0 }))
}

fn comparable(design: &Design, refused: &[Refused]) -> Result<(), BenchError> {
    if design.arms.len() > 2 {
        return Ok(());
    }
    let reasons: Vec<String> = refused.iter().map(|r| format!("{}: {}", r.arm, r.reason)).collect();
    Err(BenchError::NothingToCompare(reasons.join("; ")))
}

fn refusal(arm: &str, reason: String, failed: bool) -> Refused {
    Refused { arm: arm.to_owned(), reason, failed, samples: Vec::new() }
}

fn baseline_error(design: &Design, reason: String) -> BenchError {
    BenchError::Baseline { arm: design.arms[Design::BASELINE].name.to_owned(), reason }
}

/// What the observed run of an arm brought.
#[derive(Debug, Clone, Default)]
struct Observation {
    traps: Option<f64>,
    observed: Option<Observed>,
    warning: Option<results::Warning>,
}

/// Runs each arm once, untimed, and returns the design without the arms that did not take effect.
fn observe(
    design: &Design,
    children: &mut Children,
    refused: &mut Vec<Refused>,
    watch: &mut impl FnMut(Event),
) -> Result<(Design, Vec<Observation>), BenchError> {
    let (mut arms, mut observations) = (Vec::new(), Vec::new());
    for (index, arm) in design.arms.iter().enumerate() {
        watch(Event::Observing(arm.name));
        let outcome = match children.observe(arm.source) {
            Ok(None) => return Err(BenchError::Interrupted),
            Ok(Some((measurement, sample))) => policy_took_effect(arm.source, &sample)
                .map(|()| measurement)
                .map_err(|reason| refusal(arm.name, reason, false)),
            Err(reason) => Err(refusal(arm.name, reason, true)),
        };
        match outcome {
            Ok(measurement) => {
                arms.push(arm.clone());
                observations.push(observation(design, measurement.observation));
            }
            Err(refusal) if index == Design::BASELINE || index == design.placebo() => {
                return Err(baseline_error(design, refusal.reason));
            }
            Err(refusal) => refused.push(refusal),
        }
    }
    let design = Design { arms, ..design.clone() };
    comparable(&design, refused)?;
    Ok((design, observations))
}

fn observation(design: &Design, seen: Option<crate::protocol::Observation>) -> Observation {
    let Some(seen) = seen else { return Observation::default() };
    let warning = seen.traps.as_ref().err().map(|errno| results::Warning {
        id: "perf-refused".to_owned(),
        message: format!(
            "page faults could not be counted by perf ({errno}; see /proc/sys/kernel/perf_event_paranoid, 2 allows \
             it): faults are the kernel's count for the process instead"
        ),
        arms: Vec::new(),
    });
    Observation {
        traps: seen.traps.ok().map(|traps| traps as f64 / design.operations as f64),
        observed: Some(Observed {
            allocator: seen.allocator,
            break_growth_bytes: seen.break_growth_bytes,
            mapped_growth_bytes: seen.mapped_growth_bytes,
            resident_after_obtain_bytes: seen.resident_after_obtain_bytes,
        }),
        warning,
    }
}

/// What to say before the first block when the first look will not fit.
fn too_short(design: &Design, block_time: Duration, now: Duration) -> Option<String> {
    let block_time = match design.memory {
        Memory::Warm => block_time,
        Memory::Cold => block_time + crate::children::COLDNESS * u32::try_from(design.arms.len()).unwrap_or(u32::MAX),
    };
    let (first, cap) = (design.schedule.looks.first()?.blocks, design.schedule.cap?);
    let needed = cap_for(first, block_time, now);
    (now + block_time.mul_f64(first as f64) > cap).then(|| {
        format!(
            "{first} blocks will take about {}, and --max-time allows {}: verdicts may stay open. \
             Give --max-time {}, or fewer arms",
            seconds(needed),
            seconds(cap.saturating_sub(Duration::from_secs(1))),
            seconds(needed)
        )
    })
}
