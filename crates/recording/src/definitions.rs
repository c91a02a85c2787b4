//! Chunks of definitions.
//!
//! | column | contents |
//! |---|---|
//! | numbers | for each definition its kind, its number and its numbers, as varints |
//! | bytes | texts and build ids |
//!
//! Numbers of texts, modules and frames are consecutive, but written nevertheless: a reader that
//! lost a chunk then refuses what follows instead of giving it wrong numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::{BuildId, Definition, Device, Frame, Module, ModuleId, Name, StackId};

use crate::Chunk;
use crate::bytes::{Cursor, Malformed, put, unzigzag, zigzag};
use crate::chunk::{ChunkHeader, RECORDS_MAX, append_chunk, kind};
use crate::columns::{Column, Columns, Packer};

const TEXT: u64 = 1;
const MODULE: u64 = 2;
const BUILD_ID: u64 = 3;
const FRAME: u64 = 4;
/// Longer texts are cut. Paths of Linux have at most 4096 bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;
/// A chunk is complete from this size on.
const CHUNK_BYTES: usize = 1 << 20;

/// Appends chunks with `definitions`.
pub(crate) fn encode(definitions: &[Definition], packer: &mut Packer, chunk: &mut Chunk) {
    let (mut numbers, mut bytes, mut records) = (Vec::new(), Vec::new(), 0);
    let mut last_address = 0;
    for (index, definition) in definitions.iter().enumerate() {
        put_definition(definition, &mut last_address, &mut numbers, &mut bytes);
        records += 1;
        let is_last = index + 1 == definitions.len();
        if is_last || records == RECORDS_MAX || numbers.len() + bytes.len() >= CHUNK_BYTES {
            let header = ChunkHeader { kind: kind::DEFINITIONS, records, ..ChunkHeader::default() };
            let columns = [Column::Regular(&numbers), Column::Regular(&bytes)];
            append_chunk(&mut chunk.bytes, header, |into| packer.pack(&columns, into));
            numbers.clear();
            bytes.clear();
            (records, last_address) = (0, 0);
        }
    }
}

fn put_definition(
    definition: &Definition,
    last_address: &mut u64,
    numbers: &mut Vec<u8>,
    bytes: &mut Vec<u8>,
) {
    let mut put_all = |all: &[u64]| all.iter().for_each(|&number| put(numbers, number));
    match definition {
        Definition::Text(name, text) => {
            let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
            put_all(&[TEXT, name.number().into(), text.len() as u64]);
            bytes.extend_from_slice(text.as_bytes());
        }
        Definition::Module(id, module) => {
            let Module { path, device, inode, generation } = *module;
            put_all(&[MODULE, id.number().into(), path.number().into()]);
            put_all(&[device.major.into(), device.minor.into(), inode, generation]);
        }
        Definition::BuildId(id, build_id) => {
            put_all(&[BUILD_ID, id.number().into(), build_id.as_bytes().len() as u64]);
            bytes.extend_from_slice(build_id.as_bytes());
        }
        Definition::Frame(id, frame) => {
            let distance = zigzag(frame.address.wrapping_sub(*last_address));
            put_all(&[FRAME, id.number().into(), frame.caller.number().into(), distance]);
            *last_address = frame.address;
        }
    }
}

/// Reads the definitions of a chunk.
pub(crate) fn decode(
    header: &ChunkHeader,
    columns: &Columns,
    into: &mut Vec<Definition>,
) -> Result<(), Malformed> {
    let (numbers, bytes) = (columns.get(0), columns.get(1));
    let (mut cursor, mut texts, mut last_address) = (Cursor::new(0), Cursor::new(0), 0);
    for _ in 0..header.records {
        let kind = cursor.take(numbers)?;
        let number = cursor.take_u32(numbers)?;
        into.push(match kind {
            TEXT => {
                let text = texts.take_bytes(bytes, cursor.take(numbers)?)?;
                let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
                Definition::Text(Name::from_number(number), Arc::from(text))
            }
            MODULE => {
                let path = Name::from_number(cursor.take_u32(numbers)?);
                let (major, minor) = (cursor.take_u32(numbers)?, cursor.take_u32(numbers)?);
                let (inode, generation) = (cursor.take(numbers)?, cursor.take(numbers)?);
                let device = Device { major, minor };
                let module = Module { path, device, inode, generation };
                Definition::Module(ModuleId::from_number(number), module)
            }
            BUILD_ID => {
                let id = texts.take_bytes(bytes, cursor.take(numbers)?)?;
                let id = BuildId::new(id).ok_or(Malformed)?;
                Definition::BuildId(ModuleId::from_number(number), id)
            }
            FRAME => {
                let caller = StackId::from_number(cursor.take_u32(numbers)?);
                let distance = unzigzag(cursor.take(numbers)?);
                last_address = distance.wrapping_add(last_address);
                let frame = Frame { caller, address: last_address };
                Definition::Frame(StackId::from_number(number), frame)
            }
            _ => return Err(Malformed),
        });
    }
    Ok(())
}

/// Numbers that are defined so far: after damage, definitions that refer to missing ones, or whose
/// numbers leave a gap, are refused. Every table accepts what this accepts.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    texts: u32,
    modules: u32,
    frames: u32,
    build_ids: BTreeSet<ModuleId>,
}

impl Sequence {
    /// Whether the stream can have this definition next.
    pub(crate) fn accepts(&mut self, definition: &Definition) -> bool {
        let is_next = |number: u32, last: &mut u32| {
            let is_next = last.checked_add(1) == Some(number);
            *last += u32::from(is_next);
            is_next
        };
        match definition {
            Definition::Text(name, _) => is_next(name.number(), &mut self.texts),
            Definition::Module(id, _) => is_next(id.number(), &mut self.modules),
            Definition::BuildId(id, _) => {
                (1..=self.modules).contains(&id.number()) && self.build_ids.insert(*id)
            }
            Definition::Frame(id, frame) => {
                frame.caller < *id && is_next(id.number(), &mut self.frames)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_many_definitions_fill_several_chunks() {
        let long: Arc<str> = "ä".repeat(TEXT_BYTES_MAX / 2 + 7).into();
        let given: Vec<Definition> =
            (1..20).map(|n| Definition::Text(Name::from_number(n), Arc::clone(&long))).collect();
        let mut chunk = Chunk::default();
        encode(&given, &mut Packer::default(), &mut chunk);
        let (mut at, mut found, mut chunks) = (0, Vec::new(), 0);
        while let Some(header) = ChunkHeader::from_bytes(&chunk.bytes[at..]) {
            let end = at + usize::try_from(header.chunk_bytes()).unwrap();
            let columns = Columns::unpack(&chunk.bytes[at + crate::chunk::HEADER_BYTES..end]);
            decode(&header, &columns.unwrap(), &mut found).unwrap();
            (at, chunks) = (end, chunks + 1);
        }
        assert_eq!((at, chunks, found.len()), (chunk.bytes.len(), 19, 19));
        let Definition::Text(_, text) = &found[18] else { panic!("{:?}", found[18]) };
        assert_eq!(**text, long[..TEXT_BYTES_MAX]);
    }
}
