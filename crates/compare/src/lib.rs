//! Compares a user's own program under several allocators, settings and page policies.
//!
//! [`request`] is what the user asks for, [`arm`] one way of running the program, [`proof`] whether
//! its settings are in force in the running program, [`design`] what is fixed before the first
//! sample, `run` the runs, `judge` the verdicts, `why` the observed runs, and `result` puts all
//! into a [`results::compare::ProgramResult`]. The lab's session, judge and looks are those of its
//! own experiments. `tune` races a curated list of arms first, and compares the winner.
//!
//! [`mod@diff`] compares two results, of this verb or of the lab's own experiments: this crate
//! knows the figures of both.

pub mod arm;
mod check;
pub mod design;
pub mod diff;
pub mod error;
mod figure;
mod judge;
pub mod metric;
pub mod proof;
pub mod request;
mod resolve;
mod result;
mod run;
#[cfg(test)]
mod simulated;
mod spec;
mod try_out;
pub mod tunables;
mod tune;
mod why;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use lab::BenchEvent;
use lab::design::randomization::Orders;
use lab::design::schedule::Schedule;
use lab::design::time_budget::{cap_for, exactly, seconds};
use lab::design::trial::Trial;
use lab::judge::sign_judge::SignJudge;
use lab::run::session;
use results::Stopped;
use results::compare::ProgramResult;
use sys::interrupt::Interrupt;
use sys::orphans::Orphans;

use crate::check::{Checked, check};
use crate::design::{ProgramDesign, default_cap};
pub use crate::error::CompareError;
use crate::request::CompareRequest;
use crate::result::{Before, Context, assemble};
use crate::run::once::Launcher;
use crate::run::programs::Programs;
use crate::try_out::try_out;

/// Runs the comparison.
///
/// # Errors
/// [`CompareError`] if nothing could be compared. An arm whose setting does not take effect, or
/// that fails, is not an error: it is in `refused`.
pub fn compare(
    request: &CompareRequest,
    interrupt: Interrupt,
    mut watch: impl FnMut(BenchEvent),
) -> Result<ProgramResult, CompareError> {
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now());

    // What is fixed beforehand.
    let checked = check(request)?;
    if request.tune {
        return tune::tune(request, &checked, interrupt, watch);
    }
    let arms = resolve::arms(request, interrupt)?;
    let launcher = launcher(request, &checked, interrupt)?;

    // Each arm once, untimed; then block after block.
    let tried = try_out(&arms, &launcher, request.max_time, &mut watch)?;
    let schedule = schedule(request, tried.block, started.elapsed(), &mut watch);
    let design = ProgramDesign::new(tried.arms, &request.metrics, request.margin, schedule);
    let before = Before {
        started: started_at.to_string(),
        refused: tried.refused,
        proofs: tried.proofs,
        left: Vec::new(),
        race: None,
    };
    let bench = Programs::new(&design, &launcher, request.seed, started, tried.expected);
    measure(request, &design, bench, before, &mut watch)
}

/// Block after block, the verdicts, the observed runs of what differs, and the result.
fn measure(
    request: &CompareRequest,
    design: &ProgramDesign,
    mut bench: Programs,
    before: Before,
    watch: &mut impl FnMut(BenchEvent),
) -> Result<ProgramResult, CompareError> {
    let (launcher, started) = (bench.launcher(), bench.started());
    let mut orders = Orders::new(vec![(0..design.arms()).collect()], request.seed);
    let mut judge = SignJudge::new(design.contrasts().len(), design.margin);
    let run = session::run(
        design,
        |index| orders.order(index),
        &mut judge,
        &mut bench,
        |progress| watch(BenchEvent::Progress(*progress)),
    );
    // A race is something to show, too.
    let has_race = before.race.is_some() && run.stopped == Some(Stopped::Interrupted);
    if !has_race {
        result::must_have_samples(design, &run)?;
    }
    let before = Before { left: bench.into_left(before.left), ..before };

    let judged = judge::judge(design, &run, &request.gates);
    let may_observe = request.observe && !launcher.stays();
    let observed = if may_observe && run.stopped != Some(Stopped::Interrupted) {
        let one_run = run.block_time / u32::try_from(design.arms()).unwrap_or(1);
        let times = (one_run, started.elapsed());
        let mut announce = |arm: &str| watch(BenchEvent::Observing(arm.to_owned()));
        why::observe(design, &judged, launcher, times, &mut announce)
    } else {
        Vec::new()
    };
    let context = Context { before, elapsed: started.elapsed(), observed };
    Ok(assemble(request, design, run, judged, context))
}

/// The time that a run may take beyond twice the cap.
const PATIENCE: Duration = Duration::from_mins(1);

fn launcher<'a>(
    request: &'a CompareRequest,
    checked: &'a Checked,
    interrupt: Interrupt,
) -> Result<Launcher<'a>, CompareError> {
    let orphans = Orphans::adopt().map_err(|errno| {
        CompareError::Failed(format!("cannot look after what the program leaves behind: {errno}"))
    })?;
    let patience = request.way.timeout.or(request.max_time.map(|cap| 2 * cap + PATIENCE));
    Ok(Launcher {
        way: &request.way,
        interrupt,
        orphans,
        patience,
        figure: checked.figure.as_ref(),
        groups: checked.groups.as_ref(),
        looked_at: RefCell::default(),
    })
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
