//! How the threads of a collection hear of each other: one reads rings, one traces, one receives
//! what they have.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use sys::Errno;
use sys::wait::Doorbell;

use crate::ptrace::outbox::Outbox;
use crate::stream::budget::Budget;
use crate::stream::raw::{RawEvent, SharedInterner};

/// What the threads of a collection share.
#[derive(Debug)]
pub(crate) struct Control {
    /// What the tracer has seen since the last round.
    pub(crate) outbox: Outbox,
    /// What waits for the consumer.
    pub(crate) budget: Budget,
    /// Gives numbers to the texts that events refer to.
    pub(crate) interner: SharedInterner,
    /// The tracer will see nothing more, or there is none.
    tracer_done: AtomicBool,
    /// Someone wants it to end.
    stopping: AtomicBool,
    /// For the tracer to pass on; 0: none.
    signal: AtomicI32,
    /// The tracer has seen the end of the first process.
    first_ended: AtomicBool,
    /// The tracer has left it in a stop that is over when SIGCONT comes.
    first_stands: AtomicBool,
    /// Wakes the draining thread up.
    doorbell: Doorbell,
}

impl Control {
    /// # Errors
    /// As [`Doorbell::new`].
    pub(crate) fn new(with_tracer: bool, waiting_bytes_max: usize) -> Result<Self, Errno> {
        Ok(Control {
            outbox: Outbox::default(),
            budget: Budget::new(waiting_bytes_max),
            interner: SharedInterner::default(),
            tracer_done: AtomicBool::new(!with_tracer),
            stopping: AtomicBool::new(false),
            signal: AtomicI32::new(0),
            first_ended: AtomicBool::new(false),
            first_stands: AtomicBool::new(false),
            doorbell: Doorbell::new()?,
        })
    }

    /// Adds what the tracer has seen. A program that cannot be let go is traced on when nobody
    /// takes anything any more.
    pub(crate) fn add(&self, event: RawEvent) {
        if !self.is_stopping() {
            self.outbox.push(event, &self.budget);
        }
    }

    /// The tracer has seen its last.
    pub(crate) fn end_tracer(&self) {
        self.tracer_done.store(true, Ordering::Release);
        self.doorbell.ring();
    }

    /// Whether the tracer will see nothing more, or there is none.
    pub(crate) fn tracer_is_done(&self) -> bool {
        self.tracer_done.load(Ordering::Acquire)
    }

    /// What wakes the draining thread up.
    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// Has the tracer pass on `signal`.
    pub(crate) fn pass_on(&self, signal: i32) {
        self.signal.store(signal, Ordering::Release);
    }

    /// The tracer has not passed it on yet.
    pub(crate) fn has_signal(&self) -> bool {
        self.signal.load(Ordering::Acquire) != 0
    }

    pub(crate) fn take_signal(&self) -> Option<i32> {
        Some(self.signal.swap(0, Ordering::AcqRel)).filter(|&signal| signal != 0)
    }

    pub(crate) fn end_first(&self) {
        self.first_ended.store(true, Ordering::Release);
    }

    pub(crate) fn first_has_ended(&self) -> bool {
        self.first_ended.load(Ordering::Acquire)
    }

    pub(crate) fn first_stands(&self, stands: bool) {
        self.first_stands.store(stands, Ordering::Release);
    }

    pub(crate) fn does_first_stand(&self) -> bool {
        self.first_stands.load(Ordering::Acquire)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Lets it end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.doorbell.ring();
    }
}
