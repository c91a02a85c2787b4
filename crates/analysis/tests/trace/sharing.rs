//! Concurrent calls in address spaces that threads or processes share.

use events::Cause::{CopyOnWrite, FirstTouch, Reuse, Unknown};
use events::{Call, Life, Name, Sees, ThpPolicy};

use crate::script::{ANONYMOUS, PAGE, PRIVATE, SEES, Script, WRITE};

const AT: u64 = 0x7f00_0000_0000;

fn touch(script: &mut Script, pages: &[u64]) -> Vec<events::Cause> {
    pages.iter().map(|page| script.fault(AT + page * PAGE)).collect()
}

/// An mmap that takes ten microseconds.
fn slow_mmap(script: &mut Script, pages: u64) {
    script.latency_ns = 10_000;
    script.mmap(AT, pages, WRITE, PRIVATE | ANONYMOUS);
    script.latency_ns = 500;
}

#[test]
fn a_call_does_not_apply_to_memory_returned_after_it_began() {
    let mut script = Script::new();
    script.mmap(AT, 1024, WRITE, PRIVATE | ANONYMOUS);
    // An mmap that waits while another thread unmaps, and then gets the same addresses.
    slow_mmap(&mut script, 4);
    script.be(7, 8);
    script.munmap(AT, 1024);
    assert_eq!(touch(&mut script, &[0]), [Unknown], "the mmap has not returned");
    script.now_ns += 10_000;
    assert_eq!(touch(&mut script, &[0, 0, 4]), [FirstTouch, CopyOnWrite, Unknown]);
    script.munmap(AT, 4);
    assert_eq!(touch(&mut script, &[0]), [Unknown]);
}

#[test]
fn faults_before_a_mapping_is_replaced_belong_to_the_old_one() {
    for with_report in [false, true] {
        let mut script = Script::new();
        script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
        script.be(7, 8);
        slow_mmap(&mut script, 4);
        script.be(7, 7);
        assert_eq!(touch(&mut script, &[1]), [FirstTouch]);
        script.munmap(AT, 4);
        script.be(7, 8);
        if with_report {
            script.mapped(AT, 4, 3, "");
            assert_eq!(touch(&mut script, &[2]), [FirstTouch], "the new mapping exists");
        }
        script.now_ns += 10_000;
        assert_eq!(
            touch(&mut script, &[1, 1]),
            [FirstTouch, CopyOnWrite],
            "with a report: {with_report}"
        );
    }
}

#[test]
fn a_report_belongs_to_the_call_of_its_thread() {
    let mut script = Script::new();
    // Two threads get the same addresses one after the other; the call of the second began first.
    script.be(7, 8);
    slow_mmap(&mut script, 4);
    script.be(7, 7);
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    script.mapped(AT, 4, 3, "");
    assert_eq!(touch(&mut script, &[0]), [FirstTouch]);
    script.munmap(AT, 4);
    script.be(7, 8);
    script.mapped(AT, 4, 3, "");
    script.now_ns += 10_000;
    assert_eq!(touch(&mut script, &[0, 0]), [FirstTouch, CopyOnWrite]);
}

#[test]
fn a_mapping_moves_when_the_mremap_ends() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    script.latency_ns = 10_000;
    script.call(Call::Mremap, &[AT, 4 * PAGE, 4 * PAGE, 1, 0], AT + 64 * PAGE);
    script.latency_ns = 500;
    script.be(7, 8);
    assert_eq!(touch(&mut script, &[1]), [FirstTouch], "before the kernel moved it");
    script.now_ns += 10_000;
    assert_eq!(touch(&mut script, &[65, 66, 1]), [CopyOnWrite, FirstTouch, Unknown]);
}

#[test]
fn a_child_has_only_the_mappings_of_the_fork() {
    let mut script = Script::new();
    slow_mmap(&mut script, 4);
    script.be(7, 8);
    script.fork(9);
    script.now_ns += 10_000;
    assert_eq!(touch(&mut script, &[0]), [FirstTouch]);
    script.be(9, 9);
    assert_eq!(touch(&mut script, &[0]), [Unknown]);
}

