//! Address spaces that threads or processes share: what each of them does at once.

use events::Cause::{CopyOnWrite, FirstTouch, Unknown};
use events::{Call, Life, Name, Sees, ThpPolicy};

use crate::teller::{ANONYMOUS, PAGE, PRIVATE, SEES, Teller, WRITE};

const AT: u64 = 0x7f00_0000_0000;

fn touch(teller: &mut Teller, pages: &[u64]) -> Vec<events::Cause> {
    pages.iter().map(|page| teller.fault(AT + page * PAGE)).collect()
}

/// An mmap that takes ten microseconds.
fn slow_mmap(teller: &mut Teller, pages: u64) {
    teller.latency_ns = 10_000;
    teller.mmap(AT, pages, WRITE, PRIVATE | ANONYMOUS);
    teller.latency_ns = 500;
}

#[test]
fn a_syscall_cannot_mean_what_nobody_was_told_of() {
    let mut teller = Teller::new();
    teller.mmap(AT, 1024, WRITE, PRIVATE | ANONYMOUS);
    // An mmap that waits while another thread unmaps, and then gets the very addresses.
    slow_mmap(&mut teller, 4);
    teller.be(7, 8);
    teller.munmap(AT, 1024);
    assert_eq!(touch(&mut teller, &[0]), [Unknown], "it has not returned");
    teller.now_ns += 10_000;
    assert_eq!(touch(&mut teller, &[0, 0, 4]), [FirstTouch, CopyOnWrite, Unknown]);
    teller.munmap(AT, 4);
    assert_eq!(touch(&mut teller, &[0]), [Unknown]);
}

#[test]
fn what_is_used_until_another_thread_maps_in_its_place_is_not_the_new_mapping() {
    for with_report in [false, true] {
        let mut teller = Teller::new();
        teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
        teller.be(7, 8);
        slow_mmap(&mut teller, 4);
        teller.be(7, 7);
        assert_eq!(touch(&mut teller, &[1]), [FirstTouch]);
        teller.munmap(AT, 4);
        teller.be(7, 8);
        if with_report {
            teller.mapped(AT, 4, 3, "");
            assert_eq!(touch(&mut teller, &[2]), [FirstTouch], "it is there");
        }
        teller.now_ns += 10_000;
        assert_eq!(
            touch(&mut teller, &[1, 1]),
            [FirstTouch, CopyOnWrite],
            "with a report: {with_report}"
        );
    }
}

#[test]
fn a_report_is_of_the_threads_own_call() {
    let mut teller = Teller::new();
    // Two threads are given the same addresses one after the other; the call of the second began
    // first.
    teller.be(7, 8);
    slow_mmap(&mut teller, 4);
    teller.be(7, 7);
    teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    teller.mapped(AT, 4, 3, "");
    assert_eq!(touch(&mut teller, &[0]), [FirstTouch]);
    teller.munmap(AT, 4);
    teller.be(7, 8);
    teller.mapped(AT, 4, 3, "");
    teller.now_ns += 10_000;
    assert_eq!(touch(&mut teller, &[0, 0]), [FirstTouch, CopyOnWrite]);
}

#[test]
fn what_moves_is_where_it_was_until_the_call_is_over() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    teller.latency_ns = 10_000;
    teller.call(Call::Mremap, &[AT, 4 * PAGE, 4 * PAGE, 1, 0], AT + 64 * PAGE);
    teller.latency_ns = 500;
    teller.be(7, 8);
    assert_eq!(touch(&mut teller, &[1]), [FirstTouch], "before the kernel came to it");
    teller.now_ns += 10_000;
    assert_eq!(touch(&mut teller, &[65, 66, 1]), [CopyOnWrite, FirstTouch, Unknown]);
}

#[test]
fn a_child_has_nothing_that_was_not_mapped_at_the_fork() {
    let mut teller = Teller::new();
    slow_mmap(&mut teller, 4);
    teller.be(7, 8);
    teller.fork(9);
    teller.now_ns += 10_000;
    assert_eq!(touch(&mut teller, &[0]), [FirstTouch]);
    teller.be(9, 9);
    assert_eq!(touch(&mut teller, &[0]), [Unknown]);
}

#[test]
fn a_child_of_vfork_acts_on_the_memory_of_its_parent() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    touch(&mut teller, &[0]);
    teller.fork(8);
    teller.be(8, 8);
    assert_eq!(touch(&mut teller, &[1]), [FirstTouch]);
    teller.mmap(AT + 16 * PAGE, 1, WRITE, PRIVATE | ANONYMOUS);
    teller.life(Life::Executed { name: Name::NONE });
    teller.be(7, 7);
    teller.fork(9);
    assert_eq!(touch(&mut teller, &[1, 16]), [CopyOnWrite, FirstTouch]);
}

#[test]
fn a_child_of_fork_keeps_what_it_does_to_itself() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    touch(&mut teller, &[0]);
    teller.fork(8);
    teller.be(8, 8);
    // The first thing that it does is to write its stack, or another page that was its parent's.
    assert_eq!(touch(&mut teller, &[0, 1]), [CopyOnWrite, FirstTouch]);
    teller.life(Life::Executed { name: Name::NONE });
    teller.be(7, 7);
    assert_eq!(touch(&mut teller, &[1]), [FirstTouch]);
}

#[test]
fn where_no_faults_are_seen_a_child_keeps_to_itself() {
    let mut teller = Teller::seeing(ThpPolicy::Never, Sees { faults: false, ..SEES });
    teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    teller.fork(8);
    teller.be(8, 8);
    teller.munmap(AT, 4);
    teller.life(Life::Executed { name: Name::NONE });
    teller.be(7, 7);
    assert_eq!(teller.label(AT), "[anonymous]", "nothing told fork from vfork");
}

#[test]
fn a_child_of_a_process_that_was_running_may_have_copied() {
    let mut teller = Teller::new();
    teller.life(Life::Attached);
    teller.mapped(AT, 8, 3, "");
    touch(&mut teller, &[0]);
    teller.fork(8);
    teller.be(8, 8);
    assert_eq!(touch(&mut teller, &[1]), [Unknown]);
    teller.munmap(AT, 8);
    teller.life(Life::Executed { name: Name::NONE });
    teller.be(7, 7);
    assert_eq!(teller.label(AT), "[anonymous]");
}
