//! `bench floors`: every floor, and every source as a multiple of the floor that it cannot beat, in
//! the same blocks, until the time is up.
//!
//! It is a normal session (orders, children, disturbances) without comparisons, so nothing is
//! decided and no look is taken.

use std::rc::Rc;
use std::time::Instant;

use results::{LabResult, More, Stopped, Warning};
use sample::measurement::nanoseconds;
use stats::Look;
use sys::interrupt::Interrupt;

use crate::design::Design;
use crate::design::error::BenchError;
use crate::design::from_request::design;
use crate::design::machine;
use crate::design::machine_limits::MachineLimits;
use crate::design::schedule::{ALPHA, Schedule};
use crate::event::BenchEvent;
use crate::judge::more::time_for;
use crate::judge::{Judged, judge_survey};
use crate::measure::measure;
use crate::question::request::BenchRequest;
use crate::result::{Asked, Context, assemble};
use crate::run::children::{Children, Surroundings};
use crate::run::observe::observe;
use crate::run::{Progress, Run};

/// Blocks that intervals of a useful width need.
const BLOCKS_WANTED: usize = 12;
/// A look that no run reaches: the run ends at its cap.
const NO_LOOK: usize = 1 << 40;

/// Runs the survey.
///
/// # Errors
/// As [`crate::bench()`].
pub(crate) fn survey(
    request: &BenchRequest,
    interrupt: Interrupt,
    mut watch: impl FnMut(BenchEvent),
) -> Result<LabResult, BenchError> {
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now());

    // The design.
    let machine = machine::describe();
    let (mut whole, mut refused) = design(request, &MachineLimits::found(request, &machine)?)?;
    if request.blocks.is_none() {
        whole.schedule.looks = vec![Look { blocks: NO_LOOK, alpha: ALPHA }];
    }

    // The run.
    let surroundings = Surroundings::new(interrupt, started, request.cpu, Rc::default());
    let mut children = Children::new(&whole, surroundings.clone())?;
    let (design, observed, missing) =
        observe(&whole, &mut children, |arm| watch(BenchEvent::Observing(arm)))?;
    refused.extend(missing);
    let (mut run, aside) = measure(&design, surroundings, |progress| {
        watch(BenchEvent::Progress(until_cap(&design.schedule, *progress)));
    })?;
    if aside.floors.samples.is_empty() {
        return Err(match aside.floors.failed {
            Some(reason) => BenchError::Baseline { arm: "floors".to_owned(), reason },
            None => BenchError::Interrupted,
        });
    }
    let few = too_few(&design, &run);
    let more = more_blocks(&design, &run);
    if request.blocks.is_none() && run.stopped == Some(Stopped::TimeCap) {
        run.stopped = None; // as planned
    }
    run.looks.clear();

    // The judgement.
    let judged = judge_survey(&design, &run, &aside, &machine);
    let warnings = few.into_iter().chain(judged.warnings).collect();
    let judged = Judged { warnings, more, ..judged };

    // The result.
    let context = Context {
        started: started_at.to_string(),
        elapsed_ns: nanoseconds(started.elapsed()),
        machine,
        asked: Asked::default(),
        cap: request.cap(),
        observed,
        refused,
        turning_points: Vec::new(),
        cold: None,
    };
    Ok(assemble(&design, run, judged, context))
}

/// The expected number of blocks at the cap, where the run ends.
fn until_cap(schedule: &Schedule, progress: Progress) -> Progress {
    let last = schedule.cap.filter(|_| progress.kept > 0 && progress.last.is_none()).map(|cap| {
        let share = cap.as_secs_f64() / progress.now.as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of blocks, rounded"
        )]
        let last = (progress.kept as f64 * share) as usize;
        last.max(progress.kept)
    });
    Progress { last: progress.last.or(last), ..progress }
}

/// What makes intervals of a useful width.
fn more_blocks(design: &Design, run: &Run) -> More {
    match design.blocks {
        Some(_) if run.stopped.is_none() => More::Blocks(BLOCKS_WANTED as u64),
        _ => time_for(design, run, BLOCKS_WANTED),
    }
}

/// A warning if there are too few blocks for intervals of a useful width.
fn too_few(design: &Design, run: &Run) -> Option<Warning> {
    let done = run.blocks.len() - run.dropped.len();
    let cause = match run.stopped {
        _ if done >= BLOCKS_WANTED => return None,
        Some(Stopped::TimeCap) => {
            let more = more_blocks(design, run).option();
            format!("there was time for {done} of them; {more} would be enough")
        }
        Some(_) => format!("the run was cut short after {done}"),
        None => format!("{} were asked for", design.blocks.unwrap_or(done as u64)),
    };
    let message = format!("intervals of a useful width need {BLOCKS_WANTED} blocks, and {cause}");
    Some(Warning { id: "few-blocks".to_owned(), message, arms: Vec::new() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::design::tests::empty;
    use crate::question::experiment::by_name;
    use results::Block;

    #[test]
    fn too_few_blocks_are_reported_with_the_cause() {
        let mut design = empty(by_name("floors").unwrap());
        design.schedule.cap = Some(Duration::from_secs(12));
        let run = |blocks: usize, stopped: Option<Stopped>| Run {
            blocks: vec![Block::default(); blocks],
            stopped,
            block_time: Duration::from_secs(1),
            ..Run::default()
        };
        assert_eq!(too_few(&design, &run(12, Some(Stopped::TimeCap))), None);
        let capped = too_few(&design, &run(11, Some(Stopped::TimeCap))).unwrap().message;
        assert!(capped.contains("time for 11 of them; --max-time 15s"), "{capped}");
        let cut = too_few(&design, &run(3, Some(Stopped::Interrupted))).unwrap().message;
        assert!(cut.contains("cut short after 3"), "{cut}");
        design.blocks = Some(2);
        assert!(too_few(&design, &run(2, None)).unwrap().message.contains("2 were asked for"));
    }

    #[test]
    fn progress_is_towards_the_cap() {
        let schedule = Schedule { looks: Vec::new(), cap: Some(Duration::from_secs(40)) };
        let progress =
            |kept, now| Progress { kept, last: None, now: Duration::from_secs(now), widest: None };
        assert_eq!(until_cap(&schedule, progress(0, 1)).last, None);
        assert_eq!(until_cap(&schedule, progress(10, 10)).last, Some(40));
        assert_eq!(until_cap(&schedule, progress(10, 50)).last, Some(10));
    }
}
