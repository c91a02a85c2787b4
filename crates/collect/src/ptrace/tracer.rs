//! Observes memory syscalls by ptrace(2), for users who may not use tracepoints.
//!
//! ```text
//!   stopped before the call      CallBegins, go on ------+
//!   (the program runs in the kernel: SwitchIn ... SwitchOut, in the rings)
//!   stopped after the call       CallEnds, go on <-------+
//! ```
//! The stops take much longer than the call. The time spent in the kernel is from the thread's
//! switch onto a processor to its switch off it, which the rings record.

mod guard;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use events::{Life, Name, Thread};
use sys::Errno;
use sys::clock::monotonic_ns;
use sys::proc::task::{has_pending_sigsys, process_of, program_name, seccomp_filters};
use sys::process::WaitStatus;
use sys::ptrace::{self, AtCall, Guarded, Stop};
use sys::relay::Sent;
use sys::remote::{read_text, read_words};

use super::freeze::{Frozen, PATIENCE};
use crate::calls::{Numbers, narrow_arguments};
use crate::snapshot::mappings::mappings;
use crate::stream::control::Control;
use crate::stream::drain::Round;
use crate::stream::raw::{self, RawEvent, RawKind};

/// The tracer of one program and its descendants. It must stay on one thread.
pub(crate) struct Tracer {
    shared: Arc<Control>,
    /// Keeps the channel open, so that the receiver of rounds also waits for the tracer.
    _alive: Sender<Round>,
    numbers: Numbers,
    threads: HashMap<u32, Tracee>,
    /// The first process, and how it ended.
    first: u32,
    ending: Option<WaitStatus>,
    /// Whether a seccomp filter selects the calls; otherwise every call is a stop.
    filtered: bool,
    /// The seccomp filters that this process has, which the program inherits.
    inherited_filters: u32,
    /// Whether there are no rings, so that the tracer reports tasks and mappings itself.
    alone: bool,
    /// Set while detaching: the deadline. A thread that has not stopped by then is released when
    /// this thread ends.
    leaving: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tracee {
    pid: u32,
    doing: Doing,
    /// Whether it stops at every syscall, and not only at those that the filter selects.
    every_call: bool,
    /// Whether it is in the strict mode of seccomp(2), which the tracer enforces.
    strict: bool,
}

/// The call before which a thread was stopped, until the stop after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Doing {
    /// None whose end matters.
    #[default]
    Nothing,
    /// The memory syscall with this number.
    MemoryCall { number: u64 },
    /// The thread installs a seccomp filter.
    InstallsFilter { whole_process: bool },
}

