//! Anonymous mappings: mmap(2), madvise(2), munmap(2).
//!
//! Safety story: a [`Mapping`] owns the address range that the kernel gave it and nothing else can name that range,
//! so writing inside it and unmapping it once are sound.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::hint::black_box;
use std::ops::Range;
use std::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::Errno;

/// The huge page that the policies, proofs and eligible ranges are about.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;

/// What to ask of the kernel for a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Nothing: pages come on first touch.
    Plain,
    /// `MAP_POPULATE`: pages come with the call.
    Populate,
    /// `MADV_HUGEPAGE`: 2 MiB pages where the range allows it.
    HugePage,
    /// `MAP_SHARED`: pages belong to the object behind the mapping and stay when [`Mapping::forget_pages`] forgets where
    /// they are mapped.
    Shared,
}

/// An anonymous mapping, private unless its policy is [`Policy::Shared`], readable and writable. Unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<c_void>,
    len: usize,
}

impl Mapping {
    /// Maps `len` bytes. The kernel rounds up to whole pages.
    ///
    /// # Errors
    /// The errno of mmap(2) (ENOMEM: limit, overcommit or number of mappings; EINVAL: `len` is 0) or of madvise(2)
    /// (EINVAL: a kernel without transparent huge pages).
    #[inline]
    pub fn new(len: usize, policy: Policy) -> Result<Self, Errno> {
        let flags = match policy {
            Policy::Plain | Policy::HugePage => MapFlags::PRIVATE,
            Policy::Populate => MapFlags::PRIVATE | MapFlags::POPULATE,
            Policy::Shared => MapFlags::SHARED,
        };
        // SAFETY: a null hint lets the kernel choose a free range, so no existing mapping is replaced.
        let start = unsafe { mmap_anonymous(null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags) };
        let start = start.map_err(|e| Errno(e.raw_os_error()))?;
        let mapping = Mapping { start: NonNull::new(start).ok_or(Errno(libc::EINVAL))?, len };
        if policy == Policy::HugePage {
            // SAFETY: the range is ours, and MADV_HUGEPAGE changes no contents.
            let advised = unsafe { madvise(start, len, Advice::LinuxHugepage) };
            advised.map_err(|e| Errno(e.raw_os_error()))?;
        }
        Ok(mapping)
    }

    /// Writes `value` to every byte.
    #[inline]
    pub fn fill(&mut self, value: u8) {
        // SAFETY: the range is mapped, writable, and ours while `self` lives.
        unsafe { fill(self.start, self.len, value) };
    }

    /// Writes `value` to every byte of `range`.
    ///
    /// # Panics
    /// If the range is not inside the mapping.
    #[inline]
    pub fn fill_range(&mut self, range: Range<usize>, value: u8) {
        assert!(range.start <= range.end && range.end <= self.len, "a range inside the mapping");
        // SAFETY: the start is inside the mapping, or at its end where nothing is written.
        let start = unsafe { self.start.byte_add(range.start) };
        // SAFETY: the range is inside the mapping, writable, and ours while `self` lives.
        unsafe { fill(start, range.end - range.start, value) };
    }

    /// Writes one byte at `offset`.
    ///
    /// # Panics
    /// If it is not inside the mapping.
    #[inline]
    pub fn touch(&mut self, offset: usize) {
        assert!(offset < self.len, "an offset inside the mapping");
        // SAFETY: the offset is inside the mapping.
        let byte = unsafe { self.start.cast::<u8>().add(offset) };
        // SAFETY: the mapping is writable and ours.
        unsafe { byte.write_volatile(1) };
    }

    /// Writes one byte to each page, so that all of them are there.
    #[inline]
    pub fn touch_pages(&mut self) {
        for offset in (0..self.len).step_by(rustix::param::page_size()) {
            self.touch(offset);
        }
    }

    /// Reads one byte of each page. Pages that were never written to are mapped to the kernel's page of zeros.
    #[inline]
    pub fn read_pages(&self) {
        for offset in (0..self.len).step_by(rustix::param::page_size()) {
            // SAFETY: the offset is inside the mapping.
            let byte = unsafe { self.start.cast::<u8>().add(offset) };
            // SAFETY: the mapping is readable, and the kernel initialised it.
            black_box(unsafe { byte.read_volatile() });
        }
    }

    /// Takes the pages out of the page tables (`MADV_DONTNEED`), so that the next touch of each faults again. Those of a
    /// private mapping are freed and come back as zeros; those of a shared one come back as they were.
    ///
    /// # Errors
    /// The errno of madvise(2): EINVAL for locked memory.
    pub fn forget_pages(&mut self) -> Result<(), Errno> {
        // SAFETY: the range is ours, no reference into it exists, and every content is valid for bytes.
        let advised = unsafe { madvise(self.start.as_ptr(), self.len, Advice::LinuxDontNeed) };
        advised.map_err(|e| Errno(e.raw_os_error()))
    }

