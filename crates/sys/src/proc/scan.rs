//! `PAGEMAP_SCAN` of `/proc/PID/pagemap` (Linux 6.7; Documentation/admin-guide/mm/pagemap.rst of
//! the kernel): the present pages of a range of addresses as ranges, with huge pages told apart.
//! What it reports is what `/proc/PID/smaps` adds up, but in pieces: the kernel holds the lock of
//! the address space for one call, and a call can be kept short.
//!
//! Safety story: the request has a pointer to a structure of ours, which has the address and the
//! length of a vector of ours. The kernel writes to both during the call only, and not beyond the
//! length.
#![allow(unsafe_code)]

use std::os::fd::AsRawFd;

use super::PageMap;
use crate::Errno;

/// `struct pm_scan_arg` of linux/fs.h.
#[repr(C)]
#[derive(Default)]
struct ScanArguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct page_region` of linux/fs.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// `PAGEMAP_SCAN`: `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::Ioctl = 0xc060_6610_u32 as libc::Ioctl;
/// The page is present in memory.
const IS_PRESENT: u64 = 1 << 3;
/// It is the shared zero page, which is in no resident set.
const IS_ZERO_PAGE: u64 = 1 << 5;
/// It is mapped by a huge page.
const IS_HUGE: u64 = 1 << 6;

/// The pages that one call reports at most, which is what it takes time for: some 20 us.
const PAGES_AT_ONCE: u64 = 1024;
/// The addresses that one call goes over at most. Page tables without a page take time too: of
/// these there are at most 512 here.
const BYTES_AT_ONCE: u64 = 1 << 30;
/// The ranges that one call reports at most.
const RANGES_AT_ONCE: usize = 512;

/// A range of present pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// The first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// Whether huge pages map it.
    pub huge: bool,
}

impl PageMap {
    /// The present pages in `start..end`, in order; neighbours of one kind are one range. The
    /// shared zero page is left out, and so is device memory (`VM_PFNMAP`).
    ///
    /// # Errors
    /// ENOTTY: the kernel is older than 6.7. EFAULT: beyond the user half of the address space.
    pub fn scan(&self, start: u64, end: u64) -> Result<Vec<Present>, Errno> {
        let mut found: Vec<Present> = Vec::new();
        let mut regions = [PageRegion::default(); RANGES_AT_ONCE];
        let mut at = start;
        while at < end {
            let until = end.min(at.saturating_add(BYTES_AT_ONCE));
            let (count, reached) = self.scan_once(at, until, &mut regions)?;
            for region in &regions[..count] {
                let huge = region.categories & IS_HUGE != 0;
                match found.last_mut() {
                    Some(last) if last.end == region.start && last.huge == huge => {
                        last.end = region.end;
                    }
                    _ => found.push(Present { start: region.start, end: region.end, huge }),
                }
            }
            // A kernel that does not get on would keep us here.
            at = if reached > at { reached } else { until };
        }
        Ok(found)
    }

    /// One call: the number of ranges that it wrote to `regions`, and how far it got.
    fn scan_once(
        &self,
        start: u64,
        end: u64,
        regions: &mut [PageRegion; RANGES_AT_ONCE],
    ) -> Result<(usize, u64), Errno> {
        let mut arguments = ScanArguments {
            size: size_of::<ScanArguments>() as u64,
            start,
            end,
            vec: regions.as_mut_ptr().expose_provenance() as u64,
            vec_len: RANGES_AT_ONCE as u64,
            max_pages: PAGES_AT_ONCE,
            category_inverted: IS_ZERO_PAGE,
            category_mask: IS_PRESENT | IS_ZERO_PAGE,
            return_mask: IS_HUGE,
            ..ScanArguments::default()
        };
        // SAFETY: the structure has the layout and size that the request is defined with, and
        // `vec` and `vec_len` describe `regions`, which is borrowed for the call.
        let count = unsafe { libc::ioctl(self.0.as_raw_fd(), PAGEMAP_SCAN, &raw mut arguments) };
        match usize::try_from(count) {
            Ok(count) => Ok((count.min(RANGES_AT_ONCE), arguments.walk_end)),
            Err(_) => Err(Errno::last()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::mapping::{OwnMapping, Policy};
    use crate::memory::Memory;

    #[test]
    fn present_pages_are_found_and_zero_pages_are_not() {
        let page = crate::limits::page_bytes();
        let pages = 3 * PAGES_AT_ONCE;
        let length = usize::try_from(pages * page).unwrap();
        let mut mapping = OwnMapping::new(length, Policy::NoHugePage).unwrap();
        let start = mapping.address() as u64;
        let end = start + pages * page;
        let map = PageMap(File::open("/proc/self/pagemap").unwrap());
        match map.scan(start, end) {
            Err(errno) if errno == Errno::NO_SUCH_REQUEST => return skips::skip("no PAGEMAP_SCAN"),
            found => assert_eq!(found, Ok(Vec::new())),
        }
        let place = |number: u64| usize::try_from(number * page).unwrap();
        mapping.look_at(place(1));
        for number in (10..2 * PAGES_AT_ONCE).chain([pages - 1]) {
            mapping.write_byte(place(number), 1);
        }
        let small = |from: u64, to: u64| Present {
            start: start + from * page,
            end: start + to * page,
            huge: false,
        };
        let expect = [small(10, 2 * PAGES_AT_ONCE), small(pages - 1, pages)];
        assert_eq!(map.scan(start, end).unwrap(), expect, "joined over calls");
        assert_eq!(map.scan(start + 20 * page, start + 22 * page).unwrap(), [small(20, 22)]);
        assert!(map.scan(0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_1000).is_err());
    }

    #[test]
    fn more_ranges_than_one_call_reports() {
        let page = crate::limits::page_bytes();
        let pages = 4 * RANGES_AT_ONCE as u64;
        let length = usize::try_from(pages * page).unwrap();
        let mut mapping = OwnMapping::new(length, Policy::NoHugePage).unwrap();
        let start = mapping.address() as u64;
        for number in (0..pages).step_by(2) {
            mapping.write_byte(usize::try_from(number * page).unwrap(), 1);
        }
        let map = PageMap(File::open("/proc/self/pagemap").unwrap());
        match map.scan(start, start + pages * page) {
            Err(errno) if errno == Errno::NO_SUCH_REQUEST => skips::skip("no PAGEMAP_SCAN"),
            found => assert_eq!(found.unwrap().len() as u64, pages / 2),
        }
    }
}
