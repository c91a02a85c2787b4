//! Pages of files: those that fault, and neighbours that a fault maps.

use events::Call;
use events::Cause::{CopyOnWrite, File, Unknown};

use crate::script::{PAGE, PRIVATE, READ, SHARED, Script, WRITE};

/// A multiple of the range of one page table.
const AT: u64 = 0x7f00_0000_0000;

/// A writable file mapped at `start`.
fn data(start: u64, pages: u64) -> Script {
    let mut script = Script::new();
    script.mmap(start, pages, WRITE, PRIVATE);
    script
}

#[test]
fn a_fault_on_a_read_only_file_is_a_read() {
    let mut script = Script::new();
    script.mmap(AT, 64, READ, PRIVATE);
    assert_eq!([20, 17, 40].map(|page| script.fault(AT + page * PAGE)), [File; 3]);
    assert_eq!(script.fault(AT + 20 * PAGE), Unknown, "the page was present and is not writable");
    assert_eq!(script.major(AT + 20 * PAGE), File);
}

#[test]
fn a_write_maps_its_own_page_only() {
    let mut script = data(AT, 64);
    assert_eq!([1, 2, 3, 0].map(|page| script.fault(AT + page * PAGE)), [File; 4]);
    assert_eq!(script.major(AT + 63 * PAGE), File);
}

#[test]
fn a_page_that_faults_twice_was_read_and_mapped_its_neighbours() {
    let mut script = data(AT, 64);
    assert_eq!([20, 20].map(|page| script.fault(AT + page * PAGE)), [File, CopyOnWrite]);
    assert_eq!([16, 31].map(|page| script.fault(AT + page * PAGE)), [CopyOnWrite; 2]);
    assert_eq!(
        [32, 15].map(|page| script.fault(AT + page * PAGE)),
        [File; 2],
        "other windows of 64 KiB"
    );
}

#[test]
fn after_a_fork_a_second_fault_does_not_prove_a_read() {
    let mut script = data(AT, 64);
    script.fault(AT + 48 * PAGE);
    assert_eq!([20, 20].map(|page| script.fault(AT + page * PAGE)), [File, CopyOnWrite]);
    script.fork(8);
    script.be(8, 8);
    assert_eq!([48, 49].map(|page| script.fault(AT + page * PAGE)), [CopyOnWrite, File]);
    assert_eq!(script.fault(AT + 17 * PAGE), CopyOnWrite, "mapped by a neighbour in the parent");
    script.be(7, 7);
    assert_eq!(
        [48, 49].map(|page| script.fault(AT + page * PAGE)),
        [Unknown, File],
        "the parent: if it had written 48 and not read it, that is its own now"
    );
}

#[test]
fn a_page_that_was_not_writable_was_read() {
    let mut script = Script::new();
    script.mmap(AT, 32, READ, PRIVATE);
    script.fault(AT + 3 * PAGE);
    script.call(Call::Mprotect, &[AT, 32 * PAGE, WRITE], 0);
    assert_eq!(
        [3, 4, 16].map(|page| script.fault(AT + page * PAGE)),
        [CopyOnWrite, CopyOnWrite, File]
    );
    script.fork(8);
    script.be(8, 8);
    assert_eq!(script.fault(AT + 3 * PAGE), CopyOnWrite, "the child inherits the copy");
}

#[test]
fn the_first_window_is_full_from_the_start_of_the_mapping() {
    let start = AT + 12 * PAGE;
    let mut script = data(start, 64);
    let causes = [0, 0, 15, 16, 20].map(|page| script.fault(start + page * PAGE));
    assert_eq!(
        causes,
        [File, CopyOnWrite, CopyOnWrite, File, File],
        "16 is beyond 64 KiB from the start"
    );
}

#[test]
fn a_window_ends_with_its_page_table() {
    let start = AT + 504 * PAGE;
    let mut script = data(start, 64);
    let causes = [0, 0, 7, 8].map(|page| script.fault(start + page * PAGE));
    assert_eq!(causes, [File, CopyOnWrite, CopyOnWrite, File], "the next table begins with 8");
}

#[test]
fn shared_files_are_not_copied() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, SHARED);
    assert_eq!(
        [0, 0, 1].map(|page| script.fault(AT + page * PAGE)),
        [File; 3],
        "read, then written"
    );
}
