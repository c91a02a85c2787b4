//! The thread that empties the rings. It does nothing else, so that no ring overflows: it only
//! copies records, and the consumer parses them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SendError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use sys::clock::monotonic_ns;
use sys::wait::{Ready, wait_for};

use crate::perf::rings::Rings;
use crate::ptrace::outbox::EVENT_BYTES;
use crate::stream::control::Control;
use crate::stream::raw::RawEvent;

/// The interval at which the rings are read while none fills up: the longest delay of events.
const PERIOD: Duration = Duration::from_millis(40);
/// The memory of a round besides its records.
const ROUND_BYTES: usize = 256;

/// One reading of all sources.
#[derive(Debug)]
pub(crate) struct Round {
    /// When the reading began.
    pub(crate) began_ns: u64,
    /// The contents of the rings, one after the other.
    pub(crate) records: Vec<u8>,
    /// The number of bytes from each ring.
    pub(crate) ring_bytes: Vec<usize>,
    /// The watermark of all rings: nothing earlier will come from them.
    pub(crate) rings_watermark_ns: u64,
    /// The tracer's events since the last round.
    pub(crate) traced: Vec<RawEvent>,
    /// The watermark of the tracer: nothing earlier will come from it.
    pub(crate) tracer_watermark_ns: u64,
}

impl Round {
    /// Its size, for the budget.
    pub(crate) fn bytes(&self) -> usize {
        ROUND_BYTES + self.records.len() + self.traced.len() * EVENT_BYTES
    }
}

/// Empties `rings` until no thread is left that could fill them and the tracer has finished, or
/// until it is stopped.
///
/// # Errors
/// If the thread cannot be started.
pub(crate) fn start(
    rings: Option<Rings>,
    shared: Arc<Control>,
    rounds: Sender<Round>,
) -> io::Result<JoinHandle<Option<Rings>>> {
    let drain = move || {
        let mut drain = Drain { rings, shared, rounds, hung: false, rings_read_ns: 0 };
        while !drain.is_over() {
            drain.sleep();
            // Beyond the bound the rings fill up, and the kernel and the outbox count losses.
            if !drain.shared.budget.is_full() {
                drain.round();
            }
        }
        // Reads what was written between the last reading and the end.
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
    shared: Arc<Control>,
    rounds: Sender<Round>,
    /// Whether no thread is left whose events could write.
    hung: bool,
    /// When the rings were read last.
    rings_read_ns: u64,
}

impl Drain {
    fn is_over(&self) -> bool {
        let silent = (self.hung || self.rings.is_none()) && self.shared.tracer_is_done();
        silent || self.shared.is_stopping()
    }

    /// Sleeps until a ring is a quarter full, the doorbell rings, or the period is over.
    fn sleep(&mut self) {
        let watched: Vec<_> = match &self.rings {
            Some(rings) if !self.hung => rings.watched().collect(),
            _ => Vec::new(),
        };
        let Ready { hung } = wait_for(&watched, self.shared.doorbell(), PERIOD);
        self.hung |= !watched.is_empty() && hung == watched.len();
        if hung > 0 && !self.hung {
            // Descriptors that have hung up would end every wait at once.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Reads all sources once.
    ///
    /// A record stamped before the last reading began is in its ring when this reading starts, so
    /// nothing older can still come, except from a processor that was interrupted between stamping
    /// a record and publishing it.
    fn round(&mut self) {
        let began_ns = monotonic_ns();
        let (mut records, mut ring_bytes) = (Vec::new(), Vec::new());
        let rings_watermark_ns = std::mem::replace(&mut self.rings_read_ns, began_ns);
        if let Some(rings) = &mut self.rings {
            ring_bytes = rings.take(&mut records);
        }
        let (traced, tracer_watermark_ns) = self.shared.outbox.take();
        self.shared.budget.add(ROUND_BYTES + records.len());
        let round = Round {
            began_ns,
            records,
            ring_bytes,
            rings_watermark_ns,
            traced,
            tracer_watermark_ns,
        };
        // If the receiver is gone, rounds are dropped; the rings are still emptied until the
        // program ends.
        if let Err(SendError(round)) = self.rounds.send(round) {
            self.shared.budget.remove(round.bytes());
        }
    }
}
