//! Writes a large recording, as of a program that allocates all the time: `cargo run --release -p
//! firsttouch-recording --example generate -- FILE EVENTS [THREADS]`. The addresses are those that
//! this program's own allocator gives out. THREADS (few,many,interpreter) are those of one process:
//! one keeps 64 blocks, one keeps 50,000, and one allocates as an interpreter does, from some
//! hundred stacks of 20 frames. One free in eight is timed, as a recorder does it. Of 64 calls one
//! is a page fault, of 4096 one a syscall.

mod common;

use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::num::NonZeroU64;

use events::{
    Allocation, AllocationFunction, Batch, Call, Event, EventKind, Fault, Frame, Interner,
    MappingReport, Sees, Span, StackId, Syscall, Thread,
};
use recording::{About, CallsEncoder, RecordingSummary, SourceId, Writer, encode_batch};

use common::{CHUNK_CALLS, Random, header};

const PID: u32 = 100;
const BEGAN_NS: u64 = 1 << 40;
const CODE: u64 = 0x5555_5555_0000;

/// An index below `len`.
fn index(random: &mut Random, len: usize) -> usize {
    usize::try_from(random.below(len as u64)).unwrap_or_default()
}

/// How a thread allocates.
enum Habit {
    /// It keeps so many blocks; each new one takes the place of any.
    Keeps(usize),
    /// Many sites, each with its sizes; most blocks live shortly, some long.
    Interprets { long: Vec<Vec<u8>> },
}

/// A thread, with its blocks.
struct Program {
    tid: u32,
    time_ns: u64,
    random: Random,
    habit: Habit,
    blocks: VecDeque<Vec<u8>>,
    frees: u32,
    encoder: CallsEncoder,
    calls: usize,
    observed: Vec<Event>,
}

impl Program {
    fn new(tid: u32, habit: Habit) -> Program {
        Program {
            tid,
            time_ns: BEGAN_NS,
            random: Random(88_172_645_463_325_252 + u64::from(tid)),
            habit,
            blocks: VecDeque::new(),
            frees: 0,
            encoder: CallsEncoder::new(SourceId(tid), Thread { pid: PID, tid }),
            calls: 0,
            observed: Vec::new(),
        }
    }

    fn thread(&self) -> Thread {
        Thread { pid: PID, tid: self.tid }
    }

    /// Where the block is in the recorded program: each thread has memory of its own, since their
    /// times are not those in which this program allocates.
    fn address(&self, block: &[u8]) -> u64 {
        (block.as_ptr() as u64 & 0xf_ffff_ffff) | u64::from(self.tid - PID + 1) << 40
    }

    fn malloc(&mut self, size: u64, stack: StackId) -> Vec<u8> {
        let block: Vec<u8> = Vec::with_capacity(usize::try_from(size).unwrap_or(64));
        let latency_ns = NonZeroU64::new(20 + self.random.below(41));
        let address = self.address(&block);
        let call = Allocation {
            address,
            released: 0,
            size_bytes: size,
            latency_ns,
            stack,
            function: AllocationFunction::Malloc,
            alignment_log2: 0,
        };
        self.call(&call);
        if self.random.below(64) == 0 {
            self.fault(address);
        }
        if self.random.below(4096) == 0 {
            self.syscall();
        }
        block
    }

    fn free(&mut self, block: &[u8]) {
        self.frees += 1;
        let timed = self.frees.is_multiple_of(8);
        let latency_ns = NonZeroU64::new(15 + self.random.below(30)).filter(|_| timed);
        let call = Allocation {
            address: 0,
            released: self.address(block),
            size_bytes: 0,
            latency_ns,
            stack: StackId::NONE,
            function: AllocationFunction::Free,
            alignment_log2: 0,
        };
        self.call(&call);
    }

    fn call(&mut self, call: &Allocation) {
        self.encoder.push(self.time_ns, call);
        self.calls += 1;
        let latency_ns = call.latency_ns.map_or(20, NonZeroU64::get);
        self.time_ns += latency_ns + 5 + self.random.below(60);
    }

    fn fault(&mut self, address: u64) {
        let latency_ns = 700 + self.random.below(1500);
        let fault = Fault {
            address,
            ip: CODE + 64 * self.random.below(100),
            span: Span { latency_ns: NonZeroU64::new(latency_ns), on_cpu_ns: None },
            page_bytes: NonZeroU64::new(4096),
            major: false,
            in_kernel: false,
            present: Some(false),
        };
        let (time_ns, thread) = (self.time_ns, self.thread());
        self.observed.push(Event { time_ns, thread, kind: EventKind::Fault(fault) });
        self.time_ns += latency_ns;
    }

