//! Which allocating calls pay: a report may be of some calls only.

use std::ops::{Range, RangeInclusive};

use events::{Allocation, Event};

/// Which calls that ask for memory are chosen: those that meet all that is given. What a block
/// costs later goes with its call, whenever and wherever that is paid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Those that begin in this time, on the stream's clock.
    pub times_ns: Option<Range<u64>>,
    /// Those of the thread with this number.
    pub tid: Option<u32>,
    /// Those of the process with this number.
    pub pid: Option<u32>,
    /// Those that ask for so many bytes.
    pub sizes_bytes: Option<RangeInclusive<u64>>,
}

impl CallFilter {
    /// Whether it chooses every call.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == CallFilter::default()
    }

    /// Whether it chooses `call`, which `event` is.
    #[must_use]
    pub fn chooses(&self, event: &Event, call: &Allocation) -> bool {
        self.times_ns.as_ref().is_none_or(|times| times.contains(&event.time_ns))
            && self.tid.is_none_or(|tid| tid == event.thread.tid)
            && self.pid.is_none_or(|pid| pid == event.thread.pid)
            && self.sizes_bytes.as_ref().is_none_or(|sizes| sizes.contains(&call.size_bytes))
    }
}

#[cfg(test)]
mod tests {
    use events::{AllocationFunction, EventKind, StackId, Thread};

    use super::*;

    fn chooses(filter: &CallFilter, time_ns: u64, size_bytes: u64) -> bool {
        let call = Allocation {
            address: 64,
            released: 0,
            size_bytes,
            latency_ns: None,
            stack: StackId::NOT_TAKEN,
            function: AllocationFunction::Malloc,
            alignment_log2: 0,
        };
        let thread = Thread { pid: 7, tid: 8 };
        let event = Event { time_ns, thread, kind: EventKind::Allocation(call) };
        filter.chooses(&event, &call)
    }

    #[test]
    fn all_that_is_given_has_to_hold() {
        let all = CallFilter::default();
        assert!(all.is_none() && chooses(&all, 0, u64::MAX));
        let timed = CallFilter { times_ns: Some(10..20), ..all.clone() };
        for (time_ns, expect) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(chooses(&timed, time_ns, 1), expect, "{time_ns}");
        }
        let sized = CallFilter { sizes_bytes: Some(16..=32), ..all.clone() };
        for (size_bytes, expect) in [(15, false), (16, true), (32, true), (33, false)] {
            assert_eq!(chooses(&sized, 0, size_bytes), expect, "{size_bytes}");
        }
        for (pid, tid, expect) in [
            (Some(7), Some(8), true),
            (None, Some(8), true),
            (Some(7), None, true),
            (Some(8), Some(8), false),
            (Some(7), Some(7), false),
        ] {
            let filter = CallFilter { tid, pid, ..all.clone() };
            assert_eq!(chooses(&filter, 0, 0), expect, "{pid:?} {tid:?}");
        }
        let both = CallFilter { times_ns: Some(10..20), ..sized };
        assert!(chooses(&both, 10, 16) && !chooses(&both, 9, 16) && !chooses(&both, 10, 15));
        assert!(!both.is_none());
    }
}
