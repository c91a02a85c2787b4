//! The payload of a chunk: columns, each compressed if that pays.
//!
//! A varint with the number of columns; for each column its codec (0 as it is, 1 an LZ4 block), its
//! length as stored, and its length; then the columns, one after the other. A reader ignores
//! columns beyond those that it knows, and takes missing ones as empty.

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use crate::bytes::{Cursor, Malformed, put};

/// The limit of all columns of a chunk, unpacked. What encoders make is far below.
pub(crate) const UNPACKED_BYTES_MAX: usize = 8 << 20;
const COLUMNS_MAX: u64 = 64;
const AS_IT_IS: u64 = 0;
const LZ4: u64 = 1;

/// A column for a [`Packer`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column<'a> {
    /// Compressed if that saves an eighth.
    Regular(&'a [u8]),
    /// Stored as it is: times and latencies, in which LZ4 finds nothing.
    Noisy(&'a [u8]),
}

/// Packs columns. It keeps its buffers.
#[derive(Default)]
pub(crate) struct Packer {
    table: CompressTable,
    compressed: Vec<u8>,
    directory: Vec<u8>,
    /// For each column, the number of payloads in which it is not worth a try.
    pauses: [u8; 8],
}

/// After a column could not be compressed, the number of payloads in which that is not tried.
const PAUSE: u8 = 7;

impl Packer {
    /// Appends a payload to `into`, and returns the sum of the columns' lengths.
    pub(crate) fn pack(&mut self, columns: &[Column], into: &mut Vec<u8>) -> usize {
        self.directory.clear();
        self.compressed.clear();
        put(&mut self.directory, columns.len() as u64);
        let mut total = 0;
        for (number, column) in columns.iter().enumerate() {
            let (Column::Regular(bytes) | Column::Noisy(bytes)) = *column;
            total += bytes.len();
            let (codec, stored) = match column {
                Column::Regular(_) => self.compress(number, bytes),
                Column::Noisy(_) => self.keep(bytes),
            };
            put(&mut self.directory, codec);
            put(&mut self.directory, stored as u64);
            put(&mut self.directory, bytes.len() as u64);
        }
        into.extend_from_slice(&self.directory);
        into.extend_from_slice(&self.compressed);
        total
    }

    fn keep(&mut self, bytes: &[u8]) -> (u64, usize) {
        self.compressed.extend_from_slice(bytes);
        (AS_IT_IS, bytes.len())
    }

    fn compress(&mut self, number: usize, bytes: &[u8]) -> (u64, usize) {
        let start = self.compressed.len();
        let pause = &mut self.pauses[number % 8];
        if *pause > 0 {
            *pause -= 1;
        } else if bytes.len() >= 64 {
            *pause = PAUSE;
            self.compressed.resize(start + get_maximum_output_size(bytes.len()), 0);
            let room = &mut self.compressed[start..];
            let stored = compress_into_with_table(bytes, room, &mut self.table);
            if let Some(stored) = stored.ok().filter(|stored| *stored < bytes.len() / 8 * 7) {
                self.pauses[number % 8] = 0;
                self.compressed.truncate(start + stored);
                return (LZ4, stored);
            }
            self.compressed.truncate(start);
        }
        self.keep(bytes)
    }
}

/// The unpacked columns of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns(Vec<Vec<u8>>);

impl Columns {
    /// Unpacks a payload.
    pub(crate) fn unpack(payload: &[u8]) -> Result<Columns, Malformed> {
        let mut cursor = Cursor::new(0);
        let count = cursor.take(payload)?;
        if count > COLUMNS_MAX {
            return Err(Malformed);
        }
        let mut directory = Vec::new();
        let mut left = UNPACKED_BYTES_MAX as u64;
        for _ in 0..count {
            let (codec, stored) = (cursor.take(payload)?, cursor.take(payload)?);
            let len = cursor.take(payload)?;
            left = left.checked_sub(len).ok_or(Malformed)?;
            directory.push((codec, stored, usize::try_from(len).map_err(|_| Malformed)?));
        }
        let mut columns = Vec::with_capacity(directory.len());
        for (codec, stored, len) in directory {
            let bytes = cursor.take_bytes(payload, stored)?;
            columns.push(match codec {
                AS_IT_IS if bytes.len() == len => bytes.to_vec(),
                // An LZ4 block expands a byte to at most 255.
                LZ4 if len / 255 <= bytes.len() => {
                    let mut unpacked = vec![0; len];
                    let found = lz4_flex::block::decompress_into(bytes, &mut unpacked);
                    found.ok().filter(|found| *found == len).ok_or(Malformed)?;
                    unpacked
                }
                _ => return Err(Malformed),
            });
        }
        Ok(Columns(columns))
    }

    /// The sum of the columns' lengths.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// The column with this number; empty if the chunk lacks it.
    pub(crate) fn get(&self, number: usize) -> &[u8] {
        self.0.get(number).map_or(&[], |column| column)
    }

    /// The first `N` columns.
    pub(crate) fn into_array<const N: usize>(mut self) -> [Vec<u8>; N] {
        self.0.resize(N, Vec::new());
        let mut columns = self.0.into_iter();
        std::array::from_fn(|_| columns.next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn columns_come_back(
            columns in prop::collection::vec(prop::collection::vec(0..4_u8, 0..300), 0..9)
        ) {
            let mut packer = Packer::default();
            for wrap in [Column::Regular, Column::Noisy] {
                let wrapped: Vec<Column> = columns.iter().map(|column| wrap(column)).collect();
                let mut payload = Vec::new();
                let total = packer.pack(&wrapped, &mut payload);
                prop_assert_eq!(total, columns.iter().map(Vec::len).sum::<usize>());
                let unpacked = Columns::unpack(&payload).unwrap();
                prop_assert_eq!(unpacked.get(columns.len()), &[] as &[u8]);
                prop_assert_eq!(&unpacked.0, &columns);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_read(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(columns) = Columns::unpack(&payload) {
                prop_assert!(columns.len() <= 255 * payload.len() + 254);
            }
        }
    }

    #[test]
    fn a_column_is_never_larger_than_its_payload_allows() {
        let mut payload = Vec::new();
        for number in [1, LZ4, 4, 1 << 20] {
            put(&mut payload, number);
        }
        payload.extend_from_slice(&[0; 4]);
        assert_eq!(Columns::unpack(&payload), Err(Malformed));
    }
}
