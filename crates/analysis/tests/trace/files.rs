//! Pages of files: those that fault, and those that a fault nearby brings along.

use events::Call;
use events::Cause::{CopyOnWrite, File, Unknown};

use crate::teller::{PAGE, PRIVATE, READ, SHARED, Teller, WRITE};

/// A multiple of what one page table maps.
const AT: u64 = 0x7f00_0000_0000;

/// A writable file at `start`, whose pages are faulted in turn.
fn data(start: u64, pages: u64) -> Teller {
    let mut teller = Teller::new();
    teller.mmap(start, pages, WRITE, PRIVATE);
    teller
}

#[test]
fn what_cannot_be_written_is_read() {
    let mut teller = Teller::new();
    teller.mmap(AT, 64, READ, PRIVATE);
    assert_eq!([20, 17, 40].map(|page| teller.fault(AT + page * PAGE)), [File; 3]);
    assert_eq!(teller.fault(AT + 20 * PAGE), Unknown, "it was there, and cannot be written");
    assert_eq!(teller.major(AT + 20 * PAGE), File);
}

#[test]
fn a_write_brings_its_own_page_only() {
    let mut teller = data(AT, 64);
    assert_eq!([1, 2, 3, 0].map(|page| teller.fault(AT + page * PAGE)), [File; 4]);
    assert_eq!(teller.major(AT + 63 * PAGE), File);
}

#[test]
fn a_page_that_faults_twice_was_read_and_brought_its_neighbours() {
    let mut teller = data(AT, 64);
    assert_eq!([20, 20].map(|page| teller.fault(AT + page * PAGE)), [File, CopyOnWrite]);
    assert_eq!([16, 31].map(|page| teller.fault(AT + page * PAGE)), [CopyOnWrite; 2]);
    assert_eq!(
        [32, 15].map(|page| teller.fault(AT + page * PAGE)),
        [File; 2],
        "other windows of 64 KiB"
    );
}

#[test]
fn after_a_fork_to_fault_twice_tells_nothing_of_reading() {
    let mut teller = data(AT, 64);
    teller.fault(AT + 48 * PAGE);
    assert_eq!([20, 20].map(|page| teller.fault(AT + page * PAGE)), [File, CopyOnWrite]);
    teller.fork(8);
    teller.be(8, 8);
    assert_eq!([48, 49].map(|page| teller.fault(AT + page * PAGE)), [CopyOnWrite, File]);
    assert_eq!(teller.fault(AT + 17 * PAGE), CopyOnWrite, "brought along in the parent");
    teller.be(7, 7);
    assert_eq!(
        [48, 49].map(|page| teller.fault(AT + page * PAGE)),
        [CopyOnWrite, File],
        "the parent"
    );
}

#[test]
fn what_could_not_be_written_then_was_read() {
    let mut teller = Teller::new();
    teller.mmap(AT, 32, READ, PRIVATE);
    teller.fault(AT + 3 * PAGE);
    teller.call(Call::Mprotect, &[AT, 32 * PAGE, WRITE], 0);
    assert_eq!(
        [3, 4, 16].map(|page| teller.fault(AT + page * PAGE)),
        [CopyOnWrite, CopyOnWrite, File]
    );
    teller.fork(8);
    teller.be(8, 8);
    assert_eq!(teller.fault(AT + 3 * PAGE), CopyOnWrite, "its copy is passed on");
}

#[test]
fn the_first_window_goes_as_far_from_where_the_mapping_begins() {
    let start = AT + 12 * PAGE;
    let mut teller = data(start, 64);
    let causes = [0, 0, 15, 16, 20].map(|page| teller.fault(start + page * PAGE));
    assert_eq!(
        causes,
        [File, CopyOnWrite, CopyOnWrite, File, File],
        "16 is beyond 64 KiB from the start"
    );
}

#[test]
fn a_window_ends_with_its_page_table() {
    let start = AT + 504 * PAGE;
    let mut teller = data(start, 64);
    let causes = [0, 0, 7, 8].map(|page| teller.fault(start + page * PAGE));
    assert_eq!(causes, [File, CopyOnWrite, CopyOnWrite, File], "the next table begins with 8");
}

#[test]
fn shared_files_are_not_copied() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, WRITE, SHARED);
    assert_eq!(
        [0, 0, 1].map(|page| teller.fault(AT + page * PAGE)),
        [File; 3],
        "read, then written"
    );
}
