//! The thread that answers programs: each gets memory of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sys::Errno;
use sys::rendezvous::{Asker, Rendezvous};
use sys::shared_words::SharedWords;
use sys::wait::Doorbell;
use wire::{Geometry, Hello, header, hello, unit};

use super::{ShimOptions, Stacks};

/// A process with less address space than this many times its memory gets less memory.
const SHARE_OF_ADDRESS_SPACE: u64 = 16;
/// The number of units that a process has if its threads keep as many: two for each of hundreds of
/// threads. What is not used takes no memory.
const UNITS_MAX: u64 = 1024;
/// The fewest units: one for the records and one for the stacks of two threads.
const UNITS_MIN: u64 = 4;

/// A process that said hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guest {
    /// Its id here.
    pub(super) pid: u32,
    /// Its id as it numbers itself: another in a PID namespace of its own.
    pub(super) own_pid: u32,
}

/// Processes that said hello, until they are taken.
#[derive(Debug)]
pub(super) struct Guests {
    meeting: Rendezvous,
    doorbell: Doorbell,
    options: ShimOptions,
    ticks_per_ms: u64,
    closed: AtomicBool,
    quiet: AtomicBool,
    new: Mutex<Vec<(SharedWords, Guest)>>,
}

impl Guests {
    pub(super) fn new(options: ShimOptions, ticks_per_ms: u64) -> Result<Guests, Errno> {
        Ok(Guests {
            meeting: Rendezvous::open()?,
            doorbell: Doorbell::new()?,
            options,
            ticks_per_ms,
            closed: AtomicBool::new(false),
            quiet: AtomicBool::new(false),
            new: Mutex::default(),
        })
    }

    pub(super) fn socket_name(&self) -> &str {
        self.meeting.name()
    }

    /// Those that have come since the last call.
    pub(super) fn take(&self) -> Vec<(SharedWords, Guest)> {
        std::mem::take(&mut self.new.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those that come later are told to record nothing, or to record.
    pub(super) fn set_quiet(&self, is_quiet: bool) {
        self.quiet.store(is_quiet, Ordering::Relaxed);
    }

    /// Whether they are told to record nothing.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.doorbell.ring();
    }

    fn receive(&self, asker: Asker) -> Result<(), Errno> {
        let question = asker.question::<{ hello::BYTES + 1 }>()?;
        let Some(hello) = Hello::from_bytes(&question) else { return Ok(()) };
        let (in_use, units) = self.units(&hello);
        let words = unit::words(usize::try_from(units).unwrap_or(usize::MAX));
        let memory = SharedWords::new(events::RECORDER_MEMORY, words)?;
        let geometry = Geometry { version: wire::VERSION, units, words: words as u64 };
        let guest = Guest { pid: asker.pid(), own_pid: hello.pid };
        // Whoever changes whether programs are quiet takes the new ones afterwards: it finds this
        // one, or this one is told.
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        self.prepare(&memory, in_use, units);
        asker.answer(&geometry.to_bytes(), memory.file())?;
        new.push((memory, guest));
        Ok(())
    }

    /// The number of units for a process: at first, and at most.
    fn units(&self, hello: &Hello) -> (u64, u64) {
        let unit_bytes = unit::WORDS as u64 * 8;
        let share = hello.address_space_bytes_max / SHARE_OF_ADDRESS_SPACE / unit_bytes;
        let in_use = (self.options.buffer_bytes / unit_bytes).min(share).max(UNITS_MIN);
        (in_use, UNITS_MAX.min(share).max(in_use))
    }

    fn prepare(&self, memory: &SharedWords, in_use: u64, units: u64) {
        use wire::header::flags;
        let (stacks, sampled_bytes) = match self.options.stacks {
            Stacks::Full => (0, 0),
            Stacks::Checked => (flags::CHECK_STACKS, 0),
            Stacks::Sampled(sampling) => (flags::SAMPLED_STACKS, sampling.mean_bytes.get()),
            Stacks::None => (flags::NO_STACKS, 0),
        };
        let quiet = if self.is_quiet() { flags::QUIET } else { 0 };
        let facts = [
            (header::VERSION, wire::VERSION),
            (header::UNITS, units),
            (header::UNITS_IN_USE, in_use),
            (header::TICKS_PER_MS, self.ticks_per_ms),
            (header::FREES_PER_TIMED, u64::from(self.options.frees_per_timed.max(1))),
            (header::SAMPLED_BYTES, sampled_bytes),
            (header::FLAGS, stacks | quiet),
        ];
        for (word, fact) in facts {
            memory.words()[word].store(fact, Ordering::Relaxed);
        }
    }
}

/// Starts the thread.
pub(super) fn start(guests: Arc<Guests>) -> Result<JoinHandle<()>, Errno> {
    const PATIENCE: Duration = Duration::from_mins(1);
    let answer = move || {
        while !guests.closed.load(Ordering::Relaxed) {
            if let Some(asker) = guests.meeting.next(&guests.doorbell, PATIENCE) {
                // A process that is gone, or gets no memory, is not recorded; it does not hear from
                // us and goes on.
                let _ = guests.receive(asker);
            }
        }
    };
    std::thread::Builder::new()
        .name("firsttouch-door".into())
        .spawn(answer)
        .map_err(|error| Errno::of(&error).unwrap_or(Errno::TRY_AGAIN))
}
