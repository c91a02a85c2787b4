//! Damaged recordings are read as far as they are intact.

use std::io::{self, Cursor, Write};

use events::{Batch, Definitions, Event, EventKind, Lost, Thread};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use recording::{
    About, Chunk, ReadError, Reader, RecordingSummary, RecordingSwitch, Writer, encode_batch,
    encode_switch,
};

use crate::streams::{HEADER, allocation, calls_chunk, definitions, event, file_of, read, thread};

/// Small chunks of all kinds, the same ones each time.
fn chunks() -> Vec<Chunk> {
    let mut runner = TestRunner::deterministic();
    let parts = std::iter::repeat_with(|| definitions().new_tree(&mut runner).unwrap().current())
        .find(|parts| parts.len() == 3 && parts.concat().len() > 10)
        .unwrap();
    let events = prop::collection::vec(event(), 6).new_tree(&mut runner).unwrap().current();
    let mut chunks = Vec::new();
    for (number, part) in (0..).zip(parts.into_iter().chain([Vec::new()])) {
        let at = |event: &Event| Event { time_ns: u64::from(number) * 1000, ..*event };
        let events = events.iter().map(at).collect();
        chunks.push(encode_batch(&Batch { definitions: part, events }));
        let thread = thread().new_tree(&mut runner).unwrap().current();
        let calls = prop::collection::vec((500..3000_u64, allocation()), 5);
        let calls = calls.new_tree(&mut runner).unwrap().current();
        chunks.push(calls_chunk(1 + number % 2, thread, &calls));
        chunks.push(encode_switch(RecordingSwitch { time_ns: 10, records: true }));
    }
    chunks
}

/// A file of `chunks` without summary and index.
fn cut_file(chunks: &[Chunk]) -> Vec<u8> {
    let mut file = file_of(&[]);
    file.truncate(start_bytes());
    for chunk in chunks {
        file.extend_from_slice(chunk.bytes());
    }
    file
}

/// The length of a file that has just been started.
fn start_bytes() -> usize {
    let writer = Writer::new(Vec::new(), &HEADER, &About::default()).unwrap();
    usize::try_from(writer.bytes_written()).unwrap()
}

/// Each of `found` is one of `all`, and they are in the order of their times.
fn is_part(found: &[Event], all: &[Event]) -> bool {
    let mut rest = all.to_vec();
    let mut take = |event: &Event| {
        let at = rest.iter().position(|other| other == event);
        at.map(|at| rest.remove(at)).is_some()
    };
    found.iter().all(&mut take) && found.is_sorted_by_key(|event| event.time_ns)
}

#[test]
fn a_file_without_an_index_is_read_as_one_with_it() {
    let chunks = chunks();
    let (whole, cut) = (read(&file_of(&chunks)).unwrap(), read(&cut_file(&chunks)).unwrap());
    assert!(whole.events.len() > 40 && whole.definitions.len() > 10);
    assert_eq!((whole.events, whole.definitions), (cut.events, cut.definitions));
    assert!(whole.reader.summary().is_some() && cut.reader.summary().is_none());
    assert!(whole.reader.damage().is_none() && cut.reader.damage().is_none());
}

#[test]
fn a_file_that_is_cut_anywhere_is_read_to_its_last_whole_chunk() {
    let chunks = chunks();
    let file = file_of(&chunks);
    let ends: Vec<usize> = chunks
        .iter()
        .scan(start_bytes(), |end, chunk| {
            *end += chunk.bytes().len();
            Some(*end)
        })
        .collect();
    let expected = |count: usize| read(&cut_file(&chunks[..count])).unwrap().events;
    let mut whole = 0;
    let mut events = expected(0);
    for len in 0..file.len() {
        let found = read(&file[..len]);
        if len < start_bytes() {
            assert!(found.is_none(), "{len} bytes");
            continue;
        }
        let found = found.unwrap();
        if ends.get(whole) == Some(&len) {
            whole += 1;
            events = expected(whole);
        }
        // A chunk of a batch is a chunk of definitions and one of events.
        let is_boundary = ends.contains(&len) || len == start_bytes();
        assert_eq!(found.events, events, "{len} bytes");
        assert!(!is_boundary || found.reader.damage().is_none(), "{len} bytes");
    }
    assert_eq!(whole, chunks.len());
}

