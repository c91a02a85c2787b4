//! A child that measures many small objects: a number of pairs of malloc(3) and free(3), timed
//! together.
//!
//! The cost of a pair depends on the sizes and on the order of calls, so there are four workloads,
//! each a pattern that programs have:
//!
//! - `small-fixed`: objects of one size, freed by the same thread, half of them the newest first
//!   and half of them the oldest first.
//! - `small-mixed`: random sizes, mostly small, freed by the same thread, most of them soon and
//!   some of them much later.
//! - `small-larson`: uniformly random sizes; threads hand all their objects to the next thread,
//!   which replaces them bit by bit.
//! - `small-exchange`: objects of one size, freed by another thread as soon as it gets them.
//!
//! For a given seed the work is the same under every allocator: the same number of pairs, and the
//! same sizes in the same order in each thread. Tables of sizes and places are drawn beforehand;
//! while the clock runs, only the workload allocates. Every object is written at both ends, and
//! both are checked before it is freed, which detects an allocator that returns the same bytes
//! twice.

mod crew;
mod draws;
mod exchange;
mod fixed;
mod larson;
mod mixed;
mod tally;

use sys::object::Object;
use sys::proc::resident_now;

use crate::measurement::{Measurement, PhaseCost};
use crate::observer::Observer;
use crate::phases::rehearse;
use crate::protocol::Job;
use tally::Tally;

/// A pattern of allocating and freeing small objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// One size, freed in both orders.
    Fixed,
    /// Sizes and lifetimes drawn.
    Mixed,
    /// Objects handed from thread to thread: the idea of the larson benchmark (Larson and Krishnan,
    /// "Memory allocation for long-running server applications", ISMM 1998).
    Larson,
    /// One thread obtains, another frees.
    Exchange,
}

impl Workload {
    /// All workloads.
    pub const ALL: [Workload; 4] =
        [Workload::Fixed, Workload::Mixed, Workload::Larson, Workload::Exchange];

    /// Its name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Workload::Fixed => "small-fixed",
            Workload::Mixed => "small-mixed",
            Workload::Larson => "small-larson",
            Workload::Exchange => "small-exchange",
        }
    }

    /// The most bytes that are allocated at any time, approximately.
    #[must_use]
    pub fn live_bytes(self, size_bytes: u64, threads: u64) -> u64 {
        let objects = match self {
            Workload::Fixed => fixed::LIVE_OBJECTS,
            Workload::Mixed => mixed::LIVE_OBJECTS,
            Workload::Larson => larson::LIVE_OBJECTS,
            Workload::Exchange => exchange::LIVE_OBJECTS,
        };
        size_bytes.saturating_mul(objects).saturating_mul(self.threads(threads))
    }

    /// The threads that do the work if `asked` are requested: handing objects over takes two.
    #[must_use]
    pub fn threads(self, asked: u64) -> u64 {
        match self {
            Workload::Fixed | Workload::Mixed => asked.max(1),
            Workload::Larson | Workload::Exchange => asked.max(2),
        }
    }
}

/// Pairs of a sample: enough that first touches and starting threads are a small part of the time.
const PAIRS: u64 = 400_000;
/// Larger objects get fewer pairs, since an allocator may call the kernel for each.
const SMALL_BYTES: u64 = 4096;
const PAIRS_MIN: u64 = 1000;

/// The number of pairs in a sample.
#[must_use]
pub fn pairs_for(size_bytes: u64) -> u64 {
    if size_bytes <= SMALL_BYTES {
        PAIRS
    } else {
        (PAIRS * SMALL_BYTES / size_bytes).max(PAIRS_MIN)
    }
}

/// Does `job`, whose operations are pairs.
///
/// # Errors
/// As [`measure`]; and if the job requests touches, which workloads do not have.
pub(crate) fn measure_job(job: &Job, workload: Workload) -> Result<Measurement, String> {
    if let Some(reason) = job.pattern.unfit(job.source) {
        return Err(reason);
    }
    if !job.cpus.is_empty() {
        // Fails only if a processor has gone offline since: the threads then run unpinned.
        let _ = sys::process::allow_cpus(&job.cpus);
    }
    let pairs = job.operations + job.extra_bytes / job.size_bytes.max(1);
    // Starts before the threads, which inherit its counter.
    let observer = job.observe.then(Observer::begin);
    let measurement = measure(workload, pairs, job.size_bytes, job.threads, job.seed)?;
    let observation = observer.map(|observer| observer.after_obtain().end());
    Ok(Measurement { observation, ..measurement })
}

