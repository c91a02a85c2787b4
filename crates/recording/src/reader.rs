//! Reads a recording as one stream.

mod error;
mod file;
mod open;
mod runs;

use std::io::{Read, Seek};
use std::ops::Range;

use events::{Batch, CallCounts, Definition, Header, Thinning};

pub use error::ReadError;
use file::ChunkFile;
use runs::Runs;

use crate::chunk::kind;
use crate::index::Entry;
use crate::{About, ProbeCounts, RecordingSummary, RecordingSwitch, definitions, pauses};

/// What of a recording cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Damage {
    /// Damaged chunks, or stretches between intact ones. The last one may be a chunk that was being
    /// written when the recorder was killed.
    pub chunks: u64,
    /// Their length.
    pub bytes: u64,
    /// Definitions that refer to a missing one.
    pub definitions: u64,
}

impl Damage {
    /// Whether everything can be read.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Damage::default()
    }
}

/// Reads a recording: what it says of itself at once, and its events as one stream in the order of
/// their beginnings.
///
/// Because all chunks state which time they cover, the order is exact:
/// a chunk is read when the stream reaches its first event. Events that begin at the same time are
/// in the order of their sources, and of one source in the order in which it delivered them. Memory
/// holds 40 bytes for each chunk of the file, and the chunks that overlap in time.
#[derive(Debug)]
pub struct Reader<R> {
    file: ChunkFile<R>,
    header: Header,
    about: About,
    summary: Option<RecordingSummary>,
    counts: Option<ProbeCounts>,
    switches: Vec<RecordingSwitch>,
    thinning: Vec<Thinning>,
    call_counts: Vec<CallCounts>,
    unknown_chunks: u64,
    events: u64,
    /// Chunks of definitions that were not read yet, the last one first.
    definitions: Vec<Entry>,
    sequence: definitions::Sequence,
    read: Vec<Definition>,
    runs: Runs,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a recording: by its index, or, where that is missing or damaged, by walking over its
    /// chunks.
    ///
    /// # Errors
    /// If there is no recording, or one of a newer major version, or if its first chunk is damaged,
    /// without which no event has a meaning; or if it cannot be read.
    pub fn open(file: R) -> Result<Self, ReadError> {
        open::open(file)
    }

    /// The header of the stream.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What was recorded, where and when.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What the recorder knew at the end. `None`: the recording was cut.
    #[must_use]
    pub fn summary(&self) -> Option<&RecordingSummary> {
        self.summary.as_ref()
    }

    /// What the probes say of themselves. `None`: the recording was cut, or has no calls.
    #[must_use]
    pub fn counts(&self) -> Option<&ProbeCounts> {
        self.counts.as_ref()
    }

    /// The times in which the recorder was paused, in order, on the stream's clock. The last one
    /// has no end if the recording ended in it.
    #[must_use]
    pub fn pauses(&self) -> Vec<Range<u64>> {
        pauses::pauses(&self.switches)
    }

    /// The levels of thinning: from the first on, only some calls are in the stream.
    #[must_use]
    pub fn thinning(&self) -> &[Thinning] {
        &self.thinning
    }

    /// The counts of all calls from the first level of thinning on.
    #[must_use]
    pub fn call_counts(&self) -> &[CallCounts] {
        &self.call_counts
    }

    /// What could not be read so far. Chunks of events are checked when the stream reaches them.
    #[must_use]
    pub fn damage(&self) -> Damage {
        self.file.damage
    }

    /// Chunks of kinds that this version does not know, and skips.
    #[must_use]
    pub fn unknown_chunks(&self) -> u64 {
        self.unknown_chunks
    }

    /// The number of events in all chunks, as their headers say.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Replaces `batch` by the next part of the stream. Returns `false` at its end.
    ///
    /// # Errors
    /// If the file cannot be read. Damage is no error: it is skipped and counted.
    pub fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, ReadError> {
        batch.definitions.clear();
        batch.events.clear();
        while batch.events.len() < runs::BATCH_EVENTS {
            while let Some(entry) = self.runs.due() {
                self.define_before(entry.offset, &mut batch.definitions)?;
                if let Some((header, columns)) = self.file.chunk(&entry)?
                    && self.runs.open(&entry, &header, columns).is_err()
                {
                    self.file.lose(&entry);
                }
            }
            match self.runs.advance(&mut batch.events) {
                Ok(true) => {}
                Ok(false) => break,
                Err(entry) => self.file.lose(&entry),
            }
        }
        if batch.events.is_empty() {
            self.define_before(u64::MAX, &mut batch.definitions)?;
        }
        Ok(!batch.events.is_empty() || !batch.definitions.is_empty())
    }

    /// Reads the definitions before an offset.
    fn define_before(&mut self, offset: u64, into: &mut Vec<Definition>) -> Result<(), ReadError> {
        while let Some(entry) = self.definitions.pop_if(|entry| entry.offset < offset) {
            debug_assert_eq!(entry.kind, kind::DEFINITIONS);
            let Some((header, columns)) = self.file.chunk(&entry)? else { continue };
            if definitions::decode(&header, &columns, &mut self.read).is_err() {
                self.file.lose(&entry);
            }
            let read = self.read.len();
            let before = into.len();
            into.extend(self.read.drain(..).filter(|new| self.sequence.accepts(new)));
            self.file.damage.definitions += (read - (into.len() - before)) as u64;
        }
        Ok(())
    }
}
