//! The thread that reads what programs write of their allocation calls, and makes chunks of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use collect::shim::{CallSink, CallTaker, ShimCounts, Shims, ThreadNumber};
use events::{Allocation, Batch, Thread};
use recording::{CallsEncoder, ProcessImage, SourceId, encode_batch};

use super::bounded::{Bounded, ThinnedTo};
use super::file::ChunkSender;
use super::requests::Requests;

/// A chunk has this many calls of a thread, or what comes within [`FLUSHING`].
const CALLS_MIN: usize = 16_384;
/// What a killed recorder loses; in a recording of bounded size so much longer as it has fewer
/// calls, up to this power of two.
const FLUSHING: Duration = Duration::from_millis(500);
const FLUSHING_LEVEL_MAX: u8 = 7;
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
    /// If the recording does not have all calls.
    pub(super) thinned: Option<ThinnedTo>,
}

impl CallsThread {
    /// Starts the thread. If the recording begins `paused`, programs that come know it already.
    pub(super) fn start(
        shims: Shims,
        chunks: ChunkSender,
        size_bytes_max: Option<u64>,
        paused: bool,
    ) -> io::Result<CallsThread> {
        let requests = Requests::new(paused);
        let asked = requests.clone();
        let answering = requests.answering();
        let run = move || {
            let _answering = answering;
            run(shims, chunks, size_bytes_max, &asked)
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

fn run(
    mut shims: Shims,
    chunks: ChunkSender,
    size_bytes_max: Option<u64>,
    requests: &Requests,
) -> Heard {
    let bounded = size_bytes_max.map(|bytes| Bounded::new(bytes, chunks.clone()));
    let bounded = bounded.map(RefCell::new).map(Rc::new);
    let mut encoders = Encoders { chunks, active: HashMap::new(), idle: Vec::new(), bounded };
    let (mut pause, mut flushed, mut settled) = (PAUSE_MIN, Instant::now(), Instant::now());
    loop {
        let asked = requests.now();
        let is_last = asked.ends;
        shims.set_quiet(asked.is_quiet() || encoders.chunks.has_ended());
        let calls = shims.drain(&mut encoders);
        requests.told(asked);
        if settled.elapsed() >= FLUSHING || is_last || shims.is_crowded() {
            shims.settle(&mut encoders);
            settled = Instant::now();
        }
        let is_due = flushed.elapsed() >= encoders.flushing();
        if is_due {
            flushed = Instant::now();
        }
        encoders.flush(&mut shims, if is_due || is_last { 1 } else { CALLS_MIN });
        if is_last {
            let thinned = encoders.bounded.and_then(|bounded| bounded.borrow_mut().finish());
            let greeted = shims.greeted().to_vec();
            return Heard { counts: shims.counts(), greeted, thinned };
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
    /// Of a recording whose size is bounded.
    bounded: Option<Rc<RefCell<Bounded>>>,
}

/// The encoder of a thread.
struct Encoder {
    calls: CallsEncoder,
    image: ProcessImage,
    bounded: Option<Rc<RefCell<Bounded>>>,
}

impl CallTaker for Encoder {
    fn call(&mut self, time_ns: u64, call: &Allocation) {
        if let Some(bounded) = &self.bounded
            && !bounded.borrow_mut().keeps(self.image, time_ns, call)
        {
            return;
        }
        self.calls.push(time_ns, call);
    }
}

impl CallSink for Encoders {
    type Taker = Encoder;

    fn begins(&mut self, number: ThreadNumber, thread: Thread, program: u32) {
        let source = SourceId(number.0);
        let calls = match self.idle.iter().position(|encoder| encoder.calls.is_empty()) {
            Some(place) => {
                let mut calls = self.idle.swap_remove(place).calls;
                calls.restart(source, thread);
                calls
            }
            None => CallsEncoder::new(source, thread),
        };
        let image = ProcessImage { pid: thread.pid, program };
        let bounded = self.bounded.clone();
        self.active.insert(number, Encoder { calls, image, bounded });
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
    /// The time after which calls are handed over, however few they are. Where fewer and fewer are
    /// written, so are chunks.
    fn flushing(&self) -> Duration {
        let level = self.bounded.as_ref().map_or(0, |bounded| bounded.borrow().level());
        FLUSHING * (1 << level.min(FLUSHING_LEVEL_MAX))
    }

    /// Hands over the calls of each thread that has at least `calls_min`, and before them the
    /// frames that they refer to.
    fn flush(&mut self, shims: &mut Shims, calls_min: usize) {
        let Encoders { chunks, active, idle, bounded } = self;
        let mut frames = Batch::default();
        shims.take_frames(&mut frames.definitions);
        if !frames.definitions.is_empty() {
            chunks.send_patiently(encode_batch(&frames), || shims.beat());
        }
        let is_due = calls_min == 1;
        let few = bounded.as_ref().map_or(usize::MAX, |bounded| bounded.borrow().calls_min());
        let calls_min = calls_min.min(few);
        let mut full = Vec::new();
        let mut waiting = 0;
        for encoder in active.values_mut().chain(idle) {
            if encoder.calls.len() >= calls_min {
                full.push(encoder.calls.finish());
            } else {
                waiting += encoder.calls.len();
            }
        }
        if let Some(bounded) = bounded {
            let bytes = full.iter().map(|chunk| chunk.bytes().len() as u64).sum();
            bounded.borrow_mut().flush(bytes, waiting, is_due);
        }
        for chunk in full {
            chunks.send_patiently(chunk, || shims.beat());
        }
    }
}
