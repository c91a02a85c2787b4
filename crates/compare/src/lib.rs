//! Compares a user's own program under several allocators, settings and page policies.
//!
//! [`request`] is what the user asks for, [`arm`] one way of running the program, [`design`] what is
//! fixed before the first sample, `run` the runs, `judge` the verdicts, and `result` puts all into a
//! [`results::compare::ProgramResult`]. The lab's session, judge and looks are those of its own
//! experiments.

pub mod arm;
mod check;
pub mod design;
pub mod error;
mod figure;
mod judge;
pub mod metric;
pub mod request;
mod resolve;
mod result;
mod run;
mod spec;
pub mod tunables;

use std::time::{Duration, Instant};

use lab::BenchEvent;
use lab::design::randomization::Orders;
use lab::design::schedule::Schedule;
use lab::design::time_budget::{cap_for, exactly, seconds};
use lab::design::trial::Trial;
use lab::judge::sign_judge::SignJudge;
use lab::run::session;
use results::compare::ProgramResult;
use sys::interrupt::Interrupt;
use sys::orphans::Orphans;

use crate::arm::Arm;
use crate::check::check;
use crate::design::{Design, default_cap};
pub use crate::error::CompareError;
use crate::request::CompareRequest;
use crate::result::{Context, assemble};
use crate::run::once::{Launcher, find};
use crate::run::programs::{Programs, differs};

/// Runs the comparison.
///
/// # Errors
/// [`CompareError`] if nothing could be compared. An arm whose setting does not take effect, or that
/// fails, is not an error: it is in `refused`.
pub fn compare(
    request: &CompareRequest,
    interrupt: Interrupt,
    mut watch: impl FnMut(BenchEvent),
) -> Result<ProgramResult, CompareError> {
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now());

    // What is fixed beforehand.
    let checked = check(request)?;
    let arms = resolve::arms(request, interrupt)?;
    let orphans = Orphans::adopt().map_err(|errno| {
        CompareError::Failed(format!("cannot look after what the program leaves behind: {errno}"))
    })?;
    let patience = request.way.timeout.or(request.max_time.map(|cap| 2 * cap + PATIENCE));
    let launcher = Launcher {
        way: &request.way,
        interrupt,
        orphans,
        patience,
        figure: checked.figure.as_ref(),
        groups: checked.groups.as_ref(),
    };

    // Each arm once, untimed; then block after block.
    let tried = try_out(&arms, &launcher, &mut watch)?;
    let schedule = schedule(request, tried.block, started.elapsed(), &mut watch);
    let design = Design::new(tried.arms, &request.metrics, request.margin, schedule);
    let mut bench = Programs::new(&design, &launcher, request.seed, started, tried.expected);
    let mut orders = Orders::new(vec![(0..design.arms()).collect()], request.seed);
    let mut judge = SignJudge::new(design.contrasts().len(), design.margin);
    let run = session::run(
        &design,
        |index| orders.order(index),
        &mut judge,
        &mut bench,
        |progress| watch(BenchEvent::Progress(*progress)),
    );
    result::must_have_samples(&design, &run)?;
    let left = bench.into_left();

    let judged = judge::judge(&design, &run, &request.gates);
    let context = Context {
        started: started_at.to_string(),
        elapsed: started.elapsed(),
        refused: tried.refused,
        left,
        observed: Vec::new(),
    };
    Ok(assemble(request, &design, run, judged, context))
}

/// The time that a run may take beyond twice the cap.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the untimed runs found.
struct Tried {
    /// The arms that work.
    arms: Vec<Arm>,
    refused: Vec<results::Refused<results::compare::ProgramSample>>,
    /// What the baseline printed, if that is compared.
    expected: Option<Vec<u8>>,
    /// About how long a block takes.
    block: Duration,
}

/// Runs each arm once, untimed.
///
/// # Errors
/// If the program cannot be run, the baseline fails, or no other arm is left.
fn try_out(
    arms: &[Arm],
    launcher: &Launcher,
    watch: &mut impl FnMut(BenchEvent),
) -> Result<Tried, CompareError> {
    for arm in arms {
        find(arm, launcher.way.shell).map_err(|reason| CompareError::Program {
            command: arm.command[0].to_string_lossy().into_owned(),
            reason,
        })?;
    }
    let mut tried =
        Tried { arms: Vec::new(), refused: Vec::new(), expected: None, block: Duration::ZERO };
    for (index, arm) in arms.iter().enumerate() {
        watch(BenchEvent::Observing(arm.name.clone()));
        let began = Instant::now();
        let outcome = launcher.run(arm, "");
        let is_baseline = index == 0;
        tried.block += began.elapsed() * if is_baseline { 2 } else { 1 };
        let reason = match outcome {
            Ok(None) => return Err(CompareError::Interrupted),
            Ok(Some(ran)) => match differs(tried.expected.as_deref(), ran.output.as_deref()) {
                None => {
                    if is_baseline && ran.output.is_some() {
                        must_repeat(arm, launcher, ran.output.as_deref())?;
                    }
                    tried.expected = tried.expected.or(ran.output);
                    tried.arms.push(arm.clone());
                    continue;
                }
                Some(how) => how,
            },
            Err(reason) if is_baseline => {
                return Err(CompareError::Baseline { arm: arm.name.clone(), reason });
            }
            Err(reason) => reason,
        };
        tried.refused.push(results::Refused {
            arm: arm.name.clone(),
            reason,
            failed: true,
            samples: Vec::new(),
        });
    }
    if tried.arms.len() < 2 {
        let reasons: Vec<String> = tried
            .refused
            .iter()
            .map(|refused| format!("{}: {}", refused.arm, refused.reason))
            .collect();
        return Err(CompareError::NothingToCompare(reasons.join("; ")));
    }
    Ok(tried)
}

/// Runs the baseline again: it must print the same.
///
/// # Errors
/// If it does not, or if it fails this time.
fn must_repeat(
    arm: &Arm,
    launcher: &Launcher,
    expected: Option<&[u8]>,
) -> Result<(), CompareError> {
    let again = launcher
        .run(arm, "")
        .map_err(|reason| CompareError::Baseline { arm: arm.name.clone(), reason })?
        .ok_or(CompareError::Interrupted)?;
    match differs(expected, again.output.as_deref()) {
        None => Ok(()),
        Some(_) => Err(CompareError::Unfit(format!(
            "{} prints something else each time, so --same-output has nothing to compare: leave it \
             out",
            arm.name
        ))),
    }
}

/// The looks and the cap, by the time that a block takes.
fn schedule(
    request: &CompareRequest,
    block: Duration,
    before: Duration,
    watch: &mut impl FnMut(BenchEvent),
) -> Schedule {
    if let Some(blocks) = request.blocks {
        return Schedule::fixed(usize::try_from(blocks).unwrap_or(usize::MAX), request.max_time);
    }
    let first = lab::design::schedule::first_look();
    let needed = cap_for(first, block, before);
    let Some(cap) = request.max_time else {
        let cap = default_cap(block, before);
        if needed >= cap {
            watch(BenchEvent::Notice(format!(
                "{first} blocks of about {} each take {}: --max-time ends it earlier, and so does \
                 Ctrl-C, with what there is by then",
                seconds(block),
                seconds(needed)
            )));
        }
        return Schedule::sequential(cap);
    };
    if needed > cap {
        watch(BenchEvent::Notice(format!(
            "{first} blocks will take about {}, and there is time for {}: verdicts may stay open. \
             Give --max-time {}, or fewer arms",
            seconds(needed),
            exactly(cap),
            seconds(needed)
        )));
    }
    Schedule::sequential(cap)
}
