//! The chunks of a recording of bounded size: levels of thinning, and counts of calls.

use events::{AllocationFunction, CallCounts, StackId, Thinning};

use crate::Chunk;
use crate::bytes::{Cursor, Malformed, put, unzigzag, zigzag};
use crate::chunk::{ChunkHeader, RECORDS_MAX, append_chunk, kind};
use crate::columns::{Column, Columns, Packer};

/// The bit beside the function of calls that only gave back.
const RELEASES: u8 = 1 << 7;

/// A level of thinning that begins, as a chunk.
#[must_use]
pub fn encode_thinning(level: &Thinning) -> Chunk {
    let (mut chunk, mut column) = (Chunk::default(), Vec::new());
    put(&mut column, level.from_ns);
    put(&mut column, level.level.into());
    put(&mut column, level.seed);
    let header = ChunkHeader {
        kind: kind::THINNING,
        records: 1,
        first_ns: level.from_ns,
        last_ns: level.from_ns,
        ..ChunkHeader::default()
    };
    append_chunk(&mut chunk.bytes, header, |into| {
        Packer::default().pack(&[Column::Regular(&column)], into)
    });
    chunk
}

/// Reads levels of thinning.
pub(crate) fn decode_thinning(
    header: &ChunkHeader,
    columns: &Columns,
    into: &mut Vec<Thinning>,
) -> Result<(), Malformed> {
    let (column, mut cursor) = (columns.get(0), Cursor::new(0));
    for _ in 0..header.records {
        let from_ns = cursor.take(column)?;
        let level = u8::try_from(cursor.take(column)?).map_err(|_| Malformed)?;
        if level == 0 || level > Thinning::LEVEL_MAX {
            return Err(Malformed);
        }
        into.push(Thinning { from_ns, level, seed: cursor.take(column)? });
    }
    Ok(())
}

/// Counts of calls, as chunks; an empty one without counts. Those of the same kind in other chunks
/// are of other calls.
#[must_use]
pub fn encode_call_counts(counts: &[CallCounts]) -> Chunk {
    let (mut packer, mut chunk) = (Packer::default(), Chunk::default());
    for part in counts.chunks(RECORDS_MAX as usize) {
        let (mut kinds, mut firsts, mut figures) = (Vec::new(), Vec::new(), Vec::new());
        let (mut last_pid, mut last_stack, mut last_ns) = (0_u64, 0_u64, 0_u64);
        for counts in part {
            let (pid, stack) = (u64::from(counts.pid), u64::from(counts.stack.number()));
            put(&mut kinds, zigzag(pid.wrapping_sub(last_pid)));
            put(&mut kinds, zigzag(stack.wrapping_sub(last_stack)));
            kinds.push(counts.function as u8 | if counts.releases { RELEASES } else { 0 });
            put(&mut firsts, zigzag(counts.first_ns.wrapping_sub(last_ns)));
            let CallCounts { calls, failed, bytes, timed, timed_ns, .. } = *counts;
            for figure in [calls, failed, bytes, timed, timed_ns] {
                put(&mut figures, figure);
            }
            (last_pid, last_stack, last_ns) = (pid, stack, counts.first_ns);
        }
        let header = ChunkHeader {
            kind: kind::CALL_COUNTS,
            records: u32::try_from(part.len()).unwrap_or(u32::MAX),
            first_ns: part.iter().map(|counts| counts.first_ns).min().unwrap_or(0),
            last_ns: part.iter().map(|counts| counts.first_ns).max().unwrap_or(0),
            ..ChunkHeader::default()
        };
        let columns = [&kinds, &firsts, &figures].map(|column| Column::Regular(column));
        append_chunk(&mut chunk.bytes, header, |into| packer.pack(&columns, into));
    }
    chunk
}

/// Reads counts of calls.
pub(crate) fn decode_call_counts(
    header: &ChunkHeader,
    columns: &Columns,
    into: &mut Vec<CallCounts>,
) -> Result<(), Malformed> {
    let [kinds, firsts, figures] = [0, 1, 2].map(|number| columns.get(number));
    let mut cursors = [Cursor::default(); 3];
    let (mut pid, mut stack, mut first_ns) = (0_u64, 0_u64, 0_u64);
    if header.records > RECORDS_MAX {
        return Err(Malformed);
    }
    for _ in 0..header.records {
        let [of_kinds, of_firsts, of_figures] = &mut cursors;
        pid = pid.wrapping_add(unzigzag(of_kinds.take(kinds)?));
        stack = stack.wrapping_add(unzigzag(of_kinds.take(kinds)?));
        let &[function] = of_kinds.take_bytes(kinds, 1)? else { return Err(Malformed) };
        first_ns = first_ns.wrapping_add(unzigzag(of_firsts.take(firsts)?));
        let mut figure = || of_figures.take(figures);
        into.push(CallCounts {
            pid: u32::try_from(pid).map_err(|_| Malformed)?,
            stack: StackId::from_number(u32::try_from(stack).map_err(|_| Malformed)?),
            function: AllocationFunction::from_number(function & !RELEASES).ok_or(Malformed)?,
            releases: function & RELEASES != 0,
            first_ns,
            calls: figure()?,
            failed: figure()?,
            bytes: figure()?,
            timed: figure()?,
            timed_ns: figure()?,
        });
    }
    Ok(())
}
