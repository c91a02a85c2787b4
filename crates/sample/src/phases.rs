//! The phases of a batch of blocks, and their timing.

use std::hint::black_box;
use std::time::Instant;

use sys::Errno;
use sys::mapping::HUGE_PAGE_BYTES;
use sys::usage::Usage;

use crate::access_pattern::Between;
use crate::block::Block;
use crate::measurement::{PhaseCost, nanoseconds};
use crate::protocol::Job;

/// The sizes of the blocks of `job`.
pub(crate) fn sizes(job: &Job) -> Result<Vec<usize>, Errno> {
    job.sizes().map(|size| usize::try_from(size).map_err(|_| Errno::NO_MEMORY)).collect()
}

/// The first phase: obtains every block.
#[inline]
pub(crate) fn obtain_all<B: Block>(
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

/// The error of a touch that failed.
pub(crate) fn failed<B: Block>(blocks: &[Option<B>]) -> Result<(), Errno> {
    blocks.iter().flatten().find_map(Block::failure).map_or(Ok(()), Err)
}

/// Does what is to happen between the touches.
#[inline]
pub(crate) fn between<B: Block>(
    blocks: &mut [Option<B>],
    sizes: &[usize],
    what: Between,
    obtain: impl Fn(usize) -> Result<B, Errno>,
) -> Result<(), Errno> {
    match what {
        Between::Nothing => Ok(()),
        // Done by `fork_and_touch`, in single-threaded processes.
        Between::Fork | Between::Vfork | Between::ForkParent | Between::ForkChild => {
            Err(Errno::NOT_SUPPORTED)
        }
        Between::DontNeed => {
            blocks.iter_mut().flatten().try_for_each(|block| block.give_back(false))
        }
        Between::Free => blocks.iter_mut().flatten().try_for_each(|block| block.give_back(true)),
        Between::Anew => {
            release(blocks);
            obtain_all(blocks, sizes, obtain)
        }
        Between::Trim => {
            release(blocks);
            sys::allocator::trim();
            obtain_all(blocks, sizes, obtain)
        }
    }
}

/// Bytes of the batch in whole aligned huge page ranges.
pub(crate) fn eligible_of<B: Block>(blocks: &[Option<B>], sizes: &[usize]) -> u64 {
    let held = blocks.iter().zip(sizes).filter_map(|(block, &size)| Some((block.as_ref()?, size)));
    held.map(|(block, size)| eligible_bytes(block.address(), size)).sum()
}

/// Runs the code of the phases once: it is mapped (`sys::image::populate_code`), but not yet in any
/// cache.
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
    PhaseCost {
        time_ns: nanoseconds(elapsed),
        minor_faults: used.minor_faults,
        major_faults: used.major_faults,
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
