//! Sequences of events and the causes that they imply.

use std::num::NonZeroU64;

use events::Cause::{self, CopyOnWrite, File, FirstTouch, Reuse, Stack, Unknown};
use events::{Call, EventKind, Life, Name, Sees, ThpPolicy, Thread};

use results::trace::LineKind;

use crate::script::{ANONYMOUS, PAGE, POPULATE, PRIVATE, READ, SEES, SHARED, STACK, Script, WRITE};

const AT: u64 = 0x7f00_0000_0000;

/// A program with 1024 anonymous pages at `AT`, a multiple of 2 MiB.
fn anonymous(huge_pages: ThpPolicy) -> Script {
    anonymous_seeing(huge_pages, SEES)
}

fn anonymous_seeing(huge_pages: ThpPolicy, sees: Sees) -> Script {
    let mut script = Script::seeing(huge_pages, sees);
    script.mmap(AT, 1024, WRITE, PRIVATE | ANONYMOUS);
    script
}

fn faults(script: &mut Script, pages: &[u64]) -> Vec<Cause> {
    pages.iter().map(|page| script.fault(AT + page * PAGE + 8)).collect()
}

#[test]
fn a_first_touch_and_the_write_after_a_read_of_the_zero_page() {
    let mut script = anonymous(ThpPolicy::Never);
    assert_eq!(
        faults(&mut script, &[0, 1, 0, 1, 1023]),
        [FirstTouch, FirstTouch, CopyOnWrite, CopyOnWrite, FirstTouch]
    );
    assert_eq!(script.fault(AT + 1024 * PAGE), Unknown, "after its end");
    assert_eq!(script.fault(AT - 1), Unknown, "before its start");
}

#[test]
fn a_child_and_its_parent_copy_touched_pages() {
    let mut script = anonymous(ThpPolicy::Never);
    faults(&mut script, &[0, 1]);
    script.fork(8);
    assert_eq!(faults(&mut script, &[0, 2]), [CopyOnWrite, FirstTouch], "the parent");
    script.be(8, 8);
    assert_eq!(
        faults(&mut script, &[0, 1, 2, 3]),
        [Reuse, CopyOnWrite, FirstTouch, FirstTouch],
        "the parent has its own page 0"
    );
    script.fork(9);
    script.be(9, 9);
    assert_eq!(faults(&mut script, &[3, 4]), [CopyOnWrite, FirstTouch], "the grandchild");
    script.be(7, 7);
    assert_eq!(
        faults(&mut script, &[3, 4]),
        [FirstTouch, FirstTouch],
        "the parent does not have the child's pages"
    );
}

#[test]
fn another_program_and_another_thread() {
    let mut script = anonymous(ThpPolicy::Never);
    faults(&mut script, &[0]);
    script.be(7, 70);
    script.life(Life::Started { by: Thread { pid: 7, tid: 7 } });
    assert_eq!(faults(&mut script, &[0, 1]), [CopyOnWrite, FirstTouch], "threads share");
    script.be(7, 7);
    script.life(Life::Executed { name: Name::NONE });
    assert_eq!(script.fault(AT), Unknown);
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    assert_eq!(faults(&mut script, &[0, 1]), [FirstTouch, FirstTouch]);
}

#[test]
fn released_memory_is_a_first_touch_again() {
    for advice in [4, 8, 24] {
        let mut script = anonymous(ThpPolicy::Never);
        faults(&mut script, &[0, 1, 2, 3]);
        script.madvise(AT + PAGE, 2, advice);
        assert_eq!(
            faults(&mut script, &[0, 1, 2, 3]),
            [CopyOnWrite, FirstTouch, FirstTouch, CopyOnWrite]
        );
    }
    let mut script = anonymous(ThpPolicy::Never);
    faults(&mut script, &[0, 1]);
    script.munmap(AT, 1);
    assert_eq!(faults(&mut script, &[0, 1]), [Unknown, CopyOnWrite]);
    script.mmap(AT, 2, WRITE, PRIVATE | ANONYMOUS);
    assert_eq!(faults(&mut script, &[0, 1]), [FirstTouch, FirstTouch]);
    script.call(Call::Madvise, &[AT, PAGE, 4], (-22i64).cast_unsigned());
    assert_eq!(faults(&mut script, &[0]), [CopyOnWrite], "a failed call has no effect");
}

