//! The inside of a measured child: one process, one batch, four timed phases.
//!
//! Nothing is allocated and nothing printed between the phases, since what the allocator did for us would show in what
//! it does for the measurement. Files of `/proc` are read into a buffer on the stack.

use std::hint::black_box;
use std::time::Instant;

use sys::Errno;
use sys::allocator::{self, HeapBlock};
use sys::mapping::{HUGE_PAGE_BYTES, Mapping, Policy};
use sys::perf::FaultCounter;
use sys::proc::{address_space_bytes, resident_now, run_delay};
use sys::usage::Usage;

use crate::floors;
use crate::protocol::{Answer, Job, Measurement, Observation, PhaseCost, Task};
use crate::quantity::nanoseconds;
use crate::source::Source;

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
    let outcome = match job.source {
        Source::Mmap => measure(job, |len| Mapping::new(len, Policy::Plain)),
        Source::MmapPopulate => measure(job, |len| Mapping::new(len, Policy::Populate)),
        Source::MmapHugePage => measure(job, |len| Mapping::new(len, Policy::HugePage)),
        Source::Malloc => measure(job, HeapBlock::malloc),
        Source::Calloc => measure(job, HeapBlock::calloc),
    };
    match outcome {
        Ok(measurement) => Answer::Measured(Box::new(measurement)),
        Err(errno) => Answer::Failed { reason: format!("{}: {errno}", job.source.name()) },
    }
}

/// A block of memory from any source; dropping it releases it.
trait Block {
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

/// The four phases over a batch. Monomorphic, so that a phase is a loop over direct calls.
fn measure<B: Block>(job: &Job, obtain: impl Fn(usize) -> Result<B, Errno>) -> Result<Measurement, Errno> {
    let size = usize::try_from(job.size_bytes).map_err(|_| Errno::NO_MEMORY)?;
    // Written once here, so that no page of the list itself is touched first inside a phase.
    let mut blocks: Vec<Option<B>> = (0..job.operations).map(|_| None).collect();
    rehearse();

    let observer = job.observe.then(|| Observer::begin(job.source));
    let huge_before = resident_now().map(|r| r.huge_bytes);
    let (usage, delay) = (Usage::of_this_thread(), run_delay());
    let mut failure = None;
    let mut phases = [PhaseCost::default(); 4];

    phases[0] = phase(|| {
        for block in &mut blocks {
            match obtain(size) {
                Ok(obtained) => *block = Some(obtained),
                Err(errno) => {
                    failure = Some(errno);
                    break;
                }
            }
        }
    });
    if let Some(errno) = failure {
        return Err(errno);
    }
    let observer = observer.map(Observer::after_obtain);
    for touch in &mut phases[1..=2] {
        *touch = phase(|| {
            for block in blocks.iter_mut().flatten() {
                block.fill(job.fill);
            }
        });
    }
    let resident = resident_now();
    let huge_eligible_bytes = blocks.iter().flatten().map(|block| eligible_bytes(block.address(), size)).sum();
    phases[3] = phase(|| {
        for block in &mut blocks {
            drop(block.take());
        }
    });

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

/// Watches an untimed run: counting traps would add work to the fault path of a timed one.
struct Observer {
    counter: Result<FaultCounter, Errno>,
    allocator: Option<String>,
    break_before: Option<usize>,
    space_before: Option<u64>,
    resident_before: Option<u64>,
    break_growth_bytes: u64,
    mapped_growth_bytes: u64,
    resident_growth_bytes: Option<u64>,
}

impl Observer {
    fn begin(source: Source) -> Self {
        let from_heap = matches!(source, Source::Malloc | Source::Calloc);
        let observer = Observer {
            counter: FaultCounter::new(),
            allocator: from_heap.then(allocator::malloc_origin).flatten(),
            break_before: allocator::program_break(),
            space_before: address_space_bytes(),
            resident_before: resident_now().map(|r| r.rss_bytes),
            break_growth_bytes: 0,
            mapped_growth_bytes: 0,
            resident_growth_bytes: None,
        };
        if let Ok(counter) = &observer.counter {
            counter.start();
        }
        observer
    }

    fn after_obtain(mut self) -> Self {
        let resident = resident_now().map(|r| r.rss_bytes);
        self.resident_growth_bytes = resident.zip(self.resident_before).map(|(now, then)| now.saturating_sub(then));
        let growth = allocator::program_break().zip(self.break_before).map(|(now, then)| now.saturating_sub(then));
        self.break_growth_bytes = growth.unwrap_or(0) as u64;
        let space = address_space_bytes().zip(self.space_before).map(|(now, then)| now.saturating_sub(then));
        self.mapped_growth_bytes = space.unwrap_or(0).saturating_sub(self.break_growth_bytes);
        self
    }

    fn end(self) -> Observation {
        Observation {
            traps: self.counter.and_then(FaultCounter::stop).map_err(|errno| errno.to_string()),
            allocator: self.allocator,
            break_growth_bytes: self.break_growth_bytes,
            mapped_growth_bytes: self.mapped_growth_bytes,
            resident_after_obtain_bytes: self.resident_growth_bytes,
        }
    }
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
