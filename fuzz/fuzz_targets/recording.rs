//! Any bytes as a recording, read as `firsttouch report` reads it: its report, and its events as
//! lines. Once as they are, and once with the checksums that belong to them, since what is behind a
//! checksum is hardly ever reached by chance.
#![no_main]

use std::io::Cursor;

use analysis::allocations::Ledger;
use analysis::recording::{CodeFile, FrameName, RecordingFacts, SymbolSource, report};
use analysis::trace::LineBuilder;
use events::{Batch, Definitions};
use libfuzzer_sys::fuzz_target;
use recording::Reader;
use results::recording::UnnamedFile;

const FILE_HEADER_BYTES: usize = 16;
const HEADER_BYTES: usize = 48;
const CHUNK_MAGIC: &[u8] = b"\xf1chk";
/// A view of so many columns.
const WIDTHS: [Option<usize>; 2] = [None, Some(80)];

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let mut mended = bytes.to_vec();
    mend(&mut mended);
    read(&mended);
});

/// Gives the file header, and everything that begins as a chunk, the right checksums.
fn mend(bytes: &mut [u8]) {
    if bytes.len() >= FILE_HEADER_BYTES {
        let checksum = crc32fast::hash(&bytes[..12]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    }
    let mut at = FILE_HEADER_BYTES;
    while at + HEADER_BYTES <= bytes.len() {
        let rest = &mut bytes[at..];
        if !rest.starts_with(CHUNK_MAGIC) {
            at += 1;
            continue;
        }
        let stored = u32::from_le_bytes([rest[12], rest[13], rest[14], rest[15]]) as usize;
        let payload = rest.get(HEADER_BYTES..HEADER_BYTES.saturating_add(stored));
        let checksum = payload.map_or(0, crc32fast::hash);
        let is_whole = payload.is_some();
        rest[40..44].copy_from_slice(&checksum.to_le_bytes());
        let checksum = crc32fast::hash(&rest[..44]);
        rest[44..48].copy_from_slice(&checksum.to_le_bytes());
        at += if is_whole { HEADER_BYTES + stored } else { 1 };
    }
}

/// Reads a recording to its end, twice.
fn read(bytes: &[u8]) {
    let Ok(mut reader) = Reader::open(Cursor::new(bytes)) else { return };
    let ledger = Ledger::of_thinned(reader.header(), reader.thinning(), reader.call_counts());
    let ledger = ledger.with_sampling(reader.about().stack_sampling);
    let mut ledger = ledger.with_pauses(reader.pauses());
    let (mut batch, mut definitions) = (Batch::default(), Definitions::default());
    while reader.next_batch(&mut batch).expect("memory can be read") {
        ledger.take(&batch, &mut definitions);
    }
    let command = reader.about().command.clone().unwrap_or_default();
    let facts = RecordingFacts { command, ..RecordingFacts::default() };
    let report = report(&ledger.finish(0), &definitions, &facts, &mut Nameless);
    for width in WIDTHS {
        let _ = report::recording_screen(&report, "a.ft", report::View::verbose(width));
    }

    let mut reader = Reader::open(Cursor::new(bytes)).expect("it could be opened before");
    let (mut lines, mut definitions) =
        (LineBuilder::new(reader.header(), true), Definitions::default());
    let mut names = report::FileNames::new(report::View::verbose(None));
    while reader.next_batch(&mut batch).expect("memory can be read") {
        lines.read(&mut batch, &mut definitions, &mut |line| {
            let (mut text, mut json) = (String::new(), String::new());
            results::trace::write_line(&line, &mut json);
            let shown = results::trace::Shown::Line(line);
            report::trace_line(&shown, &mut names, true, &mut text);
        });
    }
}

/// Knows no names.
struct Nameless;

impl SymbolSource for Nameless {
    fn names(&mut self, _: CodeFile<'_>, offsets: &[u64]) -> Vec<Vec<FrameName>> {
        vec![Vec::new(); offsets.len()]
    }

    fn unnamed(&self) -> Vec<UnnamedFile> {
        Vec::new()
    }
}
