//! The thread that empties the rings. It does nothing else, so that it is there when one fills: records are copied, and
//! given a meaning by whoever receives them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use events::Names;
use sys::Errno;
use sys::clock::monotonic_ns;
use sys::wait::{Doorbell, Ready, wait_for};

use crate::half::Half;
use crate::rings::Rings;

/// How often the rings are looked at when none is filling: whoever watches sees things this late.
const PERIOD: Duration = Duration::from_millis(40);
/// How much may wait for its receiver. Beyond it, the rings fill and the kernel counts what it cannot write: a bound on memory, and
/// an honest gap.
const WAITING_BYTES_MAX: usize = 512 << 20;

/// One reading of all rings.
#[derive(Debug)]
pub(crate) struct Round {
    /// When it began.
    pub(crate) began_ns: u64,
    /// What was in the rings, one after the other.
    pub(crate) records: Vec<u8>,
    /// How many bytes of it are of each ring.
    pub(crate) ring_bytes: Vec<usize>,
    /// What the tracer has seen meanwhile.
    pub(crate) stops: Vec<Half>,
}

/// What the threads of a collection share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What the tracer has seen since the last round.
    stops: Mutex<Vec<Half>>,
    /// The tracer will see nothing more, or there is none.
    tracer_done: AtomicBool,
    /// Someone wants it to end.
    stopping: AtomicBool,
    /// For the tracer to pass on; 0: none.
    signal: AtomicI32,
    /// The tracer has seen the end of the first process.
    first_ended: AtomicBool,
    /// The tracer has left it in a stop that is over when SIGCONT comes.
    first_stands: AtomicBool,
    /// The names that events refer to.
    names: Mutex<Names>,
    /// Wakes the draining thread up.
    doorbell: Doorbell,
    /// Bytes of rounds that nobody has received yet.
    waiting_bytes: AtomicUsize,
}

impl Shared {
    /// # Errors
    /// As [`Doorbell::new`].
    pub(crate) fn new(with_tracer: bool) -> Result<Self, Errno> {
        Ok(Shared {
            stops: Mutex::default(),
            tracer_done: AtomicBool::new(!with_tracer),
            stopping: AtomicBool::new(false),
            signal: AtomicI32::new(0),
            first_ended: AtomicBool::new(false),
            first_stands: AtomicBool::new(false),
            names: Mutex::default(),
            doorbell: Doorbell::new()?,
            waiting_bytes: AtomicUsize::new(0),
        })
    }

    pub(crate) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take_stops(&self) -> Vec<Half> {
        std::mem::take(&mut self.stops.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn add_stop(&self, half: Half) {
        // A program that cannot be let go is traced on when nobody takes anything any more.
        if self.is_stopping() {
            return;
        }
        self.stops.lock().unwrap_or_else(PoisonError::into_inner).push(half);
    }

    /// The tracer has seen its last.
    pub(crate) fn end_tracer(&self) {
        self.tracer_done.store(true, Ordering::Release);
        self.doorbell.ring();
    }

    /// Has the tracer pass on `signal`.
    pub(crate) fn pass_on(&self, signal: i32) {
        self.signal.store(signal, Ordering::Release);
    }

    /// The tracer has not passed it on yet.
    pub(crate) fn has_signal(&self) -> bool {
        self.signal.load(Ordering::Acquire) != 0
    }

    pub(crate) fn take_signal(&self) -> Option<i32> {
        Some(self.signal.swap(0, Ordering::AcqRel)).filter(|&signal| signal != 0)
    }

    pub(crate) fn end_first(&self) {
        self.first_ended.store(true, Ordering::Release);
    }

    pub(crate) fn first_has_ended(&self) -> bool {
        self.first_ended.load(Ordering::Acquire)
    }

    pub(crate) fn first_stands(&self, stands: bool) {
        self.first_stands.store(stands, Ordering::Release);
    }

    pub(crate) fn does_first_stand(&self) -> bool {
        self.first_stands.load(Ordering::Acquire)
    }

    /// What was received waits no longer.
    pub(crate) fn received(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Lets it end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.doorbell.ring();
    }
}

/// Empties `rings` until no thread is left that could fill them and the tracer has seen its last, or until it is stopped.
///
/// # Errors
/// When no thread can be started.
pub(crate) fn start(
    rings: Option<Rings>,
    shared: Arc<Shared>,
    rounds: Sender<Round>,
) -> io::Result<JoinHandle<Option<Rings>>> {
    let drain = move || {
        let mut drain = Drain { rings, shared, rounds, hung: false };
        while !drain.is_over() {
            drain.sleep();
            drain.round();
        }
        // Whatever was written between the last reading and the end.
        if let Some(rings) = &drain.rings {
            rings.stop();
        }
        drain.round();
        drain.rings
    };
    std::thread::Builder::new().name("firsttouch-drain".into()).spawn(drain)
}

struct Drain {
    rings: Option<Rings>,
    shared: Arc<Shared>,
    rounds: Sender<Round>,
    /// No thread is left whose events could write.
    hung: bool,
}

impl Drain {
    fn is_over(&self) -> bool {
        let silent = (self.hung || self.rings.is_none()) && self.shared.tracer_done.load(Ordering::Acquire);
        silent || self.shared.is_stopping()
    }

    /// Until a ring is a quarter full, someone rings, or it is time.
    fn sleep(&mut self) {
        let watched: Vec<_> = match &self.rings {
            Some(rings) if !self.hung => rings.watched().collect(),
            _ => Vec::new(),
        };
        let Ready { hung } = wait_for(&watched, &self.shared.doorbell, PERIOD);
        self.hung |= !watched.is_empty() && hung == watched.len();
        if hung > 0 && !self.hung {
            // Those that have hung up would be ready at once, again and again.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn round(&mut self) {
        let began_ns = monotonic_ns();
        let (mut records, mut ring_bytes) = (Vec::new(), Vec::new());
        if let Some(rings) = &mut self.rings
            && self.shared.waiting_bytes.load(Ordering::Acquire) < WAITING_BYTES_MAX
        {
            ring_bytes = rings.take(&mut records);
            self.shared.waiting_bytes.fetch_add(records.len(), Ordering::AcqRel);
        }
        let stops = self.shared.take_stops();
        // A receiver that is gone wants nothing more; the rings are emptied all the same, until the program ends.
        let _ = self.rounds.send(Round { began_ns, records, ring_bytes, stops });
    }
}
