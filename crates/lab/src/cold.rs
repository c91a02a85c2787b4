//! The factor `memory`: pairs of a cold and a warm sample, after the cells of a factorial
//! experiment.
//!
//! They are separate because a cold sample waits some seconds until the host has taken free memory
//! back: in the blocks of the other factors, that would use up their time.

use std::time::Duration;

use crate::design::arrangement::Arrangement;
use crate::design::error::BenchError;
use crate::design::schedule::Schedule;
use crate::design::time_budget::{COLDNESS, PAIR_TIME, PAIRS};
use crate::design::{Contrast, Design};
use crate::event::BenchEvent;
use crate::measure::measure;
use crate::run::ColdPairs;
use crate::run::children::Surroundings;

/// Runs as many pairs as there is time for, at most eight and at most as many as blocks were
/// requested; `None` if there is time for none.
///
/// # Errors
/// If the program cannot start itself.
pub(crate) fn run(
    pairs: Arrangement,
    cells: &Design,
    surroundings: Surroundings,
    cap: Option<Duration>,
    watch: &mut impl FnMut(BenchEvent),
) -> Result<Option<ColdPairs>, BenchError> {
    let left = cap.map(|cap| cap.saturating_sub(surroundings.started.elapsed()));
    let fit =
        left.map_or(PAIRS as u128, |left| left.as_millis() / (COLDNESS + PAIR_TIME).as_millis());
    let asked = cells.blocks.and_then(|blocks| usize::try_from(blocks).ok()).unwrap_or(PAIRS);
    let blocks = usize::try_from(fit).unwrap_or(PAIRS).min(PAIRS).min(asked);
    if blocks == 0 {
        return Ok(None);
    }
    let design = Design {
        points: pairs.points,
        arms: pairs.arms,
        contrasts: pairs.contrasts,
        placebo: Contrast::default(),
        factors: pairs.factors,
        schedule: Schedule::fixed(blocks, cap),
        pairs_follow: false,
        ..cells.clone()
    };
    let (run, _) = measure(&design, surroundings, |progress| {
        watch(BenchEvent::ColdPair(progress.kept + 1, blocks));
    })?;
    Ok(Some(ColdPairs { design, run }))
}
