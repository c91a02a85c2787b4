//! Processes that a program leaves behind: they become children of this process instead of init's.
//!
//! Safety story: waitpid(2) is called for children of this process only, with a writable status.
#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use crate::Errno;
use crate::proc::task::{children_of, program_name};

/// How often [`Orphans::end`] checks whether they have ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// While this exists, descendants whose parents end become children of this process
/// (`PR_SET_CHILD_SUBREAPER`, prctl(2)), also if they have left their process group or session.
#[derive(Debug)]
pub struct Orphans(());

/// A process that a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its process id.
    pub pid: u32,
    /// The name of its program.
    pub name: String,
}

impl Orphans {
    /// Adopts orphans from now on.
    ///
    /// # Errors
    /// EINVAL before Linux 3.4.
    pub fn adopt() -> Result<Self, Errno> {
        subreaper(true).map(|()| Orphans(()))
    }

    /// The children of this process that still run, apart from `own`. Those that have ended are
    /// reaped.
    #[must_use]
    pub fn present(&self, own: &[u32]) -> Vec<Orphan> {
        let is_orphan = |pid: &u32| !own.contains(pid) && !reap(*pid);
        let named = |pid: u32| Orphan {
            pid,
            name: String::from_utf8_lossy(&program_name(pid).unwrap_or_default()).into_owned(),
        };
        children_of(std::process::id()).into_iter().filter(is_orphan).map(named).collect()
    }

    /// Gives all children of this process apart from `own` the time `grace` to end, and then kills
    /// them and all that they leave behind in turn. Returns those that were killed.
    #[must_use]
    pub fn end(&self, own: &[u32], grace: Duration) -> Vec<Orphan> {
        let until = Instant::now() + grace;
        let mut left = self.present(own);
        while !left.is_empty() && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
            left = self.present(own);
        }
        let killed = left.clone();
        while !left.is_empty() {
            for orphan in &left {
                // SAFETY: it is a child that has not been reaped, so the pid is its own.
                unsafe { libc::kill(orphan.pid.cast_signed(), libc::SIGKILL) };
            }
            std::thread::sleep(LOOK_EVERY);
            left = self.present(own);
        }
        killed
    }
}

impl Drop for Orphans {
    fn drop(&mut self) {
        let _ = subreaper(false);
    }
}

fn subreaper(on: bool) -> Result<(), Errno> {
    // SAFETY: takes numbers.
    match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, libc::c_ulong::from(on), 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(Errno::last()),
    }
}

/// Reaps the child `pid` if it has ended; whether it is gone.
fn reap(pid: u32) -> bool {
    let mut status = 0;
    // SAFETY: the status is writable.
    unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, libc::WNOHANG) != 0 }
}
