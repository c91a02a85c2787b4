//! Reading files by copying: read(2) and pread(2), through the page cache or past it.
//!
//! Safety story: a [`Buffer`] is lent to one reader at a time, the kernel gets it as a slice, and
//! its bytes are summed up the way those of a mapping are.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::hint::black_box;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::rc::Rc;

use rustix::fs::{SeekFrom, seek};
use rustix::io::{Errno as RawErrno, pread, read};

use crate::Errno;
use crate::filemap::sum;
use crate::filesystem::direct_alignment_bytes;

/// The usual size of a buffer.
pub const BUFFER_BYTES: usize = 64 << 10;
/// Alignment of the buffer in memory: the largest that disks require for `O_DIRECT`.
const ALIGNMENT_BYTES: usize = 4096;

/// A piece of the buffer.
#[derive(Debug, Clone)]
#[repr(C, align(4096))]
struct Piece([u8; ALIGNMENT_BYTES]);

/// The buffer that files are copied into, reused by every read. All its pages are resident from the
/// start. Clones share one buffer.
#[derive(Debug, Clone)]
pub struct Buffer(Rc<RefCell<Vec<Piece>>>);

impl Buffer {
    /// A buffer of `bytes`, rounded up to whole pieces of 4 KiB, at least one.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        // Not zeros: the allocator would leave their pages to the first touch.
        let pieces = vec![Piece([1; ALIGNMENT_BYTES]); bytes.div_ceil(ALIGNMENT_BYTES).max(1)];
        Buffer(Rc::new(RefCell::new(pieces)))
    }

    fn bytes(&self) -> usize {
        self.0.borrow().len() * ALIGNMENT_BYTES
    }
}

/// A file, and the buffer that its contents are copied into.
#[derive(Debug)]
pub struct FileReader {
    file: OwnedFd,
    start: u64,
    len: usize,
    buffer: Buffer,
}

impl FileReader {
    /// A reader of `len` bytes of `file` from `start`, a `buffer` at a time.
    ///
    /// # Errors
    /// EINVAL: the size of `buffer` is not a multiple of what `O_DIRECT` requires for this file.
    pub fn new(file: OwnedFd, start: u64, len: usize, buffer: &Buffer) -> Result<Self, Errno> {
        let direct = direct_alignment_bytes(&file).map_or(1, |bytes| bytes as usize);
        if !buffer.bytes().is_multiple_of(direct) {
            return Err(Errno(libc::EINVAL));
        }
        Ok(FileReader { file, start, len, buffer: buffer.clone() })
    }

    /// Reads the whole range by consecutive read(2) calls and returns the sum of its bytes, the
    /// same sum as [`FileMapping::sum`](crate::filemap::FileMapping::sum) of it.
    ///
    /// # Errors
    /// The errno of lseek(2) or read(2): EIO; EINVAL if `O_DIRECT` requires other sizes.
    #[inline]
    pub fn sum_by_read(&mut self) -> Result<u64, Errno> {
        seek(&self.file, SeekFrom::Start(self.start)).map_err(|e| Errno(e.raw_os_error()))?;
        self.sum_of_parts(|file, buffer, _| read(file, buffer))
    }

    /// As [`Self::sum_by_read`], by pread(2).
    ///
    /// # Errors
    /// The errno of pread(2): as for read(2).
    #[inline]
    pub fn sum_by_pread(&mut self) -> Result<u64, Errno> {
        self.sum_of_parts(|file, buffer, offset| pread(file, buffer, offset))
    }

