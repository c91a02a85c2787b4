//! Waits for descriptors, with a doorbell that other threads can ring.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::Errno;

/// An eventfd: one thread rings it to wake another that waits.
#[derive(Debug)]
pub struct Doorbell(OwnedFd);

impl Doorbell {
    /// Creates a doorbell.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn new() -> Result<Self, Errno> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Doorbell)
            .map_err(|e| Errno(e.raw_os_error()))
    }

    /// Wakes the waiting thread, or makes its next wait return at once.
    pub fn ring(&self) {
        // The write only fails if the counter is full, which is readable as well.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// A duration in the form that ppoll(2) takes.
pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

/// What woke a waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// How many of the descriptors have hung up and will deliver nothing more.
    pub hung: usize,
}

/// Waits until one of `descriptors` is readable or has hung up, `doorbell` was rung, or `time` is
/// over.
#[must_use]
pub fn wait_for(descriptors: &[BorrowedFd<'_>], doorbell: &Doorbell, time: Duration) -> Ready {
    let mut waiting: Vec<PollFd<'_>> =
        descriptors.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    waiting.push(PollFd::from_borrowed_fd(doorbell.0.as_fd(), PollFlags::IN));
    let timeout = timespec(time);
    // EINTR: callers check everything after each wait anyway.
    let _ = poll(&mut waiting, Some(&timeout));
    let rung = waiting.pop().is_some_and(|bell| !bell.revents().is_empty());
    if rung {
        let _ = rustix::io::read(&doorbell.0, &mut [0_u8; 8]);
    }
    Ready { hung: waiting.iter().filter(|fd| fd.revents().contains(PollFlags::HUP)).count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doorbell_wakes_once_and_a_closed_pipe_always() {
        let bell = Doorbell::new().unwrap();
        bell.ring();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        assert_eq!(wait_for(&[reader.as_fd()], &bell, Duration::from_mins(1)), Ready { hung: 0 });
        drop(writer);
        assert_eq!(wait_for(&[reader.as_fd()], &bell, Duration::from_mins(1)), Ready { hung: 1 });
    }
}
