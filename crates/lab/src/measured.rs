//! The inside of a measured child: one process, one batch, four timed phases.
//!
//! Nothing is allocated and nothing printed between the phases, since what the allocator did for us would show in what
//! it does for the measurement. Files of `/proc` are read into a buffer on the stack.

use std::hint::black_box;
use std::time::Instant;

use sys::Errno;
use sys::allocator::HeapBlock;
use sys::mapping::{HUGE_PAGE_BYTES, Mapping, Policy};
use sys::proc::{resident_now, run_delay};
use sys::usage::Usage;

use crate::floors;
use crate::observer::Observer;
use crate::protocol::{Answer, Job, Measurement, PhaseCost, Task};
use crate::quantity::nanoseconds;
use crate::source::Source;
use crate::together;

/// Runs `task` and returns what to tell the parent.
#[must_use]
pub fn answer(task: &Task) -> Answer {
    match task {
        Task::Measure(job) => measured(job),
        Task::Warm { bytes, .. } => {
            warm(*bytes);
            Answer::Warmed
        }
        Task::Floors { group, bytes, block_bytes, .. } => {
            Answer::Floors(Box::new(floors::measure(*group, *bytes, *block_bytes)))
        }
    }
}

/// By huge pages, if they can be had: that takes a fifth of the time.
fn warm(bytes: u64) {
    let Ok(len) = usize::try_from(bytes) else { return };
    if let Ok(mut mapping) = Mapping::new(len, Policy::HugePage).or_else(|_| Mapping::new(len, Policy::Plain)) {
        mapping.touch_pages();
    }
}

fn measured(job: &Job) -> Answer {
    if let Some(earlier) = job.before {
        // The same batch by other means, measured in just the same way, and forgotten.
        let first = Job { source: earlier.source, fill: earlier.fill, observe: false, ..job.clone() };
        if let Err(error) = measure_source(&first) {
            return Answer::Failed { reason: format!("{}, before it: {error}", first.source.name()) };
        }
    }
    match measure_source(job) {
        Ok(measurement) => Answer::Measured(Box::new(measurement)),
        Err(error) => Answer::Failed { reason: format!("{}: {error}", job.source.name()) },
    }
}

fn measure_source(job: &Job) -> Result<Measurement, String> {
    match job.source {
        Source::Mmap => measure(job, |len| Mapping::new(len, Policy::Plain)),
        Source::MmapPopulate => measure(job, |len| Mapping::new(len, Policy::Populate)),
        Source::MmapHugePage => measure(job, |len| Mapping::new(len, Policy::HugePage)),
        Source::Malloc => measure(job, HeapBlock::malloc),
        Source::Calloc => measure(job, HeapBlock::calloc),
    }
}

/// A block of memory from any source; dropping it releases it.
pub(crate) trait Block {
    fn fill(&mut self, value: u8);
    fn address(&self) -> usize;
}

impl Block for Mapping {
    fn fill(&mut self, value: u8) {
        Mapping::fill(self, value);
    }
    fn address(&self) -> usize {
        Mapping::address(self)
    }
}

impl Block for HeapBlock {
    fn fill(&mut self, value: u8) {
        HeapBlock::fill(self, value);
    }
    fn address(&self) -> usize {
        HeapBlock::address(self)
    }
}

/// The four phases over a batch, by one thread or several.
fn measure<B: Block>(job: &Job, obtain: impl Fn(usize) -> Result<B, Errno> + Sync) -> Result<Measurement, String> {
    let observer = |job: &Job| job.observe.then(|| Observer::begin(job.source));
    if job.threads > 1 {
        together::measure(job, obtain, observer)
    } else {
        alone(job, obtain, observer).map_err(|errno| errno.to_string())
    }
}

