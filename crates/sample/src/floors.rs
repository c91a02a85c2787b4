//! A child that measures floors: the cost of each step of getting memory, done on its own.
//!
//! Floors whose cost depends on the state of free memory are measured in a separate process each,
//! prepared as a sample is ([`FloorGroup`]): memory that an earlier floor released is in the caches
//! and cheaper to clear again. Every floor has its own mapping and counts its faults. As in
//! [`crate::process`], nothing is allocated or printed until all are measured. docs/method.md says
//! what each floor contains.

mod present;

use std::hint::black_box;
use std::time::Instant;

use sys::Errno;
use sys::limits::page_bytes;
use sys::mapping::{HUGE_PAGE_BYTES, OwnMapping, Policy};
use sys::memory::Memory;
use sys::process::cheapest_call;

use crate::measured_floors::{FaultFloors, GroupFloors, MeasuredFloor, MeasuredFloors};
use crate::measurement::{PhaseCost, nanoseconds};
use crate::phases::{eligible_bytes, phase, rehearse};
use crate::protocol::FloorGroup;

/// Enough that the two clock readings around the loop are negligible.
const TIMER_READINGS: u64 = 1000;
const CALLS: u64 = 1000;
/// Most mappings that exist at once; few enough to cost little at every size.
const MAPPINGS_MAX: usize = 256;
/// Existing memory on which interruptions are measured. It fits the second-level cache of most
/// processors, so that the writes are cheap compared with the faults.
const EXISTING_BYTES: usize = 1 << 20;
const EXISTING_ROUNDS: u64 = 8;
/// The byte that is written.
const VALUE: u8 = 1;

/// A floor before it is checked: its cost, its units, and the faults that it should have taken.
type Measured = Result<(PhaseCost, u64, u64), Errno>;

/// Measures the floors of `group` on `bytes` of memory; each mmap(2) maps `block_bytes`. At most
/// `bytes` are mapped at any time.
#[must_use]
pub(crate) fn measure(group: FloorGroup, bytes: u64, block_bytes: u64) -> MeasuredFloors {
    let page = page_bytes();
    let size_bytes = bytes.div_ceil(page) * page;
    let (Ok(len), Ok(block_len)) =
        (usize::try_from(size_bytes), usize::try_from(block_bytes.max(1)))
    else {
        return MeasuredFloors { size_bytes, floors: group.unmeasured() };
    };
    let pages = size_bytes / page;
    rehearse();
    let floors = match group {
        FloorGroup::Faults => GroupFloors::Faults(Box::new(faults(len, block_len, pages))),
        FloorGroup::Populate => GroupFloors::Populate { populate: checked(populate(len, pages)) },
        FloorGroup::Huge => {
            let [huge_fault, write_after_huge_fault] = each(huge(len, page)).map(checked);
            GroupFloors::Huge { huge_fault, write_after_huge_fault }
        }
        FloorGroup::Stores => present::stores(len),
        FloorGroup::Copies => present::copies(len),
    };
    MeasuredFloors { size_bytes, floors }
}

/// The floors of [`FloorGroup::Faults`]. The passes come first of those that take memory, so that
/// they find free memory in the state that a sample does; the page by page writing comes later,
/// since only its writes to cached lines are timed.
fn faults(len: usize, block_len: usize, pages: u64) -> FaultFloors {
    let mut mappings: Vec<Option<OwnMapping>> =
        (0..(len / block_len).clamp(1, MAPPINGS_MAX)).map(|_| None).collect();
    let timer = timer();
    let reading_ns = timer.0.time_ns as f64 / timer.1 as f64;
    let syscall = (phase(|| (0..CALLS).for_each(|_| cheapest_call())), CALLS, 0);
    let (map, unmap) = untouched(&mut mappings, block_len);
    let read_fault = read_fault(len, pages);
    let passes = passes(len, pages);
    let write_after_fault = page_by_page(len, pages, reading_ns);
    let interruptions = interruptions(block_len);

    let [write_fault, write_after_pass, rewrite, release] = each(passes).map(checked);
    let [interrupted_write, uninterrupted_write] = each(interruptions).map(checked);
    FaultFloors {
        timer: checked(Ok(timer)),
        syscall: checked(Ok(syscall)),
        map: checked(map),
        unmap: checked(unmap),
        read_fault: checked(read_fault),
        write_fault,
        write_after_fault: checked(write_after_fault),
        interrupted_write,
        uninterrupted_write,
        write_after_pass,
        rewrite,
        release,
    }
}

