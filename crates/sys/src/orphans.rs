//! Processes that a program leaves behind: they become children of this process instead of init's.
//!
//! Safety story: waitpid(2) is called for children of this process only, with a writable status.
#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use crate::Errno;
use crate::proc::task::{children_of, program_name};

/// How long [`Orphans::end`] waits for processes that it cannot see.
const UNSEEN_PATIENCE: Duration = Duration::from_secs(2);
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
        children_of(std::process::id()).into_iter().filter(is_orphan).map(named).collect()
    }

    /// Waits until this process has no child any more: gives them the time `grace` to end, and then
    /// kills them and all that they leave behind in turn. Those that `is_other` names are killed at
    /// once. Returns all the rest that there were.
    ///
    /// What a process that has just ended leaves behind is a child of this process once the ended
    /// one is reaped: only the kernel's word that there is no child left (ECHILD) ends the wait.
    /// Without `/proc` nothing can be killed, and the wait ends some time after `grace`.
    #[must_use]
    pub fn end(&self, grace: Duration, is_other: impl Fn(u32) -> bool) -> Vec<Orphan> {
        let (begin, mut seen): (Instant, Vec<Orphan>) = (Instant::now(), Vec::new());
        // What a process was cannot be read once it has ended.
        let mut others: Vec<u32> = Vec::new();
        loop {
            match next_ended() {
                Ok(Some(ended)) => {
                    if !others.contains(&ended) && !is_other(ended) {
                        note(&mut seen, ended);
                    }
                    reap(ended);
                    continue;
                }
                Ok(None) => {}
                Err(_) => return seen,
            }
            let left = self.present(&[]);
            let is_over = begin.elapsed() >= grace;
            for orphan in &left {
                if !others.contains(&orphan.pid) {
                    if is_other(orphan.pid) {
                        others.push(orphan.pid);
                    } else {
                        note(&mut seen, orphan.pid);
                    }
                }
                if is_over || others.contains(&orphan.pid) {
                    // SAFETY: it is a child that has not been reaped, so the pid is its own.
                    unsafe { libc::kill(orphan.pid.cast_signed(), libc::SIGKILL) };
                }
            }
            if left.is_empty() && begin.elapsed() >= grace + UNSEEN_PATIENCE {
                return seen;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Adds the process `pid`, which has not been reaped, to `seen`. Its name is the last one: it may
/// have been forked a moment ago, and execute its program only now.
fn note(seen: &mut Vec<Orphan>, pid: u32) {
    let now = named(pid);
    match seen.iter_mut().find(|orphan| orphan.pid == pid) {
        Some(known) => *known = now,
        None => seen.push(now),
    }
}

fn named(pid: u32) -> Orphan {
    let name = program_name(pid).unwrap_or_default();
    Orphan { pid, name: String::from_utf8_lossy(&name).trim().to_owned() }
}

/// A child that has ended and has not been reaped; `None` while all of them run.
///
/// # Errors
/// ECHILD: this process has no child.
fn next_ended() -> Result<Option<u32>, Errno> {
    // SAFETY: all-zero is a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the information is writable.
    if unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, how) } < 0 {
        return Err(Errno::last());
    }
    // SAFETY: waitid(2) has filled in the fields of SIGCHLD, or left all of it zero.
    let pid = unsafe { info.si_pid() };
    Ok((pid > 0).then(|| pid.cast_unsigned()))
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
