//! Turns raw events, in the order of time, into events, in the order of their beginnings.

mod endings;
mod thread;

use std::collections::{HashMap, HashSet, VecDeque};

use events::{Call, Ending, Event, EventKind, Fault, Life, Name, Span, Syscall, Thread};

use crate::stream::absences::Absences;
use crate::stream::raw::{RawEvent, RawKind, Refused};
use endings::{Endings, Last};
use thread::{OpenEvent, ThreadState};

pub(crate) use endings::Expected;

/// How long events wait for an earlier one that is not complete. Longer than nearly any fault
/// takes, including a read from a disk, and short enough for a live view.
const PATIENCE_NS: u64 = 100_000_000;

/// Pairs beginnings with ends, thread by thread.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    threads: HashMap<u32, ThreadState>,
    /// Events in the order of their beginnings that were not passed on yet.
    queue: VecDeque<Slot>,
    /// The number of the queue's first event.
    first: u64,
    /// Events that took longer than [`PATIENCE_NS`], by number: later events were passed on before
    /// them.
    overdue: HashMap<u64, Event>,
    last_passed_ns: u64,
    /// Processes whose current program has made syscalls in 32-bit mode.
    compat32: HashSet<u32>,
    endings: Endings,
    /// Whether and how times off the processor are told.
    pub(crate) absences: Absences,
    counts: Counts,
}

/// Counts of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Events.
    pub(crate) events: u64,
    /// Events that were passed on after one that began later.
    pub(crate) late: u64,
    /// Beginnings of page faults.
    pub(crate) faults: u64,
    /// Lost records, as reported in the rings.
    pub(crate) lost: u64,
    /// Syscalls in 32-bit mode.
    pub(crate) compat32: u64,
}

#[derive(Debug)]
struct Slot {
    /// `None`: the event has moved to a later slot.
    event: Option<Event>,
    began_ns: u64,
    complete: bool,
}

impl Pairing {
    /// Takes the next raw event; passes events whose turn has come to `each`.
    pub(crate) fn take(&mut self, raw: RawEvent, each: &mut impl FnMut(Event)) {
        let RawEvent { time_ns, thread, kind } = raw;
        match kind {
            RawKind::FaultBegins { address, ip, in_kernel, present } => {
                self.counts.faults += 1;
                self.close_fault(thread, each);
                let fault = Fault {
                    address,
                    ip,
                    span: Span::default(),
                    page_bytes: None,
                    major: false,
                    in_kernel,
                    present,
                };
                let open = self.open(raw, EventKind::Fault(fault), false);
                self.threads.entry(thread.tid).or_default().fault = Some(open);
            }
            RawKind::FaultEnds { .. } => self.end_fault(raw, each),
            RawKind::CallBegins { call, text, arguments, by_ptrace } => {
                self.close_fault(thread, each);
                self.close_call(thread, each);
                let call = EventKind::Syscall(begun(call, text, arguments));
                let open = self.open(raw, call, by_ptrace);
                self.threads.entry(thread.tid).or_default().begin_call(open);
            }
            RawKind::CallEnds { result, refused } => {
                if !self.end_call(thread, time_ns, result, each)
                    && let Some(refused) = refused
                {
                    self.refused(raw, refused);
                }
            }
            RawKind::CallGoesOn => {
                self.threads.entry(thread.tid).or_default().goes_on();
            }
            RawKind::SwitchIn => self.switch_in(thread, time_ns, each),
            RawKind::SwitchOut { preempted } => {
                self.threads.entry(thread.tid).or_default().switch_out(time_ns, preempted);
            }
            RawKind::Mapping(mapping) => {
                if mapping.kind.is_file() {
                    // In a syscall of the thread. Others may be stacks that grow by its fault.
                    self.close_fault(thread, each);
                }
                self.whole(raw, EventKind::Mapping(mapping));
            }
            RawKind::Lost(lost) => {
                self.counts.lost += lost.records;
                self.whole(raw, EventKind::Lost(lost));
            }
            RawKind::Compat32 { is_memory_call } => {
                self.counts.compat32 += u64::from(is_memory_call);
                if self.compat32.insert(thread.pid) {
                    self.whole(raw, EventKind::Life(Life::Compat32));
                }
            }
            RawKind::Life(life) => self.live(raw, life, each),
            RawKind::ProcessEnded(ending) => self.process_ended(thread.pid, ending, each),
        }
        self.pass_on(time_ns, each);
    }

