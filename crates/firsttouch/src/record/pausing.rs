//! Pauses of a recording: SIGUSR1 to this process starts it, SIGUSR2 pauses it.
//!
//! ```text
//!   signal -> switch thread -> calls thread: programs are quiet, or not
//!                           -> Pauses: which syscalls and faults are dropped
//!                           -> the file: when that was
//! ```
//! The time of a pause that is written begins before programs are quiet and ends after they write
//! again: outside of it nothing is missing.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use recording::{RecordingSwitch, encode_switch};
use sys::clock::monotonic_ns;
use sys::wait::Doorbell;

use super::file::ChunkSender;
use super::requests::Requests;

/// When nothing is recorded.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    /// The beginning of the pause that lasts.
    since_ns: Option<u64>,
    /// The beginnings and ends of those before.
    past: Vec<(u64, u64)>,
    /// Whether the first pause began with the recording.
    from_start: bool,
}

impl Pauses {
    /// The recording begins paused, at the beginning of its stream.
    pub(super) fn begin_paused(&self, began_ns: u64) {
        self.times(|times| (times.since_ns, times.from_start) = (Some(began_ns), true));
    }

    /// Drops what is in a pause; what has no time stays.
    pub(super) fn drop_from<T>(&self, events: &mut Vec<T>, time_ns: impl Fn(&T) -> Option<u64>) {
        self.times(|times| {
            if times.since_ns.is_some() || !times.past.is_empty() {
                events.retain(|event| time_ns(event).is_none_or(|time_ns| !times.has(time_ns)));
            }
        });
    }

    /// Whether all was one pause.
    pub(super) fn is_whole(&self) -> bool {
        self.times(|times| times.since_ns.is_some() && times.past.is_empty() && times.from_start)
    }

    /// Whether a pause lasts.
    pub(super) fn is_paused(&self) -> bool {
        self.times(|times| times.since_ns.is_some())
    }

    /// Goes on if `records`, or pauses. Returns when that was; `None`: it was so already.
    fn turn(&self, records: bool) -> Option<u64> {
        self.times(|times| {
            let now_ns = monotonic_ns();
            match (times.since_ns, records) {
                (Some(since_ns), true) => {
                    times.since_ns = None;
                    times.past.push((since_ns, now_ns));
                    Some(now_ns)
                }
                (None, false) => {
                    times.since_ns = Some(now_ns);
                    Some(now_ns)
                }
                _ => None,
            }
        })
    }

    fn times<R>(&self, with: impl FnOnce(&mut Times) -> R) -> R {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Times {
    fn has(&self, time_ns: u64) -> bool {
        let after = self.past.partition_point(|&(_, end_ns)| end_ns <= time_ns);
        let in_past = self.past.get(after).is_some_and(|&(from_ns, _)| from_ns <= time_ns);
        in_past || self.since_ns.is_some_and(|since_ns| since_ns <= time_ns)
    }
}

/// The thread that waits for the signals.
pub(super) struct SwitchThread {
    ends: Arc<(AtomicBool, Doorbell)>,
    handle: JoinHandle<()>,
}

/// What a switch acts on.
pub(super) struct Switched {
    pub(super) pauses: Arc<Pauses>,
    pub(super) chunks: ChunkSender,
    /// The thread that reads allocation calls, if there is one.
    pub(super) calls: Option<Requests>,
}

impl SwitchThread {
    /// Starts the thread.
    pub(super) fn start(
        mut switch: sys::switch::SignalSwitch,
        on: Switched,
    ) -> io::Result<SwitchThread> {
        const LONG: Duration = Duration::from_hours(1);
        let doorbell = Doorbell::new().map_err(|errno| io::Error::other(errno.to_string()))?;
        let ends = Arc::new((AtomicBool::new(false), doorbell));
        let until = Arc::clone(&ends);
        let handle =
            std::thread::Builder::new().name("firsttouch-switch".into()).spawn(move || {
                let (has_ended, doorbell) = &*until;
                while !has_ended.load(Ordering::Acquire) {
                    if let Some(records) = switch.turned(doorbell, LONG) {
                        on.turn(records);
                    }
                }
            })?;
        Ok(SwitchThread { ends, handle })
    }

    /// Ends the thread.
    pub(super) fn finish(self) {
        let (has_ended, doorbell) = &*self.ends;
        has_ended.store(true, Ordering::Release);
        doorbell.ring();
        // A panic there has been reported already.
        let _ = self.handle.join();
    }
}

impl Switched {
    fn turn(&self, records: bool) {
        if records != self.pauses.is_paused() {
            return;
        }
        let quiet = |is_quiet| {
            if let Some(calls) = &self.calls {
                calls.pause(is_quiet);
            }
        };
        if records {
            quiet(false);
        }
        let turned = self.pauses.turn(records);
        if !records {
            quiet(true);
        }
        if let Some(time_ns) = turned {
            self.chunks.send(encode_switch(RecordingSwitch { time_ns, records }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_pause_is_dropped() {
        let pauses = Pauses::default();
        let left = |pauses: &Pauses| {
            let mut events = vec![Some(1), None, Some(10), Some(u64::MAX)];
            pauses.drop_from(&mut events, |event| *event);
            events
        };
        assert_eq!(left(&pauses).len(), 4);
        assert_eq!(pauses.turn(true), None, "it records already");
        pauses.begin_paused(5);
        assert!(pauses.is_paused() && pauses.is_whole());
        assert_eq!(left(&pauses), [Some(1), None]);
        let end_ns = pauses.turn(true).expect("it was paused");
        assert_eq!(left(&pauses), [Some(1), None, Some(u64::MAX)]);
        let again_ns = pauses.turn(false).expect("it recorded");
        assert!(!pauses.is_whole());
        assert!(again_ns >= end_ns && pauses.turn(false).is_none());
        assert_eq!(left(&pauses), [Some(1), None]);
    }
}
