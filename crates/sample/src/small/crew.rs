//! The threads of a workload. Each has its own processor while there are enough; they start
//! together, and the time is from the first start to the last end.
//!
//! A single share of work is done by the calling thread: in a process that never had a second
//! thread, an allocator needs no atomic operations (glibc: `SINGLE_THREAD_P`).

use std::sync::{Barrier, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Instant;

use sys::proc::run_delay;
use sys::usage::Usage;

use super::Done;
use super::tally::Tally;
use crate::measurement::{PhaseCost, nanoseconds};

/// The work of one thread.
struct Part {
    start: Instant,
    end: Instant,
    tally: Tally,
    usage: [Usage; 2],
    run_delay_ns: Option<u64>,
}

/// Runs every share in its own thread.
///
/// # Errors
/// If a thread cannot be started.
pub(super) fn run<S: Send>(
    shares: Vec<S>,
    work: impl Fn(S) -> Tally + Sync,
) -> Result<Done, String> {
    let count = shares.len();
    if count <= 1 {
        return Ok(sum(&shares.into_iter().map(|share| part(|| work(share))).collect::<Vec<_>>()));
    }
    let (all, together) = (Mutex::new(false), Barrier::new(count));
    let parts = std::thread::scope(|scope| {
        // No thread passes the gate before all have started: if one cannot be started, the others
        // would wait for it forever.
        let mut gate = all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut crew = Vec::with_capacity(count);
        for (thread, share) in shares.into_iter().enumerate() {
            let (all, together, work) = (&all, &together, &work);
            let begin = move || {
                sys::process::spread(thread);
                let started = *all.lock().unwrap_or_else(PoisonError::into_inner);
                started.then(|| {
                    together.wait();
                    part(|| work(share))
                })
            };
            let handle = Builder::new().spawn_scoped(scope, begin);
            crew.push(handle.map_err(|error| {
                format!("thread {} of {count} could not be started: {error}", thread + 1)
            })?);
        }
        *gate = true;
        drop(gate);
        let parts: Vec<Part> =
            crew.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect();
        Ok::<_, String>(parts)
    })?;
    if parts.len() == count {
        Ok(sum(&parts))
    } else {
        Err("a thread of the workload ended early".to_owned())
    }
}

/// Times `work`. The counters are read outside the timed span.
fn part(work: impl FnOnce() -> Tally) -> Part {
    let (delay, before) = (run_delay(), Usage::of_this_thread());
    let start = Instant::now();
    let tally = work();
    let end = Instant::now();
    let usage = [before, Usage::of_this_thread()];
    let waited =
        run_delay().zip(delay).map(|(after, before)| nanoseconds(after.saturating_sub(before)));
    Part { start, end, tally, usage, run_delay_ns: waited }
}

fn sum(parts: &[Part]) -> Done {
    let total = |field: fn(&Usage) -> u64| {
        parts.iter().map(|part| field(&part.usage[1]) - field(&part.usage[0])).sum()
    };
    let span =
        parts.iter().map(|part| part.start).min().zip(parts.iter().map(|part| part.end).max());
    Done {
        cost: PhaseCost {
            time_ns: span
                .map_or(0, |(start, end)| nanoseconds(end.saturating_duration_since(start))),
            minor_faults: total(|usage| usage.minor_faults),
            major_faults: total(|usage| usage.major_faults),
        },
        tally: parts.iter().map(|part| part.tally).fold(Tally::default(), Tally::and),
        involuntary_switches: total(|usage| usage.involuntary_switches),
        run_delay_ns: parts.iter().map(|part| part.run_delay_ns).sum(),
    }
}
