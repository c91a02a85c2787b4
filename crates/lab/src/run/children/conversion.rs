//! Converts a child's answer into the types of a result.

use results::{Floor, FloorSample, Sample};
use sample::measured_floors::{GroupFloors, MeasuredFloor, MeasuredFloors};
use sample::measurement::{Measurement, PhaseCost, Phases};

use crate::design::Design;
use crate::design::work::Work;

/// The place of a sample, and the page cache around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) block: u64,
    pub(super) position: u64,
    pub(super) cached_before_bytes: Option<u64>,
    pub(super) cached_after_bytes: Option<u64>,
}

/// The sample that a child measured of `work`, an arm of `design`.
pub(super) fn sample(
    design: &Design,
    work: &Work,
    measurement: &Measurement,
    slot: Slot,
) -> Sample {
    let Phases { obtain, first_touch, between, second_touch, release } = measurement.phases;
    let sum = |field: fn(&PhaseCost) -> u64| measurement.phases.all().iter().map(field).sum();
    Sample {
        block: slot.block,
        position: slot.position,
        operations: work.operations,
        size_bytes: design.sweeps_sizes().then_some(work.size_bytes),
        threads: design.sweeps_threads().then_some(work.threads),
        passes: design.sweeps_passes().then_some(u64::from(work.pattern.passes)),
        obtain_ns: obtain.time_ns,
        first_touch_ns: first_touch.time_ns,
        between_ns: between.time_ns,
        second_touch_ns: second_touch.time_ns,
        release_ns: release.time_ns,
        total_ns: obtain.time_ns + first_touch.time_ns,
        minor_faults: sum(|phase| phase.minor_faults),
        major_faults: sum(|phase| phase.major_faults),
        obtain_minor_faults: obtain.minor_faults,
        first_touch_minor_faults: first_touch.minor_faults,
        first_touch_major_faults: first_touch.major_faults,
        second_touch_minor_faults: second_touch.minor_faults,
        rss_bytes: measurement.rss_bytes,
        huge_bytes: measurement.huge_bytes,
        huge_eligible_bytes: measurement.huge_eligible_bytes,
        involuntary_switches: measurement.involuntary_switches,
        run_delay_ns: measurement.run_delay_ns,
        cached_before_bytes: slot.cached_before_bytes,
        cached_after_bytes: slot.cached_after_bytes,
    }
}

/// Adds the floors of one group to `sample`.
pub fn add_floors(sample: &mut FloorSample, measured: MeasuredFloors) {
    sample.size_bytes = measured.size_bytes;
    match measured.floors {
        GroupFloors::Faults(faults) => {
            sample.timer = floor(faults.timer);
            sample.syscall = floor(faults.syscall);
            sample.map = floor(faults.map);
            sample.unmap = floor(faults.unmap);
            sample.read_fault = floor(faults.read_fault);
            sample.write_fault = floor(faults.write_fault);
            sample.write_after_fault = floor(faults.write_after_fault);
            sample.interrupted_write = floor(faults.interrupted_write);
            sample.uninterrupted_write = floor(faults.uninterrupted_write);
            sample.write_after_pass = floor(faults.write_after_pass);
            sample.rewrite = floor(faults.rewrite);
            sample.release = floor(faults.release);
        }
        GroupFloors::Populate { populate } => sample.populate = floor(populate),
        GroupFloors::Huge { huge_fault, write_after_huge_fault } => {
            sample.huge_fault = floor(huge_fault);
            sample.write_after_huge_fault = floor(write_after_huge_fault);
        }
        GroupFloors::Stores { store, store_past_caches, clear_cold } => {
            sample.store = floor(store);
            sample.store_past_caches = floor(store_past_caches);
            sample.clear_cold = floor(clear_cold);
        }
        GroupFloors::Copies { memcpy, read, read_memfd } => {
            sample.memcpy = floor(memcpy);
            sample.read = floor(read);
            sample.read_memfd = floor(read_memfd);
        }
    }
}

fn floor(measured: MeasuredFloor) -> Floor {
    let MeasuredFloor { time_ns, units, minor_faults, invalid } = measured;
    Floor { time_ns, units, minor_faults, invalid }
}
