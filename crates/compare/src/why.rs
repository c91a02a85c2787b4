//! Untimed, observed runs after the verdict: what the arms did differently.

use std::time::{Duration, Instant};

use analysis::trace::LineBuilder;
use collect::{Collection, Options, StreamState, Target};
use events::{Batch, Definitions};
use results::Verdict;
use results::compare::{ObservedCalls, ObservedProgram};
use results::trace::{Line, LineKind};
use sys::launch::Capture;
use sys::proc::task::memory_totals;
use sys::relay::Sent;

use crate::arm::PreparedArm;
use crate::design::ProgramDesign;
use crate::judge::Judged;
use crate::run::once::Launcher;

/// How often to look at the page tables, and for an interrupt.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Observed runs may take so much of the time of the whole run, or [`LEAST`].
const SHARE: f64 = 0.25;
const LEAST: Duration = Duration::from_secs(10);
/// An observed run may take so many times as long as a timed one, and [`LEAST`].
const SLOWER: u32 = 20;

/// The observed runs, by arm: of the baseline, and of the arms that differ from it, the most
/// different first, while there is time. `run` is the time of one timed run.
pub(crate) fn observe(
    design: &ProgramDesign,
    judged: &Judged,
    launcher: &Launcher,
    (run, elapsed): (Duration, Duration),
    mut watch: impl FnMut(&str),
) -> Vec<Option<ObservedProgram>> {
    let mut observed = vec![None; design.arms.len()];
    let different = finalists(design, judged);
    if different.is_empty() {
        return observed;
    }
    let until = Instant::now() + elapsed.mul_f64(SHARE).max(LEAST);
    for (count, arm) in std::iter::once(0).chain(different).enumerate() {
        // The baseline alone explains nothing: the first two run in any case.
        if count >= 2 && Instant::now() + run > until {
            break;
        }
        watch(&design.arms[arm].name);
        observed[arm] = observed_run(&design.arms[arm], launcher, run * SLOWER + LEAST);
        if observed[arm].is_none() {
            break;
        }
    }
    observed
}

/// The arms that differ from the baseline in a deciding metric, the most different first.
fn finalists(design: &ProgramDesign, judged: &Judged) -> Vec<usize> {
    let distance = |arm: usize| {
        judged
            .comparisons
            .iter()
            .filter(|c| c.arm == design.arms[arm].name && c.verdict == Verdict::Different)
            .filter(|c| design.metrics.iter().any(|metric| metric.key() == c.metric))
            .map(|c| c.ratio.ln().abs())
            .fold(0.0, f64::max)
    };
    let mut arms: Vec<(usize, f64)> =
        (1..design.arms.len()).map(|arm| (arm, distance(arm))).collect();
    arms.retain(|(_, distance)| *distance > 0.0);
    arms.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    arms.into_iter().map(|(arm, _)| arm).collect()
}

/// One observed run; `None` if it cannot be observed, or was ended.
fn observed_run(
    arm: &PreparedArm,
    launcher: &Launcher,
    patience: Duration,
) -> Option<ObservedProgram> {
    let observe = || {
        let capture = Capture::new().map_err(|errno| errno.to_string())?;
        let program = launcher.prepared(arm, "", &capture)?;
        let options = Options { setup: launcher.setup(arm), ..Options::default() };
        let collection = Collection::start(&Target::Program(program), options)
            .map_err(|error| format!("{error:?}"))?;
        let seen = watch_to_its_end(collection, launcher, patience);
        launcher.end_all_left();
        Ok(seen)
    };
    launcher.between(arm, observe).ok()?.0
}

fn watch_to_its_end(
    mut collection: Collection,
    launcher: &Launcher,
    patience: Duration,
) -> Option<ObservedProgram> {
    let sees_calls = collection.header().sees.calls;
    let sees_faults = collection.header().sees.faults;
    let pid = collection.pid();
    let mut seen = ObservedProgram {
        syscalls: sees_calls.then(Default::default),
        ..ObservedProgram::default()
    };
    let mut builder = LineBuilder::new(collection.header(), false);
    let (mut batch, mut definitions) = (Batch::default(), Definitions::default());
    let until = Instant::now() + patience;
    let mut killed = false;
    while collection.next(LOOK_EVERY, &mut batch) == StreamState::Going {
        builder.read(&mut batch, &mut definitions, &mut |line| count(&mut seen, &line));
        seen.page_tables_bytes = seen.page_tables_bytes.max(memory_totals(pid).page_tables_bytes);
        if !killed && (Instant::now() >= until || launcher.interrupt.received().is_some()) {
            collection.subject().ask_to_end(Sent::new(sys::ptrace::KILL));
            killed = true;
        }
    }
    let outcome = collection.finish(&mut batch);
    builder.read(&mut batch, &mut definitions, &mut |line| count(&mut seen, &line));
    seen.lost = outcome.lost;
    (!killed && (sees_calls || sees_faults)).then_some(seen)
}

fn count(seen: &mut ObservedProgram, line: &Line) {
    match &line.kind {
        LineKind::Fault(fault) => {
            *seen.faults.entry(fault.cause.word().to_owned()).or_default() += 1;
        }
        LineKind::Syscall(call) => {
            let Some(calls) = &mut seen.syscalls else { return };
            let sum: &mut ObservedCalls = calls.entry(call.name.to_owned()).or_default();
            sum.calls += 1;
            sum.ns += call.latency_ns.unwrap_or(0);
        }
        LineKind::Allocation(_)
        | LineKind::Process(_)
        | LineKind::Lost(_)
        | LineKind::Absence(_)
        | LineKind::Switched { .. } => {}
    }
}
