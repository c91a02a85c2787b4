//! Attaching to a process: all its threads are stopped for a moment, so that what is seen from then
//! on fits what was there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sys::Errno;
use sys::proc::task::{has_first_thread_ended, has_process_ended, threads_of};
use sys::ptrace::{self, Stop, TraceOptions};

/// How long a process may be kept from running while it is attached to, has its picture taken, or
/// is left. A thread that has not stopped by then sleeps where no stop reaches it (in vfork(2), for
/// one, until its child has another program): it is attached to when it comes back.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// How often to look whether all have stopped.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Threads that are traced from now on, and why each has stopped, if it has. They go on when the
/// calling thread ends.
#[derive(Debug, Default)]
pub(crate) struct Frozen(pub(crate) BTreeMap<u32, Option<Stop>>);

/// Stops all threads of `pid`, those included that it starts meanwhile, as far as they can be
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
            // All were gone when it came to them, or are ending, and yet it exists: a thread is
            // just turning it into another program.
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
    /// Traces the threads of `pid` that are not yet, and asks them to stop. Says whether there were
    /// any, and what refused another.
    fn seize_new(&mut self, pid: u32) -> Result<(bool, Option<Errno>), Errno> {
        let threads = threads_of(pid).map_err(|_| Errno::NO_PROCESS)?;
        let (mut any_new, mut refusal) = (false, None);
        for tid in threads {
            if self.0.contains_key(&tid) {
                continue;
            }
            match ptrace::seize(tid, TraceOptions::CALLS).and_then(|()| ptrace::interrupt(tid)) {
                Ok(()) => {
                    any_new = true;
                    self.0.insert(tid, None);
                }
                // One that has ended but is not forgotten cannot be traced; nor can any, if this
                // process may not be.
                Err(errno) => refusal = Some(errno),
            }
        }
        Ok((any_new, refusal))
    }

    /// Until each has told why it stopped, or that it is gone, or it is `until`.
    fn wait(&mut self, until: Instant) {
        while self.0.values().any(Option::is_none) {
            match ptrace::next_stop() {
                Ok(Some((tid, Stop::Exited(_) | Stop::Killed(_)))) => {
                    self.0.remove(&tid);
                }
                Ok(Some((tid, stop))) => {
                    self.0.insert(tid, Some(stop));
                }
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK_EVERY),
                Ok(None) | Err(_) => return,
            }
        }
    }
}
