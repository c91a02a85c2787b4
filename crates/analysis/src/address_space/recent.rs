//! The last faults of a process, to recognise several threads that fault on the same page at once.

use std::collections::VecDeque;
use std::ops::Range;

use events::{Cause, Fault, Thread};

/// The number of remembered faults: more than a process takes in a few microseconds.
const REMEMBERED: usize = 128;

/// The last faults, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent(VecDeque<Taken>);

#[derive(Debug, Clone, Copy)]
struct Taken {
    tid: u32,
    page: u64,
    began_ns: u64,
    /// When it ended; `None` if unknown.
    end_ns: Option<u64>,
    cause: Cause,
}

impl Recent {
    /// Remembers a fault.
    pub(crate) fn add(
        &mut self,
        fault: &Fault,
        thread: Thread,
        page: u64,
        time_ns: u64,
        cause: Cause,
    ) {
        let end_ns =
            fault.span.latency_ns.map(|latency_ns| time_ns.saturating_add(latency_ns.get()));
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front(Taken { tid: thread.tid, page, began_ns: time_ns, end_ns, cause });
    }

    /// Whether all faults since `time_ns` are remembered. They may not be when an event comes late.
    pub(crate) fn reaches_back_to(&self, time_ns: u64) -> bool {
        self.0.len() < REMEMBERED || self.0.back().is_none_or(|oldest| oldest.began_ns <= time_ns)
    }

    /// The cause of the last fault of another thread on one of `pages` at some time of `times`.
    pub(crate) fn of_another(
        &self,
        thread: Thread,
        pages: &Range<u64>,
        times: &Range<u64>,
    ) -> Option<Cause> {
        self.0
            .iter()
            .find(|taken| {
                taken.tid != thread.tid
                    && pages.contains(&taken.page)
                    && taken.began_ns <= times.end
                    && taken.end_ns.is_some_and(|end_ns| times.start < end_ns)
            })
            .map(|taken| taken.cause)
    }
}
