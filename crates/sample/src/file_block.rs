//! Blocks of memory that are parts of a file, in a measured child.

use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use sys::Errno;
use sys::copy::{BUFFER_BYTES, Buffer, FileReader};
use sys::filemap::{FileMapping, Hint, Sharing};
use sys::limits::page_bytes;
use sys::memory::Memory;
use sys::reopen::{Inherited, Route, memory_file};

use crate::block::{Block, as_memory};
use crate::protocol::JobFile;

thread_local! {
    /// The buffer that a thread copies all its blocks into, like a program that reads one file
    /// after another.
    static BUFFER: Buffer = Buffer::new(BUFFER_BYTES);
}

/// The file that the parent has created, handed out part by part; blocks that are obtained anew
/// start at its beginning again.
pub(crate) struct FileParts {
    file: Inherited,
    bytes: u64,
    next: AtomicU64,
}

impl FileParts {
    pub(crate) fn new(file: JobFile) -> Self {
        FileParts {
            file: Inherited::new(file.descriptor),
            bytes: file.bytes,
            next: AtomicU64::new(0),
        }
    }

    /// The offset of the next part of `len` bytes.
    fn next(&self, len: usize) -> u64 {
        let step = (len as u64).next_multiple_of(page_bytes());
        let fits = |start: u64| if start + step > self.bytes { 0 } else { start };
        let took = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |start| Some(fits(start) + step));
        fits(took.unwrap_or(0))
    }

    /// Opens the file and maps a part.
    #[inline]
    pub(crate) fn map(
        &self,
        len: usize,
        sharing: Sharing,
        hint: Hint,
    ) -> Result<FileMapping, Errno> {
        FileMapping::new(self.file.open(Route::Cached)?, self.next(len), len, sharing, hint)
    }

    /// Opens the file for reading a part.
    #[inline]
    pub(crate) fn copied(&self, len: usize, call: Call, route: Route) -> Result<Copied, Errno> {
        let (file, start) = (self.file.open(route)?, self.next(len));
        let reader = BUFFER.with(|buffer| FileReader::new(file, start, len, buffer))?;
        Ok(Copied { reader, call, failure: None })
    }
}

/// A new file in memory, mapped.
#[inline]
pub(crate) fn in_memory(len: usize) -> Result<FileMapping, Errno> {
    FileMapping::new(memory_file(len as u64)?, 0, len, Sharing::Shared, Hint::None)
}

impl Block for FileMapping {
    as_memory!();
    #[inline]
    fn sum(&mut self) {
        black_box(FileMapping::sum(self));
    }
    #[inline]
    fn sum_of(&mut self, range: Range<usize>) {
        black_box(FileMapping::sum_of(self, range));
    }
    fn give_back(&mut self, lazily: bool) -> Result<(), Errno> {
        if lazily { Err(Errno::NOT_SUPPORTED) } else { self.forget_pages() }
    }
}

/// The call that copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Pread,
}

/// A part of a file that is copied through a buffer.
pub(crate) struct Copied {
    reader: FileReader,
    call: Call,
    failure: Option<Errno>,
}

impl Copied {
    fn note<T>(&mut self, outcome: Result<T, Errno>) {
        match outcome {
            Ok(value) => _ = black_box(value),
            Err(errno) => self.failure = Some(errno),
        }
    }
}

impl Block for Copied {
    fn prepare() {
        BUFFER.with(|_| ());
    }
    // `FileSource::unfit` refuses such experiments; if one gets here, it fails.
    fn fill(&mut self, _value: u8) {
        self.failure = Some(Errno::NOT_SUPPORTED);
    }
    fn write(&mut self, _offset: usize, _value: u8) {
        self.failure = Some(Errno::NOT_SUPPORTED);
    }
    #[inline]
    fn read(&mut self, offset: usize) {
        let outcome = self.reader.read_page(offset);
        self.note(outcome);
    }
    #[inline]
    fn sum(&mut self) {
        let outcome = match self.call {
            Call::Read => self.reader.sum_by_read(),
            Call::Pread => self.reader.sum_by_pread(),
        };
        self.note(outcome);
    }
    #[inline]
    fn sum_of(&mut self, range: Range<usize>) {
        let outcome = self.reader.sum_of(range);
        self.note(outcome);
    }
    fn failure(&self) -> Option<Errno> {
        self.failure
    }
    fn address(&self) -> usize {
        self.reader.address()
    }
    fn len(&self) -> usize {
        self.reader.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_start_again() {
        let page = page_bytes();
        let len = usize::try_from(page + 1).unwrap();
        let parts = FileParts::new(JobFile { descriptor: 0, bytes: 6 * page });
        let starts: Vec<u64> = (0..5).map(|_| parts.next(len)).collect();
        assert_eq!(starts, [0, 2 * page, 4 * page, 0, 2 * page]);
    }
}