fn timer() -> (PhaseCost, u64, u64) {
    let cost = phase(|| {
        for _ in 0..TIMER_READINGS {
            black_box(Instant::now());
        }
    });
    (cost, TIMER_READINGS, 0)
}

/// Obtains and releases as an arm does, without a touch in between.
fn untouched(mappings: &mut [Option<OwnMapping>], block_len: usize) -> (Measured, Measured) {
    let mut failure = None;
    let map = phase(|| {
        for slot in &mut *mappings {
            match OwnMapping::new(block_len, Policy::Plain) {
                Ok(mapping) => *slot = Some(mapping),
                Err(errno) => failure = Some(errno),
            }
        }
    });
    let unmap = phase(|| mappings.iter_mut().for_each(|slot| drop(slot.take())));
    let calls = mappings.len() as u64;
    match failure {
        Some(errno) => (Err(errno), Err(errno)),
        None => (Ok((map, calls, 0)), Ok((unmap, calls, 0))),
    }
}

/// Three passes over one mapping (one byte of each page, every byte, every byte again) and its
/// release.
fn passes(len: usize, pages: u64) -> Result<[(PhaseCost, u64, u64); 4], Errno> {
    let mut mapping = OwnMapping::new(len, Policy::Plain)?;
    let fault = phase(|| mapping.touch_pages());
    let write = phase(|| mapping.fill(VALUE));
    let rewrite = phase(|| mapping.fill(VALUE));
    let release = phase(|| drop(mapping));
    Ok([(fault, pages, pages), (write, pages, 0), (rewrite, pages, 0), (release, pages, 0)])
}

fn read_fault(len: usize, pages: u64) -> Measured {
    let mapping = OwnMapping::new(len, Policy::Plain)?;
    Ok((phase(|| mapping.read_pages()), pages, pages))
}

/// Fills each page right after its fault, while the lines that the kernel cleared are still cached,
/// as in a first touch. Only the filling is timed, less the cost of reading the clock.
fn page_by_page(len: usize, pages: u64, reading_ns: f64) -> Measured {
    let mut mapping = OwnMapping::new(len, Policy::Plain)?;
    let page = usize::try_from(page_bytes()).expect("a page size fits a usize");
    let (mut cost, _) = filled_after_fault(&mut mapping, (0..len).step_by(page), page);
    cost.time_ns = less_readings(cost.time_ns, pages, reading_ns);
    Ok((cost, pages, pages))
}

/// The cost of a fault interrupting a long write, apart from the fault itself. Does the same faults
/// and the same writing twice: once in pieces of `block_len`, which the faults interrupt, and once
/// a page at a time after its fault. Uses shared pages that are only removed from the page tables,
/// so that nothing is allocated or cleared.
fn interruptions(block_len: usize) -> Result<[(PhaseCost, u64, u64); 2], Errno> {
    let page = usize::try_from(page_bytes()).expect("a page size fits a usize");
    let mut mapping = OwnMapping::new(EXISTING_BYTES, Policy::Shared)?;
    mapping.touch_pages();
    let mut costs = [PhaseCost::default(); 2];
    for _ in 0..EXISTING_ROUNDS {
        mapping.forget_pages()?;
        let interrupted = phase(|| {
            for start in (0..EXISTING_BYTES).step_by(block_len) {
                mapping
                    .fill_range(start..EXISTING_BYTES.min(start.saturating_add(block_len)), VALUE);
            }
        });
        mapping.forget_pages()?;
        let uninterrupted = phase(|| {
            for start in (0..EXISTING_BYTES).step_by(page) {
                mapping.touch(start);
                mapping.fill_range(start..start + page, VALUE);
            }
        });
        for (sum, cost) in costs.iter_mut().zip([interrupted, uninterrupted]) {
            sum.time_ns += cost.time_ns;
            sum.minor_faults += cost.minor_faults;
        }
    }
    let pages = EXISTING_ROUNDS * (EXISTING_BYTES / page) as u64;
    Ok(costs.map(|cost| (cost, pages, pages)))
}

fn populate(len: usize, pages: u64) -> Measured {
    let mut mapping = Err(Errno::NO_MEMORY);
    let cost = phase(|| mapping = OwnMapping::new(len, Policy::Populate));
    mapping.map(|_| (cost, pages, pages))
}

