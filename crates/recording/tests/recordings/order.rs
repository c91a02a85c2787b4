//! The events of all sources come in one order.

use events::merge::Merge;
use events::{Allocation, AllocationFunction, Batch, Event, EventKind, StackId, Thread};
use proptest::prelude::*;
use recording::{Chunk, SourceId, encode_batch, encode_promise};

use crate::streams::{call_events, calls_chunk, file_of, read};

/// A step of a recorder: a source delivers events, each so much after its last promise, or promises
/// so much more.
#[derive(Debug, Clone)]
enum Step {
    Deliver(u32, Vec<u64>),
    Promise(u32, u64),
}

const SOURCES: u32 = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let times = prop::collection::vec(0..60_u64, 1..40);
    let step = prop_oneof![
        5 => (0..SOURCES, times).prop_map(|(source, times)| Step::Deliver(source, times)),
        3 => (0..SOURCES, 0..40_u64).prop_map(|(source, more)| Step::Promise(source, more)),
    ];
    prop::collection::vec(step, 0..60)
}

/// A call that says in its size when it was delivered.
fn call(number: u64) -> Allocation {
    Allocation {
        address: 0,
        released: 0,
        size_bytes: number,
        latency_ns: None,
        stack: StackId::NONE,
        function: AllocationFunction::Malloc,
        alignment_log2: 0,
    }
}

/// The chunks, their events in the order in which they were delivered, with their sources, and the
/// number of those that broke a promise. Steps of `keeps` deliver only after their promises.
fn run(steps: &[Step], keeps: bool) -> (Vec<Chunk>, Vec<(u32, Event)>, u64) {
    let (mut chunks, mut delivered, mut late) = (Vec::new(), Vec::new(), 0);
    let mut promised = [0; SOURCES as usize];
    for step in steps {
        match step {
            Step::Deliver(source, times) => {
                let promised_ns = promised[*source as usize];
                let base_ns = if keeps { promised_ns } else { 0 };
                let number = delivered.len() as u64;
                let calls: Vec<(u64, Allocation)> =
                    times.iter().zip(number..).map(|(ns, n)| (base_ns + ns, call(n))).collect();
                let thread = Thread { pid: 1, tid: *source };
                let events = call_events(thread, &calls);
                late += events.iter().filter(|event| event.time_ns < promised_ns).count() as u64;
                chunks.push(if *source == 0 {
                    encode_batch(&Batch { definitions: Vec::new(), events: events.clone() })
                } else {
                    calls_chunk(*source, thread, &calls)
                });
                delivered.extend(events.into_iter().map(|event| (*source, event)));
            }
            Step::Promise(source, more) => {
                promised[*source as usize] += more;
                chunks.push(encode_promise(SourceId(*source), promised[*source as usize]));
            }
        }
    }
    (chunks, delivered, late)
}

proptest! {
    #[test]
    fn sources_that_keep_their_promises_are_merged_as_live(steps in steps()) {
        let (chunks, delivered, _) = run(&steps, true);
        let found = read(&file_of(&chunks)).unwrap();
        prop_assert_eq!(found.reader.late(), 0);
        let mut merge = Merge::new(SOURCES as usize);
        for (source, event) in &delivered {
            merge.push(*source as usize, event.time_ns, *event);
        }
        let mut live = Vec::new();
        merge.close();
        merge.emit(|event| live.push(event));
        prop_assert_eq!(found.events, live);
    }

    #[test]
    fn the_order_is_that_of_a_sort_and_late_events_are_counted(steps in steps()) {
        let (chunks, mut delivered, late) = run(&steps, false);
        let found = read(&file_of(&chunks)).unwrap();
        prop_assert_eq!(found.reader.late(), late);
        delivered.sort_by_key(|(source, event)| (event.time_ns, *source));
        let sorted: Vec<Event> = delivered.into_iter().map(|(_, event)| event).collect();
        prop_assert_eq!(found.events, sorted);
    }
}

#[test]
fn a_closed_source_is_forgotten() {
    let thread = Thread { pid: 1, tid: 1 };
    let file = file_of(&[
        calls_chunk(1, thread, &[(100, call(0))]),
        encode_promise(SourceId(1), 200),
        calls_chunk(1, thread, &[(50, call(1))]),
        encode_promise(SourceId(1), u64::MAX),
        // The number of the source is used again.
        calls_chunk(1, thread, &[(60, call(2))]),
    ]);
    let found = read(&file).unwrap();
    let sizes: Vec<u64> = found
        .events
        .iter()
        .map(|event| match event.kind {
            EventKind::Allocation(call) => call.size_bytes,
            _ => panic!("{event:?}"),
        })
        .collect();
    assert_eq!((sizes, found.reader.late()), (vec![1, 2, 0], 1));
}

/// Definitions stand before the events that use them, though those events began earlier than all
/// that the observed source has delivered.
#[test]
fn definitions_come_before_their_use() {
    let mut interner = events::Interner::default();
    let text = interner.text("a");
    let mut definitions = Vec::new();
    interner.take_new(&mut definitions);
    let later =
        Event { time_ns: 1000, ..call_events(Thread { pid: 1, tid: 1 }, &[(0, call(0))])[0] };
    let file = file_of(&[
        encode_batch(&Batch { definitions, events: vec![later] }),
        calls_chunk(1, Thread { pid: 1, tid: 1 }, &[(5, call(1))]),
    ]);
    let mut reader = recording::Reader::open(std::io::Cursor::new(file)).unwrap();
    let mut batch = Batch::default();
    assert!(reader.next_batch(&mut batch).unwrap());
    assert_eq!(
        batch.definitions,
        [events::Definition::Text(text, "a".into())],
        "in the same batch at the latest"
    );
    assert_eq!(batch.events.iter().map(|event| event.time_ns).collect::<Vec<_>>(), [5, 1000]);
    assert!(!reader.next_batch(&mut batch).unwrap());
}
