//! Measures the cost of encoding and reading: `cargo run --release -p firsttouch-recording
//! --example measure`. The addresses are those that this program's own allocator gives out.

mod common;

use std::collections::VecDeque;
use std::hint::black_box;
use std::io::Cursor;
use std::num::NonZeroU64;
use std::time::Instant;

use events::{
    Allocation, AllocationFunction, Batch, Event, EventKind, Fault, Sees, Span, StackId, Thread,
};
use recording::{About, CallsEncoder, Reader, RecordingSummary, SourceId, Writer, encode_batch};

use common::{CHUNK_CALLS, Random, header};

const CALLS: usize = 4_000_000;
const THREAD: Thread = Thread { pid: 1, tid: 2 };

/// Calls with plausible times.
struct Program {
    time_ns: u64,
    random: Random,
    calls: Vec<(u64, Allocation)>,
}

impl Program {
    fn new() -> Self {
        Program { time_ns: 1 << 40, random: Random(88_172_645_463_325_252), calls: Vec::new() }
    }

    fn add(&mut self, function: AllocationFunction, address: u64, released: u64, size: u64) {
        let stack = 1000 + u32::from(function == AllocationFunction::Free);
        self.add_from(stack, function, address, released, size);
    }

    fn add_from(&mut self, stack: u32, function: AllocationFunction, a: u64, r: u64, size: u64) {
        let latency_ns = 20 + self.random.below(41);
        let call = Allocation {
            address: a,
            released: r,
            size_bytes: size,
            latency_ns: NonZeroU64::new(latency_ns),
            stack: StackId::from_number(stack),
            function,
            alignment_log2: 0,
        };
        self.calls.push((self.time_ns, call));
        self.time_ns += latency_ns + 5 + self.random.below(60);
    }
}

fn address(block: &[u8]) -> u64 {
    block.as_ptr() as u64
}

/// Blocks of mixed sizes take each other's places at random.
fn churn(live: u64, sizes: u64) -> Vec<(u64, Allocation)> {
    let mut program = Program::new();
    let mut random = Random(7);
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    while program.calls.len() < CALLS {
        if blocks.len() as u64 == live {
            let at = usize::try_from(random.below(live)).unwrap();
            let block = blocks.swap_remove(at);
            program.add(AllocationFunction::Free, 0, address(&block), 0);
        }
        let size = 16 + random.below(sizes);
        let block = black_box(Vec::with_capacity(usize::try_from(size).unwrap()));
        program.add(AllocationFunction::Malloc, address(&block), 0, size);
        blocks.push(block);
    }
    program.calls
}

/// As an interpreter does: many call sites, each with its sizes, most blocks live shortly, and some
/// long.
fn interpreter() -> Vec<(u64, Allocation)> {
    let mut program = Program::new();
    let mut random = Random(9);
    let (mut short, mut long) = (VecDeque::new(), Vec::new());
    while program.calls.len() < CALLS {
        let place = random.below(24) * random.below(24) / 24;
        let size =
            24 + 16 * (place % 9) + if place.is_multiple_of(5) { random.below(200) } else { 0 };
        let block: Vec<u8> = black_box(Vec::with_capacity(usize::try_from(size).unwrap()));
        let stack = 5000 + u32::try_from(place).unwrap() * 37;
        program.add_from(stack, AllocationFunction::Malloc, address(&block), 0, size);
        if random.below(20) == 0 {
            long.push(block);
        } else {
            short.push_back(block);
        }
        let gone = match random.below(8) {
            0 => short.pop_front(),
            1 if long.len() > 20_000 => {
                let at = usize::try_from(random.below(long.len() as u64)).unwrap();
                Some(long.swap_remove(at))
            }
            2..6 => short.pop_back(),
            _ if short.len() > 100 => short.pop_front(),
            _ => None,
        };
        if let Some(block) = gone {
            let stack = 9000 + u32::try_from(random.below(6)).unwrap();
            program.add_from(stack, AllocationFunction::Free, 0, address(&block), 0);
        }
    }
    program.calls
}

/// A buffer that grows, and small blocks that stay.
fn growth() -> Vec<(u64, Allocation)> {
    let mut program = Program::new();
    let mut blocks: Vec<Box<[u64; 5]>> = Vec::new();
    let mut buffer: Vec<u8> = Vec::with_capacity(16);
    while program.calls.len() < CALLS {
        let old = address(&buffer);
        if buffer.capacity() > 1 << 20 {
            buffer = Vec::with_capacity(16);
        }
        buffer.reserve_exact(buffer.capacity() + 64);
        let size = buffer.capacity() as u64;
        program.add_from(77, AllocationFunction::Realloc, address(&buffer), old, size);
        for _ in 0..6 {
            let block = black_box(Box::new([7; 5]));
            program.add(AllocationFunction::Malloc, block.as_ptr() as u64, 0, 40);
            blocks.push(block);
        }
    }
    program.calls
}

