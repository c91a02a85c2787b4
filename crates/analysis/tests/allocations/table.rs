//! Single cases: which site pays.

use std::num::NonZeroU64;

use analysis::allocations::{FaultSums, TimedCalls};
use events::{Allocation, AllocationFunction, EventKind, Fault, Life, Lost, Thread};

use crate::script::{PAGE, Script, fault, first, free};

/// Two sites, and the address of a block.
const A: u64 = 1;
const B: u64 = 2;
const AT: u64 = 0x10_0000;

fn minor(faults: u64, ns: u64) -> FaultSums {
    FaultSums { minor: faults, ns, ..FaultSums::default() }
}

fn timed(calls: u64, ns: u64) -> TimedCalls {
    TimedCalls { calls, timed: calls, timed_ns: ns }
}

#[test]
fn memory_is_touched_elsewhere_and_the_site_pays() {
    let mut script = Script::new();
    script.malloc((10, 15), A, (AT, 3 * PAGE)).malloc((20, 28), B, (AT + 8 * PAGE, 100));
    script.of(Thread { pid: 1, tid: 9 });
    script.fault(100, 50, AT).fault(200, 60, AT + PAGE).fault(300, 70, AT + 8 * PAGE + 99);
    script.of(first(1)).free((500, 507), AT);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.apparent, a.touches, a.release), (timed(1, 5), minor(2, 110), timed(1, 7)));
    assert_eq!((b.apparent, b.touches, b.release), (timed(1, 8), minor(1, 70), timed(0, 0)));
    assert_eq!((a.calls, a.frees, a.bytes, a.unreleased), (1, 1, 3 * PAGE, 0));
    assert_eq!((b.calls, b.frees, b.unreleased, b.unreleased_bytes), (1, 0, 1, 100));
    assert_eq!((sites.rest(), sites.account.threads, sites.account.processes), (0, 2, 1));
}

#[test]
fn an_address_belongs_to_the_block_that_is_live_then() {
    let mut script = Script::new();
    script.fault(5, 1, AT).malloc((10, 20), A, (AT, 100)).fault(30, 2, AT).free((40, 45), AT);
    script.fault(50, 4, AT).malloc((60, 70), B, (AT, 100)).fault(80, 8, AT);
    let sites = script.sites();
    assert_eq!((sites.site(A).touches, sites.site(B).touches), (minor(1, 2), minor(1, 8)));
    assert_eq!(sites.rest(), 2, "before and between the blocks");
    assert_eq!(sites.account.all_faults(), minor(4, 15));
    assert_eq!((sites.account.lost_releases, sites.account.unknown_releases), (0, 0));
}

#[test]
fn a_block_goes_when_its_free_begins_and_comes_when_its_call_ends() {
    let mut script = Script::new();
    let (one, other) = (first(1), Thread { pid: 1, tid: 2 });
    script.of(one).malloc((10, 20), A, (AT, 100));
    // Its free takes long; meanwhile another thread gets the address.
    script.free((100, 200), AT).of(other).malloc((110, 150), B, (AT, 100));
    script.fault(140, 1, AT).of(one).fault(145, 2, AT + 4).fault(160, 4, AT).of(other);
    script.free((210, 220), AT);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    // The fault at 140 is inside the call that gives the block out, and the one at 160 after it.
    assert_eq!(b.touches, minor(2, 5));
    assert_eq!((a.touches, a.inside), (minor(0, 0), minor(1, 2)), "inside free, on no block");
    assert_eq!((a.release, b.release), (timed(1, 96), timed(1, 10)), "less the fault at 160");
    assert_eq!((a.frees, b.frees, sites.account.lost_releases), (1, 1, 0));
}

#[test]
fn a_fault_counts_once_in_the_times() {
    let mut script = Script::new();
    // calloc(3) clears its block: the fault is first touch, and the call only looks slow.
    script.malloc((100, 1100), A, (AT, 2 * PAGE)).fault(200, 300, AT).fault(600, 300, AT + PAGE);
    // Its header is before it, on its page.
    script.malloc((2000, 2500), B, (AT + 8 * PAGE + 16, 100)).fault(2100, 200, AT + 8 * PAGE + 8);
    // The allocator's own data: time of the call.
    script.malloc((3000, 3500), B, (AT + 16 * PAGE, 8)).fault(3100, 200, AT + 64 * PAGE);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.apparent, a.touches, a.inside), (timed(1, 400), minor(2, 600), minor(0, 0)));
    assert_eq!((b.apparent, b.touches, b.inside), (timed(2, 800), minor(1, 200), minor(1, 200)));
    assert_eq!((b.faults(), sites.rest()), (minor(2, 400), 0));
}

