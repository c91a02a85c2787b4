//! Sequences of events, and the causes that follow.

use std::num::NonZeroU64;

use events::Cause::{self, CopyOnWrite, File, FirstTouch, Stack, Unknown};
use events::{Call, EventKind, Life, Name, Sees, ThpPolicy, Thread};

use crate::teller::{ANONYMOUS, PAGE, POPULATE, PRIVATE, READ, SEES, SHARED, STACK, Teller, WRITE};

const AT: u64 = 0x7f00_0000_0000;

/// A program with 1024 anonymous pages at `AT`, a multiple of 2 MiB.
fn anonymous(huge_pages: ThpPolicy) -> Teller {
    anonymous_seeing(huge_pages, SEES)
}

fn anonymous_seeing(huge_pages: ThpPolicy, sees: Sees) -> Teller {
    let mut teller = Teller::seeing(huge_pages, sees);
    teller.mmap(AT, 1024, WRITE, PRIVATE | ANONYMOUS);
    teller
}

fn faults(teller: &mut Teller, pages: &[u64]) -> Vec<Cause> {
    pages.iter().map(|page| teller.fault(AT + page * PAGE + 8)).collect()
}

#[test]
fn a_first_touch_and_the_write_after_a_read_of_the_zero_page() {
    let mut teller = anonymous(ThpPolicy::Never);
    assert_eq!(
        faults(&mut teller, &[0, 1, 0, 1, 1023]),
        [FirstTouch, FirstTouch, CopyOnWrite, CopyOnWrite, FirstTouch]
    );
    assert_eq!(teller.fault(AT + 1024 * PAGE), Unknown, "behind its end");
    assert_eq!(teller.fault(AT - 1), Unknown, "before its beginning");
}

#[test]
fn a_child_and_its_parent_copy_what_was_there() {
    let mut teller = anonymous(ThpPolicy::Never);
    faults(&mut teller, &[0, 1]);
    teller.fork(8);
    assert_eq!(faults(&mut teller, &[0, 2]), [CopyOnWrite, FirstTouch], "the parent");
    teller.be(8, 8);
    assert_eq!(
        faults(&mut teller, &[0, 1, 2, 3]),
        [CopyOnWrite, CopyOnWrite, FirstTouch, FirstTouch]
    );
    teller.fork(9);
    teller.be(9, 9);
    assert_eq!(faults(&mut teller, &[3, 4]), [CopyOnWrite, FirstTouch], "the grandchild");
    teller.be(7, 7);
    assert_eq!(
        faults(&mut teller, &[3, 4]),
        [FirstTouch, FirstTouch],
        "the parent knows nothing of them"
    );
}

#[test]
fn another_program_and_another_thread() {
    let mut teller = anonymous(ThpPolicy::Never);
    faults(&mut teller, &[0]);
    teller.be(7, 70);
    teller.life(Life::Started { by: Thread { pid: 7, tid: 7 } });
    assert_eq!(faults(&mut teller, &[0, 1]), [CopyOnWrite, FirstTouch], "threads share");
    teller.be(7, 7);
    teller.life(Life::Executed { name: Name::NONE });
    assert_eq!(teller.fault(AT), Unknown);
    teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    assert_eq!(faults(&mut teller, &[0, 1]), [FirstTouch, FirstTouch]);
}

#[test]
fn memory_given_back_is_touched_for_the_first_time_again() {
    for advice in [4, 8, 24, 102] {
        let mut teller = anonymous(ThpPolicy::Never);
        faults(&mut teller, &[0, 1, 2, 3]);
        teller.madvise(AT + PAGE, 2, advice);
        assert_eq!(
            faults(&mut teller, &[0, 1, 2, 3]),
            [CopyOnWrite, FirstTouch, FirstTouch, CopyOnWrite]
        );
    }
    let mut teller = anonymous(ThpPolicy::Never);
    faults(&mut teller, &[0, 1]);
    teller.munmap(AT, 1);
    assert_eq!(faults(&mut teller, &[0, 1]), [Unknown, CopyOnWrite]);
    teller.mmap(AT, 2, WRITE, PRIVATE | ANONYMOUS);
    assert_eq!(faults(&mut teller, &[0, 1]), [FirstTouch, FirstTouch]);
    teller.call(Call::Madvise, &[AT, PAGE, 4], (-22i64).cast_unsigned());
    assert_eq!(faults(&mut teller, &[0]), [CopyOnWrite], "what failed did nothing");
}

