//! A copy of this process: fork(2).
//!
//! Safety story: the copy runs a closure and ends by _exit(2), so that nothing of the original's is run or dropped twice.
//! Only the calling thread lives in the copy: locks that other threads held stay locked there (glibc's own allocator sees
//! to its locks), so a copy of a process with threads may wait for ever, but breaks no memory.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Errno;

/// A copy that runs beside this process.
#[derive(Debug)]
#[must_use]
pub struct Copy {
    pid: libc::pid_t,
}

impl Copy {
    /// Forks. The copy runs `work` and ends with its result as exit status; 255 if it panics.
    ///
    /// # Errors
    /// EAGAIN: too many processes; ENOMEM.
    pub fn start(work: impl FnOnce() -> u8) -> Result<Self, Errno> {
        // SAFETY: see the safety story.
        match unsafe { libc::fork() } {
            -1 => Err(Errno::last()),
            0 => {
                let status = catch_unwind(AssertUnwindSafe(work)).unwrap_or(255);
                // SAFETY: ends the copy without running anything of the original's.
                unsafe { libc::_exit(i32::from(status)) }
            }
            pid => Ok(Copy { pid }),
        }
    }

    /// Waits for its end; its exit status, or `None` if a signal ended it.
    #[must_use]
    pub fn wait(self) -> Option<u8> {
        let mut status = 0;
        loop {
            // SAFETY: the status is writable; the child is ours and not yet reaped.
            if unsafe { libc::waitpid(self.pid, &raw mut status, 0) } == self.pid {
                break;
            }
            if Errno::last() != Errno(libc::EINTR) {
                return None;
            }
        }
        libc::WIFEXITED(status).then(|| u8::try_from(libc::WEXITSTATUS(status)).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_says_what_it_has_to_say() {
        assert_eq!(Copy::start(|| 42).unwrap().wait(), Some(42));
    }
}
