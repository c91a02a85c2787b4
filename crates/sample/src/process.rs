//! The inside of a measured child: one process, one batch, its timed phases.
//!
//! Nothing is allocated and nothing printed between the phases, since what the allocator did for us would show in what
//! it does for the measurement. Files of `/proc` are read into a buffer on the stack.

use std::hint::black_box;
use std::time::Instant;

use sys::Errno;
use sys::allocator::{Growth, HeapBlock, malloc_origin};
use sys::filemap::{Hint, Sharing};
use sys::mapping::{HUGE_PAGE_BYTES, Mapping, Policy};
use sys::proc::{resident_now, run_delay};
use sys::program_break::BreakBlock;
use sys::reopen::Route;
use sys::usage::Usage;

use crate::access_pattern::Between;
use crate::block::{Block, OneMapping};
use crate::file_block::{Call, FileParts, in_memory};
use crate::file_source::FileSource;
use crate::floors;
use crate::fork::fork_and_touch;
use crate::measurement::{Measurement, PhaseCost, Phases, nanoseconds};
use crate::observer::Observer;
use crate::protocol::{Answer, Job, Task};
use crate::small;
use crate::source::Source;
use crate::threads;
use crate::touching::Toucher;

/// What the hidden child verb does: reads the task, runs it, prints the answer. Returns the exit status.
///
/// # Panics
/// Never: an answer can always be written as JSON. (A closed standard output means that the parent is gone.)
#[must_use]
pub fn child_main(task: Option<&str>) -> i32 {
    let Some(task) = task.and_then(|text| serde_json::from_str::<Task>(text).ok()) else {
        eprintln!("this verb is for firsttouch itself");
        return 2;
    };
    sys::process::die_with_parent(task.parent());
    sys::process::prefer_to_be_killed();
    let answer = answer(&task);
    println!("{}", serde_json::to_string(&answer).expect("an answer is plain data"));
    0
}