    #[inline]
    fn sum_of_parts(
        &mut self,
        mut read: impl FnMut(&OwnedFd, &mut [u8], u64) -> Result<usize, RawErrno>,
    ) -> Result<u64, Errno> {
        let mut pieces = self.buffer.0.borrow_mut();
        let (mut total, mut offset) = (0_u64, 0);
        while offset < self.len {
            // No further than requested, but O_DIRECT reads whole blocks.
            let left = self.len - offset;
            let buffer = bytes_of(&mut pieces);
            let until = left.next_multiple_of(ALIGNMENT_BYTES).min(buffer.len());
            let count = match read(&self.file, &mut buffer[..until], self.start + offset as u64) {
                Ok(0) => break,
                Ok(count) => count,
                Err(RawErrno::INTR) => continue,
                Err(e) => return Err(Errno(e.raw_os_error())),
            };
            let wanted = count.min(left);
            let Some(start) = NonNull::new(pieces.as_mut_ptr()) else {
                return Err(Errno::NO_MEMORY);
            };
            let start = start.cast();
            // SAFETY: the buffer is initialised, that long at least, and aligned to a page.
            total = total.wrapping_add(unsafe { sum(start, wanted) });
            offset += count;
        }
        Ok(total)
    }

    /// Copies `range` of the reader's part of the file by one pread(2) and returns the sum of its
    /// bytes.
    ///
    /// # Errors
    /// The errno of pread(2): as for read(2); ENODATA past the end of the file; EINVAL for more
    /// than the buffer holds.
    #[inline]
    pub fn sum_of(&mut self, range: Range<usize>) -> Result<u64, Errno> {
        let mut pieces = self.buffer.0.borrow_mut();
        let wanted = range.len();
        // O_DIRECT reads whole blocks.
        let Some(buffer) =
            bytes_of(&mut pieces).get_mut(..wanted.next_multiple_of(ALIGNMENT_BYTES))
        else {
            return Err(Errno(libc::EINVAL));
        };
        let count = fetch(&self.file, buffer, self.start + range.start as u64)?;
        let start = NonNull::from(buffer).cast();
        // SAFETY: the buffer is initialised, that long at least, and aligned to a page.
        Ok(unsafe { sum(start, count.min(wanted)) })
    }

    /// Copies 4 KiB from `offset` within the reader's part, a multiple of 4 KiB, by one pread(2),
    /// and returns the first byte.
    ///
    /// # Errors
    /// The errno of pread(2): as for read(2); ENODATA past the end of the file.
    #[inline]
    pub fn read_page(&mut self, offset: usize) -> Result<u8, Errno> {
        let mut pieces = self.buffer.0.borrow_mut();
        fetch(&self.file, &mut pieces[0].0, self.start + offset as u64)?;
        Ok(black_box(pieces[0].0[0]))
    }

    /// The number of bytes that it reads in all.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody reads a file of no bytes")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The address of the buffer.
    #[must_use]
    pub fn address(&self) -> usize {
        self.buffer.0.borrow().as_ptr().addr()
    }
}

/// One pread(2) that must return at least one byte; ENODATA past the end of the file.
#[inline]
fn fetch(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    loop {
        match pread(file, &mut *buffer, offset) {
            Ok(0) => return Err(Errno(libc::ENODATA)),
            Ok(count) => return Ok(count),
            Err(RawErrno::INTR) => {}
            Err(e) => return Err(Errno(e.raw_os_error())),
        }
    }
}

