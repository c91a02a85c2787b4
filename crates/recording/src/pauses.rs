//! Chunks that say when the recorder was paused.
//!
//! One column of varints: for each switch its time, and 1 if recording went on then, or 0 if it
//! paused. A recording begins switched on, unless its first switch is at its start.

use std::ops::Range;

use crate::Chunk;
use crate::bytes::{Cursor, Malformed, put};
use crate::chunk::{ChunkHeader, append_chunk, kind};
use crate::columns::{Column, Columns, Packer};

/// The recorder paused, or went on. Between a pause and its end nothing is recorded of allocation
/// calls, syscalls and faults; mappings, programs and threads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordingSwitch {
    /// When, on the stream's clock.
    pub time_ns: u64,
    /// Whether it records from then on.
    pub records: bool,
}

/// The chunk of a switch.
#[must_use]
pub fn encode_switch(switch: RecordingSwitch) -> Chunk {
    let RecordingSwitch { time_ns, records } = switch;
    let (mut column, mut chunk) = (Vec::new(), Chunk::default());
    put(&mut column, time_ns);
    put(&mut column, records.into());
    let header = ChunkHeader {
        kind: kind::SWITCHES,
        records: 1,
        first_ns: time_ns,
        last_ns: time_ns,
        ..ChunkHeader::default()
    };
    append_chunk(&mut chunk.bytes, header, |into| {
        Packer::default().pack(&[Column::Regular(&column)], into)
    });
    chunk
}

/// Reads the switches of a chunk.
pub(crate) fn decode_switches(
    header: &ChunkHeader,
    columns: &Columns,
    into: &mut Vec<RecordingSwitch>,
) -> Result<(), Malformed> {
    let (column, mut cursor) = (columns.get(0), Cursor::new(0));
    for _ in 0..header.records {
        let time_ns = cursor.take(column)?;
        into.push(RecordingSwitch { time_ns, records: cursor.take(column)? != 0 });
    }
    Ok(())
}

/// The times between a switch to pause and the next one to record, in order; the last one may have
/// no end.
pub(crate) fn pauses(switches: &[RecordingSwitch]) -> Vec<Range<u64>> {
    let mut sorted = switches.to_vec();
    sorted.sort_unstable();
    let (mut pauses, mut since_ns) = (Vec::new(), None);
    for switch in sorted {
        match (since_ns, switch.records) {
            (None, false) => since_ns = Some(switch.time_ns),
            (Some(from_ns), true) => {
                if from_ns < switch.time_ns {
                    pauses.push(from_ns..switch.time_ns);
                }
                since_ns = None;
            }
            _ => {}
        }
    }
    pauses.extend(since_ns.map(|from_ns| from_ns..u64::MAX));
    pauses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_between_switches_whatever_their_order() {
        let switch = |time_ns, records| RecordingSwitch { time_ns, records };
        assert_eq!(pauses(&[]), []);
        assert_eq!(pauses(&[switch(5, true)]), []);
        let several = [
            switch(9, true),
            switch(0, false),
            switch(4, true),
            switch(7, false),
            switch(8, false),
        ];
        assert_eq!(pauses(&several), [0..4, 7..9]);
        assert_eq!(pauses(&several[1..]), [0..4, 7..u64::MAX]);
        assert_eq!(pauses(&[switch(5, false), switch(5, true)]), [], "no time between them");
    }
}
