//! What is written comes back.

use std::io::Cursor;
use std::num::NonZeroU64;

use events::{
    Absence, AbsenceReason, Batch, Clock, ClockFloor, Definitions, Event, EventKind, Header, Lost,
    Sees, StackSampling, ThpPolicy, Thread,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use recording::{
    About, CallsEncoder, CutReason, MappingRules, ProbeCounts, Reader, RecordingSummary,
    RecordingSwitch, SourceId, Writer, encode_batch, encode_counts, encode_switch,
};

use crate::streams::{
    HEADER, allocation, call_events, calls_chunk, definitions, event, file_of, read, thread, time,
};

/// Sorts as a stream is: by time, and those of the same time as they are.
pub(crate) fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| event.time_ns);
    events
}

proptest! {
    #[test]
    fn observed_events_come_back(events in prop::collection::vec(event(), 0..200)) {
        let batch = Batch { definitions: Vec::new(), events };
        let found = read(&file_of(&[encode_batch(&batch)])).unwrap();
        prop_assert_eq!(found.reader.events(), batch.events.len() as u64);
        prop_assert_eq!(found.events, in_order(batch.events));
        prop_assert!(found.reader.damage().is_none());
    }

    #[test]
    fn calls_come_back(
        thread in thread(),
        calls in prop::collection::vec((time(), allocation()), 0..400)
    ) {
        let found = read(&file_of(&[calls_chunk(3, thread, &calls)])).unwrap();
        prop_assert_eq!(found.events, in_order(call_events(thread, &calls)));
        prop_assert!(found.reader.damage().is_none());
    }

    #[test]
    fn definitions_come_back_and_can_be_taken(parts in definitions()) {
        let batch = |part: &Vec<_>| Batch { definitions: part.clone(), events: Vec::new() };
        let chunks: Vec<_> = parts.iter().map(|part| encode_batch(&batch(part))).collect();
        let found = read(&file_of(&chunks)).unwrap();
        prop_assert_eq!(&found.definitions, &parts.concat());
        let mut table = Definitions::default();
        prop_assert!(found.definitions.into_iter().all(|definition| table.define(definition)));
    }

    #[test]
    fn an_encoder_serves_many_threads(
        parts in prop::collection::vec(
            (0..4_u32, prop::collection::vec((time(), allocation()), 1..60)), 0..12
        )
    ) {
        let mut encoder = CallsEncoder::new(SourceId(9), Thread { pid: 9, tid: 9 });
        let (mut chunks, mut expected) = (Vec::new(), Vec::new());
        for (tid, calls) in &parts {
            let thread = Thread { pid: 1, tid: *tid };
            encoder.restart(SourceId(*tid), thread);
            for (time_ns, call) in calls {
                encoder.push(*time_ns, call);
            }
            chunks.push(encoder.finish());
            expected.extend(call_events(thread, calls));
        }
        expected.sort_by_key(|event| (event.time_ns, event.thread.tid));
        prop_assert_eq!(read(&file_of(&chunks)).unwrap().events, expected);
    }
}

#[test]
fn absences_come_back_sorted_in_chunks_of_their_own() {
    let absence = |time_ns, latency_ns, reason| Event {
        time_ns,
        thread: Thread { pid: 1, tid: 2 },
        kind: EventKind::Absence(Absence { latency_ns, reason }),
    };
    let lost = Event {
        time_ns: 60,
        thread: Thread { pid: 1, tid: 2 },
        kind: EventKind::Lost(Lost { records: 1 }),
    };
    let events = vec![
        absence(70, 0, AbsenceReason::Preempted),
        lost,
        absence(50, 1 << 40, AbsenceReason::Blocked),
        absence(90, 5, AbsenceReason::Stopped),
        absence(5, 80, AbsenceReason::LeftOut { absences: 9, sum_ns: 7 }),
        absence(91, 1, AbsenceReason::Unknown),
    ];
    let chunk = encode_batch(&Batch { definitions: Vec::new(), events: events.clone() });
    let kinds = |bytes: &[u8]| {
        let starts = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"\xf1chk"));
        starts.map(|at| (bytes[at + 4], bytes[at + 5])).collect::<Vec<_>>()
    };
    assert_eq!(kinds(chunk.bytes()), [(3, 0), (12, 0)], "both in order");
    let found = read(&file_of(&[chunk])).unwrap();
    assert_eq!(found.events, in_order(events));
    assert!(found.reader.damage().is_none() && found.reader.events() == 6);
}

