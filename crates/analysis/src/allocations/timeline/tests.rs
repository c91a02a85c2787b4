use events::{Clock, Sees, ThpPolicy};

use super::*;
use crate::allocations::rest::RestKind;

fn steps() -> Steps {
    let sees = Sees { calls: true, faults: true, ..Sees::default() };
    Steps::new(&Header {
        clock: Clock::Monotonic,
        began_ns: 500,
        page_bytes: 4096,
        huge_pages: ThpPolicy::Never,
        can_swap: false,
        sees,
    })
}

/// Ends the steps that are over by `time_ns`, in which so many bytes are live.
fn go_to(steps: &mut Steps, time_ns: u64, live_bytes: u64) {
    while steps.ends_by(time_ns).is_some() {
        steps.close(live_bytes);
    }
}

#[test]
fn steps_hold_what_begins_in_them_however_long_it_takes() {
    let mut steps = steps();
    steps.fault(Some(5000));
    steps.live(70);
    steps.live(30);
    go_to(&mut steps, 1499, 30);
    steps.call(false);
    steps.call(true);
    go_to(&mut steps, 1500, 30);
    steps.syscall(Some(40));
    let timeline = steps.finish(20, 0);
    assert_eq!((timeline.step_ns, timeline.steps.len()), (1000, 2));
    let [first, second] = &timeline.steps[..] else { panic!("{timeline:?}") };
    assert_eq!((first.live_bytes, first.live_end_bytes), (70, 30));
    assert_eq!((first.faults, first.fault_ns, first.calls), (1, 5000, 1));
    assert_eq!((second.live_bytes, second.live_end_bytes), (30, 20));
    assert_eq!((second.syscalls, second.syscall_ns, second.calls), (1, 40, 0));
}

/// However long the stream, sums stay and the most of each step stays.
#[test]
fn neighbours_become_one_where_the_stream_goes_on() {
    for microseconds in [1, 239, 240, 241, 5000, 100_003] {
        let mut steps = steps();
        let mut most = 0;
        for at in 0..microseconds {
            go_to(&mut steps, 500 + at * 1000, at % 77);
            steps.live(at % 77);
            steps.set_resident(1, at % 50);
            steps.fault(Some(2));
            steps.pay(KernelPayer::Rest(RestKind::Stack), 2);
            most = most.max(at % 77);
        }
        go_to(&mut steps, 500 + microseconds * 1000, 5);
        let timeline = steps.finish(5, 0);
        let of = |figure: fn(&TimelineStep) -> u64| timeline.steps.iter().map(figure);
        assert!(timeline.steps.len() <= STEPS, "{microseconds}");
        let length_ns = timeline.step_ns * timeline.steps.len() as u64;
        assert!(length_ns >= microseconds * 1000, "{microseconds}");
        assert!(length_ns - timeline.step_ns <= microseconds * 1000, "{microseconds}");
        assert_eq!(of(|step| step.faults).sum::<u64>(), microseconds);
        assert_eq!(of(|step| step.live_bytes).max(), Some(most.max(5)));
        assert_eq!(timeline.steps.last().expect("one step").live_end_bytes, 5);
        let stack = timeline.steps[0].costliest().expect("the stack");
        assert_eq!(
            (stack.payer, stack.ns),
            (KernelPayer::Rest(RestKind::Stack), timeline.steps[0].fault_ns)
        );
    }
}

#[test]
fn a_time_without_end_does_not_last_forever() {
    let mut steps = steps();
    go_to(&mut steps, u64::MAX, 1);
    let timeline = steps.finish(1, 0);
    assert!(timeline.steps.len() <= STEPS && timeline.step_ns > u64::MAX / 480);
}

#[test]
fn what_is_resident_is_the_sum_of_all_processes_and_unknown_where_memory_was_not_watched() {
    let mut steps = steps();
    steps.set_resident(1, 10);
    steps.set_resident(2, 5);
    steps.set_resident(1, 3);
    go_to(&mut steps, 1500, 0);
    assert_eq!(steps.resident().remove(1), 10, "its peak");
    let timeline = steps.finish(0, 0);
    let first = &timeline.steps[0];
    assert_eq!((first.resident_bytes, first.resident_end_bytes), (15, 8));
    assert_eq!(timeline.steps[1].resident_end_bytes, 5);
    assert!(timeline.knows_resident);
    assert!(!super::tests::steps().finish(0, 1).knows_resident, "paused");
    let mut attached = super::tests::steps();
    attached.resident().doubt();
    assert!(!attached.finish(0, 0).knows_resident);
}

/// What is kept of a payer is at most a ninth of all too little, and never too much.
#[test]
fn the_largest_payer_is_kept_among_many() {
    let mut payers = Payers::default();
    let mut all_ns = 0;
    for round in 0..1000 {
        payers.pay(KernelPayer::Blocks(Some(7)), 30);
        payers.pay(KernelPayer::Blocks(Some(100 + round)), 20);
        all_ns += 50;
    }
    payers.pay(KernelPayer::Calls(None), 0);
    let first = payers.first().expect("one");
    assert_eq!(first.payer, KernelPayer::Blocks(Some(7)));
    assert!(first.ns <= 30_000 && first.ns >= 30_000 - all_ns / 9, "{first:?}");
    let mut two = payers.clone();
    two.join(&payers);
    let twice = two.first().expect("one");
    assert!(twice.ns <= 60_000 && twice.ns >= 60_000 - all_ns * 2 / 9, "{twice:?}");
}