#[test]
fn the_heap_grows_shrinks_and_grows_again() {
    let mut teller = Teller::new();
    let heap = 0x55d0_0000_0000;
    teller.call(Call::Brk, &[0], heap);
    assert_eq!(teller.fault(heap), Unknown);
    teller.call(Call::Brk, &[heap + 4 * PAGE], heap + 4 * PAGE);
    assert_eq!(
        [0, 3, 3].map(|page| teller.fault(heap + page * PAGE)),
        [FirstTouch, FirstTouch, CopyOnWrite]
    );
    teller.call(Call::Brk, &[heap + 10], heap + 10);
    assert_eq!([0, 3].map(|page| teller.fault(heap + page * PAGE)), [CopyOnWrite, Unknown]);
    teller.call(Call::Brk, &[heap + 4 * PAGE], heap + 4 * PAGE);
    assert_eq!(teller.fault(heap + 3 * PAGE), FirstTouch);
    teller.call(Call::Brk, &[u64::MAX], heap + 4 * PAGE);
    assert_eq!(teller.fault(heap + 3 * PAGE), CopyOnWrite, "a break that was refused");
    assert_eq!(teller.label(heap), "[heap]");
}

#[test]
fn what_moves_keeps_what_it_is() {
    let mut teller = anonymous(ThpPolicy::Never);
    faults(&mut teller, &[0, 100, 700]);
    let there = AT + (1 << 32) + 77 * PAGE;
    teller.call(Call::Mremap, &[AT, 1024 * PAGE, 2048 * PAGE, 1, 0], there);
    let causes = [0, 100, 700, 1, 1024].map(|page| teller.fault(there + page * PAGE));
    assert_eq!(causes, [CopyOnWrite, CopyOnWrite, CopyOnWrite, FirstTouch, FirstTouch]);
    assert_eq!(faults(&mut teller, &[0]), [Unknown], "nothing is left where it was");
    teller.call(Call::Mremap, &[there, 2048 * PAGE, 50 * PAGE, 0, 0], there);
    assert_eq!([0, 100].map(|page| teller.fault(there + page * PAGE)), [CopyOnWrite, Unknown]);
    teller.call(Call::Mremap, &[there, 50 * PAGE, 50 * PAGE, 1 | 4, 0], AT);
    assert_eq!(teller.fault(there), FirstTouch, "MREMAP_DONTUNMAP leaves it empty");
    assert_eq!(faults(&mut teller, &[0, 2]), [CopyOnWrite, FirstTouch]);
}

#[test]
fn the_stack_grows_by_itself() {
    let mut teller = Teller::new();
    let top = 0x7fff_f000_0000;
    teller.mapped(top - 4 * PAGE, 4, 3, "[stack]");
    assert_eq!(
        [1, 1, 9, 9].map(|page| teller.fault(top - page * PAGE)),
        [Stack, CopyOnWrite, Stack, CopyOnWrite]
    );
    // The kernel's report of the growth comes from inside the fault.
    teller.mapped(top - 9 * PAGE, 9, 3, "[stack]");
    assert_eq!(teller.fault(top - 9 * PAGE), CopyOnWrite);
    assert_eq!(teller.fault(top - (1 << 30)), Unknown, "too far to be growth");
    assert_eq!(teller.label(top - 20 * PAGE), "[stack]");
}

#[test]
fn the_stacks_arguments_were_there_before_the_program() {
    let mut teller = Teller::new();
    let top = 0x7fff_f000_0000;
    teller.mapped(top - 33 * PAGE, 33, 3, "[stack]");
    assert_eq!([3, 4].map(|page| teller.fault(top - page * PAGE)), [Stack; 2]);
    teller.fork(8);
    teller.be(8, 8);
    assert_eq!(teller.fault(top - 4 * PAGE), CopyOnWrite);
    assert_eq!(teller.fault(top - PAGE), CopyOnWrite, "execve wrote it");
    assert_eq!(teller.fault(top - 5 * PAGE), Stack);
}

#[test]
fn a_threads_stack_is_touched() {
    let mut teller = Teller::new();
    teller.mmap(AT, 16, 0, PRIVATE | ANONYMOUS | STACK);
    teller.call(Call::Mprotect, &[AT + PAGE, 15 * PAGE, WRITE], 0);
    assert_eq!(
        faults(&mut teller, &[15, 15, 0, 0]),
        [FirstTouch, CopyOnWrite, Unknown, Unknown],
        "0 is the guard"
    );
    assert_eq!(teller.label(AT + PAGE), "[thread stack]");
    teller.mapped(AT + PAGE, 15, 3, "//anon");
    assert_eq!(
        teller.label(AT + PAGE),
        "[thread stack]",
        "the kernel does not know what it is for"
    );
}

#[test]
fn a_child_finds_files_and_shared_memory_again() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, READ, PRIVATE);
    teller.mmap(AT + 16 * PAGE, 4, WRITE, PRIVATE);
    teller.mmap(AT + 32 * PAGE, 4, WRITE, SHARED | ANONYMOUS);
    assert_eq!(faults(&mut teller, &[0, 16, 32, 32]), [File, File, FirstTouch, Unknown]);
    teller.fork(8);
    teller.be(8, 8);
    assert_eq!(faults(&mut teller, &[0, 16, 32]), [File, CopyOnWrite, FirstTouch]);
}

