//! Waits for the stops and ends of children and traced threads: waitpid(2), SIGCHLD.
//!
//! Safety story: calls take numbers, and pointers to locals that the kernel writes to only during
//! the call.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use super::Stop;
use crate::Errno;

/// The next pending stop or end of any child or traced thread of the calling thread; `None` if
/// there is none now.
///
/// # Errors
/// ECHILD: no child or traced thread is left.
pub fn next_stop() -> Result<Option<(u32, Stop)>, Errno> {
    loop {
        match wait(libc::WNOHANG) {
            Err(Errno(libc::EINTR)) => {}
            stop => return stop,
        }
    }
}

/// Waits for the next stop or end of any child or traced thread of the calling thread. `None`: a
/// signal interrupted the wait ([`Nudge`]).
///
/// # Errors
/// ECHILD: no child or traced thread is left.
pub fn wait_for_stop() -> Result<Option<(u32, Stop)>, Errno> {
    match wait(0) {
        Err(Errno(libc::EINTR)) => Ok(None),
        stop => stop,
    }
}

/// Reaps all children and traced threads of this process that have ended. Their status is lost: a
/// later wait for one of them fails with ECHILD.
pub fn reap_all_ended() {
    loop {
        // SAFETY: all-zero is a valid value of this plain struct.
        let mut ended: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let how = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        // SAFETY: the kernel writes one siginfo.
        let failed = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut ended, how) } != 0;
        // SAFETY: the kernel fills this member for a child; it is 0 if nothing was written.
        if failed || unsafe { ended.si_pid() } == 0 {
            return;
        }
    }
}

fn wait(how: i32) -> Result<Option<(u32, Stop)>, Errno> {
    let mut status = 0;
    // __WALL: threads too. __WNOTHREAD: not the children and tracees of our other threads.
    // SAFETY: the status is writable.
    match unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD | how) } {
        0 => Ok(None),
        tid @ 1.. => Ok(Some((tid.cast_unsigned(), decode(status, || event_message(tid))))),
        _ => Err(Errno::last()),
    }
}

/// Decodes a `status` of waitpid(2); `message` gets the message of an event: of a creation the new
/// thread or process, of a filter its data.
fn decode(status: i32, message: impl FnOnce() -> u32) -> Stop {
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
            Stop::Created(message())
        }
        libc::PTRACE_EVENT_SECCOMP if message() == crate::seccomp::STOP_DATA => Stop::Filtered,
        libc::PTRACE_EVENT_SECCOMP => Stop::FilteredByProgram,
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

/// The event message of a stop; 0 if the thread is gone.
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

/// Interrupts [`wait_for_stop`] in another thread, by a signal that has no other effect.
#[derive(Debug, Clone, Copy)]
pub struct Nudge(libc::pthread_t);

// SAFETY: a thread's handle may be used by any thread until the thread is joined, which `send`
// requires.
unsafe impl Send for Nudge {}

impl Nudge {
    /// A nudge for the calling thread.
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

    /// Sends the signal. It is lost if it arrives just before the thread starts to wait: repeat it
    /// until the thread has responded. The thread must not have been joined.
    pub fn send(self) {
        // SAFETY: the caller has not joined the thread, so its handle is valid.
        unsafe { libc::pthread_kill(self.0, libc::SIGURG) };
    }
}

/// A descriptor that is readable when a child, or a traced thread, has stopped or ended (SIGCHLD
/// through signalfd(2)). The signal is blocked on the calling thread while this exists.
#[derive(Debug)]
pub struct ChildEvents {
    descriptor: OwnedFd,
    before: libc::sigset_t,
}

impl ChildEvents {
    /// Blocks SIGCHLD and opens the descriptor. Start children before, so that they do not inherit
    /// the blocked signal; [`next_stop`] finds their earlier stops and ends.
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
        Ok(ChildEvents { descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) }, before })
    }

    /// Clears the descriptor, so that it becomes readable again. Call it before [`next_stop`].
    pub fn clear(&self) {
        let mut rings = [0_u8; 8 * size_of::<libc::signalfd_siginfo>()];
        while rustix::io::read(&self.descriptor, &mut rings).is_ok_and(|count| count == rings.len())
        {
        }
    }
}

impl AsFd for ChildEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for ChildEvents {
    fn drop(&mut self) {
        // SAFETY: the set is the previous mask.
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
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_CLONE), Stop::Created(99)),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_VFORK), Stop::Created(99)),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_SECCOMP), Stop::FilteredByProgram),
            (stopped(libc::SIGTRAP | 0x80, 0), Stop::Call),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_STOP), Stop::Interrupted),
            (stopped(libc::SIGTSTP, libc::PTRACE_EVENT_STOP), Stop::Group(libc::SIGTSTP)),
            (stopped(libc::SIGTSTP, 0), Stop::Signal(libc::SIGTSTP)),
            (stopped(libc::SIGTRAP, 0), Stop::Signal(libc::SIGTRAP)),
        ] {
            assert_eq!(decode(status, || 99), expect, "{status:#x}");
        }
        let filtered = stopped(libc::SIGTRAP, libc::PTRACE_EVENT_SECCOMP);
        assert_eq!(decode(filtered, || crate::seccomp::STOP_DATA), Stop::Filtered);
    }
}
