//! The state of a thread: what it is inside, and whether it is on a processor.

use std::num::NonZeroU64;

use events::Span;

use crate::stream::absences::Away;

/// The state of a thread.
#[derive(Debug, Default)]
pub(super) struct ThreadState {
    pub(super) fault: Option<OpenEvent>,
    pub(super) call: Option<OpenEvent>,
    /// The time off the processor so far, complete absences only.
    pub(super) away_ns: u64,
    /// Since when it is off the processor.
    pub(super) left_ns: Option<u64>,
    /// Whether it left while it could have gone on.
    was_preempted: bool,
    /// Whether the tracer has stopped it since it was switched onto its processor, or is about to:
    /// the tracer may tell of a stop before the thread is off its processor.
    was_stopped: bool,
}

/// A call or fault that has begun and not ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenEvent {
    pub(super) number: u64,
    /// `None`: the thread was stopped, and is not running again yet.
    pub(super) began_ns: Option<u64>,
    /// The thread's `away_ns` at that time.
    pub(super) away_ns: u64,
    pub(super) by_ptrace: bool,
}

impl OpenEvent {
    pub(super) fn span(&self, end_ns: u64, away_ns: u64) -> Span {
        let latency_ns = self.began_ns.map(|began| end_ns.saturating_sub(began));
        let on_cpu_ns = latency_ns.map(|latency| latency.saturating_sub(away_ns - self.away_ns));
        Span {
            latency_ns: latency_ns.and_then(NonZeroU64::new),
            on_cpu_ns: on_cpu_ns.and_then(NonZeroU64::new),
        }
    }
}

impl ThreadState {
    /// A call begins, or will when the thread goes on.
    pub(super) fn begin_call(&mut self, call: OpenEvent) {
        self.was_stopped |= call.by_ptrace;
        self.call = Some(call);
    }

    /// The thread was stopped once more before its call.
    pub(super) fn goes_on(&mut self) {
        self.was_stopped = true;
        if let Some(call) = &mut self.call {
            call.began_ns = None;
        }
    }

    /// The call has ended.
    pub(super) fn end_call(&mut self) -> Option<OpenEvent> {
        let call = self.call.take()?;
        self.was_stopped |= call.by_ptrace;
        Some(call)
    }

    /// The thread leaves its processor.
    pub(super) fn switch_out(&mut self, time_ns: u64, preempted: bool) {
        (self.left_ns, self.was_preempted) = (Some(time_ns), preempted);
    }

    /// Its absence, which is over.
    pub(super) fn away(&self) -> Option<Away> {
        let Self { was_preempted, was_stopped, .. } = *self;
        self.left_ns.map(|left_ns| Away { left_ns, was_preempted, was_stopped })
    }

    /// The thread is on a processor again. Returns the number of the call that begins with that.
    pub(super) fn switch_in(&mut self, time_ns: u64) -> Option<u64> {
        self.was_stopped = false;
        if let Some(left) = self.left_ns.take() {
            self.away_ns += time_ns.saturating_sub(left);
        }
        let call = self.call.as_mut().filter(|call| call.by_ptrace && call.began_ns.is_none())?;
        (call.began_ns, call.away_ns) = (Some(time_ns), self.away_ns);
        Some(call.number)
    }
}