impl Tracer {
    pub(crate) fn new(
        shared: Arc<Control>,
        alive: Sender<Round>,
        numbers: Numbers,
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
            inherited_filters: seccomp_filters(std::process::id()).unwrap_or(0),
            alone: false,
            leaving: None,
        }
    }

    /// Reports tasks and mappings too, since there are no rings.
    pub(crate) fn report_sideband(&mut self) {
        self.alone = true;
    }

    /// Traces `tid` from now on, which is seized already.
    pub(crate) fn adopt(&mut self, tid: u32) {
        self.tracee(tid);
    }

    /// Traces the stopped threads of a process that is attached to, and resumes them.
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

    /// Runs until the last thread is gone or released. Returns how the first process ended.
    pub(crate) fn run(mut self) -> Option<WaitStatus> {
        while !self.threads.is_empty() {
            for sent in self.shared.take_signals() {
                self.pass_on(sent);
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

    /// Sends a signal to the first process, or after its end to all its descendants. None of them
    /// has been reaped elsewhere.
    fn pass_on(&self, sent: Sent) {
        if self.ending.is_none() {
            return ptrace::signal(self.first, sent);
        }
        let left_behind: BTreeSet<u32> = self.threads.values().map(|tracee| tracee.pid).collect();
        for pid in left_behind {
            ptrace::signal(pid, sent);
        }
    }

    /// Interrupts every thread, so that it can be released.
    fn leave(&mut self) {
        self.leaving = Some(Instant::now() + PATIENCE);
        for &tid in self.threads.keys() {
            // A thread that is gone reports its end instead.
            let _ = ptrace::interrupt(tid);
        }
    }

    fn stopped(&mut self, tid: u32, stop: Stop) {
        self.shared.outbox.begin();
        self.report(tid, stop, monotonic_ns());
        self.shared.outbox.idle();
    }

    /// Handles `stop`, and resumes the thread.
    fn report(&mut self, tid: u32, stop: Stop, now_ns: u64) {
        match stop {
            Stop::Exited(status) => return self.gone(tid, now_ns, WaitStatus::Exited(status)),
            Stop::Killed(signal) => return self.gone(tid, now_ns, WaitStatus::Killed(signal)),
            Stop::Filtered | Stop::Call => self.at_call(tid, stop, now_ns),
            // The end of a memory syscall is shown as of any other.
            // ESRCH: it was killed while it was stopped.
            Stop::FilteredByProgram => {
                self.tracee(tid);
                let _ = ptrace::answer(tid, Errno::NO_SUCH_CALL.as_result());
            }
            Stop::Exec => self.executed(tid, now_ns),
            Stop::Created(child) => self.created(child, tid, now_ns),
            Stop::Exit | Stop::Signal(_) | Stop::Group(_) | Stop::Interrupted => {
                self.tracee(tid);
            }
        }
        if self.leaving.is_some() {
            // A pending signal is still delivered.
            let signal = if let Stop::Signal(signal) = stop { signal } else { 0 };
            if ptrace::detach_with(tid, signal).is_ok() {
                self.threads.remove(&tid);
            }
            return;
        }
        if tid == self.first {
            self.shared.set_first_stopped(matches!(stop, Stop::Group(_)));
        }
        let gone_on = match stop {
            Stop::Group(_) => ptrace::listen(tid),
            Stop::Signal(signal) => self.go_on(tid, signal),
            _ => self.go_on(tid, 0),
        };
        // ESRCH: it was killed while it was stopped. Its end will be reported.
        debug_assert!(gone_on.is_ok() || gone_on == Err(Errno::NO_PROCESS), "{gone_on:?}");
    }

    fn go_on(&mut self, tid: u32, signal: i32) -> Result<(), Errno> {
        let Tracee { doing, every_call, .. } = *self.tracee(tid);
        if self.filtered && !every_call && doing == Doing::Nothing {
            ptrace::resume(tid, signal)
        } else {
            ptrace::resume_to_call(tid, signal)
        }
    }

    /// A thread is about to make a syscall, or has made one.
    fn at_call(&mut self, tid: u32, stop: Stop, now_ns: u64) {
        let kind = match ptrace::at_call(tid) {
            Ok(begins @ AtCall::Begins { .. }) => self.begins(tid, stop, begins),
            Ok(AtCall::Ended { result }) => self.ends(tid, result),
            // The thread is gone.
            _ => None,
        };
        if let Some(kind) = kind {
            let pid = self.tracee(tid).pid;
            self.shared.add(RawEvent { time_ns: now_ns, thread: Thread { pid, tid }, kind });
        }
    }

    fn begins(&mut self, tid: u32, stop: Stop, call: AtCall) -> Option<RawKind> {
        let AtCall::Begins { number, arguments, compat32 } = call else { return None };
        let Tracee { pid, doing, strict, .. } = *self.tracee(tid);
        if strict && !ptrace::is_strict(number, compat32) {
            self.end_strict(tid, compat32);
            return None;
        }
        // A filter of the program decides between the stop before a call and that of our filter.
        let is_let_through = stop == Stop::Filtered || !self.filtered;
        if is_let_through && let Some(guarded) = Guarded::of(number, &arguments, compat32) {
            self.tracee(tid).doing = self.guard(tid, guarded);
            return None;
        }
        if stop == Stop::Filtered && matches!(doing, Doing::MemoryCall { .. }) {
            return Some(RawKind::CallGoesOn);
        }
        if self.shared.is_stopping() {
            // Its end is of no interest: it needs no second stop.
            return None;
        }
        let call = if compat32 { self.numbers.narrow(number) } else { self.numbers.native(number) };
        self.tracee(tid).doing = call.map_or(Doing::Nothing, |_| Doing::MemoryCall { number });
        let call = call?;
        let arguments = if compat32 {
            narrow_arguments(number, arguments, |address| read_words(pid, address).ok())
        } else {
            Some(arguments)
        };
        let text = call.text_argument().filter(|_| self.shared.reads_texts).zip(arguments);
        let text = text.and_then(|(at, arguments)| read_text(pid, arguments[at]).ok());
        let text = text.map_or(Name::NONE, |text| self.shared.interner.text(&text));
        Some(RawKind::CallBegins { call, text, arguments, by_ptrace: true })
    }

    fn ends(&mut self, tid: u32, result: i64) -> Option<RawKind> {
        match std::mem::take(&mut self.tracee(tid).doing) {
            // The end of a call that began before tracing, or that is not a memory syscall.
            Doing::Nothing => None,
            Doing::MemoryCall { number } => {
                // A call that a filter turns into a signal seems to return its number, and the
                // handler of the signal decides what the program gets.
                let is_trapped = i64::try_from(number) == Ok(result) && has_pending_sigsys(tid);
                Some(RawKind::CallEnds { result: (!is_trapped).then_some(result), refused: None })
            }
            Doing::InstallsFilter { whole_process } => {
                if result >= 0 {
                    self.filter_installed(tid, whole_process);
                }
                None
            }
        }
    }

    /// A process has executed another program. The thread that did has the process's id now, and is
    /// the only one.
    fn executed(&mut self, tid: u32, now_ns: u64) {
        let pid = self.tracee(tid).pid;
        self.threads.retain(|&other, tracee| tracee.pid != pid || other == tid);
        let every_call = self.has_own_filter(tid);
        *self.tracee(tid) = Tracee { pid, every_call, ..Tracee::default() };
        if self.alone {
            let name = self.shared.interner.text(&program_name(pid).unwrap_or_default());
            // It is stopped, so its mappings are those that exec created.
            let mapped = mappings(pid, now_ns, &self.shared.interner);
            self.report_life(Thread { pid, tid }, now_ns, Life::Executed { name });
            for raw in mapped {
                self.shared.add(raw);
            }
        }
    }

    fn created(&mut self, child: u32, by: u32, now_ns: u64) {
        // Registered here: it may end before it reports anything else.
        let thread = Thread { pid: self.tracee(child).pid, tid: child };
        let by = Thread { pid: self.tracee(by).pid, tid: by };
        self.report_life(thread, now_ns, Life::Started { by });
    }

    fn report_life(&self, thread: Thread, time_ns: u64, life: Life) {
        if self.alone {
            self.shared.add(RawEvent { time_ns, thread, kind: RawKind::Life(life) });
        }
    }

    /// The state of a thread; a new thread is registered by its first report, whatever that is.
    fn tracee(&mut self, tid: u32) -> &mut Tracee {
        if !self.threads.contains_key(&tid) {
            let every_call = self.has_own_filter(tid);
            let pid = process_of(tid).unwrap_or(tid);
            self.threads.insert(tid, Tracee { pid, every_call, ..Tracee::default() });
        }
        self.threads.entry(tid).or_default()
    }

    fn gone(&mut self, tid: u32, now_ns: u64, ending: WaitStatus) {
        let pid = self.tracee(tid).pid;
        self.threads.remove(&tid);
        let (thread, told) = (Thread { pid, tid }, raw::ending(ending));
        if self.alone {
            self.report_life(thread, now_ns, Life::Ended { ending: told });
        } else if tid == pid {
            // The rings report the end of each thread. The first one has the status of the process.
            let kind = RawKind::ProcessEnded(told);
            self.shared.add(RawEvent { time_ns: now_ns, thread, kind });
        }
        if tid == self.first {
            self.ending = Some(ending);
            self.shared.end_first();
        }
    }
}
