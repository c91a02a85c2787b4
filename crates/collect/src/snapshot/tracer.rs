//! Runs a program and takes its picture at the moment asked for. Only the first process is
//! followed, with all its threads.
//!
//! At an exit each thread stops once more while all memory is still mapped (`PTRACE_EVENT_EXIT`,
//! ptrace(2)). The picture is that of the last thread to do so: which of them calls exit does not
//! matter then, and the others have told where their stacks were.

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

use super::picture::{self, Leaving, Unseen};
use super::{At, Failure, SnapshotOutcome, SnapshotRequest, TakenAt};
use crate::ptrace::freeze::PATIENCE;

/// What a program that was asked to end is given before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the program to its end and takes its picture on the way; `look` sees the pictures in
/// between. When the user asks for the end, the picture is taken at once, and the program is asked
/// to end by the same signal, and killed if it does not.
///
/// # Errors
/// [`Failure`] says why there is no picture.
pub fn run(
    request: &SnapshotRequest,
    interrupt: Interrupt,
    look: &mut dyn FnMut(&Snapshot),
) -> Result<SnapshotOutcome, Failure> {
    let waiting = request.program.start(request.setup).map_err(Failure::Start)?;
    let child_events = ChildEvents::new().map_err(Failure::Start)?;
    ptrace::seize(waiting.pid(), TraceOptions::LIFE).map_err(Failure::Trace)?;
    let started = waiting.go().map_err(|errno| match errno {
        // personality(2) is refused with EPERM, and execve(2) of a traced program that wants
        // privilege may be as well.
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
    };
    tracer.watch(&child_events, interrupt, look)
}

/// How a stopped thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    /// With this signal, or 0.
    With(i32),
    /// It stays in its group stop.
    Listening,
}

/// All threads are being stopped for a picture.
struct Freeze {
    moment: TakenAt,
    /// The picture is taken then, whoever has not stopped.
    until: Instant,
    /// Those that have stopped, and how they go on afterwards.
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
    /// The picture of a certain time, or of the user's interruption, was begun.
    asked: bool,
    next_look: Option<Instant>,
    kill_at: Option<Instant>,
}

