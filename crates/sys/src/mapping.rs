//! Anonymous mappings: mmap(2), madvise(2), munmap(2).
//!
//! Safety story: an [`OwnMapping`] owns the address range that the kernel gave it, and nothing else
//! can name that range. Writing inside it and unmapping it once is therefore sound.
#![allow(unsafe_code)]

mod part;
mod stores;
mod tables;

use std::ffi::c_void;
use std::hint::black_box;
use std::ops::Range;
use std::ptr::{NonNull, null_mut};

use rustix::mm::{
    Advice, MapFlags, MremapFlags, ProtFlags, madvise, mmap_anonymous, mremap, munmap,
};

use crate::Errno;
use crate::memory::{Initialised, Memory, fill, unsafe_memory_of};

pub use part::MappingPart;
pub use tables::frees_empty_tables;

/// The size of the huge pages that policies, checks and eligible ranges refer to.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;

/// The flags and advice of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// None: pages are allocated on first touch.
    Plain,
    /// `MAP_POPULATE`: mmap(2) allocates the pages.
    Populate,
    /// `MADV_POPULATE_WRITE`: a second call allocates the pages.
    PopulateWrite,
    /// `MADV_HUGEPAGE`: 2 MiB pages where the range allows them.
    HugePage,
    /// `MADV_NOHUGEPAGE`: base pages, whatever the system's policy.
    NoHugePage,
    /// Populated with base pages, then `MADV_COLLAPSE`: 2 MiB pages at once, wherever the range
    /// allows them.
    Collapse,
    /// `MAP_HUGETLB`: pages of 2 MiB from the pool.
    Hugetlb2M,
    /// `MAP_HUGETLB`: pages of 1 GiB from the pool.
    Hugetlb1G,
    /// `MAP_SHARED`: pages belong to the object behind the mapping and survive
    /// [`OwnMapping::forget_pages`].
    Shared,
}

/// An anonymous mapping, private unless its policy is [`Policy::Shared`], readable and writable.
/// Unmapped when dropped.
#[derive(Debug)]
pub struct OwnMapping {
    start: NonNull<c_void>,
    len: usize,
    /// Bytes mapped: `len` rounded up to whole pages of the mapping.
    mapped: usize,
}

// SAFETY: the range belongs to the mapping alone, whichever thread has it.
unsafe impl Send for OwnMapping {}
// SAFETY: through a shared reference it is only read, or split into parts that do not overlap.
unsafe impl Sync for OwnMapping {}

impl OwnMapping {
    /// Maps `len` bytes. The kernel rounds up to whole pages.
    ///
    /// # Errors
    /// The errno of mmap(2) (ENOMEM: limit, overcommit, number of mappings or an empty pool of huge
    /// pages; EINVAL: `len` is 0, or the kernel has no huge pages of that size) or of madvise(2)
    /// (EINVAL: a kernel without transparent huge pages; EAGAIN, ENOMEM: `MADV_COLLAPSE` found no
    /// huge page).
    #[inline]
    pub fn new(len: usize, policy: Policy) -> Result<Self, Errno> {
        let (flags, page) = match policy {
            Policy::Plain
            | Policy::PopulateWrite
            | Policy::HugePage
            | Policy::NoHugePage
            | Policy::Collapse => (MapFlags::PRIVATE, 1),
            Policy::Populate => (MapFlags::PRIVATE | MapFlags::POPULATE, 1),
            Policy::Shared => (MapFlags::SHARED, 1),
            Policy::Hugetlb2M => {
                (MapFlags::PRIVATE | MapFlags::HUGETLB | MapFlags::HUGE_2MB, HUGE_PAGE_BYTES)
            }
            Policy::Hugetlb1G => {
                (MapFlags::PRIVATE | MapFlags::HUGETLB | MapFlags::HUGE_1GB, 1 << 30)
            }
        };
        // munmap(2) of huge pages only takes whole pages.
        let mapped = len.checked_next_multiple_of(page).ok_or(Errno::NO_MEMORY)?;
        // SAFETY: a null hint lets the kernel choose a free range, so no existing mapping is
        // replaced.
        let start = unsafe {
            mmap_anonymous(null_mut(), mapped, ProtFlags::READ | ProtFlags::WRITE, flags)
        };
        let start = start.map_err(|e| Errno(e.raw_os_error()))?;
        let mapping =
            OwnMapping { start: NonNull::new(start).ok_or(Errno(libc::EINVAL))?, len, mapped };
        match policy {
            Policy::Plain
            | Policy::Populate
            | Policy::Shared
            | Policy::Hugetlb2M
            | Policy::Hugetlb1G => {}
            Policy::PopulateWrite => mapping.advise(libc::MADV_POPULATE_WRITE)?,
            Policy::HugePage => mapping.advise(libc::MADV_HUGEPAGE)?,
            Policy::NoHugePage => mapping.advise(libc::MADV_NOHUGEPAGE)?,
            Policy::Collapse => {
                mapping.advise(libc::MADV_POPULATE_WRITE)?;
                mapping.collapse()?;
            }
        }
        Ok(mapping)
    }

