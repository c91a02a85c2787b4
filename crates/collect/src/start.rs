//! From what is wished for to a collection: which ways there are, and what has to be done without.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use events::Call;
use sys::Errno;
use sys::clock::monotonic_ns;
use sys::launch::{Program, Setup, Started};
use sys::limits::raise_open_files;
use sys::perf::record::Odd;
use sys::proc::regions_of;
use sys::process::{Ending, is_root};
use sys::ptrace::{self, Nudge, Options, Stop};
use sys::seccomp::Filter;
use sys::usage::Usage;

use crate::access::Access;
use crate::attach::{freeze, snapshot};
use crate::control::Control;
use crate::drain::{self, Round};
use crate::pairing::Pairing;
use crate::tracer::Tracer;
use crate::window::Window;
use crate::{Collection, TracerThread, calls};

/// Longer than it takes to meet a process, unless it is just becoming another program.
const MEETING: Duration = Duration::from_millis(250);

/// What to watch.
#[derive(Debug, Clone)]
pub enum Target {
    /// A program that is to be started.
    Program(Program),
    /// A process that runs.
    Process(u32),
}

/// By which way memory syscalls are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Calls {
    /// By tracepoints if they are allowed, else by stopping the program.
    #[default]
    Best,
    /// By tracepoints.
    Tracepoints,
    /// By stopping the program: ptrace(2).
    Stops,
    /// Not at all.
    Off,
}

/// What is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Page faults.
    pub faults: bool,
    /// Memory syscalls.
    pub calls: Calls,
    /// What a program that is started writes to its standard output goes to standard error.
    pub output_to_errors: bool,
}

/// What is missing from a collection, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Faults that the kernel takes on the program's behalf (inside read(2)) are not seen by this user.
    UserModeOnly,
    /// No page faults, no latencies: perf events are refused.
    NoPerf(Errno),
    /// No tracepoints for this user: the program is stopped at each memory syscall, or, attached to, at every syscall.
    Stops(Errno),
    /// No memory syscalls: neither tracepoints nor ptrace are allowed.
    NoCalls(Errno),
    /// The program would run with more privileges if it were not traced.
    Unprivileged,
    /// A 32-bit program: its syscalls have other numbers, and are not shown.
    Narrow,
    /// The program gains privileges when it starts, and from then on this user sees nothing of it.
    Unseen,
}

/// Why nothing can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The program did not start: execve(2) or fork(2).
    #[error("{0}")]
    Start(Errno),
    /// There is no such process.
    #[error("there is no process {0}")]
    Gone(u32),
    /// It is a thread of this process, and not its first.
    #[error("{tid} is a thread of process {pid}")]
    Thread {
        /// The thread.
        tid: u32,
        /// Its process.
        pid: u32,
    },
    /// It has no memory of its own: a thread of the kernel's.
    #[error("process {0} has no memory of its own")]
    Kernel(u32),
    /// The process is another user's, or may not be looked at.
    #[error("process {0} may not be looked at: {1}")]
    Forbidden(u32, Errno),
    /// Tracepoints were asked for, and are refused.
    #[error("tracepoints are refused: {0}")]
    Tracepoints(Errno),
    /// Nothing that was asked for can be seen.
    #[error("nothing can be watched: {0}")]
    Nothing(Errno),
    /// This machine has no room for another thread or descriptor.
    #[error("{0}")]
    Resources(Errno),
}

impl Collection {
    /// Starts to watch. A program that is started runs from here on.
    ///
    /// # Errors
    /// [`Error`] says why nothing can be seen, or why the program did not start.
    pub fn start(target: &Target, wish: Wish) -> Result<Self, Error> {
        match target {
            Target::Program(program) => start(program, wish),
            Target::Process(pid) => attach(*pid, wish),
        }
    }