#[test]
fn a_fault_that_seems_longer_than_its_call_takes_no_more_than_that() {
    let mut script = Script::new();
    script.malloc((100, 200), A, (AT, PAGE)).malloc((300, 350), A, (AT + PAGE, PAGE));
    script.fault(310, 90, AT + PAGE);
    assert_eq!(script.sites().site(A).apparent, timed(2, 100));
}

#[test]
fn reallocations_end_one_block_and_begin_another() {
    let to = AT + 64 * PAGE;
    for (what, address, bytes, on_old, on_new) in [
        ("moved", to, 200, None, Some(B)),
        ("in place", AT, 200, Some(B), None),
        ("failed", 0, 200, Some(A), None),
        ("to nothing", 0, 0, None, None),
    ] {
        let mut script = Script::new();
        script.malloc((10, 20), A, (AT, 100));
        let released = if what == "failed" { 0 } else { AT };
        let stack = script.stack(B);
        let realloc = Allocation {
            address,
            size_bytes: bytes,
            stack,
            function: AllocationFunction::Realloc,
            ..free(released, NonZeroU64::new(10))
        };
        script.call(30, realloc).fault(50, 1, AT).fault(60, 2, to);
        let sites = script.sites();
        let (a, b) = (sites.site(A), sites.site(B));
        let paid = |site: &analysis::allocations::Site, ns| site.touches.ns & ns != 0;
        let payer = |ns| match (paid(&a, ns), paid(&b, ns)) {
            (true, false) => Some(A),
            (false, true) => Some(B),
            _ => None,
        };
        assert_eq!((payer(1), payer(2)), (on_old, on_new), "{what}");
        assert_eq!((a.frees, a.unreleased), if released == 0 { (0, 1) } else { (1, 0) }, "{what}");
        let (calls, failed) = match what {
            "failed" => (1, 1),
            "to nothing" => (0, 0),
            _ => (1, 0),
        };
        assert_eq!(
            (b.calls, b.failed, b.bytes),
            (calls, failed, bytes * (calls - failed)),
            "{what}"
        );
        let released = if what == "to nothing" { timed(1, 10) } else { timed(0, 0) };
        assert_eq!(a.release, released, "{what}");
    }
}

#[test]
fn releases_of_unknown_blocks_and_lost_releases_are_counted() {
    let mut script = Script::new();
    script.free((10, 15), AT).malloc((20, 25), A, (AT, 100));
    // Its free was lost, and the next block lies across its end.
    script.malloc((30, 35), B, (AT + 50, 100)).fault(40, 1, AT).fault(50, 2, AT + 60);
    script.free((60, 65), AT).free((70, 75), AT + 50);
    let sites = script.sites();
    assert_eq!((sites.account.unknown_releases, sites.account.lost_releases), (2, 1));
    assert_eq!((sites.site(A).touches, sites.site(B).touches), (minor(0, 0), minor(2, 3)));
    assert_eq!((sites.site(A).frees, sites.site(B).frees, sites.site(A).unreleased), (0, 1, 0));
    assert_eq!(sites.account.unowned, timed(2, 10));
}

#[test]
fn a_free_of_null_costs_nothing() {
    let mut script = Script::new();
    script.free((10, 15), 0);
    let account = script.account().0;
    assert_eq!((account.unknown_releases, account.unowned), (0, timed(0, 0)));
    assert_eq!(account.sites, []);
}

#[test]
fn a_program_that_has_an_address_has_got_it() {
    let mut script = Script::new();
    // Another clock: the free begins before the end of the call that gave the block out.
    script.malloc((10, 21), A, (AT, 100)).of(Thread { pid: 1, tid: 2 }).free((20, 25), AT);
    let sites = script.sites();
    assert_eq!((sites.site(A).frees, sites.account.unknown_releases), (1, 0));
    assert_eq!(sites.site(A).unreleased, 0);
}

