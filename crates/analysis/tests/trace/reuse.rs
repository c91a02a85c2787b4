//! After a fork, a write copies a page that others have as well, and makes it writable if nobody
//! else has it any more.

use std::collections::BTreeMap;

use events::Cause::{self, CopyOnWrite, File, FirstTouch, Reuse, Unknown};
use events::{Call, Life, Name, ThpPolicy};

use crate::script::{ANONYMOUS, PAGE, PRIVATE, Script, WRITE};

/// A multiple of 2 MiB.
const AT: u64 = 0x7f00_0000_0000;
const PARENT: u32 = 7;

fn touch(script: &mut Script, pid: u32, pages: &[u64]) -> Vec<Cause> {
    script.be(pid, pid);
    pages.iter().map(|page| script.fault(AT + page * PAGE)).collect()
}

/// Forks; parent and child write page 0, their stack, as each does before anything else.
fn fork(script: &mut Script, parent: u32, child: u32) {
    script.be(parent, parent);
    script.fork(child);
    assert_eq!(touch(script, parent, &[0]), [CopyOnWrite]);
    assert_eq!(touch(script, child, &[0]), [Reuse], "the parent has its own copy");
}

/// A process that has written 600 pages.
fn parent() -> Script {
    let mut script = Script::new();
    script.mmap(AT, 1024, WRITE, PRIVATE | ANONYMOUS);
    let pages: Vec<u64> = (0..600).collect();
    assert!(touch(&mut script, PARENT, &pages).iter().all(|cause| *cause == FirstTouch));
    script
}

fn exit(script: &mut Script, pid: u32) {
    script.be(pid, pid);
    script.end();
}

#[test]
fn what_a_child_has_left_behind_is_made_writable() {
    for executes in [true, false] {
        let mut script = parent();
        fork(&mut script, PARENT, 8);
        assert_eq!(touch(&mut script, PARENT, &[1, 600]), [CopyOnWrite, FirstTouch]);
        assert_eq!(touch(&mut script, 8, &[1, 2]), [Reuse, CopyOnWrite]);
        script.be(8, 8);
        if executes {
            script.life(Life::Executed { name: Name::NONE });
        } else {
            script.end();
        }
        assert_eq!(touch(&mut script, PARENT, &[2, 3, 599]), [Reuse; 3], "{executes}");
        assert_eq!(
            touch(&mut script, PARENT, &[3, 601, 601]),
            [CopyOnWrite, FirstTouch, CopyOnWrite],
            "no fork has protected them since: they were only read"
        );
        // The next child has what the parent has now.
        fork(&mut script, PARENT, 9);
        assert_eq!(touch(&mut script, PARENT, &[1, 3, 4]), [CopyOnWrite; 3]);
        exit(&mut script, 9);
        assert_eq!(touch(&mut script, PARENT, &[5, 601]), [Reuse; 2]);
    }
}

#[test]
fn the_last_of_several_reuses() {
    let mut script = parent();
    fork(&mut script, PARENT, 8);
    fork(&mut script, PARENT, 9);
    fork(&mut script, 9, 10);
    for order in [[PARENT, 8, 9, 10], [10, 8, PARENT, 9], [9, 10, 8, PARENT]] {
        let page = 1 + u64::from(order[0]);
        let causes = order.map(|pid| touch(&mut script, pid, &[page])[0]);
        assert_eq!(causes, [CopyOnWrite, CopyOnWrite, CopyOnWrite, Reuse]);
    }
    // Without the parent, from whom all have it, the others still share.
    exit(&mut script, PARENT);
    assert_eq!(
        [10, 8, 9].map(|pid| touch(&mut script, pid, &[1])[0]),
        [CopyOnWrite, CopyOnWrite, Reuse]
    );
    exit(&mut script, 8);
    script.be(9, 9);
    script.munmap(AT + 2 * PAGE, 1);
    script.madvise(AT + 3 * PAGE, 1, 4);
    assert_eq!(touch(&mut script, 10, &[2, 3, 4]), [Reuse, Reuse, CopyOnWrite]);
}

/// Copies of a page that have nothing but its address in common.
#[test]
fn a_copy_is_another_page() {
    let mut script = parent();
    fork(&mut script, PARENT, 8);
    touch(&mut script, PARENT, &[1]);
    fork(&mut script, PARENT, 9);
    assert_eq!(touch(&mut script, 8, &[1]), [Reuse], "parent and second child have another");
    assert_eq!(touch(&mut script, 9, &[1, 2]), [CopyOnWrite; 2]);
    assert_eq!(touch(&mut script, PARENT, &[1, 2]), [Reuse, CopyOnWrite]);
}

