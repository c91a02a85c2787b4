//! The child between fork(2) and execve(2).
//!
//! Safety story: it only makes system calls, on descriptors and strings that were prepared before
//! fork(2), and leaves by `_exit`.
#![allow(unsafe_code)]

use std::os::fd::RawFd;

use super::{Addresses, Prepared, Setup, restore_signals};
use crate::Errno;
use crate::inherited::{closed_streams, is_ignored, was_ignored};
use crate::seccomp::Filter;

/// The descriptors that a child uses.
pub(super) struct Ends {
    pub(super) gate: RawFd,
    pub(super) gate_of_parent: RawFd,
    pub(super) report: RawFd,
    /// The files that replace standard input, standard output and standard error.
    pub(super) streams: [Option<RawFd>; 3],
}

/// The child: waits at the gate, applies the setup, and executes the program, or reports the errno
/// of the failure.
pub(super) fn in_child(
    program: &Prepared,
    ends: &Ends,
    setup: Setup,
    filter: Option<&Filter>,
    mask: &libc::sigset_t,
) -> ! {
    // SAFETY: while the child holds this copy of the parent's end, it would not see the parent's
    // death. The child does not use it again.
    unsafe { libc::close(ends.gate_of_parent) };
    let mut byte = 0_u8;
    // SAFETY: one byte is writable. All signals are blocked: only a stop can interrupt the read,
    // and the read is then restarted.
    let count = unsafe { libc::read(ends.gate, (&raw mut byte).cast(), 1) };
    if count != 1 {
        leave();
    }
    // Standard output first: it may become a copy of standard error, which is replaced last.
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        let Some(from) = replacement(ends, stream) else { continue };
        // SAFETY: both are descriptors of this process; the copy stays open across exec.
        if unsafe { libc::dup2(from, stream) } < 0 {
            fail(ends.report);
        }
    }
    for closed in closed_streams().filter(|&closed| replacement(ends, closed).is_none()) {
        // SAFETY: what is open there is the runtime's /dev/null, which this child does not use.
        unsafe { libc::close(closed) };
    }
    if prepare(setup).is_err() {
        fail(ends.report);
    }
    default_signals();
    if byte == FILTERED && filter.is_some_and(|filter| filter.install().is_err()) {
        fail(ends.report);
    }
    restore_signals(mask);
    let (arguments, environment) =
        (program.arguments.pointers.as_ptr(), program.environment.pointers.as_ptr());
    // SAFETY: all three are NUL- or null-terminated and live as long as this process.
    unsafe { libc::execve(program.path.as_ptr(), arguments, environment) };
    fail(ends.report)
}

/// The file that replaces `stream`, if any.
fn replacement(ends: &Ends, stream: RawFd) -> Option<RawFd> {
    ends.streams.get(usize::try_from(stream).ok()?).copied().flatten()
}

/// Applies `setup`, apart from the streams.
fn prepare(setup: Setup) -> std::io::Result<()> {
    match setup.addresses {
        Addresses::Inherited => {}
        Addresses::Fixed => crate::personality::set(false)?,
        Addresses::Random => crate::personality::set(true)?,
    }
    let checked = |result: i32| {
        if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    if setup.own_session {
        // SAFETY: takes nothing.
        checked(unsafe { libc::setsid() })?;
    }
    if setup.dies_with_parent {
        let kill = libc::c_ulong::from(libc::SIGKILL.cast_unsigned());
        // SAFETY: takes numbers.
        checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, kill) })?;
    }
    if setup.no_huge_pages {
        let (disable, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
        // SAFETY: takes numbers.
        checked(unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, disable, none, none, none) })?;
    }
    if setup.nice != 0 {
        // SAFETY: takes numbers.
        let now = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        // SAFETY: takes numbers.
        checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, now + setup.nice) })?;
    }
    Ok(())
}

/// The words that the parent writes to the gate.
pub(super) const PLAIN: u8 = 1;
pub(super) const FILTERED: u8 = 2;

/// Sends the errno of the call that has just failed to the parent.
fn fail(report: RawFd) -> ! {
    let errno = Errno::last().0; // allocates nothing
    // SAFETY: writes an integer from this stack; the parent reads it or has ended.
    unsafe { libc::write(report, (&raw const errno).cast(), size_of::<i32>()) };
    leave()
}

fn leave() -> ! {
    // SAFETY: _exit(2) takes any status and runs nothing of this process.
    unsafe { libc::_exit(125) }
}

/// Removes this process's handlers from the child, and restores the signals whose action the Rust
/// runtime and this program change to what they were when this program started. Other ignored
/// signals (nohup) stay ignored.
fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        let ours = [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGCHLD].contains(&signal);
        let ignored = if ours { was_ignored(signal) } else { is_ignored(signal) };
        // SAFETY: neither action installs a handler. For some signals it fails harmlessly (SIGKILL,
        // those of the C library).
        unsafe { libc::signal(signal, if ignored { libc::SIG_IGN } else { libc::SIG_DFL }) };
    }
}
