//! How the threads of a collection hear of each other: one reads rings, one traces, one receives what they have.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use events::Names;
use sys::Errno;
use sys::wait::Doorbell;

use crate::half::Half;

/// What the threads of a collection share.
#[derive(Debug)]
pub(crate) struct Control {
    /// What the tracer has seen since the last round.
    stops: Mutex<Vec<Half>>,
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
    /// The names that events refer to.
    names: Mutex<Names>,
    /// Wakes the draining thread up.
    doorbell: Doorbell,
    /// Bytes of rounds that nobody has received yet.
    waiting_bytes: AtomicUsize,
}

impl Control {
    /// # Errors
    /// As [`Doorbell::new`].
    pub(crate) fn new(with_tracer: bool) -> Result<Self, Errno> {
        Ok(Control {
            stops: Mutex::default(),
            tracer_done: AtomicBool::new(!with_tracer),
            stopping: AtomicBool::new(false),
            signal: AtomicI32::new(0),
            first_ended: AtomicBool::new(false),
            first_stands: AtomicBool::new(false),
            names: Mutex::default(),
            doorbell: Doorbell::new()?,
            waiting_bytes: AtomicUsize::new(0),
        })
    }

    pub(crate) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take_stops(&self) -> Vec<Half> {
        std::mem::take(&mut self.stops.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn add_stop(&self, half: Half) {
        // A program that cannot be let go is traced on when nobody takes anything any more.
        if self.is_stopping() {
            return;
        }
        self.stops.lock().unwrap_or_else(PoisonError::into_inner).push(half);
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

    /// Bytes of rounds that nobody has received yet.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Acquire)
    }

    /// These bytes wait to be received.
    pub(crate) fn sent(&self, bytes: usize) {
        self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// What was received waits no longer.
    pub(crate) fn received(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
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