    /// Maps one page, and doubles the mapping by mremap(2) (`MREMAP_MAYMOVE`) until it has `len`
    /// bytes; the bytes that each step adds are filled with `value`.
    ///
    /// # Errors
    /// The errno of mmap(2) or mremap(2).
    pub fn grown(len: usize, value: u8) -> Result<Self, Errno> {
        let mut mapping = OwnMapping::new(len.min(rustix::param::page_size()), Policy::Plain)?;
        mapping.fill(value);
        while mapping.len < len {
            let (old, new) = (mapping.len, (2 * mapping.len).min(len));
            // SAFETY: the range is ours and no reference into it exists; it may move.
            let start = unsafe { mremap(mapping.start.as_ptr(), old, new, MremapFlags::MAYMOVE) };
            let start = start.map_err(|e| Errno(e.raw_os_error()))?;
            mapping.start = NonNull::new(start).ok_or(Errno(libc::EINVAL))?;
            (mapping.len, mapping.mapped) = (new, new);
            mapping.fill_range(old..new, value);
        }
        Ok(mapping)
    }

    /// madvise(2) on the whole mapping, with advice that changes no contents.
    fn advise(&self, advice: i32) -> Result<(), Errno> {
        // SAFETY: the range is ours; callers only pass advice that affects pages, not contents.
        let failed = unsafe { libc::madvise(self.start.as_ptr(), self.len, advice) };
        if failed == 0 { Ok(()) } else { Err(Errno::last()) }
    }

    /// `MADV_COLLAPSE` on the aligned huge page ranges inside the mapping; the call fails on a
    /// range that contains part of one.
    fn collapse(&self) -> Result<(), Errno> {
        let from = self.address().next_multiple_of(HUGE_PAGE_BYTES) - self.address();
        let until = ((self.address() + self.len) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES)
            .saturating_sub(self.address());
        if from >= until {
            return Ok(());
        }
        // SAFETY: the offset is inside the mapping.
        let start = unsafe { self.start.byte_add(from) };
        // SAFETY: the range is inside the mapping, and collapsing changes no contents.
        let failed = unsafe { libc::madvise(start.as_ptr(), until - from, libc::MADV_COLLAPSE) };
        if failed == 0 { Ok(()) } else { Err(Errno::last()) }
    }

    /// Writes `value` to every byte of `range`.
    ///
    /// # Panics
    /// If the range is not inside the mapping.
    #[inline]
    pub fn fill_range(&mut self, range: Range<usize>, value: u8) {
        assert!(range.start <= range.end && range.end <= self.len, "range outside the mapping");
        // SAFETY: the start is inside the mapping, or at its end where nothing is written.
        let start = unsafe { self.start.byte_add(range.start) };
        // SAFETY: the range is inside the mapping, writable, and ours while `self` lives.
        unsafe { fill(start, range.end - range.start, value) };
    }

    /// Writes one byte at `offset`.
    ///
    /// # Panics
    /// If `offset` is not inside the mapping.
    #[inline]
    pub fn touch(&mut self, offset: usize) {
        self.write_byte(offset, 1);
    }

    /// Writes one byte to each page, so that all of them are resident.
    #[inline]
    pub fn touch_pages(&mut self) {
        for offset in (0..self.len).step_by(rustix::param::page_size()) {
            self.touch(offset);
        }
    }

    /// Reads one byte of each page. The kernel maps pages that were never written to its zero page.
    #[inline]
    pub fn read_pages(&self) {
        for offset in (0..self.len).step_by(rustix::param::page_size()) {
            black_box(self.read_byte(offset));
        }
    }

    /// Removes the pages from the page tables (`MADV_DONTNEED`), so that the next touch of each
    /// faults again. Pages of a private mapping are freed and read as zeros afterwards; pages of a
    /// shared one keep their contents.
    ///
    /// # Errors
    /// The errno of madvise(2): EINVAL for locked memory.
    pub fn forget_pages(&mut self) -> Result<(), Errno> {
        // SAFETY: the range is ours, no reference into it exists, and every content is valid for
        // bytes.
        let advised = unsafe { madvise(self.start.as_ptr(), self.len, Advice::LinuxDontNeed) };
        advised.map_err(|e| Errno(e.raw_os_error()))
    }

    /// Allows the kernel to reclaim the pages when it needs memory (`MADV_FREE`). Until then they
    /// keep their contents, and a write to a page cancels this for that page.
    ///
    /// # Errors
    /// The errno of madvise(2): EINVAL for shared or locked memory.
    pub fn free_pages(&mut self) -> Result<(), Errno> {
        self.advise(libc::MADV_FREE)
    }

