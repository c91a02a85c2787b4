//! The chunks that say what a recording is, and what became of it.
//!
//! All three consist of one column of varints and texts. An optional number is 0 if it is missing,
//! or one more than the number; an optional text is preceded by 0 or 1. A field that a newer
//! version adds stands behind the known ones.

use std::num::NonZeroU64;

use events::{Clock, ClockFloor, Header, Sees, StackSampling, ThpPolicy};

use crate::Chunk;
use crate::bytes::{Cursor, Malformed, put, put_option, put_text, unzigzag, zigzag};
use crate::chunk::{ChunkHeader, append_chunk, kind};
use crate::columns::{Column, Columns, Packer, UNPACKED_BYTES_MAX};
use crate::mapping_rules::MappingRules;

/// What a reader on another machine wants to know. Everything can be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The version of the program that recorded.
    pub version: Option<String>,
    /// When recording started, in nanoseconds since 1970 (`CLOCK_REALTIME`).
    pub started_ns: Option<i64>,
    /// The command that was recorded, with its arguments.
    pub command: Option<Vec<String>>,
    /// The directory in which it was started.
    pub directory: Option<String>,
    /// The name of the machine.
    pub host: Option<String>,
    /// The kernel's release (`uname -r`).
    pub kernel: Option<String>,
    /// What could not be observed, as sentences.
    pub notices: Vec<String>,
    /// Whether arguments, paths and the machine's name were left out ([`crate::Redaction`]).
    pub is_redacted: bool,
    /// If only some calls have their stack: which.
    pub stack_sampling: Option<StackSampling>,
    /// The machine's limits and rules for mappings.
    pub mapping_rules: MappingRules,
    /// What is measured of a call that takes no time.
    pub clock_floor: ClockFloor,
}

/// What the recorder knows at the end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordingSummary {
    /// When recording ended, on the stream's clock.
    pub until_ns: u64,
    /// Events that the sources lost, in total.
    pub lost: u64,
    /// Events that came after the watermark of their source, in total.
    pub late: u64,
    /// Page faults that were delivered as events.
    pub faults_seen: u64,
    /// Page faults by a counting event with the same restrictions. `None`: not counted.
    pub faults_counted: Option<u64>,
    /// Minor faults of the program by getrusage(2). `None`: not known, such as after an attach.
    pub rusage_minor: Option<u64>,
    /// Major faults of the program by getrusage(2).
    pub rusage_major: Option<u64>,
    /// What recording adds to a call, in nanoseconds, as measured when the program started.
    pub probe_ns_per_call: Option<f64>,
    /// What recording adds to a page fault, in nanoseconds, as measured at the end. `None`: not
    /// known, or faults were not recorded.
    pub probe_ns_per_fault: Option<u64>,
    /// What recording by tracepoints adds to a memory syscall, in nanoseconds, measured likewise.
    pub probe_ns_per_syscall: Option<u64>,
    /// The largest error of the probes' clock against the stream's, in nanoseconds.
    pub clock_error_ns: Option<u64>,
    /// Why the recording ends before the program. `None`: it does not.
    pub cut: Option<CutReason>,
}

/// Why a recording ends before the recorded program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CutReason {
    /// The user stopped recording, and the program goes on.
    Stopped,
    /// A limit of time or size that the user set was reached.
    Limit,
    /// The file could not be written. The text is the error.
    Write(String),
    /// Something else.
    Other(String),
}

/// What the probes say of themselves, of all processes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProbeCounts {
    /// Processes that wrote calls: programs, and their forks.
    pub processes: u64,
    /// Threads that wrote calls.
    pub threads: u64,
    /// Calls that are missing because no memory was free for their thread.
    pub lost: u64,
    /// The time for which threads waited for the recorder, in nanoseconds.
    pub waited_ns: u64,
    /// Calls from within a call, which are not recorded.
    pub nested: u64,
    /// Calls whose stack ends too early.
    pub cut_stacks: u64,
    /// Calls whose stack is not recorded.
    pub unknown_stacks: u64,
    /// Stacks that were found in two ways.
    pub checked_stacks: u64,
    /// Those of them that differed.
    pub wrong_stacks: u64,
    /// Programs with an allocator of their own, whose calls are not recorded.
    pub own_allocators: u64,
    /// Libraries that were opened with `RTLD_DEEPBIND`, whose calls are not recorded.
    pub deep_libraries: u64,
    /// Processes that stopped recording since the recorder gave no sign of life for seconds. Their
    /// later calls are not recorded.
    pub gave_up: u64,
    /// Programs that were executed and wrote no calls.
    pub silent_programs: u64,
}

fn put_optional_text(column: &mut Vec<u8>, text: Option<&str>) {
    put(column, text.is_some().into());
    if let Some(text) = text {
        put_text(column, text);
    }
}

fn take_optional_text(cursor: &mut Cursor, column: &[u8]) -> Result<Option<String>, Malformed> {
    match cursor.take(column)? {
        0 => Ok(None),
        1 => Ok(Some(cursor.take_text(column)?.to_owned())),
        _ => Err(Malformed),
    }
}

