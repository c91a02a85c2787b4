//! The floors of this machine, in a separate process: faults are counted per thread, but memory
//! belongs to the whole process. So this file has one test.

use lab::run::children::add_floors;
use results::FloorSample;
use sample::process::answer;
use sample::protocol::{Answer, FloorGroup, Task};

/// A floor of faults has one fault for each page, a floor of writing has none, and all parts of
/// sums are measured.
#[test]
fn every_floor_has_its_expected_faults() {
    let bytes = 16 << 20;
    let floors = measured(bytes);
    let pages = bytes / sys::limits::page_bytes();
    assert_eq!((floors.size_bytes, floors.block), (bytes, 0));
    for (name, floor) in [("timer", &floors.timer), ("syscall", &floors.syscall)] {
        assert!(
            floor.units == 1000 && floor.time_ns > 0 && floor.invalid.is_none(),
            "{name}: {floor:?}"
        );
    }
    for (name, floor) in [("map", &floors.map), ("unmap", &floors.unmap)] {
        assert!(
            floor.units == 16 && floor.time_ns > 0 && floor.invalid.is_none(),
            "{name}: {floor:?}"
        );
    }
    check_present_memory(&floors, pages);
    for (name, floor) in [
        ("write_after_pass", &floors.write_after_pass),
        ("rewrite", &floors.rewrite),
        ("release", &floors.release),
        ("populate", &floors.populate),
    ] {
        assert!(floor.units == pages && floor.time_ns > 0, "{name}: {floor:?}");
    }
    if sys::machine::thp().is_some_and(|thp| thp == "always") {
        assert!(
            floors.read_fault.invalid.is_some(),
            "the huge zero page is not a small page: {:?}",
            floors.read_fault
        );
        return;
    }
    for (name, floor, expected) in [
        ("read_fault", &floors.read_fault, pages),
        ("write_fault", &floors.write_fault, pages),
        ("write_after_fault", &floors.write_after_fault, pages),
        ("interrupted_write", &floors.interrupted_write, floors.interrupted_write.units),
        ("uninterrupted_write", &floors.uninterrupted_write, floors.uninterrupted_write.units),
        ("populate", &floors.populate, pages),
        ("write_after_pass", &floors.write_after_pass, 0),
        ("rewrite", &floors.rewrite, 0),
    ] {
        let allowed = expected..=expected + expected / 50 + 8;
        assert!(
            floor.invalid.is_none() && allowed.contains(&floor.minor_faults),
            "{name}: {floor:?}"
        );
    }
    let huge = &floors.huge_fault;
    assert!(huge.units > 0 || huge.invalid.is_some(), "{huge:?}");
    if huge.invalid.is_none() {
        assert!(
            floors.huge_fault.minor_faults >= 7 && floors.huge_fault.units >= 7 * 512,
            "{:?}",
            floors.huge_fault
        );
    }
}

/// All floors on `bytes` of memory, in blocks of 1 MiB.
fn measured(bytes: u64) -> FloorSample {
    let block_bytes = 1 << 20;
    let mut floors = FloorSample::default();
    // Groups are merged in this order; fields of earlier groups must be kept.
    for group in [
        FloorGroup::Huge,
        FloorGroup::Copies,
        FloorGroup::Faults,
        FloorGroup::Populate,
        FloorGroup::Stores,
    ] {
        let Answer::Floors(part) = answer(&Task::Floors { parent: 0, group, bytes, block_bytes })
        else {
            panic!("another answer")
        };
        add_floors(&mut floors, part);
    }
    floors
}

/// Resident memory takes no faults, whatever is done with it.
fn check_present_memory(floors: &FloorSample, pages: u64) {
    for (name, floor, units) in [
        ("store", &floors.store, pages),
        ("store_past_caches", &floors.store_past_caches, pages),
        ("clear_cold", &floors.clear_cold, pages.min((8 << 20) / sys::limits::page_bytes())),
        ("memcpy", &floors.memcpy, pages / 2),
        ("read_memfd", &floors.read_memfd, pages / 2),
        ("read", &floors.read, pages / 2),
    ] {
        if let (true, Some(reason)) = (name == "read", &floors.read.invalid) {
            skips::skip(&format!("no unnamed files in the temporary directory: {reason}"));
            continue;
        }
        if !cfg!(target_arch = "x86_64") && floor.invalid.is_some() {
            continue; // its instruction exists only on x86-64
        }
        assert!(
            floor.invalid.is_none() && floor.units == units && floor.time_ns > 0,
            "{name}: {floor:?}"
        );
        assert!(floor.minor_faults <= 8, "{name}: {floor:?}");
    }
}
