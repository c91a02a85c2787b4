use events::{Call, Ending, Lost, Name};

use super::*;

fn by(tid: u32) -> Thread {
    Thread { pid: 1, tid }
}

fn half(time_ns: u64, tid: u32, what: Piece) -> Half {
    Half { time_ns, thread: by(tid), what }
}

fn fault(address: u64) -> Piece {
    Piece::FaultBegins { address, ip: 0x400, in_kernel: false }
}

const FAULT_ENDS: Piece = Piece::FaultEnds { major: false, page_bytes: None };

fn call(by_stops: bool) -> Piece {
    Piece::CallBegins { call: Call::Mmap, text: Name::NONE, arguments: [7; 6], by_stops }
}

/// What comes of `halves`: for each event its beginning, its latency and its time on a processor (0: not known).
fn events(halves: &[Half]) -> (Vec<Event>, Counts) {
    let mut pairing = Pairing::default();
    let mut events = Vec::new();
    for &half in halves {
        pairing.take(half, &mut |event| events.push(event));
    }
    let counts = pairing.finish(&mut |event| events.push(event));
    (events, counts)
}

fn times(event: &Event) -> (u64, u64, u64) {
    let span = match event.what {
        What::Fault(fault) => fault.span,
        What::Syscall(call) => call.span,
        _ => Span::default(),
    };
    (event.time_ns, span.latency_ns.map_or(0, NonZeroU64::get), span.on_cpu_ns.map_or(0, NonZeroU64::get))
}

fn check(halves: &[Half], expect: &[(u64, u64, u64)]) -> Counts {
    let (events, counts) = events(halves);
    assert_eq!(events.iter().map(times).collect::<Vec<_>>(), expect);
    assert_eq!(counts.events, expect.len() as u64);
    counts
}

#[test]
fn halves_of_each_thread_belong_together() {
    let halves = [
        half(10, 1, fault(0x1000)),
        half(12, 2, fault(0x2000)),
        half(15, 2, Piece::FaultEnds { major: true, page_bytes: None }),
        half(20, 1, FAULT_ENDS),
        half(30, 1, call(false)),
        half(33, 1, fault(0x3000)), // the kernel touches user memory inside the call
        half(35, 1, FAULT_ENDS),
        half(40, 1, Piece::CallEnds { result: -12 }),
    ];
    let counts = check(&halves, &[(10, 10, 10), (12, 3, 3), (30, 10, 10), (33, 2, 2)]);
    assert_eq!((counts.faults, counts.late), (3, 0));
    let (events, _) = events(&halves);
    assert!(matches!(events[1].what, What::Fault(Fault { major: true, address: 0x2000, .. })));
    assert!(matches!(events[2].what, What::Syscall(Syscall { result: Some(-12), .. })));
}

#[test]
fn time_off_the_processor_is_told_apart() {
    let halves = [
        half(5, 1, Piece::SwitchOut),
        half(9, 1, Piece::SwitchIn), // before: does not count
        half(10, 1, fault(0x1000)),
        half(12, 1, Piece::SwitchOut),
        half(90, 1, Piece::SwitchIn),
        half(100, 1, FAULT_ENDS),
    ];
    check(&halves, &[(10, 90, 12)]);
}

#[test]
fn a_call_seen_by_stops_lasts_from_coming_to_leaving() {
    let halves = [
        half(10, 1, Piece::SwitchOut), // stopped before the call
        half(20, 1, call(true)),       // the tracer lets it go on
        half(26, 1, Piece::SwitchIn),
        half(28, 1, Piece::SwitchOut), // waits inside
        half(38, 1, Piece::SwitchIn),
        half(40, 1, Piece::SwitchOut), // stopped after the call
        half(55, 1, Piece::CallEnds { result: 0 }),
    ];
    check(&halves, &[(20, 14, 4)]);
    let unseen = [half(20, 1, call(true)), half(55, 1, Piece::CallEnds { result: 0 })];
    check(&unseen, &[(20, 0, 0)]);
}

#[test]
fn what_has_no_end_is_kept_without_a_latency() {
    let halves = [
        half(10, 1, fault(0x1000)), // a signal instead of a page
        half(20, 1, fault(0x2000)),
        half(21, 1, FAULT_ENDS),
        half(30, 1, call(false)), // the thread is killed inside
        half(35, 1, Piece::Life(Life::Ended { ending: Ending::Unknown })),
        half(40, 2, fault(0x3000)), // nothing more is seen
    ];
    check(&halves, &[(10, 0, 0), (20, 1, 1), (30, 0, 0), (35, 0, 0), (40, 0, 0)]);
    // Ends of what began before anyone looked.
    check(&[half(1, 1, FAULT_ENDS), half(2, 1, Piece::CallEnds { result: 0 })], &[]);
}

#[test]
fn others_wait_for_the_slow_but_not_for_ever() {
    let slow = PATIENCE_NS * 3;
    let halves = [
        half(10, 1, fault(0x1000)),
        half(20, 2, fault(0x2000)),
        half(25, 2, FAULT_ENDS),
        half(30, 3, Piece::Lost(Lost { records: 4 })),
        half(slow, 2, fault(0x3000)),
        half(slow + 5, 2, FAULT_ENDS),
        half(slow + 10, 1, FAULT_ENDS),
    ];
    let counts = check(&halves, &[(20, 5, 5), (30, 0, 0), (slow, 5, 5), (10, slow, slow)]);
    assert_eq!((counts.late, counts.lost), (1, 4));
}
