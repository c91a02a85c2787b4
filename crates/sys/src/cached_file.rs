//! Unnamed files that are read from the page cache: in memory alone (`memfd_create(2)`), or on a
//! file system (`O_TMPFILE`). The kernel frees both when their descriptor is closed, however the
//! process ends.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{SeekFrom, seek};
use rustix::io::{read, write};

use crate::Errno;
use crate::reopen::memory_file;
use crate::scratch::unnamed;

/// An open file whose contents were just written.
#[derive(Debug)]
pub struct CachedFile(OwnedFd);

impl CachedFile {
    /// A file in memory that holds `contents`.
    ///
    /// # Errors
    /// The errno of `memfd_create(2)` (ENOSYS: a kernel without it) or of write(2) (ENOSPC, ENOMEM:
    /// no memory for it).
    pub fn in_memory(contents: &[u8]) -> Result<Self, Errno> {
        Self::holding(memory_file(0)?, contents)
    }

    /// An unnamed file with `contents` on the file system of `directory`.
    ///
    /// # Errors
    /// The errno of open(2) (EACCES, EROFS: no place to write) or of
    /// write(2) (ENOSPC: no room for it).
    pub fn unnamed_in(directory: &Path, contents: &[u8]) -> Result<Self, Errno> {
        Self::holding(unnamed(directory)?.into(), contents)
    }

    fn holding(file: OwnedFd, contents: &[u8]) -> Result<Self, Errno> {
        let mut left = contents;
        while !left.is_empty() {
            match write(&file, left) {
                Ok(written) => left = &left[written..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(errno(error)),
            }
        }
        Ok(CachedFile(file))
    }

    /// Reads the whole file, piece by piece into the same `buffer`. Returns the number of bytes
    /// read.
    ///
    /// # Errors
    /// The errno of lseek(2) or read(2).
    #[inline]
    pub fn read_through(&self, buffer: &mut [u8]) -> Result<u64, Errno> {
        seek(&self.0, SeekFrom::Start(0)).map_err(errno)?;
        let mut bytes = 0;
        loop {
            match read(&self.0, &mut *buffer) {
                Ok(0) => return Ok(bytes),
                Ok(count) => bytes += count as u64,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(errno(error)),
            }
        }
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno(error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &CachedFile, contents: &[u8]) {
        let mut buffer = [0; 4096];
        for _ in 0..2 {
            assert_eq!(file.read_through(&mut buffer), Ok(contents.len() as u64));
            let last = contents.len() / 4096 * 4096;
            assert_eq!(buffer[..contents.len() - last], contents[last..], "the last piece");
        }
    }

    #[test]
    fn repeated_reads_return_the_contents() {
        let contents: Vec<u8> = (0..10_000_u32).map(|i| i.to_le_bytes()[0]).collect();
        check(&CachedFile::in_memory(&contents).unwrap(), &contents);
        check(&CachedFile::in_memory(&[]).unwrap(), &[]);
        check(&CachedFile::unnamed_in(&std::env::temp_dir(), &contents).unwrap(), &contents);
        assert_eq!(
            CachedFile::unnamed_in(Path::new("/nonexistent"), &contents).unwrap_err(),
            Errno(libc::ENOENT)
        );
    }
}
