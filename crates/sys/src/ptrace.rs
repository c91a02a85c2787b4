//! Watching a program's stops: ptrace(2), in the manner of `PTRACE_SEIZE`, which disturbs it least.
//!
//! Safety story: requests take numbers, and pointers to locals that the kernel writes to only
//! during the call. A request for a thread that is not stopped, or gone, fails with ESRCH and does
//! nothing. All of it must be called on the one thread that seized.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use crate::Errno;

/// In which events a seized program stops, besides signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceOptions(i32);

impl TraceOptions {
    /// At exec, at exit (its memory is still there), and at new threads, which are seized too. New
    /// processes are not. All are killed if the tracer dies.
    pub const LIFE: TraceOptions = TraceOptions(
        libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_TRACEEXIT
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_EXITKILL,
    );

    /// At the syscalls that a filter picks out ([`crate::seccomp`]) and at exec; new threads and
    /// processes are seized too. All are killed if the tracer dies: without it, the filter would
    /// make these syscalls fail.
    pub const FILTERED_CALLS: TraceOptions =
        TraceOptions(TraceOptions::CALLS.0 | libc::PTRACE_O_TRACESECCOMP | libc::PTRACE_O_EXITKILL);

    /// At exec; new threads and processes are seized too. What is resumed by [`resume_to_call`]
    /// stops at every syscall. If the tracer dies, all go on.
    pub const CALLS: TraceOptions = TraceOptions(
        libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACESYSGOOD,
    );
}

/// Why a thread stopped, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It has become another program.
    Exec,
    /// It is about to exit.
    Exit,
    /// It has started this thread or process.
    Born(u32),
    /// A filter picked out the syscall that it is about to make.
    Picked,
    /// It is about to make a syscall, or has made one.
    Call,
    /// A signal is about to be delivered: [`resume`] with it, so that it is.
    Signal(i32),
    /// The whole process was stopped by a signal (SIGSTOP, Ctrl-Z): [`listen`], so that it stays so
    /// until SIGCONT.
    Group(i32),
    /// It was interrupted, or is new, or was continued after a group stop.
    Interrupted,
    /// It is gone: its status.
    Exited(i32),
    /// It is gone: by this signal.
    Killed(i32),
}

/// Begins to trace the thread `tid`, without stopping it.
///
/// # Errors
/// EPERM: it is another's, traced by another, or ptrace is refused (Yama, seccomp). ESRCH: it is
/// gone.
pub fn seize(tid: u32, options: TraceOptions) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, tid, i64::from(options.0))
}

/// Stops a thread that runs; [`Stop::Interrupted`] follows, unless something else stops it first.
///
/// # Errors
/// ESRCH: it is gone.
pub fn interrupt(tid: u32) -> Result<(), Errno> {
    request(libc::PTRACE_INTERRUPT, tid, 0)
}

/// Lets a stopped thread go on, with `signal` delivered if it is not 0.
///
/// # Errors
/// ESRCH: it is gone.
pub fn resume(tid: u32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_CONT, tid, i64::from(signal))
}

/// Lets a stopped thread go on to the beginning or the end of a syscall, with `signal` delivered if
/// it is not 0.
///
/// # Errors
/// ESRCH: it is gone.
pub fn resume_to_call(tid: u32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SYSCALL, tid, i64::from(signal))
}

/// The syscall at which a thread is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCall {
    /// It is about to make this one.
    Begins {
        /// Its number.
        number: u64,
        /// Its registers.
        arguments: [u64; 6],
        /// In 32-bit mode, where numbers mean other calls.
        compat32: bool,
    },
    /// It has made one, which returns this.
    Ended {
        /// The value; from -4095 to -1 it is an errno.
        result: i64,
    },
    /// It is at none.
    Neither,
}

/// Asks at which syscall a thread is stopped.
///
/// # Errors
/// ESRCH: it is gone. EIO: a kernel before 5.3.
pub fn at_call(tid: u32) -> Result<AtCall, Errno> {
    // SAFETY: all-zero is a valid value of this plain struct.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::ptrace_syscall_info>();
    // SAFETY: the kernel writes at most `size` bytes to `info`.
    let got = unsafe {
        libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, tid.cast_signed(), size, &raw mut info)
    };
    if got < 0 {
        return Err(Errno::last());
    }
    let compat32 = info.arch != crate::seccomp::NATIVE;
    Ok(match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: `op` says that the kernel filled this member.
            let entry = unsafe { info.u.entry };
            AtCall::Begins { number: entry.nr, arguments: entry.args, compat32 }
        }
        libc::PTRACE_SYSCALL_INFO_SECCOMP => {
            // SAFETY: as above.
            let seccomp = unsafe { info.u.seccomp };
            AtCall::Begins { number: seccomp.nr, arguments: seccomp.args, compat32 }
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: as above.
            let exit = unsafe { info.u.exit };
            AtCall::Ended { result: exit.sval }
        }
        _ => AtCall::Neither,
    })
}

