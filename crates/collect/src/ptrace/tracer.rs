//! Memory syscalls as a tracer sees them: ptrace(2), for whoever may not use tracepoints.
//!
//! ```text
//!   stopped before the call      CallBegins, go on ------+
//!   (the program runs in the kernel: SwitchIn ... SwitchOut, in the rings)
//!   stopped after the call       CallEnds, go on <-------+
//! ```
//! The stops take much longer than the call. The time spent in the kernel is between the thread's
//! coming to a processor and its leaving it, which the rings tell.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use events::{Call, Life, Name, Thread};
use sys::Errno;
use sys::clock::monotonic_ns;
use sys::proc::task::{process_of, program_name};
use sys::process::WaitStatus;
use sys::ptrace::{self, AtCall, Stop};
use sys::remote::read_text;

use super::freeze::{Frozen, PATIENCE};
use crate::calls;
use crate::snapshot::mappings::mappings;
use crate::stream::control::Control;
use crate::stream::drain::Round;
use crate::stream::raw::{RawEvent, RawKind};

/// The tracer of one program and its descendants; lives on one thread.
pub(crate) struct Tracer {
    shared: Arc<Control>,
    /// Whoever receives the rounds waits as long as there is one who could send: for the tracer as
    /// well.
    _alive: Sender<Round>,
    numbers: Vec<(u32, Call)>,
    threads: HashMap<u32, Tracee>,
    /// The first process, and how it ended.
    first: u32,
    ending: Option<WaitStatus>,
    /// A filter picks out the calls; else every call is a stop.
    filtered: bool,
    /// There are no rings: what they would tell of lives and mappings is told from here.
    alone: bool,
    /// Being let go, until this moment at the latest: who has not stopped by then goes on as this
    /// thread ends.
    leaving: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tracee {
    pid: u32,
    /// Stopped before a memory syscall last, and not after it yet.
    in_call: bool,
}

impl Tracer {
    pub(crate) fn new(
        shared: Arc<Control>,
        alive: Sender<Round>,
        numbers: Vec<(u32, Call)>,
        first: u32,
        filtered: bool,
    ) -> Self {
        Tracer {
            shared,
            _alive: alive,
            numbers,
            threads: HashMap::new(),
            first,
            ending: None,
            filtered,
            alone: false,
            leaving: None,
        }
    }

    /// There are no rings.
    pub(crate) fn tell_lives(&mut self) {
        self.alone = true;
    }

    /// Traces `tid` from now on. It is seized already.
    pub(crate) fn adopt(&mut self, tid: u32) {
        self.tracee(tid);
    }

    /// Traces the threads of a process that were stopped to be attached to, and lets them go on.
    pub(crate) fn take_over(&mut self, Frozen(threads): Frozen) {
        for &tid in threads.keys() {
            self.adopt(tid);
        }
        for (tid, stop) in threads {
            if let Some(stop) = stop {
                self.stopped(tid, stop);
            }
        }
    }

    /// Until the last thread is gone, or let go. Returns how the first process ended.
    pub(crate) fn run(mut self) -> Option<WaitStatus> {
        while !self.threads.is_empty() {
            if let Some(signal) = self.shared.take_signal() {
                self.pass_on(signal);
            }
            match self.leaving {
                None if self.shared.is_stopping() && !self.filtered => self.leave(),
                Some(until) if Instant::now() >= until => break,
                _ => {}
            }
            match ptrace::wait_for_stop() {
                Ok(Some((tid, stop))) => self.stopped(tid, stop),
                Ok(None) => {}
                // No child left.
                Err(_) => break,
            }
        }
        self.shared.end_tracer();
        self.ending
    }

    /// A signal for the first process, or, after its end, for all that it has left behind. None of
    /// them has been reaped by anyone else.
    fn pass_on(&self, signal: i32) {
        if self.ending.is_none() {
            return ptrace::signal(self.first, signal);
        }
        let left_behind: BTreeSet<u32> = self.threads.values().map(|tracee| tracee.pid).collect();
        for pid in left_behind {
            ptrace::signal(pid, signal);
        }
    }

    /// Asks every thread to stop, to be let go there.
    fn leave(&mut self) {
        self.leaving = Some(Instant::now() + PATIENCE);
        for &tid in self.threads.keys() {
            // One that is gone reports its end instead.
            let _ = ptrace::interrupt(tid);
        }
    }

    fn stopped(&mut self, tid: u32, stop: Stop) {
        self.shared.outbox.begin();
        self.report(tid, stop, monotonic_ns());
        self.shared.outbox.idle();
    }

