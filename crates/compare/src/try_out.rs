//! Each arm once, untimed: whether it works, whether its settings are in force, and how long it
//! takes.

use std::time::{Duration, Instant};

use lab::BenchEvent;
use lab::design::time_budget::{exactly, seconds};
use results::Refused;
use results::compare::{ProgramSample, Proof};
use sys::launch::Capture;
use sys::relay::Relay;

use crate::arm::PreparedArm;
use crate::error::CompareError;
use crate::proof::{self, Picture};
use crate::run::once::{Launcher, Look, Ran, find};
use crate::run::output::differs;

/// A program that ends within this time is run once more as it will be timed.
const SHORT: Duration = Duration::from_secs(2);

/// What the untimed runs found.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// The arms that work.
    pub(crate) arms: Vec<PreparedArm>,
    /// By arm: what was seen of its settings.
    pub(crate) proofs: Vec<Proof>,
    /// The arms that do not work, or whose settings are not in force.
    pub(crate) refused: Vec<Refused<ProgramSample>>,
    /// What the baseline printed, if that is compared.
    pub(crate) expected: Option<Capture>,
    /// About how long a block takes.
    pub(crate) block: Duration,
}

/// An arm that left.
enum Leaving {
    /// Its settings are not in force.
    Unproved(String),
    /// It fails.
    Failed(String),
    Interrupted,
}

/// Runs each of `arms` once or twice, untimed. `cap` is the time that the user gives for all.
///
/// # Errors
/// If the program cannot be run, the baseline fails, or no other arm is left.
pub(crate) fn try_out(
    arms: &[PreparedArm],
    launcher: &Launcher,
    cap: Option<Duration>,
    watch: &mut impl FnMut(BenchEvent),
) -> Result<Tried, CompareError> {
    for arm in arms {
        find(arm, launcher.way.shell).map_err(|reason| {
            let is_line = arm.command.len() == 1 && arm.command[0].to_string_lossy().contains(' ');
            let hint = if is_line { "; for a line of a shell give --shell" } else { "" };
            CompareError::Program(format!("{reason}{hint}"))
        })?;
    }
    if launcher.way.load.as_ref().is_some_and(|load| load.ready.is_none()) {
        watch(BenchEvent::Notice(
            "without --ready the client starts at once, when the server may not answer yet; if it \
             waits in vain, --timeout ends it"
                .to_owned(),
        ));
    }
    let (mut tried, mut of_baseline) = (Tried::default(), None);
    for (index, arm) in arms.iter().enumerate() {
        let name = arm.name.clone();
        watch(if launcher.stays() {
            BenchEvent::Observing(name)
        } else {
            BenchEvent::Trying(name)
        });
        let is_baseline = index == 0;
        let began = Instant::now();
        let (reason, failed) = match one(arm, launcher, &mut tried, &mut of_baseline) {
            Ok((proof, time)) => {
                // The baseline runs twice in a block.
                tried.block += time * if is_baseline { 2 } else { 1 };
                tried.arms.push(arm.clone());
                tried.proofs.push(proof);
                if is_baseline {
                    announce(began.elapsed(), arms.len(), cap, watch);
                }
                continue;
            }
            Err(Leaving::Interrupted) => return Err(CompareError::Interrupted),
            Err(Leaving::Unproved(reason)) => (reason, false),
            Err(Leaving::Failed(reason)) => (reason, true),
        };
        if is_baseline {
            return Err(CompareError::Baseline { arm: arm.name.clone(), reason });
        }
        let samples = Vec::new();
        tried.refused.push(Refused { arm: arm.name.clone(), reason, failed, samples });
    }
    if tried.arms.len() < 2 {
        let reason =
            |refused: &Refused<ProgramSample>| format!("{}: {}", refused.arm, refused.reason);
        let reasons: Vec<String> = tried.refused.iter().map(reason).collect();
        return Err(CompareError::NothingToCompare(reasons.join("; ")));
    }
    Ok(tried)
}

/// Says that trying `arms` arms takes longer than `cap`, as it took `time` for the first.
fn announce(
    time: Duration,
    arms: usize,
    cap: Option<Duration>,
    watch: &mut impl FnMut(BenchEvent),
) {
    let all = time * u32::try_from(arms).unwrap_or(u32::MAX);
    if let Some(cap) = cap.filter(|cap| all > *cap) {
        watch(BenchEvent::Notice(format!(
            "each of {arms} arms is tried before anything is measured, which takes about {}: the \
             {} of --max-time are over then, and one block is measured all the same",
            seconds(all),
            exactly(cap)
        )));
    }
}

