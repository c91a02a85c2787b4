//! What seeing a page fault costs that fault, measured on this program itself.

use std::time::Instant;

use sys::mapping::{OwnMapping, Policy};
use sys::process::{allowed_cpus, pin_to, this_thread};

use crate::perf::rings::{Rings, Wanted};

/// Pages of a round: enough to drown reading the clock, few enough to take no time.
const PAGES: usize = 256;
/// Rounds with and without, in turn.
const ROUNDS: usize = 9;

/// What the two records of a page fault add to it, in nanoseconds: the median over rounds, each
/// beside one without records. The part of it that lies between the two time stamps is in every
/// latency; how large that part is the kernel does not tell, so this is its upper bound. `None`
/// where it cannot be measured, or drowns in noise.
pub(crate) fn of_a_fault(user_mode_only: bool) -> Option<u64> {
    let wanted = Wanted { faults: true, calls: None, user_mode_only, from_exec: false };
    // On a thread of its own, which may be pinned, so that one ring is enough.
    let thread = std::thread::Builder::new().name("firsttouch-cost".into());
    thread.spawn(move || measure(&wanted)).ok()?.join().ok()?
}

fn measure(wanted: &Wanted) -> Option<u64> {
    let &cpu = allowed_cpus().first()?;
    pin_to(cpu).ok()?;
    let mut added = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let without = touch()?;
        let rings = Rings::open(wanted, this_thread(), &[cpu]).ok()?;
        // The first time finds the ring cold.
        touch()?;
        added.push(touch()? - without);
        drop(rings);
    }
    added.sort_unstable();
    u64::try_from(added[ROUNDS / 2]).ok().filter(|&ns| ns > 0)
}

/// How long the first touch of a page takes, in nanoseconds.
fn touch() -> Option<i64> {
    let page = usize::try_from(sys::limits::page_bytes()).ok()?;
    let mut mapping = OwnMapping::new(PAGES * page, Policy::NoHugePage).ok()?;
    let began = Instant::now();
    mapping.touch_pages();
    i64::try_from(began.elapsed().as_nanos() / PAGES as u128).ok()
}
