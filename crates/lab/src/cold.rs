//! The factor memory: pairs of a cold and a warm sample, after the cells of a factorial experiment.
//!
//! They are apart because a cold sample waits some seconds until the host has taken free memory back: in the blocks of the
//! other factors it would take the time that those need.

use std::time::Duration;

use crate::bench::{Event, measure};
use crate::design::arrangement::{Arrangement, Ground};
use crate::design::factorial::cold_pairs;
use crate::design::{Contrast, Design, Memory, Schedule};
use crate::question::experiment::Subject;
use crate::question::request::{BenchError, Request};
use crate::run::children::{COLDNESS, Surroundings};
use crate::run::session::Run;

/// Pairs that give a single comparison a 99 % interval, from the smallest ratio to the largest: 2 / 2^8 is less than 0.01.
const PAIRS: usize = 8;
/// A pair beyond its wait: two children and a warm-up.
const PAIR_TIME: Duration = Duration::from_secs(1);

/// What came of it.
pub struct ColdPairs {
    /// Two arms and a contrast.
    pub design: Design,
    /// Their samples.
    pub run: Run,
}

/// The arrangement of the pairs, where the experiment asks for them and the machine has a cold state.
#[must_use]
pub fn wanted(request: &Request, ground: &Ground) -> Option<Arrangement> {
    let Subject::Factors(factors) = &request.experiment.subject else { return None };
    let possible = sys::machine::free_page_reporting() == Some(true) && request.memory == Memory::Warm;
    let levels = factors.memory.filter(|_| possible)?;
    Some(cold_pairs(ground, factors, levels, request.sizes_bytes()[0]))
}

/// What the pairs leave of a time cap to the cells: all but what they need, and half at least.
#[must_use]
pub fn leave_time(cap: Duration) -> Duration {
    cap.saturating_sub(pairs_time()).max(cap / 2)
}

/// What all pairs take.
#[must_use]
pub fn pairs_time() -> Duration {
    (COLDNESS + PAIR_TIME) * u32::try_from(PAIRS).unwrap_or(u32::MAX)
}

/// Runs as many pairs as there is time for, eight at most, and no more than blocks were asked for; `None` if there is
/// time for none.
///
/// # Errors
/// If the program cannot start itself.
pub fn run(
    pairs: Arrangement,
    cells: &Design,
    surroundings: Surroundings,
    cap: Option<Duration>,
    watch: &mut impl FnMut(Event),
) -> Result<Option<ColdPairs>, BenchError> {
    let left = cap.map(|cap| cap.saturating_sub(surroundings.started.elapsed()));
    let fit = left.map_or(PAIRS as u128, |left| left.as_millis() / (COLDNESS + PAIR_TIME).as_millis());
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
    let (run, _) = measure(&design, surroundings, |progress| watch(Event::ColdPair(progress.kept + 1, blocks)))?;
    Ok(Some(ColdPairs { design, run }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_take_what_they_need_and_half_at_most() {
        assert_eq!(leave_time(Duration::from_secs(100)), Duration::from_secs(50));
        assert_eq!(leave_time(Duration::from_secs(200)), Duration::from_secs(144));
        assert_eq!(leave_time(Duration::from_secs(10)), Duration::from_secs(5));
        let experiment = crate::question::experiment::by_name("position").unwrap();
        let design = Design { pairs_follow: true, ..crate::design::tests::empty(experiment) };
        for needed in [1, 30, 56, 100, 1000].map(Duration::from_secs) {
            assert_eq!(leave_time(design.whole_cap(needed)), needed, "the advice is enough");
        }
    }
}
