//! The screen of a recording with a timeline, processes, threads and arenas, from an injected
//! report.

use report::View;
use results::recording::{
    ArenaMemory, ArenaRow, CostlyMoment, MomentPayer, OthersRow, ProcessRow, RecordedStep,
    RecordedTimeline, RecordingReport, RestMemory, TalliedCosts, ThreadRow, ThresholdMoveRow,
    ThresholdsRow,
};

use crate::{plain, recording, snapshots};

const MS: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

/// 200 steps: a rise, a wave of faults that stays, a single burst of syscalls.
fn timeline() -> RecordedTimeline {
    let step = |at: u64| RecordedStep {
        time_ns: at * 16 * MS,
        live_bytes: (at * MIB).min(120 * MIB),
        live_end_bytes: (at * MIB).min(120 * MIB),
        resident_bytes: Some(at * 3 * MIB / 2),
        resident_end_bytes: Some(at * 3 * MIB / 2),
        faults: Some(if at % 20 < 10 { 400 } else { 3 }),
        fault_ns: Some(if at % 20 < 10 { 9 * MS } else { 9000 }),
        calls: Some(50),
        syscalls: Some(if at == 77 { 300 } else { 0 }),
        syscall_ns: Some(if at == 77 { 12 * MS } else { 0 }),
    };
    let moment = CostlyMoment {
        time_ns: 1232 * MS,
        until_ns: 1248 * MS,
        cost_ns: 21 * MS,
        payer: MomentPayer::SyscallsInCalls,
        payer_ns: 12 * MS,
        site: Some(0),
        memory: None,
        syscall: Some("munmap".to_owned()),
    };
    let moments = vec![
        moment.clone(),
        CostlyMoment { payer: MomentPayer::Blocks, syscall: None, site: None, ..moment.clone() },
        CostlyMoment { payer: MomentPayer::Returns, ..moment.clone() },
        CostlyMoment {
            payer: MomentPayer::Rest,
            memory: Some(RestMemory::Stack),
            site: None,
            syscall: None,
            ..moment
        },
    ];
    RecordedTimeline { step_ns: 16 * MS, steps: (0..200).map(step).collect(), moments }
}

fn costs(calls: u64) -> TalliedCosts {
    TalliedCosts {
        calls: Some(calls),
        allocated_bytes: Some(calls * 1000),
        apparent_ns: Some(calls * 90),
        release_calls: Some(calls),
        release_ns: Some(calls * 40),
        touched_for_others_bytes: None,
        faults: None,
        fault_ns: None,
        syscalls: Some(calls / 10),
        syscall_ns: Some(calls * 30),
        cost_ns: calls * 160,
    }
}

fn full() -> RecordingReport {
    let process = |pid: u32| ProcessRow {
        pid,
        parent: Some(1),
        comm: (pid != 41).then(|| "worker\u{1b}[2J".to_owned()),
        lived_ns: 1500 * MS,
        thread_count: 2,
        peak_live_bytes: 30 * MIB,
        peak_resident_bytes: Some(55 * MIB),
        costs: costs(90_000 / u64::from(pid)),
        ..ProcessRow::default()
    };
    let thread = |tid: u32| ThreadRow {
        pid: 40,
        tid,
        comm: Some("worker".to_owned()),
        lived_ns: 700 * MS,
        costs: costs(80_000 / u64::from(tid)),
        ..ThreadRow::default()
    };
    let arena = ArenaRow {
        pid: Some(40),
        arena: ArenaMemory::MainHeap,
        count: 1,
        calls: 11_000,
        bytes: 700 * MIB,
        resizes: Some(31),
        resize_ns: Some(3 * MS),
        ..ArenaRow::default()
    };
    let heap = ArenaRow { arena: ArenaMemory::ThreadHeap, first_tid: Some(42), ..arena };
    let move_row = |at| ThresholdMoveRow {
        time_ns: at * MS,
        from_bytes: at,
        to_bytes: at * MIB,
        site: Some(0),
    };
    RecordingReport {
        timeline: timeline(),
        process_list: (40..43).map(process).collect(),
        threads: (40..60).map(thread).collect(),
        other_threads: Some(OthersRow { count: 7, costs: costs(70) }),
        allocators: vec!["glibc".to_owned()],
        arenas: vec![
            arena,
            ArenaRow { start: 0x7f00_0000_0000, calls: 90, ..heap },
            ArenaRow { arena: ArenaMemory::OwnMapping, calls: 7, ..arena },
        ],
        thresholds: vec![
            ThresholdsRow {
                pid: 40,
                largest_from_arena_bytes: 5 * MIB,
                smallest_mapped_bytes: Some(140_000),
                moves: (1..=7).map(move_row).collect(),
                more_moves: 2,
                is_fixed: false,
            },
            ThresholdsRow { pid: 41, is_fixed: true, ..ThresholdsRow::default() },
        ],
        ..recording::usual()
    }
}

#[test]
fn a_recording_over_time_in_every_view() {
    snapshots("recording_over_time", |view| report::recording_screen(&full(), "a.ft", view));
}

#[test]
fn figures_that_are_not_known_have_no_line() {
    let mut report = full();
    for step in &mut report.timeline.steps {
        (step.resident_bytes, step.faults, step.syscalls) = (None, None, Some(0));
    }
    let view = View::brief(Some(80));
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(screen.contains("\nlive        |"), "{screen}");
    for word in ["\nresident    |", "\nfaults      |", "\nsyscalls    |"] {
        assert!(!screen.contains(word), "{word}: {screen}");
    }
    report.timeline.steps.truncate(3);
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(!screen.contains("live        |"), "too short for a line: {screen}");
}

#[test]
fn of_other_allocators_there_are_no_arenas() {
    let mut report = RecordingReport { arenas: Vec::new(), thresholds: Vec::new(), ..full() };
    report.allocators = vec!["glibc".to_owned(), "jemalloc".to_owned()];
    let view = View::verbose(None);
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(screen.contains("this program has glibc and jemalloc."), "{screen}");
    assert!(!screen.contains("blocks from"), "{screen}");
}
