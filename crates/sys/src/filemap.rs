//! A file in memory: mmap(2) of a file, and what helps to look at it.
//!
//! Safety story: a [`FileMap`] owns its range and gives out copies of bytes, no references, since others may change the file
//! meanwhile. Whoever cuts the file short while it is mapped makes the next read of the missing part a SIGBUS; the files
//! here have no name and nobody else's descriptor.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::Errno;

/// A read-only private mapping of a file from its beginning. Unmapped when dropped.
#[derive(Debug)]
pub struct FileMap {
    start: NonNull<c_void>,
    len: usize,
}

impl FileMap {
    /// Maps the first `len` bytes of `file`.
    ///
    /// # Errors
    /// The errno of mmap(2): ENODEV where the file system cannot, ENOMEM.
    pub fn new(file: &File, len: usize) -> Result<Self, Errno> {
        // SAFETY: a null hint lets the kernel choose a free range, so no existing mapping is replaced.
        let start = unsafe { mmap(null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, file, 0) };
        let start = start.map_err(|e| Errno(e.raw_os_error()))?;
        Ok(FileMap { start: NonNull::new(start).ok_or(Errno(libc::EINVAL))?, len })
    }

    /// Says that pages will be read in no order (`MADV_RANDOM`): no readahead.
    ///
    /// # Errors
    /// The errno of madvise(2).
    pub fn expect_no_order(&self) -> Result<(), Errno> {
        // SAFETY: the range is ours and its contents do not change.
        unsafe { madvise(self.start.as_ptr(), self.len, Advice::Random) }.map_err(|e| Errno(e.raw_os_error()))
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
        // SAFETY: the mapping is readable.
        unsafe { byte.read_volatile() }
    }

    /// The sum of all whole 64-bit words of `len` bytes from `offset`, which both begin at a word.
    ///
    /// # Panics
    /// If they are not inside the mapping, or begin elsewhere.
    #[must_use]
    #[inline]
    pub fn sum(&self, offset: usize, len: usize) -> u64 {
        assert!(
            offset.is_multiple_of(8) && len.is_multiple_of(8) && offset + len <= self.len,
            "words inside the mapping"
        );
        // SAFETY: the offset is inside the mapping, or at its end where no word is.
        let first = unsafe { self.start.cast::<u8>().add(offset) };
        // SAFETY: the words are inside the mapping and aligned, since it begins at a page. The file has no other writer.
        let words = unsafe { std::slice::from_raw_parts(first.cast::<u64>().as_ptr(), len / 8) };
        words.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word))
    }

    /// The address of the first byte.
    #[must_use]
    pub fn address(&self) -> usize {
        self.start.as_ptr().addr()
    }
}

impl Drop for FileMap {
    fn drop(&mut self) {
        // SAFETY: the range is ours and nothing refers to it any more.
        let _ = unsafe { munmap(self.start.as_ptr(), self.len) };
    }
}
