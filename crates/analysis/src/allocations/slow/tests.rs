use std::num::NonZeroU64;

use events::{EventKind, Name, Span, StackId};

use super::*;
use crate::allocations::frames::FrameId;
use crate::allocations::sites::SiteTable;

const THREAD: Thread = Thread { pid: 1, tid: 7 };
const OTHER: Thread = Thread { pid: 1, tid: 8 };

/// Slow calls, of one site and of none.
struct Made {
    slow: SlowCalls,
    payer: Payer,
    pauses: Pauses,
}

impl Made {
    fn new() -> Made {
        let site = SiteTable::default().of_stack(FrameId::NONE, false);
        let payer = Payer { site, size_bytes: 64 };
        Made { slow: SlowCalls::default(), payer, pauses: Pauses::default() }
    }

    fn call(&mut self, thread: Thread, time_ns: u64, latency_ns: u64) -> &mut Made {
        let call = Allocation {
            address: 0x1000,
            released: 0,
            size_bytes: 64,
            latency_ns: NonZeroU64::new(latency_ns),
            stack: StackId::NONE,
            function: AllocationFunction::Malloc,
            alignment_log2: 0,
        };
        let event = Event { time_ns, thread, kind: EventKind::Allocation(call) };
        self.slow.opened(&event, &call, Some(self.payer), &self.pauses);
        self
    }

    fn syscall(&mut self, time_ns: u64, call: Call, latency_ns: u64) -> &mut Made {
        let call = Syscall {
            call,
            arguments_known: true,
            text: Name::NONE,
            arguments: [0; 6],
            result: Some(0),
            span: span(latency_ns),
        };
        let event = Event { time_ns, thread: THREAD, kind: EventKind::Syscall(call) };
        self.slow.syscall(&event, &call);
        self
    }

    fn fault(&mut self, time_ns: u64, latency_ns: u64, is_own: bool) -> &mut Made {
        let fault = Fault {
            address: 0x1000,
            ip: 0,
            span: span(latency_ns),
            page_bytes: None,
            major: false,
            in_kernel: false,
            present: None,
        };
        let event = Event { time_ns, thread: THREAD, kind: EventKind::Fault(fault) };
        self.slow.fault(&event, &fault, is_own);
        self
    }

    fn absence(&mut self, time_ns: u64, latency_ns: u64, reason: AbsenceReason) -> &mut Made {
        let absence = Absence { latency_ns, reason };
        let event = Event { time_ns, thread: THREAD, kind: EventKind::Absence(absence) };
        self.slow.absence(&event, &absence);
        self
    }

    /// The slowest calls at the end.
    fn calls(&mut self) -> Vec<SlowCall> {
        std::mem::take(&mut self.slow).finish().calls
    }

    /// The parts of the only one: time, of which waited, how often; and the rest.
    fn parts(&mut self) -> (Vec<(SlowWork, [u64; 3])>, u64) {
        let calls = self.calls();
        let [call] = &calls[..] else { panic!("{calls:?}") };
        let part = |part: &SlowPart| (part.work, [part.ns, part.waited_ns, part.times]);
        let sum: u64 = call.parts.iter().map(|part| part.ns).sum();
        assert_eq!(sum + call.rest_ns(), call.latency_ns);
        (call.parts.iter().map(part).collect(), call.rest_ns())
    }
}

fn span(latency_ns: u64) -> Span {
    Span { latency_ns: NonZeroU64::new(latency_ns), on_cpu_ns: None }
}

#[test]
fn what_waits_inside_a_syscall_is_of_it_and_what_is_preempted_is_not() {
    let mut made = Made::new();
    made.call(THREAD, 1_000, 100_000)
        .syscall(2_000, Call::Munmap, 50_000)
        .absence(3_000, 20_000, AbsenceReason::Blocked)
        .absence(40_000, 5_000, AbsenceReason::Preempted)
        .absence(60_000, 7_000, AbsenceReason::Blocked)
        .syscall(70_000, Call::Munmap, 1_000)
        .fault(80_000, 3_000, true)
        .absence(81_000, 1_000, AbsenceReason::Preempted)
        .fault(84_000, 500, false)
        .syscall(500_000, Call::Munmap, 9_000);
    let parts = vec![
        (SlowWork::Syscall(Call::Munmap), [46_000, 20_000, 2]),
        (SlowWork::Preempted, [6_000, 0, 2]),
        (SlowWork::Waited, [7_000, 7_000, 1]),
        (SlowWork::OwnFaults, [2_000, 0, 1]),
        (SlowWork::OtherFaults, [500, 0, 1]),
    ];
    assert_eq!(made.parts(), (parts, 38_500));
}

#[test]
fn a_fault_in_a_syscall_counts_once_and_nothing_reaches_beyond_the_call() {
    let mut made = Made::new();
    made.call(THREAD, 0, 20_000)
        .syscall(1_000, Call::Mremap, 10_000)
        .fault(2_000, 3_000, false)
        .absence(15_000, 90_000, AbsenceReason::Blocked);
    let parts = vec![
        (SlowWork::Syscall(Call::Mremap), [7_000, 0, 1]),
        (SlowWork::OtherFaults, [3_000, 0, 1]),
        (SlowWork::Waited, [5_000, 5_000, 1]),
    ];
    assert_eq!(made.parts(), (parts, 5_000));
}

