//! Floors of memory that is resident already: storing, clearing by hand, copying, reading a file.
//! None of them faults.

use std::hint::black_box;

use sys::Errno;
use sys::cached_file::CachedFile;
use sys::limits::page_bytes;
use sys::mapping::{OwnMapping, Policy};
use sys::memory::Memory;

use super::{Measured, VALUE, checked, each};
use crate::measured_floors::GroupFloors;
use crate::measurement::PhaseCost;
use crate::phases::phase;

/// Flushing lines from the caches takes longer than clearing them, so no more is flushed than
/// needed.
const COLD_BYTES_MAX: usize = 8 << 20;
/// A usual size of buffers that programs copy and read through; it stays in the second-level cache.
const BUFFER_BYTES: usize = 64 << 10;

/// Passes before the timed one: the share of the memory in the last-level cache grows with each
/// pass, and no further after four.
const PASSES_BEFORE: usize = 4;

/// Writes to memory that was written to before, and clears memory that is in no cache.
pub(super) fn stores(len: usize) -> GroupFloors {
    let [store, store_past_caches] = each(written_again(len)).map(checked);
    let clear_cold = checked(clear_cold(len.min(COLD_BYTES_MAX)));
    GroupFloors::Stores { store, store_past_caches, clear_cold }
}

/// Each kind of store finds the caches as the same kind left them: the string stores find as much
/// of the memory as fits, the others none of it.
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

/// Clears a page at a time, as the kernel does.
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

/// Copies the same bytes into the same buffer: from memory, from an unnamed file on a file system,
/// and from one in memory alone. Each source has half of the memory and was copied equally often
/// before; only one file exists at a time.
pub(super) fn copies(len: usize) -> GroupFloors {
    let page = usize::try_from(page_bytes()).expect("a page");
    let half = (len / 2).next_multiple_of(page);
    let bytes = vec![VALUE; half];
    let mut buffer = vec![0; BUFFER_BYTES];
    let read_memfd =
        checked(CachedFile::in_memory(&bytes).and_then(|file| read(&file, &mut buffer)));
    let unnamed = CachedFile::unnamed_in(&std::env::temp_dir(), &bytes);
    let read = checked(unnamed.and_then(|file| read(&file, &mut buffer)));
    let mut copy = || {
        for piece in bytes.chunks(BUFFER_BYTES) {
            black_box(&mut buffer)[..piece.len()].copy_from_slice(black_box(piece));
        }
    };
    (0..PASSES_BEFORE).for_each(|_| copy());
    let cost = phase(copy);
    GroupFloors::Copies { memcpy: checked(Ok((cost, pages(half), 0))), read, read_memfd }
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