    fn syscall(&mut self) {
        let syscall = Syscall {
            call: Call::Madvise,
            arguments_known: true,
            text: events::Name::NONE,
            arguments: [0x7000_0000_0000, 4096, 4, 0, 0, 0],
            result: Some(0),
            span: Span { latency_ns: NonZeroU64::new(900), on_cpu_ns: None },
        };
        let (time_ns, thread) = (self.time_ns, self.thread());
        self.observed.push(Event { time_ns, thread, kind: EventKind::Syscall(syscall) });
        self.time_ns += 900;
    }

    /// A malloc, and as a rule a free.
    fn step(&mut self, stacks: &[StackId]) {
        if let Habit::Keeps(most) = self.habit {
            if self.blocks.len() == most {
                let at = index(&mut self.random, most);
                if let Some(block) = self.blocks.swap_remove_back(at) {
                    self.free(&block);
                }
            }
            let size = 16 + self.random.below(257);
            let place = index(&mut self.random, 8);
            let block = self.malloc(size, stacks[place]);
            return self.blocks.push_back(block);
        }
        let place =
            index(&mut self.random, 24) * index(&mut self.random, 24) / 24 * stacks.len() / 32;
        let size = 24 + 16 * (place as u64 % 9);
        let block = self.malloc(size, stacks[place]);
        let keeps = self.random.below(20) == 0;
        let Habit::Interprets { long } = &mut self.habit else { return };
        if keeps {
            long.push(block);
        } else {
            self.blocks.push_back(block);
        }
        let gone = match self.random.below(8) {
            0 => self.blocks.pop_front(),
            1 if long.len() > 20_000 => {
                let at = index(&mut self.random, long.len());
                Some(long.swap_remove(at))
            }
            2..6 => self.blocks.pop_back(),
            _ if self.blocks.len() > 100 => self.blocks.pop_front(),
            _ => None,
        };
        if let Some(block) = gone {
            self.free(&block);
        }
    }
}

/// Some hundred stacks of 20 frames, of which the outer ones are shared.
fn stacks(interner: &mut Interner) -> Vec<StackId> {
    let mut outer = vec![StackId::NONE];
    for depth in 0..20_u32 {
        let width = 1 + depth * depth;
        let next = (0..width).map(|number| {
            let at = usize::try_from(number).unwrap_or_default();
            let address = CODE + u64::from(depth * 4096 + number * 16 + 1);
            interner.frame(Frame { caller: outer[at % outer.len()], address })
        });
        outer = next.collect();
    }
    outer
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(events)) = (arguments.next(), arguments.next()) else {
        return Err("generate FILE EVENTS [THREADS]".into());
    };
    let events: usize = events.parse()?;
    let sees = Sees {
        calls: true,
        faults: true,
        kernel_faults: true,
        page_sizes: true,
        allocations: true,
        stops: false,
        absences: false,
    };
    let file = BufWriter::new(File::create(path)?);
    let mut writer = Writer::new(file, &header(BEGAN_NS, sees), &About::default())?;
    let mut interner = Interner::default();
    let stacks = stacks(&mut interner);
    let code = MappingReport {
        start: CODE,
        end: CODE + (1 << 20),
        protection: 5,
        name: "/nowhere/program",
        inode: 7,
        ..MappingReport::default()
    };
    let heap = MappingReport { start: 0x1000_0000, end: 0x7fff_0000_0000, protection: 3, ..code };
    let heap = MappingReport { name: "", inode: 0, ..heap };
    let habits = arguments.next().unwrap_or_else(|| "few,many,interpreter".to_owned());
    let habits = habits.split(',').map(|habit| match habit {
        "few" => Ok(Habit::Keeps(64)),
        "many" => Ok(Habit::Keeps(50_000)),
        "interpreter" => Ok(Habit::Interprets { long: Vec::new() }),
        _ => Err(format!("{habit}: threads are few, many, interpreter")),
    });
    let habits: Vec<Habit> = habits.collect::<Result<_, _>>()?;
    let numbered = (PID..).zip(habits);
    let mut programs: Vec<_> = numbered.map(|(tid, habit)| Program::new(tid, habit)).collect();
    let first = Thread { pid: PID, tid: PID };
    let mapped = [heap, code].map(|report| {
        let kind = EventKind::Mapping(report.intern(&mut interner));
        Event { time_ns: BEGAN_NS, thread: first, kind }
    });
    let mut definitions = Vec::new();
    interner.take_new(&mut definitions);
    writer.append(&encode_batch(&Batch { definitions, events: mapped.to_vec() }))?;
    let mut written = 0;
    while written < events {
        let Some(next) = programs.iter_mut().min_by_key(|program| program.time_ns) else { break };
        while next.calls < CHUNK_CALLS {
            next.step(&stacks);
        }
        written += next.calls + next.observed.len();
        writer.append(&next.encoder.finish())?;
        next.encoder.restart(SourceId(next.tid), next.thread());
        next.calls = 0;
        let events = std::mem::take(&mut next.observed);
        writer.append(&encode_batch(&Batch { definitions: Vec::new(), events }))?;
    }
    writer.finish(&RecordingSummary::default())?;
    println!("{written} events");
    Ok(())
}
