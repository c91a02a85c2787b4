use std::num::NonZeroU64;

use events::{Name, Span};

use super::*;

const MAIN: Thread = Thread { pid: 5, tid: 5 };
const KIB: u64 = 1 << 10;
const SLOT: u64 = 0x7f00_0000_0000;

fn syscall(call: Call, arguments: [u64; 6], result: i64) -> Syscall {
    let span = Span { latency_ns: NonZeroU64::new(7), on_cpu_ns: None };
    let result = Some(result);
    Syscall { call, arguments_known: true, text: Name::NONE, arguments, result, span }
}

fn region(start: u64, end: u64, kind: MappingKind, protection: u32) -> MappedRegion {
    MappedRegion::new(start, end, kind, protection)
}

#[test]
fn kinds_of_memory_are_told_by_their_shape() {
    let open = region(SLOT, SLOT + 132 * KIB, MappingKind::Anonymous, 3);
    let closed = region(SLOT + 132 * KIB, SLOT + HEAP_BYTES, MappingKind::Anonymous, 0);
    let heap = |address: u64| (address >= closed.start).then_some(closed);
    assert_eq!(kind_of(&open, heap), ArenaKind::Thread);
    let below = region(SLOT - HEAP_BYTES, SLOT + 132 * KIB, MappingKind::Anonymous, 3);
    assert_eq!(kind_of(&below, heap), ArenaKind::Thread, "a full one lies below");
    assert_eq!(kind_of(&open, |_| None), ArenaKind::Other);
    let late = region(SLOT + 4 * KIB, SLOT + 132 * KIB, MappingKind::Anonymous, 3);
    assert_eq!(kind_of(&late, heap), ArenaKind::Other, "it does not begin where heaps do");
    let main = region(0x1000, 0x9000, MappingKind::Heap, 3);
    assert_eq!(kind_of(&main, |_| None), ArenaKind::Main);
}

#[test]
fn a_block_that_its_own_call_maps_is_of_no_arena() {
    let mut arenas = Arenas::default();
    let at = SLOT + 0x10;
    assert!(arenas.give(MAIN, at, 200 * KIB));
    arenas.thresholds(5).give(at, 200 * KIB);
    assert!(arenas.map(MAIN, &syscall(Call::Mmap, [0; 6], SLOT.cast_signed()), at, 200 * KIB));
    arenas.give(MAIN, 0x5000, 64);
    arenas.look(5, 0x5000, |_| Some(region(0x5000, 0x9000, MappingKind::Heap, 3)));
    assert!(!arenas.give(MAIN, 0x5100, 64), "it is known now");
    arenas.resize(5, &syscall(Call::Brk, [0; 6], 0), false);
    let all = arenas.finish();
    let of = |arena: &ArenaAccount| (arena.kind, arena.calls, arena.bytes, arena.resizes);
    let found: Vec<_> = all.arenas.iter().map(of).collect();
    assert_eq!(found, [(ArenaKind::Main, 2, 128, 1), (ArenaKind::Mapped, 1, 200 * KIB, 0)]);
    assert_eq!(all.arenas[0].resize_ns, 7);
    assert_eq!(all.thresholds[0].smallest_mapped_bytes, Some(200 * KIB));
}

#[test]
fn heaps_of_threads_have_rows_of_their_own() {
    let mut arenas = Arenas::default();
    let closed = region(SLOT + 132 * KIB, SLOT + HEAP_BYTES, MappingKind::Anonymous, 0);
    let open = region(SLOT, closed.start, MappingKind::Anonymous, 3);
    let at = |address: u64| Some(if address < closed.start { open } else { closed });
    arenas.give(Thread { pid: 5, tid: 6 }, SLOT + 0x8c0, 100);
    arenas.look(5, SLOT + 0x8c0, at);
    let grows = syscall(Call::Mprotect, [SLOT + 132 * KIB, 4096, 3, 0, 0, 0], 0);
    arenas.resize(5, &grows, false);
    let all = arenas.finish();
    let [heap] = &all.arenas[..] else { panic!("{all:?}") };
    assert_eq!((heap.kind, heap.start, heap.first_tid), (ArenaKind::Thread, SLOT, 6));
    assert_eq!((heap.calls, heap.resizes, heap.resize_ns), (1, 1, 7));
}

#[test]
fn many_arenas_are_a_sum() {
    let mut arenas = Arenas::default();
    for pid in 1..=5000 {
        let thread = Thread { pid, tid: pid };
        for _ in 0..pid {
            arenas.give(thread, 0x5000, 1);
        }
        arenas.end(pid);
    }
    let all = arenas.finish();
    assert_eq!((all.arenas.len(), all.arenas[0].pid), (1000, 4001));
    let (count, sum) = all.others.expect("they are");
    assert_eq!((count, sum.calls), (4000, 4000 * 4001 / 2));
}

#[test]
fn a_free_of_a_mapped_block_raises_the_threshold() {
    let mut tracker = Tracker::default();
    let length = 1024 * KIB + 4096;
    let unmap = syscall(Call::Munmap, [SLOT, length, 0, 0, 0, 0], 0);
    tracker.give(SLOT + 0x10, 1024 * KIB);
    tracker.map(SLOT + 0x10, 1024 * KIB);
    assert!(!tracker.unmap(5, &unmap, 50), "no block was given back");
    tracker.give_back(5, SLOT + 0x10, 1024 * KIB, Some(3));
    assert!(!tracker.unmap(6, &unmap, 60), "another thread's");
    assert!(tracker.unmap(5, &unmap, 70));
    tracker.give(0x9000, 1000 * KIB);
    tracker.give(0x8000, 30 * KIB);
    let known = tracker.finish(9);
    let moved =
        ThresholdMove { time_ns: 70, from_bytes: 128 * KIB, to_bytes: length, site: Some(3) };
    assert_eq!((known.pid, &known.moves[..], known.contradictions), (9, &[moved][..], 0));
    assert_eq!(known.largest_unmapped_bytes, 1000 * KIB);
    assert_eq!(known.smallest_mapped_bytes, Some(1024 * KIB));
}

#[test]
fn a_block_that_should_have_no_mapping_contradicts() {
    let mut tracker = Tracker::default();
    let length = 1024 * KIB + 4096;
    tracker.give_back(5, SLOT + 0x10, 1024 * KIB, None);
    tracker.unmap(5, &syscall(Call::Munmap, [SLOT, length, 0, 0, 0, 0], 0), 1);
    tracker.give(SLOT + 0x10, 512 * KIB);
    tracker.map(SLOT + 0x10, 512 * KIB);
    assert_eq!(tracker.finish(1).contradictions, 1, "the threshold is fixed");
    // Beyond 32 MiB nothing moves.
    let mut tracker = Tracker::default();
    tracker.give_back(5, SLOT + 0x10, 40 << 20, None);
    let huge = syscall(Call::Munmap, [SLOT, (40 << 20) + 4096, 0, 0, 0, 0], 0);
    assert!(tracker.unmap(5, &huge, 1) && tracker.finish(1).moves.is_empty());
}
