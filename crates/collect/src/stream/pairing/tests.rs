use std::num::NonZeroU64;

use events::{Ending, Lost};

use super::*;

fn by(tid: u32) -> Thread {
    Thread { pid: 1, tid }
}

fn raw(time_ns: u64, tid: u32, kind: RawKind) -> RawEvent {
    RawEvent { time_ns, thread: by(tid), kind }
}

fn fault(address: u64) -> RawKind {
    RawKind::FaultBegins { address, ip: 0x400, in_kernel: false, present: None }
}

const FAULT_ENDS: RawKind = RawKind::FaultEnds { major: false, page_bytes: None };

fn call(by_ptrace: bool) -> RawKind {
    RawKind::CallBegins { call: Call::Mmap, text: Name::NONE, arguments: Some([7; 6]), by_ptrace }
}

/// Pairs `raws`: for each event its beginning, its latency and its time on a processor (0: not
/// known).
fn events(raws: &[RawEvent]) -> (Vec<Event>, Counts) {
    let mut pairing = Pairing::default();
    let mut events = Vec::new();
    for &raw in raws {
        pairing.take(raw, &mut |event| events.push(event));
    }
    let counts = pairing.finish(&mut |event| events.push(event));
    (events, counts)
}

fn times(event: &Event) -> (u64, u64, u64) {
    let span = match event.kind {
        EventKind::Fault(fault) => fault.span,
        EventKind::Syscall(call) => call.span,
        _ => Span::default(),
    };
    (
        event.time_ns,
        span.latency_ns.map_or(0, NonZeroU64::get),
        span.on_cpu_ns.map_or(0, NonZeroU64::get),
    )
}

fn check(raws: &[RawEvent], expect: &[(u64, u64, u64)]) -> Counts {
    let (events, counts) = events(raws);
    assert_eq!(events.iter().map(times).collect::<Vec<_>>(), expect);
    assert_eq!(counts.events, expect.len() as u64);
    counts
}

#[test]
fn beginnings_and_ends_are_paired_by_thread() {
    let raws = [
        raw(10, 1, fault(0x1000)),
        raw(12, 2, fault(0x2000)),
        raw(15, 2, RawKind::FaultEnds { major: true, page_bytes: None }),
        raw(20, 1, FAULT_ENDS),
        raw(30, 1, call(false)),
        raw(33, 1, fault(0x3000)), // the kernel touches user memory inside the call
        raw(35, 1, FAULT_ENDS),
        raw(40, 1, RawKind::CallEnds { result: Some(-12), refused: None }),
    ];
    let counts = check(&raws, &[(10, 10, 10), (12, 3, 3), (30, 10, 10), (33, 2, 2)]);
    assert_eq!((counts.faults, counts.late), (3, 0));
    let (events, _) = events(&raws);
    assert!(matches!(events[1].kind, EventKind::Fault(Fault { major: true, address: 0x2000, .. })));
    assert!(matches!(events[2].kind, EventKind::Syscall(Syscall { result: Some(-12), .. })));
}

#[test]
fn a_refused_fault_is_over_at_the_threads_next_act() {
    let mapping = events::Mapping {
        start: 0x1000,
        end: 0x2000,
        offset_bytes: 0,
        protection: 1,
        name: Name::NONE,
        module: events::ModuleId::NONE,
        kind: events::MappingKind::PrivateFile,
        hugetlb: false,
    };
    let ends = RawKind::CallEnds { result: Some(0), refused: None };
    let long = 2 * PATIENCE_NS;
    for acts in [
        vec![raw(20, 1, call(false)), raw(25, 1, ends)],
        vec![
            raw(15, 1, call(true)),
            raw(20, 1, RawKind::SwitchIn),
            raw(22, 1, RawKind::SwitchOut { preempted: false }),
            raw(25, 1, ends),
        ],
        vec![raw(20, 1, RawKind::Mapping(mapping))],
    ] {
        // The signal handler of thread 1 gives the page back; long afterwards it touches another.
        let mut raws = vec![raw(10, 1, fault(0x1000))];
        raws.extend(acts);
        raws.extend([raw(long, 2, fault(0x2000)), raw(long + 5, 2, FAULT_ENDS)]);
        raws.extend([raw(2 * long, 1, fault(0x1000)), raw(2 * long + 5, 1, FAULT_ENDS)]);
        let (events, counts) = events(&raws);
        let times: Vec<u64> = events.iter().map(|event| event.time_ns).collect();
        assert_eq!((times, counts.late), (vec![10, 20, long, 2 * long], 0));
    }
    let grown = events::Mapping { kind: events::MappingKind::Stack, ..mapping };
    let raws =
        [raw(10, 1, fault(0x1000)), raw(15, 1, RawKind::Mapping(grown)), raw(20, 1, FAULT_ENDS)];
    check(&raws, &[(10, 10, 10), (15, 0, 0)]);
}

