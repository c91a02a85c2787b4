//! The phases of a child whose work several threads share, each with its own blocks.
//!
//! ```text
//!   thread 0   |obtain|   |touch     |   |between|   |touch|   |release|
//!   thread 1   |obtain  | |touch       | |between  | |touch| | |release  |
//!              ^        ^ ^            ^ a phase lasts from the first start to the last end
//! ```
//! Between the phases all threads wait for each other. Waking up is not part of a thread's own
//! time, but the thread that wakes last also ends last: a phase of a few microseconds consists
//! mostly of that delay.

use std::sync::{Barrier, Condvar, Mutex};
use std::time::Instant;

use sys::Errno;
use sys::proc::{resident_now, run_delay};
use sys::usage::Usage;

use crate::block::Block;
use crate::measurement::{Measurement, PhaseCost, Phases, nanoseconds};
use crate::observer::Observer;
use crate::phases::{between, eligible_of, failed, obtain_all, rehearse, release, sizes};
use crate::protocol::Job;
use crate::touching::Toucher;

/// The time and cost of one thread in one phase.
#[derive(Clone, Copy)]
struct Part {
    start: Instant,
    end: Instant,
    minor_faults: u64,
    major_faults: u64,
}

/// The results of one thread.
struct Share {
    parts: Vec<Part>,
    huge_eligible_bytes: u64,
    involuntary_switches: u64,
    run_delay_ns: Option<u64>,
}

/// Runs the phases in `job.threads` threads.
pub(crate) fn measure<B: Block>(
    job: &Job,
    obtain: impl Fn(usize) -> Result<B, Errno> + Sync,
    observer: impl FnOnce(&Job) -> Option<Observer>,
) -> Result<Measurement, String> {
    if !job.cpus.is_empty() {
        // Fails only if a processor has gone offline since: the threads then run unpinned.
        let _ = sys::process::allow_cpus(&job.cpus);
    }
    let sizes = sizes(job).map_err(|errno| errno.to_string())?;
    let threads = usize::try_from(job.threads).unwrap_or(1);
    let each = sizes.len().div_ceil(threads);
    // Starts before the threads, which inherit its counter.
    let observer = observer(job);
    let (barrier, gate, failure) = (Barrier::new(threads + 1), Gate::default(), Mutex::new(None));
    let (shares, rest) = std::thread::scope(|scope| {
        let mut crew = Vec::with_capacity(threads);
        for thread in 0..threads {
            let own = sizes.chunks(each.max(1)).nth(thread).unwrap_or_default();
            let (barrier, gate, failure, obtain) = (&barrier, &gate, &failure, &obtain);
            let work = move || {
                sys::process::spread(thread);
                gate.opened().then(|| share(job, own, barrier, failure, obtain))
            };
            match std::thread::Builder::new().spawn_scoped(scope, work) {
                Ok(handle) => crew.push(handle),
                Err(error) => {
                    gate.decide(false);
                    return Err(format!(
                        "thread {} of {threads} could not be started: {error}",
                        thread + 1
                    ));
                }
            }
        }
        gate.decide(true);
        let rest = conduct(&barrier, observer);
        let shares: Vec<Share> =
            crew.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect();
        Ok((shares, rest))
    })?;
    if let Some(errno) = failure.into_inner().unwrap_or_default() {
        return Err(errno.to_string());
    }
    Ok(Measurement {
        phases: Phases::from_all([0, 1, 2, 3, 4].map(|phase| cost(&shares, phase))),
        huge_eligible_bytes: shares.iter().map(|share| share.huge_eligible_bytes).sum(),
        involuntary_switches: shares.iter().map(|share| share.involuntary_switches).sum(),
        run_delay_ns: shares.iter().map(|share| share.run_delay_ns).sum(),
        ..rest
    })
}

/// Threads wait here until it is known whether all of them could be started.
#[derive(Default)]
struct Gate {
    open: Mutex<Option<bool>>,
    decided: Condvar,
}

