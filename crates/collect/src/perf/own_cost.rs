//! The cost of recording a page fault, measured on this process itself.

use std::time::Instant;

use sys::mapping::{OwnMapping, Policy};
use sys::process::{allowed_cpus, pin_to, this_thread};

use crate::perf::rings::{Rings, Wanted};

/// Pages of a round: enough to make reading the clock negligible, few enough to be quick.
const PAGES: usize = 256;
/// Rounds with and without recording, alternating.
const ROUNDS: usize = 9;

/// The time that its two records add to a page fault, in nanoseconds: the median over rounds, each
/// paired with one without records. The part between the two time stamps is in every latency; its
/// size is not known, and this is its upper bound. `None` if it cannot be measured or is below the
/// noise.
pub(crate) fn of_a_fault(user_mode_only: bool) -> Option<u64> {
    let wanted = Wanted { faults: true, calls: None, user_mode_only, from_exec: false };
    // In a separate thread, which can be pinned, so that one ring is enough.
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
        // A first round, because the ring is cold.
        touch()?;
        added.push(touch()? - without);
        drop(rings);
    }
    added.sort_unstable();
    u64::try_from(added[ROUNDS / 2]).ok().filter(|&ns| ns > 0)
}

/// The time of the first touch of a page, in nanoseconds.
fn touch() -> Option<i64> {
    let page = usize::try_from(sys::limits::page_bytes()).ok()?;
    let mut mapping = OwnMapping::new(PAGES * page, Policy::NoHugePage).ok()?;
    let began = Instant::now();
    mapping.touch_pages();
    i64::try_from(began.elapsed().as_nanos() / PAGES as u128).ok()
}
