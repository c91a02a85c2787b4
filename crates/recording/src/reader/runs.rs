//! Merges the events of all chunks into one order.
//!
//! Each chunk is a run of events in the order of their beginnings. Runs that have begun are decoded
//! a block at a time; of those that have not, only the time of the first event is known.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use events::Event;

use crate::bytes::Malformed;
use crate::calls::CallsDecoder;
use crate::chunk::{ChunkHeader, RECORDS_MAX, UNSORTED, kind};
use crate::columns::Columns;
use crate::index::Entry;
use crate::observed::ObservedDecoder;

/// About the number of events in a batch.
pub(super) const BATCH_EVENTS: usize = 4096;
/// The number of events that are decoded at once.
const BLOCK_EVENTS: usize = 128;
/// The limit of what all open chunks take together, unpacked: those of some ten thousand threads.
/// Beyond, chunks are refused, because they say that they overlap where that cannot be.
const OPEN_BYTES_MAX: usize = 1 << 30;

#[derive(Debug)]
enum Decoder {
    Calls(Box<CallsDecoder>),
    Observed(Box<ObservedDecoder>),
}

impl Decoder {
    fn decode(&mut self, count: usize, into: &mut Vec<Event>) -> Result<bool, Malformed> {
        match self {
            Decoder::Calls(decoder) => decoder.decode(count, into),
            Decoder::Observed(decoder) => decoder.decode(count, into),
        }
    }
}

/// The place of an event in the order: its time, its source, and the offset of its chunk.
type Place = (u64, u32, u64);

fn place(entry: &Entry) -> Place {
    (entry.first_ns, entry.source, entry.offset)
}

/// A chunk that is being read.
#[derive(Debug)]
struct Run {
    entry: Entry,
    decoder: Decoder,
    has_more: bool,
    /// Events from `at` are next.
    block: Vec<Event>,
    at: usize,
    /// About the memory that it takes.
    bytes: usize,
}

impl Run {
    /// Decodes the next events, unless there are some. Returns their first time.
    fn fill(&mut self) -> Result<Option<u64>, Malformed> {
        while self.at == self.block.len() && self.has_more {
            (self.at, self.has_more) = (0, false);
            self.block.clear();
            self.has_more = self.decoder.decode(BLOCK_EVENTS, &mut self.block)?;
        }
        Ok(self.block.get(self.at).map(|event| event.time_ns))
    }
}

/// The runs of a file.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Chunks that have not begun, the first one last.
    expected: Vec<Entry>,
    /// Runs that have begun; `None` where one has ended.
    open: Vec<Option<Run>>,
    vacant: Vec<usize>,
    /// The next place of each run in `open`.
    next: BinaryHeap<Reverse<(Place, usize)>>,
    /// What the open runs take.
    open_bytes: usize,
}

impl Runs {
    /// Takes all chunks of events, in any order.
    pub(super) fn expect(&mut self, mut entries: Vec<Entry>) {
        entries.sort_unstable_by_key(|entry| Reverse(place(entry)));
        entries.shrink_to_fit();
        self.expected = entries;
    }

    /// Takes a chunk that must be opened before the next event is known.
    pub(super) fn due(&mut self) -> Option<Entry> {
        let next = self.next.peek().map(|Reverse((next, _))| *next);
        self.expected.pop_if(|entry| next.is_none_or(|next| place(entry) < next))
    }

    /// Opens a chunk.
    pub(super) fn open(
        &mut self,
        entry: &Entry,
        header: &ChunkHeader,
        columns: Columns,
    ) -> Result<(), Malformed> {
        let is_unsorted = header.flags & UNSORTED != 0;
        let events = if is_unsorted { header.records as usize } else { BLOCK_EVENTS };
        let bytes = columns.len().saturating_add(events.saturating_mul(size_of::<Event>()));
        if header.records > RECORDS_MAX || self.open_bytes.saturating_add(bytes) > OPEN_BYTES_MAX {
            return Err(Malformed);
        }
        let decoder = if header.kind == kind::CALLS {
            Decoder::Calls(Box::new(CallsDecoder::new(header, columns)?))
        } else {
            Decoder::Observed(Box::new(ObservedDecoder::new(header, columns)?))
        };
        let has_more = header.records > 0;
        let (block, at) = (Vec::new(), 0);
        let mut run = Run { entry: *entry, decoder, has_more, block, at, bytes };
        if is_unsorted {
            run.has_more = false;
            // What a damaged chunk has before the damage is as good as any.
            let result = run.decoder.decode(RECORDS_MAX as usize, &mut run.block);
            run.block.sort_by_key(|event| event.time_ns);
            self.start(run);
            result.map(|_| ())
        } else {
            let filled = run.fill();
            self.start(run);
            filled.map(|_| ())
        }
    }

