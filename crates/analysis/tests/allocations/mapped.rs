//! What a program maps itself, outside of its allocator, belongs to the site of that call.

use std::num::NonZeroU64;

use analysis::allocations::{FaultSums, RestKind, TimedCalls};
use events::{AllocationFunction, Call, MappingReport, StackSampling, Thread};

use crate::script::{PAGE, Script, first};

const A: u64 = 1;
const B: u64 = 2;
const AT: u64 = 0x10_0000;
const MREMAP_DONTUNMAP: u64 = 4;

fn minor(faults: u64, ns: u64) -> FaultSums {
    FaultSums { minor: faults, ns, ..FaultSums::default() }
}

fn timed(calls: u64, ns: u64) -> TimedCalls {
    TimedCalls { calls, timed: calls, timed_ns: ns }
}

/// The site `site` maps pages from `AT + from` on, with the syscall that does it.
fn mmap(script: &mut Script, from_ns: u64, site: u64, (page, pages): (u64, u64)) {
    let (address, bytes) = (AT + page * PAGE, pages * PAGE);
    let function = AllocationFunction::Mmap;
    script.mapping_call((from_ns, from_ns + 10), site, function, (0, address, bytes));
    script.syscall_of((from_ns + 1, from_ns + 8), Call::Mmap, [0, bytes, 3], address);
}

fn munmap(script: &mut Script, from_ns: u64, site: u64, (page, pages): (u64, u64)) {
    let (address, bytes) = (AT + page * PAGE, pages * PAGE);
    let function = AllocationFunction::Munmap;
    script.mapping_call((from_ns, from_ns + 30), site, function, (address, 0, bytes));
    script.syscall_of((from_ns + 1, from_ns + 21), Call::Munmap, [address, bytes, 0], 0);
}

#[test]
fn a_mapping_pays_for_its_faults_and_for_its_return() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 8));
    script.fault(100, 50, AT).fault(200, 60, AT + PAGE).fault(300, 70, AT + 9 * PAGE);
    munmap(&mut script, 400, B, (0, 8));
    script.fault(500, 80, AT);
    let sites = script.sites();
    let a = sites.site(A);
    assert!(a.maps && a.syscalls == 2);
    assert_eq!((a.calls, a.bytes, a.frees, a.peak_bytes), (1, 8 * PAGE, 1, 8 * PAGE));
    assert_eq!((a.apparent, a.touches), (timed(1, 10), minor(2, 110)));
    assert_eq!((a.returned_ns, a.returned_bytes), (20, 2 * PAGE), "what the syscall took");
    assert_eq!(a.release, timed(1, 10), "what is left of the call");
    assert_eq!((a.unreleased, sites.rest()), (0, 2), "beside it, and after it");
    let account = &sites.account;
    assert_eq!((account.peak_live_bytes, account.own_syscalls), (0, (0, 0)));
    assert_eq!((account.all_apparent(), account.all_releases()), (timed(0, 0), timed(0, 0)));
}

#[test]
fn what_is_left_of_a_mapping_stays_its_own() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 8));
    munmap(&mut script, 100, A, (2, 2));
    mmap(&mut script, 200, B, (6, 4));
    script.fault(300, 1, AT + PAGE).fault(310, 2, AT + 3 * PAGE).fault(320, 4, AT + 5 * PAGE);
    script.fault(330, 8, AT + 6 * PAGE).fault(340, 16, AT + 9 * PAGE);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.touches, b.touches, sites.rest()), (minor(2, 5), minor(2, 24), 1));
    assert_eq!((a.unreleased, a.unreleased_bytes), (1, 4 * PAGE), "two parts of one mapping");
    assert_eq!((b.unreleased, b.unreleased_bytes, a.frees), (1, 4 * PAGE, 2));
}