    fn live(&mut self, raw: RawEvent, life: Life, each: &mut impl FnMut(Event)) {
        let thread = raw.thread;
        if matches!(life, Life::Executed { .. }) || thread.tid == thread.pid {
            self.compat32.remove(&thread.pid);
        }
        if matches!(life, Life::Executed { .. }) {
            self.endings.executed(thread.pid);
        }
        if let Life::Started { by } = life {
            self.endings.started(thread, by);
        }
        if life == Life::Attached {
            self.endings.attached(thread);
        }
        let Life::Ended { ending } = life else {
            return self.whole(raw, EventKind::Life(life));
        };
        self.close_fault(thread, each);
        self.close_call(thread, each);
        self.threads.remove(&thread.tid);
        let last =
            if ending == Ending::Unknown { self.endings.ended(thread) } else { Last::Yes(ending) };
        match last {
            Last::No => self.whole(raw, EventKind::Life(life)),
            Last::Yes(ending) => self.whole(raw, EventKind::Life(Life::Ended { ending })),
            Last::Waits => {
                let open = self.open(raw, EventKind::Life(life), false);
                self.endings.wait(thread.pid, open.number);
            }
        }
    }

    /// Says whose status will be known.
    pub(crate) fn expect_endings(&mut self, expected: Expected) {
        self.endings.expected = expected;
    }

    /// Whether the end of the process waits for its status.
    pub(crate) fn waits_for(&self, pid: u32) -> bool {
        self.endings.waits(pid)
    }

    /// The process has ended so, which its last thread's end may have waited for.
    pub(crate) fn process_ended(&mut self, pid: u32, ending: Ending, each: &mut impl FnMut(Event)) {
        if let Some(number) = self.endings.learn(pid, ending) {
            self.complete(number, each, |kind| *kind = EventKind::Life(Life::Ended { ending }));
        }
    }

