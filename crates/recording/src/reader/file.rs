//! Finds and reads chunks in a file.

use std::io::{self, Read, Seek, SeekFrom};

use super::Damage;
use crate::chunk::{ChunkHeader, FILE_HEADER_BYTES, HEADER_BYTES, MAGIC, kind};
use crate::columns::{Columns, UNPACKED_BYTES_MAX};
use crate::index::{self, Entry};

/// What a chunk may take in the file: its columns as they are, their directory, and the header.
const CHUNK_BYTES_MAX: u64 = (UNPACKED_BYTES_MAX + 4096) as u64;
/// What is read at once when walking.
const WINDOW_BYTES: usize = 1 << 16;

/// A file of chunks.
#[derive(Debug)]
pub(super) struct ChunkFile<R> {
    file: R,
    len: u64,
    /// Bytes of the file, from `start`.
    window: Vec<u8>,
    start: u64,
    /// What could not be read.
    pub(super) damage: Damage,
}

impl<R: Read + Seek> ChunkFile<R> {
    /// A file from its first byte.
    pub(super) fn new(mut file: R) -> io::Result<Self> {
        let len = file.seek(SeekFrom::End(0))?;
        Ok(ChunkFile { file, len, window: Vec::new(), start: 0, damage: Damage::default() })
    }

    /// The length of the file.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes from `at`: `count` of them, or fewer at the end of the file. `count` is at most a
    /// chunk.
    pub(super) fn bytes(&mut self, at: u64, count: usize) -> io::Result<&[u8]> {
        let count = usize::try_from(self.len.saturating_sub(at)).unwrap_or(count).min(count);
        let within = at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        if let Some(skip) = within
            .filter(|skip| skip.checked_add(count).is_some_and(|end| end <= self.window.len()))
        {
            return Ok(&self.window[skip..skip + count]);
        }
        let left = usize::try_from(self.len - at.min(self.len)).unwrap_or(WINDOW_BYTES);
        self.window.clear();
        self.window.resize(count.max(WINDOW_BYTES).min(left), 0);
        self.start = at;
        self.file.seek(SeekFrom::Start(at))?;
        if let Err(error) = self.file.read_exact(&mut self.window) {
            self.window.clear();
            return Err(error);
        }
        Ok(&self.window[..count])
    }

    /// Reads a chunk; `None`, and counted, if it is damaged.
    pub(super) fn chunk(&mut self, entry: &Entry) -> io::Result<Option<(ChunkHeader, Columns)>> {
        if entry.end() - entry.offset > CHUNK_BYTES_MAX {
            self.lose(entry);
            return Ok(None);
        }
        let count = HEADER_BYTES + entry.stored_bytes as usize;
        let bytes = self.bytes(entry.offset, count)?;
        let found = ChunkHeader::from_bytes(bytes)
            .filter(|header| Entry::new(entry.offset, header) == *entry)
            .and_then(|header| {
                let payload = bytes.get(HEADER_BYTES..count)?;
                let intact = crc32fast::hash(payload) == header.payload_crc;
                let columns = intact.then(|| Columns::unpack(payload))?.ok()?;
                Some((header, columns))
            });
        if found.is_none() {
            self.lose(entry);
        }
        Ok(found)
    }

    /// Counts a chunk as damaged.
    pub(super) fn lose(&mut self, entry: &Entry) {
        self.damage.chunks += 1;
        self.damage.bytes += entry.end() - entry.offset;
    }

    /// The chunks as the index lists them; `None` if there is no valid index.
    pub(super) fn indexed(&mut self) -> io::Result<Option<Vec<Entry>>> {
        let Some(end_at) = self.len.checked_sub(HEADER_BYTES as u64) else { return Ok(None) };
        let end = ChunkHeader::from_bytes(self.bytes(end_at, HEADER_BYTES)?);
        let Some(end) = end.filter(|end| end.kind == kind::END) else { return Ok(None) };
        let (mut at, mut entries) = (end.first_ns, Vec::new());
        let damage = self.damage;
        while at < end_at {
            let header = ChunkHeader::from_bytes(self.bytes(at, HEADER_BYTES)?);
            let Some(header) = header.filter(|header| header.kind == kind::INDEX) else {
                return Ok(None);
            };
            let entry = Entry::new(at, &header);
            let chunk = if entry.end() <= end_at { self.chunk(&entry)? } else { None };
            let decoded =
                chunk.map(|(header, columns)| index::decode(&header, &columns, &mut entries));
            // More chunks than there is room for before the index are a lie.
            let fits = entries.last().is_none_or(|last| last.end() <= end.first_ns);
            if decoded != Some(Ok(())) || !fits {
                // The chunks themselves may be intact.
                self.damage = damage;
                return Ok(None);
            }
            at = entry.end();
        }
        let end_of_chunks = entries.last().map_or(FILE_HEADER_BYTES as u64, Entry::end);
        Ok((end_of_chunks == end.first_ns).then_some(entries))
    }

    /// The chunks as they are found from the start to the end. Stretches without a chunk are
    /// counted as damage.
    pub(super) fn walked(&mut self) -> io::Result<Vec<Entry>> {
        let (mut at, mut entries) = (FILE_HEADER_BYTES as u64, Vec::new());
        while at < self.len {
            if let Some(entry) = self.entry_at(at)? {
                entries.push(entry);
                at = entry.end();
            } else {
                let next = self.search(at + 1)?;
                self.damage.chunks += 1;
                self.damage.bytes += next - at;
                at = next;
            }
        }
        Ok(entries)
    }

    /// The chunk that begins at `at`, if it is whole.
    fn entry_at(&mut self, at: u64) -> io::Result<Option<Entry>> {
        let header = ChunkHeader::from_bytes(self.bytes(at, HEADER_BYTES)?);
        let entry = header.map(|header| Entry::new(at, &header));
        Ok(entry.filter(|entry| entry.end() <= self.len))
    }

    /// Some bytes from `at`, at least those of a header unless the file ends. Each byte is read
    /// from the file a limited number of times, whatever it contains.
    fn ahead(&mut self, at: u64) -> io::Result<&[u8]> {
        self.bytes(at, HEADER_BYTES)?;
        let skip = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.window.get(skip..).unwrap_or_default())
    }

    /// Where the next chunk begins, from `at` on; the end of the file if there is none.
    fn search(&mut self, mut at: u64) -> io::Result<u64> {
        while at < self.len {
            let bytes = self.ahead(at)?;
            let found = bytes.windows(MAGIC.len()).position(|window| window == MAGIC);
            // A magic may be cut off at the end of the window.
            let skip = found.unwrap_or(bytes.len().saturating_sub(MAGIC.len() - 1).max(1));
            at += skip as u64;
            if found.is_some() {
                if self.entry_at(at)?.is_some() {
                    return Ok(at);
                }
                at += 1;
            }
        }
        Ok(self.len)
    }
}
