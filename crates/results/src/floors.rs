//! Floors, the minimum times of single steps of getting memory on this machine, and arms explained
//! as sums of them.

use serde::{Deserialize, Serialize};

/// One floor, measured once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// Time of all `units` together.
    pub time_ns: u64,
    /// Number of pages, calls or clock readings.
    pub units: u64,
    /// Minor faults during the measurement (`ru_minflt` of the thread).
    pub minor_faults: u64,
    /// Why the time is not valid for this floor: the faults differ from those it assumes, or a call
    /// failed. `null` if it is valid.
    pub invalid: Option<String>,
}

impl Floor {
    /// Whether the run does not have this floor: no measurement and no reason.
    fn is_absent(&self) -> bool {
        *self == Floor::default()
    }

    /// Nanoseconds per unit; `None` if the figure is not valid.
    #[must_use]
    pub fn unit_ns(&self) -> Option<f64> {
        (self.invalid.is_none() && self.units > 0).then(|| self.time_ns as f64 / self.units as f64)
    }
}

/// The floors measured beside the samples of one block of the design. The unit is a base page
/// unless stated otherwise; `docs/method.md` defines what each contains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorSample {
    /// The block of the design.
    pub block: u64,
    /// Memory that each floor of pages was measured on.
    pub size_bytes: u64,
    /// Reading the clock; per reading.
    pub timer: Floor,
    /// getppid(2); per call.
    pub syscall: Floor,
    /// mmap(2) of a block of memory, untouched; per call.
    pub map: Floor,
    /// munmap(2) of the same, untouched; per call.
    pub unmap: Floor,
    /// Reading a byte of each page of a fresh mapping.
    pub read_fault: Floor,
    /// Writing a byte to each page of another fresh mapping.
    pub write_fault: Floor,
    /// Writing all bytes of a page right after its write fault.
    pub write_after_fault: Floor,
    /// Write faults on existing pages that need no clearing, and writing all their bytes in pieces
    /// as long as a block of memory: each fault interrupts a write.
    pub interrupted_write: Floor,
    /// The same, but one byte faults each page in, and then the page is filled: no fault interrupts
    /// a write.
    pub uninterrupted_write: Floor,
    /// Writing all bytes of the mapping after all of its write faults.
    pub write_after_pass: Floor,
    /// Writing all bytes again.
    pub rewrite: Floor,
    /// munmap(2) of written memory.
    pub release: Floor,
    /// mmap(2) with `MAP_POPULATE`.
    pub populate: Floor,
    /// Writing a byte to each 2 MiB page of a mapping with `MADV_HUGEPAGE`; per base page.
    pub huge_fault: Floor,
    /// Writing all bytes of a 2 MiB page right after its fault; per base page.
    pub write_after_huge_fault: Floor,
    /// Writing all bytes of memory that was written before, by `rep stosb`. This floor and those
    /// below are only in runs of `bench floors`.
    #[serde(default, skip_serializing_if = "Floor::is_absent")]
    pub store: Floor,
    /// The same by stores that bypass the caches.
    #[serde(default, skip_serializing_if = "Floor::is_absent")]
    pub store_past_caches: Floor,
    /// Writing zeros, page by page, by `rep stosb` to memory that was flushed from all caches.
    #[serde(default, skip_serializing_if = "Floor::is_absent")]
    pub clear_cold: Floor,
    /// Copying memory piece by piece into one buffer.
    #[serde(default, skip_serializing_if = "Floor::is_absent")]
    pub memcpy: Floor,
    /// read(2) of as many bytes of a file in the page cache, into the same buffer by pieces of the
    /// same length. The file is an unnamed one in the temporary directory.
    #[serde(default, skip_serializing_if = "Floor::is_absent")]
    pub read: Floor,
    /// The same with a file that exists only in memory (`memfd_create`).
    #[serde(default, skip_serializing_if = "Floor::is_absent")]
    pub read_memfd: Floor,
}

/// Floors measured in the same run as the arms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Floors {
    /// One for each block beside which they were measured, dropped blocks included.
    pub samples: Vec<FloorSample>,
    /// Medians over the blocks that count.
    pub summary: FloorSummary,
    /// The floors without a valid sample.
    pub invalid: Vec<InvalidFloor>,
    /// Why measuring the floors ended early, if it failed.
    pub failed: Option<String>,
    /// Every floor, and some sums and differences, with intervals. Like `sources`, only in runs of
    /// `bench floors`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub estimates: Vec<FloorEstimate>,
    /// Every source against its floor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceFloor>,
}