/// Leaves a thread in its group stop, and is told when that ends.
///
/// # Errors
/// ESRCH: it is gone.
pub fn listen(tid: u32) -> Result<(), Errno> {
    request(libc::PTRACE_LISTEN, tid, 0)
}

/// Traces a stopped thread no more.
///
/// # Errors
/// ESRCH: it is gone.
pub fn detach(tid: u32) -> Result<(), Errno> {
    detach_with(tid, 0)
}

/// The same, with `signal` delivered if it is not 0.
///
/// # Errors
/// As [`detach`].
pub fn detach_with(tid: u32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_DETACH, tid, i64::from(signal))
}

fn request(what: libc::c_uint, tid: u32, data: i64) -> Result<(), Errno> {
    // SAFETY: these requests take no address, and a number as data.
    let done =
        unsafe { libc::ptrace(what, tid.cast_signed(), ptr::null_mut::<libc::c_void>(), data) };
    if done < 0 { Err(Errno::last()) } else { Ok(()) }
}

/// The number of the syscall by which one thread ends (exit(2)), and not its process.
pub const EXIT_OF_ONE: u64 = libc::SYS_exit.cast_unsigned();

/// SIGKILL.
pub const KILL: i32 = libc::SIGKILL;

/// Sends `signal` to the child `pid`, which has not been reaped.
pub fn signal(pid: u32, signal: i32) {
    // SAFETY: kill(2) takes numbers. A child that has not been reaped keeps its own.
    unsafe { libc::kill(pid.cast_signed(), signal) };
}

/// The next stop or end of any child or traced thread of the calling thread, if there is one now.
///
/// # Errors
/// ECHILD: there is none left.
pub fn next_stop() -> Result<Option<(u32, Stop)>, Errno> {
    loop {
        match wait(libc::WNOHANG) {
            Err(Errno(libc::EINTR)) => {}
            stop => return stop,
        }
    }
}

/// Waits for the next stop or end of any child or traced thread of the calling thread. `None`: a
/// signal came instead ([`Nudge`]).
///
/// # Errors
/// ECHILD: there is none left.
pub fn wait_for_stop() -> Result<Option<(u32, Stop)>, Errno> {
    match wait(0) {
        Err(Errno(libc::EINTR)) => Ok(None),
        stop => stop,
    }
}

/// Waits for all children and traced threads of this process that have ended, so that they are
/// gone. How they ended is not told; who waits for one of them is told that there is none.
pub fn reap_the_dead() {
    loop {
        // SAFETY: all-zero is a valid value of this plain struct.
        let mut ended: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let how = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        // SAFETY: the kernel writes one siginfo.
        let failed = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut ended, how) } != 0;
        // SAFETY: of a child; 0 where nothing was written.
        if failed || unsafe { ended.si_pid() } == 0 {
            return;
        }
    }
}

fn wait(how: i32) -> Result<Option<(u32, Stop)>, Errno> {
    let mut status = 0;
    // __WALL: threads too. __WNOTHREAD: what another thread of ours has started or traces is that
    // one's. SAFETY: the status is writable.
    match unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD | how) } {
        0 => Ok(None),
        tid @ 1.. => Ok(Some((tid.cast_unsigned(), decode(status, || event_message(tid))))),
        _ => Err(Errno::last()),
    }
}

/// What `status` of waitpid(2) says; `born` asks for the thread that an event of birth is about.
fn decode(status: i32, born: impl FnOnce() -> u32) -> Stop {
    if libc::WIFEXITED(status) {
        return Stop::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Stop::Killed(libc::WTERMSIG(status));
    }
    let signal = libc::WSTOPSIG(status);
    match status >> 16 {
        libc::PTRACE_EVENT_EXEC => Stop::Exec,
        libc::PTRACE_EVENT_EXIT => Stop::Exit,
        libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
            Stop::Born(born())
        }
        libc::PTRACE_EVENT_SECCOMP => Stop::Picked,
        // "Group-stop" in ptrace(2): the event of a stop, with a signal that stops.
        libc::PTRACE_EVENT_STOP
            if [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal) =>
        {
            Stop::Group(signal)
        }
        // PTRACE_O_TRACESYSGOOD
        0 if signal == libc::SIGTRAP | 0x80 => Stop::Call,
        0 => Stop::Signal(signal),
        _ => Stop::Interrupted,
    }
}