fn put_texts(column: &mut Vec<u8>, texts: &[String]) {
    put(column, texts.len() as u64);
    for text in texts {
        put_text(column, text);
    }
}

fn take_texts(cursor: &mut Cursor, column: &[u8]) -> Result<Vec<String>, Malformed> {
    let count = cursor.take(column)?;
    (0..count).map(|_| Ok(cursor.take_text(column)?.to_owned())).collect()
}

fn encode_column(kind: u8, records: u32, column: &[u8], chunk: &mut Chunk) {
    let header = ChunkHeader { kind, records, ..ChunkHeader::default() };
    append_chunk(&mut chunk.bytes, header, |into| {
        Packer::default().pack(&[Column::Regular(column)], into)
    });
}

/// The first chunk; `None` if its texts are too long for a chunk.
pub(crate) fn encode_start(header: &Header, about: &About) -> Option<Chunk> {
    let mut column = Vec::new();
    let Header { clock, began_ns, page_bytes, huge_pages, can_swap, sees } = *header;
    let clock = match clock {
        Clock::Monotonic => 1,
    };
    let huge_pages = match huge_pages {
        ThpPolicy::Never => 0,
        ThpPolicy::Advised => 1,
        ThpPolicy::Always => 2,
    };
    let Sees { calls, faults, kernel_faults, page_sizes, allocations, stops, absences } = sees;
    let flags = [calls, faults, kernel_faults, page_sizes, allocations, stops, absences];
    let sees = flags.iter().rev().fold(0, |bits, &flag| bits << 1 | u64::from(flag));
    for number in [clock, began_ns, page_bytes, huge_pages, can_swap.into(), sees] {
        put(&mut column, number);
    }
    put_optional_text(&mut column, about.version.as_deref());
    put(&mut column, about.started_ns.is_some().into());
    if let Some(started_ns) = about.started_ns {
        put(&mut column, zigzag(started_ns.cast_unsigned()));
    }
    put(&mut column, about.command.is_some().into());
    if let Some(command) = &about.command {
        put_texts(&mut column, command);
    }
    for text in [&about.directory, &about.host, &about.kernel] {
        put_optional_text(&mut column, text.as_deref());
    }
    put_texts(&mut column, &about.notices);
    put(&mut column, about.is_redacted.into());
    put(&mut column, about.stack_sampling.map_or(0, |sampling| sampling.mean_bytes.get()));
    about.mapping_rules.encode(&mut column);
    for number in [about.clock_floor.call_ns, about.clock_floor.release_ns] {
        put(&mut column, number);
    }
    let mut chunk = Chunk::default();
    encode_column(kind::START, 1, &column, &mut chunk);
    (column.len() <= UNPACKED_BYTES_MAX).then_some(chunk)
}

/// Reads the first chunk.
pub(crate) fn decode_start(columns: &Columns) -> Result<(Header, About), Malformed> {
    let (column, mut cursor) = (columns.get(0), Cursor::new(0));
    let clock = match cursor.take(column)? {
        1 => Clock::Monotonic,
        _ => return Err(Malformed),
    };
    let (began_ns, page_bytes) = (cursor.take(column)?, cursor.take(column)?);
    if !page_bytes.is_power_of_two() {
        return Err(Malformed);
    }
    let huge_pages = match cursor.take(column)? {
        0 => ThpPolicy::Never,
        1 => ThpPolicy::Advised,
        2 => ThpPolicy::Always,
        _ => return Err(Malformed),
    };
    let can_swap = cursor.take(column)? != 0;
    let bits = cursor.take(column)?;
    let seen = |bit: u32| bits >> bit & 1 != 0;
    let all = Sees {
        calls: seen(0),
        faults: seen(1),
        kernel_faults: seen(2),
        page_sizes: seen(3),
        allocations: seen(4),
        stops: seen(5),
        absences: seen(6),
    };
    let header = Header { clock, began_ns, page_bytes, huge_pages, can_swap, sees: all };
    let version = take_optional_text(&mut cursor, column)?;
    let started_ns = match cursor.take(column)? {
        0 => None,
        _ => Some(unzigzag(cursor.take(column)?).cast_signed()),
    };
    let command = match cursor.take(column)? {
        0 => None,
        _ => Some(take_texts(&mut cursor, column)?),
    };
    let directory = take_optional_text(&mut cursor, column)?;
    let host = take_optional_text(&mut cursor, column)?;
    let kernel = take_optional_text(&mut cursor, column)?;
    let notices = take_texts(&mut cursor, column)?;
    // Version 1.0 has none of what follows.
    let mut newer = || if cursor.at() < column.len() { cursor.take(column) } else { Ok(0) };
    let is_redacted = newer()? != 0;
    let stack_sampling = NonZeroU64::new(newer()?).map(|mean_bytes| StackSampling { mean_bytes });
    let mapping_rules = MappingRules::decode(column, &mut cursor)?;
    let mut newer = || if cursor.at() < column.len() { cursor.take(column) } else { Ok(0) };
    let clock_floor = ClockFloor { call_ns: newer()?, release_ns: newer()? };
    let about = About {
        version,
        started_ns,
        command,
        directory,
        host,
        kernel,
        notices,
        is_redacted,
        stack_sampling,
        mapping_rules,
        clock_floor,
    };
    Ok((header, about))
}