    /// Begins to drain what `access` has opened.
    fn begin(
        access: Access,
        shared: Arc<Control>,
        (sender, rounds): (Sender<Round>, Receiver<Round>),
        numbers: Vec<(u32, Call)>,
        pid: u32,
    ) -> Result<Self, Error> {
        let format = access.rings.as_ref().map(|rings| rings.format.clone()).unwrap_or_default();
        let drain = drain::start(access.rings, Arc::clone(&shared), sender).map_err(no_thread)?;
        Ok(Collection {
            rounds,
            shared,
            drain,
            tracer: None,
            program: None,
            started_it: false,
            asked_descendants: false,
            pid,
            children_before: Usage::of_reaped_children(),
            format,
            numbers,
            window: Window::default(),
            pairing: Pairing::default(),
            odd: Odd::default(),
            began_ns: monotonic_ns(),
            notices: access.notices,
        })
    }
}

/// Starts a program and watches it from its first moment on.
fn start(program: &Program, wish: Wish) -> Result<Collection, Error> {
    let numbers = calls::numbers();
    let filter = Filter::stop_at(&calls::ranges(&numbers));
    let setup = Setup { output_to_errors: wish.output_to_errors, ..Setup::default() };
    // Forked first: it must not inherit what we raise.
    let waiting = program.start_filtered(setup, Some(&filter)).map_err(Error::Start)?;
    raise_open_files();
    let pid = waiting.pid();
    let mut access = Access::gain(wish, &[pid], true, &numbers)?;
    let shared = Arc::new(Control::new(access.by_stops).map_err(Error::Resources)?);
    let channel = channel();
    let mut tracer = None;
    if access.by_stops {
        let mut tracer_of_program = Tracer::new(Arc::clone(&shared), channel.0.clone(), numbers.clone(), pid, true);
        if access.rings.is_none() {
            tracer_of_program.tell_lives();
        }
        match trace_program(pid, tracer_of_program)? {
            Ok(thread) => tracer = Some(thread),
            Err(errno) => {
                access.do_without_calls(errno, wish.faults)?;
                shared.end_tracer();
            }
        }
    }
    if program.wants_privilege() && !is_root() {
        access.notices.push(if tracer.is_some() { Notice::Unprivileged } else { Notice::Unseen });
    }
    if wish.calls != Calls::Off && program.is_narrow() {
        access.notices.push(Notice::Narrow);
    }
    let mut collection = Collection::begin(access, shared, channel, numbers, pid)?;
    let going = if tracer.is_some() { waiting.go_filtered() } else { waiting.go() };
    let mut running: Started = going.map_err(Error::Start)?;
    if tracer.is_some() {
        // The tracer waits for it.
        running.reaped();
    } else {
        collection.program = Some(running);
    }
    (collection.tracer, collection.started_it) = (tracer, true);
    Ok(collection)
}

/// Traces a program that waits to be started, on a thread of its own. The inner error: it may not be traced.
fn trace_program(pid: u32, mut tracer: Tracer) -> Result<Result<TracerThread, Errno>, Error> {
    let (answer, seized) = channel();
    let handle = spawn(move |nudge| {
        let outcome = ptrace::seize(pid, Options::FILTERED_CALLS);
        let failed = outcome.is_err();
        // Nobody waits for an answer any more: the collection has failed otherwise.
        let _ = answer.send(outcome.map(|()| nudge));
        if failed {
            return None;
        }
        tracer.adopt(pid);
        tracer.run()
    })?;
    Ok(seized.recv().unwrap_or(Err(Errno::NO_PROCESS)).map(|nudge| TracerThread { handle, nudge }))
}

/// What becomes of a process that was stopped to be met.
enum Then {
    /// Its syscalls are traced, and so is its life if there are no rings.
    Trace { alone: bool },
    /// It goes on untraced.
    LetGo,
}

