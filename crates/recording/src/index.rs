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

use crate::Chunk;
use crate::bytes::{Cursor, Malformed, put, unzigzag, zigzag};
use crate::chunk::{ChunkHeader, FILE_HEADER_BYTES, append_chunk, kind};
use crate::columns::{Column, Columns, Packer};

/// The number of entries in a chunk of the index.
const ENTRIES: usize = 1 << 16;

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

/// The chunks of the index.
pub(crate) fn encode(entries: &[Entry]) -> Chunk {
    let (mut chunk, mut packer) = (Chunk::default(), Packer::default());
    for part in entries.chunks(ENTRIES) {
        let mut columns: [Vec<u8>; 6] = Default::default();
        let (mut previous_source, mut previous_ns) = (0, 0);
        for entry in part {
            let [kinds, sources, lengths, records, firsts, spans] = &mut columns;
            kinds.extend([entry.kind, entry.flags]);
            let source = u64::from(entry.source);
            put(sources, zigzag(source.wrapping_sub(previous_source)));
            put(lengths, entry.stored_bytes.into());
            put(records, entry.records.into());
            put(firsts, zigzag(entry.first_ns.wrapping_sub(previous_ns)));
            put(spans, entry.last_ns.wrapping_sub(entry.first_ns));
            (previous_source, previous_ns) = (source, entry.first_ns);
        }
        let records = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let header = ChunkHeader { kind: kind::INDEX, records, ..ChunkHeader::default() };
        let columns = columns.each_ref().map(|column| Column::Regular(column));
        append_chunk(&mut chunk.bytes, header, |into| packer.pack(&columns, into));
    }
    chunk
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