/// The pieces as one slice of bytes.
#[inline]
fn bytes_of(pieces: &mut [Piece]) -> &mut [u8] {
    let len = size_of_val(pieces);
    // SAFETY: a piece is an array of bytes without padding (its size is its alignment), and the
    // slice borrows them for as long.
    unsafe { std::slice::from_raw_parts_mut(pieces.as_mut_ptr().cast::<u8>(), len) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::filemap::{FileMapping, Hint, Sharing};
    use crate::reopen::{Inherited, Route};
    use crate::scratch::Scratch;
    use crate::scratch::tests::on_disk;

    fn again(scratch: &Scratch, route: Route) -> Result<OwnedFd, Errno> {
        Inherited::new(scratch.file().as_raw_fd()).open(route)
    }

    fn reader(scratch: &Scratch, route: Route) -> Result<FileReader, Errno> {
        let len = usize::try_from(scratch.len()).unwrap();
        FileReader::new(again(scratch, route)?, 0, len, &Buffer::new(BUFFER_BYTES))
    }

    #[test]
    fn every_way_of_reading_sees_the_same_bytes() {
        // Several buffers, the last of them partly filled, and an incomplete word at the end.
        let scratch =
            Scratch::create(&std::env::temp_dir(), 5 * BUFFER_BYTES as u64 + 5003).unwrap();
        let len = usize::try_from(scratch.len()).unwrap();
        let mapped =
            FileMapping::new(scratch.file(), 0, len, Sharing::Shared, Hint::None).unwrap().sum();
        let mut cached = reader(&scratch, Route::Cached).unwrap();
        assert_eq!(
            [cached.sum_by_read(), cached.sum_by_pread(), cached.sum_by_read()],
            [Ok(mapped); 3]
        );
        let mut byte = [0];
        scratch.file().read_exact_at(&mut byte, 80 * 4096).unwrap();
        assert_eq!(cached.read_page(80 * 4096), Ok(byte[0]));
        assert_eq!(cached.read_page(1 << 30), Err(Errno(libc::ENODATA)));
        let map = FileMapping::new(scratch.file(), 0, len, Sharing::Shared, Hint::None).unwrap();
        for range in [0..4096, 81_920..86_016, 5 * BUFFER_BYTES + 4096..len] {
            assert_eq!(cached.sum_of(range.clone()), Ok(map.sum_of(range)));
        }
        assert_eq!(cached.sum_of(1 << 30..(1 << 30) + 8), Err(Errno(libc::ENODATA)));
        assert_eq!(cached.sum_of(0..len), Err(Errno(libc::EINVAL)));
        let page = Buffer::new(4096);
        let mut part =
            FileReader::new(again(&scratch, Route::Cached).unwrap(), 0, 4099, &page).unwrap();
        let first =
            FileMapping::new(scratch.file(), 0, 4099, Sharing::Shared, Hint::None).unwrap().sum();
        assert_eq!((part.sum_by_pread(), part.len()), (Ok(first), 4099));
        let mut later =
            FileReader::new(again(&scratch, Route::Cached).unwrap(), 80 * 4096, 5000, &page)
                .unwrap();
        let same = FileMapping::new(scratch.file(), 80 * 4096, 5000, Sharing::Shared, Hint::None)
            .unwrap()
            .sum();
        assert_eq!([later.sum_by_read(), later.sum_by_pread()], [Ok(same); 2]);
        assert_eq!(later.read_page(0), Ok(byte[0]));
    }

    #[test]
    fn direct_reads_leave_nothing_in_the_cache() {
        let Some(scratch) = on_disk(1 << 20) else { return };
        let mut direct = match reader(&scratch, Route::Direct) {
            Ok(direct) => direct,
            Err(errno) => {
                return skips::skip(&format!(
                    "{} does not support O_DIRECT: {errno}",
                    scratch.filesystem().name()
                ));
            }
        };
        let mapped = FileMapping::new(scratch.file(), 0, 1 << 20, Sharing::Shared, Hint::None)
            .unwrap()
            .sum();
        assert_eq!(scratch.drop_cache(), Ok(0));
        assert_eq!(direct.sum_by_pread(), Ok(mapped));
        direct.read_page(4096).unwrap();
        assert_eq!(scratch.cached_bytes(1 << 20), Ok(0));
        reader(&scratch, Route::Cached).unwrap().sum_by_read().unwrap();
        assert_eq!(scratch.cached_bytes(1 << 20), Ok(1 << 20));
    }

    #[test]
    fn a_buffer_is_made_of_whole_pages() {
        assert_eq!(
            [0, 1000, 4096, 4097].map(|bytes| Buffer::new(bytes).bytes()),
            [4096, 4096, 4096, 8192]
        );
    }
}
