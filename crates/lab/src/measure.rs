//! One session on this machine: real children in balanced orders, under the judge of
//! docs/method.md.

use crate::design::Design;
use crate::design::error::BenchError;
use crate::design::randomization::Orders;
use crate::event::BenchEvent;
use crate::judge::sign_judge::SignJudge;
use crate::run::children::{Children, Surroundings};
use crate::run::{Aside, Progress, Run, session};

/// A session of `design`, and what was measured beside its samples.
///
/// # Errors
/// If the program cannot start itself.
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
    Ok((run, children.into_aside()))
}

/// As [`measure`], for the main session of a run.
///
/// # Errors
/// Also if the session has no result.
pub(crate) fn measure_arms(
    design: &Design,
    surroundings: Surroundings,
    watch: &mut impl FnMut(BenchEvent),
) -> Result<(Run, Aside), BenchError> {
    let (run, aside) =
        measure(design, surroundings, |progress| watch(BenchEvent::Progress(*progress)))?;
    let in_dropped = run.dropped.iter().any(|dropped| !dropped.samples.is_empty());
    if in_dropped || run.samples.iter().any(|samples| !samples.is_empty()) {
        return Ok((run, aside));
    }
    let mut essential = (0..design.arms.len()).filter(|&arm| design.essential(arm));
    let broke = essential.find_map(|arm| Some((arm, run.removals[arm].as_ref()?)));
    Err(match broke {
        Some((arm, removal)) => {
            BenchError::Baseline { arm: design.essential_name(arm), reason: removal.reason.clone() }
        }
        None => BenchError::Interrupted,
    })
}