/// Watches a process that runs.
fn attach(pid: u32, wish: Wish) -> Result<Collection, Error> {
    match sys::proc::task::process_of(pid) {
        Some(process) if process != pid => return Err(Error::Thread { tid: pid, pid: process }),
        Some(_) if sys::proc::task::is_over(pid) => return Err(Error::Gone(pid)),
        Some(_) if !sys::proc::task::has_ended(pid) && regions_of(pid).is_ok_and(|regions| regions.is_empty()) => {
            return Err(Error::Kernel(pid));
        }
        _ => {}
    }
    let numbers = calls::numbers();
    raise_open_files();
    let shared = Arc::new(Control::new(true).map_err(Error::Resources)?);
    let (answer, frozen) = channel();
    let (then, decision) = channel();
    let rounds = channel();
    let tracer = Tracer::new(Arc::clone(&shared), rounds.0.clone(), numbers.clone(), pid, false);
    let handle = spawn(move |nudge| meet(pid, tracer, nudge, &answer, &decision))?;
    let (threads, nudge, refusal) = match met(&frozen).ok_or(Error::Gone(pid))? {
        Ok((threads, nudge)) => (threads, Some(nudge), None),
        Err(Errno::NO_PROCESS) => return Err(Error::Gone(pid)),
        Err(_) if sys::proc::task::is_over(pid) => return Err(Error::Gone(pid)),
        // It cannot be stopped; its faults may be visible all the same.
        Err(errno) => {
            let threads = sys::proc::task::threads_of(pid).map_err(|_| Error::Gone(pid))?;
            (threads, None, Some(errno))
        }
    };
    let mut access = Access::gain(wish, &threads, false, &numbers).map_err(|error| match (error, refusal) {
        (Error::Nothing(_), Some(errno)) => Error::Forbidden(pid, errno),
        (error, _) => error,
    })?;
    if let Some(errno) = refusal.filter(|_| access.by_stops) {
        access.do_without_calls(errno, wish.faults).map_err(|_| Error::Forbidden(pid, errno))?;
    }
    let then_do = if access.by_stops { Then::Trace { alone: access.rings.is_none() } } else { Then::LetGo };
    let met = snapshot(pid, monotonic_ns(), &mut shared.names());
    for half in met {
        shared.add_stop(half);
    }
    let mut collection = Collection::begin(access, Arc::clone(&shared), rounds, numbers, pid)?;
    // Nobody listens if it could not be stopped.
    let _ = then.send(then_do);
    match nudge {
        Some(nudge) => collection.tracer = Some(TracerThread { handle, nudge }),
        None => shared.end_tracer(),
    }
    Ok(collection)
}

/// How meeting went. While a thread turns a process into another program, it waits for its other threads to end and to be waited for, and ptrace(2)
/// waits for it: the tracer could wait for ever for a thread that waits for the tracer. So the dead are waited for here.
fn met<T>(answer: &Receiver<T>) -> Option<T> {
    loop {
        match answer.recv_timeout(MEETING) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Timeout) => ptrace::reap_the_dead(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Stops the process, tells so, and goes on with it as decided. If nobody decides, it is let go.
fn meet(
    pid: u32,
    mut tracer: Tracer,
    nudge: Nudge,
    answer: &Sender<Result<(Vec<u32>, Nudge), Errno>>,
    decision: &Receiver<Then>,
) -> Option<Ending> {
    let frozen = match freeze(pid) {
        Ok(frozen) => frozen,
        Err(errno) => {
            let _ = answer.send(Err(errno));
            return None;
        }
    };
    let _ = answer.send(Ok((frozen.0.keys().copied().collect(), nudge)));
    if let Ok(Then::Trace { alone }) = decision.recv() {
        if alone {
            tracer.tell_lives();
        }
        tracer.take_over(frozen);
    } else {
        for (tid, stop) in frozen.0 {
            // ESRCH: killed meanwhile, or not stopped yet; it goes on as this thread ends.
            let _ = ptrace::detach_with(tid, if let Some(Stop::Signal(signal)) = stop { signal } else { 0 });
        }
    }
    tracer.run()
}

/// Starts a thread that may trace, and can be nudged.
fn spawn(work: impl FnOnce(Nudge) -> Option<Ending> + Send + 'static) -> Result<JoinHandle<Option<Ending>>, Error> {
    let run = move || work(Nudge::this_thread());
    std::thread::Builder::new().name("firsttouch-tracer".into()).spawn(run).map_err(no_thread)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn no_thread(error: std::io::Error) -> Error {
    Error::Resources(Errno::of(&error).unwrap_or(Errno::TRY_AGAIN))
}
