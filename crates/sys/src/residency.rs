//! Resident pages: mincore(2) and `/proc/self/pagemap`
//! (`Documentation/admin-guide/mm/pagemap.rst`).
//!
//! For anonymous memory both agree. For a mapped file mincore reports what is in the page cache,
//! whichever process read it, and pagemap what this process has in its page tables.
//!
//! Safety story: mincore writes one byte per page into a vector of that length, and changes nothing
//! else.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use crate::Errno;
use crate::filemap::{FileMapping, Hint, Sharing};
use crate::limits::page_bytes;
use crate::memory::Memory;

/// Pages queried at once: the answers fit into one page on the stack.
const PAGES_AT_ONCE: usize = 4096;
/// Entries of pagemap read at once.
const ENTRIES_AT_ONCE: usize = 1024;
/// "Page present" and "page swapped" in an entry of pagemap.
const THERE: u64 = 0b11 << 62;

/// Bytes of the range, in whole pages, that are in memory. For an anonymous mapping these are the
/// pages that were touched; for a file mapping, those in the page cache, mapped or not. Does not
/// use the heap.
///
/// # Errors
/// EINVAL: `address` is not the start of a page. ENOMEM: not all of the range is mapped.
pub fn resident_bytes(address: usize, len: usize) -> Result<u64, Errno> {
    let mut resident = 0;
    ask(address, len, |states| {
        resident += states.iter().filter(|state| **state & 1 == 1).count() as u64;
    })?;
    Ok(resident * page_bytes())
}

/// mincore(2) of the range, part by part: `see` gets one byte for each page. Does not use the heap.
fn ask(address: usize, len: usize, mut see: impl FnMut(&[u8])) -> Result<(), Errno> {
    let page = rustix::param::page_size();
    let mut states = [0_u8; PAGES_AT_ONCE];
    for offset in (0..len).step_by(PAGES_AT_ONCE * page) {
        let part = (len - offset).min(PAGES_AT_ONCE * page);
        let start = std::ptr::without_provenance_mut(address + offset);
        // SAFETY: the kernel checks the range, and writes a byte for each of at most PAGES_AT_ONCE
        // pages.
        if unsafe { libc::mincore(start, part, states.as_mut_ptr()) } != 0 {
            return Err(Errno::last());
        }
        see(&states[..part.div_ceil(page)]);
    }
    Ok(())
}

/// Bytes of the first `len` of a file that are in the page cache, at most `len`. Since Linux 5.2
/// the kernel reports the truth only for files that this user owns or may write to; it reports all
/// pages of other files as cached.
///
/// # Errors
/// The errno of mmap(2) or mincore(2).
pub fn cached_bytes(file: impl AsFd, len: u64) -> Result<u64, Errno> {
    let whole = usize::try_from(len).map_err(|_| Errno::NO_MEMORY)?;
    if whole == 0 {
        return Ok(0);
    }
    let mapping = FileMapping::new(file, 0, whole, Sharing::Shared, Hint::None)?;
    resident_bytes(mapping.address(), whole).map(|bytes| bytes.min(len))
}

/// The pages wholly inside `len` bytes from `address`, as a range of addresses.
#[must_use]
pub fn whole_pages(address: usize, len: usize) -> Range<usize> {
    let page = rustix::param::page_size();
    let start = address.next_multiple_of(page);
    start..((address + len) / page * page).max(start)
}

/// Whether each page is resident (mincore(2)). `pages` starts and ends at a page boundary.
///
/// # Errors
/// ENOMEM: not all of the range is mapped. EINVAL: it does not start at a page boundary.
pub fn in_core(pages: Range<usize>) -> Result<Vec<bool>, Errno> {
    let mut all = Vec::with_capacity(pages.len() / rustix::param::page_size());
    ask(pages.start, pages.len(), |states| all.extend(states.iter().map(|state| state & 1 == 1)))?;
    Ok(all)
}

/// Whether each page is in this process's page tables, or in swap. `pages` starts and ends at a
/// page boundary.
///
/// # Errors
/// As open(2) and read(2) of `/proc/self/pagemap`: the kernel lacks it, or there is no `/proc`.
pub fn mapped(pages: Range<usize>) -> io::Result<Vec<bool>> {
    let page = rustix::param::page_size();
    let file = File::open("/proc/self/pagemap")?;
    let mut all = Vec::with_capacity(pages.len() / page);
    for start in pages.clone().step_by(ENTRIES_AT_ONCE * page) {
        let count = ((pages.end - start) / page).min(ENTRIES_AT_ONCE);
        let mut buffer = [0_u8; 8 * ENTRIES_AT_ONCE];
        file.read_exact_at(&mut buffer[..8 * count], (start / page) as u64 * 8)?;
        let (entries, _) = buffer[..8 * count].as_chunks::<8>();
        all.extend(entries.iter().map(|entry| u64::from_ne_bytes(*entry) & THERE != 0));
    }
    Ok(all)
}

/// A marker in a trace of system calls: mincore(2) of zero bytes, at page `number` of the address
/// space.
pub fn mark(number: usize) {
    let mut nothing = 0_u8;
    // SAFETY: the length is 0, so nothing is written.
    unsafe {
        libc::mincore(
            (number * rustix::param::page_size()) as *mut libc::c_void,
            0,
            &raw mut nothing,
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{OwnMapping, Policy};

    #[test]
    fn touched_pages_are_resident_and_no_others() {
        const PAGES: usize = 3 * PAGES_AT_ONCE + 7;
        let mut mapping = OwnMapping::new(PAGES * 4096, Policy::Plain).unwrap();
        assert_eq!(resident_bytes(mapping.address(), PAGES * 4096), Ok(0));
        if crate::machine::thp().as_deref() == Some("always") {
            skips::skip("with THP always, each touch populates 512 pages");
            return;
        }
        for page in [0, PAGES_AT_ONCE - 1, PAGES_AT_ONCE, PAGES - 1] {
            mapping.touch(page * 4096);
        }
        assert_eq!(resident_bytes(mapping.address(), PAGES * 4096), Ok(4 * 4096));
        assert_eq!(resident_bytes(mapping.address(), 1), Ok(4096));
        assert_eq!(resident_bytes(mapping.address() + 1, 1), Err(Errno(libc::EINVAL)));
    }

    #[test]
    fn unmapped_ranges_are_errors() {
        assert_eq!(resident_bytes(0, 4096), Err(Errno(libc::ENOMEM)));
    }

    #[test]
    fn touched_pages_are_mapped() {
        let page = rustix::param::page_size();
        let len = 5000 * page;
        let mut mapping = OwnMapping::new(len, Policy::Plain).unwrap();
        let pages = whole_pages(mapping.address(), len);
        assert_eq!(pages.len(), len);
        assert!(in_core(pages.clone()).unwrap().iter().all(|there| !there));
        mapping.touch(4500 * page);
        let there = in_core(pages.clone()).unwrap();
        assert!(there[4500] && there.len() == 5000);
        assert_eq!(mapped(pages).unwrap(), there);
    }

    #[test]
    fn whole_pages_are_inside() {
        let page = rustix::param::page_size();
        assert_eq!(whole_pages(page + 16, 3 * page), 2 * page..4 * page);
        assert_eq!(whole_pages(page + 16, 10), 2 * page..2 * page);
        assert_eq!(in_core(0..page).unwrap_err(), Errno(libc::ENOMEM));
    }
}