    /// Tells what `stop` says, and lets the thread go on.
    fn report(&mut self, tid: u32, stop: Stop, now_ns: u64) {
        match stop {
            Stop::Exited(status) => return self.gone(tid, now_ns, WaitStatus::Exited(status)),
            Stop::Killed(signal) => return self.gone(tid, now_ns, WaitStatus::Killed(signal)),
            Stop::Filtered | Stop::Call => self.at_call(tid, now_ns),
            Stop::Exec => self.executed(tid, now_ns),
            Stop::Created(child) => self.born(child, tid, now_ns),
            Stop::Exit | Stop::Signal(_) | Stop::Group(_) | Stop::Interrupted => {
                self.tracee(tid);
            }
        }
        if self.leaving.is_some() {
            // A signal that was about to be delivered still is.
            let signal = if let Stop::Signal(signal) = stop { signal } else { 0 };
            if ptrace::detach_with(tid, signal).is_ok() {
                self.threads.remove(&tid);
            }
            return;
        }
        if tid == self.first {
            self.shared.first_stands(matches!(stop, Stop::Group(_)));
        }
        let gone_on = match stop {
            Stop::Group(_) => ptrace::listen(tid),
            Stop::Signal(signal) => self.go_on(tid, signal),
            _ => self.go_on(tid, 0),
        };
        // ESRCH: killed while it was stopped. Its end is reported.
        debug_assert!(gone_on.is_ok() || gone_on == Err(Errno::NO_PROCESS), "{gone_on:?}");
    }

    fn go_on(&mut self, tid: u32, signal: i32) -> Result<(), Errno> {
        if self.filtered && !self.tracee(tid).in_call {
            ptrace::resume(tid, signal)
        } else {
            ptrace::resume_to_call(tid, signal)
        }
    }

    /// A thread is about to make a syscall, or has made one.
    fn at_call(&mut self, tid: u32, now_ns: u64) {
        let Tracee { pid, in_call } = *self.tracee(tid);
        let kind = match ptrace::at_call(tid) {
            Ok(AtCall::Begins { compat32: true, .. }) => Some(RawKind::Compat32),
            Ok(AtCall::Begins { number, arguments, .. }) => {
                calls::call(&self.numbers, number).map(|call| self.begins(call, pid, arguments))
            }
            Ok(AtCall::Ended { result }) if in_call => Some(RawKind::CallEnds { result }),
            // The end of a call that began before we came, or is none of ours; or the thread is
            // gone.
            _ => None,
        };
        self.tracee(tid).in_call = matches!(kind, Some(RawKind::CallBegins { .. }));
        if let Some(kind) = kind {
            self.shared.add(RawEvent { time_ns: now_ns, thread: Thread { pid, tid }, kind });
        }
    }

    fn begins(&self, call: Call, pid: u32, arguments: [u64; 6]) -> RawKind {
        let text = call.text_argument().and_then(|at| read_text(pid, arguments[at]).ok());
        let text = text.map_or(Name::NONE, |text| self.shared.interner.text(&text));
        RawKind::CallBegins { call, text, arguments, by_ptrace: true }
    }

    /// A process has another program. Whichever thread it was, it has the process's number now, and
    /// is the only one.
    fn executed(&mut self, tid: u32, now_ns: u64) {
        let pid = self.tracee(tid).pid;
        self.threads.retain(|&other, tracee| tracee.pid != pid || other == tid);
        self.tracee(tid).in_call = false;
        if self.alone {
            let name = self.shared.interner.text(&program_name(pid).unwrap_or_default());
            // It is stopped, so what is mapped is what exec has left it with.
            let mapped = mappings(pid, now_ns, &self.shared.interner);
            self.tell(Thread { pid, tid }, now_ns, Life::Executed { name });
            for raw in mapped {
                self.shared.add(raw);
            }
        }
    }

    fn born(&mut self, child: u32, by: u32, now_ns: u64) {
        // Met here already: it may end before it has reported anything else.
        let thread = Thread { pid: self.tracee(child).pid, tid: child };
        let by = Thread { pid: self.tracee(by).pid, tid: by };
        self.tell(thread, now_ns, Life::Started { by });
    }

    fn tell(&self, thread: Thread, time_ns: u64, life: Life) {
        if self.alone {
            self.shared.add(RawEvent { time_ns, thread, kind: RawKind::Life(life) });
        }
    }

    /// What is known of a thread; a new one is noticed here, whatever it reports first.
    fn tracee(&mut self, tid: u32) -> &mut Tracee {
        self.threads
            .entry(tid)
            .or_insert_with(|| Tracee { pid: process_of(tid).unwrap_or(tid), in_call: false })
    }

    fn gone(&mut self, tid: u32, now_ns: u64, ending: WaitStatus) {
        let pid = self.tracee(tid).pid;
        self.threads.remove(&tid);
        let number = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        let told = match ending {
            WaitStatus::Exited(status) => events::Ending::Exited(number(status)),
            WaitStatus::Killed(signal) => events::Ending::Killed(number(signal)),
        };
        self.tell(Thread { pid, tid }, now_ns, Life::Ended { ending: told });
        if tid == self.first {
            self.ending = Some(ending);
            self.shared.end_first();
        }
    }
}
