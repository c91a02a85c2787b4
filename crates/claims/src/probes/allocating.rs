//! Where malloc gets its memory, observed inside the process.

use sys::Errno;
use sys::allocator::{HeapBlock, fix_mmap_threshold};
use sys::memory::Memory;
use sys::proc::address_space_bytes;
use sys::residency::mark;

use super::{break_now, failed, in_break};
use crate::facts::{BreakStep, CallFacts, Served};

/// Blocks that use up leftovers: the maximum number, and their sizes.
const LEFTOVERS_MAX: usize = 512;
const LEFTOVER_BYTES: (i64, i64) = (1 << 10, 64 << 10);
/// More than this is not a leftover: the allocator requests memory in such amounts.
const LEFT_OVER_MAX: i64 = 4 << 20;
/// A remainder too small to serve an observed block.
const REMAINDER_BYTES: i64 = 4096;
/// Small and large blocks of [`call`]: below and above any allocator's threshold.
const SMALL: (usize, usize) = (32, 64 << 10);
const LARGE_BYTES: usize = 8 << 20;

/// Break and address space at one moment.
struct Reading {
    at_break: i64,
    space_bytes: Option<i64>,
}

impl Reading {
    fn now() -> Self {
        let space_bytes = address_space_bytes().and_then(|bytes| i64::try_from(bytes).ok());
        Reading { at_break: break_now(), space_bytes }
    }

    /// Movement of the break, and change of the rest of the address space, since `earlier`.
    fn since(&self, earlier: &Reading) -> (i64, Option<i64>) {
        let moved = self.at_break - earlier.at_break;
        let space = self.space_bytes.zip(earlier.space_bytes).map(|(now, then)| now - then - moved);
        (moved, space)
    }
}

/// Allocates `bytes` once and measures the call.
pub(super) fn serve(
    bytes: usize,
    freed_first: Option<usize>,
    pinned: Option<i32>,
) -> Result<Served, String> {
    if let Some(threshold) = pinned
        && !fix_mmap_threshold(threshold)
    {
        return Err("mallopt refused M_MMAP_THRESHOLD".to_owned());
    }
    let malloc = |bytes| HeapBlock::malloc(bytes).map_err(failed("malloc"));
    let _leftovers = use_up_leftovers().map_err(failed("malloc"))?;
    if let Some(bytes) = freed_first {
        drop(malloc(bytes)?);
    }
    let before = Reading::now();
    let block = malloc(bytes)?;
    let (moved, space) = Reading::now().since(&before);
    Ok(Served {
        bytes,
        break_growth_bytes: moved.max(0).cast_unsigned(),
        mapped_growth_bytes: space.map(|space| space.max(0).cast_unsigned()),
        in_break: in_break(block.address()),
        usable_bytes: block.usable_bytes(),
    })
}

/// Allocates small and large blocks and frees them, with a mark in the trace before each step and
/// at the end. Marks and readings allocate nothing, so every allocation is one of the steps.
pub(super) fn call() -> Result<CallFacts, String> {
    let names = ["malloc small", "malloc large", "free large", "free small"];
    let mut readings: Vec<Reading> = Vec::with_capacity(names.len() + 1);
    let mut small: Vec<HeapBlock> = Vec::with_capacity(SMALL.0);
    let mut large = None;
    let mut outcome: Result<(), Errno> = Ok(());
    readings.push(Reading::now());
    for step in 0..names.len() {
        mark(step + 1);
        match step {
            0 => (0..SMALL.0).for_each(|_| match HeapBlock::malloc(SMALL.1) {
                Ok(block) => small.push(block),
                Err(error) => outcome = Err(error),
            }),
            1 => match HeapBlock::malloc(LARGE_BYTES) {
                Ok(block) => large = Some(block),
                Err(error) => outcome = Err(error),
            },
            2 => drop(large.take()),
            _ => small.clear(),
        }
        mark(names.len() + 1);
        readings.push(Reading::now());
    }
    outcome.map_err(failed("malloc"))?;
    let step = |(pair, name): (&[Reading], &&str)| {
        let (break_bytes, mapped_bytes) = pair[1].since(&pair[0]);
        BreakStep { name: (*name).to_owned(), break_bytes, mapped_bytes }
    };
    Ok(CallFacts { steps: readings.windows(2).zip(&names).map(step).collect() })
}

/// Allocates blocks until almost nothing is left between the last block and the program break.
/// glibc requests 128 KiB more than it needs (`M_TOP_PAD`; 2 MiB with the tunable hugetlb), and
/// serves blocks of any size from that remainder, regardless of the threshold.
fn use_up_leftovers() -> Result<Vec<HeapBlock>, Errno> {
    let mut blocks = Vec::with_capacity(LEFTOVERS_MAX);
    let (smallest, largest) = LEFTOVER_BYTES;
    let mut size = smallest;
    while blocks.len() < LEFTOVERS_MAX {
        let block = HeapBlock::malloc(usize::try_from(size).map_err(|_| Errno::NO_MEMORY)?)?;
        let end = i64::try_from(block.address() + block.usable_bytes()).unwrap_or(i64::MAX);
        blocks.push(block);
        let left = break_now() - end;
        let of_the_break = (0..LEFT_OVER_MAX).contains(&left);
        if (of_the_break && left < REMAINDER_BYTES) || (!of_the_break && blocks.len() >= 16) {
            break;
        }
        size = if of_the_break { (left / 4).clamp(smallest, largest) } else { smallest };
    }
    Ok(blocks)
}

/// `count` blocks of `bytes` each.
pub(super) fn many((count, bytes): (usize, usize)) -> Result<Vec<HeapBlock>, Errno> {
    let mut blocks = Vec::with_capacity(count);
    for _ in 0..count {
        blocks.push(HeapBlock::malloc(bytes)?);
    }
    Ok(blocks)
}