#[test]
fn populated_memory_has_been_touched() {
    let touched = |prepare: &dyn Fn(&mut Teller)| {
        let mut teller = anonymous(ThpPolicy::Never);
        prepare(&mut teller);
        teller.fork(8);
        faults(&mut teller, &[0, 1])
    };
    let both = [CopyOnWrite, CopyOnWrite];
    assert_eq!(touched(&|teller| teller.mmap(AT, 8, WRITE, PRIVATE | ANONYMOUS | POPULATE)), both);
    assert_eq!(touched(&|teller| teller.madvise(AT, 2, 23)), both);
    assert_eq!(touched(&|teller| teller.call(Call::Mlock, &[AT, 2 * PAGE], 0)), both);
    assert_eq!(touched(&|teller| teller.call(Call::Mlockall, &[1], 0)), both);
    assert_eq!(
        touched(&|teller| teller.call(Call::Mlock2, &[AT, PAGE, 0], 0)),
        [CopyOnWrite, FirstTouch]
    );
    assert_eq!(
        touched(&|teller| teller.call(Call::Mlock2, &[AT, 2 * PAGE, 1], 0)),
        [FirstTouch, FirstTouch]
    );
    let future = |teller: &mut Teller| {
        teller.call(Call::Mlockall, &[2], 0);
        teller.mmap(AT, 8, WRITE, PRIVATE | ANONYMOUS);
    };
    assert_eq!(touched(&future), both);
}

#[test]
fn one_fault_may_have_brought_a_huge_page() {
    for (huge_pages, expect) in [
        (ThpPolicy::Always, [CopyOnWrite, Unknown, Unknown]),
        (ThpPolicy::Advised, [CopyOnWrite, FirstTouch, FirstTouch]),
        (ThpPolicy::Never, [CopyOnWrite, FirstTouch, FirstTouch]),
    ] {
        let mut teller = anonymous(huge_pages);
        assert_eq!(faults(&mut teller, &[5, 512, 513]), [FirstTouch; 3]);
        teller.fork(8);
        assert_eq!(faults(&mut teller, &[5, 6, 7]), expect, "{huge_pages:?}");
        assert_eq!(
            faults(&mut teller, &[513, 514]),
            [CopyOnWrite, FirstTouch],
            "two faults are no huge page"
        );
        teller.be(8, 8);
        assert_eq!(faults(&mut teller, &[5, 6, 7]), expect, "the child, {huge_pages:?}");
    }
    let mut teller = anonymous(ThpPolicy::Advised);
    teller.madvise(AT, 1024, 14);
    faults(&mut teller, &[5]);
    teller.fork(8);
    assert_eq!(faults(&mut teller, &[6]), [Unknown], "it was advised");
    teller.madvise(AT, 1024, 15);
    assert_eq!(faults(&mut teller, &[8]), [FirstTouch], "it was advised against");
}

#[test]
fn a_fault_that_is_taken_again_is_the_same_fault() {
    let mut teller = anonymous(ThpPolicy::Never);
    teller.latency_ns = 0;
    let causes = [0, 0, 1].map(|page| teller.fault_as(AT + page * PAGE, 1, false).cause);
    assert_eq!(causes, [FirstTouch, FirstTouch, FirstTouch]);
    assert_eq!(teller.fault_as(AT + PAGE, 2, false).cause, CopyOnWrite, "another instruction");
    teller.latency_ns = 500;
    teller.fault_as(AT + 2 * PAGE, 1, false);
    assert_eq!(
        teller.fault_as(AT + 2 * PAGE, 1, false).cause,
        CopyOnWrite,
        "the first one was over"
    );
}

#[test]
fn two_threads_wait_for_one_page() {
    let mut teller = anonymous(ThpPolicy::Never);
    teller.latency_ns = 5000;
    assert_eq!(faults(&mut teller, &[0]), [FirstTouch]);
    teller.be(7, 8);
    assert_eq!(faults(&mut teller, &[0]), [FirstTouch], "while the other is at it");
    teller.now_ns += 5000;
    assert_eq!(faults(&mut teller, &[0]), [CopyOnWrite]);
}

#[test]
fn growth_and_protection_take_no_page_away() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    faults(&mut teller, &[0]);
    // The kernel tells of what it has split, and of what it joins again.
    teller.call(Call::Mprotect, &[AT, PAGE, READ], 0);
    teller.mapped(AT, 1, 1, "");
    teller.call(Call::Mprotect, &[AT, PAGE, WRITE], 0);
    teller.mapped(AT, 4, 3, "");
    assert_eq!(faults(&mut teller, &[0, 1]), [CopyOnWrite, FirstTouch]);
    // A neighbour that has become one mapping with it.
    teller.mmap(AT + 4 * PAGE, 2, WRITE, PRIVATE | ANONYMOUS);
    teller.mapped(AT, 6, 3, "");
    assert_eq!(faults(&mut teller, &[1, 4]), [CopyOnWrite, FirstTouch]);
}

