//! Child processes: starting them, waiting for them, and ending them with the parent.
//!
//! Safety story: wait4 is called only for a child that has not been reaped, with a writable rusage.
#![allow(unsafe_code)]

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Errno;
use crate::interrupt::Interrupt;
use crate::usage::Usage;
use crate::wait::timespec;

/// A path that starts this program again: `/proc/self/exe`, which works even while the file is
/// being replaced, or, without `/proc`, the path that execve(2) was given.
///
/// # Errors
/// `NotFound` if neither is available.
pub fn own_program() -> io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        return Ok(link);
    }
    // SAFETY: AT_EXECFN is a NUL-terminated string on this process's stack, or 0.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const std::ffi::c_char;
    if path.is_null() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "cannot find this program's own file: check that /proc is mounted",
        ));
    }
    // SAFETY: as above; the kernel wrote it and nothing changes it.
    let path = unsafe { std::ffi::CStr::from_ptr(path) };
    std::path::absolute(std::ffi::OsStr::from_bytes(path.to_bytes()))
}

/// Sets argument 0 of `command`, the name that process listings show.
pub fn set_name(command: &mut Command, name: &str) {
    command.arg0(name);
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitStatus {
    /// It exited with this status.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
}

impl WaitStatus {
    /// Decodes the status that wait(2) returns for a child that has ended.
    pub(crate) fn of(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            WaitStatus::Killed(libc::WTERMSIG(status))
        } else {
            WaitStatus::Exited(libc::WEXITSTATUS(status))
        }
    }
}

/// A child that has ended and has been reaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub ending: WaitStatus,
    /// The resources that this child alone used from its start to its end (wait4(2)).
    pub usage: Usage,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Starts `command`, reads its output, waits for its end and reaps it. If `interrupt` fires first,
/// the child is killed and reaped and `None` returned.
///
/// # Errors
/// The error of starting it or of reading its output; `TimedOut` if it did not end within
/// `patience` and was killed.
///
/// # Panics
/// Never: the pipes that it takes were requested just before.
pub fn run(
    command: &mut Command,
    interrupt: Interrupt,
    patience: Option<Duration>,
) -> io::Result<Option<Finished>> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let until = patience.map(|patience| Instant::now() + patience);
    let (mut output, mut errors) =
        (child.stdout.take().expect("piped above"), child.stderr.take().expect("piped above"));
    let mut stdout = Stream { pipe: Some(&mut output), read: Vec::new() };
    let mut stderr = Stream { pipe: Some(&mut errors), read: Vec::new() };
    let end = read_until_end(&mut stdout, &mut stderr, interrupt, until);
    if !matches!(end, Ok(End::Complete)) || interrupt.received().is_some() {
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        reap(&child)?;
        return match end? {
            End::TooLate => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "it did not end within {} s and was killed",
                    patience.unwrap_or_default().as_secs()
                ),
            )),
            _ => Ok(None),
        };
    }
    let (ending, usage) = reap(&child)?;
    Ok(Some(Finished { ending, usage, stdout: stdout.read, stderr: stderr.read }))
}

/// A pipe from a child, while it is open, and the bytes read from it.
struct Stream<'a, P> {
    pipe: Option<&'a mut P>,
    read: Vec<u8>,
}

impl<P: Read + AsFd> Stream<'_, P> {
    /// Reads the available bytes.
    fn take(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let mut buffer = [0; 4096];
        match pipe.read(&mut buffer)? {
            0 => self.pipe = None,
            n => self.read.extend_from_slice(&buffer[..n]),
        }
        Ok(())
    }
}

/// Polls `fd` for input. `instead` replaces a pipe that is closed, which must not be polled any
/// more.
fn watch<'a>(fd: Option<BorrowedFd<'a>>, instead: BorrowedFd<'a>) -> PollFd<'a> {
    let wanted = if fd.is_some() { PollFlags::IN } else { PollFlags::empty() };
    PollFd::from_borrowed_fd(fd.unwrap_or(instead), wanted)
}

/// Why reading ended.
enum End {
    Complete,
    Interrupted,
    TooLate,
}

