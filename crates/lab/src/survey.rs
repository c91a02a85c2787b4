//! `bench floors`: every floor, and every source against the one that it cannot beat, in the same blocks, until the time
//! is up.
//!
//! It is a session like any other (orders, children, disturbances), but nothing is compared with a baseline, so nothing
//! is decided and no look is taken.

use std::rc::Rc;
use std::time::{Duration, Instant};

use results::{LabResult, Stopped, Warning};
use stats::Look;
use sys::interrupt::Interrupt;

use crate::bench::{Event, design, ground, measure};
use crate::design::arrangement::{self, Arrangement, Ground};
use crate::design::{ALPHA, Contrast, Design, Memory, Point, Role, Schedule};
use crate::inside::access_pattern::Common;
use crate::inside::source::Source;
use crate::judge::diagnosis::{cap_for, doubts, seconds};
use crate::judge::estimate::estimates;
use crate::judge::explain::{attach, counted};
use crate::judge::floor_ratio;
use crate::question::arm::ArmSpec;
use crate::question::quantity::nanoseconds;
use crate::question::request::{BenchError, Request};
use crate::result::assemble::{Context, assemble};
use crate::run::children::{Children, Surroundings};
use crate::run::observe::observe;
use crate::run::session::{Progress, Run};

/// The byte that both touches write.
pub(crate) const FILL: u8 = 1;
/// Blocks that intervals of a useful width need.
const BLOCKS_WANTED: usize = 12;
/// More than any run comes to: the end is the cap.
const NO_LOOK: usize = 1 << 40;

/// Runs the survey.
///
/// # Errors
/// As [`crate::bench()`].
pub(crate) fn survey(
    request: &Request,
    interrupt: Interrupt,
    mut watch: impl FnMut(Event),
) -> Result<LabResult, BenchError> {
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now());
    let machine = crate::design::machine::describe();
    let (mut design, mut refused) = design(request, &ground(request, &machine)?)?;
    if request.blocks.is_none() {
        design.schedule.looks = vec![Look { blocks: NO_LOOK, alpha: ALPHA }];
    }
    let cpus = request.cpu.map_or_else(sys::process::allowed_cpus, |cpu| vec![cpu]);
    let surroundings = Surroundings { interrupt, started, cpus, files: Rc::default() };
    let mut children = Children::new(&design, surroundings.clone())?;
    let (design, observed, missing) = observe(&design, &mut children, |arm| watch(Event::Observing(arm)))?;
    refused.extend(missing);

    let (mut run, (floors, _)) =
        measure(&design, surroundings, |progress| watch(Event::Progress(until_cap(&design.schedule, *progress))))?;
    if floors.0.is_empty() {
        return Err(match floors.1 {
            Some(reason) => BenchError::Baseline { arm: "floors".to_owned(), reason },
            None => BenchError::Interrupted,
        });
    }
    let few = too_few(&design, &run);
    if request.blocks.is_none() && run.stopped == Some(Stopped::TimeCap) {
        run.stopped = None; // as planned
    }
    let mut warnings: Vec<Warning> = few.into_iter().chain(doubts(&design, &run, &machine, None)).collect();
    warnings.extend(observed.iter().find_map(|observation| observation.warning.clone()));
    let context = Context {
        started: started_at.to_string(),
        elapsed_ns: nanoseconds(started.elapsed()),
        machine,
        observed: observed.into_iter().map(|o| (o.traps, o.observed)).collect(),
        refused,
        turning_points: Vec::new(),
        warnings,
        placebo: None,
        cap: request.cap(),
        cold_wanted: false,
        cold: None,
    };
    let mut result = assemble(&design, run, context);
    result.looks.clear();
    attach(&mut result, floors);
    hold_against(&mut result);
    Ok(result)
}

/// Adds every floor's interval and every source's multiple of its own.
fn hold_against(result: &mut LabResult) {
    let Some(mut floors) = result.floors.take() else { return };
    let counted = counted(result, &floors.samples);
    let (estimates, sources) = (estimates(&counted, result.machine.page_bytes), floor_ratio::sources(result, &counted));
    (floors.estimates, floors.sources) = (estimates, sources);
    result.floors = Some(floors);
}

