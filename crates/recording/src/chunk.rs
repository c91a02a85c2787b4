//! Chunks: a header of 48 bytes with two checksums, and a payload.

/// The file header: magic (not text, and damaged by a transfer as text), version, checksum.
pub const FILE_MAGIC: [u8; 8] = *b"\x89FTR\r\n\x1a\n";
/// A reader refuses files of a higher major version.
pub(crate) const MAJOR: u16 = 2;
/// Files of a higher minor version have kinds, columns or fields that a reader can ignore.
pub(crate) const MINOR: u16 = 0;
/// The length of the file header.
pub(crate) const FILE_HEADER_BYTES: usize = 16;
/// The length of the header of a chunk.
pub(crate) const HEADER_BYTES: usize = 48;
/// The start of every chunk.
pub(crate) const MAGIC: [u8; 4] = *b"\xf1chk";
/// The limit of events in a chunk.
pub(crate) const RECORDS_MAX: u32 = 1 << 16;
/// The flag of a chunk whose events are not in the order of their beginnings.
pub(crate) const UNSORTED: u8 = 1;

/// The file header of this version.
pub(crate) fn file_header() -> [u8; FILE_HEADER_BYTES] {
    let mut bytes = [0; FILE_HEADER_BYTES];
    bytes[..8].copy_from_slice(&FILE_MAGIC);
    bytes[8..10].copy_from_slice(&MAJOR.to_le_bytes());
    bytes[10..12].copy_from_slice(&MINOR.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The numbers of the kinds of chunks.
pub(crate) mod kind {
    /// The header of the stream, and [`crate::About`].
    pub(crate) const START: u8 = 1;
    /// Definitions.
    pub(crate) const DEFINITIONS: u8 = 2;
    /// Events of all kinds.
    pub(crate) const OBSERVED: u8 = 3;
    /// Allocation calls of one thread.
    pub(crate) const CALLS: u8 = 4;
    /// Switches of the recorder.
    pub(crate) const SWITCHES: u8 = 5;
    /// What probes say of themselves.
    pub(crate) const COUNTS: u8 = 6;
    /// [`crate::RecordingSummary`].
    pub(crate) const SUMMARY: u8 = 7;
    /// A part of the index.
    pub(crate) const INDEX: u8 = 8;
    /// The last chunk: `first_ns` is the offset of the first part of the index; no payload.
    pub(crate) const END: u8 = 9;
    /// Levels of thinning ([`events::Thinning`]).
    pub(crate) const THINNING: u8 = 10;
    /// Counts of calls ([`events::CallCounts`]).
    pub(crate) const CALL_COUNTS: u8 = 11;
    /// Times in which threads were not on a processor.
    pub(crate) const ABSENCES: u8 = 12;
}

/// A source of events in a recording. The recorder assigns the numbers: [`SourceId::OBSERVED`] is
/// that of [`encode_batch`](crate::encode_batch), each thread with allocation calls has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

impl SourceId {
    /// The merged stream of `collect`: syscalls, faults, mappings, lives, gaps.
    pub const OBSERVED: SourceId = SourceId(0);
}

/// Encoded chunks, each complete: one, or several if its events did not fit into one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    pub(crate) bytes: Vec<u8>,
}

impl Chunk {
    /// The bytes, as they stand in a file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nothing was encoded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// The header of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChunkHeader {
    /// A number of [`kind`], or an unknown one.
    pub(crate) kind: u8,
    /// [`UNSORTED`]; other bits are unknown.
    pub(crate) flags: u8,
    /// The source of its events.
    pub(crate) source: u32,
    /// The length of the payload.
    pub(crate) stored_bytes: u32,
    /// The sum of its columns, unpacked.
    pub(crate) unpacked_bytes: u32,
    /// The number of events or other records.
    pub(crate) records: u32,
    /// The earliest beginning of an event.
    pub(crate) first_ns: u64,
    /// The latest beginning of an event.
    pub(crate) last_ns: u64,
    /// The CRC-32 of the payload.
    pub(crate) payload_crc: u32,
}

impl ChunkHeader {
    /// Its bytes: all numbers little endian, and a CRC-32 of the 44 bytes before it at the end.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.kind;
        bytes[5] = self.flags;
        bytes[8..12].copy_from_slice(&self.source.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.stored_bytes.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.unpacked_bytes.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.records.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first_ns.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.last_ns.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.payload_crc.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..44]);
        bytes[44..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The header with these bytes; `None` if it is none, or damaged.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<ChunkHeader> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let time = |at: usize| u64::from(number(at)) | u64::from(number(at + 4)) << 32;
        if bytes[..4] != MAGIC || crc32fast::hash(&bytes[..44]) != number(44) {
            return None;
        }
        Some(ChunkHeader {
            kind: bytes[4],
            flags: bytes[5],
            source: number(8),
            stored_bytes: number(12),
            unpacked_bytes: number(16),
            records: number(20),
            first_ns: time(24),
            last_ns: time(32),
            payload_crc: number(40),
        })
    }

    /// The length of the whole chunk.
    pub(crate) fn chunk_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.stored_bytes)
    }
}

/// Appends a chunk whose payload `write` appends, returning the length of its columns.
pub(crate) fn append_chunk(
    into: &mut Vec<u8>,
    header: ChunkHeader,
    write: impl FnOnce(&mut Vec<u8>) -> usize,
) {
    let start = into.len();
    into.extend_from_slice(&[0; HEADER_BYTES]);
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let unpacked_bytes = length(write(into));
    let payload = &into[start + HEADER_BYTES..];
    let stored_bytes = length(payload.len());
    let payload_crc = crc32fast::hash(payload);
    let header = ChunkHeader { stored_bytes, unpacked_bytes, payload_crc, ..header };
    into[start..start + HEADER_BYTES].copy_from_slice(&header.to_bytes());
}

/// What the events of a chunk say about its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    first_ns: u64,
    last_ns: u64,
    previous_ns: u64,
    is_unsorted: bool,
    records: u32,
}

impl Default for Extent {
    fn default() -> Self {
        Extent { first_ns: u64::MAX, last_ns: 0, previous_ns: 0, is_unsorted: false, records: 0 }
    }
}

impl Extent {
    /// Adds an event that begins at `time_ns`.
    #[inline]
    pub(crate) fn add(&mut self, time_ns: u64) {
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
        self.is_unsorted |= time_ns < self.previous_ns;
        self.previous_ns = time_ns;
        self.records += 1;
    }

    /// The number of events.
    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    /// The header of a chunk with these events.
    pub(crate) fn header(&self, kind: u8, source: SourceId) -> ChunkHeader {
        ChunkHeader {
            kind,
            flags: if self.is_unsorted { UNSORTED } else { 0 },
            source: source.0,
            records: self.records,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            ..ChunkHeader::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_unless_a_bit_changes() {
        let header = ChunkHeader {
            kind: 4,
            flags: 1,
            source: 7,
            stored_bytes: 100,
            unpacked_bytes: 200,
            records: 3,
            first_ns: 1 << 40,
            last_ns: u64::MAX,
            payload_crc: 9,
        };
        let bytes = header.to_bytes();
        assert_eq!(ChunkHeader::from_bytes(&bytes), Some(header));
        for bit in 0..HEADER_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ChunkHeader::from_bytes(&damaged), None, "bit {bit}");
        }
        assert_eq!(ChunkHeader::from_bytes(&bytes[..47]), None);
    }
}
