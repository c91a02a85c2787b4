//! What the tracer has seen, until the drain takes it, with a watermark.
//!
//! ```text
//!   tracer    begin: publish "in flight since T", then read the clock, push, ..., idle
//!   drain     read the clock (C), look whether the tracer is in flight, take the queue
//!             watermark: T if it is in flight, else C
//! ```
//! A tracer that begins after the drain has looked reads its clock after C. One that began before has published a time that is
//! earlier than its own stamps, or has pushed what the drain now takes. The store and the load are sequentially consistent, so that the
//! clock is not read before the store is visible.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sys::clock::monotonic_ns;

use crate::budget::Budget;
use crate::raw::RawEvent;

/// The tracer is not about to add anything.
const IDLE: u64 = u64::MAX;
/// What a waiting event takes.
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
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox { in_flight_since_ns: AtomicU64::new(IDLE), queue: Mutex::default() }
    }
}

impl Outbox {
    /// The tracer is about to read its clock.
    pub(crate) fn begin(&self) {
        self.in_flight_since_ns.store(monotonic_ns(), Ordering::SeqCst);
    }

    /// The tracer has pushed everything that it has stamped.
    pub(crate) fn idle(&self) {
        self.in_flight_since_ns.store(IDLE, Ordering::SeqCst);
    }

    /// Adds `event`.
    pub(crate) fn push(&self, event: RawEvent, budget: &Budget) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        budget.add(EVENT_BYTES);
        queue.events.push(event);
    }

    /// Everything that was pushed, and a time before which nothing more will be.
    pub(crate) fn take(&self) -> (Vec<RawEvent>, u64) {
        let now_ns = monotonic_ns();
        let in_flight_since_ns = self.in_flight_since_ns.load(Ordering::SeqCst);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut queue.events), now_ns.min(in_flight_since_ns))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use events::Thread;

    use super::*;
    use crate::raw::RawKind;

    fn event(time_ns: u64, kind: RawKind) -> RawEvent {
        RawEvent { time_ns, thread: Thread { pid: 1, tid: 1 }, kind }
    }

    #[test]
    fn nothing_comes_before_a_watermark() {
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
            assert!(watermark_ns >= promised_ns, "a promise is taken back");
            (promised_ns, taken) = (watermark_ns, taken + events.len());
            if over {
                break;
            }
        }
        tracer.join().unwrap();
        assert_eq!(taken, 200_000);
    }
}