#[test]
fn time_off_the_processor_is_excluded() {
    let raws = [
        raw(5, 1, RawKind::SwitchOut { preempted: false }),
        raw(9, 1, RawKind::SwitchIn), // before: does not count
        raw(10, 1, fault(0x1000)),
        raw(12, 1, RawKind::SwitchOut { preempted: false }),
        raw(90, 1, RawKind::SwitchIn),
        raw(100, 1, FAULT_ENDS),
    ];
    check(&raws, &[(10, 90, 12)]);
}

#[test]
fn absences_are_told_when_they_are_over_if_somebody_wants_them() {
    use events::{Absence, AbsenceReason};
    let out = |preempted| RawKind::SwitchOut { preempted };
    let ends = RawKind::CallEnds { result: Some(0), refused: None };
    let raws = [
        raw(10, 1, out(false)), // stopped before the call
        raw(20, 1, call(true)),
        raw(26, 1, RawKind::SwitchIn),
        raw(28, 1, out(false)), // waits inside
        raw(38, 1, RawKind::SwitchIn),
        raw(40, 1, ends), // the tracer is faster than the switch
        raw(41, 1, out(false)),
        raw(47, 1, RawKind::SwitchIn),
        raw(50, 1, out(true)),
        raw(60, 1, RawKind::SwitchIn),
        raw(70, 1, out(true)), // for ever
    ];
    let (without, _) = events(&raws);
    let mut pairing = Pairing::default();
    pairing.absences.tell("6.18");
    let mut with = Vec::new();
    for raw in raws {
        pairing.take(raw, &mut |event| with.push(event));
    }
    pairing.finish(&mut |event| with.push(event));
    let (absences, others): (Vec<Event>, Vec<Event>) =
        with.into_iter().partition(|event| matches!(event.kind, EventKind::Absence(_)));
    assert_eq!(others, without, "all else is as it was");
    let absence = |time_ns, latency_ns, reason| Event {
        time_ns,
        thread: by(1),
        kind: EventKind::Absence(Absence { latency_ns, reason }),
    };
    let expected = [
        absence(10, 16, AbsenceReason::Stopped),
        absence(28, 10, AbsenceReason::Blocked),
        absence(41, 6, AbsenceReason::Stopped),
        absence(50, 10, AbsenceReason::Preempted),
    ];
    assert_eq!(absences, expected);
}

#[test]
fn a_call_by_ptrace_lasts_from_switch_in_to_switch_out() {
    let raws = [
        raw(10, 1, RawKind::SwitchOut { preempted: false }), // stopped before the call
        raw(20, 1, call(true)),                              // the tracer lets it go on
        raw(26, 1, RawKind::SwitchIn),
        raw(28, 1, RawKind::SwitchOut { preempted: false }), // waits inside
        raw(38, 1, RawKind::SwitchIn),
        raw(40, 1, RawKind::SwitchOut { preempted: false }), // stopped after the call
        raw(55, 1, RawKind::CallEnds { result: Some(0), refused: None }),
    ];
    check(&raws, &[(26, 14, 4)]);
    let unseen =
        [raw(20, 1, call(true)), raw(55, 1, RawKind::CallEnds { result: Some(0), refused: None })];
    check(&unseen, &[(20, 0, 0)]);
}

