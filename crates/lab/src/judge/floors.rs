//! The floors that were measured beside the samples: medians, and invalid floors. Pure.

use results::{Floor, FloorSample, FloorSummary, Floors, InvalidFloor};
use stats::median;

use crate::run::TakenFloors;

/// The error probability of each explanation. They are not confirmatory, so it is not shared among
/// them.
pub(crate) const ALPHA: f64 = 0.05;
/// Every floor with its key.
pub(crate) type Field = (&'static str, fn(&FloorSample) -> &Floor);
pub(crate) const FIELDS: [Field; 21] = [
    ("timer", |s| &s.timer),
    ("syscall", |s| &s.syscall),
    ("map", |s| &s.map),
    ("unmap", |s| &s.unmap),
    ("read_fault", |s| &s.read_fault),
    ("write_fault", |s| &s.write_fault),
    ("write_after_fault", |s| &s.write_after_fault),
    ("interrupted_write", |s| &s.interrupted_write),
    ("uninterrupted_write", |s| &s.uninterrupted_write),
    ("write_after_pass", |s| &s.write_after_pass),
    ("rewrite", |s| &s.rewrite),
    ("release", |s| &s.release),
    ("populate", |s| &s.populate),
    ("huge_fault", |s| &s.huge_fault),
    ("write_after_huge_fault", |s| &s.write_after_huge_fault),
    ("store", |s| &s.store),
    ("store_past_caches", |s| &s.store_past_caches),
    ("clear_cold", |s| &s.clear_cold),
    ("memcpy", |s| &s.memcpy),
    ("read", |s| &s.read),
    ("read_memfd", |s| &s.read_memfd),
];

/// The floors in the form of the result file, with the medians of those that are `counted`; `None`
/// if none were to be measured.
#[must_use]
pub fn floors(taken: &TakenFloors, counted: &[&FloorSample]) -> Option<Floors> {
    let TakenFloors { samples, failed } = taken;
    (!samples.is_empty() || failed.is_some()).then(|| Floors {
        summary: summary(counted),
        invalid: invalid(counted),
        samples: samples.clone(),
        failed: failed.clone(),
        estimates: Vec::new(),
        sources: Vec::new(),
    })
}

fn summary(samples: &[&FloorSample]) -> FloorSummary {
    let of = |floor: fn(&FloorSample) -> &Floor| {
        median(&samples.iter().filter_map(|sample| floor(sample).unit_ns()).collect::<Vec<_>>())
    };
    FloorSummary {
        timer_ns: of(|s| &s.timer),
        syscall_ns: of(|s| &s.syscall),
        map_ns: of(|s| &s.map),
        unmap_ns: of(|s| &s.unmap),
        read_fault_ns: of(|s| &s.read_fault),
        write_fault_ns: of(|s| &s.write_fault),
        write_after_fault_ns: of(|s| &s.write_after_fault),
        interrupted_write_ns: of(|s| &s.interrupted_write),
        uninterrupted_write_ns: of(|s| &s.uninterrupted_write),
        write_after_pass_ns: of(|s| &s.write_after_pass),
        rewrite_ns: of(|s| &s.rewrite),
        release_ns: of(|s| &s.release),
        populate_ns: of(|s| &s.populate),
        huge_fault_ns: of(|s| &s.huge_fault),
        write_after_huge_fault_ns: of(|s| &s.write_after_huge_fault),
    }
}

fn invalid(samples: &[&FloorSample]) -> Vec<InvalidFloor> {
    let reason = |(name, floor): &Field| {
        let held = samples.iter().any(|sample| floor(sample).invalid.is_none());
        let reason =
            samples.iter().find_map(|sample| floor(sample).invalid.clone()).filter(|_| !held)?;
        Some(InvalidFloor { floor: (*name).to_owned(), reason })
    };
    FIELDS.iter().filter_map(reason).collect()
}
