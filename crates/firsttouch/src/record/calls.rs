//! The thread that reads what programs write of their allocation calls, and makes chunks of it.

use std::collections::HashMap;
use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use collect::shim::{CallSink, CallTaker, ShimCounts, Shims, ThreadNumber};
use events::{Allocation, Batch, Thread};
use recording::{CallsEncoder, SourceId, encode_batch};

use super::file::ChunkSender;
use super::requests::Requests;

/// A chunk has this many calls of a thread, or what comes within [`FLUSHING`].
const CALLS_MIN: usize = 16_384;
/// What a killed recorder loses.
const FLUSHING: Duration = Duration::from_millis(500);
/// The wait between two looks: the shortest, which is doubled as long as nothing comes.
const PAUSE_MIN: Duration = Duration::from_micros(500);
const PAUSE_MAX: Duration = Duration::from_millis(8);
/// So many calls at once mean that the program is fast: it is looked at again without a pause.
const BUSY: u64 = 20_000;

/// The thread.
pub(super) struct CallsThread {
    requests: Requests,
    handle: JoinHandle<Heard>,
}

/// What was heard of programs.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What they say of their recording.
    pub(super) counts: ShimCounts,
    /// The process of each program that wrote.
    pub(super) greeted: Vec<u32>,
}

impl CallsThread {
    /// Starts the thread. If the recording begins `paused`, programs that come know it already.
    pub(super) fn start(
        shims: Shims,
        chunks: ChunkSender,
        paused: bool,
    ) -> io::Result<CallsThread> {
        let requests = Requests::new(paused);
        let asked = requests.clone();
        let answering = requests.answering();
        let run = move || {
            let _answering = answering;
            run(shims, chunks, &asked)
        };
        let handle = std::thread::Builder::new().name("firsttouch-calls".into()).spawn(run)?;
        Ok(CallsThread { requests, handle })
    }

    /// Asks the thread.
    pub(super) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Reads the rest, tells programs that still run to write nothing more, and ends.
    pub(super) fn finish(self) -> Heard {
        self.requests.end();
        self.handle.join().unwrap_or_default()
    }
}

fn run(mut shims: Shims, chunks: ChunkSender, requests: &Requests) -> Heard {
    let mut encoders = Encoders { chunks, active: HashMap::new(), idle: Vec::new() };
    let (mut pause, mut flushed) = (PAUSE_MIN, Instant::now());
    loop {
        let asked = requests.now();
        let is_last = asked.ends;
        shims.set_quiet(asked.is_quiet() || encoders.chunks.has_failed());
        let calls = shims.drain(&mut encoders);
        requests.told(asked);
        let is_due = flushed.elapsed() >= FLUSHING;
        if is_due || is_last || shims.is_crowded() {
            shims.settle(&mut encoders);
        }
        if is_due {
            flushed = Instant::now();
        }
        encoders.flush(&mut shims, if is_due || is_last { 1 } else { CALLS_MIN });
        if is_last {
            return Heard { counts: shims.counts(), greeted: shims.greeted().to_vec() };
        }
        pause = if calls == 0 { (pause * 2).min(PAUSE_MAX) } else { PAUSE_MIN };
        if calls < BUSY {
            requests.wait(pause, asked);
        }
    }
}

/// The encoders of all threads that write.
struct Encoders {
    chunks: ChunkSender,
    active: HashMap<ThreadNumber, Encoder>,
    /// Those of threads that have ended, and what is left in them to be flushed.
    idle: Vec<Encoder>,
}

/// The encoder of a thread.
struct Encoder(CallsEncoder);

impl CallTaker for Encoder {
    fn call(&mut self, time_ns: u64, call: &Allocation) {
        self.0.push(time_ns, call);
    }
}

impl CallSink for Encoders {
    type Taker = Encoder;

    fn begins(&mut self, number: ThreadNumber, thread: Thread) {
        let encoder = match self.idle.iter().position(|encoder| encoder.0.is_empty()) {
            Some(place) => {
                let mut encoder = self.idle.swap_remove(place);
                encoder.0.restart(SourceId(number.0), thread);
                encoder
            }
            None => Encoder(CallsEncoder::new(SourceId(number.0), thread)),
        };
        self.active.insert(number, encoder);
    }

    fn taker(&mut self, number: ThreadNumber) -> Option<&mut Encoder> {
        self.active.get_mut(&number)
    }

    fn ends(&mut self, number: ThreadNumber) {
        if let Some(encoder) = self.active.remove(&number) {
            self.idle.push(encoder);
        }
    }
}

impl Encoders {
    /// Hands over the calls of each thread that has at least `calls_min`, and before them the
    /// frames that they refer to.
    fn flush(&mut self, shims: &mut Shims, calls_min: usize) {
        let Encoders { chunks, active, idle } = self;
        let mut frames = Batch::default();
        shims.take_frames(&mut frames.definitions);
        if !frames.definitions.is_empty() {
            chunks.send(encode_batch(&frames));
        }
        for encoder in active.values_mut().chain(idle) {
            if encoder.0.len() >= calls_min {
                chunks.send(encoder.0.finish());
            }
        }
    }
}
