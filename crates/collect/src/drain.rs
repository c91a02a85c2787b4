//! The thread that empties the rings. It does nothing else, so that it is there when one fills: records are copied, and
//! given a meaning by whoever receives them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use sys::clock::monotonic_ns;
use sys::wait::{Ready, wait_for};

use crate::control::Control;
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

/// Empties `rings` until no thread is left that could fill them and the tracer has seen its last, or until it is stopped.
///
/// # Errors
/// When no thread can be started.
pub(crate) fn start(
    rings: Option<Rings>,
    shared: Arc<Control>,
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
    shared: Arc<Control>,
    rounds: Sender<Round>,
    /// No thread is left whose events could write.
    hung: bool,
}

impl Drain {
    fn is_over(&self) -> bool {
        let silent = (self.hung || self.rings.is_none()) && self.shared.tracer_is_done();
        silent || self.shared.is_stopping()
    }

    /// Until a ring is a quarter full, someone rings, or it is time.
    fn sleep(&mut self) {
        let watched: Vec<_> = match &self.rings {
            Some(rings) if !self.hung => rings.watched().collect(),
            _ => Vec::new(),
        };
        let Ready { hung } = wait_for(&watched, self.shared.doorbell(), PERIOD);
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
            && self.shared.waiting_bytes() < WAITING_BYTES_MAX
        {
            ring_bytes = rings.take(&mut records);
            self.shared.sent(records.len());
        }
        let stops = self.shared.take_stops();
        // A receiver that is gone wants nothing more; the rings are emptied all the same, until the program ends.
        let _ = self.rounds.send(Round { began_ns, records, ring_bytes, stops });
    }
}