#[test]
fn the_heap_grows_shrinks_and_grows_again() {
    let mut script = Script::new();
    let heap = 0x55d0_0000_0000;
    script.call(Call::Brk, &[0], heap);
    assert_eq!(script.fault(heap), Unknown);
    script.call(Call::Brk, &[heap + 4 * PAGE], heap + 4 * PAGE);
    assert_eq!(
        [0, 3, 3].map(|page| script.fault(heap + page * PAGE)),
        [FirstTouch, FirstTouch, CopyOnWrite]
    );
    script.call(Call::Brk, &[heap + 10], heap + 10);
    assert_eq!([0, 3].map(|page| script.fault(heap + page * PAGE)), [CopyOnWrite, Unknown]);
    script.call(Call::Brk, &[heap + 4 * PAGE], heap + 4 * PAGE);
    assert_eq!(script.fault(heap + 3 * PAGE), FirstTouch);
    script.call(Call::Brk, &[u64::MAX], heap + 4 * PAGE);
    assert_eq!(script.fault(heap + 3 * PAGE), CopyOnWrite, "a refused break");
    assert_eq!(script.label(heap), "[heap]");
}

#[test]
fn a_moved_mapping_keeps_its_state() {
    let mut script = anonymous(ThpPolicy::Never);
    faults(&mut script, &[0, 100, 700]);
    let there = AT + (1 << 32) + 77 * PAGE;
    script.call(Call::Mremap, &[AT, 1024 * PAGE, 2048 * PAGE, 1, 0], there);
    let causes = [0, 100, 700, 1, 1024].map(|page| script.fault(there + page * PAGE));
    assert_eq!(causes, [CopyOnWrite, CopyOnWrite, CopyOnWrite, FirstTouch, FirstTouch]);
    assert_eq!(faults(&mut script, &[0]), [Unknown], "the old place is unmapped");
    script.call(Call::Mremap, &[there, 2048 * PAGE, 50 * PAGE, 0, 0], there);
    assert_eq!([0, 100].map(|page| script.fault(there + page * PAGE)), [CopyOnWrite, Unknown]);
    script.call(Call::Mremap, &[there, 50 * PAGE, 50 * PAGE, 1 | 4, 0], AT);
    assert_eq!(script.fault(there), FirstTouch, "MREMAP_DONTUNMAP empties the old place");
    assert_eq!(faults(&mut script, &[0, 2]), [CopyOnWrite, FirstTouch]);
}

#[test]
fn the_stack_grows_by_itself() {
    let mut script = Script::new();
    let top = 0x7fff_f000_0000;
    script.mapped(top - 4 * PAGE, 4, 3, "[stack]");
    assert_eq!(
        [1, 1, 9, 9].map(|page| script.fault(top - page * PAGE)),
        [Stack, CopyOnWrite, Stack, CopyOnWrite]
    );
    // The kernel's report of the growth comes from inside the fault.
    script.mapped(top - 9 * PAGE, 9, 3, "[stack]");
    assert_eq!(script.fault(top - 9 * PAGE), CopyOnWrite);
    assert_eq!(script.fault(top - (1 << 30)), Unknown, "too far to be growth");
    assert_eq!(script.label(top - 20 * PAGE), "[stack]");
}

#[test]
fn the_arguments_on_the_stack_exist_before_the_program() {
    let mut script = Script::new();
    let top = 0x7fff_f000_0000;
    script.mapped(top - 33 * PAGE, 33, 3, "[stack]");
    assert_eq!([3, 4].map(|page| script.fault(top - page * PAGE)), [Stack; 2]);
    script.fork(8);
    script.be(8, 8);
    assert_eq!(script.fault(top - 4 * PAGE), CopyOnWrite);
    assert_eq!(script.fault(top - PAGE), CopyOnWrite, "execve wrote it");
    assert_eq!(script.fault(top - 5 * PAGE), Stack);
}

#[test]
fn a_threads_stack_is_touched() {
    let mut script = Script::new();
    script.mmap(AT, 16, 0, PRIVATE | ANONYMOUS | STACK);
    script.call(Call::Mprotect, &[AT + PAGE, 15 * PAGE, WRITE], 0);
    assert_eq!(
        faults(&mut script, &[15, 15, 0, 0]),
        [FirstTouch, CopyOnWrite, Unknown, Unknown],
        "0 is the guard"
    );
    assert_eq!(script.label(AT + PAGE), "[thread stack]");
    script.mapped(AT + PAGE, 15, 3, "//anon");
    assert_eq!(
        script.label(AT + PAGE),
        "[thread stack]",
        "the kernel's report does not have the purpose"
    );
}