#[test]
fn a_block_in_a_mapping_pays_for_itself() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 8));
    script.malloc((50, 60), B, (AT + 2 * PAGE, 2 * PAGE));
    script.fault(100, 1, AT).fault(110, 2, AT + 2 * PAGE).fault(120, 4, AT + 5 * PAGE);
    // Data of the allocator, touched inside its call.
    script.malloc((200, 300), B, (AT + 64 * PAGE, 16)).fault(210, 8, AT + 6 * PAGE);
    // A signal handler touches it while it interrupts another call that maps.
    script.mapping_call((400, 500), B, AllocationFunction::Mmap, (0, AT + 80 * PAGE, PAGE));
    script.fault(450, 16, AT + PAGE);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.touches, b.touches, b.inside), (minor(3, 21), minor(1, 2), minor(1, 8)));
    assert!(!b.maps);
    assert_eq!(sites.account.peak_live_bytes, 2 * PAGE + 16, "blocks, and no mappings");
}

#[test]
fn memory_that_is_mapped_without_such_a_call_has_no_site() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 4));
    // Over its end by an allocator in its call, and beside it by nobody known.
    script.malloc((100, 200), B, (AT + 2 * PAGE + 16, 100));
    script.syscall_of((110, 120), Call::Mmap, [AT + 2 * PAGE, 2 * PAGE, 3], AT + 2 * PAGE);
    script.syscall_of((220, 230), Call::Mmap, [0, PAGE, 3], AT + 8 * PAGE);
    script.fault(300, 1, AT).fault(310, 2, AT + 3 * PAGE).fault(320, 4, AT + 8 * PAGE);
    let sites = script.sites();
    assert_eq!((sites.site(A).touches, sites.site(B).touches), (minor(1, 1), minor(0, 0)));
    assert_eq!(sites.rest(), 2);
    assert_eq!(sites.account.own_syscalls, (1, 10));
}

#[test]
fn a_mapping_that_moves_belongs_to_the_call_that_moved_it() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 2));
    script.fault(50, 1, AT);
    let (old, new) = (AT, AT + 32 * PAGE);
    let call = (old, new, 4 * PAGE);
    script.mapping_call((100, 120), B, AllocationFunction::Mremap, call);
    script.syscall_of((101, 119), Call::Mremap, [old, 2 * PAGE, 4 * PAGE], new);
    script.fault(200, 2, AT).fault(210, 4, new + 3 * PAGE);
    munmap(&mut script, 300, B, (32, 4));
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.touches, b.touches, sites.rest()), (minor(1, 1), minor(1, 4), 1));
    assert_eq!((a.unreleased, b.unreleased, b.calls), (0, 0, 1));
    assert_eq!((a.returned_ns, b.returned_ns), (10, 10), "each gives its page back");
}

#[test]
fn the_call_alone_says_enough_where_syscalls_are_not_seen() {
    let mut script = Script::new();
    script.without_syscalls();
    script.mapping_call((10, 20), A, AllocationFunction::Mmap, (0, AT, 4 * PAGE));
    script.fault(50, 1, AT + PAGE);
    let moved = AT + 32 * PAGE;
    script.mapping_call((60, 70), B, AllocationFunction::Mremap, (AT, moved, 8 * PAGE));
    script.fault(80, 2, AT + PAGE).fault(90, 4, moved + 7 * PAGE);
    script.mapping_call((100, 110), B, AllocationFunction::Munmap, (moved, 0, 8 * PAGE));
    script.fault(120, 8, moved);
    // It fails, and so does one that unmaps nothing known.
    script.mapping_call((130, 140), A, AllocationFunction::Mmap, (0, 0, 1 << 60));
    script.mapping_call((150, 160), A, AllocationFunction::Munmap, (0x50_0000, 0, PAGE));
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.touches, b.touches, sites.rest()), (minor(1, 1), minor(1, 4), 2));
    assert_eq!((a.calls, a.failed, a.apparent), (2, 1, timed(2, 20)));
    assert_eq!((b.frees, b.release, b.unreleased), (1, timed(1, 10), 0));
}

#[test]
fn a_child_has_the_mappings_of_its_parent() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 4));
    script.fork(50, 2).of(first(2)).fault(60, 1, AT);
    munmap(&mut script, 100, B, (0, 4));
    script.fault(200, 2, AT).of(first(1)).fault(210, 4, AT).exec(300).fault(310, 8, AT);
    let sites = script.sites();
    let a = sites.site(A);
    assert_eq!((a.touches, sites.rest()), (minor(2, 5), 2));
    assert_eq!((a.unreleased, a.unreleased_bytes), (1, 4 * PAGE), "the parent's, at its exec");
}