#[test]
fn of_copies_at_once_it_is_unknown_who_was_last() {
    let mut script = parent();
    fork(&mut script, PARENT, 8);
    script.latency_ns = 5000;
    assert_eq!(touch(&mut script, 8, &[1]), [CopyOnWrite]);
    script.latency_ns = 500;
    assert_eq!(touch(&mut script, PARENT, &[1]), [Unknown]);
    script.now_ns += 5000;
    assert_eq!(touch(&mut script, 8, &[2]), [CopyOnWrite]);
    assert_eq!(touch(&mut script, PARENT, &[2]), [Reuse]);
}

#[test]
fn a_moved_page_has_unknown_sharers() {
    let there = AT + 4096 * PAGE;
    let mut script = parent();
    fork(&mut script, PARENT, 8);
    script.be(8, 8);
    script.call(Call::Mremap, &[AT + PAGE, 2 * PAGE, 2 * PAGE, 3, there], there);
    assert_eq!(script.fault(there), Unknown);
    assert_eq!(touch(&mut script, PARENT, &[1, 2, 3]), [Unknown, Unknown, CopyOnWrite]);
    exit(&mut script, 8);
    assert_eq!(touch(&mut script, PARENT, &[4]), [Reuse]);
}

/// A page of a file that was only read belongs to the file, whoever else has it; which of both its
/// first fault was is unknown.
#[test]
fn a_page_of_a_file_is_reused_once_it_was_written() {
    let mut script = Script::new();
    script.mmap(AT, 64, WRITE, PRIVATE);
    // The stack, which shows that a child has its own memory.
    script.mmap(AT + 100 * PAGE, 1, WRITE, PRIVATE | ANONYMOUS);
    touch(&mut script, PARENT, &[100]);
    assert_eq!(
        touch(&mut script, PARENT, &[0, 0, 20, 40, 40]),
        [File, CopyOnWrite, File, File, CopyOnWrite]
    );
    script.fork(8);
    assert_eq!(touch(&mut script, 8, &[100, 0]), [CopyOnWrite; 2]);
    exit(&mut script, 8);
    assert_eq!(touch(&mut script, PARENT, &[100, 0, 20, 40]), [Reuse, Reuse, Unknown, Reuse]);
    script.be(PARENT, PARENT);
    script.fork(9);
    assert_eq!(touch(&mut script, 9, &[100, 0]), [CopyOnWrite; 2]);
    exit(&mut script, 9);
    assert_eq!(touch(&mut script, PARENT, &[20]), [Reuse], "it is certainly written by now");
}

#[test]
fn a_huge_page_is_copied_in_parts_and_reused_as_a_whole() {
    let huge = || std::num::NonZeroU64::new(2 << 20);
    let start = || {
        let mut script = Script::with(ThpPolicy::Always);
        script.mmap(AT, 2048, WRITE, PRIVATE | ANONYMOUS);
        touch(&mut script, PARENT, &[1600]);
        script.page_bytes = huge();
        assert_eq!(touch(&mut script, PARENT, &[5, 600]), [FirstTouch; 2]);
        script.page_bytes = None;
        script.fork(8);
        assert_eq!(touch(&mut script, 8, &[1600, 7]), [CopyOnWrite; 2]);
        script
    };
    let mut script = start();
    assert_eq!(touch(&mut script, PARENT, &[7]), [CopyOnWrite], "the child has its other parts");
    assert_eq!(touch(&mut script, 8, &[7]), [CopyOnWrite], "it is a small page, and its own");
    exit(&mut script, 8);
    assert_eq!(touch(&mut script, PARENT, &[8]), [Unknown], "this depends on the kernel");

    let mut script = start();
    exit(&mut script, 8);
    script.page_bytes = huge();
    assert_eq!(touch(&mut script, PARENT, &[600]), [Reuse]);
    script.page_bytes = None;
    assert_eq!(touch(&mut script, PARENT, &[601]), [CopyOnWrite], "all of it was made writable");
}

/// Processes that were there before the trace may have relatives, and pages, that nobody saw.
#[test]
fn the_pages_of_an_attached_process_have_unknown_sharers() {
    let mut script = Script::new();
    script.life(Life::Attached);
    script.mapped(AT, 64, 3, "");
    script.present = Some(true);
    assert_eq!(touch(&mut script, PARENT, &[1]), [Unknown]);
    script.present = Some(false);
    touch(&mut script, PARENT, &[2, 0]);
    script.fork(8);
    script.present = Some(true);
    assert_eq!(touch(&mut script, PARENT, &[0, 3]), [CopyOnWrite; 2], "a child has them");
    assert_eq!(touch(&mut script, 8, &[0, 3]), [Reuse, CopyOnWrite]);
    exit(&mut script, 8);
    assert_eq!(touch(&mut script, PARENT, &[2, 4]), [Reuse, Unknown]);
}

