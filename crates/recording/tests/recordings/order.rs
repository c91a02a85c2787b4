//! The events of all sources come in one order.

use events::merge::Merge;
use events::{Allocation, AllocationFunction, Batch, Event, StackId, Thread};
use proptest::prelude::*;
use recording::{Chunk, encode_batch};

use crate::streams::{call_events, calls_chunk, file_of, read};

/// What a source delivers at once.
#[derive(Debug, Clone)]
struct Delivery {
    source: u32,
    times: Vec<u64>,
}

const SOURCES: u32 = 4;

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let times = prop::collection::vec(0..60_u64, 1..40);
    let delivery = (0..SOURCES, times).prop_map(|(source, times)| Delivery { source, times });
    prop::collection::vec(delivery, 0..60)
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

/// The chunks, and their events in the order in which they were delivered, with their sources.
fn run(deliveries: &[Delivery]) -> (Vec<Chunk>, Vec<(u32, Event)>) {
    let (mut chunks, mut delivered) = (Vec::new(), Vec::new());
    for Delivery { source, times } in deliveries {
        let number = delivered.len() as u64;
        let calls: Vec<(u64, Allocation)> =
            times.iter().zip(number..).map(|(&ns, n)| (ns, call(n))).collect();
        let thread = Thread { pid: 1, tid: *source };
        let events = call_events(thread, &calls);
        chunks.push(if *source == 0 {
            encode_batch(&Batch { definitions: Vec::new(), events: events.clone() })
        } else {
            calls_chunk(*source, thread, &calls)
        });
        delivered.extend(events.into_iter().map(|event| (*source, event)));
    }
    (chunks, delivered)
}

proptest! {
    #[test]
    fn sources_are_merged_as_live(deliveries in deliveries()) {
        let (chunks, delivered) = run(&deliveries);
        let found = read(&file_of(&chunks)).unwrap();
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
    fn the_order_is_that_of_a_sort(deliveries in deliveries()) {
        let (chunks, mut delivered) = run(&deliveries);
        let found = read(&file_of(&chunks)).unwrap();
        delivered.sort_by_key(|(source, event)| (event.time_ns, *source));
        let sorted: Vec<Event> = delivered.into_iter().map(|(_, event)| event).collect();
        prop_assert_eq!(found.events, sorted);
    }
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
