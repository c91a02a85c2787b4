//! Forks of this process. In a separate test program, one at a time: a fork makes the pages of all
//! threads copy-on-write, so that their next writes fault.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sys::fork::{BorrowedStack, ForkError, Stage, Words};
use sys::mapping::{OwnMapping, Policy};
use sys::memory::{Initialised, Memory};
use sys::usage::Usage;

const PAGES: usize = 512;

fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pages(policy: Policy) -> OwnMapping {
    let mut mapping = OwnMapping::new(PAGES * 4096, policy).unwrap();
    mapping.touch_pages();
    mapping
}

fn faults_of(work: impl FnOnce()) -> u64 {
    let before = Usage::of_this_thread().minor_faults;
    work();
    Usage::of_this_thread().minor_faults - before
}

/// The state of a process and its parent, as `/proc/PID/stat` has them.
fn state_and_parent(pid: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit(')').next()?.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

#[test]
fn a_child_reads_its_parents_memory_and_writes_to_copies() {
    let _alone = alone();
    let (mut own, mut shared) = (pages(Policy::NoHugePage), pages(Policy::Shared));
    own.write_byte(100, 5);
    let child = Stage::new().unwrap().fork(|| {
        let seen = u64::from(own.read_byte(100));
        let faults = faults_of(|| own.touch_pages());
        own.write_byte(100, 6);
        shared.write_byte(100, 6);
        [seen, faults, 7]
    });
    let [seen, faults, last] = child.unwrap().wait().unwrap();
    assert_eq!((seen, last), (5, 7));
    assert!(
        (PAGES as u64..PAGES as u64 + 20).contains(&faults),
        "{faults} faults for {PAGES} copies"
    );
    assert_eq!((own.read_byte(100), shared.read_byte(100)), (5, 6));
}

#[test]
fn a_parent_copies_while_its_child_holds_the_pages_and_not_afterwards() {
    let _alone = alone();
    let (mut own, mut shared) = (pages(Policy::NoHugePage), pages(Policy::Shared));
    assert!(faults_of(|| own.touch_pages()) < 10);
    let mut child = Stage::new().unwrap().fork_asleep(|| [1, 2, 3]).unwrap();
    child.wait_until_asleep().unwrap();
    let copies = faults_of(|| own.touch_pages());
    assert!(
        (PAGES as u64..PAGES as u64 + 20).contains(&copies),
        "{copies} faults for {PAGES} copies"
    );
    assert!(faults_of(|| shared.touch_pages()) < 20, "shared pages are not copied");
    assert!(faults_of(|| own.touch_pages()) < 10, "copied once");
    child.let_go().unwrap();
    assert_eq!(child.wait(), Ok([1, 2, 3]));
}

#[test]
fn every_child_is_reaped_however_it_ends() {
    let _alone = alone();
    let asleep = Stage::new().unwrap().fork_asleep(Words::default).unwrap();
    let pid = asleep.id();
    assert_eq!(state_and_parent(pid).unwrap().1, std::process::id());
    drop(asleep);
    assert_eq!(state_and_parent(pid), None, "not even a zombie");
    let broken = Stage::new().unwrap().fork(|| panic!("this panic is part of the test")).unwrap();
    assert_eq!(broken.wait(), Err(ForkError::Exited(101)));
    let killed = Stage::new().unwrap().fork_asleep(Words::default).unwrap();
    std::process::Command::new("kill").args(["-9", &killed.id().to_string()]).status().unwrap();
    assert_eq!(killed.wait(), Err(ForkError::Killed(9)));
}

#[test]
fn a_child_dies_with_its_parent() {
    let _alone = alone();
    // The parent is a forked child itself; it leaves its own child asleep and returns that child's
    // pid.
    let child = Stage::new().unwrap().fork(|| {
        let mut inner = Stage::new().unwrap().fork_asleep(Words::default).unwrap();
        inner.wait_until_asleep().unwrap();
        let pid = inner.id();
        std::mem::forget(inner);
        [u64::from(pid), 0, 0]
    });
    let [pid, ..] = child.unwrap().wait().unwrap();
    let pid = u32::try_from(pid).unwrap();
    for _ in 0..500 {
        // The process that adopts orphans here may leave it a zombie.
        if state_and_parent(pid).is_none_or(|(state, _)| state == "Z") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("process {pid} has outlived its parent by five seconds");
}

#[test]
fn a_borrowing_child_copies_nothing() {
    let _alone = alone();
    let mut own = pages(Policy::NoHugePage);
    let mut stack = BorrowedStack::default();
    for _ in 0..3 {
        stack.run_empty_child().unwrap();
    }
    assert!(faults_of(|| own.touch_pages()) < 10);
}
