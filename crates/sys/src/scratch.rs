//! A file without a name, for measuring what files cost: open(2) with `O_TMPFILE`, or unlinked at once where the file
//! system has no such thing. It is gone when the last descriptor is, however the program ends.
//!
//! Safety story: a descriptor that a parent handed down by number is only ever duplicated, and the duplicate is owned.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;

use rustix::fs::{Advice, Mode, OFlags, fadvise, open, unlink};
use rustix::io::{FdFlags, fcntl_setfd};

/// A file of `len` bytes in `folder`, on its disk and not only in memory. Children inherit its descriptor.
///
/// # Errors
/// What making, writing or syncing it said.
pub fn file(folder: &Path, len: u64) -> io::Result<File> {
    let mut file = nameless(folder)?;
    let chunk: Vec<u8> = (0..1_u32 << 16).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut left = len;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        file.write_all(&chunk[..part])?;
        left -= part as u64;
    }
    file.sync_all()?;
    fcntl_setfd(&file, FdFlags::empty())?;
    Ok(file)
}

fn nameless(folder: &Path) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match open(folder, flags | OFlags::TMPFILE, mode) {
        Ok(fd) => Ok(fd.into()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::INVAL) => {
            let path = folder.join(format!(".firsttouch-{}", std::process::id()));
            let fd = open(&path, flags | OFlags::CREATE | OFlags::EXCL, mode)?;
            unlink(&path)?;
            Ok(fd.into())
        }
        Err(e) => Err(e.into()),
    }
}

/// The number by which a child finds the file.
#[must_use]
pub fn number(file: &File) -> i32 {
    file.as_raw_fd()
}

/// The file that the parent handed down as `number`.
///
/// # Errors
/// EBADF: there is no such descriptor.
pub fn inherited(number: i32) -> io::Result<File> {
    // SAFETY: takes a number only; a number that is no descriptor is EBADF.
    let fd = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the duplicate is new and ours.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Asks the kernel to forget the file's pages (`posix_fadvise(2)`, `POSIX_FADV_DONTNEED`). Mapped pages and those of tmpfs
/// stay.
///
/// # Errors
/// The errno of `posix_fadvise(2)`.
pub fn forget(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filemap::FileMap;

    #[test]
    fn a_file_without_a_name_can_be_mapped() {
        let folder = std::env::temp_dir();
        let file = file(&folder, 100_000).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 100_000);
        forget(&file).unwrap();
        let again = inherited(number(&file)).unwrap();
        let (one, other) = (FileMap::new(&file, 100_000).unwrap(), FileMap::new(&again, 100_000).unwrap());
        assert_ne!(one.address(), other.address());
        assert_eq!((one.byte(70_001), one.sum(8, 80_000)), (other.byte(70_001), other.sum(8, 80_000)));
        assert!(inherited(1 << 20).is_err());
        let ours = format!(".firsttouch-{}", std::process::id());
        assert!(!folder.join(ours).exists());
    }
}
