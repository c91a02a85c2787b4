//! The shared state of a collection's threads: one reads rings, one traces, one receives.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sys::Errno;
use sys::relay::Sent;
use sys::wait::Doorbell;

use crate::options::Options;
use crate::ptrace::outbox::Outbox;
use crate::stream::budget::Budget;
use crate::stream::raw::{RawEvent, SharedInterner};

/// State shared by the threads of a collection.
#[derive(Debug)]
pub(crate) struct Control {
    /// The tracer's events since the last round.
    pub(crate) outbox: Outbox,
    /// The bound on what waits for the consumer.
    pub(crate) budget: Budget,
    /// Numbers the texts that events refer to.
    pub(crate) interner: SharedInterner,
    /// Whether texts that the program passes to the kernel are read.
    pub(crate) reads_texts: bool,
    /// Whether times off the processor are told.
    pub(crate) tells_absences: bool,
    /// The tracer has finished, or there is none.
    tracer_done: AtomicBool,
    /// Whether observing is to stop.
    stopping: AtomicBool,
    /// Signals for the tracer to pass on, and whether there are any.
    signals: Mutex<VecDeque<Sent>>,
    has_signal: AtomicBool,
    /// Whether the tracer has seen the end of the first process.
    first_ended: AtomicBool,
    /// Whether the first process is in a group stop, until SIGCONT.
    first_stopped: AtomicBool,
    /// Uses of ptrace(2) by the program that are refused because it is traced.
    refused_tracing: AtomicU64,
    /// Wakes the draining thread.
    doorbell: Doorbell,
}

impl Control {
    /// # Errors
    /// As [`Doorbell::new`].
    pub(crate) fn new(with_tracer: bool, options: &Options) -> Result<Self, Errno> {
        Ok(Control {
            outbox: Outbox::default(),
            budget: Budget::new(options.waiting_bytes_max),
            interner: SharedInterner::default(),
            reads_texts: options.texts,
            tells_absences: options.absences,
            tracer_done: AtomicBool::new(!with_tracer),
            stopping: AtomicBool::new(false),
            signals: Mutex::default(),
            has_signal: AtomicBool::new(false),
            first_ended: AtomicBool::new(false),
            first_stopped: AtomicBool::new(false),
            refused_tracing: AtomicU64::new(0),
            doorbell: Doorbell::new()?,
        })
    }

    /// Adds an event of the tracer. Once observing has stopped, events are dropped; a program that
    /// cannot run without its tracer is still traced then.
    pub(crate) fn add(&self, event: RawEvent) {
        if !self.is_stopping() {
            self.outbox.push(event, &self.budget);
        }
    }

    /// The tracer has finished.
    pub(crate) fn end_tracer(&self) {
        self.tracer_done.store(true, Ordering::Release);
        self.doorbell.ring();
    }

    /// Whether the tracer has finished, or there is none.
    pub(crate) fn tracer_is_done(&self) -> bool {
        self.tracer_done.load(Ordering::Acquire)
    }

    /// The doorbell that wakes the draining thread.
    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// Requests the tracer to pass on a signal.
    pub(crate) fn pass_on(&self, sent: Sent) {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner).push_back(sent);
        self.has_signal.store(true, Ordering::Release);
    }

    /// Whether the tracer has not passed all on yet.
    pub(crate) fn has_signal(&self) -> bool {
        self.has_signal.load(Ordering::Acquire)
    }

    pub(crate) fn take_signals(&self) -> VecDeque<Sent> {
        if !self.has_signal.swap(false, Ordering::AcqRel) {
            return VecDeque::new();
        }
        std::mem::take(&mut self.signals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The program has used ptrace(2), and is refused because it is traced.
    pub(crate) fn count_refused_tracing(&self) {
        self.refused_tracing.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused_tracing(&self) -> u64 {
        self.refused_tracing.load(Ordering::Relaxed)
    }

    pub(crate) fn end_first(&self) {
        self.first_ended.store(true, Ordering::Release);
    }

    pub(crate) fn first_has_ended(&self) -> bool {
        self.first_ended.load(Ordering::Acquire)
    }

    pub(crate) fn set_first_stopped(&self, stopped: bool) {
        self.first_stopped.store(stopped, Ordering::Release);
    }

    pub(crate) fn is_first_stopped(&self) -> bool {
        self.first_stopped.load(Ordering::Acquire)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Stops observing.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.doorbell.ring();
    }
}