#[test]
fn a_call_by_ptrace_has_its_place_where_the_thread_runs_again() {
    let raws = [
        raw(20, 1, call(true)),
        raw(22, 2, fault(0x1000)), // while the first thread is not on a processor
        raw(23, 2, FAULT_ENDS),
        raw(26, 1, RawKind::SwitchIn),
        raw(27, 2, fault(0x2000)),
        raw(28, 2, FAULT_ENDS),
        raw(40, 1, RawKind::SwitchOut { preempted: false }),
        raw(55, 1, RawKind::CallEnds { result: Some(0), refused: None }),
    ];
    check(&raws, &[(22, 1, 1), (26, 14, 14), (27, 1, 1)]);
    // Later than others waited for it.
    let late = 20 + PATIENCE_NS * 2;
    let raws = [
        raw(20, 1, call(true)),
        raw(late - 10, 2, RawKind::Lost(Lost { records: 1 })),
        raw(late, 1, RawKind::SwitchIn),
        raw(late + 1, 1, RawKind::SwitchOut { preempted: false }),
        raw(late + 2, 1, RawKind::CallEnds { result: Some(0), refused: None }),
    ];
    let counts = check(&raws, &[(late - 10, 0, 0), (late, 1, 1)]);
    assert_eq!(counts.late, 0);
}

#[test]
fn events_without_an_end_have_no_latency() {
    let raws = [
        raw(10, 1, fault(0x1000)), // a signal instead of a page
        raw(20, 1, fault(0x2000)),
        raw(21, 1, FAULT_ENDS),
        raw(30, 1, call(false)), // the thread is killed inside
        raw(35, 1, RawKind::Life(Life::Ended { ending: Ending::Unknown })),
        raw(40, 2, fault(0x3000)), // nothing more is seen
    ];
    check(&raws, &[(10, 0, 0), (20, 1, 1), (30, 0, 0), (35, 0, 0), (40, 0, 0)]);
    // Ends of events that began before observing.
    check(
        &[raw(1, 1, FAULT_ENDS), raw(2, 1, RawKind::CallEnds { result: Some(0), refused: None })],
        &[],
    );
}

#[test]
fn events_wait_for_a_slow_one_but_not_forever() {
    let slow = PATIENCE_NS * 3;
    let raws = [
        raw(10, 1, fault(0x1000)),
        raw(20, 2, fault(0x2000)),
        raw(25, 2, FAULT_ENDS),
        raw(30, 3, RawKind::Lost(Lost { records: 4 })),
        raw(slow, 2, fault(0x3000)),
        raw(slow + 5, 2, FAULT_ENDS),
        raw(slow + 10, 1, FAULT_ENDS),
    ];
    let counts = check(&raws, &[(20, 5, 5), (30, 0, 0), (slow, 5, 5), (10, slow, slow)]);
    assert_eq!((counts.late, counts.lost), (1, 4));
}

#[test]
fn a_refused_call_has_no_beginning() {
    let ends = |result, refused| RawKind::CallEnds { result: Some(result), refused };
    let refused = |result| Some(Refused { call: Call::Munmap, result });
    let raws = [
        raw(10, 1, ends(-1, refused(Some(-1)))),
        raw(20, 1, ends(11, refused(None))), // a signal: it seems to return its number
        raw(30, 1, call(false)),
        raw(40, 1, ends(11, refused(None))), // it has begun, so 11 is its result
        raw(50, 1, ends(0, None)),
    ];
    let (events, _) = events(&raws);
    let told: Vec<(Call, bool, Option<i64>)> = events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Syscall(call) => Some((call.call, call.arguments_known, call.result)),
            _ => None,
        })
        .collect();
    let expect = [
        (Call::Munmap, false, Some(-1)),
        (Call::Munmap, false, None),
        (Call::Mmap, true, Some(11)),
    ];
    assert_eq!(told, expect);
}

#[test]
fn in_32_bit_mode_a_number_has_another_meaning() {
    let refused = Some(Refused { call: Call::Mmap, result: Some(-2) }); // link: ENOENT
    let raws = [
        raw(10, 1, RawKind::Compat32 { is_memory_call: true }),
        raw(20, 1, RawKind::CallEnds { result: Some(-2), refused }),
    ];
    let (events, counts) = events(&raws);
    assert_eq!((events.len(), counts.compat32), (1, 1), "{events:?}");
}

