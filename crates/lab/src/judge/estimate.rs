//! Every floor with its interval, and meaningful sums and differences of floors. Pure.
//!
//! A sum or a difference is computed within each block, so that its interval does not depend on the
//! intervals of its parts.

use results::{FloorEstimate, FloorSample};
use stats::{Interval, largest_rank, median, sign_interval, sorted};

use crate::judge::floors::{ALPHA, FIELDS};

/// A sum or a difference in one block; `None` if a part of it is invalid.
type Derived = (&'static str, fn(&FloorSample) -> Option<f64>);
const DERIVED: [Derived; 6] = [
    ("map_and_unmap", |s| Some(s.map.unit_ns()? + s.unmap.unit_ns()?)),
    ("allocate_and_clear", |s| Some(s.write_fault.unit_ns()? - s.read_fault.unit_ns()?)),
    ("interruption", |s| Some(s.interrupted_write.unit_ns()? - s.uninterrupted_write.unit_ns()?)),
    ("by_fault", |s| Some(s.write_fault.unit_ns()? + s.write_after_fault.unit_ns()?)),
    ("by_populate", |s| Some(s.populate.unit_ns()? + s.write_after_pass.unit_ns()?)),
    ("by_huge_fault", |s| Some(s.huge_fault.unit_ns()? + s.write_after_huge_fault.unit_ns()?)),
];

/// Floors whose unit is all bytes of a page, so that a rate is meaningful.
const WHOLE_PAGES: [&str; 11] = [
    "write_after_fault",
    "write_after_pass",
    "rewrite",
    "huge_fault",
    "write_after_huge_fault",
    "store",
    "store_past_caches",
    "clear_cold",
    "memcpy",
    "read",
    "read_memfd",
];

/// Estimates from the samples of the blocks that count. Floors without any valid sample are left
/// out.
#[must_use]
pub(crate) fn estimates(samples: &[&FloorSample], page_bytes: u64) -> Vec<FloorEstimate> {
    let estimate = |floor: &str, values: &[f64]| {
        let ns = median(values)?;
        let interval = interval(values);
        let whole = WHOLE_PAGES.contains(&floor) && ns > 0.0;
        Some(FloorEstimate {
            floor: floor.to_owned(),
            ns,
            low_ns: interval.map(|i| i.low),
            high_ns: interval.map(|i| i.high),
            confidence: 1.0 - ALPHA,
            blocks: values.len() as u64,
            bytes_per_second: whole.then(|| page_bytes as f64 / ns * 1e9),
        })
    };
    let measured = FIELDS.iter().filter_map(|(name, floor)| {
        estimate(
            name,
            &samples.iter().filter_map(|sample| floor(sample).unit_ns()).collect::<Vec<_>>(),
        )
    });
    let derived = DERIVED.iter().filter_map(|(name, value)| {
        estimate(name, &samples.iter().filter_map(|sample| value(sample)).collect::<Vec<_>>())
    });
    measured.chain(derived).collect()
}

/// The interval of the median of `values`; `None` if there are too few.
pub(crate) fn interval(values: &[f64]) -> Option<Interval> {
    sign_interval(&sorted(values), largest_rank(values.len(), ALPHA))
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::Floor;

    fn floor(ns: u64) -> Floor {
        Floor { time_ns: ns * 10, units: 10, ..Floor::default() }
    }

    fn sample(block: u64, read: u64, write: u64) -> FloorSample {
        FloorSample {
            block,
            read_fault: floor(read),
            write_fault: floor(write),
            ..FloorSample::default()
        }
    }

    #[test]
    fn a_difference_is_taken_within_each_block() {
        // Both floors vary by a factor of two from block to block; their difference is constant.
        let samples: Vec<FloorSample> =
            (0..8).map(|block| sample(block, 400 + 50 * block, 900 + 50 * block)).collect();
        let estimates = estimates(&samples.iter().collect::<Vec<_>>(), 4096);
        let of = |name: &str| estimates.iter().find(|e| e.floor == name).unwrap();
        let difference = of("allocate_and_clear");
        assert_eq!(
            (difference.ns, difference.low_ns, difference.high_ns),
            (500.0, Some(500.0), Some(500.0))
        );
        assert_eq!(difference.bytes_per_second, None, "allocating has no rate");
        let read = of("read_fault");
        assert_eq!(
            (read.ns, read.low_ns, read.high_ns),
            (575.0, Some(400.0), Some(750.0)),
            "the interval of 8 values is their range"
        );
        assert_eq!((read.blocks, read.bytes_per_second), (8, None));
    }

    #[test]
    fn invalid_floors_have_no_estimate() {
        let mut samples = [sample(0, 400, 900), sample(1, 400, 900)];
        samples[0].read_fault.invalid = Some("the huge zero page".to_owned());
        for sample in &mut samples {
            sample.write_after_fault.invalid = Some("ENOMEM".to_owned());
        }
        let estimates = estimates(&samples.iter().collect::<Vec<_>>(), 4096);
        let blocks = |name: &str| estimates.iter().find(|e| e.floor == name).map(|e| e.blocks);
        assert_eq!(
            (blocks("read_fault"), blocks("write_fault"), blocks("allocate_and_clear")),
            (Some(1), Some(2), Some(1))
        );
        assert_eq!(
            (blocks("write_after_fault"), blocks("by_fault"), blocks("store")),
            (None, None, None)
        );
        assert!(estimates.iter().all(|e| e.low_ns.is_none()), "too few for an interval");
    }
}
