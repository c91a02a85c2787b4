//! The cost of recording a page fault and a syscall, measured on this process itself.

use std::time::Instant;

use sys::mapping::{OwnMapping, Policy};
use sys::process::{allowed_cpus, cheapest_memory_call, pin_to, this_thread};

use crate::perf::rings::{Rings, Wanted};

/// Pages of a round: enough to make reading the clock negligible, few enough to be quick.
const PAGES: usize = 64;
/// Rounds with and without recording, alternating.
const ROUNDS: usize = 9;
/// A ring with room for the records of a round several times over.
const RING_BYTES: usize = 64 << 10;
/// Calls of a round.
const CALLS: u32 = 128;

/// The time that its two records add to a page fault, in nanoseconds: the median over rounds, each
/// paired with one without records. The part between the two time stamps is in every latency; its
/// size is not known, and this is its upper bound. `None` if it cannot be measured or is below the
/// noise.
pub(crate) fn of_a_fault(user_mode_only: bool) -> Option<u64> {
    let wanted = Wanted { faults: true, calls: None, user_mode_only, from_exec: false };
    // In a separate thread, which can be pinned, so that one ring is enough.
    in_own_thread(move || {
        let mut rings = pinned(&wanted)?;
        let mut added = Vec::with_capacity(ROUNDS);
        let mut records = Vec::new();
        // The first round does not count, because the ring is cold.
        for round in 0..=ROUNDS {
            let without = touch()?;
            rings.start();
            let with = touch();
            rings.stop();
            rings.take(&mut records);
            records.clear();
            if round > 0 {
                added.push(with? - without);
            }
        }
        positive(median(added))
    })
}

/// The time of the cheapest memory syscall without records, in nanoseconds. It must be measured
/// before the tracepoints are opened, since they make every syscall slower.
pub(crate) fn bare_call_ns() -> i64 {
    median((0..ROUNDS).map(|_| call_ns()).collect())
}

/// The time that its two records add to a memory syscall, in nanoseconds, and an upper bound of
/// what each latency includes. `wanted` are events whose tracepoints are still open, `bare_ns` is
/// [`bare_call_ns`].
pub(crate) fn of_a_call(wanted: &Wanted, bare_ns: i64) -> Option<u64> {
    let wanted = Wanted { faults: false, from_exec: false, ..wanted.clone() };
    in_own_thread(move || {
        let mut rings = pinned(&wanted)?;
        rings.start();
        let mut records = Vec::new();
        let mut round = || {
            let ns = call_ns();
            rings.take(&mut records);
            records.clear();
            ns
        };
        round();
        let with_ns = median((0..ROUNDS).map(|_| round()).collect());
        positive(with_ns - bare_ns)
    })
}

fn in_own_thread(measure: impl FnOnce() -> Option<u64> + Send + 'static) -> Option<u64> {
    let thread = std::thread::Builder::new().name("firsttouch-cost".into());
    thread.spawn(measure).ok()?.join().ok()?
}

/// The events of this thread on one processor, stopped, after pinning it there.
fn pinned(wanted: &Wanted) -> Option<Rings> {
    let &cpu = allowed_cpus().first()?;
    pin_to(cpu).ok()?;
    let rings = Rings::open_sized(wanted, this_thread(), &[cpu], RING_BYTES).ok()?;
    rings.stop();
    Some(rings)
}

fn median(mut times: Vec<i64>) -> i64 {
    times.sort_unstable();
    times[times.len() / 2]
}

fn positive(ns: i64) -> Option<u64> {
    u64::try_from(ns).ok().filter(|&ns| ns > 0)
}

/// The time of the first touch of a page, in nanoseconds.
fn touch() -> Option<i64> {
    let page = usize::try_from(sys::limits::page_bytes()).ok()?;
    let mut mapping = OwnMapping::new(PAGES * page, Policy::NoHugePage).ok()?;
    let began = Instant::now();
    mapping.touch_pages();
    i64::try_from(began.elapsed().as_nanos() / PAGES as u128).ok()
}

/// The time of a memory syscall, in nanoseconds.
fn call_ns() -> i64 {
    let began = Instant::now();
    (0..CALLS).for_each(|_| cheapest_memory_call());
    i64::try_from(began.elapsed().as_nanos() / u128::from(CALLS)).unwrap_or(i64::MAX)
}
