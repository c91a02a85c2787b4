//! The last faults of a process, to distinguish a repeated fault from a new one on the same page.

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
    address: u64,
    ip: u64,
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
        let taken =
            Taken { tid: thread.tid, address: fault.address, ip: fault.ip, page, end_ns, cause };
        self.faults[self.next] = Some(taken);
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// The cause of an earlier fault that `fault` repeats: the thread's last fault, if it did not
    /// complete (the instruction runs again and faults again), or an incomplete fault of another
    /// thread on the same page.
    pub(crate) fn same(
        &self,
        fault: &Fault,
        thread: Thread,
        page: u64,
        time_ns: u64,
    ) -> Option<Cause> {
        let newest_first = || {
            (1..=REMEMBERED)
                .filter_map(|back| self.faults[(self.next + REMEMBERED - back) % REMEMBERED])
        };
        let own = newest_first().find(|taken| taken.tid == thread.tid);
        let again = own.filter(|taken| {
            taken.end_ns.is_none() && (taken.address, taken.ip) == (fault.address, fault.ip)
        });
        let meanwhile = || {
            newest_first().find(|taken| {
                taken.tid != thread.tid
                    && taken.page == page
                    && taken.end_ns.is_some_and(|end_ns| time_ns < end_ns)
            })
        };
        again.or_else(meanwhile).map(|taken| taken.cause)
    }
}