#[test]
fn shared_memory_is_never_copied() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, WRITE, SHARED | ANONYMOUS);
    assert_eq!(faults(&mut teller, &[0, 0]), [FirstTouch, Unknown]);
    teller.madvise(AT, 1, 4);
    assert_eq!(
        faults(&mut teller, &[0]),
        [Unknown],
        "MADV_DONTNEED takes it out of this page table only"
    );
    teller.madvise(AT, 1, 9);
    assert_eq!(
        faults(&mut teller, &[0]),
        [FirstTouch],
        "MADV_REMOVE takes it from all who share it"
    );
}

#[test]
fn protection_decides_what_can_be_copied() {
    let mut teller = anonymous(ThpPolicy::Never);
    faults(&mut teller, &[0]);
    teller.call(Call::Mprotect, &[AT, PAGE, READ], 0);
    assert_eq!(faults(&mut teller, &[0]), [Unknown], "a write that is refused");
    teller.call(Call::PkeyMprotect, &[AT, PAGE, WRITE, 0], 0);
    assert_eq!(faults(&mut teller, &[0]), [CopyOnWrite]);
    assert_eq!(teller.major(AT), Unknown, "back from swap");
}

#[test]
fn what_came_with_a_huge_page_is_there_and_is_copied_after_a_fork() {
    let mut teller = anonymous_seeing(ThpPolicy::Always, Sees { page_sizes: true, ..SEES });
    teller.page_bytes = NonZeroU64::new(512 * PAGE);
    assert_eq!(faults(&mut teller, &[5]), [FirstTouch]);
    teller.page_bytes = NonZeroU64::new(PAGE);
    // The second 2 MiB had no room for a huge page, and one small page of it came.
    assert_eq!(faults(&mut teller, &[513]), [FirstTouch]);
    teller.fork(8);
    assert_eq!(
        faults(&mut teller, &[5, 6, 0, 511, 513, 514]),
        [CopyOnWrite, CopyOnWrite, CopyOnWrite, CopyOnWrite, CopyOnWrite, FirstTouch]
    );
}

#[test]
fn large_pages_of_hugetlbfs_fault_once() {
    let mut teller = Teller::new();
    teller.mmap(AT, 1024, WRITE, PRIVATE | ANONYMOUS | 0x4_0000);
    assert_eq!(faults(&mut teller, &[7, 8, 512]), [FirstTouch, CopyOnWrite, FirstTouch]);
}

#[test]
fn a_process_that_was_running_has_a_past() {
    let mut teller = Teller::new();
    teller.life(Life::Attached);
    teller.mapped(AT, 8, 3, "");
    assert_eq!(faults(&mut teller, &[0, 0]), [FirstTouch, CopyOnWrite]);
    teller.fork(8);
    assert_eq!(faults(&mut teller, &[1]), [Unknown], "it may have been touched before we came");
    teller.mmap(AT + 16 * PAGE, 8, WRITE, PRIVATE | ANONYMOUS);
    teller.fork(9);
    assert_eq!(faults(&mut teller, &[16]), [FirstTouch], "what is mapped since is known");
    let top = 0x7fff_f000_0000;
    let mut teller = Teller::new();
    teller.life(Life::Attached);
    teller.mapped(top - 4 * PAGE, 4, 3, "[stack]");
    teller.fork(8);
    assert_eq!(
        [4, 5].map(|page| teller.fault(top - page * PAGE)),
        [Unknown, Stack],
        "the stack has grown since"
    );
}

#[test]
fn attached_memory_has_the_size_that_the_kernel_tells() {
    let mut teller = Teller::new();
    teller.call(Call::Shmat, &[5, 0, 0], AT);
    teller.mapped(AT, 8, 3, "shared /SYSV00000000 (deleted)");
    assert_eq!(faults(&mut teller, &[0, 7]), [FirstTouch, FirstTouch]);
    teller.call(Call::Shmdt, &[AT], 0);
    assert_eq!(faults(&mut teller, &[0, 7]), [Unknown, Unknown]);
}

#[test]
fn events_of_unknown_processes_are_told_all_the_same() {
    let mut teller = Teller::new();
    teller.be(99, 100);
    assert_eq!(teller.fault(AT), Unknown);
    teller.event(EventKind::Lost(events::Lost { records: 3 }));
    teller.end();
    assert_eq!(teller.builder.summary().lost, 3);
    assert_eq!((teller.builder.summary().events, teller.builder.summary().faults_seen), (2, 1));
}
