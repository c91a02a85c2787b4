//! A child that has executed a program: waiting for its end, and ending it.
//!
//! Safety story: calls take the pid of a child that has not been reaped, which `reaped` records,
//! and a writable status.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::PidfdFlags;

use crate::Errno;
use crate::interrupt::Interrupt;
use crate::proc::task::{FaultCounts, faults_of};
use crate::process::WaitStatus;
use crate::relay::Sent;
use crate::usage::Usage;
use crate::wait::timespec;

/// The first and the longest interval at which [`Started::ended_within`] polls. Who asks has often
/// just seen a sign of the end.
const LOOK_FIRST: Duration = Duration::from_micros(200);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running program. Killed and reaped when dropped, unless [`Started::reaped`] has been called.
#[derive(Debug)]
pub struct Started {
    pub(super) pid: i32,
    reaped: bool,
    ending: Option<WaitStatus>,
    faults: Option<FaultCounts>,
    usage: Option<Usage>,
}

/// Why [`first_to_end`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The program with this index has ended. It has not been reaped.
    Ended(usize),
    /// The user asked for an end.
    Interrupted,
    /// The time is up.
    TooLate,
}

/// Sleeps until one of `programs` ends, the user asks for an end, or `until`, if given, has come.
///
/// # Errors
/// The errno of `pidfd_open(2)`: ENOSYS before Linux 5.3, EMFILE.
pub fn first_to_end(
    programs: &[&Started],
    interrupt: Interrupt,
    until: Option<Instant>,
) -> Result<Woken, Errno> {
    let open = |program: &&Started| {
        let pid = rustix::process::Pid::from_raw(program.pid).ok_or(Errno(libc::ESRCH))?;
        rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(|e| Errno(e.raw_os_error()))
    };
    let ends = programs.iter().map(open).collect::<Result<Vec<OwnedFd>, Errno>>()?;
    loop {
        if interrupt.received().is_some() {
            return Ok(Woken::Interrupted);
        }
        let waker = interrupt.as_fd();
        let mut ready: Vec<PollFd<'_>> =
            ends.iter().map(|end| PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN)).collect();
        ready.push(PollFd::from_borrowed_fd(waker, PollFlags::IN));
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let _ = poll(&mut ready, left.map(timespec).as_ref()); // EINTR: look again
        if let Some(ended) = ready[..ends.len()].iter().position(|end| !end.revents().is_empty()) {
            return Ok(Woken::Ended(ended));
        }
        if left == Some(Duration::ZERO) {
            return Ok(Woken::TooLate);
        }
    }
}

impl Started {
    pub(super) fn new(pid: i32) -> Self {
        Started { pid, reaped: false, ending: None, faults: None, usage: None }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// ECHILD: it was reaped elsewhere.
    pub fn wait(&mut self) -> Result<WaitStatus, Errno> {
        loop {
            match self.ask(0) {
                Ok(Some(ending)) => return Ok(ending),
                Ok(None) | Err(Errno(libc::EINTR)) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Waits up to `time` for its end; `None` if it has not ended by then.
    ///
    /// # Errors
    /// ECHILD: it was reaped elsewhere.
    pub fn ended_within(&mut self, time: Duration) -> Result<Option<WaitStatus>, Errno> {
        let until = Instant::now() + time;
        let mut pause = LOOK_FIRST;
        loop {
            let ended = match self.ask(libc::WNOHANG) {
                Err(Errno(libc::EINTR)) => None,
                ended => ended?,
            };
            let left = until.saturating_duration_since(Instant::now());
            if ended.is_some() || left.is_zero() {
                return Ok(ended);
            }
            std::thread::sleep(left.min(pause));
            pause = LOOK_EVERY.min(2 * pause);
        }
    }

    /// Its page faults, once its end has been waited for.
    #[must_use]
    pub fn faults(&self) -> Option<FaultCounts> {
        self.faults
    }

    /// What it and its descendants that were waited for have used, once its end has been waited
    /// for.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Calls wait4(2) unless the end is known already, and remembers the end.
    fn ask(&mut self, how: i32) -> Result<Option<WaitStatus>, Errno> {
        if self.ending.is_some() {
            return Ok(self.ending);
        }
        // The counts of a process are gone once it is reaped; those that wait4(2) gives are sums
        // with its children's.
        if self.has_ended(how)? {
            self.faults = faults_of(self.pid());
        } else {
            return Ok(None);
        }
        let mut status = 0;
        // SAFETY: all-zero is a valid rusage.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are writable, and the child has not been reaped.
        match unsafe { libc::wait4(self.pid, &raw mut status, how, &raw mut usage) } {
            0 => Ok(None),
            got if got == self.pid => {
                self.reaped = true;
                self.usage = Some(Usage::from(usage));
                self.ending = Some(WaitStatus::of(status));
                Ok(self.ending)
            }
            _ => Err(Errno::last()),
        }
    }

    /// Whether it has ended, without reaping it; waits for that unless `how` is WNOHANG.
    fn has_ended(&self, how: i32) -> Result<bool, Errno> {
        // SAFETY: all-zero is a valid siginfo_t.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let (pid, how) = (self.pid.cast_unsigned(), libc::WEXITED | libc::WNOWAIT | how);
        // SAFETY: the information is writable.
        if unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, how) } < 0 {
            return Err(Errno::last());
        }
        // SAFETY: waitid(2) has filled in the fields of SIGCHLD, or left all of it zero.
        Ok(unsafe { info.si_pid() } == self.pid)
    }

    /// Sends it a signal, unless it has been reaped.
    pub fn signal(&self, sent: Sent) {
        if !self.reaped {
            sent.send(self.pid);
        }
    }

    /// Kills the process group that it leads (`Setup::own_session`).
    pub fn kill_group(&self) {
        self.signal_group(libc::SIGKILL);
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Sent::new(libc::SIGTERM));
    }

    /// Asks all processes of the group that it leads to end (SIGTERM). It may have ended itself.
    pub fn terminate_group(&self) {
        self.signal_group(libc::SIGTERM);
    }

    fn signal_group(&self, signal: i32) {
        if !self.reaped {
            // SAFETY: takes numbers; while it is not reaped, the group's number is its own.
            unsafe { libc::kill(-self.pid, signal) };
        }
    }

    /// Records that it has ended and was reaped elsewhere: its pid may belong to another process by
    /// now.
    pub fn reaped(&mut self) {
        self.reaped = true;
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        // SAFETY: the child has not been reaped, so the pid is its own.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        loop {
            let mut status = 0;
            // SAFETY: the status is writable. A traced child may report stops before its end.
            let got = unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) };
            let stopped = got == self.pid && libc::WIFSTOPPED(status);
            if stopped {
                // SAFETY: resumes a tracee, so that it ends; fails harmlessly if it is not traced.
                unsafe { libc::ptrace(libc::PTRACE_CONT, self.pid, 0, 0) };
            } else if got >= 0 || Errno::last().0 != libc::EINTR {
                return;
            }
        }
    }
}
