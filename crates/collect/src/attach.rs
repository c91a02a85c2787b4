//! Attaches to a running process.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use sys::Errno;
use sys::clock::monotonic_ns;
use sys::limits::RaisedOpenFiles;
use sys::proc::task::{is_compat32_process, live_threads_of};
use sys::process::WaitStatus;
use sys::ptrace::{self, Nudge, Stop};

use crate::access::Access;
use crate::calls::Numbers;
use crate::collection::Collection;
use crate::observed_process::TracerThread;
use crate::options::{Error, Options};
use crate::ptrace::freeze::freeze;
use crate::ptrace::tracer::Tracer;
use crate::snapshot::mappings::attached;
use crate::start::spawn;
use crate::stream::control::Control;
use crate::stream::pairing::Expected;

/// Longer than it takes to stop a process, unless the process is in the middle of an exec.
const STOPPING: Duration = Duration::from_millis(250);

/// What to do with a process that was stopped to attach to it.
enum Then {
    /// Trace its syscalls; and if there are no rings (`alone`), its threads and mappings too.
    Trace { alone: bool },
    /// Let it go on untraced.
    LetGo,
}

/// Starts to observe a running process.
pub(crate) fn attach(pid: u32, options: Options) -> Result<Collection, Error> {
    match sys::proc::task::process_of(pid) {
        Some(process) if process != pid => return Err(Error::Thread { tid: pid, pid: process }),
        Some(_) if sys::proc::task::has_process_ended(pid) => return Err(Error::Gone(pid)),
        Some(_) if sys::proc::task::is_kernel_thread(pid) => return Err(Error::Kernel(pid)),
        _ => {}
    }
    let numbers = Numbers::new(is_compat32_process(pid));
    let open_files = RaisedOpenFiles::raise();
    let shared = Arc::new(Control::new(true, &options).map_err(Error::Resources)?);
    let (answer, frozen) = channel();
    let (then, decision) = channel();
    let rounds = channel();
    let tracer = Tracer::new(Arc::clone(&shared), rounds.0.clone(), numbers.clone(), pid, false);
    let handle = spawn(move |nudge| seize(pid, tracer, nudge, &answer, &decision))?;
    let (threads, nudge, refusal) = match seized(&frozen).ok_or(Error::Gone(pid))? {
        Ok((threads, nudge)) => (threads, Some(nudge), None),
        Err(Errno::NO_PROCESS) => return Err(Error::Gone(pid)),
        Err(_) if sys::proc::task::has_process_ended(pid) => return Err(Error::Gone(pid)),
        // It cannot be stopped; its faults may still be visible.
        Err(errno) => (live_threads_of(pid).map_err(|_| Error::Gone(pid))?, None, Some(errno)),
    };
    let mut access = Access::gain(options, &threads, false, &numbers).map_err(|error| {
        match (error, refusal) {
            (Error::Nothing(_), Some(errno)) => Error::Forbidden(pid, errno),
            (error, _) => error,
        }
    })?;
    if let Some(errno) = refusal.filter(|_| access.by_ptrace) {
        access.do_without_calls(errno, options.faults).map_err(|_| Error::Forbidden(pid, errno))?;
    }
    let traces_calls = access.by_ptrace;
    let then_do =
        if traces_calls { Then::Trace { alone: access.rings.is_none() } } else { Then::LetGo };
    let now_ns = monotonic_ns();
    // Where it could not be stopped, threads have ended meanwhile; the end of one that is there now
    // comes later than this time.
    let present = if refusal.is_none() { threads } else { live_threads_of(pid).unwrap_or(threads) };
    for raw in attached(pid, &present, now_ns, &shared.interner) {
        shared.add(raw);
    }
    let mut collection = Collection::begin(access, Arc::clone(&shared), rounds, numbers, pid)?;
    collection.open_files = Some(open_files);
    if traces_calls {
        collection.pairing.expect_endings(Expected::All);
    }
    // The tracer does not receive this if the process could not be stopped.
    let _ = then.send(then_do);
    match nudge {
        Some(nudge) => collection.subject.tracer = Some(TracerThread { handle, nudge }),
        None => shared.end_tracer(),
    }
    Ok(collection)
}

/// Receives the result of stopping the process. A thread in execve(2) waits until the other threads
/// have ended and been reaped, and ptrace(2) waits for execve(2): the tracer and the thread could
/// wait for each other forever. So ended threads are reaped here meanwhile.
fn seized<T>(answer: &Receiver<T>) -> Option<T> {
    loop {
        match answer.recv_timeout(STOPPING) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Timeout) => ptrace::reap_all_ended(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Stops the process, reports that, and continues as decided. Without a decision the process is let
/// go.
fn seize(
    pid: u32,
    mut tracer: Tracer,
    nudge: Nudge,
    answer: &Sender<Result<(Vec<u32>, Nudge), Errno>>,
    decision: &Receiver<Then>,
) -> Option<WaitStatus> {
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
            tracer.report_sideband();
        }
        tracer.take_over(frozen);
    } else {
        for (tid, stop) in frozen.0 {
            // ESRCH: it was killed meanwhile, or has not stopped yet; it is released when this
            // thread ends.
            let _ = ptrace::detach_with(
                tid,
                if let Some(Stop::Signal(signal)) = stop { signal } else { 0 },
            );
        }
    }
    tracer.run()
}
