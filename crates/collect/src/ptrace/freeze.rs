//! Stops all threads of a process for a moment, so that a snapshot and the events after it fit
//! together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sys::Errno;
use sys::proc::task::{has_first_thread_ended, has_process_ended, threads_of};
use sys::ptrace::{self, Stop, TraceOptions};

/// The longest time for which a process may be stopped to attach to it, to take a snapshot, or to
/// detach from it. A thread that has not stopped by then is in an uninterruptible sleep (in
/// vfork(2), for example, until its child execs); it stops, and is attached to, when it returns.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// The interval at which to check whether all have stopped.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Threads that are traced now, and why each has stopped, if it has. They are released when the
/// calling thread ends.
#[derive(Debug, Default)]
pub(crate) struct Frozen(pub(crate) BTreeMap<u32, Option<Stop>>);

/// Stops all threads of `pid`, including those that it starts meanwhile, as far as they can be
/// stopped at once.
///
/// # Errors
/// ESRCH: there is no such process. EPERM: it may not be traced, or is already.
pub(crate) fn freeze(pid: u32) -> Result<Frozen, Errno> {
    let until = Instant::now() + PATIENCE;
    let mut frozen = Frozen::default();
    loop {
        let (any_new, refusal) = frozen.seize_new(pid)?;
        frozen.wait(until);
        match refusal {
            // All its threads are gone or ending, but the process exists: a thread is in execve(2).
            Some(errno)
                if frozen.0.is_empty()
                    && (errno == Errno::NO_PROCESS || has_first_thread_ended(pid))
                    && !has_process_ended(pid)
                    && Instant::now() < until =>
            {
                std::thread::sleep(LOOK_EVERY);
            }
            Some(errno) if frozen.0.is_empty() => return Err(errno),
            _ if !any_new => return Ok(frozen),
            _ => {}
        }
    }
}

impl Frozen {
    /// Seizes the threads of `pid` that are not traced yet, and interrupts them. Returns whether
    /// there were any, and the errno of a thread that could not be seized.
    fn seize_new(&mut self, pid: u32) -> Result<(bool, Option<Errno>), Errno> {
        let threads = threads_of(pid).map_err(|_| Errno::NO_PROCESS)?;
        let (mut any_new, mut refusal) = (false, None);
        for tid in threads {
            if self.0.get(&tid).is_some_and(Option::is_some) {
                continue;
            }
            let is_known = self.0.contains_key(&tid);
            match ptrace::seize(tid, TraceOptions::CALLS).and_then(|()| ptrace::interrupt(tid)) {
                Ok(()) => {
                    any_new = true;
                    self.0.insert(tid, None);
                }
                // It is traced already. If it could be seized again it was another one, which has
                // taken the number of the first thread by execve(2).
                Err(_) if is_known => {}
                // A thread that has ended but is not reaped cannot be traced, and neither can any
                // thread of a process that may not be traced.
                Err(errno) => refusal = Some(errno),
            }
        }
        Ok((any_new, refusal))
    }

    /// Waits until each thread has reported a stop or its end, or until `until`.
    fn wait(&mut self, until: Instant) {
        while self.0.values().any(Option::is_none) {
            match ptrace::next_stop() {
                Ok(Some((tid, Stop::Exited(_) | Stop::Killed(_)))) => {
                    self.0.remove(&tid);
                }
                Ok(Some((tid, stop))) => {
                    if stop == Stop::Exec {
                        // Only this thread is left, whose number was another one before.
                        self.0.clear();
                    }
                    self.0.insert(tid, Some(stop));
                }
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK_EVERY),
                Ok(None) | Err(_) => return,
            }
        }
    }
}
