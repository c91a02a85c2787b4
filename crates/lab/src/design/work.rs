//! The work of one sample.

use sample::access_pattern::AccessPattern;
use sample::protocol::Earlier;
use sample::small;
use sample::source::Source;

use crate::design::Point;
use crate::design::capacity::{self, HEADROOM_BYTES};
use crate::design::machine_limits::MachineLimits;
use crate::question::arm::ArmSpec;
use crate::question::defaults::Defaults;
use crate::question::memory::MemoryState;
use crate::question::preload::Environment;

/// The memory that the warm-up touches, as a multiple of that of a sample (docs/method.md,
/// hygiene).
const WARM_UP: f64 = 1.2;

/// The work of one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The source of the memory.
    pub source: Source,
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// Blocks of memory in a sample, over all threads.
    pub operations: u64,
    /// The byte that both touches write.
    pub fill: u8,
    /// Threads that share the work.
    pub threads: u64,
    /// Bytes in addition to the batch, for the injected arm.
    pub extra_bytes: u64,
    /// How the memory is used.
    pub pattern: AccessPattern,
    /// Whether the threads also share one mapping.
    pub one_mapping: bool,
    /// The environment of the child.
    pub environment: Environment,
    /// The work that the same process did, and released, before.
    pub before: Option<Earlier>,
    /// The state of free memory to measure in.
    pub memory: MemoryState,
    /// The bytes that the warm-up touches.
    pub warm_bytes: u64,
}

impl MachineLimits {
    /// The work of a sample of `spec` at `point`, with `base` and `defaults` for what it does not
    /// set itself.
    pub(crate) fn work_of(
        &self,
        spec: &ArmSpec,
        base: Source,
        point: Point,
        defaults: Defaults,
    ) -> Work {
        let mut pattern = spec.overrides.over(defaults.pattern);
        pattern.passes = point.passes.unwrap_or(pattern.passes);
        let work = Work {
            pattern,
            one_mapping: spec.one_mapping,
            environment: spec.environment.clone(),
            ..self.work(spec.source.unwrap_or(base), point, spec.fill.unwrap_or(defaults.fill))
        };
        Work { extra_bytes: self.extra_bytes(&work, spec.extra), ..work }
    }

    /// The work of a sample of `source` at `point`.
    pub(crate) fn work(&self, source: Source, point: Point, fill: u8) -> Work {
        let batch = if source.counts_pairs() {
            small::pairs_for(point.size_bytes)
        } else {
            operations_for(point.size_bytes, self.page_bytes)
        };
        let operations = batch.div_ceil(point.threads) * point.threads;
        let mut work = Work {
            source,
            size_bytes: point.size_bytes,
            operations,
            fill,
            threads: point.threads,
            extra_bytes: 0,
            pattern: AccessPattern::default(),
            one_mapping: false,
            environment: Environment::default(),
            before: None,
            memory: self.memory,
            warm_bytes: 0,
        };
        work.warm_bytes = self.warm_bytes(&work);
        work
    }

    /// The memory that a sample needs, including page tables and headroom for the kernel.
    #[must_use]
    pub fn needed_bytes(&self, work: &Work) -> u64 {
        if let Source::Small(workload) = work.source {
            // Twice: for an allocator's metadata, and for memory that it keeps.
            let live = workload.live_bytes(work.size_bytes, work.threads).saturating_mul(2);
            return capacity::needed_bytes(live, 1, self.page_bytes);
        }
        capacity::needed_bytes(work.size_bytes, work.operations, self.page_bytes)
            .saturating_add(work.extra_bytes)
    }

    fn warm_bytes(&self, work: &Work) -> u64 {
        if self.memory == MemoryState::Cold {
            return 0;
        }
        let wanted = (self.needed_bytes(work) as f64 - HEADROOM_BYTES as f64) * WARM_UP
            + HEADROOM_BYTES as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a size, rounded"
        )]
        let wanted = wanted as u64;
        wanted.min(self.left_bytes / 10 * 9)
    }

    /// `share` of the work of `work`, in whole pages, or in whole blocks if these are smaller.
    fn extra_bytes(&self, work: &Work, share: f64) -> u64 {
        let unit = self.page_bytes.min(work.size_bytes);
        let units = (work.size_bytes as f64 / unit as f64 * work.operations as f64 * share).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of pages, rounded"
        )]
        let units = units as u64;
        units * unit
    }
}

/// The number of blocks of memory in a sample: enough for about 32 MiB, so that phases take much
/// longer than reading the clock, and at most 8,192, well below the kernel's limit of mappings
/// (65,530).
#[must_use]
pub fn operations_for(size_bytes: u64, page_bytes: u64) -> u64 {
    const GOAL_BYTES: u64 = 32 << 20;
    const MOST: u64 = 8192;
    (GOAL_BYTES / size_bytes.max(page_bytes)).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_blocks_come_in_batches() {
        for (size, operations) in
            [(1, 8192), (4096, 8192), (65_536, 512), (8 << 20, 4), (100 << 20, 1), (2 << 30, 1)]
        {
            assert_eq!(operations_for(size, 4096), operations, "{size}");
        }
        assert_eq!(operations_for(1, 65_536), 512, "a page of 64 KiB");
    }
}
