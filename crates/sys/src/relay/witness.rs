//! A process that gets the signals of the process group, and tells which.
//!
//! Safety story: as in the parent file.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{APART_NS, ENDING, RECORD_BYTES, RECORDS, Record, handler, record, record_pipe, used};
use crate::wait::timespec;

/// The longest wait for an answer: the witness may have been stopped.
const PATIENCE: Duration = Duration::from_secs(1);
/// Its name: not that of this program, which who sends a signal by name does not mean.
const NAME: &std::ffi::CStr = c"ft-witness";

/// The witness. Killed and reaped when dropped.
#[derive(Debug)]
pub(super) struct Witness {
    pid: i32,
    questions: OwnedFd,
    answers: File,
    /// Signals that this process has not got (yet).
    seen: Vec<Record>,
}

impl Witness {
    pub(super) fn start() -> Option<Self> {
        let (asked, questions) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        let (answers, told) = record_pipe().ok()?;
        let arguments = crate::proc::argument_memory();
        // No handler of ours runs in the child.
        let before = crate::launch::block_all_signals();
        let parent = std::process::id().cast_signed();
        // SAFETY: the child does what `testify` does, and never returns.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            testify(parent, asked.as_raw_fd(), told.as_raw_fd(), arguments);
        }
        crate::launch::restore_signals(&before);
        (pid > 0).then(|| Witness { pid, questions, answers, seen: Vec::new() })
    }

    /// The signals that it has got, without those that were asked for before.
    pub(super) fn ask(&mut self) -> Vec<Record> {
        let until = Instant::now() + PATIENCE;
        let asked = rustix::io::write(&self.questions, &[1]).is_ok();
        while asked && !self.seen.iter().any(|record| record.signal == 0) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let mut answer = [PollFd::from_borrowed_fd(self.answers.as_fd(), PollFlags::IN)];
            // EINTR: look again.
            let _ = poll(&mut answer, Some(&timespec(left)));
            let is_gone = answer[0].revents().contains(PollFlags::HUP);
            Record::read_all(&mut self.answers, &mut self.seen);
            if is_gone {
                break;
            }
        }
        let oldest_ns = crate::clock::monotonic_ns().saturating_sub(APART_NS);
        self.seen.retain(|record| record.signal != 0 && record.time_ns >= oldest_ns);
        self.seen.clone()
    }

    /// Forgets the signals of which this process has got its own.
    pub(super) fn forget(&mut self, records: &[Record]) {
        self.seen.retain(|seen| !records.iter().any(|record| record.is_of_same_sending(seen)));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // SAFETY: takes numbers; the child has not been reaped.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        // SAFETY: the status is not wanted.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
    }
}

/// The child: records signals, and answers questions.
fn testify(parent: i32, asked: i32, told: i32, arguments: Option<(usize, usize)>) -> ! {
    // It must not outlive its parent, also while it is stopped.
    // SAFETY: takes numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: the name is a text that lives for ever.
    unsafe { libc::prctl(libc::PR_SET_NAME, NAME.as_ptr()) };
    // SAFETY: takes nothing.
    let orphaned = unsafe { libc::getppid() } != parent;
    // SAFETY: takes descriptors of this process, here and below.
    if orphaned || unsafe { libc::dup2(asked, libc::STDIN_FILENO) } < 0 {
        leave();
    }
    // SAFETY: as above.
    if unsafe { libc::dup2(told, libc::STDOUT_FILENO) } < 0 {
        leave();
    }
    // It keeps no file open that its parent closes.
    // SAFETY: takes numbers; nothing in this process uses the descriptors above.
    unsafe { libc::syscall(libc::SYS_close_range, 2, u32::MAX, 0) };
    if let Some((start, bytes)) = arguments {
        // SAFETY: the kernel put the words of the command there, on the writable stack of this
        // copy of the process, which does not read them again.
        unsafe { libc::memset(start as *mut libc::c_void, 0, bytes) };
    }
    RECORDS.store(libc::STDOUT_FILENO, Ordering::Relaxed);
    // SAFETY: all-zero is a valid sigaction, and an empty set.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    for signal in 1..=libc::SIGRTMAX() {
        // Never ignored for a moment: that would drop one that has arrived already.
        let is_told = ENDING.contains(&signal) || used().any(|used| used == signal);
        let to = if is_told { handler(record) } else { libc::SIG_IGN };
        (action.sa_sigaction, action.sa_flags) = (to, libc::SA_SIGINFO | libc::SA_RESTART);
        // SAFETY: the handler is of the right type and async-signal-safe. For some signals it fails
        // harmlessly (SIGKILL, those of the C library).
        unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    }
    crate::launch::restore_signals(&action.sa_mask);
    let mut byte = 0_u8;
    // A signal that was sent before the question is recorded before the answer: its handler runs
    // before read(2) returns.
    // SAFETY: one byte is writable.
    while unsafe { libc::read(libc::STDIN_FILENO, (&raw mut byte).cast(), 1) } == 1 {
        let answer = [Record::default()];
        // SAFETY: the record lives on this stack.
        unsafe { libc::write(libc::STDOUT_FILENO, answer.as_ptr().cast(), RECORD_BYTES) };
    }
    leave()
}

fn leave() -> ! {
    // SAFETY: _exit(2) takes any status and runs nothing of this process.
    unsafe { libc::_exit(0) }
}
