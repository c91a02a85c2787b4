//! Which pages are there: mincore(2) and `/proc/self/pagemap` (`Documentation/admin-guide/mm/pagemap.rst`).
//!
//! Of anonymous memory both say the same. Of a mapped file mincore says what is in the page cache, whoever brought it
//! there, and pagemap what this process has in its page tables.
//!
//! Safety story: mincore reads nothing of the range that it is asked about, which may be any, and writes one byte a page to
//! a buffer of that length.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::Errno;

/// Pages asked about at once.
const PAGES_AT_ONCE: usize = 1024;
/// "Page present" and "page swapped" of an entry of pagemap.
const THERE: u64 = 0b11 << 62;

/// The pages that lie wholly inside `len` bytes from `address`, as a range of addresses.
#[must_use]
pub fn whole_pages(address: usize, len: usize) -> Range<usize> {
    let page = rustix::param::page_size();
    let start = address.next_multiple_of(page);
    start..((address + len) / page * page).max(start)
}

/// Page by page, whether it is resident (mincore(2)). `pages` begins and ends at a page.
///
/// # Errors
/// ENOMEM: not all of the range is mapped. EINVAL: it does not begin at a page.
pub fn in_core(pages: Range<usize>) -> Result<Vec<bool>, Errno> {
    let page = rustix::param::page_size();
    let mut all = Vec::with_capacity(pages.len() / page);
    for start in pages.clone().step_by(PAGES_AT_ONCE * page) {
        let len = (pages.end - start).min(PAGES_AT_ONCE * page);
        let mut buffer = [0_u8; PAGES_AT_ONCE];
        // SAFETY: the buffer has a byte for each of the pages asked about.
        if unsafe { libc::mincore(start as *mut libc::c_void, len, buffer.as_mut_ptr().cast()) } != 0 {
            return Err(Errno::last());
        }
        all.extend(buffer[..len.div_ceil(page)].iter().map(|byte| byte & 1 == 1));
    }
    Ok(all)
}

/// Page by page, whether this process has it in its page tables, or in swap. `pages` begins and ends at a page.
///
/// # Errors
/// Of opening or reading `/proc/self/pagemap`: a kernel without it, or no `/proc`.
pub fn mapped(pages: Range<usize>) -> io::Result<Vec<bool>> {
    let page = rustix::param::page_size();
    let file = File::open("/proc/self/pagemap")?;
    let mut all = Vec::with_capacity(pages.len() / page);
    for start in pages.clone().step_by(PAGES_AT_ONCE * page) {
        let count = ((pages.end - start) / page).min(PAGES_AT_ONCE);
        let mut buffer = [0_u8; 8 * PAGES_AT_ONCE];
        file.read_exact_at(&mut buffer[..8 * count], (start / page) as u64 * 8)?;
        let (entries, _) = buffer[..8 * count].as_chunks::<8>();
        all.extend(entries.iter().map(|entry| u64::from_ne_bytes(*entry) & THERE != 0));
    }
    Ok(all)
}

/// A mark in a trace of system calls: mincore(2) of no page at all, at page `number` of the address space.
pub fn mark(number: usize) {
    let mut nothing = 0_u8;
    // SAFETY: no page is asked about, so nothing is written.
    unsafe { libc::mincore((number * rustix::param::page_size()) as *mut libc::c_void, 0, &raw mut nothing) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Mapping, Policy};

    #[test]
    fn pages_are_there_when_touched() {
        let page = rustix::param::page_size();
        let len = 5000 * page;
        let mut mapping = Mapping::new(len, Policy::Plain).unwrap();
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