/// Every source that can be had, as an arm without a baseline.
///
/// # Errors
/// What the survey has no place for.
pub(crate) fn arrangement(request: &Request, ground: &Ground) -> Result<Arrangement, BenchError> {
    let name = &request.experiment.name;
    let wishes = [
        (!request.arms.is_empty(), "measures every source that can be had: leave out --arm"),
        (request.threads.is_some(), "are of one thread: leave out --threads"),
        (request.margin.is_some(), "compares nothing that a margin would decide: leave out --margin"),
        (request.memory == Memory::Cold, "are of warm memory: leave out --memory cold"),
        (request.passes.is_some(), "touch as often as they need to: leave out --passes"),
        (request.sizes_bytes().len() > 1, "is measured at one size: give one --size"),
        (request.sizes_bytes()[0] < ground.page_bytes, "are of whole pages: give a --size of a page or more"),
    ];
    if let Some((_, wish)) = wishes.iter().find(|(unfit, _)| *unfit) {
        return Err(BenchError::Unfit(format!("{name} {wish}")));
    }
    let point = Point::new(request.sizes_bytes()[0], 1);
    let others: Vec<ArmSpec> = Source::all().filter(|source| has_floor(*source)).map(ArmSpec::of).collect();
    let mut arrangement =
        arrangement::arms(ground, &ArmSpec::of(Source::Mmap), &others, Common::of_fill(FILL), &[point]);
    // That one size of eight is off is nothing that somebody who asks for floors wants to know.
    arrangement.refused.retain(|refused| !matches!(Source::named(&refused.arm), Some(Source::MmapMidPages(_))));
    arrangement.arms.retain(|arm| arm.role != Role::Placebo);
    arrangement.arms.iter_mut().for_each(|arm| arm.role = Role::Compared);
    arrangement.contrasts.clear();
    arrangement.placebo = Contrast::default();
    Ok(arrangement)
}

/// Whether a floor is known for what `source` does, beside the baseline: one page cleared for each that is written. The
/// pages of files are there already, and small objects share theirs.
fn has_floor(source: Source) -> bool {
    source != Source::Mmap && !source.counts_pairs() && !matches!(source, Source::File(_))
}

/// The end is at the cap: so many blocks will there be by then.
fn until_cap(schedule: &Schedule, progress: Progress) -> Progress {
    let last = schedule.cap.filter(|_| progress.kept > 0 && progress.last.is_none()).map(|cap| {
        let share = cap.as_secs_f64() / progress.now.as_secs_f64().max(0.001);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of blocks, rounded")]
        let last = (progress.kept as f64 * share) as usize;
        last.max(progress.kept)
    });
    Progress { last: progress.last.or(last), ..progress }
}

/// Fewer blocks than intervals of a useful width need.
fn too_few(design: &Design, run: &Run) -> Option<Warning> {
    let done = run.blocks.len() - run.dropped.len();
    let cause = match run.stopped {
        _ if done >= BLOCKS_WANTED => return None,
        Some(Stopped::TimeCap) => {
            let needed = cap_for(BLOCKS_WANTED + 1, run.block_time, Duration::ZERO);
            format!("there was time for {done} of them; --max-time {} would be enough", seconds(needed))
        }
        Some(_) => format!("the run was cut short after {done}"),
        None => format!("{} were asked for", design.blocks.unwrap_or(done as u64)),
    };
    let message = format!("intervals of a useful width need {BLOCKS_WANTED} blocks, and {cause}");
    Some(Warning { id: "few-blocks".to_owned(), message, arms: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::tests::empty;
    use crate::question::experiment::by_name;
    use results::Block;

    #[test]
    fn too_few_blocks_are_said_with_their_cause() {
        let mut design = empty(by_name("floors").unwrap());
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
        let progress = |kept, now| Progress { kept, last: None, now: Duration::from_secs(now), widest: None };
        assert_eq!(until_cap(&schedule, progress(0, 1)).last, None);
        assert_eq!(until_cap(&schedule, progress(10, 10)).last, Some(40));
        assert_eq!(until_cap(&schedule, progress(10, 50)).last, Some(10));
    }
}
