//! Runs a program and takes a snapshot of it at the requested moment. Only the first process is
//! traced, with all its threads.
//!
//! At exit each thread stops once more while all memory is still mapped (`PTRACE_EVENT_EXIT`,
//! ptrace(2)). The snapshot is taken at the stop of the last thread, whichever thread called exit;
//! the stack pointers of the others were read at their stops.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use events::snapshot::Snapshot;
use sys::Errno;
use sys::interrupt::Interrupt;
use sys::launch::Started;
use sys::proc::task::threads_of;
use sys::process::WaitStatus;
use sys::ptrace::{self, ChildEvents, Stop, TraceOptions};
use sys::relay::{Relay, Sent};

use super::picture::{self, Leaving, Unseen};
use super::residency::Accounted;
use super::{At, Failure, ProcessState, SnapshotOutcome, SnapshotRequest, TakenAt, pause_after};
use crate::ptrace::freeze::PATIENCE;

/// The time between the request to end a program and SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the program to its end and takes the snapshot on the way; `look` gets the intermediate
/// snapshots. If the user interrupts, the snapshot is taken at once, and the program gets the same
/// signal through `relay`, and SIGKILL if it does not end.
///
/// # Errors
/// [`Failure`] says why there is no snapshot.
pub fn run(
    request: &SnapshotRequest,
    interrupt: Interrupt,
    relay: &mut Relay,
    look: &mut dyn FnMut(&Snapshot),
) -> Result<SnapshotOutcome, Failure> {
    run_within(None, request, interrupt, relay, look)
}

/// As [`run`]; a program that runs longer than `limit` is killed, and the snapshot is taken before.
///
/// # Errors
/// As [`run`].
pub fn run_within(
    limit: Option<Duration>,
    request: &SnapshotRequest,
    interrupt: Interrupt,
    relay: &mut Relay,
    look: &mut dyn FnMut(&Snapshot),
) -> Result<SnapshotOutcome, Failure> {
    let waiting = request.program.start(request.setup).map_err(Failure::Start)?;
    let child_events = ChildEvents::new().map_err(Failure::Start)?;
    ptrace::seize(waiting.pid(), TraceOptions::LIFE).map_err(Failure::Trace)?;
    let started = waiting.go().map_err(|errno| match errno {
        // EPERM comes from personality(2), but may also come from execve(2) of a traced program
        // with a set-user-ID bit.
        Errno::NOT_PERMITTED if request.setup.addresses != sys::launch::Addresses::Inherited => {
            Failure::Addresses(errno)
        }
        _ => Failure::Exec(errno),
    })?;
    let tracer = Tracer {
        request,
        pid: started.pid(),
        started,
        leaving: Leaving::new(),
        freeze: None,
        taken: None,
        unseen: None,
        since_exec: None,
        asked: false,
        next_look: None,
        kill_at: None,
        state: ProcessState::default(),
        end_by: limit.map(|limit| Instant::now() + limit),
        out_of_time: false,
    };
    tracer.watch(&child_events, interrupt, relay, look)
}

/// The longest sleep: SIGCHLD goes to any thread of this process that does not block it, so that
/// its descriptor may miss a stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a stopped thread is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    /// It runs, with this signal delivered, or 0.
    With(i32),
    /// It stays in its group stop.
    Listening,
}

/// The state while all threads are being stopped for a snapshot.
struct Freeze {
    moment: TakenAt,
    /// The deadline: the snapshot is taken then, even if threads have not stopped.
    until: Instant,
    /// The threads that have stopped, and how to resume them afterwards.
    held: BTreeMap<u32, Onward>,
}

struct Tracer<'a> {
    request: &'a SnapshotRequest<'a>,
    pid: u32,
    started: Started,
    leaving: Leaving,
    freeze: Option<Freeze>,
    taken: Option<(Snapshot, TakenAt)>,
    unseen: Option<Unseen>,
    since_exec: Option<Instant>,
    /// Whether the snapshot of the requested time, or of an interruption, was started.
    asked: bool,
    next_look: Option<Instant>,
    kill_at: Option<Instant>,
    state: ProcessState,
    /// When its time is up.
    end_by: Option<Instant>,
    out_of_time: bool,
}