#[test]
fn a_child_faults_files_and_shared_memory_in_again() {
    let mut script = Script::new();
    script.mmap(AT, 4, READ, PRIVATE);
    script.mmap(AT + 16 * PAGE, 4, WRITE, PRIVATE);
    script.mmap(AT + 32 * PAGE, 4, WRITE, SHARED | ANONYMOUS);
    assert_eq!(faults(&mut script, &[0, 16, 32, 32]), [File, File, FirstTouch, Unknown]);
    script.fork(8);
    script.be(8, 8);
    assert_eq!(faults(&mut script, &[0, 16, 32]), [File, CopyOnWrite, FirstTouch]);
}

#[test]
fn populated_memory_has_been_touched() {
    let touched = |prepare: &dyn Fn(&mut Script)| {
        let mut script = anonymous(ThpPolicy::Never);
        prepare(&mut script);
        script.fork(8);
        faults(&mut script, &[0, 1])
    };
    let both = [CopyOnWrite, CopyOnWrite];
    assert_eq!(touched(&|script| script.mmap(AT, 8, WRITE, PRIVATE | ANONYMOUS | POPULATE)), both);
    assert_eq!(touched(&|script| script.madvise(AT, 2, 23)), both);
    assert_eq!(touched(&|script| script.call(Call::Mlock, &[AT, 2 * PAGE], 0)), both);
    assert_eq!(touched(&|script| script.call(Call::Mlockall, &[1], 0)), both);
    assert_eq!(
        touched(&|script| script.call(Call::Mlock2, &[AT, PAGE, 0], 0)),
        [CopyOnWrite, FirstTouch]
    );
    assert_eq!(
        touched(&|script| script.call(Call::Mlock2, &[AT, 2 * PAGE, 1], 0)),
        [FirstTouch, FirstTouch]
    );
    let future = |script: &mut Script| {
        script.call(Call::Mlockall, &[2], 0);
        script.mmap(AT, 8, WRITE, PRIVATE | ANONYMOUS);
    };
    assert_eq!(touched(&future), both);
}

#[test]
fn one_fault_may_have_mapped_a_huge_page() {
    for (huge_pages, expect) in [
        (ThpPolicy::Always, [CopyOnWrite, Unknown, Unknown]),
        (ThpPolicy::Advised, [CopyOnWrite, FirstTouch, FirstTouch]),
        (ThpPolicy::Never, [CopyOnWrite, FirstTouch, FirstTouch]),
    ] {
        let mut script = anonymous(huge_pages);
        assert_eq!(faults(&mut script, &[5, 512, 513]), [FirstTouch; 3]);
        script.fork(8);
        assert_eq!(faults(&mut script, &[5, 6, 7]), expect, "{huge_pages:?}");
        assert_eq!(
            faults(&mut script, &[513, 514]),
            [CopyOnWrite, FirstTouch],
            "two faults: not a huge page"
        );
        script.be(8, 8);
        let expect = [Reuse, expect[1], expect[2]];
        assert_eq!(faults(&mut script, &[5, 6, 7]), expect, "the child, {huge_pages:?}");
    }
    let mut script = anonymous(ThpPolicy::Advised);
    script.madvise(AT, 1024, 14);
    faults(&mut script, &[5]);
    script.fork(8);
    assert_eq!(faults(&mut script, &[6]), [Unknown], "it was advised");
    script.madvise(AT, 1024, 15);
    assert_eq!(faults(&mut script, &[8]), [FirstTouch], "it was advised against");
}

#[test]
fn a_fault_that_came_to_nothing_is_unknown_and_touches_nothing() {
    let mut script = anonymous(ThpPolicy::Never);
    script.latency_ns = 0;
    assert_eq!(faults(&mut script, &[0, 0]), [Unknown; 2]);
    script.latency_ns = 500;
    assert_eq!(faults(&mut script, &[0, 0]), [FirstTouch, CopyOnWrite]);
}

