//! Mappings of files: mmap(2) and madvise(2).
//!
//! Safety story: a [`FileMapping`] owns the address range that the kernel gave it. Other processes
//! may write to the file, so its bytes are read and written one by one through volatile accesses,
//! and no reference to them is ever made. Truncating the file would kill this process by SIGBUS;
//! scratch files have no name, so no other process can truncate them.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::hint::black_box;
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::Errno;
use crate::memory::{Initialised, unsafe_memory_of};

/// Whether a mapping shares the file's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// `MAP_SHARED`: it maps the file's pages, and writes go to the file.
    Shared,
    /// `MAP_PRIVATE`: it maps the file's pages; the first write to a page makes a private copy.
    Private,
}

/// The hint that the kernel gets about coming accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// No hint: the kernel reads ahead, and a fault also maps the cached pages around it.
    None,
    /// `MAP_POPULATE`: all pages are read, and mapped, by the call.
    Populate,
    /// `MADV_SEQUENTIAL`: the kernel reads further ahead.
    Sequential,
    /// `MADV_RANDOM`: the kernel does not read ahead.
    Random,
    /// `MADV_WILLNEED`: the kernel starts to read the whole range and does not wait.
    WillNeed,
}

/// A mapping of a part of a file, readable and writable. Unmapped when dropped.
#[derive(Debug)]
pub struct FileMapping {
    start: NonNull<c_void>,
    len: usize,
}

// SAFETY: the range belongs to the mapping alone, whichever thread has it, and its contents may
// change at any time anyway.
unsafe impl Send for FileMapping {}
// SAFETY: through a shared reference it is only read, one volatile access per byte or word.
unsafe impl Sync for FileMapping {}

impl FileMapping {
    /// Maps `len` bytes of `file` from `offset`.
    ///
    /// # Errors
    /// The errno of mmap(2) (ENODEV: the file cannot be mapped; EACCES: shared, but not opened for
    /// writing; ENOMEM; EINVAL: `len` is 0, or `offset` is not a multiple of the page size) or of
    /// madvise(2).
    #[inline]
    pub fn new(
        file: impl AsFd,
        offset: u64,
        len: usize,
        sharing: Sharing,
        hint: Hint,
    ) -> Result<Self, Errno> {
        let mut flags = match sharing {
            Sharing::Shared => MapFlags::SHARED,
            Sharing::Private => MapFlags::PRIVATE,
        };
        if hint == Hint::Populate {
            flags |= MapFlags::POPULATE;
        }
        // SAFETY: a null hint lets the kernel choose a free range, so no existing mapping is
        // replaced.
        let start = unsafe {
            mmap(null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags, file, offset)
        };
        let start = start.map_err(|e| Errno(e.raw_os_error()))?;
        let mapping = FileMapping { start: NonNull::new(start).ok_or(Errno(libc::EINVAL))?, len };
        match hint {
            Hint::None | Hint::Populate => {}
            Hint::Sequential => mapping.advise(Advice::Sequential)?,
            Hint::Random => mapping.advise(Advice::Random)?,
            Hint::WillNeed => mapping.advise(Advice::WillNeed)?,
        }
        Ok(mapping)
    }

    fn advise(&self, advice: Advice) -> Result<(), Errno> {
        // SAFETY: the range is ours, and no advice passed here changes bytes that a reference
        // points to.
        unsafe { madvise(self.start.as_ptr(), self.len, advice) }
            .map_err(|e| Errno(e.raw_os_error()))
    }

    /// Reads every byte and returns the wrapping sum of its words of eight bytes and of the
    /// remaining bytes at the end.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "every page is touched by it")]
    pub fn sum(&self) -> u64 {
        // SAFETY: the range is mapped and readable while `self` lives; a page is aligned to eight
        // bytes.
        unsafe { sum(self.start, self.len) }
    }