impl Gate {
    fn decide(&self, open: bool) {
        if let Ok(mut state) = self.open.lock() {
            *state = Some(open);
        }
        self.decided.notify_all();
    }

    fn opened(&self) -> bool {
        let state = self
            .open
            .lock()
            .and_then(|state| self.decided.wait_while(state, |open| open.is_none()));
        state.is_ok_and(|open| *open == Some(true))
    }
}

/// The time from the first start to the last end, and the faults of all threads.
fn cost(shares: &[Share], phase: usize) -> PhaseCost {
    let parts = || shares.iter().map(|share| share.parts[phase]);
    let span = parts().map(|part| part.start).min().zip(parts().map(|part| part.end).max());
    PhaseCost {
        time_ns: span.map_or(0, |(start, end)| nanoseconds(end.saturating_duration_since(start))),
        minor_faults: parts().map(|part| part.minor_faults).sum(),
        major_faults: parts().map(|part| part.major_faults).sum(),
    }
}

/// Does one thread's share of the work.
fn share<B: Block>(
    job: &Job,
    sizes: &[usize],
    barrier: &Barrier,
    failure: &Mutex<Option<Errno>>,
    obtain: impl Fn(usize) -> Result<B, Errno>,
) -> Share {
    let mut blocks: Vec<Option<B>> = sizes.iter().map(|_| None).collect();
    let mut parts = Vec::with_capacity(5);
    let toucher = Toucher::new(job);
    let note = |outcome: Result<(), Errno>| {
        if let Err(errno) = outcome
            && let Ok(mut failure) = failure.lock()
        {
            *failure = Some(errno);
        }
    };
    B::prepare();
    rehearse();
    let (usage, delay) = (Usage::of_this_thread(), run_delay());
    parts.push(part(barrier, || note(obtain_all(&mut blocks, sizes, &obtain))));
    let written = job.source.writes_while_obtaining();
    let first_touch = |blocks: &mut [Option<B>]| {
        if !written {
            toucher.first(blocks);
        }
    };
    parts.push(part(barrier, || first_touch(&mut blocks)));
    let huge_eligible_bytes = eligible_of(&blocks, sizes);
    parts.push(part(barrier, || note(between(&mut blocks, sizes, job.pattern.between, &obtain))));
    parts.push(part(barrier, || toucher.again(&mut blocks)));
    note(failed(&blocks));
    parts.push(part(barrier, || release(&mut blocks)));
    let (usage_after, delay_after) = (Usage::of_this_thread(), run_delay());
    Share {
        parts,
        huge_eligible_bytes,
        involuntary_switches: usage_after.involuntary_switches - usage.involuntary_switches,
        run_delay_ns: delay_after
            .zip(delay)
            .map(|(after, before)| nanoseconds(after.saturating_sub(before))),
    }
}

/// One phase of one thread, between the two barriers that mark its start and its end.
fn part(barrier: &Barrier, work: impl FnOnce()) -> Part {
    barrier.wait();
    let before = Usage::of_this_thread();
    let start = Instant::now();
    work();
    let end = Instant::now();
    let after = Usage::of_this_thread();
    barrier.wait();
    let used = after.since(&before);
    Part { start, end, minor_faults: used.minor_faults, major_faults: used.major_faults }
}

/// The main thread waits at every barrier and takes readings between the phases.
fn conduct(barrier: &Barrier, observer: Option<Observer>) -> Measurement {
    let huge_before = resident_now().map(|r| r.huge_bytes);
    let phase = || {
        barrier.wait();
        barrier.wait();
    };
    phase();
    let observer = observer.map(Observer::after_obtain);
    phase();
    // Not just before the release, as in one thread.
    let resident = resident_now();
    phase();
    phase();
    phase();
    Measurement {
        rss_bytes: resident.map(|r| r.rss_bytes),
        huge_bytes: resident
            .zip(huge_before)
            .map(|(after, before)| after.huge_bytes.saturating_sub(before)),
        observation: observer.map(Observer::end),
        ..Measurement::default()
    }
}