/// The chunk of the summary.
pub(crate) fn encode_summary(summary: &RecordingSummary) -> Chunk {
    let mut column = Vec::new();
    for number in [summary.until_ns, summary.lost, summary.late, summary.faults_seen] {
        put(&mut column, number);
    }
    let options = [
        summary.faults_counted,
        summary.rusage_minor,
        summary.rusage_major,
        summary.clock_error_ns,
    ];
    for option in options {
        put_option(&mut column, option);
    }
    put(&mut column, summary.probe_ns_per_call.is_some().into());
    if let Some(ns) = summary.probe_ns_per_call {
        column.extend_from_slice(&ns.to_le_bytes());
    }
    let (number, text) = match &summary.cut {
        None => (0, ""),
        Some(CutReason::Stopped) => (1, ""),
        Some(CutReason::Limit) => (2, ""),
        Some(CutReason::Write(text)) => (3, text.as_str()),
        Some(CutReason::Other(text)) => (4, text.as_str()),
    };
    put(&mut column, number);
    put_text(&mut column, &text[..text.floor_char_boundary(UNPACKED_BYTES_MAX / 2)]);
    for option in [summary.probe_ns_per_fault, summary.probe_ns_per_syscall] {
        put_option(&mut column, option);
    }
    let mut chunk = Chunk::default();
    encode_column(kind::SUMMARY, 1, &column, &mut chunk);
    chunk
}

/// Reads the chunk of the summary.
pub(crate) fn decode_summary(columns: &Columns) -> Result<RecordingSummary, Malformed> {
    let (column, mut cursor) = (columns.get(0), Cursor::new(0));
    let (until_ns, lost) = (cursor.take(column)?, cursor.take(column)?);
    let (late, faults_seen) = (cursor.take(column)?, cursor.take(column)?);
    let faults_counted = cursor.take_option(column)?;
    let (rusage_minor, rusage_major) = (cursor.take_option(column)?, cursor.take_option(column)?);
    let clock_error_ns = cursor.take_option(column)?;
    let probe_ns_per_call = if cursor.take(column)? == 0 {
        None
    } else {
        let bytes = cursor.take_bytes(column, 8)?.try_into().map_err(|_| Malformed)?;
        Some(f64::from_le_bytes(bytes)).filter(|ns| ns.is_finite())
    };
    let number = cursor.take(column)?;
    let text = cursor.take_text(column)?.to_owned();
    // Version 1.0 has none of what follows.
    let mut newer =
        || if cursor.at() < column.len() { cursor.take_option(column) } else { Ok(None) };
    let (probe_ns_per_fault, probe_ns_per_syscall) = (newer()?, newer()?);
    let cut = match number {
        0 => None,
        1 => Some(CutReason::Stopped),
        2 => Some(CutReason::Limit),
        3 => Some(CutReason::Write(text)),
        _ => Some(CutReason::Other(text)),
    };
    Ok(RecordingSummary {
        until_ns,
        lost,
        late,
        faults_seen,
        faults_counted,
        rusage_minor,
        rusage_major,
        probe_ns_per_call,
        probe_ns_per_fault,
        probe_ns_per_syscall,
        clock_error_ns,
        cut,
    })
}

/// What the probes say of themselves. A later chunk replaces an earlier one.
#[must_use]
pub fn encode_counts(mut counts: ProbeCounts) -> Chunk {
    let (mut column, mut chunk) = (Vec::new(), Chunk::default());
    for number in counts.numbers() {
        put(&mut column, *number);
    }
    encode_column(kind::COUNTS, 1, &column, &mut chunk);
    chunk
}

/// Reads the counts.
pub(crate) fn decode_counts(columns: &Columns) -> Result<ProbeCounts, Malformed> {
    let (column, mut cursor) = (columns.get(0), Cursor::new(0));
    let mut counts = ProbeCounts::default();
    for (place, number) in counts.numbers().into_iter().enumerate() {
        // The first files have so many.
        if place >= 12 && cursor.at() == column.len() {
            break;
        }
        *number = cursor.take(column)?;
    }
    Ok(counts)
}

impl ProbeCounts {
    /// All of them, in the order of the file.
    fn numbers(&mut self) -> [&mut u64; 13] {
        [
            &mut self.processes,
            &mut self.threads,
            &mut self.lost,
            &mut self.waited_ns,
            &mut self.nested,
            &mut self.cut_stacks,
            &mut self.unknown_stacks,
            &mut self.checked_stacks,
            &mut self.wrong_stacks,
            &mut self.own_allocators,
            &mut self.deep_libraries,
            &mut self.gave_up,
            &mut self.silent_programs,
        ]
    }
}