#[test]
fn calls_without_a_time_give_out_at_once_and_are_like_those_with_one() {
    let mut script = Script::new();
    script.malloc((10, 10), A, (AT, 100)).fault(11, 1, AT).malloc((20, 26), A, (AT + PAGE, 100));
    script.free((30, 30), AT).free((40, 44), AT + PAGE);
    let site = script.sites().site(A);
    assert_eq!(site.touches, minor(1, 1));
    let one_of_two = |ns| TimedCalls { calls: 2, timed: 1, timed_ns: ns };
    assert_eq!((site.apparent, site.release), (one_of_two(6), one_of_two(4)));
    let similar = TimedCalls { calls: 9, timed: 3, timed_ns: 30 };
    assert_eq!(site.release.estimate_ns(&similar), 8, "the mean of its own");
    let none = TimedCalls { calls: 4, ..TimedCalls::default() };
    assert_eq!(none.estimate_ns(&similar), 40, "the mean of others");
    assert_eq!(none.estimate_ns(&none), 0, "nothing is known");
    let most = TimedCalls { calls: u64::MAX, timed: 1, timed_ns: u64::MAX };
    assert_eq!(most.estimate_ns(&none), u64::MAX);
}

#[test]
fn syscalls_inside_calls_belong_to_the_site() {
    let mut script = Script::new();
    script.syscall(5).malloc((10, 20), A, (AT, 100)).syscall(15).syscall(20);
    script.of(Thread { pid: 1, tid: 2 }).syscall(15).of(first(1));
    script.free((30, 40), AT).syscall(35);
    assert_eq!(script.sites().site(A).syscalls, 2);
}

#[test]
fn a_call_inside_a_call_has_its_own_time() {
    let mut script = Script::new();
    // A signal handler allocates while its thread does.
    script.malloc((100, 200), A, (AT, 100)).malloc((120, 150), B, (AT + PAGE, 100));
    script.fault(130, 5, AT + PAGE).syscall(140).fault(160, 5, AT);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.apparent, b.apparent), (timed(1, 65), timed(1, 25)));
    assert_eq!((a.syscalls, b.syscalls), (0, 1));
    assert_eq!((a.touches, b.touches), (minor(1, 5), minor(1, 5)));
}

#[test]
fn blocks_share_a_page_and_the_one_above_has_the_header() {
    for (what, address, pays) in [
        ("before the first, on another page", AT - 1, None),
        ("its header", AT + 8, Some(A)),
        ("itself", AT + 16, Some(A)),
        ("its last byte", AT + 115, Some(A)),
        ("the header of the second", AT + 116, Some(B)),
        ("behind both", AT + 300, None),
    ] {
        let mut script = Script::new();
        script.malloc((1, 2), A, (AT + 16, 100)).malloc((3, 4), B, (AT + 128, 100));
        script.fault(10, 1, address);
        let sites = script.sites();
        let payer = match (sites.site(A).touches.ns, sites.site(B).touches.ns) {
            (1, 0) => Some(A),
            (0, 1) => Some(B),
            _ => None,
        };
        assert_eq!(payer, pays, "{what}");
    }
    // A huge page is one page.
    let mut script = Script::new();
    script.malloc((1, 2), A, (AT + 8 * PAGE, 100));
    let page_bytes = NonZeroU64::new(512 * PAGE);
    script.fault_of(10, Fault { address: AT, page_bytes, ..fault(1) });
    assert_eq!(script.sites().site(A).touches, minor(1, 1));
}

#[test]
fn a_child_inherits_blocks_and_frees_its_own_copies() {
    let mut script = Script::new();
    script.malloc((10, 20), A, (AT, 100)).fork(30, 2).of(first(2));
    script.fault(40, 1, AT).free((50, 55), AT).fault(60, 2, AT);
    script.malloc((70, 75), B, (AT, 50)).fault(80, 4, AT).exit(90);
    script.of(first(1)).fault(100, 8, AT).free((110, 115), AT);
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((a.touches, b.touches, sites.rest()), (minor(2, 9), minor(1, 4), 1));
    assert_eq!((a.frees, a.release, b.unreleased), (2, timed(2, 10), 1));
    assert_eq!((a.peak_bytes, sites.account.peak_live_bytes), (100, 150), "one copy is live");
    assert_eq!((a.unreleased, sites.account.processes), (0, 2));
}