    /// As [`Self::sum`], of the bytes of `range` alone.
    ///
    /// # Panics
    /// If `range` is not inside the mapping, or does not start at a multiple of eight bytes.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "every page is touched by it")]
    pub fn sum_of(&self, range: Range<usize>) -> u64 {
        assert!(
            range.start.is_multiple_of(8) && range.start <= range.end && range.end <= self.len,
            "range outside the mapping, or not aligned to eight bytes"
        );
        // SAFETY: the offset is inside the mapping, or its end.
        let start = unsafe { self.start.byte_add(range.start) };
        // SAFETY: as in `sum`, and the range is inside the mapping.
        unsafe { sum(start, range.end - range.start) }
    }

    /// Removes the pages from the page tables (`MADV_DONTNEED`), so that the next touch of each
    /// faults again. A private mapping loses its copies and shows the file again.
    ///
    /// # Errors
    /// The errno of madvise(2): EINVAL for locked memory.
    pub fn forget_pages(&mut self) -> Result<(), Errno> {
        self.advise(Advice::LinuxDontNeed)
    }
}

// SAFETY: the range is mapped readable and writable until it is dropped, and no reference into it
// exists.
unsafe_memory_of!(FileMapping);

// SAFETY: every byte of a file is initialised.
unsafe impl Initialised for FileMapping {}

impl Drop for FileMapping {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the range is ours and no reference into it exists. If it fails, the kernel unmaps
        // the range when the process ends.
        let _ = unsafe { munmap(self.start.as_ptr(), self.len) };
    }
}