/// Two mappings: faults alone, then faults with each huge page filled right after its fault.
fn huge(len: usize, page: u64) -> Result<[(PhaseCost, u64, u64); 2], Errno> {
    let fault = {
        let mut mapping = OwnMapping::new(len, Policy::HugePage)?;
        let ranges = huge_ranges(&mapping, len);
        let count = ranges.clone().count() as u64;
        (phase(|| ranges.for_each(|offset| mapping.touch(offset))), count)
    };
    let mut mapping = OwnMapping::new(len, Policy::HugePage)?;
    let ranges = huge_ranges(&mapping, len);
    let (write, count) = filled_after_fault(&mut mapping, ranges, HUGE_PAGE_BYTES);
    let pages = HUGE_PAGE_BYTES as u64 / page;
    Ok([(fault.0, fault.1 * pages, fault.1), (write, count * pages, count)])
}

/// The offsets of the aligned 2 MiB ranges of `mapping`.
fn huge_ranges(mapping: &OwnMapping, len: usize) -> std::iter::StepBy<std::ops::Range<usize>> {
    let address = mapping.address();
    let first = address.next_multiple_of(HUGE_PAGE_BYTES) - address;
    let eligible =
        usize::try_from(eligible_bytes(address, len)).expect("no larger than the mapping");
    (first..first + eligible).step_by(HUGE_PAGE_BYTES)
}

/// Touches and then fills `unit` bytes at each of `offsets`; times only the filling.
fn filled_after_fault(
    mapping: &mut OwnMapping,
    offsets: impl Iterator<Item = usize>,
    unit: usize,
) -> (PhaseCost, u64) {
    let (mut time_ns, mut count) = (0, 0);
    let whole = phase(|| {
        for offset in offsets {
            mapping.touch(offset);
            let start = Instant::now();
            mapping.fill_range(offset..offset + unit, VALUE);
            time_ns += nanoseconds(start.elapsed());
            count += 1;
        }
    });
    (PhaseCost { time_ns, ..whole }, count)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and less than `time_ns`"
)]
fn less_readings(time_ns: u64, readings: u64, reading_ns: f64) -> u64 {
    f64::max(time_ns as f64 - readings as f64 * reading_ns, 0.0) as u64
}

/// Turns a result of arrays into an array of results.
fn each<const N: usize>(outcome: Result<[(PhaseCost, u64, u64); N], Errno>) -> [Measured; N] {
    match outcome {
        Ok(costs) => costs.map(Ok),
        Err(errno) => std::array::from_fn(|_| Err(errno)),
    }
}

/// Marks a floor invalid whose faults are not the expected ones: with the huge zero page, or a
/// kernel that maps several pages per fault, it would measure something else. One or two faults of
/// code that runs for the first time are allowed.
fn checked(measured: Measured) -> MeasuredFloor {
    match measured {
        Ok((cost, units, faults)) => {
            let (low, high) = (faults - faults / 50, faults + faults / 50 + 8);
            let invalid = if units == 0 {
                Some("the memory is smaller than one unit".to_owned())
            } else if !(low..=high).contains(&cost.minor_faults) {
                Some(format!("it took {} faults, and {faults} were expected", cost.minor_faults))
            } else {
                None
            };
            MeasuredFloor { time_ns: cost.time_ns, units, minor_faults: cost.minor_faults, invalid }
        }
        Err(errno) => {
            MeasuredFloor { invalid: Some(errno.to_string()), ..MeasuredFloor::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(minor_faults: u64) -> PhaseCost {
        PhaseCost { time_ns: 1000, minor_faults, major_faults: 0 }
    }

    #[test]
    fn faults_decide_whether_a_floor_holds() {
        let holds = |seen, expected| checked(Ok((cost(seen), 100, expected))).invalid.is_none();
        assert!(holds(1000, 1000) && holds(1003, 1000) && holds(0, 0) && holds(3, 0));
        assert!(!holds(2, 1000), "the huge zero page");
        assert!(!holds(63, 1000), "folios of 64 KiB");
        assert!(!holds(1100, 1000) && !holds(25, 0));
        assert!(checked(Ok((cost(0), 0, 0))).invalid.is_some(), "smaller than a huge page");
        assert!(checked(Err(Errno::NO_MEMORY)).invalid.unwrap().contains("ENOMEM"));
    }

    #[test]
    fn clock_readings_are_subtracted_down_to_zero() {
        assert_eq!(less_readings(10_000, 100, 25.5), 7450);
        assert_eq!(less_readings(10, 100, 25.5), 0);
    }
}