fn ns_each(since: Instant, events: usize) -> f64 {
    since.elapsed().as_secs_f64() * 1e9 / events as f64
}

/// The median of the chunks, and the best one.
fn summary(mut all: Vec<f64>) -> String {
    all.sort_by(f64::total_cmp);
    format!("encode {:5.1} ns (best {:5.1})", all[all.len() / 2], all[0])
}

fn read(file: Vec<u8>, events: usize) -> f64 {
    let start = Instant::now();
    let mut reader = Reader::open(Cursor::new(file)).unwrap();
    let (mut batch, mut read) = (Batch::default(), 0);
    while reader.next_batch(&mut batch).unwrap() {
        read += black_box(&batch.events).len();
    }
    assert_eq!((read, reader.damage().is_none()), (events, true));
    ns_each(start, events)
}

/// Calls as `threads` threads made them, all at the same times.
fn measure_calls(name: &str, calls: &[(u64, Allocation)], threads: u32) {
    let mut writer =
        Writer::new(Vec::new(), &header(0, Sees::default()), &About::default()).unwrap();
    let mut encoder = CallsEncoder::new(SourceId(1), THREAD);
    let mut encoding = Vec::new();
    for part in calls.chunks(CHUNK_CALLS) {
        // As a recorder finds them: just written, in the processor's caches.
        let part = black_box(part.to_vec());
        for number in 1..=threads {
            encoder.restart(SourceId(number), Thread { pid: 1, tid: number });
            let start = Instant::now();
            for (time_ns, call) in &part {
                encoder.push(*time_ns + u64::from(number), call);
            }
            let chunk = encoder.finish();
            encoding.push(ns_each(start, part.len()));
            writer.append(&chunk).unwrap();
        }
    }
    let events = calls.len() * threads as usize;
    let file = writer.finish(&RecordingSummary::default()).unwrap();
    println!(
        "{name:24} {}  {:5.2} bytes  read {:5.1} ns   an event",
        summary(encoding),
        file.len() as f64 / events as f64,
        read(file, events)
    );
}

/// First touches of four threads, page after page.
fn measure_faults() {
    let mut random = Random(5);
    let mut events = Vec::new();
    let mut next = [0x7f00_0000_0000_u64; 4];
    for number in 0..1_000_000_u64 {
        let thread = random.below(4);
        let place = &mut next[usize::try_from(thread).unwrap()];
        *place += 4096;
        let latency_ns = 700 + random.below(1500);
        let span = Span {
            latency_ns: NonZeroU64::new(latency_ns),
            on_cpu_ns: NonZeroU64::new(latency_ns - random.below(50) / 49),
        };
        let fault = Fault {
            address: *place + (thread << 36),
            ip: 0x5555_0000 + random.below(2) * 40,
            span,
            page_bytes: None,
            major: false,
            in_kernel: false,
            present: None,
        };
        let thread = Thread { pid: 1, tid: u32::try_from(thread).unwrap() + 1 };
        let time_ns = (1 << 40) + number * 900 + random.below(500);
        events.push(Event { time_ns, thread, kind: EventKind::Fault(fault) });
    }
    let mut writer =
        Writer::new(Vec::new(), &header(0, Sees::default()), &About::default()).unwrap();
    let mut encoding = Vec::new();
    for part in events.chunks(8192) {
        let batch = Batch { definitions: Vec::new(), events: part.to_vec() };
        let start = Instant::now();
        let chunk = encode_batch(&batch);
        encoding.push(ns_each(start, part.len()));
        writer.append(&chunk).unwrap();
    }
    let file = writer.finish(&RecordingSummary::default()).unwrap();
    println!(
        "{:24} {}  {:5.2} bytes  read {:5.1} ns   an event",
        "faults, 4 threads",
        summary(encoding),
        file.len() as f64 / events.len() as f64,
        read(file, events.len())
    );
}

fn main() {
    let mixed = churn(64, 257);
    measure_calls("churn, 64 live", &mixed, 1);
    measure_calls("churn, 64 live, 4 threads", &mixed, 4);
    drop(mixed);
    measure_calls("churn, 50,000 live", &churn(50_000, 257), 1);
    measure_calls("interpreter", &interpreter(), 1);
    measure_calls("growth", &growth(), 1);
    measure_faults();
}
