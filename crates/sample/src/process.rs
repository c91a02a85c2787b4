//! The measured child: one process, one batch, its timed phases.
//!
//! Nothing is allocated or printed between the phases, since our allocations would change what the
//! allocator does in the measurement. Files of `/proc` are read into a buffer on the stack.

use sys::Errno;
use sys::allocator::malloc_origin;
use sys::mapping::{OwnMapping, Policy};
use sys::proc::{resident_now, run_delay};
use sys::usage::Usage;

use crate::access_pattern::Between;
use crate::block::Block;
use crate::floors;
use crate::fork::fork_and_touch;
use crate::measurement::{Measurement, Phases, nanoseconds};
use crate::observer::Observer;
use crate::obtain::measure_source;
use crate::phases::{between, eligible_of, failed, obtain_all, phase, rehearse, release, sizes};
use crate::protocol::{Answer, Job, Task};
use crate::threads;
use crate::touching::Toucher;

/// The hidden child verb: parses the task, runs it and prints the answer. Returns the exit status.
///
/// # Panics
/// Never: an answer can always be serialised as JSON. (If standard output is closed, the parent is
/// gone.)
#[must_use]
pub fn child_main(task: Option<&str>) -> i32 {
    let Some(task) = task.and_then(|text| serde_json::from_str::<Task>(text).ok()) else {
        eprintln!("this verb is for firsttouch itself");
        return 2;
    };
    sys::process::die_with_parent(task.parent());
    sys::process::prefer_to_be_killed();
    let answer = answer(&task);
    println!("{}", serde_json::to_string(&answer).expect("an answer can be serialised"));
    0
}

/// Runs `task` and returns the answer for the parent.
#[must_use]
pub fn answer(task: &Task) -> Answer {
    if matches!(task, Task::Measure(_) | Task::Floors { .. }) {
        sys::image::populate_code();
    }
    match task {
        Task::Measure(job) => measured(job),
        Task::Allocator { .. } => Answer::Allocator(malloc_origin()),
        Task::Warm { bytes, .. } => {
            warm(*bytes);
            Answer::Warmed
        }
        Task::Floors { group, bytes, block_bytes, .. } => {
            Answer::Floors(floors::measure(*group, *bytes, *block_bytes))
        }
    }
}

/// Touches memory, in huge pages where the kernel provides them: that takes a fifth of the time.
fn warm(bytes: u64) {
    let Ok(len) = usize::try_from(bytes) else { return };
    if let Ok(mut mapping) =
        OwnMapping::new(len, Policy::HugePage).or_else(|_| OwnMapping::new(len, Policy::Plain))
    {
        mapping.touch_pages();
    }
}

fn measured(job: &Job) -> Answer {
    if job.pattern.between == Between::Trim && !sys::allocator::trims() {
        let library = malloc_origin().unwrap_or_else(|| "this process's allocator".to_owned());
        return Answer::Failed {
            reason: format!("between = \"trim\": {library} has no malloc_trim(3)"),
        };
    }
    if let Some(earlier) = job.before {
        // The same batch from another source, measured in the same way and discarded.
        let first =
            Job { source: earlier.source, fill: earlier.fill, observe: false, ..job.clone() };
        if let Err(error) = measure_source(&first) {
            return Answer::Failed {
                reason: format!("{}, done before it: {error}", first.source.name()),
            };
        }
    }
    match measure_source(job) {
        Ok(measurement) => {
            // Looked up after the phases: dladdr(3) may allocate.
            let allocator = job.source.is_of_the_heap().then(malloc_origin).flatten();
            Answer::Measured(Box::new(Measurement { allocator, ..measurement }))
        }
        Err(error) => Answer::Failed { reason: format!("{}: {error}", job.source.name()) },
    }
}

/// Runs the phases over a batch, in one thread or several.
pub(crate) fn measure<B: Block>(
    job: &Job,
    obtain: impl Fn(usize) -> Result<B, Errno> + Sync,
) -> Result<Measurement, String> {
    if let Some(reason) = job.pattern.unfit(job.source) {
        return Err(reason);
    }
    let observer = |job: &Job| job.observe.then(Observer::begin);
    if job.threads > 1 {
        threads::measure(job, obtain, observer)
    } else {
        alone(job, obtain, observer)
    }
}

/// In one thread. Monomorphic, so that a phase is a loop over direct calls.
fn alone<B: Block>(
    job: &Job,
    obtain: impl Fn(usize) -> Result<B, Errno>,
    observer: impl FnOnce(&Job) -> Option<Observer>,
) -> Result<Measurement, String> {
    let words = |errno: Errno| errno.to_string();
    // Written here, so that no page of these lists is touched for the first time inside a phase.
    let sizes = sizes(job).map_err(words)?;
    let mut blocks: Vec<Option<B>> = sizes.iter().map(|_| None).collect();
    let toucher = Toucher::new(job);
    let mut stopwatch = toucher.stopwatch(&sizes);
    B::prepare();
    rehearse();

    let observer = observer(job);
    let huge_before = resident_now().map(|r| r.huge_bytes);
    let (usage, delay) = (Usage::of_this_thread(), run_delay());
    let mut phases = Phases::default();

    let mut outcome = Ok(());
    phases.obtain = phase(|| outcome = obtain_all(&mut blocks, &sizes, &obtain));
    outcome.map_err(words)?;
    let observer = observer.map(Observer::after_obtain);
    if !job.source.writes_while_obtaining() {
        phases.first_touch = match &mut stopwatch {
            Some(watch) => phase(|| toucher.first_timed(&mut blocks, watch)),
            None => phase(|| toucher.first(&mut blocks)),
        };
    }
    // Read here and not just before the release: it walks the page tables, and a release right
    // after it took a sixth less.
    let resident = resident_now();
    let huge_eligible_bytes = eligible_of(&blocks, &sizes);
    if job.pattern.between.forks() {
        fork_and_touch(&mut blocks, &toucher, job.pattern, &mut phases)
            .map_err(|error| error.to_string())?;
    } else {
        if job.pattern.between != Between::Nothing {
            phases.between =
                phase(|| outcome = between(&mut blocks, &sizes, job.pattern.between, &obtain));
            outcome.map_err(words)?;
        }
        if job.pattern.passes > 1 {
            phases.second_touch = phase(|| toucher.again(&mut blocks));
        }
    }
    failed(&blocks).map_err(words)?;
    phases.release = phase(|| release(&mut blocks));

    let observation = observer.map(Observer::end);
    let (usage_after, delay_after) = (Usage::of_this_thread(), run_delay());
    Ok(Measurement {
        phases,
        rss_bytes: resident.map(|r| r.rss_bytes),
        huge_bytes: resident
            .zip(huge_before)
            .map(|(after, before)| after.huge_bytes.saturating_sub(before)),
        huge_eligible_bytes,
        involuntary_switches: usage_after.involuntary_switches - usage.involuntary_switches,
        run_delay_ns: delay_after
            .zip(delay)
            .map(|(after, before)| nanoseconds(after.saturating_sub(before))),
        observation,
        timings: stopwatch.map(|watch| watch.timings()),
        ..Measurement::default()
    })
}