#[test]
fn a_call_that_is_stopped_twice_begins_after_the_second_stop() {
    let raws = [
        raw(10, 1, RawKind::SwitchOut { preempted: false }),
        raw(20, 1, call(true)),
        raw(26, 1, RawKind::SwitchIn),
        raw(28, 1, RawKind::SwitchOut { preempted: false }),
        raw(35, 1, RawKind::CallGoesOn),
        raw(40, 1, RawKind::SwitchIn),
        raw(43, 1, RawKind::SwitchOut { preempted: false }),
        raw(55, 1, RawKind::CallEnds { result: Some(0), refused: None }),
    ];
    check(&raws, &[(40, 3, 3)]);
}

/// The lives among the events of `raws`, with the thread, where the status of processes is
/// `expected` to be known.
fn lives(expected: Expected, raws: &[RawEvent]) -> (Vec<(u32, Life)>, u64) {
    let mut pairing = Pairing::default();
    pairing.expect_endings(expected);
    let mut events = Vec::new();
    for &raw in raws {
        pairing.take(raw, &mut |event| events.push(event));
    }
    let counts = pairing.finish(&mut |event| events.push(event));
    let lives = events.into_iter().filter_map(|event| match event.kind {
        EventKind::Life(life) => Some((event.thread.tid, life)),
        _ => None,
    });
    (lives.collect(), counts.late)
}

#[test]
fn a_process_that_executes_a_program_has_one_thread() {
    let attached = RawKind::Life(Life::Attached);
    let executed = RawKind::Life(Life::Executed { name: Name::NONE });
    let gone = RawKind::Life(Life::Ended { ending: Ending::Unknown });
    let exited = RawKind::ProcessEnded(Ending::Exited(3));
    let kinds = [
        (1, attached),
        (2, attached),
        (3, attached),
        (3, gone),
        // Thread 2 called execve(2), and has the number of the first one from then on.
        (1, gone),
        (1, executed),
        (1, gone),
        (1, exited),
    ];
    let raws: Vec<RawEvent> =
        (1..).zip(kinds).map(|(ns, (tid, kind))| raw(ns, tid, kind)).collect();
    let (lives, late) = lives(Expected::All, &raws);
    let known = |ending| Life::Ended { ending };
    assert_eq!(lives[3..5], [(3, known(Ending::Unknown)), (1, known(Ending::Unknown))]);
    assert_eq!((lives[6], late), ((1, known(Ending::Exited(3))), 0));
}

#[test]
fn the_last_thread_of_a_process_ends_with_its_status() {
    let started = RawKind::Life(Life::Started { by: by(1) });
    let gone = RawKind::Life(Life::Ended { ending: Ending::Unknown });
    let ended = |ending| Life::Ended { ending };
    let exited = RawKind::ProcessEnded(Ending::Exited(3));
    let (two, one) = ((2, Life::Started { by: by(1) }), (1, ended(Ending::Unknown)));
    let known = (2, ended(Ending::Exited(3)));
    let raws = [raw(1, 2, started), raw(5, 1, gone), raw(6, 2, gone), raw(7, 1, exited)];
    assert_eq!(lives(Expected::All, &raws), (vec![two, one, known], 0));
    assert_eq!(lives(Expected::Only(1), &raws).0[2], known, "all threads are of process 1");
    let first = [raw(1, 2, started), raw(5, 1, gone), raw(6, 1, exited), raw(7, 2, gone)];
    assert_eq!(lives(Expected::None, &first), (vec![two, one, known], 0));
    for expected in [Expected::None, Expected::Only(7)] {
        let unknown = (2, ended(Ending::Unknown));
        assert_eq!(lives(expected, &raws), (vec![two, one, unknown], 0), "{expected:?}");
    }
    // A status that comes too late holds up nothing.
    let late = PATIENCE_NS * 2;
    let raws = [raw(5, 1, gone), raw(late, 2, RawKind::SwitchIn), raw(late + 1, 1, exited)];
    assert_eq!(lives(Expected::All, &raws), (vec![one], 0));
}
