//! Tuning: a race of curated candidates, then the winner against the program as it is.

mod candidates;
mod race;
mod told;

use std::time::{Duration, Instant};

use lab::BenchEvent;
use lab::design::schedule::{Schedule, first_look};
use lab::design::time_budget::{cap_for, seconds};
use results::compare::{ProgramResult, RaceEnd};
use sys::interrupt::Interrupt;

use crate::check::Checked;
use crate::design::ProgramDesign;
use crate::error::CompareError;
use crate::metric::ProgramMetric;
use crate::request::CompareRequest;
use crate::result::Before;
use crate::run::once::Launcher;
use crate::run::programs::Programs;
use crate::try_out::{Tried, try_out};
use crate::{launcher, measure};
use race::{Raced, Rules, Standing, race, ranks};

/// The time cap where the user gave none, and where a confirmation needs no more.
const CAP: Duration = Duration::from_mins(5);
/// The runs of a block of the confirmation: the baseline, its placebo and the winner.
const CONFIRMED: u32 = 3;

/// Races the candidates, and compares the winner with the program as it is, on fresh blocks.
///
/// # Errors
/// [`CompareError`] if nothing could be compared.
pub(crate) fn tune(
    request: &CompareRequest,
    checked: &Checked,
    interrupt: Interrupt,
    mut watch: impl FnMut(BenchEvent),
) -> Result<ProgramResult, CompareError> {
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now());
    if request.metrics.first() == Some(&ProgramMetric::Figure) {
        return Err(CompareError::Unfit(
            "--tune needs a metric of which less is better, and of figure that is not known".into(),
        ));
    }
    let field = candidates::field(request, interrupt)?;
    let launcher = launcher(request, checked, interrupt)?;
    let tried = try_out(&field.arms, &launcher, request.max_time, &mut watch)?;

    // The race.
    let times = Times::new(request, &tried, started.elapsed());
    watch_times(&times, &tried, &mut watch);
    let schedule = times.schedule(request);
    let racing = ProgramDesign::new(tried.arms.clone(), &request.metrics, request.margin, schedule);
    let began = started.elapsed();
    let (raced, left) =
        run_race(request, &racing, &times, started, (&launcher, &tried), &mut watch)?;
    let Some(winner) = raced.winner(&racing) else {
        return Err(match raced.ended {
            RaceEnd::Interrupted => CompareError::Interrupted,
            _ => CompareError::NothingToCompare(told::failures(&racing, &raced)),
        });
    };
    let refused = [field.refused, tried.refused].concat();
    let took = started.elapsed().saturating_sub(began);
    let race = told::race(request, &racing, &raced, winner, (refused, took));

    // The confirmation, by other orders and paddings than those of the race.
    let arms = vec![tried.arms[0].clone(), tried.arms[winner].clone()];
    let schedule = times.schedule(request);
    let mut design = ProgramDesign::new(arms, &request.metrics, request.margin, schedule);
    design.after_race = true;
    let before = Before {
        started: started_at.to_string(),
        refused: Vec::new(),
        proofs: vec![tried.proofs[0].clone(), tried.proofs[winner].clone()],
        left,
        race: Some(race),
    };
    let bench = Programs::new(&design, &launcher, request.seed, started, tried.expected);
    measure(request, &design, bench, before, &mut watch)
}

/// The race itself, and the processes that its runs left behind.
fn run_race(
    request: &CompareRequest,
    racing: &ProgramDesign,
    times: &Times,
    started: Instant,
    (launcher, tried): (&Launcher, &Tried),
    watch: &mut impl FnMut(BenchEvent),
) -> Result<(Raced, Vec<crate::result::LeftBehind>), CompareError> {
    let seed = request.seed.rotate_left(17);
    let mut bench = Programs::new(racing, launcher, seed, started, tried.expected.clone());
    let rules = Rules { margin: request.margin, seed, until: times.race_until };
    let of = racing.arms.len() - 1;
    let watch = |Standing { left, blocks }| watch(BenchEvent::Racing(left, of, blocks + 1));
    let raced = race(racing, rules, &mut ranks(racing.arms.len()), &mut bench, watch);
    let raced = raced.map_err(|reason| CompareError::Baseline { arm: racing.name(0), reason })?;
    Ok((raced, bench.into_left(Vec::new())))
}

/// How the time is divided. All are times since the start of the whole run.
struct Times {
    /// When the whole run ends.
    cap: Duration,
    /// When the race ends: after half of the time, or earlier where the confirmation needs more.
    race_until: Duration,
    /// What the first look of the race needs, if an arm can leave there.
    first_leaves: (usize, Duration),
    /// What a block of the race takes.
    block: Duration,
}

impl Times {
    fn new(request: &CompareRequest, tried: &Tried, before: Duration) -> Self {
        let arms = u32::try_from(tried.arms.len()).unwrap_or(u32::MAX);
        // The time of the tried block includes the placebo, which does not race.
        let one_run = tried.block / (arms + 1);
        let blocks = request
            .blocks
            .map_or(first_look(), |blocks| usize::try_from(blocks).unwrap_or(usize::MAX));
        let confirmation = cap_for(blocks, one_run * CONFIRMED, Duration::ZERO);
        let cap = request.max_time.unwrap_or_else(|| CAP.max(before + 2 * confirmation));
        let half = before + cap.saturating_sub(before) / 2;
        let mut rank = ranks(tried.arms.len());
        let leaving = race::LOOKS.into_iter().find(|look| rank(*look) > 0);
        let first = leaving.unwrap_or(race::LOOKS[race::LOOKS.len() - 1]).blocks;
        let block = one_run * arms;
        Times {
            cap,
            race_until: half.min(cap.saturating_sub(confirmation)),
            first_leaves: (first, cap_for(first, block, before)),
            block,
        }
    }

    /// The looks and the cap of the confirmation.
    fn schedule(&self, request: &CompareRequest) -> Schedule {
        match request.blocks {
            Some(blocks) => {
                Schedule::fixed(usize::try_from(blocks).unwrap_or(usize::MAX), request.max_time)
            }
            None => Schedule::sequential(self.cap),
        }
    }
}

/// A notice if there is no time for a race in which arms leave.
fn watch_times(times: &Times, tried: &Tried, watch: &mut impl FnMut(BenchEvent)) {
    let (first, needed) = times.first_leaves;
    if needed > times.race_until {
        watch(BenchEvent::Notice(format!(
            "a block of {} arms takes about {}, so there is no time for the {first} blocks after \
             which the first arms can leave the race: its winner may not be the best. Give \
             --max-time {}",
            tried.arms.len(),
            seconds(times.block),
            seconds(2 * needed),
        )));
    }
}

#[cfg(test)]
mod simulation;
