//! The last faults of a process, to recognise several threads that fault on the same page at once.

use events::{Cause, Fault, Thread};

/// The number of remembered faults: more than the threads that usually wait for one page.
const REMEMBERED: usize = 32;

/// The last faults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent {
    faults: [Option<Taken>; REMEMBERED],
    next: usize,
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    tid: u32,
    page: u64,
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
        self.faults[self.next] = Some(Taken { tid: thread.tid, page, end_ns, cause });
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// The cause of a fault of another thread on `page` that was not complete at `time_ns`: both
    /// wait for the same page.
    pub(crate) fn same(&self, thread: Thread, page: u64, time_ns: u64) -> Option<Cause> {
        (1..=REMEMBERED)
            .filter_map(|back| self.faults[(self.next + REMEMBERED - back) % REMEMBERED])
            .find(|taken| {
                taken.tid != thread.tid
                    && taken.page == page
                    && taken.end_ns.is_some_and(|end_ns| time_ns < end_ns)
            })
            .map(|taken| taken.cause)
    }
}
