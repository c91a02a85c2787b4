//! Assumptions of the floors about the kernel. The resident set belongs to the whole process, so
//! this file has one test.

use sys::mapping::{OwnMapping, Policy};
use sys::perf::FaultCounter;
use sys::proc::resident_now;
use sys::usage::Usage;

const BYTES: usize = 64 << 20;

/// Runs `work`; returns the faults that the kernel counted, and those taken in user mode, if they
/// may be counted.
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

/// A read fault maps the kernel's zero page and takes no memory; a write fault takes memory;
/// populating takes as much without a fault.
#[test]
fn reading_takes_no_memory_and_populating_no_faults() {
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
        assert!(
            traps.is_none_or(|traps| traps >= pages),
            "{traps:?} faults in user mode for {pages} pages"
        );
    }
    drop(mapping);

    let mut populated = None;
    let (counted, traps) =
        faults(|| populated = Some(OwnMapping::new(BYTES, Policy::Populate).unwrap()));
    assert!(!small_pages || counted >= pages, "{counted} faults for {pages} pages");
    match traps {
        Some(traps) => assert!(traps <= 16, "populating took {traps} faults in user mode"),
        None => skips::skip("faults in user mode cannot be counted here (perf is refused)"),
    }
}