#[test]
fn a_program_that_is_executed_has_no_blocks() {
    let mut script = Script::new();
    script.malloc((10, 20), A, (AT, 100)).exec(30).fault(40, 1, AT);
    script.malloc((50, 60), A, (AT, 70)).exit(70).malloc((80, 90), A, (AT, 30));
    let sites = script.sites();
    let site = sites.site(A);
    assert_eq!((site.touches, sites.rest(), sites.account.lost_releases), (minor(0, 0), 1, 0));
    assert_eq!((site.calls, site.unreleased, site.unreleased_bytes), (3, 3, 200));
    assert_eq!(site.peak_bytes, 100);
}

#[test]
fn peaks_are_of_each_site_and_of_all() {
    let mut script = Script::new();
    script.malloc((1, 2), A, (AT, 100)).free((3, 4), AT).malloc((5, 6), A, (AT, 60));
    script.malloc((7, 8), B, (AT + PAGE, 50)).free((9, 10), AT + PAGE).free((11, 12), AT);
    script.malloc((13, 14), B, (AT, 70));
    let sites = script.sites();
    let (a, b) = (sites.site(A), sites.site(B));
    assert_eq!((sites.account.peak_live_bytes, sites.account.peak_ns), (110, 8));
    assert_eq!((a.peak_bytes, a.at_peak_bytes), (100, 60));
    assert_eq!((b.peak_bytes, b.at_peak_bytes), (70, 50));
}

#[test]
fn the_peak_is_that_of_all_processes_in_the_order_of_time() {
    let mut script = Script::new();
    // The child's block comes at 100, when the parent's is gone.
    script.fork(1, 2).of(first(2)).malloc((5, 100), A, (AT, 100));
    script.of(first(1)).malloc((10, 20), B, (AT, 90)).free((50, 60), AT);
    script.event(120, EventKind::Lost(Lost { records: 3 }));
    let sites = script.sites();
    assert_eq!((sites.account.peak_live_bytes, sites.account.peak_ns), (100, 100));
    assert_eq!((sites.site(A).at_peak_bytes, sites.site(B).at_peak_bytes), (100, 0));
    assert_eq!(sites.account.lost, 3);
}

#[test]
fn threads_are_counted_and_their_lives_added() {
    let mut script = Script::new();
    let other = Thread { pid: 1, tid: 2 };
    script.malloc((100, 101), A, (AT, 8)).of(other);
    script.event(200, EventKind::Life(Life::Started { by: first(1) }));
    script.malloc((250, 251), A, (AT + 8, 8));
    script.event(300, EventKind::Life(Life::Ended { ending: events::Ending::Unknown }));
    script.of(first(1)).exit(1000);
    let account = script.account().0;
    assert_eq!((account.threads, account.processes, account.threads_ns), (2, 1, 900 + 100));
    assert_eq!(account.ended_ns, 1000);
}

#[test]
fn what_was_live_in_a_pause_is_no_leak_and_its_address_may_be_given_out_again() {
    let mut script = Script::new();
    script.pause(100..200).pause(900..950);
    script.malloc((10, 15), A, (AT, 100)).malloc((20, 25), A, (AT + 4 * PAGE, 100));
    // It has no release: that of the pause was missed. The new block is the truth.
    script.malloc((300, 305), B, (AT, 50)).fault(310, 7, AT).free((320, 325), AT);
    // Given out in the pause.
    script.free((330, 335), AT + 8 * PAGE);
    script.malloc((400, 405), B, (AT + 12 * PAGE, 30)).exit(500);
    let sites = script.sites();
    let (a, b, account) = (sites.site(A), sites.site(B), &sites.account);
    assert_eq!((a.unreleased, a.frees, b.touches), (0, 0, minor(1, 7)));
    assert_eq!((b.unreleased, b.unreleased_bytes, b.frees), (1, 30, 1), "after the pause");
    assert_eq!((account.lost_releases, account.unknown_releases), (1, 1));
    assert_eq!((account.across_pauses, account.across_pauses_bytes), (1, 100));
    assert_eq!((account.pauses, account.paused_ns), (1, 100), "the other one has not begun");
    assert_eq!(account.threads_ns, 390, "from 10 to 500, without the pause");
}