impl Tracer<'_> {
    fn watch(
        mut self,
        child_events: &ChildEvents,
        interrupt: Interrupt,
        look: &mut dyn FnMut(&Snapshot),
    ) -> Result<SnapshotOutcome, Failure> {
        loop {
            child_events.clear();
            while let Some((tid, stop)) = ptrace::next_stop().map_err(Failure::Trace)? {
                if let Some(ending) = self.see(tid, stop) {
                    self.started.reaped();
                    return match (self.taken, self.unseen) {
                        (None, Some(unseen)) => Err(Failure::Unseen(unseen)),
                        (taken, _) => Ok(SnapshotOutcome { taken, ending }),
                    };
                }
            }
            self.follow_the_clock(interrupt, look);
            self.sleep(child_events, interrupt);
        }
    }

    /// What a stop means; the ending if it is that of the whole process.
    fn see(&mut self, tid: u32, stop: Stop) -> Option<WaitStatus> {
        let onward = match stop {
            Stop::Exited(status) if tid == self.pid => return Some(WaitStatus::Exited(status)),
            Stop::Killed(signal) if tid == self.pid => return Some(WaitStatus::Killed(signal)),
            Stop::Exited(_) | Stop::Killed(_) => {
                // Somebody else's end, or a thread's: nothing to resume.
                self.thaw_if_all_stand();
                return None;
            }
            // A child that was cloned as threads are, without being one, is not followed.
            _ if !picture::is_thread(self.pid, tid) => {
                let _ = ptrace::detach(tid);
                return None;
            }
            Stop::Exec => self.executed(),
            Stop::Exit => self.leaves(tid),
            Stop::Signal(signal) => Onward::With(signal),
            Stop::Group(_) => Onward::Listening,
            // Syscalls are not asked for.
            Stop::Created(_) | Stop::Interrupted | Stop::Filtered | Stop::Call => Onward::With(0),
        };
        match &mut self.freeze {
            // It is not held at its end: another may wait for that, to become another program
            // (execve(2)).
            Some(_) if stop == Stop::Exit => {
                go_on(tid, onward);
                self.thaw_if_all_stand();
            }
            Some(freeze) => {
                freeze.held.insert(tid, onward);
                self.thaw_if_all_stand();
            }
            None => go_on(tid, onward),
        }
        None
    }

    fn executed(&mut self) -> Onward {
        // Its old threads are gone, and with them all that they said.
        self.leaving.clear();
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

    /// A thread exits. If it is the last, it is the program that does.
    fn leaves(&mut self, tid: u32) -> Onward {
        let threads = threads_of(self.pid).unwrap_or_default();
        let state = picture::syscall_state(self.pid, tid);
        let is_last = threads.iter().all(|other| *other == tid || self.leaving.contains_key(other));
        // A thread that ends by itself gives its stack back.
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
        match picture::take(self.pid, tid, &self.leaving) {
            Ok(space) => self.taken = Some((space, moment)),
            Err(unseen) => self.unseen = Some(unseen),
        }
    }

    /// Stops all threads for a picture.
    fn freeze(&mut self, moment: TakenAt) {
        self.asked = true;
        self.freeze =
            Some(Freeze { moment, until: Instant::now() + PATIENCE, held: BTreeMap::new() });
        for tid in threads_of(self.pid).unwrap_or_default() {
            let _ = ptrace::interrupt(tid); // gone by now, or at its exit: it will be seen
        }
    }

    /// Takes the picture once every thread has stopped or is at its end, or has been waited for
    /// long enough, and lets all go on.
    fn thaw_if_all_stand(&mut self) {
        let Some(freeze) = &self.freeze else { return };
        let stands = |tid: &u32| freeze.held.contains_key(tid) || self.leaving.contains_key(tid);
        let all_stand = || threads_of(self.pid).unwrap_or_default().iter().all(stands);
        if Instant::now() < freeze.until && (freeze.held.is_empty() || !all_stand()) {
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
        self.thaw_if_all_stand();
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
            if let Ok(space) = picture::take(self.pid, self.pid, &self.leaving) {
                look(&space);
            }
            self.next_look = Some(Instant::now() + every);
        }
        if let (Some(signal), None) = (interrupt.received(), &self.freeze) {
            match self.kill_at {
                None => {
                    // What was asked for earlier is there already, and stays.
                    if self.taken.is_none() {
                        self.freeze(TakenAt::Interrupted);
                    }
                    self.kill_at = Some(now + GRACE);
                    self.started.signal(signal);
                }
                Some(time) if now >= time => self.started.signal(ptrace::KILL),
                Some(_) => {}
            }
        }
    }

    /// Until something stops, the user asks for the end, or the clock says so.
    fn sleep(&self, child_events: &ChildEvents, interrupt: Interrupt) {
        let timer = match (self.request.at, self.asked, self.since_exec) {
            (At::After(time), false, Some(since)) => Some(since + time),
            _ => None,
        };
        let thaw = self.freeze.as_ref().map(|freeze| freeze.until);
        let next = [timer, thaw, self.next_look, self.kill_at].into_iter().flatten().min();
        let left = next.map(|next| {
            next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
        });
        // Once it has spoken, it would speak for ever.
        let ended = interrupt.received().is_some().then_some(child_events.as_fd());
        sys::interrupt::wait_for_either(
            child_events.as_fd(),
            ended.unwrap_or(interrupt.as_fd()),
            left,
        );
    }
}

/// A thread that is gone by now needs no help.
fn go_on(tid: u32, onward: Onward) {
    let _ = match onward {
        Onward::With(signal) => ptrace::resume(tid, signal),
        Onward::Listening => ptrace::listen(tid),
    };
}
