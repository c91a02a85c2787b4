//! The tracer's events, until the drain takes them, with a watermark.
//!
//! ```text
//!   tracer    begin: publish "in flight since T", then read the clock, push, ..., idle
//!   drain     read the clock (C), look whether the tracer is in flight, take the queue
//!             watermark: T if it is in flight, else C
//! ```
//! If the tracer begins after the drain has looked, it reads its clock after C. If it began before,
//! it has published a time earlier than its stamps, or has already pushed the events that the drain
//! now takes. The store and the load are sequentially consistent, so that the clock is not read
//! before the store is visible.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use events::{Lost, Thread};
use sys::clock::monotonic_ns;

use crate::stream::budget::Budget;
use crate::stream::raw::{RawEvent, RawKind};

/// The value of `in_flight_since` while the tracer adds nothing.
const IDLE: u64 = u64::MAX;
/// The memory of a waiting event.
pub(crate) const EVENT_BYTES: usize = size_of::<RawEvent>();

/// The queue from the tracer to the drain.
#[derive(Debug)]
pub(crate) struct Outbox {
    in_flight_since_ns: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    events: Vec<RawEvent>,
    /// Threads in a call whose beginning was queued: its end is queued in any case.
    in_call: HashSet<u32>,
    /// Events lost since the last one that was queued.
    missing: u64,
    /// Events lost in all.
    lost: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox { in_flight_since_ns: AtomicU64::new(IDLE), queue: Mutex::default() }
    }
}

impl Outbox {
    /// Must be called before the tracer reads its clock.
    pub(crate) fn begin(&self) {
        self.in_flight_since_ns.store(monotonic_ns(), Ordering::SeqCst);
    }

    /// Must be called when the tracer has pushed everything that it has stamped.
    pub(crate) fn idle(&self) {
        self.in_flight_since_ns.store(IDLE, Ordering::SeqCst);
    }

    /// Adds `event`, or counts it as lost if too much is waiting.
    pub(crate) fn push(&self, event: RawEvent, budget: &Budget) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let tid = event.thread.tid;
        if let RawKind::CallEnds { .. } = event.kind {
            // An end is useless without its beginning, which was counted as lost.
            if !queue.in_call.remove(&tid) {
                return;
            }
        } else if budget.is_full() {
            queue.missing += 1;
            queue.lost += 1;
            return;
        }
        if let RawKind::CallBegins { .. } = event.kind {
            queue.in_call.insert(tid);
        }
        let records = std::mem::take(&mut queue.missing);
        let gap = RawEvent {
            kind: RawKind::Lost(Lost { records }),
            thread: Thread { pid: 0, tid: 0 },
            ..event
        };
        for event in (records > 0).then_some(gap).into_iter().chain([event]) {
            budget.add(EVENT_BYTES);
            queue.events.push(event);
        }
    }

    /// Everything that was pushed, and a watermark: no earlier event will be pushed. It may be
    /// lower than a previous watermark, since the tracer publishes a time that it read a moment
    /// ago; both hold.
    pub(crate) fn take(&self) -> (Vec<RawEvent>, u64) {
        let now_ns = monotonic_ns();
        let in_flight_since_ns = self.in_flight_since_ns.load(Ordering::SeqCst);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut queue.events), now_ns.min(in_flight_since_ns))
    }

    /// The number of events lost: in all, and of these those not yet reported as a gap.
    pub(crate) fn lost(&self) -> (u64, u64) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        (queue.lost, queue.missing)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use events::{Call, Name};

    use super::*;

    fn event(time_ns: u64, kind: RawKind) -> RawEvent {
        RawEvent { time_ns, thread: Thread { pid: 1, tid: 1 }, kind }
    }

    fn begins() -> RawKind {
        RawKind::CallBegins {
            call: Call::Brk,
            text: Name::NONE,
            arguments: Some([0; 6]),
            by_ptrace: true,
        }
    }

    #[test]
    fn events_beyond_the_bound_are_counted_and_calls_stay_complete() {
        let (outbox, budget) = (Outbox::default(), Budget::new(2 * EVENT_BYTES));
        let push = |time_ns, kind| outbox.push(event(time_ns, kind), &budget);
        push(1, RawKind::SwitchIn);
        push(2, begins());
        push(3, RawKind::SwitchIn);
        push(4, RawKind::CallEnds { result: Some(0), refused: None });
        for time_ns in [5, 7] {
            push(time_ns, begins());
            push(time_ns + 1, RawKind::CallEnds { result: Some(0), refused: None });
        }
        let times =
            |events: &[RawEvent]| events.iter().map(|event| event.time_ns).collect::<Vec<_>>();
        let taken = outbox.take().0;
        assert_eq!(times(&taken), [1, 2, 4, 4], "calls are complete, the gap is reported");
        assert!(matches!(taken[2].kind, RawKind::Lost(Lost { records: 1 })), "{taken:?}");
        assert_eq!(outbox.lost(), (3, 2), "an end without a beginning is not counted again");
        budget.remove(taken.len() * EVENT_BYTES);
        push(9, begins());
        let taken = outbox.take().0;
        assert!(
            matches!(taken[0].kind, RawKind::Lost(Lost { records: 2 })) && taken.len() == 2,
            "{taken:?}"
        );
        assert_eq!(outbox.lost(), (3, 0));
    }

    #[test]
    fn no_event_is_earlier_than_a_watermark() {
        let (outbox, done) = (Arc::new(Outbox::default()), Arc::new(AtomicBool::new(false)));
        let tracer = std::thread::spawn({
            let (outbox, done) = (Arc::clone(&outbox), Arc::clone(&done));
            move || {
                let budget = Budget::new(usize::MAX);
                for _ in 0..200_000 {
                    outbox.begin();
                    outbox.push(event(monotonic_ns(), RawKind::SwitchIn), &budget);
                    outbox.idle();
                }
                done.store(true, Ordering::SeqCst);
            }
        });
        let (mut promised_ns, mut taken) = (0, 0);
        loop {
            let over = done.load(Ordering::SeqCst);
            let (events, watermark_ns) = outbox.take();
            let first_ns = events.first().map_or(u64::MAX, |event| event.time_ns);
            assert!(first_ns >= promised_ns, "{first_ns} after {promised_ns} was promised");
            (promised_ns, taken) = (promised_ns.max(watermark_ns), taken + events.len());
            if over {
                break;
            }
        }
        tracer.join().unwrap();
        assert_eq!(taken, 200_000);
    }
}
