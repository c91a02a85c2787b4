//! Writes a recording.

use std::io::{self, Write};

use events::Header;

use crate::about::{encode_start, encode_summary};
use crate::chunk::{ChunkHeader, HEADER_BYTES, file_header};
use crate::index::{IndexEncoder, encode_end};
use crate::{About, Chunk, RecordingSummary};

/// Writes a recording, chunk by chunk. Each chunk is written at once and whole, so `W` needs no
/// buffer, and a recorder that is killed leaves all chunks that it has appended. The index takes
/// some ten bytes of memory for each chunk.
#[derive(Debug)]
pub struct Writer<W> {
    file: W,
    bytes_written: u64,
    index: IndexEncoder,
    has_failed: bool,
}

impl<W: Write> Writer<W> {
    /// Starts a recording.
    ///
    /// # Errors
    /// If the file cannot be written, or if the texts of `about` have more than 8 MiB.
    pub fn new(file: W, header: &Header, about: &About) -> io::Result<Self> {
        let start = encode_start(header, about).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the description takes more than 8 MiB")
        })?;
        let mut writer =
            Writer { file, bytes_written: 0, index: IndexEncoder::default(), has_failed: false };
        writer.write(&file_header())?;
        writer.append(&start)?;
        Ok(writer)
    }

    /// Appends a chunk.
    ///
    /// # Errors
    /// If the file cannot be written, such as when the disk is full. What was appended before can
    /// be read nevertheless; the rest of the recording is refused.
    pub fn append(&mut self, chunk: &Chunk) -> io::Result<()> {
        self.write(&chunk.bytes)?;
        let mut rest = chunk.bytes.as_slice();
        while let Some(header) = ChunkHeader::from_bytes(rest) {
            self.index.push(&header);
            let end = usize::try_from(header.chunk_bytes()).unwrap_or(usize::MAX);
            rest = rest.get(end..).unwrap_or_default();
        }
        Ok(())
    }

    /// The size of the file so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// What the end takes at most, with a summary whose text is short.
    #[must_use]
    pub fn end_bytes_max(&self) -> u64 {
        const SUMMARY_BYTES_MAX: u64 = 512;
        SUMMARY_BYTES_MAX + self.index.bytes_max() + HEADER_BYTES as u64
    }

    /// Writes the summary and the index, and returns the file.
    ///
    /// # Errors
    /// If the file cannot be written, now or before. What was appended can be read nevertheless.
    pub fn finish(mut self, summary: &RecordingSummary) -> io::Result<W> {
        self.append(&encode_summary(summary))?;
        let end = encode_end(self.bytes_written);
        let index = std::mem::take(&mut self.index).finish();
        self.write(&index.bytes)?;
        self.write(&end.bytes)?;
        self.file.flush()?;
        Ok(self.file)
    }

    /// Writes all bytes. After an error the position in the file is unknown.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.has_failed {
            return Err(io::Error::other("an earlier part of the recording could not be written"));
        }
        self.has_failed = true;
        self.file.write_all(bytes)?;
        self.has_failed = false;
        self.bytes_written += bytes.len() as u64;
        Ok(())
    }
}