    /// Asks for small pages only (`MADV_NOHUGEPAGE`).
    ///
    /// # Errors
    /// The errno of madvise(2): EINVAL in a kernel that has small pages only.
    pub fn refuse_huge_pages(&mut self) -> Result<(), Errno> {
        // SAFETY: the range is ours, and the advice changes no contents.
        let advised = unsafe { madvise(self.start.as_ptr(), self.len, Advice::LinuxNoHugepage) };
        advised.map_err(|e| Errno(e.raw_os_error()))
    }

    /// The byte at `offset`.
    ///
    /// # Panics
    /// If it is not inside the mapping.
    #[must_use]
    #[inline]
    pub fn byte(&self, offset: usize) -> u8 {
        assert!(offset < self.len, "an offset inside the mapping");
        // SAFETY: the offset is inside the mapping.
        let byte = unsafe { self.start.cast::<u8>().add(offset) };
        // SAFETY: the mapping is readable, and the kernel initialised it.
        unsafe { byte.read_volatile() }
    }

    /// How many of its bytes are not zero. Reads every one of them.
    #[must_use]
    pub fn nonzero_bytes(&self) -> usize {
        let start = black_box(self.start.cast::<u8>().as_ptr());
        // SAFETY: the range is mapped, readable and initialised by the kernel, and nothing writes to it meanwhile.
        let bytes = unsafe { std::slice::from_raw_parts(start, self.len) };
        bytes.iter().filter(|byte| **byte != 0).count()
    }

    /// The address of the first byte.
    #[must_use]
    pub fn address(&self) -> usize {
        self.start.as_ptr().addr()
    }
}

impl Drop for Mapping {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the range is ours and no reference into it outlives `self`. munmap(2) of a whole mapping fails only
        // when splitting one would exceed the limit of mappings, and then the kernel frees it at exit.
        let _ = unsafe { munmap(self.start.as_ptr(), self.len) };
    }
}

/// Writes `value` to `len` bytes from `start`, in a way that the compiler may neither drop nor merge with another.
///
/// # Safety
/// The range must be valid for writes and not otherwise in use.
#[inline]
pub(crate) unsafe fn fill(start: NonNull<c_void>, len: usize, value: u8) {
    let start = black_box(start.as_ptr());
    // SAFETY: as the caller promises.
    unsafe { start.write_bytes(black_box(value), black_box(len)) };
    black_box(start);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_mapping_reads_as_zero_and_takes_what_is_written() {
        for policy in [Policy::Plain, Policy::Populate, Policy::HugePage] {
            let mut mapping = match Mapping::new(5 << 20, policy) {
                Err(Errno(libc::EINVAL)) if policy == Policy::HugePage => return, // no THP in this kernel
                other => other.unwrap(),
            };
            assert!((0..5 << 20).step_by(4096).all(|offset| mapping.byte(offset) == 0));
            mapping.read_pages();
            assert_eq!((mapping.byte(4096), mapping.nonzero_bytes()), (0, 0));
            mapping.touch_pages();
            assert_eq!((mapping.byte(0), mapping.byte(1), mapping.byte((5 << 20) - 4096)), (1, 0, 1));
            mapping.fill_range(4096..4099, 3);
            assert_eq!([4095, 4096, 4098, 4099].map(|offset| mapping.byte(offset)), [0, 3, 3, 0]);
            mapping.fill_range(5 << 20..5 << 20, 3);
            mapping.fill(7);
            assert!((0..5 << 20).all(|offset| mapping.byte(offset) == 7));
        }
    }

    #[test]
    fn only_shared_pages_outlive_their_mapping() {
        for (policy, kept) in [(Policy::Plain, 0), (Policy::Shared, 7)] {
            let mut mapping = Mapping::new(3 * 4096, policy).unwrap();
            mapping.fill(7);
            mapping.forget_pages().unwrap();
            assert_eq!((mapping.byte(0), mapping.byte(3 * 4096 - 1)), (kept, kept), "{policy:?}");
        }
    }

    #[test]
    #[should_panic(expected = "inside the mapping")]
    fn a_range_beyond_the_end_is_refused() {
        Mapping::new(4096, Policy::Plain).unwrap().fill_range(4000..4097, 1);
    }

    #[test]
    #[should_panic(expected = "inside the mapping")]
    fn an_offset_beyond_the_end_is_refused() {
        Mapping::new(4096, Policy::Plain).unwrap().touch(4096);
    }

    #[test]
    fn errors_carry_their_errno() {
        assert_eq!(Mapping::new(0, Policy::Plain).unwrap_err(), Errno(libc::EINVAL));
        assert_eq!(Mapping::new(usize::MAX - 4096, Policy::Plain).unwrap_err(), Errno(libc::ENOMEM));
    }
}