/// Random processes that fork, write, give pages up and end, against a kernel that counts the
/// references to each page.
#[derive(Default)]
struct Kernel {
    /// The pages of each process: which one is at an address, and whether it may be written.
    processes: BTreeMap<u32, BTreeMap<u64, (u64, bool)>>,
    references: BTreeMap<u64, u32>,
    pages: u64,
}

impl Kernel {
    fn map(&mut self, pid: u32, at: u64) {
        self.pages += 1;
        self.references.insert(self.pages, 1);
        self.processes.entry(pid).or_default().insert(at, (self.pages, true));
    }

    fn unmap(&mut self, pid: u32, at: u64) {
        let gone = self.processes.get_mut(&pid).and_then(|pages| pages.remove(&at));
        if let Some((page, _)) = gone {
            *self.references.get_mut(&page).unwrap() -= 1;
        }
    }

    /// The cause of the fault of a write; `None`: it does not fault.
    fn write(&mut self, pid: u32, at: u64) -> Option<Cause> {
        let known = self.processes.get_mut(&pid).and_then(|pages| pages.get_mut(&at));
        match known {
            Some((_, true)) => None,
            Some((page, may)) if self.references[page] == 1 => {
                *may = true;
                Some(Reuse)
            }
            Some(_) => {
                self.unmap(pid, at);
                self.map(pid, at);
                Some(CopyOnWrite)
            }
            None => {
                self.map(pid, at);
                Some(FirstTouch)
            }
        }
    }

    fn fork(&mut self, parent: u32, child: u32) {
        let pages = self.processes.entry(parent).or_default();
        for (page, may) in pages.values_mut() {
            *may = false;
            *self.references.get_mut(page).unwrap() += 1;
        }
        let pages = pages.clone();
        self.processes.insert(child, pages);
    }

    fn end(&mut self, pid: u32) {
        for at in 0..PAGES {
            self.unmap(pid, at);
        }
        self.processes.remove(&pid);
    }
}

const PAGES: u64 = 40;

/// A write in both: the causes agree.
fn write(script: &mut Script, kernel: &mut Kernel, pid: u32, at: u64, what: &str) {
    if let Some(cause) = kernel.write(pid, at) {
        assert_eq!(touch(script, pid, &[at]), [cause], "{what}: page {at} of {pid}");
    }
}

#[test]
fn it_agrees_with_a_kernel_that_counts_references() {
    let (mut reused, mut copied) = (0, 0);
    for seed in 0..300 {
        let mut state: u64 = seed;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut script, mut kernel) = (Script::new(), Kernel::default());
        script.mmap(AT, PAGES, WRITE, PRIVATE | ANONYMOUS);
        (0..PAGES / 2).for_each(|at| write(&mut script, &mut kernel, PARENT, at, "start"));
        let mut next = PARENT + 1;
        for step in 0..300 {
            let what = format!("seed {seed}, step {step}");
            let all: Vec<u32> = kernel.processes.keys().copied().collect();
            let pid = all[usize::try_from(random(all.len() as u64)).unwrap()];
            let at = 1 + random(PAGES - 1);
            match random(20) {
                0 if all.len() < 6 => {
                    kernel.fork(pid, next);
                    script.be(pid, pid);
                    script.fork(next);
                    // Both write their stacks.
                    write(&mut script, &mut kernel, pid, 0, &what);
                    write(&mut script, &mut kernel, next, 0, &what);
                    next += 1;
                }
                1 if all.len() > 1 => {
                    kernel.end(pid);
                    script.be(pid, pid);
                    script.end();
                }
                2 => {
                    kernel.unmap(pid, at);
                    script.be(pid, pid);
                    script.madvise(AT + at * PAGE, 1, 4);
                }
                _ => write(&mut script, &mut kernel, pid, at, &what),
            }
        }
        for line in &script.lines {
            if let results::trace::LineKind::Fault(fault) = &line.kind {
                reused += u64::from(fault.cause == Reuse);
                copied += u64::from(fault.cause == CopyOnWrite);
            }
        }
    }
    assert!(reused > 5000 && copied > 5000, "{reused} {copied}");
}