#[test]
fn many_events_fill_several_chunks() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut some = |count: usize| {
        let calls = prop::collection::vec((time(), allocation()), count);
        calls.new_tree(&mut runner).unwrap().current()
    };
    let thread = Thread { pid: 1, tid: 2 };
    let calls = some(1000).repeat(150);
    let chunk = calls_chunk(1, thread, &calls);
    let found = read(&file_of(&[chunk])).unwrap();
    let expected = in_order(call_events(thread, &calls));
    assert!(found.events == expected, "{} of {}", found.events.len(), expected.len());
    let batch = Batch { definitions: Vec::new(), events: expected };
    let found = read(&file_of(&[encode_batch(&batch)])).unwrap();
    assert!(found.events == batch.events, "{} events", found.events.len());
}

#[test]
fn what_a_recording_says_of_itself_comes_back() {
    let text = |text: &str| Some(text.to_owned());
    let about = About {
        version: text("1.2.3"),
        started_ns: Some(-5),
        command: Some(vec!["a".to_owned(), String::new(), "ä b".to_owned()]),
        directory: text("/tmp"),
        host: None,
        kernel: text("6.18"),
        notices: vec!["no faults".to_owned()],
        is_redacted: true,
        stack_sampling: NonZeroU64::new(64 << 10).map(|mean_bytes| StackSampling { mean_bytes }),
        mapping_rules: MappingRules {
            mappings_max: Some(65_530),
            address_space_max_bytes: None,
            overcommit_memory: Some(0),
            frees_empty_tables: Some(true),
        },
        clock_floor: ClockFloor { call_ns: 21, release_ns: 40 },
    };
    for cut in [
        None,
        Some(CutReason::Stopped),
        Some(CutReason::Limit),
        Some(CutReason::Write("No space left on device".to_owned())),
        Some(CutReason::Other("the ring is gone".to_owned())),
    ] {
        for (huge_pages, can_swap) in
            [(ThpPolicy::Never, true), (ThpPolicy::Always, false), (ThpPolicy::Advised, true)]
        {
            let header = Header { huge_pages, can_swap, ..HEADER };
            let summary = RecordingSummary {
                until_ns: u64::MAX,
                lost: 1,
                late: 2,
                faults_seen: 3,
                faults_counted: None,
                rusage_minor: Some(0),
                rusage_major: Some(6),
                probe_ns_per_call: can_swap.then_some(21.5),
                probe_ns_per_fault: can_swap.then_some(180),
                probe_ns_per_syscall: Some(0),
                clock_error_ns: Some(40),
                cut: cut.clone(),
            };
            let file = Writer::new(Vec::new(), &header, &about).unwrap().finish(&summary).unwrap();
            let reader = Reader::open(Cursor::new(file)).unwrap();
            assert_eq!((reader.header(), reader.about()), (&header, &about));
            assert_eq!(reader.summary(), Some(&summary));
        }
    }
}

#[test]
fn each_thing_that_can_be_seen_comes_back() {
    for bit in 0..7 {
        let sees = Sees {
            calls: bit == 0,
            faults: bit == 1,
            kernel_faults: bit == 2,
            page_sizes: bit == 3,
            allocations: bit == 4,
            stops: bit == 5,
            absences: bit == 6,
        };
        let header = Header { clock: Clock::Monotonic, sees, ..HEADER };
        let writer = Writer::new(Vec::new(), &header, &About::default()).unwrap();
        let file = writer.finish(&RecordingSummary::default()).unwrap();
        assert_eq!(Reader::open(Cursor::new(file)).unwrap().header(), &header);
    }
}

#[test]
fn the_last_counts_hold() {
    let last = ProbeCounts {
        processes: 1,
        threads: 2,
        lost: 3,
        waited_ns: 1 << 40,
        nested: 5,
        cut_stacks: 6,
        unknown_stacks: 7,
        checked_stacks: u64::MAX,
        wrong_stacks: 9,
        own_allocators: 10,
        deep_libraries: 11,
        gave_up: 12,
        silent_programs: 13,
    };
    let file = file_of(&[encode_counts(ProbeCounts::default()), encode_counts(last)]);
    assert_eq!(Reader::open(Cursor::new(file)).unwrap().counts(), Some(&last));
    assert_eq!(Reader::open(Cursor::new(file_of(&[]))).unwrap().counts(), None);
}

#[test]
fn the_times_of_pauses_come_back() {
    let switch = |time_ns, records| encode_switch(RecordingSwitch { time_ns, records });
    let chunks = [switch(0, false), switch(1 << 40, true), switch(u64::MAX - 9, false)];
    let found = read(&file_of(&chunks)).unwrap();
    assert_eq!(found.reader.pauses(), [0..1 << 40, u64::MAX - 9..u64::MAX]);
    assert_eq!((found.reader.unknown_chunks(), found.events.len()), (0, 0));
    assert!(found.reader.damage().is_none());
}
