//! A mapped file: the pages that a touch brings in.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use sys::filemap::{FileMapping, Hint, Sharing};
use sys::memory::{Initialised, Memory};
use sys::reopen::{Inherited, Route};
use sys::residency::{cached_bytes, whole_pages};
use sys::scratch::forget as forget_once;
use sys::usage::Usage;

use super::paging::resident;
use super::{failed, page_bytes};
use crate::facts::{FileWindows, ResidentFacts, Touched};

/// The part that is read in order: several readahead windows of any usual size.
const FIRST_BYTES: usize = 4 << 20;
/// The buffer of read(2), as in copying programs.
const CHUNK_BYTES: usize = 64 << 10;
/// Time for the disk to finish reads under way.
const SETTLING: Duration = Duration::from_millis(10);

/// Windows of readahead and fault-around.
pub(super) fn windows(file: i32, bytes: usize) -> Result<FileWindows, String> {
    let file = open(file)?;
    let page = page_bytes();
    let middle = bytes / 2 / page * page;
    let first = FIRST_BYTES.min(bytes);

    forget(&file, bytes)?;
    let map = map_with(&file, bytes, Hint::None)?;
    let forgotten = look(&map, bytes)?;
    let untouched = look(&map, bytes)?;
    let one = touched(&map, bytes, [middle].into_iter())?;
    drop(map);

    forget(&file, bytes)?;
    let map = map_with(&file, bytes, Hint::None)?;
    let in_order = touched(&map, bytes, (0..first).step_by(page))?;
    drop(map);

    forget(&file, bytes)?;
    let map = map_with(&file, bytes, Hint::Random)?;
    let unordered = touched(&map, bytes, [middle].into_iter())?;
    drop(map);

    read_all(&file, bytes)?;
    let map = map_with(&file, bytes, Hint::None)?;
    let warm = touched(&map, bytes, [middle].into_iter())?;
    Ok(FileWindows {
        pages: bytes.div_ceil(page) as u64,
        forgotten,
        untouched,
        one,
        first_pages: first.div_ceil(page) as u64,
        first: in_order,
        unordered,
        warm,
    })
}

/// Opens the file of the parent.
fn open(number: i32) -> Result<File, String> {
    Inherited::new(number).open(Route::Cached).map(File::from).map_err(failed("the file"))
}

fn map_with(file: &File, bytes: usize, hint: Hint) -> Result<FileMapping, String> {
    FileMapping::new(file, 0, bytes, Sharing::Private, hint).map_err(failed("mmap"))
}

/// Drops the file from the page cache until two checks in a row find no cached page. Pages under
/// readahead are not visible and cannot be dropped, and others wait in a per-processor list. Gives
/// up after a while.
fn forget(file: &File, bytes: usize) -> Result<(), String> {
    let mut empty = 0;
    for _ in 0..20 {
        forget_once(file).map_err(failed("posix_fadvise"))?;
        std::thread::sleep(SETTLING);
        let cached = cached_bytes(file, bytes as u64).map_err(failed("mincore"))?;
        empty = if cached == 0 { empty + 1 } else { 0 };
        if empty == 2 {
            break;
        }
    }
    Ok(())
}

fn look(map: &FileMapping, bytes: usize) -> Result<ResidentFacts, String> {
    let start = map.address();
    resident(whole_pages(start, bytes.next_multiple_of(page_bytes())))
}

fn touched(
    map: &FileMapping,
    bytes: usize,
    offsets: impl Iterator<Item = usize>,
) -> Result<Touched, String> {
    let cached_before = look(map, bytes)?.in_core;
    let before = Usage::of_this_thread();
    for offset in offsets {
        map.read_byte(offset);
    }
    let after = Usage::of_this_thread();
    Ok(Touched {
        cached_before,
        resident: look(map, bytes)?,
        minor_faults: after.minor_faults - before.minor_faults,
        major_faults: after.major_faults - before.major_faults,
    })
}

fn read_all(file: &File, bytes: usize) -> Result<(), String> {
    let mut buffer = vec![0; CHUNK_BYTES];
    for offset in (0..bytes).step_by(CHUNK_BYTES) {
        let len = CHUNK_BYTES.min(bytes - offset);
        file.read_exact_at(&mut buffer[..len], offset as u64).map_err(failed("pread"))?;
    }
    Ok(())
}