    /// Passes all remaining events to `each`: nothing more will come.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(Event)) -> Counts {
        for slot in &mut self.queue {
            slot.complete = true;
        }
        self.pass_on(u64::MAX, each);
        self.absences.end_period(each);
        let mut overdue: Vec<Event> = self.overdue.drain().map(|(_, event)| event).collect();
        overdue.sort_by_key(|event| event.time_ns);
        for event in overdue {
            self.give(event, each);
        }
        self.counts
    }

    /// Passes on events that have waited long enough at `now_ns`, since nothing has come for a
    /// while.
    pub(crate) fn pass_on(&mut self, now_ns: u64, each: &mut impl FnMut(Event)) {
        while let Some(slot) = self.queue.front() {
            if !slot.complete && now_ns.saturating_sub(slot.began_ns) < PATIENCE_NS {
                break;
            }
            let Some(slot) = self.queue.pop_front() else { break };
            let number = self.first;
            self.first += 1;
            let Some(event) = slot.event else { continue };
            // A process's status that has not come by now is unknown.
            if slot.complete || matches!(event.kind, EventKind::Life(_)) {
                self.give(event, each);
            } else {
                self.overdue.insert(number, event);
            }
        }
    }

    fn give(&mut self, event: Event, each: &mut impl FnMut(Event)) {
        self.counts.events += 1;
        self.counts.late += u64::from(event.time_ns < self.last_passed_ns);
        self.last_passed_ns = self.last_passed_ns.max(event.time_ns);
        each(event);
    }

    fn whole(&mut self, raw: RawEvent, kind: EventKind) {
        let event = Event { time_ns: raw.time_ns, thread: raw.thread, kind };
        self.push(event, true);
    }

    fn open(&mut self, raw: RawEvent, kind: EventKind, by_ptrace: bool) -> OpenEvent {
        let event = Event { time_ns: raw.time_ns, thread: raw.thread, kind };
        let number = self.push(event, false);
        let away_ns = self.threads.get(&raw.thread.tid).map_or(0, |state| state.away_ns);
        OpenEvent { number, began_ns: (!by_ptrace).then_some(raw.time_ns), away_ns, by_ptrace }
    }

    /// Adds an event at the end of the queue, and returns its number.
    fn push(&mut self, event: Event, complete: bool) -> u64 {
        self.queue.push_back(Slot { event: Some(event), began_ns: event.time_ns, complete });
        self.first + self.queue.len() as u64 - 1
    }

    /// The thread is on a processor again. A call before which it was stopped begins only now, and
    /// its event moves to where it belongs by this time: until now it could not have any effect,
    /// however long the tracer was busy with other threads.
    fn switch_in(&mut self, thread: Thread, time_ns: u64, each: &mut impl FnMut(Event)) {
        let state = self.threads.entry(thread.tid).or_default();
        if let Some(away) = state.away() {
            self.absences.over(thread, away, time_ns, each);
        }
        let Some(from) = state.switch_in(time_ns) else { return };
        let moved = if let Some(event) = self.overdue.remove(&from) {
            Some(event)
        } else {
            self.slot(from).and_then(|slot| {
                slot.complete = true;
                slot.event.take()
            })
        };
        let Some(event) = moved else { return };
        let to = self.push(Event { time_ns, ..event }, false);
        if let Some(call) = self.threads.get_mut(&thread.tid).and_then(|state| state.call.as_mut())
        {
            call.number = to;
        }
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let at = number.checked_sub(self.first)?;
        self.queue.get_mut(usize::try_from(at).ok()?)
    }

    /// Completes the event `number` by `change`.
    fn complete(
        &mut self,
        number: u64,
        each: &mut impl FnMut(Event),
        change: impl FnOnce(&mut EventKind),
    ) {
        if let Some(mut event) = self.overdue.remove(&number) {
            change(&mut event.kind);
            self.give(event, each);
        } else if let Some(slot) = self.slot(number) {
            if let Some(event) = &mut slot.event {
                change(&mut event.kind);
            }
            slot.complete = true;
        }
    }

    /// Closes a fault without an end: it led to a signal, or was taken again. Whatever the thread
    /// does next in user mode, its fault is over, and must be passed on before the memory changes.
    fn close_fault(&mut self, thread: Thread, each: &mut impl FnMut(Event)) {
        if let Some(open) = self.threads.get_mut(&thread.tid).and_then(|state| state.fault.take()) {
            self.complete(open.number, each, |_| {});
        }
    }

    /// Closes a call without an end: the thread ended in it, or the record was lost.
    fn close_call(&mut self, thread: Thread, each: &mut impl FnMut(Event)) {
        if let Some(open) = self.threads.get_mut(&thread.tid).and_then(|state| state.call.take()) {
            self.complete(open.number, each, |_| {});
        }
    }

    fn end_fault(&mut self, raw: RawEvent, each: &mut impl FnMut(Event)) {
        let RawEvent { time_ns, thread, kind: RawKind::FaultEnds { major, page_bytes } } = raw
        else {
            return;
        };
        let Some(state) = self.threads.get_mut(&thread.tid) else { return };
        let Some(open) = state.fault.take() else { return };
        let taken = open.span(time_ns, state.away_ns);
        self.complete(open.number, each, |kind| {
            if let EventKind::Fault(fault) = kind {
                *fault = Fault { span: taken, major, page_bytes, ..*fault };
            }
        });
    }

    /// Returns whether the call had begun.
    fn end_call(
        &mut self,
        thread: Thread,
        time_ns: u64,
        returned: Option<i64>,
        each: &mut impl FnMut(Event),
    ) -> bool {
        let Some(state) = self.threads.get_mut(&thread.tid) else { return false };
        let Some(open) = state.end_call() else { return false };
        let end = if open.by_ptrace { state.left_ns } else { Some(time_ns) };
        let taken = end.map_or(Span::default(), |end| open.span(end, state.away_ns));
        self.complete(open.number, each, |kind| {
            if let EventKind::Syscall(call) = kind {
                (call.span, call.result) = (taken, returned);
            }
        });
        true
    }

    /// A call without a beginning failed: a seccomp filter refused it, or the record was lost. In
    /// 32-bit mode the number has another meaning.
    fn refused(&mut self, raw: RawEvent, Refused { call, result }: Refused) {
        if !self.compat32.contains(&raw.thread.pid) {
            let call = Syscall { result, ..begun(call, Name::NONE, None) };
            self.whole(raw, EventKind::Syscall(call));
        }
    }
}

/// A call that has begun. Its arguments may be unknown.
fn begun(call: Call, text: Name, arguments: Option<[u64; 6]>) -> Syscall {
    Syscall {
        call,
        text,
        arguments: arguments.unwrap_or_default(),
        arguments_known: arguments.is_some(),
        result: None,
        span: Span::default(),
    }
}

#[cfg(test)]
mod tests;
