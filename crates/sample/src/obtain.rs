//! The call that obtains a block of memory from each source.

use sys::allocator::{Growth, HeapBlock};
use sys::filemap::{Hint, Sharing};
use sys::mapping::{HUGE_PAGE_BYTES, OwnMapping, Policy};
use sys::program_break::BreakBlock;
use sys::reopen::Route;

use crate::block::OneMapping;
use crate::file_block::{Call, FileParts, in_memory};
use crate::file_source::FileSource;
use crate::measurement::Measurement;
use crate::process::measure;
use crate::protocol::Job;
use crate::small;
use crate::source::Source;

/// Measures blocks of the source of `job`.
///
/// # Errors
/// The call that failed and its errno, or why the source cannot be used in that way.
pub(crate) fn measure_source(job: &Job) -> Result<Measurement, String> {
    let mapped = |policy| move |len| OwnMapping::new(len, policy);
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
        Source::ReallocSteps => {
            measure(job, |len| HeapBlock::grown(len, fill, Growth::Steps(GROWTH_STEP_BYTES)))
        }
        Source::Mremap => measure(job, |len| OwnMapping::grown(len, fill)),
        Source::Brk => measure(job, BreakBlock::new),
        Source::Small(workload) => small::measure_job(job, workload),
        Source::File(FileSource::Memfd) => measure(job, in_memory),
        Source::File(source) => {
            let parts = FileParts::new(job.file.ok_or("the parent created no file for it")?);
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

/// The step of the source that grows by equal steps.
const GROWTH_STEP_BYTES: usize = 1 << 20;

/// 2 MiB, or for a smaller size the largest power of two that fits; at least malloc's own
/// alignment.
fn alignment(len: usize) -> usize {
    let power = (len + 1).next_power_of_two() / 2;
    power.clamp(16, HUGE_PAGE_BYTES)
}
