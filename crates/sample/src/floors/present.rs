//! Floors of memory that is there already: storing, clearing by hand, copying, reading a file. None
//! of them faults.

use std::hint::black_box;

use sys::Errno;
use sys::cached_file::CachedFile;
use sys::limits::page_bytes;
use sys::mapping::{OwnMapping, Policy};
use sys::memory::Memory;

use super::{Measured, VALUE, each, judged};
use crate::measured_floors::GroupFloors;
use crate::measurement::PhaseCost;
use crate::phases::phase;

/// Putting lines out of the caches takes longer than clearing them: no more of that than is needed.
const COLD_BYTES_MAX: usize = 8 << 20;
/// Programs copy and read through a buffer of about that size; it stays in the second-level cache.
const BUFFER_BYTES: usize = 64 << 10;

/// Passes before the one that is timed: what a last-level cache holds of memory grows with each,
/// and after four no more.
const PASSES_BEFORE: usize = 4;

/// Writing to memory that was written to before, and clearing what is in no cache.
pub(super) fn stores(len: usize) -> GroupFloors {
    let [store, store_past_caches] = each(written_again(len)).map(judged);
    let clear_cold = judged(clear_cold(len.min(COLD_BYTES_MAX)));
    GroupFloors::Stores { store, store_past_caches, clear_cold }
}

/// Both find what the same kind of store has left: the string in the caches, as far as they hold
/// it; the others nothing.
fn written_again(len: usize) -> Result<[(PhaseCost, u64, u64); 2], Errno> {
    let mut mapping = OwnMapping::new(len, Policy::Plain)?;
    let mut outcome = Ok(());
    for _ in 0..PASSES_BEFORE {
        mapping.store_string(0..len, VALUE)?;
    }
    let string = phase(|| outcome = mapping.store_string(0..len, VALUE));
    outcome?;
    mapping.store_past_caches(VALUE)?;
    let past = phase(|| outcome = mapping.store_past_caches(VALUE));
    outcome?;
    Ok([string, past].map(|cost| (cost, pages(len), 0)))
}

/// As the kernel clears: a page at a time.
fn clear_cold(len: usize) -> Measured {
    let page = usize::try_from(page_bytes()).expect("a page");
    let mut mapping = OwnMapping::new(len, Policy::Plain)?;
    mapping.fill(VALUE);
    mapping.flush_from_caches(len)?;
    let mut outcome = Ok(());
    let cost = phase(|| {
        for start in (0..len).step_by(page) {
            outcome = outcome.and(mapping.store_string(start..start + page, 0));
        }
    });
    outcome.map(|()| (cost, pages(len), 0))
}

/// The same bytes to the same buffer, from memory and from files without a name, of a file system
/// and of memory alone. Each has half of the memory, one file at a time, and has been copied as
/// often before.
pub(super) fn copies(len: usize) -> GroupFloors {
    let page = usize::try_from(page_bytes()).expect("a page");
    let half = (len / 2).next_multiple_of(page);
    let bytes = vec![VALUE; half];
    let mut buffer = vec![0; BUFFER_BYTES];
    let read_memfd =
        judged(CachedFile::in_memory(&bytes).and_then(|file| read(&file, &mut buffer)));
    let unnamed = CachedFile::unnamed_in(&std::env::temp_dir(), &bytes);
    let read = judged(unnamed.and_then(|file| read(&file, &mut buffer)));
    let mut copy = || {
        for piece in bytes.chunks(BUFFER_BYTES) {
            black_box(&mut buffer)[..piece.len()].copy_from_slice(black_box(piece));
        }
    };
    (0..PASSES_BEFORE).for_each(|_| copy());
    let cost = phase(copy);
    GroupFloors::Copies { memcpy: judged(Ok((cost, pages(half), 0))), read, read_memfd }
}

fn read(file: &CachedFile, buffer: &mut [u8]) -> Measured {
    for _ in 0..PASSES_BEFORE {
        file.read_through(buffer)?;
    }
    let mut outcome = Ok(0);
    let cost = phase(|| outcome = file.read_through(buffer));
    outcome.map(|count| (cost, pages(usize::try_from(count).unwrap_or(usize::MAX)), 0))
}

fn pages(len: usize) -> u64 {
    len as u64 / page_bytes()
}