/// Reads both pipes to the end, so that the child never blocks on a full one. Sleeps in poll(2)
/// with no timer except `patience`: a parent that woke up in between would disturb its child's
/// measurement.
fn read_until_end(
    stdout: &mut Stream<ChildStdout>,
    stderr: &mut Stream<ChildStderr>,
    interrupt: Interrupt,
    until: Option<Instant>,
) -> io::Result<End> {
    while stdout.pipe.is_some() || stderr.pipe.is_some() {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map(timespec);
        let waker = interrupt.as_fd();
        let mut ready = [
            watch(stdout.pipe.as_ref().map(AsFd::as_fd), waker),
            watch(stderr.pipe.as_ref().map(AsFd::as_fd), waker),
            watch(Some(waker), waker),
        ];
        match poll(&mut ready, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let [out, err] = [0, 1].map(|index: usize| !ready[index].revents().is_empty());
        if interrupt.received().is_some() {
            return Ok(End::Interrupted);
        }
        if out {
            stdout.take()?;
        }
        if err {
            stderr.take()?;
        }
        if !out && !err && left == Some(Duration::ZERO) {
            return Ok(End::TooLate);
        }
    }
    Ok(End::Complete)
}

/// wait4 instead of waitpid and `getrusage(RUSAGE_CHILDREN)`, which reports the maximum over all
/// children so far.
fn reap(child: &Child) -> io::Result<(WaitStatus, Usage)> {
    let pid = child.id().cast_signed();
    let mut status = 0;
    // SAFETY: all-zero is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are writable, and the child is ours and not yet reaped.
        if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok((WaitStatus::of(status), Usage::from(usage)))
}

/// getppid(2), the cheapest of all syscalls: its cost is that of entering and leaving the kernel.
/// No library caches its result, since the parent of a process may change.
#[inline]
pub fn cheapest_call() {
    std::hint::black_box(getppid());
}

/// madvise(2) of no memory, the cheapest of the memory syscalls: the kernel returns at once.
#[inline]
pub fn cheapest_memory_call() {
    // SAFETY: an empty range concerns no memory.
    unsafe { libc::madvise(std::ptr::null_mut(), 0, libc::MADV_NORMAL) };
}

/// Makes the kernel kill this process when the parent, whose pid is `expected`, dies. Ends it at
/// once if the parent is dead already.
pub fn die_with_parent(expected: u32) {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid().map(Pid::as_raw_pid) != Some(expected.cast_signed()) {
        std::process::exit(1);
    }
}

/// The id of the calling thread.
#[must_use]
pub fn this_thread() -> u32 {
    rustix::thread::gettid().as_raw_pid().cast_unsigned()
}

/// Whether this process may add `by` to its nice value (nice(2)): to lower it takes privilege or
/// `RLIMIT_NICE`. Tried by a thread of its own, since Linux has a nice value for each.
#[must_use]
pub fn may_add_to_nice(by: i32) -> bool {
    let tried = std::thread::spawn(move || rustix::process::nice(by).is_ok());
    tried.join().unwrap_or(false)
}

/// Whether this process has root's effective user id.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user as whom this process acts (`geteuid(2)`).
#[must_use]
pub fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether there is a process with this id, even if it has ended and was not waited for.
#[must_use]
pub fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // EPERM: it is another user's.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Whether a process has this thread.
#[must_use]
pub fn has_thread(pid: u32, tid: u32) -> bool {
    // SAFETY: the signal 0 is only checked, not sent (tgkill(2)).
    let checked = unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, 0) };
    checked == 0 || Errno::last() != Errno(libc::ESRCH)
}

/// Makes this process the first candidate of the out-of-memory killer (proc(5), `oom_score_adj`),
/// so that it kills a child and not the parent, which holds all results so far. A process may
/// always raise its own score; a failure is ignored.
pub fn prefer_to_be_killed() {
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// The processors that this process may run on, in ascending order.
#[must_use]
pub fn allowed_cpus() -> Vec<u32> {
    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU)
        .filter(|&cpu| set.is_set(cpu))
        .filter_map(|cpu| u32::try_from(cpu).ok())
        .collect()
}

/// Pins this thread, and threads that it starts later, to one processor.
///
/// # Errors
/// EINVAL if the processor does not exist or is not allowed (`sched_setaffinity(2)`).
pub fn pin_to(cpu: u32) -> Result<(), Errno> {
    allow_cpus(&[cpu])
}

/// Allows this thread, and threads that it starts later, to run only on `cpus`.
///
/// # Errors
/// EINVAL if one of them cannot exist, or none is allowed (`sched_setaffinity(2)`).
pub fn allow_cpus(cpus: &[u32]) -> Result<(), Errno> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu as usize >= CpuSet::MAX_CPU {
            return Err(Errno(libc::EINVAL));
        }
        set.set(cpu as usize);
    }
    sched_setaffinity(None, &set).map_err(|e| Errno(e.raw_os_error()))
}

/// Pins this thread, number `thread` among several, to one of its allowed processors, round robin,
/// so that each gets its own while there are enough. Otherwise the scheduler's placement would
/// decide how much the threads slow each other down. If the kernel refuses, the thread stays
/// unpinned.
pub fn spread(thread: usize) {
    let cpus = allowed_cpus();
    if let Some(&cpu) = cpus.get(thread % cpus.len().max(1)) {
        let _ = pin_to(cpu);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_and_output_are_returned() {
        let interrupt = Interrupt::install().unwrap();
        let run = |script: &str| {
            super::run(Command::new("sh").args(["-c", script]), interrupt, None).unwrap().unwrap()
        };
        let done = run("echo out; echo err >&2; exit 3");
        assert_eq!(
            (done.ending, &done.stdout[..], &done.stderr[..]),
            (WaitStatus::Exited(3), &b"out\n"[..], &b"err\n"[..])
        );
        assert_eq!(run("kill -9 $$").ending, WaitStatus::Killed(9));
        assert!(done.usage.minor_faults > 0);
    }

    #[test]
    fn children_with_much_output_or_none_do_not_block() {
        let interrupt = Interrupt::install().unwrap();
        let loud = "head -c 300000 /dev/zero >&2; echo out";
        let done =
            super::run(Command::new("sh").args(["-c", loud]), interrupt, None).unwrap().unwrap();
        assert_eq!(
            (&done.stdout[..], done.stderr.len()),
            (&b"out\n"[..], 300_000),
            "more than a pipe holds"
        );
        let patience = Some(Duration::from_millis(50));
        let hangs = super::run(Command::new("sleep").arg("600"), interrupt, patience).unwrap_err();
        assert_eq!(hangs.kind(), io::ErrorKind::TimedOut, "{hangs}");
    }

    #[test]
    fn a_child_may_be_pinned_where_this_process_may_run() {
        let allowed = allowed_cpus();
        for thread in 0..2 * allowed.len() {
            let own = std::thread::spawn(move || {
                spread(thread);
                allowed_cpus()
            });
            assert_eq!(own.join().unwrap(), [allowed[thread % allowed.len()]]);
        }
        assert!(!allowed.is_empty());
        assert!(pin_to(1 << 20).is_err());
    }
}
