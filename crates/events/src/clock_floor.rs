//! What measuring a call's time adds to that time.

use core::num::NonZeroU64;

use crate::{Allocation, CallCounts};

/// What is measured of a call that takes no time at all, as a loop of calls showed: mostly the
/// reading of the clock. 0: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockFloor {
    /// Of a call that asks for memory, in nanoseconds.
    pub call_ns: u64,
    /// Of one that only gives back, in nanoseconds.
    pub release_ns: u64,
}

impl ClockFloor {
    /// `call` without it. A time that was measured stays one: of at least a nanosecond.
    #[must_use]
    #[inline]
    pub fn taken_from(self, call: &Allocation) -> Allocation {
        let floor_ns = if call.only_gives_back() { self.release_ns } else { self.call_ns };
        let left = |ns: NonZeroU64| {
            NonZeroU64::new(ns.get().saturating_sub(floor_ns)).unwrap_or(NonZeroU64::MIN)
        };
        Allocation { latency_ns: call.latency_ns.map(left), ..*call }
    }

    /// Calls that were counted, without it.
    #[must_use]
    pub fn taken_from_all(self, counts: &CallCounts) -> CallCounts {
        let floor_ns = if counts.releases { self.release_ns } else { self.call_ns };
        let all_ns = floor_ns.saturating_mul(counts.timed);
        let least_ns = counts.timed.min(counts.timed_ns);
        let timed_ns = counts.timed_ns.saturating_sub(all_ns).max(least_ns);
        CallCounts { timed_ns, ..*counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AllocationFunction, StackId};

    #[test]
    fn what_was_measured_is_never_nothing() {
        let floor = ClockFloor { call_ns: 20, release_ns: 40 };
        let call = |address, latency_ns| Allocation {
            address,
            released: 64,
            size_bytes: 8,
            latency_ns: NonZeroU64::new(latency_ns),
            stack: StackId::NONE,
            function: if address == 0 {
                AllocationFunction::Free
            } else {
                AllocationFunction::Realloc
            },
            alignment_log2: 0,
        };
        for (address, latency_ns, expected) in
            [(64, 50, 30), (64, 20, 1), (64, 5, 1), (64, 0, 0), (0, 50, 10), (0, 40, 1)]
        {
            let left = floor.taken_from(&call(address, latency_ns));
            assert_eq!(left.latency_ns, NonZeroU64::new(expected), "{address} {latency_ns}");
            assert_eq!(left.address, address);
        }
    }

    #[test]
    fn of_counted_calls_each_timed_one_had_it() {
        let floor = ClockFloor { call_ns: 20, release_ns: 40 };
        let counts = CallCounts {
            pid: 1,
            stack: StackId::NONE,
            function: AllocationFunction::Malloc,
            releases: false,
            first_ns: 0,
            calls: 100,
            failed: 0,
            bytes: 0,
            timed: 10,
            timed_ns: 500,
        };
        let left = |counts: CallCounts| floor.taken_from_all(&counts).timed_ns;
        assert_eq!(left(counts), 300);
        assert_eq!(left(CallCounts { releases: true, ..counts }), 100);
        assert_eq!(left(CallCounts { timed_ns: 150, ..counts }), 10);
        assert_eq!(left(CallCounts { timed: 0, timed_ns: 0, ..counts }), 0);
    }
}