    /// The number of its bytes that are not zero. Reads all of them.
    #[must_use]
    pub fn nonzero_bytes(&self) -> usize {
        let start = black_box(self.start.cast::<u8>().as_ptr());
        // SAFETY: the range is mapped, readable and initialised by the kernel, and nothing writes
        // to it meanwhile.
        let bytes = unsafe { std::slice::from_raw_parts(start, self.len) };
        bytes.iter().filter(|byte| **byte != 0).count()
    }
}

// SAFETY: the range is mapped readable and writable until it is dropped, and belongs to the mapping
// alone. (Other processes may write to a shared one: accesses are volatile.)
unsafe_memory_of!(OwnMapping);

// SAFETY: every byte is zero from the kernel, or was written by a process.
unsafe impl Initialised for OwnMapping {}

impl Drop for OwnMapping {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the range is ours and no reference into it outlives `self`. munmap(2) of a whole
        // mapping fails only when splitting one would exceed the limit of mappings, and then the
        // kernel frees it at exit.
        let _ = unsafe { munmap(self.start.as_ptr(), self.mapped) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_mapping_reads_as_zero_and_can_be_written() {
        let policies = [
            Policy::Plain,
            Policy::Populate,
            Policy::PopulateWrite,
            Policy::HugePage,
            Policy::NoHugePage,
            Policy::Collapse,
            Policy::Hugetlb2M,
        ];
        for policy in policies {
            let mut mapping = match OwnMapping::new(5 << 20, policy) {
                Err(errno) if policy != Policy::Plain => {
                    skips::skip(&format!("{policy:?} is not available here: {errno}"));
                    continue;
                }
                other => other.unwrap(),
            };
            assert!((0..5 << 20).step_by(4096).all(|offset| mapping.read_byte(offset) == 0));
            mapping.read_pages();
            assert_eq!((mapping.read_byte(4096), mapping.nonzero_bytes()), (0, 0));
            mapping.touch_pages();
            assert_eq!(
                (mapping.read_byte(0), mapping.read_byte(1), mapping.read_byte((5 << 20) - 4096)),
                (1, 0, 1)
            );
            mapping.fill_range(4096..4099, 3);
            assert_eq!(
                [4095, 4096, 4098, 4099].map(|offset| mapping.read_byte(offset)),
                [0, 3, 3, 0]
            );
            mapping.fill_range(5 << 20..5 << 20, 3);
            mapping.fill(7);
            assert!((0..5 << 20).all(|offset| mapping.read_byte(offset) == 7));
        }
    }

    #[test]
    fn a_growing_mapping_keeps_its_contents() {
        for len in [1, 4096, 5000, 3 << 20] {
            let mapping = OwnMapping::grown(len, 7).unwrap();
            assert_eq!(mapping.len(), len);
            assert!((0..len).all(|offset| mapping.read_byte(offset) == 7), "{len}");
        }
    }

    #[test]
    fn freed_pages_read_as_before_or_as_zero() {
        let mut mapping = OwnMapping::new(64 * 4096, Policy::Plain).unwrap();
        mapping.fill(7);
        mapping.free_pages().unwrap();
        assert!((0..64).all(|page| matches!(mapping.read_byte(page * 4096), 0 | 7)));
        assert!(OwnMapping::new(4096, Policy::Shared).unwrap().free_pages().is_err());
    }

    #[test]
    fn only_shared_pages_outlive_their_mapping() {
        for (policy, kept) in [(Policy::Plain, 0), (Policy::Shared, 7)] {
            let mut mapping = OwnMapping::new(3 * 4096, policy).unwrap();
            mapping.fill(7);
            mapping.forget_pages().unwrap();
            assert_eq!(
                (mapping.read_byte(0), mapping.read_byte(3 * 4096 - 1)),
                (kept, kept),
                "{policy:?}"
            );
        }
    }

    #[test]
    #[should_panic(expected = "outside the mapping")]
    fn a_range_beyond_the_end_is_refused() {
        OwnMapping::new(4096, Policy::Plain).unwrap().fill_range(4000..4097, 1);
    }

    #[test]
    #[should_panic(expected = "outside the memory")]
    fn an_offset_beyond_the_end_is_refused() {
        OwnMapping::new(4096, Policy::Plain).unwrap().touch(4096);
    }

    #[test]
    fn errors_carry_their_errno() {
        assert_eq!(OwnMapping::new(0, Policy::Plain).unwrap_err(), Errno(libc::EINVAL));
        assert_eq!(
            OwnMapping::new(usize::MAX - 4096, Policy::Plain).unwrap_err(),
            Errno(libc::ENOMEM)
        );
    }
}
