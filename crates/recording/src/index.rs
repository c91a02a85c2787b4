//! The index: what every chunk's header says, in the order of the file.
//!
//! | column | contents |
//! |---|---|
//! | kinds | two bytes: kind and flags |
//! | sources | the difference to the previous one, zigzag |
//! | lengths | of the payload as stored |
//! | records | their number |
//! | firsts | the earliest beginning, less that of the previous chunk, zigzag |
//! | spans | from the earliest beginning to the latest |
//!
//! Chunks stand one behind the other, so lengths give the offsets.

use std::fmt;

use crate::Chunk;
use crate::bytes::{Cursor, Malformed, put, unzigzag, zigzag};
use crate::chunk::{ChunkHeader, FILE_HEADER_BYTES, HEADER_BYTES, append_chunk, kind};
use crate::columns::{Column, Columns, Packer};

/// The number of entries in a chunk of the index.
const ENTRIES: u32 = 1 << 16;

/// A chunk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it begins.
    pub(crate) offset: u64,
    /// As in its header.
    pub(crate) first_ns: u64,
    /// As in its header.
    pub(crate) last_ns: u64,
    /// As in its header.
    pub(crate) stored_bytes: u32,
    /// As in its header.
    pub(crate) source: u32,
    /// As in its header.
    pub(crate) records: u32,
    /// As in its header.
    pub(crate) kind: u8,
    /// As in its header.
    pub(crate) flags: u8,
}

impl Entry {
    /// The entry of a chunk.
    pub(crate) fn new(offset: u64, header: &ChunkHeader) -> Entry {
        let ChunkHeader { kind, flags, source, stored_bytes, records, first_ns, last_ns, .. } =
            *header;
        Entry { offset, first_ns, last_ns, stored_bytes, source, records, kind, flags }
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> u64 {
        let header = ChunkHeader { stored_bytes: self.stored_bytes, ..ChunkHeader::default() };
        self.offset.saturating_add(header.chunk_bytes())
    }
}

/// Makes the chunks of the index. It takes some ten bytes of memory for each chunk of the file.
#[derive(Default)]
pub(crate) struct IndexEncoder {
    columns: [Vec<u8>; 6],
    records: u32,
    previous_source: u64,
    previous_ns: u64,
    packer: Packer,
    full: Chunk,
}

impl IndexEncoder {
    /// Adds the next chunk of the file.
    pub(crate) fn push(&mut self, header: &ChunkHeader) {
        let [kinds, sources, lengths, records, firsts, spans] = &mut self.columns;
        kinds.extend([header.kind, header.flags]);
        let source = u64::from(header.source);
        put(sources, zigzag(source.wrapping_sub(self.previous_source)));
        put(lengths, header.stored_bytes.into());
        put(records, header.records.into());
        put(firsts, zigzag(header.first_ns.wrapping_sub(self.previous_ns)));
        put(spans, header.last_ns.wrapping_sub(header.first_ns));
        (self.previous_source, self.previous_ns) = (source, header.first_ns);
        self.records += 1;
        if self.records == ENTRIES {
            self.seal();
        }
    }

    /// What the chunks take at most, with an entry for the summary.
    pub(crate) fn bytes_max(&self) -> u64 {
        const ENTRY_BYTES_MAX: usize = 64;
        const DIRECTORY_BYTES_MAX: usize = 128;
        let columns: usize = self.columns.iter().map(Vec::len).sum();
        let chunk = HEADER_BYTES + DIRECTORY_BYTES_MAX;
        (self.full.bytes.len() + columns + chunk + ENTRY_BYTES_MAX) as u64
    }

    /// All chunks of the index.
    pub(crate) fn finish(mut self) -> Chunk {
        if self.records > 0 {
            self.seal();
        }
        self.full
    }

    fn seal(&mut self) {
        let records = std::mem::take(&mut self.records);
        let header = ChunkHeader { kind: kind::INDEX, records, ..ChunkHeader::default() };
        let columns = self.columns.each_ref().map(|column| Column::Regular(column));
        append_chunk(&mut self.full.bytes, header, |into| self.packer.pack(&columns, into));
        self.columns.each_mut().into_iter().for_each(Vec::clear);
        (self.previous_source, self.previous_ns) = (0, 0);
    }
}

impl fmt::Debug for IndexEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexEncoder").field("records", &self.records).finish_non_exhaustive()
    }
}

/// The last chunk of a file whose index begins at `index`.
pub(crate) fn encode_end(index: u64) -> Chunk {
    let mut chunk = Chunk::default();
    let header =
        ChunkHeader { kind: kind::END, first_ns: index, last_ns: index, ..ChunkHeader::default() };
    append_chunk(&mut chunk.bytes, header, |_| 0);
    chunk
}

/// Appends the entries of a chunk of the index.
pub(crate) fn decode(
    header: &ChunkHeader,
    columns: &Columns,
    entries: &mut Vec<Entry>,
) -> Result<(), Malformed> {
    if header.records > ENTRIES {
        return Err(Malformed);
    }
    let mut cursors = [Cursor::default(); 6];
    let (mut source, mut first_ns) = (0_u64, 0_u64);
    let mut offset = entries.last().map_or(FILE_HEADER_BYTES as u64, Entry::end);
    for _ in 0..header.records {
        let [kinds, sources, lengths, records, firsts, spans] = &mut cursors;
        let &[kind, flags] = kinds.take_bytes(columns.get(0), 2)? else { return Err(Malformed) };
        source = source.wrapping_add(unzigzag(sources.take(columns.get(1))?));
        first_ns = first_ns.wrapping_add(unzigzag(firsts.take(columns.get(4))?));
        let entry = Entry {
            offset,
            first_ns,
            last_ns: first_ns.wrapping_add(spans.take(columns.get(5))?),
            stored_bytes: lengths.take_u32(columns.get(2))?,
            source: u32::try_from(source).map_err(|_| Malformed)?,
            records: records.take_u32(columns.get(3))?,
            kind,
            flags,
        };
        offset = entry.end();
        entries.push(entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_entries_fill_several_chunks() {
        let header = |n: u32| ChunkHeader {
            kind: (n % 9) as u8,
            flags: (n % 2) as u8,
            source: n.wrapping_mul(77_777),
            stored_bytes: n % 1000,
            records: n,
            first_ns: u64::from(n) << 40,
            last_ns: u64::MAX - u64::from(n),
            ..ChunkHeader::default()
        };
        let (mut encoder, mut expected) = (IndexEncoder::default(), Vec::new());
        let mut offset = FILE_HEADER_BYTES as u64;
        for number in 0..2 * ENTRIES + 5 {
            encoder.push(&header(number));
            expected.push(Entry::new(offset, &header(number)));
            offset += header(number).chunk_bytes();
        }
        let bytes = encoder.finish().bytes;
        let (mut at, mut chunks, mut found) = (0, 0, Vec::new());
        while let Some(header) = ChunkHeader::from_bytes(&bytes[at..]) {
            let end = at + usize::try_from(header.chunk_bytes()).unwrap();
            let columns = Columns::unpack(&bytes[at + HEADER_BYTES..end]).unwrap();
            decode(&header, &columns, &mut found).unwrap();
            (at, chunks) = (end, chunks + 1);
        }
        assert_eq!((at, chunks), (bytes.len(), 3));
        assert!(found == expected, "{} of {}", found.len(), expected.len());
    }
}