impl Tracer<'_> {
    fn watch(
        mut self,
        child_events: &ChildEvents,
        interrupt: Interrupt,
        relay: &mut Relay,
        look: &mut dyn FnMut(&Snapshot),
    ) -> Result<SnapshotOutcome, Failure> {
        loop {
            child_events.clear();
            while let Some((tid, stop)) = ptrace::next_stop().map_err(Failure::Trace)? {
                if let Some(ending) = self.see(tid, stop) {
                    self.started.reaped();
                    return match (self.taken, self.unseen) {
                        (None, Some(unseen)) => Err(Failure::Unseen(unseen)),
                        (taken, _) => Ok(SnapshotOutcome {
                            taken,
                            ending,
                            state: self.state,
                            out_of_time: self.out_of_time,
                        }),
                    };
                }
            }
            self.follow_the_clock(interrupt, look);
            for sent in relay.due(self.pid) {
                self.started.signal(sent);
            }
            self.sleep(child_events, relay);
        }
    }

    /// Handles a stop. Returns how the process ended, if this was its end.
    fn see(&mut self, tid: u32, stop: Stop) -> Option<WaitStatus> {
        let onward = match stop {
            Stop::Exited(status) if tid == self.pid => return Some(WaitStatus::Exited(status)),
            Stop::Killed(signal) if tid == self.pid => return Some(WaitStatus::Killed(signal)),
            Stop::Exited(_) | Stop::Killed(_) => {
                // The end of another process, or of a thread: nothing to resume.
                self.thaw_if_all_stopped();
                return None;
            }
            // A child made by clone(2) that is not a thread of this process is not traced.
            _ if !picture::is_thread(self.pid, tid) => {
                let _ = ptrace::detach(tid);
                return None;
            }
            Stop::Exec => self.executed(),
            Stop::Exit => self.leaves(tid),
            Stop::Signal(signal) => Onward::With(signal),
            Stop::Group(_) => Onward::Listening,
            // Stops at syscalls were not requested.
            Stop::Created(_)
            | Stop::Interrupted
            | Stop::Filtered
            | Stop::FilteredByProgram
            | Stop::Call => Onward::With(0),
        };
        match &mut self.freeze {
            // It is not held at its exit: another thread in execve(2) may be waiting for that.
            Some(_) if stop == Stop::Exit => {
                go_on(tid, onward);
                self.thaw_if_all_stopped();
            }
            Some(freeze) => {
                freeze.held.insert(tid, onward);
                self.thaw_if_all_stopped();
            }
            None => go_on(tid, onward),
        }
        None
    }

    fn executed(&mut self) -> Onward {
        // Its other threads are gone, and what was known of them is void.
        self.leaving.clear();
        // Now: the program may write over its environment later.
        self.state.read_start(self.pid);
        if self.since_exec.is_none() {
            self.since_exec = Some(Instant::now());
            self.next_look = self.request.every.map(|every| Instant::now() + every);
            if self.request.at == At::Exec {
                self.asked = true;
                self.take(self.pid, TakenAt::AsAsked);
            }
        }
        Onward::With(0)
    }

    /// A thread exits. If it is the last one, the program exits.
    fn leaves(&mut self, tid: u32) -> Onward {
        let threads = threads_of(self.pid).unwrap_or_default();
        let state = picture::syscall_state(self.pid, tid);
        let is_last = threads.iter().all(|other| *other == tid || self.leaving.contains_key(other));
        // A thread that ends before the program unmaps its stack.
        let by_itself = state.and_then(|state| state.syscall) == Some(sys::ptrace::EXIT_THREAD);
        let pointer = state.map(|state| state.stack_pointer);
        self.leaving.insert(tid, pointer.filter(|_| !by_itself && tid != self.pid));
        if is_last && !(self.asked && self.taken.is_some()) && self.since_exec.is_some() {
            let wanted = self.request.at == At::Exit && !self.asked;
            self.take(tid, if wanted { TakenAt::AsAsked } else { TakenAt::AtExit });
        }
        Onward::With(0)
    }

    fn take(&mut self, tid: u32, moment: TakenAt) {
        self.state.read_present(self.pid, tid);
        match picture::take(self.pid, tid, &self.leaving, Accounted::Always) {
            Ok(space) => self.taken = Some((space, moment)),
            Err(unseen) => self.unseen = Some(unseen),
        }
    }

    /// Stops all threads for a snapshot.
    fn freeze(&mut self, moment: TakenAt) {
        self.asked = true;
        self.freeze =
            Some(Freeze { moment, until: Instant::now() + PATIENCE, held: BTreeMap::new() });
        for tid in threads_of(self.pid).unwrap_or_default() {
            let _ = ptrace::interrupt(tid); // if it is gone or exiting, its stop is reported
        }
    }

    /// Takes the snapshot once every thread has stopped or is exiting, or the deadline has passed,
    /// and resumes all.
    fn thaw_if_all_stopped(&mut self) {
        let Some(freeze) = &self.freeze else { return };
        let stopped = |tid: &u32| freeze.held.contains_key(tid) || self.leaving.contains_key(tid);
        let all_stopped = || threads_of(self.pid).unwrap_or_default().iter().all(stopped);
        if Instant::now() < freeze.until && (freeze.held.is_empty() || !all_stopped()) {
            return;
        }
        let Some(Freeze { moment, held, .. }) = self.freeze.take() else { return };
        let through =
            if held.contains_key(&self.pid) { Some(self.pid) } else { held.keys().next().copied() };
        self.take(through.unwrap_or(self.pid), moment);
        for (tid, onward) in held {
            go_on(tid, onward);
        }
    }

    fn follow_the_clock(&mut self, interrupt: Interrupt, look: &mut dyn FnMut(&Snapshot)) {
        self.thaw_if_all_stopped();
        let now = Instant::now();
        let since = self.since_exec.unwrap_or(now);
        if let (At::After(time), false, None) = (self.request.at, self.asked, &self.freeze)
            && self.since_exec.is_some()
            && now >= since + time
        {
            self.freeze(TakenAt::AsAsked);
        }
        if let (Some(every), Some(next), None) = (self.request.every, self.next_look, &self.freeze)
            && now >= next
        {
            let taken = picture::take(self.pid, self.pid, &self.leaving, Accounted::IfShort);
            let pause = pause_after(now.elapsed(), every);
            if let Ok(space) = taken {
                look(&space);
            }
            self.next_look = Some(Instant::now() + pause);
        }
        self.out_of_time |= self.end_by.is_some_and(|end| now >= end);
        // The relay passes the signal of an interruption on.
        if (interrupt.received().is_some() || self.out_of_time) && self.freeze.is_none() {
            match self.kill_at {
                None => {
                    // A snapshot that was taken at the requested time is kept.
                    if self.taken.is_none() {
                        self.freeze(TakenAt::Interrupted);
                    }
                    let grace = if self.out_of_time { Duration::ZERO } else { GRACE };
                    self.kill_at = Some(now + grace);
                }
                Some(time) if now >= time => self.started.signal(Sent::new(ptrace::KILL)),
                Some(_) => {}
            }
        }
    }

    /// Sleeps until a stop, a signal, or the next deadline.
    fn sleep(&self, child_events: &ChildEvents, relay: &Relay) {
        let timer = match (self.request.at, self.asked, self.since_exec) {
            (At::After(time), false, Some(since)) => Some(since + time),
            _ => None,
        };
        let thaw = self.freeze.as_ref().map(|freeze| freeze.until);
        let end = self.end_by.filter(|_| !self.out_of_time);
        let next = [timer, thaw, self.next_look, self.kill_at, end].into_iter().flatten().min();
        let left = next.map(|next| next.saturating_duration_since(Instant::now()));
        let left = [left, relay.due_in()].into_iter().flatten().min();
        let left = left.unwrap_or(LOOK_EVERY).clamp(Duration::from_millis(1), LOOK_EVERY);
        sys::interrupt::wait_for_either(child_events.as_fd(), relay.as_fd(), Some(left));
    }
}

/// Resumes a thread. Errors are ignored: the thread is gone then.
fn go_on(tid: u32, onward: Onward) {
    let _ = match onward {
        Onward::With(signal) => ptrace::resume(tid, signal),
        Onward::Listening => ptrace::listen(tid),
    };
}