/// What a stop is about; 0 if the thread is gone.
fn event_message(tid: i32) -> u32 {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the kernel writes one long to `message`.
    let done = unsafe {
        libc::ptrace(
            libc::PTRACE_GETEVENTMSG,
            tid,
            ptr::null_mut::<libc::c_void>(),
            &raw mut message,
        )
    };
    if done < 0 { 0 } else { u32::try_from(message).unwrap_or(0) }
}

/// Gets a thread out of [`wait_for_stop`], by a signal that does nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Nudge(libc::pthread_t);

// SAFETY: a thread's handle may be used by any thread, as long as the thread has not been joined,
// which `send` demands.
unsafe impl Send for Nudge {}

impl Nudge {
    /// For the calling thread.
    #[must_use]
    pub fn this_thread() -> Self {
        extern "C" fn nothing(_: i32) {}
        // SAFETY: all-zero is a valid sigaction (no flags, so that waiting calls are not
        // restarted).
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nothing as extern "C" fn(i32) as libc::sighandler_t;
        // SAFETY: the handler is of the right type and does nothing.
        unsafe { libc::sigaction(libc::SIGURG, &raw const action, ptr::null_mut()) };
        // SAFETY: always successful.
        Nudge(unsafe { libc::pthread_self() })
    }

    /// Sends it. One that comes just before the thread begins to wait is lost: to be repeated until
    /// the thread has answered. The thread must not have been joined.
    pub fn send(self) {
        // SAFETY: the caller has not joined the thread, so its handle is valid.
        unsafe { libc::pthread_kill(self.0, libc::SIGURG) };
    }
}

/// A descriptor that is readable when a child, or a traced thread, has stopped or ended (SIGCHLD
/// through signalfd(2)). The signal is blocked on the calling thread while it lives.
#[derive(Debug)]
pub struct Bell {
    descriptor: OwnedFd,
    before: libc::sigset_t,
}

impl Bell {
    /// Hangs it up. Children that it is to ring for inherit no blocked signal if they were started
    /// before; stops and ends that came before are found by [`next_stop`].
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: all-zero is a valid set.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        let mut before = set;
        // SAFETY: the set is writable.
        unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
        // SAFETY: the set is valid; flags as the manual has them.
        let descriptor =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(Errno::last());
        }
        // SAFETY: both sets live on this stack.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
        // SAFETY: the descriptor is new and ours.
        Ok(Bell { descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) }, before })
    }

    /// Takes what has rung, so that the next ring is heard. To be called before [`next_stop`].
    pub fn silence(&self) {
        let mut rings = [0_u8; 8 * size_of::<libc::signalfd_siginfo>()];
        while rustix::io::read(&self.descriptor, &mut rings).is_ok_and(|count| count == rings.len())
        {
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: the set is the one that was there before.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_decoded() {
        let stopped = |signal: i32, event: i32| (event << 16) | (signal << 8) | 0x7f;
        for (status, expect) in [
            (7 << 8, Stop::Exited(7)),
            (libc::SIGKILL, Stop::Killed(libc::SIGKILL)),
            (libc::SIGSEGV | 0x80, Stop::Killed(libc::SIGSEGV)),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_EXEC), Stop::Exec),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_EXIT), Stop::Exit),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_CLONE), Stop::Born(99)),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_VFORK), Stop::Born(99)),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_SECCOMP), Stop::Picked),
            (stopped(libc::SIGTRAP | 0x80, 0), Stop::Call),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_STOP), Stop::Interrupted),
            (stopped(libc::SIGTSTP, libc::PTRACE_EVENT_STOP), Stop::Group(libc::SIGTSTP)),
            (stopped(libc::SIGTSTP, 0), Stop::Signal(libc::SIGTSTP)),
            (stopped(libc::SIGTRAP, 0), Stop::Signal(libc::SIGTRAP)),
        ] {
            assert_eq!(decode(status, || 99), expect, "{status:#x}");
        }
    }
}