/// Reads `len` bytes from `start`, eight at a time, and returns the wrapping sum of these words and
/// of the remaining bytes at the end. The reads are volatile, so that the compiler drops none.
///
/// # Safety
/// The range must be mapped, readable, initialised, and aligned to eight bytes.
#[inline]
pub(crate) unsafe fn sum(start: NonNull<c_void>, len: usize) -> u64 {
    let (words, rest) = (len / 8, len % 8);
    let start = start.cast::<u64>();
    let mut total = 0_u64;
    for index in 0..words {
        // SAFETY: the word is inside the range.
        let word = unsafe { start.add(index) };
        // SAFETY: as the caller promises.
        total = total.wrapping_add(unsafe { word.read_volatile() });
    }
    // SAFETY: the end of the whole words is inside the range, or at its end.
    let end = unsafe { start.add(words) }.cast::<u8>();
    for index in 0..rest {
        // SAFETY: the byte is inside the range.
        let byte = unsafe { end.add(index) };
        // SAFETY: as the caller promises.
        total = total.wrapping_add(u64::from(unsafe { byte.read_volatile() }));
    }
    black_box(total)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::memory::Memory;
    use crate::reopen::memory_file;
    use crate::residency::resident_bytes;
    use crate::scratch::Scratch;
    use crate::scratch::tests::on_disk;
    use crate::usage::Usage;

    const PAGE: usize = 4096;

    /// Minor and major faults of `work`.
    fn faults(work: impl FnOnce()) -> (u64, u64) {
        let before = Usage::of_this_thread();
        work();
        let after = Usage::of_this_thread();
        (after.minor_faults - before.minor_faults, after.major_faults - before.major_faults)
    }

    #[test]
    fn writes_show_in_shared_mappings_and_not_in_private_ones() {
        let file = memory_file(3 * PAGE as u64).unwrap();
        let map = |sharing| FileMapping::new(&file, 0, 3 * PAGE, sharing, Hint::None).unwrap();
        let (mut one, other, mut own) =
            (map(Sharing::Shared), map(Sharing::Shared), map(Sharing::Private));
        one.fill(7);
        assert_eq!((other.read_byte(3 * PAGE - 1), own.read_byte(PAGE)), (7, 7));
        own.write_byte(PAGE, 9);
        one.write_byte(PAGE + 1, 8);
        assert_eq!(
            (other.read_byte(PAGE), own.read_byte(PAGE), own.read_byte(PAGE + 1)),
            (7, 9, 7),
            "a private copy"
        );
        own.forget_pages().unwrap();
        assert_eq!((own.read_byte(PAGE), own.read_byte(PAGE + 1)), (7, 8), "the file again");
        assert_eq!(
            (own.len(), FileMapping::new(&file, 0, 0, Sharing::Shared, Hint::None).unwrap_err()),
            (3 * PAGE, Errno(libc::EINVAL))
        );
    }

    #[test]
    fn the_sum_covers_words_and_remaining_bytes() {
        let file = std::fs::File::from(memory_file(2 * PAGE as u64).unwrap());
        file.write_all_at(&u64::MAX.to_ne_bytes(), 0).unwrap();
        file.write_all_at(&5_u64.to_ne_bytes(), 4096).unwrap();
        file.write_all_at(&[1, 2, 4], 4104).unwrap();
        let sum =
            |len| FileMapping::new(&file, 0, len, Sharing::Private, Hint::None).unwrap().sum();
        assert_eq!((sum(8), sum(4104), sum(4106), sum(4107)), (u64::MAX, 4, 7, 11));
        assert_eq!(
            FileMapping::new(&file, 4096, 10, Sharing::Shared, Hint::None).unwrap().sum(),
            5 + 3
        );
        assert_eq!(
            FileMapping::new(&file, 100, 10, Sharing::Shared, Hint::None).unwrap_err(),
            Errno(libc::EINVAL)
        );
    }

    #[test]
    fn one_fault_maps_many_pages_of_a_file_in_memory() {
        let scratch = Scratch::create(&std::env::temp_dir(), 1024 * PAGE as u64).unwrap();
        let read = |hint| {
            let mapping =
                FileMapping::new(scratch.file(), 0, 1024 * PAGE, Sharing::Shared, hint).unwrap();
            faults(|| (0..1024).for_each(|page| _ = mapping.read_byte(page * PAGE)))
        };
        let (around, _) = read(Hint::None);
        assert!((1..=1024 / 8).contains(&around), "{around} faults for 1,024 pages");
        let (populated, _) = read(Hint::Populate);
        assert!(populated <= 4, "{populated} faults for pages that were there");
    }

    #[test]
    fn every_write_to_a_private_page_copies_it() {
        let scratch = Scratch::create(&std::env::temp_dir(), 256 * PAGE as u64).unwrap();
        let mut mapping =
            FileMapping::new(scratch.file(), 0, 256 * PAGE, Sharing::Private, Hint::Populate)
                .unwrap();
        let (minor, _) = faults(|| (0..256).for_each(|page| mapping.write_byte(page * PAGE, 2)));
        assert!((256..=264).contains(&minor) || minor <= 4, "{minor} faults for 256 pages");
        assert_eq!((0..256).filter(|page| mapping.read_byte(page * PAGE) != 2).count(), 0);
        let mut first = [0];
        scratch.file().read_exact_at(&mut first, 0).unwrap();
        assert_eq!(first[0] & 1, 1, "the file is unchanged: its first byte is odd");
    }

    #[test]
    fn a_cold_file_is_read_ahead_unless_advised_otherwise() {
        let Some(scratch) = on_disk(8 << 20) else { return };
        let touch_one = |hint| {
            assert_eq!(scratch.drop_cache(), Ok(0));
            let mapping =
                FileMapping::new(scratch.file(), 0, 8 << 20, Sharing::Shared, hint).unwrap();
            let (_, major) = faults(|| _ = mapping.read_byte(4 << 20));
            (major, resident_bytes(mapping.address(), 8 << 20).unwrap())
        };
        let (major, random) = touch_one(Hint::Random);
        assert_eq!((major, random), (1, PAGE as u64), "MADV_RANDOM");
        let (major, ahead) = touch_one(Hint::None);
        assert!(major == 1 && ahead > random, "{major} major faults, {ahead} bytes");
        let (_, all) = touch_one(Hint::Populate);
        assert_eq!(all, 8 << 20);
    }
}
