//! What the floors assume of the kernel. The resident set is the whole process's, so this file has
//! one test.

use sys::mapping::{OwnMapping, Policy};
use sys::perf::FaultCounter;
use sys::proc::resident_now;
use sys::usage::Usage;

const BYTES: usize = 64 << 20;

/// Runs `work`; faults that the kernel counted, and faults that were trapped, if that may be
/// counted.
fn faults(work: impl FnOnce()) -> (u64, Option<u64>) {
    let counter = FaultCounter::new().ok();
    if let Some(counter) = &counter {
        counter.start();
    }
    let before = Usage::of_this_thread().minor_faults;
    work();
    let minor = Usage::of_this_thread().minor_faults - before;
    (minor, counter.and_then(|counter| counter.stop().ok()))
}

/// A read fault maps the kernel's page of zeros and takes no memory; a write fault does; populating
/// takes as much and is no trap.
#[test]
fn reading_takes_no_memory_and_populating_no_traps() {
    let pages = BYTES as u64 / sys::limits::page_bytes();
    let resident = || resident_now().expect("/proc is there").rss_bytes;
    let small_pages = sys::machine::thp().is_none_or(|thp| thp != "always");

    let mapping = OwnMapping::new(BYTES, Policy::Plain).unwrap();
    let before = resident();
    let (counted, _) = faults(|| mapping.read_pages());
    let grown = resident().saturating_sub(before);
    assert!(grown < BYTES as u64 / 8, "reading made {grown} bytes resident");
    assert!(
        !small_pages || (pages..pages + pages / 50 + 8).contains(&counted),
        "{counted} faults for {pages} pages"
    );
    drop(mapping);

    let mut mapping = OwnMapping::new(BYTES, Policy::Plain).unwrap();
    let before = resident();
    let (counted, traps) = faults(|| mapping.touch_pages());
    let grown = resident().saturating_sub(before);
    assert!(grown > BYTES as u64 / 8 * 7, "writing made {grown} bytes resident");
    if small_pages {
        assert!(
            (pages..pages + pages / 50 + 8).contains(&counted),
            "{counted} faults for {pages} pages"
        );
        assert!(traps.is_none_or(|traps| traps >= pages), "{traps:?} traps for {pages} pages");
    }
    drop(mapping);

    let mut populated = None;
    let (counted, traps) =
        faults(|| populated = Some(OwnMapping::new(BYTES, Policy::Populate).unwrap()));
    assert!(!small_pages || counted >= pages, "{counted} faults for {pages} pages");
    match traps {
        Some(traps) => assert!(traps <= 16, "populating took {traps} traps"),
        None => skips::skip("traps cannot be counted here (perf is refused)"),
    }
}