#[test]
fn a_stop_of_the_recorder_is_no_wait_and_what_the_kernel_does_not_tell_is_neither() {
    let mut made = Made::new();
    made.call(THREAD, 0, 40_000)
        .absence(1_000, 9_000, AbsenceReason::Stopped)
        .syscall(10_000, Call::Brk, 10_000)
        .absence(12_000, 3_000, AbsenceReason::Unknown)
        .absence(20_000, 10_000, AbsenceReason::Stopped);
    let parts = vec![
        (SlowWork::Stopped, [19_000, 0, 2]),
        (SlowWork::Syscall(Call::Brk), [7_000, 0, 1]),
        (SlowWork::OffCpu, [3_000, 0, 1]),
    ];
    assert_eq!(made.parts(), (parts, 11_000));
}

#[test]
fn an_absence_that_seems_to_begin_before_the_call_is_in_it() {
    let mut made = Made::new();
    made.absence(900, 30_100, AbsenceReason::Preempted).call(THREAD, 1_000, 40_000);
    assert_eq!(made.parts(), (vec![(SlowWork::Preempted, [30_000, 0, 1])], 10_000));
}

#[test]
fn a_call_of_a_signal_handler_has_its_own_parts() {
    let mut made = Made::new();
    made.call(THREAD, 0, 100_000);
    let event = Event {
        time_ns: 10_000,
        thread: THREAD,
        kind: EventKind::Lost(events::Lost { records: 0 }),
    };
    made.slow.nested(&event, 50_000);
    made.call(THREAD, 10_000, 50_000).syscall(20_000, Call::Mmap, 7_000).syscall(
        70_000,
        Call::Brk,
        8_000,
    );
    let calls = made.calls();
    let parts =
        |call: &SlowCall| call.parts.iter().map(|part| (part.work, part.ns)).collect::<Vec<_>>();
    assert_eq!(
        calls.iter().map(parts).collect::<Vec<_>>(),
        [
            vec![(SlowWork::Nested, 50_000), (SlowWork::Syscall(Call::Brk), 8_000)],
            vec![(SlowWork::Syscall(Call::Mmap), 7_000)],
        ]
    );
}

#[test]
fn the_slowest_are_kept_and_the_slowest_of_each_site() {
    let mut made = Made::new();
    for n in 0..200 {
        // Not in order.
        let latency_ns = SLOW_NS + (n * 77 % 200) * 1_000;
        made.call(THREAD, n * 1_000_000, latency_ns);
        made.call(OTHER, n * 1_000_000, SLOW_NS - 1);
    }
    let account = std::mem::take(&mut made.slow).finish();
    let found: Vec<u64> = account.calls.iter().map(|call| call.latency_ns).collect();
    let slowest = (0..KEPT as u64).map(|n| SLOW_NS + (199 - n) * 1_000);
    assert_eq!(found, slowest.collect::<Vec<_>>());
    let of_sites: Vec<_> = account.of_sites.values().map(|call| call.latency_ns).collect();
    assert_eq!(of_sites, [SLOW_NS + 199_000]);
}

#[test]
fn what_is_open_is_bounded_by_the_threads_that_are_inside() {
    let mut made = Made::new();
    for n in 0..10_000 {
        // Each thread makes one call that is slower than any before, and is never heard of again.
        let thread = Thread { pid: 1, tid: 100 + n };
        made.call(thread, u64::from(n) * 1_000_000, SLOW_NS + u64::from(n));
        assert!(made.slow.open.len() <= LOOKED_FOR_FROM, "{n}");
    }
    assert_eq!(made.calls().len(), KEPT);
}

#[test]
fn a_call_in_which_something_is_missing_is_not_whole() {
    let whole = |made: &mut Made| made.calls().iter().map(|call| call.is_whole).collect::<Vec<_>>();
    let left_out = AbsenceReason::LeftOut { absences: 5, sum_ns: 9 };
    let mut made = Made::new();
    assert_eq!(whole(made.call(THREAD, 0, 50_000)), [true]);
    made.call(THREAD, 0, 50_000).slow.lost();
    assert_eq!(whole(&mut made), [false]);
    made.absence(0, 30_000, left_out).call(THREAD, 20_000, 50_000).call(OTHER, 40_000, 20_000);
    assert_eq!(whole(&mut made), [false, true]);
    made.call(THREAD, 0, 50_000).absence(10_000, 5, left_out);
    assert_eq!(whole(&mut made), [false]);
    made.pauses = Pauses::new(vec![30_000..40_000, 900_000..950_000]);
    assert_eq!(whole(made.call(THREAD, 0, 50_000).call(OTHER, 50_000, 20_000)), [false, true]);
}
