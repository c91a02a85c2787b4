//! Opens a recording.

use std::io::{Read, Seek};

use super::file::ChunkFile;
use super::runs::Runs;
use super::{ReadError, Reader};
use crate::about::{decode_counts, decode_start, decode_summary};
use crate::chunk::{FILE_HEADER_BYTES, FILE_MAGIC, MAJOR, kind};
use crate::definitions::Sequence;
use crate::index::Entry;
use crate::pauses::decode_switches;
use crate::thinned::{decode_call_counts, decode_thinning};

/// Opens a recording.
pub(super) fn open<R: Read + Seek>(file: R) -> Result<Reader<R>, ReadError> {
    let mut file = ChunkFile::new(file)?;
    check_version(&mut file)?;
    let entries = match file.indexed()? {
        Some(entries) => entries,
        None => file.walked()?,
    };
    let start = entries.iter().find(|entry| entry.kind == kind::START);
    let start = match start {
        Some(start) => file.chunk(start)?,
        None => None,
    };
    let start = start.and_then(|(_, columns)| decode_start(&columns).ok());
    let Some((header, about)) = start else { return Err(ReadError::NothingReadable) };
    let mut reader = Reader {
        file,
        header,
        about,
        summary: None,
        counts: None,
        switches: Vec::new(),
        thinning: Vec::new(),
        call_counts: Vec::new(),
        unknown_chunks: 0,
        events: 0,
        definitions: Vec::new(),
        sequence: Sequence::default(),
        read: Vec::new(),
        runs: Runs::default(),
    };
    sort_chunks(&mut reader, &entries)?;
    Ok(reader)
}

fn check_version<R: Read + Seek>(file: &mut ChunkFile<R>) -> Result<(), ReadError> {
    if file.len() == 0 {
        return Err(ReadError::Empty);
    }
    let bytes = file.bytes(0, FILE_HEADER_BYTES)?;
    let Some(bytes) = bytes.get(..FILE_HEADER_BYTES) else {
        // A recorder may have been killed right at the start.
        let is_start = FILE_MAGIC.starts_with(&bytes[..bytes.len().min(FILE_MAGIC.len())]);
        return Err(if is_start { ReadError::NothingReadable } else { ReadError::NotARecording });
    };
    if bytes[..8] != FILE_MAGIC {
        return Err(ReadError::NotARecording);
    }
    let major = u16::from_le_bytes([bytes[8], bytes[9]]);
    let is_intact = crc32fast::hash(&bytes[..12]).to_le_bytes() == bytes[12..];
    match is_intact {
        true if major > MAJOR => Err(ReadError::Newer { major, known: MAJOR }),
        true => Ok(()),
        // The version is unknown, but chunks are checked by themselves.
        false => {
            file.damage.bytes += FILE_HEADER_BYTES as u64;
            Ok(())
        }
    }
}

/// Gives each chunk to whom it concerns.
fn sort_chunks<R: Read + Seek>(reader: &mut Reader<R>, entries: &[Entry]) -> Result<(), ReadError> {
    let mut events = Vec::new();
    for entry in entries {
        match entry.kind {
            kind::OBSERVED | kind::CALLS | kind::ABSENCES => {
                reader.events += u64::from(entry.records);
                events.push(*entry);
            }
            kind::DEFINITIONS => reader.definitions.push(*entry),
            kind::COUNTS | kind::SUMMARY | kind::SWITCHES | kind::THINNING | kind::CALL_COUNTS => {
                read_now(reader, entry)?;
            }
            kind::START | kind::INDEX | kind::END => {}
            _ => reader.unknown_chunks += 1,
        }
    }
    reader.definitions.reverse();
    reader.definitions.shrink_to_fit();
    reader.runs.expect(events);
    Ok(())
}

fn read_now<R: Read + Seek>(reader: &mut Reader<R>, entry: &Entry) -> Result<(), ReadError> {
    let Some((header, columns)) = reader.file.chunk(entry)? else { return Ok(()) };
    let read = match entry.kind {
        kind::SUMMARY => decode_summary(&columns).map(|summary| reader.summary = Some(summary)),
        kind::SWITCHES => decode_switches(&header, &columns, &mut reader.switches),
        kind::THINNING => decode_thinning(&header, &columns, &mut reader.thinning),
        kind::CALL_COUNTS => decode_call_counts(&header, &columns, &mut reader.call_counts),
        _ => decode_counts(&columns).map(|counts| reader.counts = Some(counts)),
    };
    if read.is_err() {
        reader.file.lose(entry);
    }
    Ok(())
}