/// Looks at `arm` when it exits, and runs it as it will be timed, if that is soon done or its
/// output is compared. Returns the proof, and the time of a run.
fn one(
    arm: &PreparedArm,
    launcher: &Launcher,
    tried: &mut Tried,
    of_baseline: &mut Option<Picture>,
) -> Result<(Proof, Duration), Leaving> {
    let began = Instant::now();
    let (mut picture, ran) = if launcher.stays() {
        living(arm, launcher).map(|(picture, ran)| (picture, Some(ran)))?
    } else {
        (picture(arm, launcher)?, None)
    };
    let time = began.elapsed();
    if let Some(alone) = of_baseline
        .as_ref()
        .and_then(|baseline| proof::fails_alone(&picture, arm, baseline))
        .filter(|_| !launcher.way.ignore_failure)
    {
        return Err(Leaving::Failed(alone));
    }
    let errors = picture.errors.as_bytes();
    let failure = match picture.ending {
        Some(_) if picture.out_of_time => Some(launcher.too_late()),
        Some(ending) => launcher.failure(ending, errors),
        None => None,
    };
    if let Some(failure) = failure {
        return Err(Leaving::Failed(failure));
    }
    let program = find(arm, launcher.way.shell).ok();
    picture.started_as = program
        .map(|program| program.path().to_owned())
        .filter(|path| std::fs::canonicalize(path).is_ok_and(|file| file == picture.program.path));
    let mut proof = proof::judge(&picture, arm).map_err(Leaving::Unproved)?;
    let (thp, pools) = (sys::machine::thp(), sys::facts::hugetlb_pools());
    proof.notes.extend(proof::huge_pages_in_vain(arm, thp.as_deref(), &pools));
    if let (Some(alone), Some(baseline)) = (of_baseline.as_ref(), tried.arms.first()) {
        let without_huge_pages = thp.as_deref() == Some("never");
        let both = [&picture, alone];
        proof.notes.extend(proof::inert(both, [arm, baseline], without_huge_pages));
    }
    let is_seen = picture.ending.is_some();
    of_baseline.get_or_insert(picture);
    if is_seen && time > SHORT && !launcher.keeps_output() {
        return Ok((proof, time));
    }
    let began = Instant::now();
    let (ran, time) = match ran {
        Some(ran) => (ran, time),
        None => (run(arm, launcher)?, began.elapsed()),
    };
    if let Some(how) = differs(tried.expected.as_ref(), ran.output.as_ref()) {
        return Err(Leaving::Failed(how));
    }
    if tried.expected.is_none() && ran.output.is_some() {
        must_repeat(arm, launcher, ran.output.as_ref())?;
        tried.expected = ran.output;
    }
    Ok((proof, time))
}

fn run(arm: &PreparedArm, launcher: &Launcher) -> Result<Ran, Leaving> {
    launcher.run(arm, "").map_err(Leaving::Failed)?.ok_or(Leaving::Interrupted)
}

/// Runs `arm`, which stays, and looks at it before it is asked to end.
fn living(arm: &PreparedArm, launcher: &Launcher) -> Result<(Picture, Ran), Leaving> {
    launcher.looked_at.replace(Look::Wanted);
    let ran = run(arm, launcher);
    match (launcher.looked_at.take(), ran?) {
        (Look::Taken(picture), ran) => Ok((*picture, ran)),
        (Look::Wanted | Look::Unwanted, _) => {
            Err(Leaving::Failed("it ended before it could be looked at".to_owned()))
        }
    }
}

/// Runs `arm` to its end and looks at it there.
fn picture(arm: &PreparedArm, launcher: &Launcher) -> Result<Picture, Leaving> {
    let failed = |error: String| match launcher.interrupt.received() {
        Some(_) => Leaving::Interrupted,
        None => Leaving::Failed(error),
    };
    let look = || {
        let capture = Capture::new().map_err(|errno| errno.to_string())?;
        let program = launcher.prepared(arm, "", &capture)?;
        let mut relay = Relay::new().map_err(|errno| errno.to_string())?;
        let (setup, limit) = (launcher.setup(arm), launcher.patience);
        let seen = proof::at_exit(&program, setup, limit, launcher.interrupt, &mut relay);
        drop(relay);
        launcher.end_all_left();
        seen.map(Some)
    };
    let (seen, _) = launcher.between(arm, look).map_err(failed)?;
    seen.ok_or(Leaving::Interrupted)
}

/// Runs the baseline again: it must print the same.
fn must_repeat(
    arm: &PreparedArm,
    launcher: &Launcher,
    expected: Option<&Capture>,
) -> Result<(), Leaving> {
    let again = run(arm, launcher)?;
    match differs(expected, again.output.as_ref()) {
        None => Ok(()),
        Some(_) => Err(Leaving::Failed(
            "it prints something else each time, so --same-output has nothing to compare: leave \
             it out"
                .to_owned(),
        )),
    }
}
