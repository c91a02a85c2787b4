//! Streams of any contents, and how tests write and read them.

use std::io::Cursor;
use std::num::NonZeroU64;

use events::{
    Allocation, AllocationFunction, Batch, BuildId, Call, Clock, Definition, Device, Ending, Event,
    EventKind, Fault, Frame, Header, Interner, Life, Lost, Mapping, MappingKind, Module, ModuleId,
    Name, Sees, Span, StackId, Syscall, ThpPolicy, Thread,
};
use proptest::prelude::*;
use recording::{About, CallsEncoder, Chunk, Reader, RecordingSummary, SourceId, Writer};

pub(crate) const HEADER: Header = Header {
    clock: Clock::Monotonic,
    began_ns: 7,
    page_bytes: 4096,
    huge_pages: ThpPolicy::Advised,
    can_swap: true,
    sees: Sees {
        calls: true,
        faults: false,
        kernel_faults: true,
        page_sizes: false,
        allocations: true,
        stops: false,
        absences: false,
    },
};

/// A file with these chunks.
pub(crate) fn file_of(chunks: &[Chunk]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &HEADER, &About::default()).unwrap();
    for chunk in chunks {
        writer.append(chunk).unwrap();
    }
    let bytes = writer.bytes_written();
    let file = writer.finish(&RecordingSummary::default()).unwrap();
    assert!(file.len() as u64 > bytes);
    file
}

/// What a reader finds in a file.
pub(crate) struct Found {
    pub(crate) definitions: Vec<Definition>,
    pub(crate) events: Vec<Event>,
    pub(crate) reader: Reader<Cursor<Vec<u8>>>,
}

/// Everything in a file that can be opened.
pub(crate) fn read(file: &[u8]) -> Option<Found> {
    let reader = Reader::open(Cursor::new(file.to_vec())).ok()?;
    let mut found = Found { definitions: Vec::new(), events: Vec::new(), reader };
    let mut batch = Batch::default();
    while found.reader.next_batch(&mut batch).unwrap() {
        found.definitions.append(&mut batch.definitions);
        found.events.append(&mut batch.events);
    }
    Some(found)
}

/// The chunk of the calls of a thread.
pub(crate) fn calls_chunk(source: u32, thread: Thread, calls: &[(u64, Allocation)]) -> Chunk {
    let mut encoder = CallsEncoder::new(SourceId(source), thread);
    for (time_ns, call) in calls {
        encoder.push(*time_ns, call);
    }
    assert_eq!(encoder.is_empty(), calls.is_empty());
    assert!(calls.is_empty() || encoder.bytes() > calls.len());
    let chunk = encoder.finish();
    assert_eq!((encoder.is_empty(), encoder.len()), (true, 0));
    chunk
}

/// The events of calls.
pub(crate) fn call_events(thread: Thread, calls: &[(u64, Allocation)]) -> Vec<Event> {
    let event = |&(time_ns, call): &_| Event { time_ns, thread, kind: EventKind::Allocation(call) };
    calls.iter().map(event).collect()
}

/// Numbers of all magnitudes.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(bits, shift)| bits >> shift)
}

fn number32() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0..32_u32).prop_map(|(bits, shift)| bits >> shift)
}

/// A time in a few seconds, or any.
pub(crate) fn time() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 1_000_000_000..5_000_000_000_u64, 1 => any::<u64>()]
}

pub(crate) fn thread() -> impl Strategy<Value = Thread> {
    (number32(), number32()).prop_map(|(pid, tid)| Thread { pid, tid })
}

fn latency() -> impl Strategy<Value = Option<NonZeroU64>> {
    number().prop_map(NonZeroU64::new)
}

fn span() -> impl Strategy<Value = Span> {
    (latency(), latency()).prop_map(|(latency_ns, on_cpu_ns)| Span { latency_ns, on_cpu_ns })
}

/// Addresses that are used again, in steps of 16 bytes, or any.
fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0..40_u64).prop_map(|n| 0x5555_0000_0000 + 16 * n),
        1 => Just(0),
        1 => any::<u64>(),
    ]
}