/// Runs `task` and returns what to tell the parent.
#[must_use]
pub fn answer(task: &Task) -> Answer {
    if matches!(task, Task::Measure(_) | Task::Floors { .. }) {
        sys::image::bring_in_code();
    }
    match task {
        Task::Measure(job) => measured(job),
        Task::Allocator { .. } => Answer::Allocator(malloc_origin()),
        Task::Warm { bytes, .. } => {
            warm(*bytes);
            Answer::Warmed
        }
        Task::Floors { group, bytes, block_bytes, .. } => Answer::Floors(floors::measure(*group, *bytes, *block_bytes)),
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
    if job.handling.between == Between::Trim && !sys::allocator::trims() {
        let library = malloc_origin().unwrap_or_else(|| "this process's allocator".to_owned());
        return Answer::Failed { reason: format!("between = \"trim\": {library} has no malloc_trim(3) of its own") };
    }
    if let Some(earlier) = job.before {
        // The same batch by other means, measured in just the same way, and forgotten.
        let first = Job { source: earlier.source, fill: earlier.fill, observe: false, ..job.clone() };
        if let Err(error) = measure_source(&first) {
            return Answer::Failed { reason: format!("{}, before it: {error}", first.source.name()) };
        }
    }
    match measure_source(job) {
        Ok(measurement) => {
            // Looked up behind the phases: dladdr(3) may allocate.
            let allocator = job.source.is_of_the_heap().then(malloc_origin).flatten();
            Answer::Measured(Box::new(Measurement { allocator, ..measurement }))
        }
        Err(error) => Answer::Failed { reason: format!("{}: {error}", job.source.name()) },
    }
}

fn measure_source(job: &Job) -> Result<Measurement, String> {
    let mapped = |policy| move |len| Mapping::new(len, policy);
    let fill = job.fill;
    match job.source {
        Source::Mmap if job.one_mapping => {
            let parts = OneMapping::new(job.operations);
            measure(job, |len| parts.take(len))
        }
        Source::Mmap => measure(job, mapped(Policy::Plain)),
        Source::MmapPopulate => measure(job, mapped(Policy::Populate)),
        Source::MmapHugePage | Source::MmapMidPages(_) => measure(job, mapped(Policy::HugePage)),
        Source::MmapShared => measure(job, mapped(Policy::Shared)),
        Source::MmapPopulateWrite => measure(job, mapped(Policy::PopulateWrite)),
        Source::MmapNoHugePage => measure(job, mapped(Policy::NoHugePage)),
        Source::MmapCollapse => measure(job, mapped(Policy::Collapse)),
        Source::MmapHugetlb2M => measure(job, mapped(Policy::Hugetlb2M)),
        Source::MmapHugetlb1G => measure(job, mapped(Policy::Hugetlb1G)),
        Source::Malloc => measure(job, HeapBlock::malloc),
        Source::Calloc => measure(job, HeapBlock::calloc),
        Source::AlignedAlloc => measure(job, |len| HeapBlock::aligned(alignment(len), len)),
        Source::Realloc => measure(job, |len| HeapBlock::grown(len, fill, Growth::Doubling)),
        Source::ReallocSteps => measure(job, |len| HeapBlock::grown(len, fill, Growth::Steps(GROWTH_STEP_BYTES))),
        Source::Mremap => measure(job, |len| Mapping::grown(len, fill)),
        Source::Brk => measure(job, BreakBlock::new),
        Source::Small(workload) => small::measure_job(job, workload),
        Source::File(FileSource::Memfd) => measure(job, in_memory),
        Source::File(source) => {
            let parts = FileParts::new(job.file.ok_or("its parent made no file for it")?);
            measure_file(job, source, &parts)
        }
    }
}

fn measure_file(job: &Job, source: FileSource, parts: &FileParts) -> Result<Measurement, String> {
    let mapped = |hint| move |len| parts.map(len, Sharing::Shared, hint);
    let copied = |call, route| move |len| parts.copied(len, call, route);
    match source {
        FileSource::Memfd | FileSource::Tmpfs | FileSource::Shared | FileSource::Pieces => {
            measure(job, mapped(Hint::None))
        }
        FileSource::Private => measure(job, |len| parts.map(len, Sharing::Private, Hint::None)),
        FileSource::Populate => measure(job, mapped(Hint::Populate)),
        FileSource::Sequential => measure(job, mapped(Hint::Sequential)),
        FileSource::Random => measure(job, mapped(Hint::Random)),
        FileSource::WillNeed => measure(job, mapped(Hint::WillNeed)),
        FileSource::Read => measure(job, copied(Call::Read, Route::Cached)),
        FileSource::Pread => measure(job, copied(Call::Pread, Route::Cached)),
        FileSource::Direct => measure(job, copied(Call::Pread, Route::Direct)),
    }
}

/// Of the source that grows by equal steps.
const GROWTH_STEP_BYTES: usize = 1 << 20;

/// 2 MiB, or the power of two at or below a smaller size; no less than malloc's own.
fn alignment(len: usize) -> usize {
    let power = (len + 1).next_power_of_two() / 2;
    power.clamp(16, HUGE_PAGE_BYTES)
}

/// The four phases over a batch, and what happens between, by one thread or several.
fn measure<B: Block>(job: &Job, obtain: impl Fn(usize) -> Result<B, Errno> + Sync) -> Result<Measurement, String> {
    if let Some(reason) = job.handling.unfit(job.source) {
        return Err(reason);
    }
    let observer = |job: &Job| job.observe.then(Observer::begin);
    if job.threads > 1 { threads::measure(job, obtain, observer) } else { alone(job, obtain, observer) }
}

/// Monomorphic, so that a phase is a loop over direct calls.
fn alone<B: Block>(
    job: &Job,
    obtain: impl Fn(usize) -> Result<B, Errno>,
    observer: impl FnOnce(&Job) -> Option<Observer>,
) -> Result<Measurement, String> {
    let words = |errno: Errno| errno.to_string();
    // Written once here, so that no page of the lists themselves is touched first inside a phase.
    let sizes = sizes(job).map_err(words)?;
    let mut blocks: Vec<Option<B>> = sizes.iter().map(|_| None).collect();
    let toucher = Toucher::new(job);
    let mut stopwatch = toucher.stopwatch(&sizes);
    B::prepare();
    rehearse();

    let observer = observer(job);
    let huge_before = resident_now().map(|r| r.huge_bytes);
    let (usage, delay) = (Usage::of_this_thread(), run_delay());
    let mut phases = Phases::default();

    let mut outcome = Ok(());
    phases.obtain = phase(|| outcome = fill_up(&mut blocks, &sizes, &obtain));
    outcome.map_err(words)?;
    let observer = observer.map(Observer::after_obtain);
    if !job.source.writes_while_obtaining() {
        phases.first_touch = match &mut stopwatch {
            Some(watch) => phase(|| toucher.first_timed(&mut blocks, watch)),
            None => phase(|| toucher.first(&mut blocks)),
        };
    }
    // Here and not before the release: it walks the page tables, and right after it releasing took a sixth less.
    let resident = resident_now();
    let huge_eligible_bytes = eligible_of(&blocks, &sizes);
    if job.handling.between.forks() {
        fork_and_touch(&mut blocks, &toucher, job.handling, &mut phases).map_err(|error| error.to_string())?;
    } else {
        if job.handling.between != Between::Nothing {
            phases.between = phase(|| outcome = between(&mut blocks, &sizes, job.handling.between, &obtain));
            outcome.map_err(words)?;
        }
        if job.handling.passes > 1 {
            phases.second_touch = phase(|| toucher.again(&mut blocks));
        }
    }
    failed(&blocks).map_err(words)?;
    phases.release = phase(|| release(&mut blocks));

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
        timings: stopwatch.map(|watch| watch.timings()),
        ..Measurement::default()
    })
}

