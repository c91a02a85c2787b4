use events::{EventKind, Life};

use super::*;

fn thread(pid: u32, tid: u32) -> Thread {
    Thread { pid, tid }
}

/// Any event of a thread.
fn event(of: Thread, time_ns: u64) -> Event {
    Event { time_ns, thread: of, kind: EventKind::Life(Life::Attached) }
}

fn seat(process: u32, thread: u32) -> Seat {
    Seat { thread, process }
}

#[test]
fn a_process_has_what_its_threads_did() {
    let mut tallies = Tallies::default();
    let (one, two) = (seat(3, 0), seat(3, 5));
    tallies.begin((one, &event(thread(7, 7), 10)), thread(1, 1), None);
    tallies.execute((one, &event(thread(7, 7), 20)), Name::NONE);
    tallies.begin((two, &event(thread(7, 8), 30)), thread(7, 7), Some(3));
    tallies.of(one, &event(thread(7, 7), 40)).call(Some(100), 64);
    tallies.of(two, &event(thread(7, 8), 41)).call(None, 8);
    tallies.of(two, &event(thread(7, 8), 42)).fault(false, Some(900), false);
    tallies.of(two, &event(thread(7, 8), 43)).fault(true, Some(50), true);
    tallies.of(two, &event(thread(7, 8), 43)).touch_for_others(4000);
    tallies.of(one, &event(thread(7, 7), 44)).interrupt(false, 30);
    tallies.live(3, 0, 72);
    tallies.live(3, 72, 8);
    tallies.live(9, 8, 9);
    tallies.end_thread(thread(7, 8), 50);
    tallies.end_process(3, 4096, 60);
    let all = tallies.finish();
    let [process] = &all.processes[..] else { panic!("{all:?}") };
    assert_eq!((process.pid, process.parent, process.threads), (7, Some(1), 2));
    assert_eq!((process.began_ns, process.ended_ns), (10, 60));
    assert_eq!((process.peak_live_bytes, process.peak_resident_bytes), (72, 4096));
    let tally = &process.tally;
    assert_eq!((tally.apparent.calls, tally.apparent.timed_ns, tally.bytes), (2, 70, 72));
    assert_eq!((tally.faults.faults(), tally.other_faults_ns()), (2, 900));
    assert_eq!((tally.known_ns(), tally.touched_for_others_bytes), (970, 4000));
    let tids: Vec<(u32, u64)> =
        all.threads.iter().map(|thread| (thread.thread.tid, thread.ended_ns)).collect();
    assert_eq!(tids, [(7, 60), (8, 50)]);
}

#[test]
fn an_exec_leaves_one_thread_and_no_blocks_and_a_number_is_used_again() {
    let mut tallies = Tallies::default();
    tallies.begin((seat(0, 0), &event(thread(7, 8), 1)), thread(7, 7), Some(0));
    tallies.begin((seat(0, 1), &event(thread(7, 9), 2)), thread(7, 7), Some(0));
    tallies.live(0, 0, 100);
    tallies.execute((seat(0, 2), &event(thread(7, 7), 5)), Name::NONE);
    tallies.live(0, 0, 60);
    assert_eq!(tallies.by_tid.len(), 1);
    // Another process has the number of a thread whose end was not seen.
    tallies.of(seat(1, 0), &event(thread(20, 7), 9)).call(Some(1), 1);
    tallies.end_process(0, 0, 10);
    tallies.end_process(1, 0, 10);
    let all = tallies.finish();
    assert_eq!((all.processes.len(), all.threads.len()), (2, 4));
    assert_eq!(all.processes[0].peak_live_bytes, 100);
    assert_eq!(all.processes[1].tally.apparent.calls, 1);
}

#[test]
fn the_costliest_are_kept_and_the_rest_is_a_sum() {
    let mut tallies = Tallies::default();
    for tid in 1..=5000 {
        let of = event(thread(1, tid), u64::from(tid));
        tallies.of(seat(0, 0), &of).call(Some(u64::from(tid)), 1);
        tallies.end_thread(thread(1, tid), u64::from(tid));
    }
    assert_eq!((tallies.by_tid.len(), tallies.threads.len()), (0, 1));
    tallies.end_process(0, 0, 9000);
    let all = tallies.finish();
    let tids: Vec<u32> = all.threads.iter().map(|thread| thread.thread.tid).collect();
    assert_eq!(tids, (4001..=5000).collect::<Vec<_>>());
    assert_eq!((all.other_threads.count, all.other_threads.tally.bytes), (4000, 4000));
    assert_eq!(all.processes[0].tally.apparent.calls, 5000);
}
