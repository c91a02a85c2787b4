//! The table of `trace -c`.

use std::sync::Arc;

use events::{Cause, MappingKind};

use super::TraceSummary;

/// What everything cost, by what it was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The costliest first.
    pub rows: Vec<TableRow>,
    /// All of them together.
    pub total: Option<TableRow>,
    /// The end of the trace.
    pub summary: TraceSummary,
}

/// Things of one sort, added up.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// Of which sort.
    pub group: Group,
    /// How many.
    pub calls: u64,
    /// How many of them failed: `None` for faults, which have no errors.
    pub errors: Option<u64>,
    /// Bytes that successful calls were about; `None` where a call is not about bytes.
    pub bytes: Option<u64>,
    /// Faults that read from a device; `None` for syscalls.
    pub major: Option<u64>,
    /// Time of all whose time is known.
    pub wall_ns: u64,
    /// Its part of the table's time, from 0 to 1.
    pub wall_share: f64,
    /// The part of the time on a processor; `None` if that is known of none.
    pub cpu_ns: Option<u64>,
    /// How many have no known time.
    pub untimed: u64,
    /// Half of them took at most that long, within 1 %.
    pub p50_ns: Option<u64>,
    /// 99 % of them took at most that long, within 1 %.
    pub p99_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// A syscall, by its name.
    Syscall(&'static str),
    /// Faults of one cause in one mapping, or in mappings of one kind.
    Faults(FaultClass),
    /// Faults in files that have no row of their own.
    OtherFiles {
        /// How many rows they would be.
        rows: u64,
    },
    /// All.
    Total,
}

/// What faults have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FaultClass {
    /// Their cause.
    pub cause: Cause,
    /// How large the pages are, if that is more than the smallest.
    pub large_bytes: Option<u64>,
    /// The kind of what is mapped there; `None` where nothing is known to be.
    pub kind: Option<MappingKind>,
    /// The file, or the name that was given to the memory.
    pub name: Option<Arc<str>>,
}