/// The median of a floor over the blocks that count, with its interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FloorEstimate {
    /// Its key in [`FloorSample`], or the name of a sum or difference computed block by block;
    /// `docs/result-format.md` lists them.
    pub floor: String,
    /// Median, per unit as in [`FloorSample`].
    pub ns: f64,
    /// Lower bound; `null` of too few blocks.
    pub low_ns: Option<f64>,
    /// Upper bound.
    pub high_ns: Option<f64>,
    /// Confidence of this interval alone.
    pub confidence: f64,
    /// Blocks that count and have it.
    pub blocks: u64,
    /// Bytes of a page over `ns`; `null` for floors that do not handle every byte.
    pub bytes_per_second: Option<f64>,
}

/// The time of a source against the sum of the floors that its faults require.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceFloor {
    /// The arm.
    pub arm: String,
    /// The parts of the floor, each the median over the blocks below.
    pub parts: Vec<FloorPart>,
    /// The floor, per base page: median over the same blocks.
    pub floor_ns: f64,
    /// Obtaining and first touch, per base page: median over the same blocks.
    pub measured_ns: f64,
    /// `exp(median)` of the logarithms of measured over floor, block by block.
    pub ratio: f64,
    /// Lower bound; `null` of too few blocks.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Confidence of this interval alone.
    pub confidence: f64,
    /// Blocks that count and have both figures.
    pub blocks: u64,
}

/// A floor without a valid figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidFloor {
    /// Its key in [`FloorSample`].
    pub floor: String,
    /// The reason.
    pub reason: String,
}

/// Medians, in nanoseconds per unit as in [`FloorSample`]; `null` if no sample is valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the median of the floor of that name")]
pub struct FloorSummary {
    pub timer_ns: Option<f64>,
    pub syscall_ns: Option<f64>,
    pub map_ns: Option<f64>,
    pub unmap_ns: Option<f64>,
    pub read_fault_ns: Option<f64>,
    pub write_fault_ns: Option<f64>,
    pub write_after_fault_ns: Option<f64>,
    pub interrupted_write_ns: Option<f64>,
    pub uninterrupted_write_ns: Option<f64>,
    pub write_after_pass_ns: Option<f64>,
    pub rewrite_ns: Option<f64>,
    pub release_ns: Option<f64>,
    pub populate_ns: Option<f64>,
    pub huge_fault_ns: Option<f64>,
    pub write_after_huge_fault_ns: Option<f64>,
}

/// An arm as a sum of floors, compared with the measured time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The arm.
    pub arm: String,
    /// The explained figure: `first_touch_ns` or `total_ns` of its samples.
    pub metric: String,
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// The parts, each the median over the blocks below.
    pub parts: Vec<FloorPart>,
    /// Sum of the parts, per base page.
    pub sum_ns: f64,
    /// The measured time, per base page: the median over the same blocks.
    pub measured_ns: f64,
    /// Measured less sum, the median over blocks: negative if the parts exceed the measured time.
    pub unexplained_ns: f64,
    /// `exp(median)` of the logarithms of sum over measured, block by block.
    pub ratio: f64,
    /// Lower bound; `null` of too few blocks.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Confidence of this interval alone, not of all explanations together.
    pub confidence: f64,
    /// Blocks that count and have floors beside them.
    pub blocks: u64,
    /// Whether the parts add up to what was measured; `null` if the data do not decide.
    pub adds_up: Option<bool>,
    /// The measured time as a share of the first touch of the first explained lazy arm: median over
    /// the same blocks. `null` for lazy arms.
    pub reaches: Option<f64>,
}

/// A part of a sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FloorPart {
    /// Its name.
    pub name: String,
    /// Per base page of the arm's memory.
    pub ns_per_page: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_floor_has_no_figure() {
        let floor = Floor { time_ns: 1000, units: 4, minor_faults: 4, invalid: None };
        assert_eq!(floor.unit_ns(), Some(250.0));
        assert_eq!(Floor { units: 0, ..floor.clone() }.unit_ns(), None);
        assert_eq!(
            Floor { invalid: Some("1 fault for 4 pages".to_owned()), ..floor }.unit_ns(),
            None
        );
    }
}