#[test]
fn a_child_of_vfork_uses_the_memory_of_its_parent() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    touch(&mut script, &[0]);
    script.fork(8);
    script.be(8, 8);
    assert_eq!(touch(&mut script, &[1]), [FirstTouch]);
    script.mmap(AT + 16 * PAGE, 1, WRITE, PRIVATE | ANONYMOUS);
    script.life(Life::Executed { name: Name::NONE });
    script.be(7, 7);
    script.fork(9);
    assert_eq!(touch(&mut script, &[1, 16]), [CopyOnWrite, FirstTouch]);
}

#[test]
fn a_child_of_fork_has_its_own_memory() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    touch(&mut script, &[0]);
    script.fork(8);
    script.be(8, 8);
    // It first writes its stack, or another inherited page.
    assert_eq!(touch(&mut script, &[0, 1]), [CopyOnWrite, FirstTouch]);
    script.life(Life::Executed { name: Name::NONE });
    script.be(7, 7);
    assert_eq!(touch(&mut script, &[1]), [FirstTouch]);
}

/// A parent with 4 pages, of which it and a first child, which goes on, have their own copies of
/// page 0: the stack of both.
fn with_a_child() -> Script {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    touch(&mut script, &[0, 1, 2, 3]);
    script.fork(8);
    assert_eq!(touch(&mut script, &[0]), [CopyOnWrite]);
    script.be(8, 8);
    assert_eq!(touch(&mut script, &[0]), [Reuse]);
    script.be(7, 7);
    script
}

/// A child that may write page 1, unmaps page 3 and executes a program.
fn act_as_child(script: &mut Script, pid: u32, writes: &[u64]) {
    script.fork(pid);
    script.be(pid, pid);
    touch(script, writes);
    script.munmap(AT + 3 * PAGE, 1);
    script.life(Life::Executed { name: Name::NONE });
    script.be(7, 7);
}

#[test]
fn a_child_of_vfork_copies_what_its_parent_shares_with_another() {
    let mut script = with_a_child();
    act_as_child(&mut script, 9, &[1]);
    assert_eq!(script.label(AT + 3 * PAGE), "nothing");
    assert_eq!(touch(&mut script, &[2]), [CopyOnWrite], "still shared with the first child");
}

#[test]
fn a_child_of_fork_copies_what_its_parent_has_copied() {
    let mut script = with_a_child();
    act_as_child(&mut script, 9, &[1, 0]);
    assert_eq!(script.label(AT + 3 * PAGE), "[anonymous]");
}

#[test]
fn a_vfork_makes_no_page_shared() {
    for executes in [true, false] {
        let mut script = with_a_child();
        script.fork(9);
        script.be(9, 9);
        if executes {
            script.life(Life::Executed { name: Name::NONE });
        } else {
            script.end();
        }
        script.be(7, 7);
        // Page 0 is not protected again, so only a copy for the child faults.
        act_as_child(&mut script, 10, &[0]);
        assert_eq!(script.label(AT + 3 * PAGE), "[anonymous]", "executes: {executes}");
    }
}

#[test]
fn a_child_of_vfork_may_write_a_page_of_a_file_that_its_parent_read() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, PRIVATE);
    script.mmap(AT + 16 * PAGE, 1, WRITE, PRIVATE | ANONYMOUS);
    touch(&mut script, &[0]);
    script.fork(8);
    script.be(8, 8);
    assert_eq!(touch(&mut script, &[0]), [CopyOnWrite]);
    script.munmap(AT + 16 * PAGE, 1);
    script.life(Life::Executed { name: Name::NONE });
    script.be(7, 7);
    assert_eq!(script.label(AT + 16 * PAGE), "nothing");
}

#[test]
fn without_faults_a_child_has_its_own_memory() {
    let mut script = Script::seeing(ThpPolicy::Never, Sees { faults: false, ..SEES });
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    script.fork(8);
    script.be(8, 8);
    script.munmap(AT, 4);
    script.life(Life::Executed { name: Name::NONE });
    script.be(7, 7);
    assert_eq!(script.label(AT), "[anonymous]", "fork and vfork cannot be distinguished");
}

#[test]
fn a_child_of_an_attached_process_may_have_copied() {
    let mut script = Script::new();
    script.life(Life::Attached);
    script.mapped(AT, 8, 3, "");
    touch(&mut script, &[0]);
    script.fork(8);
    script.be(8, 8);
    assert_eq!(touch(&mut script, &[1]), [Unknown]);
    script.munmap(AT, 8);
    script.life(Life::Executed { name: Name::NONE });
    script.be(7, 7);
    assert_eq!(script.label(AT), "[anonymous]");
}
