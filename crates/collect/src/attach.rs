//! A process that runs is met: all its threads are stopped for a moment, so that what is seen from then on fits to what was there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use events::{Life, Mapping, Names, Thread};
use sys::Errno;
use sys::proc::task::{has_ended, is_over, threads_of};
use sys::proc::{Region, regions_of};
use sys::ptrace::{self, Options, Stop};

use crate::half::{Half, Piece};

/// So long a process may be kept from running: to be met, to have its picture taken, to be left. A thread that has not stopped by then sleeps where no
/// stop reaches it, in vfork(2) for one, until its child has another program: it is met when it comes back.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// How often to look whether all have stopped.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Threads that are traced from now on, and why each has stopped, if it has. They go on when the calling thread ends.
#[derive(Debug, Default)]
pub(crate) struct Frozen(pub(crate) BTreeMap<u32, Option<Stop>>);

/// Stops all threads of `pid`, those included that it starts meanwhile, as far as they can be stopped at once.
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
            // All were gone when it came to them, or are ending, and yet it exists: a thread is just turning it into another program.
            Some(errno)
                if frozen.0.is_empty()
                    && (errno == Errno::NO_PROCESS || has_ended(pid))
                    && !is_over(pid)
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
    /// Traces the threads of `pid` that are not yet, and asks them to stop. Says whether there were any, and what refused another.
    fn seize_new(&mut self, pid: u32) -> Result<(bool, Option<Errno>), Errno> {
        let threads = threads_of(pid).map_err(|_| Errno::NO_PROCESS)?;
        let (mut any_new, mut refusal) = (false, None);
        for tid in threads {
            if self.0.contains_key(&tid) {
                continue;
            }
            match ptrace::seize(tid, Options::CALLS).and_then(|()| ptrace::interrupt(tid)) {
                Ok(()) => {
                    any_new = true;
                    self.0.insert(tid, None);
                }
                // One that has ended but is not forgotten cannot be traced; nor can any, if this process may not be.
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

/// What `pid` was and has mapped at `time_ns`, when it is met.
pub(crate) fn snapshot(pid: u32, time_ns: u64, names: &mut Names) -> Vec<Half> {
    let met = Half { time_ns, thread: Thread { pid, tid: pid }, what: Piece::Life(Life::Met) };
    let mut snapshot = mappings(pid, time_ns, names);
    snapshot.insert(0, met);
    snapshot
}

/// What `pid` has mapped, as events at `time_ns`.
pub(crate) fn mappings(pid: u32, time_ns: u64, names: &mut Names) -> Vec<Half> {
    let regions = regions_of(pid).unwrap_or_default();
    let half = |region: Region| {
        let mapping = Mapping {
            start: region.start as u64,
            end: region.end as u64,
            offset_bytes: region.offset_bytes,
            inode: region.inode,
            protection: region.protection(),
            shared: region.is_shared(),
            name: names.add(&region.name),
        };
        Half { time_ns, thread: Thread { pid, tid: pid }, what: Piece::Mapping(mapping) }
    };
    regions.into_iter().map(half).collect()
}
