//! Traces a program's stops: ptrace(2) with `PTRACE_SEIZE`, which disturbs it least.
//!
//! Safety story: requests take numbers, and pointers to locals that the kernel writes to only
//! during the call. A request for a thread that is gone or not stopped fails with ESRCH and does
//! nothing. All functions must be called on the thread that seized.
#![allow(unsafe_code)]

pub(crate) mod guarded;
mod registers;
mod stops;

use std::ptr;

use crate::Errno;
use crate::relay::Sent;

pub use guarded::{Guarded, is_strict};
pub use registers::{answer, exit_instead};
pub use stops::{ChildEvents, Nudge, next_stop, reap_all_ended, wait_for_stop};

/// The events at which a seized program stops, besides signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceOptions(i32);

impl TraceOptions {
    /// Stops at exec, at exit (its memory is still mapped), and at new threads, which are seized
    /// too. New processes are not. All are killed if the tracer dies.
    pub const LIFE: TraceOptions = TraceOptions(
        libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_TRACEEXIT
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_EXITKILL,
    );

    /// Stops at the syscalls that a filter selects ([`crate::seccomp`]) and at exec; new threads
    /// and processes are seized too. All are killed if the tracer dies: without a tracer, these
    /// syscalls would fail.
    pub const FILTERED_CALLS: TraceOptions =
        TraceOptions(TraceOptions::CALLS.0 | libc::PTRACE_O_TRACESECCOMP | libc::PTRACE_O_EXITKILL);

    /// Stops at exec; new threads and processes are seized too. A thread resumed by
    /// [`resume_to_call`] stops at its next syscall. If the tracer dies, all continue.
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
    /// It has executed another program.
    Exec,
    /// It is about to exit.
    Exit,
    /// It has created this thread or process.
    Created(u32),
    /// It is about to make a syscall that a filter selects.
    Filtered,
    /// A seccomp filter of the program leaves a syscall to a tracer of its own. It has none:
    /// without firsttouch the call would fail with ENOSYS.
    FilteredByProgram,
    /// It is about to make a syscall, or has made one.
    Call,
    /// A signal is about to be delivered: pass it to [`resume`] to deliver it.
    Signal(i32),
    /// A signal stopped the whole process (SIGSTOP, Ctrl-Z): call [`listen`], so that it stays
    /// stopped until SIGCONT.
    Group(i32),
    /// It was interrupted, is new, or was continued after a group stop.
    Interrupted,
    /// It has exited with this status.
    Exited(i32),
    /// It was killed by this signal.
    Killed(i32),
}

/// Starts to trace the thread `tid` without stopping it.
///
/// # Errors
/// EPERM: it belongs to another user, has another tracer, or ptrace is refused (Yama, seccomp).
/// ESRCH: it is gone.
pub fn seize(tid: u32, options: TraceOptions) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, tid, i64::from(options.0))
}

/// Stops a running thread; [`Stop::Interrupted`] follows, unless it stops for another reason first.
///
/// # Errors
/// ESRCH: it is gone.
pub fn interrupt(tid: u32) -> Result<(), Errno> {
    request(libc::PTRACE_INTERRUPT, tid, 0)
}

/// Resumes a stopped thread, and delivers `signal` if it is not 0.
///
/// # Errors
/// ESRCH: it is gone.
pub fn resume(tid: u32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_CONT, tid, i64::from(signal))
}

/// Resumes a stopped thread until the start or the end of a syscall, and delivers `signal` if it is
/// not 0.
///
/// # Errors
/// ESRCH: it is gone.
pub fn resume_to_call(tid: u32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SYSCALL, tid, i64::from(signal))
}

/// The syscall at which a thread is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCall {
    /// It is about to make this syscall.
    Begins {
        /// Its number.
        number: u64,
        /// Its argument registers.
        arguments: [u64; 6],
        /// Whether it is made in 32-bit mode, where the numbers differ.
        compat32: bool,
    },
    /// It has made a syscall.
    Ended {
        /// The return value; -4095 to -1 is an errno.
        result: i64,
    },
    /// It is not stopped at a syscall.
    Neither,
}

/// The syscall at which a thread is stopped.
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
            // SAFETY: `op` shows that the kernel filled this member.
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

/// Leaves a thread in its group stop; [`Stop::Interrupted`] follows when that ends.
///
/// # Errors
/// ESRCH: it is gone.
pub fn listen(tid: u32) -> Result<(), Errno> {
    request(libc::PTRACE_LISTEN, tid, 0)
}

/// Stops tracing a stopped thread, which continues.
///
/// # Errors
/// ESRCH: it is gone.
pub fn detach(tid: u32) -> Result<(), Errno> {
    detach_with(tid, 0)
}

/// As [`detach`], and delivers `signal` if it is not 0.
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

/// The number of exit(2), which ends one thread and not its process.
pub const EXIT_THREAD: u64 = libc::SYS_exit.cast_unsigned();

/// SIGKILL.
pub const KILL: i32 = libc::SIGKILL;

/// Sends a signal to `pid`, a child or tracee that has not been reaped.
pub fn signal(pid: u32, sent: Sent) {
    sent.send(pid.cast_signed());
}
