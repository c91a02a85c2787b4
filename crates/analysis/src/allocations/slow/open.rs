//! A slow call that its thread is inside.

use std::num::NonZeroU64;

use events::{AbsenceReason, Event, Fault, Span, Syscall};

use super::{SlowCall, SlowPart, SlowWork};

/// A slow call, and what its thread is doing.
#[derive(Debug, Clone)]
pub(super) struct OpenSlowCall {
    call: SlowCall,
    /// The syscall that the thread is inside, or was.
    syscall: Inside,
    /// The fault, likewise; it may be inside the syscall.
    fault: Inside,
    /// Until when it is inside another call.
    nested_until_ns: u64,
}

/// What a thread is inside until a time.
#[derive(Debug, Clone, Copy, Default)]
struct Inside {
    until_ns: u64,
    /// The index of the part.
    part: usize,
}

impl OpenSlowCall {
    pub(super) fn new(call: SlowCall) -> OpenSlowCall {
        let (syscall, fault) = (Inside::default(), Inside::default());
        OpenSlowCall { call, syscall, fault, nested_until_ns: 0 }
    }

    /// When it ends.
    pub(super) fn end_ns(&self) -> u64 {
        self.call.time_ns.saturating_add(self.call.latency_ns)
    }

    /// Whether the event happened in it, and in no other call inside it.
    pub(super) fn concerns(&self, event: &Event) -> bool {
        let from_ns = self.call.time_ns.max(self.nested_until_ns);
        self.call.thread == event.thread && event.time_ns >= from_ns
    }

    /// Records are missing.
    pub(super) fn lose(&mut self) {
        self.call.is_whole = false;
    }

    /// Its thread begins another call inside it.
    pub(super) fn nested(&mut self, time_ns: u64, latency_ns: u64) {
        let ns = self.clipped(time_ns, latency_ns);
        self.add(SlowWork::Nested, ns);
        self.nested_until_ns = time_ns.saturating_add(ns);
    }

    pub(super) fn syscall(&mut self, time_ns: u64, call: &Syscall) {
        let ns = self.clipped(time_ns, latency_ns(call.span));
        let part = self.add(SlowWork::Syscall(call.call), ns);
        self.syscall = Inside { until_ns: time_ns.saturating_add(ns), part };
    }

    pub(super) fn fault(&mut self, time_ns: u64, fault: &Fault, is_own: bool) {
        let ns = self.clipped(time_ns, latency_ns(fault.span));
        // The time of a fault inside a syscall counts once.
        let syscall = self.syscall;
        if time_ns < syscall.until_ns {
            self.take_from(syscall, time_ns, ns);
        }
        let part = self.add(if is_own { SlowWork::OwnFaults } else { SlowWork::OtherFaults }, ns);
        self.fault = Inside { until_ns: time_ns.saturating_add(ns), part };
    }

    /// Its thread is not on a processor.
    pub(super) fn absent(&mut self, from_ns: u64, until_ns: u64, reason: AbsenceReason) {
        let ns = self.clipped(from_ns, until_ns.saturating_sub(from_ns));
        if ns == 0 {
            return;
        }
        let inside =
            [self.fault, self.syscall].into_iter().find(|inside| from_ns < inside.until_ns);
        let work = match (reason, inside) {
            (AbsenceReason::Blocked, Some(inside)) => {
                let within_ns = ns.min(inside.until_ns - from_ns);
                let waited_ns = &mut self.call.parts[inside.part].waited_ns;
                *waited_ns = waited_ns.saturating_add(within_ns);
                return;
            }
            (AbsenceReason::Blocked, None) => SlowWork::Waited,
            (AbsenceReason::Preempted, _) => SlowWork::Preempted,
            (AbsenceReason::Stopped, _) => SlowWork::Stopped,
            (AbsenceReason::Unknown | AbsenceReason::LeftOut { .. }, _) => SlowWork::OffCpu,
        };
        if let Some(inside) = inside {
            self.take_from(inside, from_ns, ns);
        }
        let part = self.add(work, ns);
        if work == SlowWork::Waited {
            self.call.parts[part].waited_ns = self.call.parts[part].ns;
        }
    }

    /// The call, which is over.
    pub(super) fn finish(self) -> SlowCall {
        self.call
    }

    /// So much of `ns` from `time_ns` on is in the call.
    fn clipped(&self, time_ns: u64, ns: u64) -> u64 {
        ns.min(self.end_ns().saturating_sub(time_ns))
    }

    /// Takes `ns` from `from_ns` on out of the time of what they interrupt.
    fn take_from(&mut self, inside: Inside, from_ns: u64, ns: u64) {
        let part = &mut self.call.parts[inside.part];
        part.ns = part.ns.saturating_sub(ns.min(inside.until_ns.saturating_sub(from_ns)));
    }

    /// Adds to the part of `work`, and returns its index.
    fn add(&mut self, work: SlowWork, ns: u64) -> usize {
        let parts = &mut self.call.parts;
        let known = parts.iter().position(|part| part.work == work);
        let index = known.unwrap_or(parts.len());
        if known.is_none() {
            parts.push(SlowPart { work, ns: 0, waited_ns: 0, times: 0 });
        }
        let part = &mut parts[index];
        part.ns = part.ns.saturating_add(ns);
        part.times = part.times.saturating_add(1);
        index
    }
}

fn latency_ns(span: Span) -> u64 {
    span.latency_ns.map_or(0, NonZeroU64::get)
}
