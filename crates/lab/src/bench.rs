//! One run of an experiment on this machine, from the request to the result: the stages in their
//! order.

use std::rc::Rc;
use std::time::Instant;

use results::{LabResult, Stopped};
use sample::measurement::nanoseconds;
use sys::interrupt::Interrupt;

use crate::design::error::BenchError;
use crate::design::from_request::{Plan, plan};
use crate::design::machine;
use crate::design::machine_limits::MachineLimits;
use crate::event::BenchEvent;
use crate::judge::{Pairs, judge};
use crate::measure::measure_arms;
use crate::question::experiment::Subject;
use crate::question::request::BenchRequest;
use crate::result::{Asked, Context, assemble};
use crate::run::children::{Children, Surroundings};
use crate::run::files::Files;
use crate::run::observe::observe;
use crate::run::{mmap_threshold, pilot};
use crate::{bisect, cold, survey};

/// Runs the experiment.
///
/// # Errors
/// [`BenchError`] if nothing could be measured. An arm that is not available here is not an error:
/// it is in `refused`.
pub fn bench(
    request: &BenchRequest,
    interrupt: Interrupt,
    mut watch: impl FnMut(BenchEvent),
) -> Result<LabResult, BenchError> {
    if request.experiment.subject == Subject::Floors {
        return survey::survey(request, interrupt, watch);
    }
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now());

    // The design: everything that is fixed before the first sample.
    let machine = machine::describe();
    let limits = MachineLimits::found(request, &machine)?;
    let Plan { design: whole, pairs, mut refused } = plan(request, &limits)?;

    // The run: each arm once, observed; then block after block, then bisections or cold pairs.
    let files = Rc::new(Files::make(&whole, &request.directory()));
    let surroundings = Surroundings::new(interrupt, started, request.cpu, files);
    let mut children = Children::new(&whole, surroundings.clone())?;
    pilot::refuse_too_many(&whole, &mut children)?;
    let observing = Instant::now();
    let (design, observed, missing) =
        observe(&whole, &mut children, |arm| watch(BenchEvent::Observing(arm)))?;
    refused.extend(missing);
    design.comparable(&refused)?;
    // One sample of each arm has been run: a first estimate of the time of a block.
    if let Some(notice) = pilot::too_short(&design, observing.elapsed(), started.elapsed()) {
        watch(BenchEvent::Notice(notice));
    }
    let turning_points = mmap_threshold::find(&design, &observed, &mut children);
    let (run, aside) = measure_arms(&design, surroundings.clone(), &mut watch)?;
    let pairs_wanted = pairs.is_some();
    let cold = match pairs {
        Some(pairs) if run.stopped != Some(Stopped::Interrupted) => {
            cold::run(pairs, &design, surroundings.clone(), request.cap(), &mut watch)?
        }
        _ => None,
    };

    // The judgement; crossovers are narrowed down in the remaining time.
    let judged = judge(&design, &run, &aside, Pairs::of(pairs_wanted, cold.as_ref()), &machine);
    let judged = bisect::narrow(judged, request, &design, &limits, &surroundings, &mut watch)?;

    // The result.
    let context = Context {
        started: started_at.to_string(),
        elapsed_ns: nanoseconds(started.elapsed()),
        machine,
        asked: Asked::by(request),
        cap: request.cap(),
        observed,
        refused,
        turning_points,
        cold,
    };
    Ok(assemble(&design, run, judged, context))
}