#[test]
fn a_guard_is_no_memory() {
    let mut script = anonymous(ThpPolicy::Never);
    faults(&mut script, &[0, 1, 2, 3]);
    script.madvise(AT + PAGE, 2, 102);
    assert_eq!(faults(&mut script, &[0, 1, 2, 3]), [CopyOnWrite, Unknown, Unknown, CopyOnWrite]);
    script.madvise(AT, 4, 4);
    assert_eq!(faults(&mut script, &[0, 1]), [FirstTouch, Unknown], "MADV_DONTNEED keeps guards");
    script.call(Call::Mremap, &[AT, 4 * PAGE, 4 * PAGE, 3, AT + 2048 * PAGE], AT + 2048 * PAGE);
    assert_eq!(faults(&mut script, &[2048 + 2]), [Unknown], "they move with the mapping");
    script.fork(8);
    script.be(8, 8);
    assert_eq!(faults(&mut script, &[2048 + 2]), [Unknown], "a child has them");
    script.madvise(AT + 2048 * PAGE, 4, 103);
    assert_eq!(faults(&mut script, &[2048 + 1, 2048 + 2]), [FirstTouch; 2]);
    script.madvise(AT + 2048 * PAGE, 4, 102);
    script.mmap(AT + 2048 * PAGE, 4, WRITE, PRIVATE | ANONYMOUS);
    assert_eq!(faults(&mut script, &[2048 + 1]), [FirstTouch], "a new mapping has none");
}

#[test]
fn the_page_table_outranks_what_was_seen() {
    let mut script = anonymous(ThpPolicy::Never);
    faults(&mut script, &[0, 1]);
    // A page that came without a fault, such as by O_DIRECT, and one that went without a call.
    script.present = Some(true);
    assert_eq!(faults(&mut script, &[2]), [CopyOnWrite]);
    script.present = Some(false);
    assert_eq!(faults(&mut script, &[1]), [FirstTouch]);
    script.mmap(AT, 64, WRITE, PRIVATE);
    assert_eq!(faults(&mut script, &[0]), [File]);
    script.present = Some(true);
    assert_eq!(faults(&mut script, &[1]), [CopyOnWrite], "a neighbour had mapped it");
}

#[test]
fn a_mapping_may_grow_down() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS | 0x100);
    script.mapped(AT, 4, 3, "");
    assert_eq!(
        [1, 1, 2].map(|page| script.fault(AT - page * PAGE)),
        [FirstTouch, CopyOnWrite, FirstTouch]
    );
    assert_eq!(script.label(AT - 2 * PAGE), "[thread stack]");
    script.latency_ns = 0;
    assert_eq!(script.fault(AT - 9 * PAGE), Unknown, "a limit forbade it");
    assert_eq!(script.label(AT - 9 * PAGE), "nothing");
}

#[test]
fn two_threads_wait_for_one_page() {
    let mut script = anonymous(ThpPolicy::Never);
    script.latency_ns = 5000;
    assert_eq!(faults(&mut script, &[0]), [FirstTouch]);
    script.be(7, 8);
    assert_eq!(faults(&mut script, &[0]), [FirstTouch], "while the other is at it");
    script.now_ns += 5000;
    assert_eq!(faults(&mut script, &[0]), [CopyOnWrite]);
}

#[test]
fn growth_and_protection_take_no_page_away() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    faults(&mut script, &[0]);
    // The kernel tells of what it has split, and of what it joins again.
    script.call(Call::Mprotect, &[AT, PAGE, READ], 0);
    script.mapped(AT, 1, 1, "");
    script.call(Call::Mprotect, &[AT, PAGE, WRITE], 0);
    script.mapped(AT, 4, 3, "");
    assert_eq!(faults(&mut script, &[0, 1]), [CopyOnWrite, FirstTouch]);
    // A neighbour that the kernel joined with it.
    script.mmap(AT + 4 * PAGE, 2, WRITE, PRIVATE | ANONYMOUS);
    script.mapped(AT, 6, 3, "");
    assert_eq!(faults(&mut script, &[1, 4]), [CopyOnWrite, FirstTouch]);
}

#[test]
fn shared_memory_is_never_copied() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, SHARED | ANONYMOUS);
    assert_eq!(faults(&mut script, &[0, 0]), [FirstTouch, Unknown]);
    script.madvise(AT, 1, 4);
    assert_eq!(
        faults(&mut script, &[0]),
        [Unknown],
        "MADV_DONTNEED removes it from this page table only"
    );
    script.madvise(AT, 1, 9);
    assert_eq!(faults(&mut script, &[0]), [FirstTouch], "MADV_REMOVE removes it from all sharers");
}

#[test]
fn only_writable_pages_are_copied() {
    let mut script = anonymous(ThpPolicy::Never);
    faults(&mut script, &[0]);
    script.call(Call::Mprotect, &[AT, PAGE, READ], 0);
    assert_eq!(faults(&mut script, &[0]), [Unknown], "a refused write");
    script.call(Call::PkeyMprotect, &[AT, PAGE, WRITE, 0], 0);
    assert_eq!(faults(&mut script, &[0]), [CopyOnWrite]);
    assert_eq!(script.major(AT), Unknown, "back from swap");
}

