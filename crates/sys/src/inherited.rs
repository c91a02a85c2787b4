//! Signals that were ignored, and standard streams that were closed, when this process started.
//! Programs that it starts inherit both, as they would from a shell.
//!
//! Safety story: the function in `.init_array` runs before `main` and its runtime (which ignores
//! SIGPIPE and opens closed standard streams on /dev/null), on the only thread; it calls
//! sigaction(2) with a valid struct and fcntl(2) with numbers, and stores to atomics.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

static PIPE: AtomicBool = AtomicBool::new(false);
static CHILD: AtomicBool = AtomicBool::new(false);
/// Standard input, output and error: whether each was closed.
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

#[used]
// SAFETY: the section holds functions that the loader calls once, before main.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look;

extern "C" fn look() {
    PIPE.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    CHILD.store(is_ignored(libc::SIGCHLD), Ordering::Relaxed);
    for (stream, closed) in (0..).zip(&CLOSED) {
        // SAFETY: F_GETFD takes numbers only; it fails if the descriptor is not open.
        closed.store(unsafe { libc::fcntl(stream, libc::F_GETFD) } < 0, Ordering::Relaxed);
    }
}

/// The standard streams that were closed when this process started. They are open on /dev/null
/// since, so that no file of ours gets their numbers.
pub(crate) fn closed_streams() -> impl Iterator<Item = i32> {
    (0..)
        .zip(&CLOSED)
        .filter(|(_, closed)| closed.load(Ordering::Relaxed))
        .map(|(stream, _)| stream)
}

pub(crate) fn is_ignored(signal: i32) -> bool {
    // SAFETY: all-zero is a valid sigaction (default handler, empty mask).
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null new action only reads the present one.
    unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    action.sa_sigaction == libc::SIG_IGN
}

/// Whether `signal`, whose action this program changes, was ignored when it started.
pub(crate) fn was_ignored(signal: i32) -> bool {
    match signal {
        libc::SIGPIPE => PIPE.load(Ordering::Relaxed),
        libc::SIGCHLD => CHILD.load(Ordering::Relaxed),
        _ => false,
    }
}

/// Sets SIGCHLD to its default action. If this process inherited it as ignored, the kernel would
/// reap children by itself, and their status would be lost.
pub fn reset_sigchld() {
    if is_ignored(libc::SIGCHLD) {
        // SAFETY: the default action installs no handler.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    }
}