#[test]
fn a_changed_bit_costs_a_chunk_at_most() {
    let chunks = chunks();
    for file in [file_of(&chunks), cut_file(&chunks)] {
        let whole = read(&file).unwrap();
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            let Some(found) = read(&damaged) else {
                assert!(at < start_bytes(), "byte {at}");
                continue;
            };
            assert!(is_part(&found.events, &whole.events), "byte {at}");
            assert!(found.events.len() + 6 >= whole.events.len(), "byte {at}");
            let mut table = Definitions::default();
            let mut definitions = found.definitions.iter().cloned();
            assert!(definitions.all(|definition| table.define(definition)), "byte {at}");
            if found.reader.damage().is_none() {
                assert_eq!(found.events, whole.events, "byte {at}");
                assert_eq!(found.definitions, whole.definitions, "byte {at}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        with_start: bool,
    ) {
        let mut file = if with_start { cut_file(&[]) } else { Vec::new() };
        file.extend(bytes);
        let found = read(&file);
        prop_assert_eq!(found.is_some(), with_start);
        prop_assert!(found.is_none_or(|found| found.events.is_empty()));
    }

    #[test]
    fn what_is_missing_or_inserted_costs_what_it_touches(
        at: prop::sample::Index,
        removed in 0..400_usize,
        inserted in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let chunks = chunks();
        let mut file = cut_file(&chunks);
        let whole = read(&file).unwrap();
        let at = start_bytes() + at.index(file.len() - start_bytes());
        let end = (at + removed).min(file.len());
        let touched = end - at + inserted.len();
        file.splice(at..end, inserted);
        let found = read(&file).unwrap();
        prop_assert!(is_part(&found.events, &whole.events));
        prop_assert!(touched > 0 || found.events == whole.events);
        // Chunks before the place are untouched.
        let before: usize = chunks
            .iter()
            .scan(start_bytes(), |end, chunk| {
                *end += chunk.bytes().len();
                Some(*end)
            })
            .take_while(|end| *end <= at)
            .count();
        let certain = read(&cut_file(&chunks[..before])).unwrap();
        prop_assert!(is_part(&certain.events, &found.events));
    }
}

/// A chunk as docs/recording-format.md describes it.
fn raw_chunk(kind: u8, records: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xf1chk".to_vec();
    bytes.extend([kind, 0, 0, 0]);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(records.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(crc32fast::hash(payload).to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(payload);
    bytes
}

#[test]
fn unknown_kinds_of_chunks_are_skipped() {
    let chunks = chunks();
    let mut file = cut_file(&chunks[..3]);
    file.extend(raw_chunk(200, 5, b"something new"));
    file.extend(chunks[3].bytes());
    let found = read(&file).unwrap();
    assert_eq!(found.events, read(&cut_file(&chunks[..4])).unwrap().events);
    assert_eq!((found.reader.unknown_chunks(), found.reader.damage().is_none()), (1, true));
}

proptest! {
    /// With valid checksums: what a hostile program could write.
    #[test]
    fn chunks_with_any_payload_are_refused_or_read(
        kind in 1..12_u8,
        records in prop_oneof![0..9_u32, any::<u32>()],
        columns in prop::collection::vec(prop::collection::vec(0..40_u8, 0..40), 0..9),
    ) {
        let mut payload = vec![u8::try_from(columns.len()).unwrap()];
        for column in &columns {
            let len = u8::try_from(column.len()).unwrap();
            payload.extend([0, len, len]);
        }
        payload.extend(columns.concat());
        let mut file = cut_file(&[]);
        file.extend(raw_chunk(kind, records, &payload));
        let found = read(&file).unwrap();
        prop_assert!(found.events.len() <= columns.concat().len());
        prop_assert!(found.definitions.len() <= columns.concat().len());
    }

    /// Intact chunks, changed and given valid checksums again.
    #[test]
    fn changed_payloads_are_refused_or_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let mut file = cut_file(&[]);
        let mut records = 0;
        for chunk in chunks() {
            let mut rest = chunk.bytes();
            while !rest.is_empty() {
                let number = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
                let (len, count) = (48 + number(12) as usize, number(20));
                let mut payload = rest[48..len].to_vec();
                for (at, byte) in &changes {
                    if !payload.is_empty() {
                        let at = at.index(payload.len());
                        payload[at] = *byte;
                    }
                }
                file.extend(raw_chunk(rest[4], count, &payload));
                rest = &rest[len..];
                records += count as usize;
            }
        }
        let found = read(&file).unwrap();
        prop_assert!(found.events.len() + found.definitions.len() <= records);
    }
}

#[test]
fn a_long_lie_is_read_in_linear_time() {
    let mut file = cut_file(&[]);
    // 2^18 starts of chunks, none of which is one.
    file.extend(b"\xf1chk".repeat(1 << 18));
    let chunk = &chunks()[0];
    file.extend(chunk.bytes());
    let found = read(&file).unwrap();
    assert_eq!(found.events.len(), 6);
    assert_eq!((found.reader.damage().chunks, found.reader.damage().bytes), (1, 1 << 20));
}

#[test]
fn files_that_are_no_recordings_are_told_apart() {
    let open = |file: &[u8]| Reader::open(Cursor::new(file.to_vec())).err();
    assert!(matches!(open(b""), Some(ReadError::Empty)));
    assert!(matches!(
        open(b"{\"schema\": \"firsttouch.result/1\"}"),
        Some(ReadError::NotARecording)
    ));
    assert!(matches!(open(b"text"), Some(ReadError::NotARecording)));
    let file = file_of(&[]);
    assert!(matches!(open(&file[..5]), Some(ReadError::NothingReadable)));
    assert!(matches!(open(&file[..40]), Some(ReadError::NothingReadable)));
    for (major, minor) in [(3_u16, 0_u16), (2, 9), (1, 2)] {
        let mut newer = file.clone();
        newer[8..10].copy_from_slice(&major.to_le_bytes());
        newer[10..12].copy_from_slice(&minor.to_le_bytes());
        let checksum = crc32fast::hash(&newer[..12]).to_le_bytes();
        newer[12..16].copy_from_slice(&checksum);
        match open(&newer) {
            Some(ReadError::Newer { major: 3, known: 2 }) => assert_eq!(major, 3),
            other => assert!(other.is_none() && major < 3, "{other:?}"),
        }
    }
}

/// An index that lists other chunks than there are, with valid checksums.
#[test]
fn an_index_that_lies_is_not_used() {
    let chunks = chunks();
    let whole = read(&file_of(&chunks)).unwrap();
    // One chunk without payload, as often as the column has bytes; 2 bytes of kinds, and of the
    // other columns 1.
    for count in [1, 5, 60_000, 70_000_u32] {
        let mut file = cut_file(&chunks);
        let offset = file.len() as u64;
        let mut payload = vec![6];
        let mut columns = Vec::new();
        for width in [2, 1, 1, 1, 1, 1_u32] {
            let column = lz4_flex::block::compress(&vec![0; (count * width) as usize]);
            payload.push(1);
            for mut number in [column.len() as u64, u64::from(count * width)] {
                while number >= 0x80 {
                    payload.push((number & 0x7f) as u8 | 0x80);
                    number >>= 7;
                }
                payload.push((number & 0x7f) as u8);
            }
            columns.extend(column);
        }
        payload.extend(columns);
        file.extend(raw_chunk(8, count, &payload));
        let mut end = raw_chunk(9, 0, b"");
        end[24..32].copy_from_slice(&offset.to_le_bytes());
        let checksum = crc32fast::hash(&end[..44]).to_le_bytes();
        end[44..].copy_from_slice(&checksum);
        file.extend(end);
        let found = read(&file).unwrap();
        assert_eq!(found.events, whole.events, "{count} chunks");
        assert!(found.reader.damage().is_none());
    }
}

/// A disk that is full after some bytes, and has room again later.
struct Disk {
    bytes: Vec<u8>,
    left: usize,
}

impl Write for &mut Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left);
        if count == 0 && !bytes.is_empty() {
            self.left = usize::MAX;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left -= count;
        self.bytes.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_leaves_what_was_written() {
    let chunks = chunks();
    let size = file_of(&chunks).len();
    for room in start_bytes()..size {
        let mut disk = Disk { bytes: Vec::new(), left: room };
        let mut writer = Writer::new(&mut disk, &HEADER, &About::default()).unwrap();
        let written = chunks.iter().take_while(|chunk| writer.append(chunk).is_ok()).count();
        assert!(written == chunks.len() || writer.append(&chunks[0]).is_err(), "{room} bytes");
        assert!(writer.finish(&RecordingSummary::default()).is_err(), "{room} bytes");
        assert_eq!(disk.bytes.len(), room);
        let found = read(&disk.bytes).unwrap();
        let certain = read(&cut_file(&chunks[..written])).unwrap();
        assert!(is_part(&certain.events, &found.events), "{room} bytes");
    }
}

#[test]
fn damage_within_a_batch_does_not_stop_the_stream() {
    let lost = |time_ns| Event {
        time_ns,
        thread: Thread { pid: 1, tid: 1 },
        kind: EventKind::Lost(Lost { records: 1 }),
    };
    let chunks: Vec<Chunk> = (0..3)
        .map(|n| encode_batch(&Batch { definitions: Vec::new(), events: vec![lost(n)] }))
        .collect();
    let mut file = file_of(&chunks);
    let second = start_bytes() + chunks[0].bytes().len();
    file[second + 60] ^= 1;
    let found = read(&file).unwrap();
    assert_eq!(found.events, [lost(0), lost(2)]);
    let damage = found.reader.damage();
    assert_eq!((damage.chunks, damage.bytes), (1, chunks[1].bytes().len() as u64));
}
