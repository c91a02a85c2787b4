//! Memory that is shared with another process, as words that are only accessed atomically:
//! `memfd_create(2)`.
//!
//! Safety story: the mapping is owned and unmapped once. The file is sealed at its size, so that no
//! access beyond its end is possible, whatever the other process does. Other processes write to it:
//! every access is to an `AtomicU64`.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::slice::from_raw_parts;
use std::sync::atomic::AtomicU64;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::Errno;

/// Words that are all zero at first.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    words: usize,
    file: OwnedFd,
}

// SAFETY: the mapping belongs to the value, whichever thread has it; its words are atomic.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Makes `words` words, in a file of this name without a path (it is in `/proc/PID/maps`).
    ///
    /// # Errors
    /// ENOMEM: the kernel does not promise as much memory. EMFILE: no descriptor is left.
    pub fn new(name: &str, words: usize) -> Result<Self, Errno> {
        let errno = |e: rustix::io::Errno| Errno(e.raw_os_error());
        let bytes = words.checked_mul(size_of::<u64>()).ok_or(Errno(libc::ENOMEM))?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create(name, flags).map_err(errno)?;
        ftruncate(&file, bytes as u64).map_err(errno)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW).map_err(errno)?;
        Ok(SharedWords { start: map(&file, bytes, MapFlags::SHARED)?, words, file })
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has so many words, is as long as the file, and lives as long as this.
        unsafe { from_raw_parts(self.start.as_ptr(), self.words) }
    }

    /// Ends the sharing, if no other process has the memory mapped any more: then none can write to
    /// it again, and these are the last words. Otherwise it stays as it is.
    ///
    /// # Errors
    /// The memory, which another process still has.
    pub fn retire(mut self) -> Result<SharedWords, SharedWords> {
        let bytes = self.words * size_of::<u64>();
        let Ok(private) = map(&self.file, bytes, MapFlags::PRIVATE) else { return Err(self) };
        let shared = std::mem::replace(&mut self.start, private);
        // SAFETY: the mapping was this value's, and no reference to it exists.
        let _ = unsafe { munmap(shared.as_ptr().cast(), bytes) };
        // The kernel refuses this seal while a mapping can write (fcntl(2), F_SEAL_WRITE).
        if fcntl_add_seals(&self.file, SealFlags::WRITE).is_ok() {
            return Ok(self);
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let (at, flags) = (private.as_ptr().cast(), MapFlags::SHARED | MapFlags::FIXED);
        // SAFETY: it takes the place of the private mapping, which nobody has used.
        let _ = unsafe { mmap(at, bytes, protection, flags, &self.file, 0) };
        Err(self)
    }

    /// The file, for the process to share it with.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn map(file: &OwnedFd, bytes: usize, flags: MapFlags) -> Result<NonNull<AtomicU64>, Errno> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a null hint lets the kernel choose a free range.
    let start = unsafe { mmap(std::ptr::null_mut(), bytes, protection, flags, file, 0) };
    let start = start.map_err(|e| Errno(e.raw_os_error()))?;
    NonNull::new(start.cast()).ok_or(Errno(libc::EINVAL))
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        let bytes = self.words * size_of::<u64>();
        // SAFETY: the mapping is this value's, and no reference to it outlives it.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), bytes) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn words_are_zero_and_are_in_the_file() {
        let shared = SharedWords::new("firsttouch-test", 1024).unwrap();
        assert!(shared.words().iter().all(|word| word.load(Ordering::Relaxed) == 0));
        shared.words()[1023].store(7, Ordering::Relaxed);
        let mut last = [0; 8];
        assert_eq!(rustix::io::pread(shared.file(), &mut last, 1023 * 8), Ok(8));
        assert_eq!(u64::from_ne_bytes(last), 7);
        assert!(ftruncate(shared.file(), 8).is_err(), "its size is sealed");
    }

    #[test]
    fn sharing_ends_with_the_last_other_mapping() {
        let shared = SharedWords::new("firsttouch-test", 1024).unwrap();
        shared.words()[5].store(9, Ordering::Relaxed);
        let file = shared.file().try_clone_to_owned().unwrap();
        let other = map(&file, 8192, MapFlags::SHARED).unwrap();
        let shared = shared.retire().unwrap_err();
        assert_eq!(shared.words()[5].load(Ordering::Relaxed), 9);
        // SAFETY: mapped above, and not used any more.
        unsafe { munmap(other.as_ptr().cast(), 8192) }.unwrap();
        let last = shared.retire().unwrap();
        assert_eq!(last.words()[5].load(Ordering::Relaxed), 9);
        assert!(map(&file, 8192, MapFlags::SHARED).is_err(), "nobody writes to it any more");
    }
}
