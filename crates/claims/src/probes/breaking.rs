//! The program break, moved by brk(2) and by malloc and free.

use sys::allocator::{HeapBlock, move_break};
use sys::memory::Memory;

use super::allocating::many;
use super::{break_now, failed, heap, page_bytes};
use crate::facts::BreakMoves;

/// Blocks below every threshold, together far above the trim threshold of glibc (128 KiB,
/// `DEFAULT_TRIM_THRESHOLD`).
const BLOCKS: (usize, usize) = (40, 64 << 10);
/// Small enough to resolve when the break moves down, too large for the lists of small blocks
/// (`tcache`: 1,032 bytes).
const STEPS: (usize, usize) = (256, 2 << 10);
const BY_HAND: isize = 1 << 20;

/// Moves the break and records its movements.
pub(super) fn follow() -> Result<BreakMoves, String> {
    let mut moves = BreakMoves::default();
    let mut follows = Vec::new();

    let start = break_now();
    let mut blocks = many(BLOCKS).map_err(failed("malloc"))?;
    moves.allocated_bytes = (BLOCKS.0 * BLOCKS.1) as u64;
    // Reading /proc here would allocate on top of the last block, and so keep the break up.
    let full = break_now();
    moves.allocating_bytes = full - start;
    // The last block is on top, if the allocator places blocks in the order of allocation.
    let last = blocks.pop();
    blocks.clear();
    let below = break_now();
    moves.freeing_below_bytes = below - full;
    drop(last);
    moves.freeing_last_bytes = break_now() - below;
    follows.extend(heap_ends_at_break());

    let (kept, trimmed) = trim()?;
    (moves.kept_at_bytes, moves.trimmed_at_bytes) = (kept, trimmed);

    // brk(2) comes last, because the C library does not know about this movement.
    let before = break_now();
    let up = move_break(BY_HAND).map_err(failed("brk"))?;
    moves.up_bytes = i64::try_from(up).unwrap_or(i64::MAX) - before;
    follows.extend(heap_ends_at_break());
    let down = move_break(-BY_HAND).map_err(failed("brk"))?;
    moves.down_bytes =
        i64::try_from(down).unwrap_or(i64::MAX) - i64::try_from(up).unwrap_or(i64::MAX);
    follows.extend(heap_ends_at_break());
    moves.heap_follows = (!follows.is_empty()).then(|| follows.into_iter().all(|it| it));
    Ok(moves)
}

/// Whether \[heap\] ends at the page of the break; `None` without `/proc`, or while there is no
/// heap.
fn heap_ends_at_break() -> Option<bool> {
    let at_break = usize::try_from(break_now()).ok()?.next_multiple_of(page_bytes());
    heap().map(|(_, end)| end == at_break)
}

/// Frees blocks from the top down. Returns the free memory at the top one block before the break
/// moved down, and when it did.
fn trim() -> Result<(Option<u64>, Option<u64>), String> {
    let mut blocks: Vec<HeapBlock> = many(STEPS).map_err(failed("malloc"))?;
    let mut kept = None;
    while let Some(block) = blocks.pop() {
        let (address, before) = (block.address(), break_now());
        drop(block);
        // A block begins behind its header (glibc: 16 bytes).
        let free = u64::try_from(before - i64::try_from(address).unwrap_or(i64::MAX) + 16).ok();
        if break_now() < before {
            return Ok((kept, free));
        }
        kept = free;
    }
    Ok((kept, None))
}
