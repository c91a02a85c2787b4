//! SIGUSR1 and SIGUSR2 to this process as a switch: on and off.
//!
//! Safety story: the handler does two async-signal-safe things (signal-safety(7)): it loads an
//! atomic, and writes one byte to a pipe that does not block.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::Errno;
use crate::inherited::is_ignored;
use crate::wait::{Doorbell, wait_for};

/// On, and off.
const SIGNALS: [i32; 2] = [libc::SIGUSR1, libc::SIGUSR2];

/// Where the handler writes; -1: nowhere, and there is no switch.
static TURNS: AtomicI32 = AtomicI32::new(-1);

/// While this exists, the two signals are no others' (see [`crate::relay`]).
#[derive(Debug)]
pub struct SignalSwitch {
    turns: File,
}

impl SignalSwitch {
    /// Takes the signals over. One that this process inherited as ignored stays so.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn install() -> Result<SignalSwitch, Errno> {
        let ends = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK);
        let (reads, writes) = ends.map_err(|e| Errno(e.raw_os_error()))?;
        TURNS.store(writes.as_raw_fd(), Ordering::Relaxed);
        for signal in SIGNALS.into_iter().filter(|&signal| !is_ignored(signal)) {
            // SAFETY: all-zero is a valid sigaction, with an empty set.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = note as extern "C" fn(i32) as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            for other in SIGNALS {
                // One after the other: the handler of the second would run first otherwise.
                // SAFETY: the set lives on this stack, and the signal is a valid one.
                unsafe { libc::sigaddset(&raw mut action.sa_mask, other) };
            }
            // SAFETY: the handler is of the right type and async-signal-safe.
            unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
        }
        // Never closed: a handler may be about to write to it.
        std::mem::forget(writes);
        Ok(SignalSwitch { turns: File::from(reads) })
    }

    /// Waits until it is turned, `doorbell` is rung, or `time` is over. Returns whether it is on
    /// now; `None`: it was not turned.
    pub fn turned(&mut self, doorbell: &Doorbell, time: Duration) -> Option<bool> {
        let _ = wait_for(&[self.turns.as_fd()], doorbell, time);
        let (mut byte, mut last) = ([0], None);
        while self.turns.read(&mut byte).is_ok_and(|count| count == 1) {
            last = Some(i32::from(byte[0]) == SIGNALS[0]);
        }
        last
    }
}

impl Drop for SignalSwitch {
    fn drop(&mut self) {
        // The handlers stay: the signals are still no others', and do nothing.
        TURNS.store(-1, Ordering::Relaxed);
    }
}

/// Whether the switch takes this signal.
pub(crate) fn takes(signal: i32) -> bool {
    TURNS.load(Ordering::Relaxed) >= 0 && SIGNALS.contains(&signal)
}

extern "C" fn note(signal: i32) {
    let byte = u8::try_from(signal).unwrap_or(0);
    let turns = TURNS.load(Ordering::Relaxed);
    if turns >= 0 {
        // SAFETY: write(2) is async-signal-safe; the byte lives on this stack.
        unsafe { libc::write(turns, (&raw const byte).cast(), 1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_turn_counts() {
        let (mut switch, bell) = (SignalSwitch::install().unwrap(), Doorbell::new().unwrap());
        assert!(takes(libc::SIGUSR1) && takes(libc::SIGUSR2) && !takes(libc::SIGALRM));
        assert_eq!(switch.turned(&bell, Duration::ZERO), None);
        for (signal, on) in [(libc::SIGUSR2, false), (libc::SIGUSR1, true)] {
            // SAFETY: takes a number; the handler above takes the signal.
            unsafe { libc::raise(signal) };
            assert_eq!(switch.turned(&bell, Duration::from_mins(1)), Some(on));
        }
        drop(switch);
        assert!(!takes(libc::SIGUSR1));
    }
}