/// The work done, and its cost.
#[derive(Debug, Clone, Copy)]
struct Done {
    cost: PhaseCost,
    tally: Tally,
    involuntary_switches: u64,
    run_delay_ns: Option<u64>,
}

/// Runs `pairs` of malloc and free with objects of about `size_bytes` by `threads` threads
/// together; all of the time is in the obtain phase, and the resident set is that after the last
/// free.
///
/// # Errors
/// A message: malloc failed, objects overlap, a thread could not be started, or the objects are
/// larger than 4 GiB.
pub fn measure(
    workload: Workload,
    pairs: u64,
    size_bytes: u64,
    threads: u64,
    seed: u64,
) -> Result<Measurement, String> {
    let size = u32::try_from(size_bytes)
        .map_err(|_| format!("an object of {size_bytes} bytes is not small"))?;
    let size = size.max(Object::BYTES_MIN);
    let threads = usize::try_from(workload.threads(threads))
        .map_err(|_| format!("{threads} are too many threads"))?;
    rehearse();
    let huge_before = resident_now().map(|resident| resident.huge_bytes);
    let done = match workload {
        Workload::Fixed => fixed::run(&shares(pairs, threads), size),
        Workload::Mixed => mixed::run(&shares(pairs, threads), size, seed),
        Workload::Larson => larson::run(&shares(pairs, threads), size, seed),
        Workload::Exchange => exchange::run(pairs, threads, size),
    }?;
    let resident = resident_now();
    done.tally.judge(pairs)?;
    let mut measurement = Measurement {
        rss_bytes: resident.map(|resident| resident.rss_bytes),
        huge_bytes: resident
            .zip(huge_before)
            .map(|(after, before)| after.huge_bytes.saturating_sub(before)),
        involuntary_switches: done.involuntary_switches,
        run_delay_ns: done.run_delay_ns,
        ..Measurement::default()
    };
    measurement.phases.obtain = done.cost;
    Ok(measurement)
}

/// Distributes `pairs` over `threads` as evenly as whole numbers allow.
fn shares(pairs: u64, threads: usize) -> Vec<u64> {
    let (each, rest) = (pairs / threads as u64, pairs % threads as u64);
    (0..threads as u64).map(|thread| each + u64::from(thread < rest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(workload: Workload, pairs: u64, threads: usize, seed: u64) -> Tally {
        let done = match workload {
            Workload::Fixed => fixed::run(&shares(pairs, threads), 64),
            Workload::Mixed => mixed::run(&shares(pairs, threads), 64, seed),
            Workload::Larson => larson::run(&shares(pairs, threads), 64, seed),
            Workload::Exchange => exchange::run(pairs, threads, 64),
        };
        done.unwrap().tally
    }

    #[test]
    fn every_pair_is_counted_for_any_number_of_threads() {
        for workload in Workload::ALL {
            for (pairs, threads) in
                [(0, 1), (1, 1), (100, 1), (20_011, 1), (20_011, 2), (20_011, 3), (2, 5)]
            {
                let tally = run(workload, pairs, threads, 1);
                let counted = (tally.allocated, tally.freed, tally.damaged, tally.failed);
                assert_eq!(counted, (pairs, pairs, 0, None), "{workload:?} {threads}");
                assert!(tally.judge(pairs).is_ok() && tally.judge(pairs + 1).is_err());
            }
        }
    }

    #[test]
    fn the_seed_decides_the_bytes() {
        for workload in Workload::ALL {
            let bytes = |seed| run(workload, 30_000, 2, seed).bytes;
            assert_eq!(bytes(1), bytes(1), "{workload:?}");
            let drawn = matches!(workload, Workload::Mixed | Workload::Larson);
            assert_eq!(bytes(1) != bytes(2), drawn, "{workload:?}");
        }
    }

    #[test]
    fn impossible_jobs_are_errors() {
        assert!(measure(Workload::Fixed, 1, 1 << 33, 1, 1).unwrap_err().contains("is not small"));
        let tiny = measure(Workload::Fixed, 10, 1, 1, 1).unwrap();
        assert!(tiny.phases.obtain.time_ns > 0, "an object of one byte gets eight, to hold a tag");
    }

    #[test]
    fn shares_add_up_and_differ_by_one_at_most() {
        assert_eq!(shares(11, 4), [3, 3, 3, 2]);
        assert_eq!(shares(2, 3), [1, 1, 0]);
    }
}