#[test]
fn pages_of_a_huge_page_are_present_and_copied_after_a_fork() {
    let mut script = anonymous_seeing(ThpPolicy::Always, Sees { page_sizes: true, ..SEES });
    script.page_bytes = NonZeroU64::new(512 * PAGE);
    assert_eq!(faults(&mut script, &[5]), [FirstTouch]);
    script.page_bytes = NonZeroU64::new(PAGE);
    // The second 2 MiB got no huge page, only one small page.
    assert_eq!(faults(&mut script, &[513]), [FirstTouch]);
    script.fork(8);
    assert_eq!(
        faults(&mut script, &[5, 6, 0, 511, 513, 514]),
        [CopyOnWrite, CopyOnWrite, CopyOnWrite, CopyOnWrite, CopyOnWrite, FirstTouch]
    );
}

#[test]
fn large_pages_of_hugetlbfs_fault_once() {
    let mut script = Script::new();
    script.mmap(AT, 1024, WRITE, PRIVATE | ANONYMOUS | 0x4_0000);
    assert_eq!(faults(&mut script, &[7, 8, 512]), [FirstTouch, CopyOnWrite, FirstTouch]);
}

#[test]
fn earlier_touches_of_an_attached_process_are_unknown() {
    let mut script = Script::new();
    script.life(Life::Attached);
    script.mapped(AT, 8, 3, "");
    assert_eq!(faults(&mut script, &[0, 0]), [FirstTouch, CopyOnWrite]);
    script.fork(8);
    assert_eq!(faults(&mut script, &[1]), [Unknown], "it may have been touched before the trace");
    script.mmap(AT + 16 * PAGE, 8, WRITE, PRIVATE | ANONYMOUS);
    script.fork(9);
    assert_eq!(faults(&mut script, &[16]), [FirstTouch], "mappings since the attach are known");
    let top = 0x7fff_f000_0000;
    let mut script = Script::new();
    script.life(Life::Attached);
    script.mapped(top - 4 * PAGE, 4, 3, "[stack]");
    script.fork(8);
    assert_eq!(
        [4, 5].map(|page| script.fault(top - page * PAGE)),
        [Unknown, Stack],
        "the stack has grown since"
    );
}

#[test]
fn attached_shared_memory_has_the_size_of_the_kernels_report() {
    let mut script = Script::new();
    script.call(Call::Shmat, &[5, 0, 0], AT);
    script.mapped(AT, 8, 3, "shared /SYSV00000000 (deleted)");
    assert_eq!(faults(&mut script, &[0, 7]), [FirstTouch, FirstTouch]);
    script.call(Call::Shmdt, &[AT], 0);
    assert_eq!(faults(&mut script, &[0, 7]), [Unknown, Unknown]);
}

#[test]
fn a_segment_beside_another_stays_when_one_is_detached() {
    for pieces in [false, true] {
        let mut script = Script::new();
        for (at, segment) in [(AT, 5), (AT + 8 * PAGE, 6)] {
            script.call(Call::Shmat, &[segment, 0, 0], at);
            script.mapped(at, 8, 3, "shared /SYSV00000000 (deleted)");
        }
        if pieces {
            script.call(Call::Mprotect, &[AT + 3 * PAGE, PAGE, READ], 0);
        }
        script.call(Call::Shmdt, &[AT], 0);
        let causes = faults(&mut script, &[0, 4, 7, 8, 15]);
        assert_eq!(causes, [Unknown, Unknown, Unknown, FirstTouch, FirstTouch]);
    }
    // The same for memory that is shared without a segment.
    let mut script = Script::new();
    script.mmap(AT, 8, WRITE, SHARED | ANONYMOUS);
    script.mmap(AT + 8 * PAGE, 8, WRITE, SHARED | ANONYMOUS);
    faults(&mut script, &[8]);
    let Some(LineKind::Fault(fault)) = script.lines.last().map(|line| line.kind.clone()) else {
        panic!("{:?}", script.lines.last());
    };
    assert_eq!(fault.mapping.map(|mapping| mapping.start), Some(AT + 8 * PAGE));
}

#[test]
fn events_of_unknown_processes_are_lines_too() {
    let mut script = Script::new();
    script.be(99, 100);
    assert_eq!(script.fault(AT), Unknown);
    script.event(EventKind::Lost(events::Lost { records: 3 }));
    script.end();
    assert_eq!(script.builder.summary(0).lost, 3);
    assert_eq!((script.builder.summary(0).events, script.builder.summary(0).faults_seen), (2, 1));
}