/// Sizes of the blocks of `job`.
pub(crate) fn sizes(job: &Job) -> Result<Vec<usize>, Errno> {
    job.sizes().map(|size| usize::try_from(size).map_err(|_| Errno::NO_MEMORY)).collect()
}

/// The first phase: obtains every block.
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

/// The last phase: releases every block.
#[inline]
pub(crate) fn release<B: Block>(blocks: &mut [Option<B>]) {
    for block in blocks {
        drop(block.take());
    }
}

/// What a touch could not do.
pub(crate) fn failed<B: Block>(blocks: &[Option<B>]) -> Result<(), Errno> {
    blocks.iter().flatten().find_map(Block::failure).map_or(Ok(()), Err)
}

/// What happens between the touches.
#[inline]
pub(crate) fn between<B: Block>(
    blocks: &mut [Option<B>],
    sizes: &[usize],
    what: Between,
    obtain: impl Fn(usize) -> Result<B, Errno>,
) -> Result<(), Errno> {
    match what {
        Between::Nothing => Ok(()),
        // By `fork_and_touch`, in processes of one thread.
        Between::Fork | Between::Vfork | Between::ForkParent | Between::ForkChild => Err(Errno::NOT_SUPPORTED),
        Between::DontNeed => blocks.iter_mut().flatten().try_for_each(|block| block.give_back(false)),
        Between::Free => blocks.iter_mut().flatten().try_for_each(|block| block.give_back(true)),
        Between::Anew => {
            release(blocks);
            fill_up(blocks, sizes, obtain)
        }
        Between::Trim => {
            release(blocks);
            sys::allocator::trim();
            fill_up(blocks, sizes, obtain)
        }
    }
}

/// Bytes of the batch in whole aligned huge page ranges.
pub(crate) fn eligible_of<B: Block>(blocks: &[Option<B>], sizes: &[usize]) -> u64 {
    let held = blocks.iter().zip(sizes).filter_map(|(block, &size)| Some((block.as_ref()?, size)));
    held.map(|(block, size)| eligible_bytes(block.address(), size)).sum()
}

/// Runs what the phases run once: all code is there (`sys::image::bring_in_code`), but not yet in any cache.
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
    let used = Usage::of_this_thread().since(&before);
    PhaseCost { time_ns: nanoseconds(elapsed), minor_faults: used.minor_faults, major_faults: used.major_faults }
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