/// Monomorphic, so that a phase is a loop over direct calls.
fn alone<B: Block>(
    job: &Job,
    obtain: impl Fn(usize) -> Result<B, Errno>,
    observer: impl FnOnce(&Job) -> Option<Observer>,
) -> Result<Measurement, Errno> {
    // Written once here, so that no page of the lists themselves is touched first inside a phase.
    let sizes = sizes(job)?;
    let mut blocks: Vec<Option<B>> = sizes.iter().map(|_| None).collect();
    rehearse();

    let observer = observer(job);
    let huge_before = resident_now().map(|r| r.huge_bytes);
    let (usage, delay) = (Usage::of_this_thread(), run_delay());
    let mut phases = [PhaseCost::default(); 4];

    let mut outcome = Ok(());
    phases[0] = phase(|| outcome = fill_up(&mut blocks, &sizes, &obtain));
    outcome?;
    let observer = observer.map(Observer::after_obtain);
    phases[1] = phase(|| write_to(&mut blocks, job.fill));
    // Here and not before the release: it walks the page tables, and right after it releasing took a sixth less.
    let resident = resident_now();
    let huge_eligible_bytes = eligible_of(&blocks, &sizes);
    phases[2] = phase(|| write_to(&mut blocks, job.fill));
    phases[3] = phase(|| release(&mut blocks));

    let observation = observer.map(Observer::end);
    let (usage_after, delay_after) = (Usage::of_this_thread(), run_delay());
    Ok(Measurement {
        phases,
        rss_bytes: resident.map(|r| r.rss_bytes),
        huge_bytes: resident.zip(huge_before).map(|(after, before)| after.huge_bytes.saturating_sub(before)),
        huge_eligible_bytes,
        involuntary_switches: usage_after.involuntary_switches - usage.involuntary_switches,
        run_delay_ns: delay_after.zip(delay).map(|(after, before)| nanoseconds(after.saturating_sub(before))),
        observation,
    })
}

/// Sizes of the blocks of `job`.
pub(crate) fn sizes(job: &Job) -> Result<Vec<usize>, Errno> {
    job.sizes().map(|size| usize::try_from(size).map_err(|_| Errno::NO_MEMORY)).collect()
}

/// Phase 1: obtains every block.
#[inline]
pub(crate) fn fill_up<B: Block>(
    blocks: &mut [Option<B>],
    sizes: &[usize],
    obtain: impl Fn(usize) -> Result<B, Errno>,
) -> Result<(), Errno> {
    for (block, &size) in blocks.iter_mut().zip(sizes) {
        *block = Some(obtain(size)?);
    }
    Ok(())
}

/// Phases 2 and 3: writes to every byte.
#[inline]
pub(crate) fn write_to<B: Block>(blocks: &mut [Option<B>], value: u8) {
    for block in blocks.iter_mut().flatten() {
        block.fill(value);
    }
}

/// Phase 4: releases every block.
#[inline]
pub(crate) fn release<B: Block>(blocks: &mut [Option<B>]) {
    for block in blocks {
        drop(block.take());
    }
}

/// Bytes of the batch in whole aligned huge page ranges.
pub(crate) fn eligible_of<B: Block>(blocks: &[Option<B>], sizes: &[usize]) -> u64 {
    let held = blocks.iter().zip(sizes).filter_map(|(block, &size)| Some((block.as_ref()?, size)));
    held.map(|(block, size)| eligible_bytes(block.address(), size)).sum()
}

/// Brings in the code that the phases run, so that its first page fault is nobody's first touch.
pub(crate) fn rehearse() {
    let mut small = [0_u8; 256];
    black_box(&mut small).fill(black_box(1));
    black_box(phase(|| ()));
}

/// Times `work` and counts its faults. The counters are read outside the timed span.
#[inline]
pub(crate) fn phase(work: impl FnOnce()) -> PhaseCost {
    let before = Usage::of_this_thread();
    let start = Instant::now();
    work();
    let elapsed = start.elapsed();
    let after = Usage::of_this_thread();
    PhaseCost {
        time_ns: nanoseconds(elapsed),
        minor_faults: after.minor_faults - before.minor_faults,
        major_faults: after.major_faults - before.major_faults,
    }
}

/// Bytes of `[address, address + size)` in whole aligned 2 MiB ranges.
pub(crate) fn eligible_bytes(address: usize, size: usize) -> u64 {
    let first = address.next_multiple_of(HUGE_PAGE_BYTES);
    let end = (address + size) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    end.saturating_sub(first) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eligible_ranges_are_whole_and_aligned() {
        const MIB: usize = 1 << 20;
        for (address, size, expect) in [
            (0, 100 * MIB, 100 * MIB),
            (0, 2 * MIB, 2 * MIB),
            (4096, 2 * MIB, 0),
            (4096, 4 * MIB, 2 * MIB),
            (MIB, 8 * MIB, 6 * MIB),
            (4096, 1, 0),
        ] {
            assert_eq!(eligible_bytes(address, size), expect as u64, "{address:#x} + {size:#x}");
        }
    }
}
