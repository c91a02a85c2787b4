//! A process that runs is met: all its threads are stopped for a moment, so that what is seen from then on fits to what was there.

use std::collections::BTreeMap;

use events::{Life, Mapping, Names, Thread};
use sys::Errno;
use sys::proc::task::threads_of;
use sys::proc::{Region, parse_maps};
use sys::ptrace::{self, Options, Stop};

use crate::half::{Half, Piece};

/// A process whose threads are all stopped, and why each is. They go on when the calling thread ends.
#[derive(Debug)]
pub(crate) struct Frozen(pub(crate) BTreeMap<u32, Stop>);

/// Stops all threads of `pid`, those included that it starts meanwhile.
///
/// # Errors
/// ESRCH: there is no such process. EPERM: it may not be traced, or is already.
pub(crate) fn freeze(pid: u32) -> Result<Frozen, Errno> {
    let mut seized: BTreeMap<u32, Option<Stop>> = BTreeMap::new();
    let mut passed_over = Vec::new();
    let mut error = Errno(libc::ESRCH);
    loop {
        let threads = threads_of(pid).map_err(|_| Errno(libc::ESRCH))?;
        let new: Vec<u32> =
            threads.into_iter().filter(|tid| !seized.contains_key(tid) && !passed_over.contains(tid)).collect();
        for &tid in &new {
            match ptrace::seize(tid, Options::CALLS).and_then(|()| ptrace::interrupt(tid)) {
                Ok(()) => {
                    seized.insert(tid, None);
                }
                // One that has ended but is not forgotten cannot be traced; nor can any, if this process may not be.
                Err(errno) => {
                    error = errno;
                    passed_over.push(tid);
                }
            }
        }
        wait_for_all(&mut seized);
        if new.is_empty() {
            break;
        }
    }
    let stopped: BTreeMap<u32, Stop> = seized.into_iter().filter_map(|(tid, stop)| Some((tid, stop?))).collect();
    if stopped.is_empty() { Err(error) } else { Ok(Frozen(stopped)) }
}

/// Until each has told why it stopped, or that it is gone.
fn wait_for_all(seized: &mut BTreeMap<u32, Option<Stop>>) {
    while seized.values().any(Option::is_none) {
        match ptrace::wait_for_stop() {
            Ok(Some((tid, Stop::Exited(_) | Stop::Killed(_)))) => {
                seized.remove(&tid);
            }
            Ok(Some((tid, stop))) => {
                seized.insert(tid, Some(stop));
            }
            Ok(None) => {}
            Err(_) => return,
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
    let text = std::fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let regions = parse_maps(&String::from_utf8_lossy(&text)).unwrap_or_default();
    let half = |region: Region| {
        let allows = |letter, bit| if region.permissions.contains(letter) { bit } else { 0 };
        let mapping = Mapping {
            start: region.start as u64,
            end: region.end as u64,
            offset_bytes: region.offset_bytes,
            inode: region.inode,
            protection: allows('r', 1) | allows('w', 2) | allows('x', 4),
            shared: region.permissions.ends_with('s'),
            name: names.add(&region.name),
        };
        Half { time_ns, thread: Thread { pid, tid: pid }, what: Piece::Mapping(mapping) }
    };
    regions.into_iter().map(half).collect()
}