pub(crate) fn allocation() -> impl Strategy<Value = Allocation> {
    let size = prop_oneof![4 => 0..300_u64, 1 => number()];
    let alignment = prop_oneof![4 => Just(0), 1 => any::<u8>()];
    let function = prop::sample::select(AllocationFunction::ALL.to_vec());
    let stack = prop_oneof![9 => 0..5_u32, 1 => any::<u32>()];
    (address(), address(), size, latency(), stack, function, alignment).prop_map(
        |(address, released, size_bytes, latency_ns, stack, function, alignment_log2)| Allocation {
            address,
            released,
            size_bytes,
            latency_ns,
            stack: StackId::from_number(stack),
            function,
            alignment_log2,
        },
    )
}

fn syscall() -> impl Strategy<Value = Syscall> {
    let arguments = prop::array::uniform6(number());
    let result = prop::option::of(any::<i64>());
    let call = prop::sample::select(Call::ALL.to_vec());
    (call, any::<bool>(), number32(), arguments, result, span()).prop_map(
        |(call, arguments_known, text, arguments, result, span)| Syscall {
            call,
            arguments_known,
            text: Name::from_number(text),
            arguments,
            result,
            span,
        },
    )
}

fn fault() -> impl Strategy<Value = Fault> {
    let present = prop::option::of(any::<bool>());
    (number(), number(), span(), latency(), any::<bool>(), any::<bool>(), present).prop_map(
        |(address, ip, span, page_bytes, major, in_kernel, present)| Fault {
            address,
            ip,
            span,
            page_bytes,
            major,
            in_kernel,
            present,
        },
    )
}

fn mapping() -> impl Strategy<Value = Mapping> {
    let kind = prop::sample::select(vec![
        MappingKind::Heap,
        MappingKind::Anonymous,
        MappingKind::SharedAnonymous,
        MappingKind::PrivateFile,
        MappingKind::SharedFile,
        MappingKind::Stack,
        MappingKind::ThreadStack,
        MappingKind::Kernel,
        MappingKind::Other,
    ]);
    (number(), number(), number(), number32(), number32(), number32(), kind, any::<bool>())
        .prop_map(|(start, end, offset_bytes, protection, name, module, kind, hugetlb)| Mapping {
            start,
            end,
            offset_bytes,
            protection,
            name: Name::from_number(name),
            module: ModuleId::from_number(module),
            kind,
            hugetlb,
        })
}

fn life() -> impl Strategy<Value = Life> {
    let ending = prop_oneof![
        Just(Ending::Unknown),
        any::<u8>().prop_map(Ending::Exited),
        any::<u8>().prop_map(Ending::Killed),
    ];
    prop_oneof![
        thread().prop_map(|by| Life::Started { by }),
        number32().prop_map(|name| Life::Executed { name: Name::from_number(name) }),
        ending.prop_map(|ending| Life::Ended { ending }),
        Just(Life::Attached),
        Just(Life::Compat32),
    ]
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        syscall().prop_map(EventKind::Syscall),
        fault().prop_map(EventKind::Fault),
        allocation().prop_map(EventKind::Allocation),
        mapping().prop_map(EventKind::Mapping),
        life().prop_map(EventKind::Life),
        number().prop_map(|records| EventKind::Lost(Lost { records })),
    ];
    let threads = prop_oneof![(0..3_u32).prop_map(|tid| Thread { pid: 1, tid }), thread(),];
    (time(), threads, kind).prop_map(|(time_ns, thread, kind)| Event { time_ns, thread, kind })
}

/// Definitions in parts, as an observer makes them.
pub(crate) fn definitions() -> impl Strategy<Value = Vec<Vec<Definition>>> {
    let step = (0..5_u8, ".{0,12}", number(), 1..=20_usize);
    prop::collection::vec(step, 0..60).prop_map(|steps| {
        let (mut interner, mut parts) = (Interner::default(), vec![Vec::new()]);
        let (mut module_id, mut path, mut stack) = (None, Name::NONE, StackId::NONE);
        for (what, text, number, len) in steps {
            match what {
                0 => path = interner.text(&text),
                1 => {
                    let device = Device { major: 8, minor: 1 };
                    let module = Module { path, device, inode: number, generation: number >> 3 };
                    module_id = Some(interner.module(module));
                }
                2 => {
                    let id = BuildId::new(&number.to_le_bytes().repeat(3)[..len]).unwrap();
                    if let Some(module) = module_id {
                        interner.build_id(module, id);
                    }
                }
                3 => {
                    let caller = if len < 3 { StackId::NONE } else { stack };
                    stack = interner.frame(Frame { caller, address: number });
                }
                _ => parts.push(Vec::new()),
            }
            interner.take_new(parts.last_mut().unwrap());
        }
        parts
    })
}