    fn start(&mut self, run: Run) {
        let Some(event) = run.block.get(run.at) else { return };
        let (_, source, offset) = place(&run.entry);
        let next = (event.time_ns, source, offset);
        let number = self.vacant.pop().unwrap_or(self.open.len());
        if number == self.open.len() {
            self.open.push(None);
        }
        self.open_bytes += run.bytes;
        self.open[number] = Some(run);
        self.next.push(Reverse((next, number)));
    }

    /// Appends the next events to `into`. Returns `false` if there are none; the chunk if a part of
    /// it is malformed.
    pub(super) fn advance(&mut self, into: &mut Vec<Event>) -> Result<bool, Entry> {
        let Some(&Reverse(((_, source, offset), number))) = self.next.peek() else {
            return Ok(false);
        };
        // Another run, or a chunk that has not begun, may continue before this one. The first of
        // the others is one of the next two in the heap.
        let mut until = self.expected.last().map_or((u64::MAX, u32::MAX, 0), place);
        for Reverse((other, _)) in self.next.as_slice().iter().skip(1).take(2) {
            if *other < until {
                until = *other;
            }
        }
        let Some(run) = self.open.get_mut(number).and_then(Option::as_mut) else {
            self.next.pop();
            return Ok(true);
        };
        // Of events at the other's time, this run has those with a lower source or offset.
        let until_ns = until.0.saturating_add(u64::from((source, offset) < (until.1, until.2)));
        let is_last = until_ns == u64::MAX;
        let waiting = &run.block[run.at..];
        // The first one is next in any case. So a chunk that lies about its order cannot stop the
        // stream.
        let mut taken = waiting.len().min(1);
        while waiting.get(taken).is_some_and(|event| event.time_ns < until_ns || is_last) {
            taken += 1;
        }
        into.extend_from_slice(&waiting[..taken]);
        run.at += taken;
        let (filled, entry) = (run.fill(), run.entry);
        if let Some(event) = run.block.get(run.at) {
            if let Some(mut first) = self.next.peek_mut() {
                *first = Reverse(((event.time_ns, source, offset), number));
            }
        } else {
            self.next.pop();
            self.open_bytes -= run.bytes;
            self.open[number] = None;
            self.vacant.push(number);
        }
        filled.map(|_| true).map_err(|_| entry)
    }
}

#[cfg(test)]
mod tests {
    use events::{Batch, EventKind, Lost, Thread};

    use super::*;
    use crate::chunk::HEADER_BYTES;
    use crate::encode_batch;

    #[test]
    fn what_is_open_is_bounded_and_counted() {
        let thread = Thread { pid: 1, tid: 1 };
        let kind = EventKind::Lost(Lost { records: 1 });
        let events: Vec<Event> = (0..200).map(|time_ns| Event { time_ns, thread, kind }).collect();
        let bytes = encode_batch(&Batch { definitions: Vec::new(), events: events.clone() }).bytes;
        let header = ChunkHeader::from_bytes(&bytes).unwrap();
        let columns = Columns::unpack(&bytes[HEADER_BYTES..]).unwrap();
        let entry = Entry::new(0, &header);
        let mut runs = Runs::default();
        runs.open(&entry, &header, columns.clone()).unwrap();
        let each = runs.open_bytes;
        assert!(each > columns.len());
        runs.open_bytes = OPEN_BYTES_MAX - each + 1;
        assert_eq!(runs.open(&entry, &header, columns.clone()), Err(Malformed));
        runs.open_bytes = OPEN_BYTES_MAX - each;
        runs.open(&entry, &header, columns.clone()).unwrap();
        assert_eq!(runs.open_bytes, OPEN_BYTES_MAX);
        let mut found = Vec::new();
        while runs.advance(&mut found) == Ok(true) {}
        assert_eq!((found.len(), runs.open_bytes), (400, OPEN_BYTES_MAX - 2 * each));
        let too_many = ChunkHeader { records: RECORDS_MAX + 1, ..header };
        assert_eq!(runs.open(&entry, &too_many, columns), Err(Malformed));
    }
}
