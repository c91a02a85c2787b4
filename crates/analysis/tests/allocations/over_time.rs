//! What the ledger tells the timeline, the tallies and the arenas.

use std::num::NonZeroU64;

use analysis::allocations::{AllocationAccount, ArenaKind, KernelPayer};
use events::{Call, EventKind, Name, Span, Syscall, Thread};

use crate::script::{PAGE, Script, first};

const SITE: u64 = 0x10;
const MIB: u64 = 1 << 20;
const START: u64 = 0x7000_0000;
const LENGTH: u64 = MIB + PAGE;
const BLOCK: u64 = START + 0x10;

fn syscall(call: Call, arguments: [u64; 6], result: u64, latency_ns: u64) -> EventKind {
    EventKind::Syscall(Syscall {
        call,
        arguments_known: true,
        text: Name::NONE,
        arguments,
        result: Some(result.cast_signed()),
        span: Span { latency_ns: NonZeroU64::new(latency_ns), on_cpu_ns: None },
    })
}

/// A block of 1 MiB in a mapping of its own, two pages of which are touched, and then given back.
fn mapped_block() -> AllocationAccount {
    let mut script = Script::new();
    script.malloc((100, 5_100), SITE, (BLOCK, MIB));
    script.event(200, syscall(Call::Mmap, [0, LENGTH, 3, 0x22, 0, 0], START, 300));
    script.fault(600, 50, START);
    script.fault(7_100, 900, START + PAGE);
    script.of(Thread { pid: 1, tid: 2 });
    script.fault(8_200, 2_000, START + 5 * PAGE);
    script.of(first(1));
    script.free((20_000, 23_000), BLOCK);
    script.event(20_500, syscall(Call::Munmap, [START, LENGTH, 0, 0, 0, 0], 0, 1_500));
    script.exit(30_000);
    script.account().0
}

#[test]
fn a_block_is_live_from_the_end_of_its_call_and_resident_once_touched() {
    let timeline = mapped_block().timeline;
    assert_eq!((timeline.step_ns, timeline.knows_resident), (1000, true));
    let live: Vec<u64> = timeline.steps.iter().map(|step| step.live_end_bytes).collect();
    assert_eq!((live[4], live[5], live[19], live[20]), (0, MIB, MIB, 0));
    assert_eq!(timeline.steps[5].live_bytes, MIB);
    let resident = |index: usize| timeline.steps[index].resident_end_bytes / PAGE;
    assert_eq!([0, 6, 7, 8, 19, 22].map(resident), [1, 1, 2, 3, 3, 0]);
    assert_eq!(timeline.steps[8].fault_ns, 2_000, "though the step is shorter");
    let costliest = |index: usize| timeline.steps[index].costliest().map(|cost| cost.payer);
    assert_eq!(costliest(8), Some(KernelPayer::Blocks(Some(0))));
    assert_eq!(costliest(20), Some(KernelPayer::Returns(Call::Munmap, Some(0))));
    assert_eq!(costliest(12), None);
}

#[test]
fn threads_pay_for_what_they_do_whoever_allocated() {
    let account = mapped_block();
    let tallied = &account.tallied;
    let [process] = &tallied.processes[..] else { panic!("{tallied:?}") };
    assert_eq!((process.threads, process.peak_live_bytes), (2, MIB));
    assert_eq!(process.peak_resident_bytes, 3 * PAGE);
    assert_eq!((process.tally.faults.faults(), process.tally.syscalls), (3, 2));
    let of = |tid: u32| {
        let is = |thread: &&analysis::allocations::ThreadTally| thread.thread.tid == tid;
        tallied.threads.iter().find(is).expect("it was there").tally
    };
    assert_eq!((of(1).apparent.calls, of(1).bytes, of(1).release.calls), (1, MIB, 1));
    // The fault on the block in the call is no time of the call any more.
    assert_eq!(of(1).apparent.timed_ns, 4_950);
    // Nor is the munmap of touched pages time of the free, but the mmap is of its call.
    assert_eq!(of(1).release.timed_ns, 1_500);
    assert_eq!((of(1).other_faults_ns(), of(1).other_syscalls_ns()), (950, 1_500));
    assert_eq!((of(2).faults.faults(), of(2).other_faults_ns()), (1, 2_000));
    let all = tallied.threads.iter().map(|thread| thread.tally.apparent.timed_ns);
    assert_eq!(all.sum::<u64>(), account.all_apparent().timed_ns);
}

#[test]
fn a_free_that_unmaps_its_block_moves_the_threshold() {
    let account = mapped_block();
    let [mapped] = &account.arenas.arenas[..] else { panic!("{:?}", account.arenas) };
    assert_eq!((mapped.kind, mapped.calls, mapped.bytes), (ArenaKind::Mapped, 1, MIB));
    assert_eq!((mapped.resizes, mapped.resize_ns), (2, 1_800));
    let [thresholds] = &account.arenas.thresholds[..] else { panic!("{:?}", account.arenas) };
    let [moved] = &thresholds.moves[..] else { panic!("{thresholds:?}") };
    assert_eq!((moved.from_bytes, moved.to_bytes, moved.site), (128 << 10, LENGTH, Some(0)));
    assert_eq!((moved.time_ns, thresholds.contradictions), (20_500, 0));
}

#[test]
fn what_a_thread_touches_of_blocks_of_others_is_told_apart() {
    let account = mapped_block();
    let of = |tid: u32| {
        let is = |thread: &&analysis::allocations::ThreadTally| thread.thread.tid == tid;
        account.tallied.threads.iter().find(is).expect("it was there").tally
    };
    assert_eq!((of(1).touched_for_others_bytes, of(2).touched_for_others_bytes), (0, PAGE));
    assert_eq!(account.tallied.processes[0].tally.touched_for_others_bytes, PAGE);
}

/// The costs of a step are paid for by the same sites as in the table.
#[test]
fn blocks_on_a_page_share_the_time_in_the_timeline_too() {
    let mut script = Script::new();
    script.malloc((100, 200), SITE, (START, 1000));
    script.malloc((300, 400), SITE + 1, (START + 1008, 3000));
    script.fault(1_500, 400, START);
    let account = script.exit(9_000).account().0;
    let step = &account.timeline.steps[1];
    let costliest = step.costliest().expect("a fault");
    assert_eq!((step.faults, step.fault_ns), (1, 400));
    assert_eq!((costliest.payer, costliest.ns), (KernelPayer::Blocks(Some(1)), 300));
    assert_eq!(account.sites[1].touches.ns, costliest.ns);
}

/// What a program had before it executed another one is not live any more.
#[test]
fn an_exec_ends_the_live_bytes_of_its_process() {
    let mut script = Script::new();
    script.malloc((100, 200), SITE, (BLOCK, MIB)).exec(300);
    script.malloc((400, 500), SITE, (BLOCK, MIB / 2)).exit(600);
    let account = script.account().0;
    assert_eq!(account.tallied.processes[0].peak_live_bytes, MIB);
    assert_eq!(account.peak_live_bytes, MIB);
}