#[test]
fn mappings_are_exact_where_stacks_are_sampled() {
    let mut script = Script::new();
    script.sample(StackSampling { mean_bytes: NonZeroU64::new(1 << 20).expect("not zero") });
    mmap(&mut script, 10, A, (0, 1));
    script.fault(50, 7, AT);
    let sites = script.sites();
    let a = sites.site(A);
    assert_eq!((a.calls, a.bytes, a.touches), (1, PAGE, minor(1, 7)));
    let sampled = sites.account.sampled.expect("stacks are sampled");
    assert_eq!((sampled.all.calls, sampled.all.touches), (0, minor(0, 0)));
    assert!(sites.account.rest.iter().all(|rest| rest.kind != RestKind::Anonymous));
}

/// The kernel gives an address out again before the munmap of another thread has returned, or after
/// the call that gets it had begun.
#[test]
fn an_address_that_another_thread_gives_back_is_the_new_mappings() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 4));
    let (bytes, late) = (4 * PAGE, Thread { pid: 1, tid: 9 });
    script.of(late).mapping_call((100, 190), B, AllocationFunction::Mmap, (0, AT, bytes));
    script.syscall_of((110, 180), Call::Mmap, [0, bytes, 3], AT);
    munmap(script.of(first(1)), 120, A, (0, 4));
    script.of(late).fault(200, 5, AT);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.touches, b.touches, sites.rest()), (minor(0, 0), minor(1, 5), 0));
    assert_eq!((a.frees, a.unreleased, b.frees, b.unreleased), (1, 0, 0, 1));
    assert_eq!((a.peak_bytes, b.peak_bytes), (bytes, bytes));
}

#[test]
fn a_mapping_may_move_and_stay() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 2));
    let new = AT + 32 * PAGE;
    script.mapping_call((100, 120), B, AllocationFunction::Mremap, (AT, new, 2 * PAGE));
    let arguments = [AT, 2 * PAGE, 2 * PAGE];
    script.syscall_with((101, 119), Call::Mremap, arguments, MREMAP_DONTUNMAP, new);
    script.fault(200, 1, AT).fault(210, 2, new);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.touches, b.touches, sites.rest()), (minor(1, 1), minor(1, 2), 0));
    assert_eq!((a.unreleased, b.unreleased), (1, 1));
}

#[test]
fn what_was_mapped_before_a_pause_may_be_gone() {
    let mut script = Script::new();
    mmap(&mut script, 10, A, (0, 2));
    script.pause(100..200);
    mmap(&mut script, 300, B, (8, 2));
    let sites = script.sites();
    assert_eq!((sites.site(A).unreleased, sites.site(B).unreleased), (0, 1));
}

#[test]
fn memory_that_is_mapped_and_never_touched_is_known() {
    const PRIVATE: u64 = 2;
    let mut script = Script::new();
    let (bytes, writable, anonymous) = (8 * PAGE, 3, PRIVATE | 0x20);
    for (site, place, protection, flags) in [
        (A, 0, writable, anonymous),
        // No memory yet: without access, a mere reservation, a file.
        (B, 16, 0, anonymous),
        (3, 32, writable, anonymous | 0x4000),
        (4, 48, writable, PRIVATE),
    ] {
        let (from_ns, address) = (10 + place, AT + place * PAGE);
        let function = AllocationFunction::Mmap;
        script.mapping_call((from_ns, from_ns + 10), site, function, (0, address, bytes));
        let arguments = [0, bytes, protection];
        script.syscall_with((from_ns + 1, from_ns + 8), Call::Mmap, arguments, flags, address);
    }
    let report = MappingReport { start: AT, end: AT + bytes, protection: 3, ..Default::default() };
    script.map(12, &report).fault(100, 1, AT).fault(110, 1, AT + 5 * PAGE);
    munmap(&mut script, 200, A, (4, 4));
    let account = script.account().0;
    let details = account.sites.iter().zip(&account.details);
    let watched: Vec<(u64, u64)> = details
        .map(|(_, details)| (details.watched_bytes / PAGE, details.untouched_bytes / PAGE))
        .collect();
    assert_eq!(watched, [(8, 6), (0, 0), (0, 0), (0, 0)], "four pages at a time");
}
