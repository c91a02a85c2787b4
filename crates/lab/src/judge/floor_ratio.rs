//! Sources as multiples of the floor that they cannot beat. Pure.
//!
//! The floor follows from a sample's faults, not from the source's name. A page with its own fault
//! cannot cost less than a fault that allocates and clears it; a page that a call populated, not
//! less than populating it; any other page, not less than its share of a 2 MiB page. All pages must
//! be written.

use results::{FloorPart, FloorSample, Sample, SourceFloor};
use stats::median;
use sys::mapping::HUGE_PAGE_BYTES;

use crate::judge::estimate::interval;
use crate::judge::floors::ALPHA;
use crate::judge::point_run::{ArmRun, PointRun};

/// An invalid floor is ignored if less than this share of the pages needs it: faults of the code
/// itself are among them.
const SHARE_MIN: f64 = 0.01;

/// One block: the parts, their sum, and the cost of the source.
struct Pair {
    parts: [(&'static str, f64); 4],
    floor_ns: f64,
    measured_ns: f64,
}

/// Every arm of `point` as a multiple of its floor, by the floors of the blocks that count.
pub(crate) fn sources(point: &PointRun, counted: &[&FloorSample]) -> Vec<SourceFloor> {
    let pages = point.size_bytes as f64 / point.page_bytes.max(1) as f64 * point.operations as f64;
    let source = |arm: &ArmRun| {
        let pairs: Vec<Pair> = counted
            .iter()
            .filter_map(|floor| pair(floor, arm.of_block(floor.block)?, pages))
            .collect();
        compared_with_floor(arm.name, &pairs)
    };
    point.arms.iter().filter_map(source).collect()
}

/// `None` if a floor that matters is invalid, or if there are no pages.
fn pair(floor: &FloorSample, sample: &Sample, pages: f64) -> Option<Pair> {
    let huge_faults = sample.huge_bytes.unwrap_or(0) / HUGE_PAGE_BYTES as u64;
    let by_fault = sample.first_touch_minor_faults.saturating_sub(huge_faults) as f64 / pages;
    let in_call = sample.obtain_minor_faults as f64 / pages;
    // Blocks of partial pages have more pages than their bytes fill.
    let all = (by_fault + in_call).max(1.0);
    let ways = [
        (by_fault, &floor.write_fault, &floor.write_after_fault),
        (in_call, &floor.populate, &floor.write_after_pass),
        ((1.0 - by_fault - in_call).max(0.0), &floor.huge_fault, &floor.write_after_huge_fault),
    ];
    let mut parts = [("write fault", 0.0), ("populate", 0.0), ("2 MiB fault", 0.0), ("write", 0.0)];
    for (index, (share, fault, write)) in ways.into_iter().enumerate() {
        match fault.unit_ns().zip(write.unit_ns()) {
            Some((fault_ns, write_ns)) => {
                parts[index].1 = share * fault_ns;
                // Every byte is written once, on any number of pages.
                parts[3].1 += share / all * write_ns;
            }
            None if share < SHARE_MIN => {}
            None => return None,
        }
    }
    let floor_ns = parts.iter().map(|part| part.1).sum();
    let measured_ns = sample.total_ns as f64 / pages;
    (floor_ns > 0.0 && measured_ns > 0.0).then_some(Pair { parts, floor_ns, measured_ns })
}

/// `None` if `pairs` is empty.
fn compared_with_floor(arm: &str, pairs: &[Pair]) -> Option<SourceFloor> {
    let middle = |value: fn(&Pair) -> f64| median(&pairs.iter().map(value).collect::<Vec<_>>());
    let part = |index: usize| {
        let ns_per_page =
            median(&pairs.iter().map(|pair| pair.parts[index].1).collect::<Vec<_>>())?;
        Some(FloorPart { name: pairs[0].parts[index].0.to_owned(), ns_per_page })
    };
    let logs: Vec<f64> = pairs.iter().map(|pair| (pair.measured_ns / pair.floor_ns).ln()).collect();
    let interval = interval(&logs);
    Some(SourceFloor {
        arm: arm.to_owned(),
        floor_ns: middle(|pair| pair.floor_ns)?,
        measured_ns: middle(|pair| pair.measured_ns)?,
        ratio: median(&logs)?.exp(),
        low: interval.map(|i| i.low.exp()),
        high: interval.map(|i| i.high.exp()),
        confidence: 1.0 - ALPHA,
        blocks: pairs.len() as u64,
        parts: (0..4).filter_map(part).filter(|part| part.ns_per_page > 0.0).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::Floor;

    fn floor(ns: u64) -> Floor {
        Floor { time_ns: ns * 10, units: 10, ..Floor::default() }
    }

    fn floors() -> FloorSample {
        FloorSample {
            write_fault: floor(1300),
            write_after_fault: floor(30),
            populate: floor(900),
            write_after_pass: floor(300),
            huge_fault: floor(450),
            write_after_huge_fault: floor(80),
            ..FloorSample::default()
        }
    }

    /// A sample of 1024 pages that takes `ns` for each.
    fn sample(obtain: u64, touch: u64, huge_mib: u64, ns: u64) -> Sample {
        Sample {
            obtain_minor_faults: obtain,
            first_touch_minor_faults: touch,
            huge_bytes: Some(huge_mib << 20),
            total_ns: ns * 1024,
            ..Sample::default()
        }
    }

    fn floor_of(floors: &FloorSample, sample: &Sample) -> Option<f64> {
        pair(floors, sample, 1024.0).map(|pair| pair.floor_ns)
    }

    #[test]
    fn faults_choose_the_floor() {
        let near = |sample: Sample, expect: f64| {
            let found = floor_of(&floors(), &sample).unwrap();
            assert!((found - expect).abs() < 1e-9, "{found} is not {expect}");
        };
        near(sample(0, 1024, 0, 1500), 1330.0);
        near(sample(1024, 0, 0, 1500), 1200.0);
        near(sample(0, 2, 4, 1500), 530.0);
        near(
            sample(0, 512, 2, 1500),
            0.5 * 1330.0 + 0.5 * 530.0 - 1330.0 / 1024.0 + 530.0 / 1024.0,
        );
        // Folios of 64 KiB: one fault for 16 pages; the other 15 were at least cleared.
        near(sample(0, 64, 0, 1500), 1330.0 / 16.0 + 530.0 * 15.0 / 16.0);
        // More pages than the bytes fill: each fault costs, but no byte is written twice.
        near(sample(0, 2048, 0, 1500), 2.0 * 1300.0 + 30.0);
    }

    #[test]
    fn an_invalid_floor_counts_only_where_it_matters() {
        let mut floors = floors();
        floors.huge_fault.invalid = Some("no huge pages".to_owned());
        assert!(floor_of(&floors, &sample(0, 1020, 0, 1500)).is_some(), "four pages of 1024");
        assert_eq!(floor_of(&floors, &sample(0, 2, 4, 1500)), None);
    }

    #[test]
    fn a_source_is_a_multiple_of_its_floor() {
        let (floors, sample) = (floors(), sample(0, 1024, 0, 2660));
        let pairs: Vec<Pair> = (0..6).map(|_| pair(&floors, &sample, 1024.0).unwrap()).collect();
        let source = compared_with_floor("mmap", &pairs).unwrap();
        assert!((source.ratio - 2.0).abs() < 1e-9 && source.blocks == 6);
        assert_eq!((source.floor_ns, source.measured_ns), (1330.0, 2660.0));
        let parts: Vec<&str> = source.parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(parts, ["write fault", "write"]);
        assert!(source.low.is_some());
        assert!(compared_with_floor("mmap", &pairs[..5]).unwrap().low.is_none());
        assert!(compared_with_floor("mmap", &[]).is_none());
    }
}
