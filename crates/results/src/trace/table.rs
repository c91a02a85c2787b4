//! The table of `trace -c`.

use std::sync::Arc;

use events::{Cause, MappingKind};

use super::TraceSummary;

/// The cost of calls and faults, one row per kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The rows, most expensive first.
    pub rows: Vec<TableRow>,
    /// The total of all rows.
    pub total: Option<TableRow>,
    /// The summary of the trace.
    pub summary: TraceSummary,
}

/// Calls or faults of one kind, added up.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// The kind.
    pub group: Group,
    /// How many there are.
    pub calls: u64,
    /// How many of them failed: `None` for faults, which have no errors.
    pub errors: Option<u64>,
    /// Bytes of successful calls; `None` if the call has no size.
    pub bytes: Option<u64>,
    /// Faults that read from a device; `None` for syscalls.
    pub major: Option<u64>,
    /// Total time, of those whose time is known.
    pub wall_ns: u64,
    /// Share of the time of the table, from 0 to 1.
    pub wall_share: f64,
    /// The part of the time on a processor; `None` if unknown for all.
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

/// The kind of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// A syscall, by its name.
    Syscall(&'static str),
    /// Faults of one cause in one mapping, or in mappings of one kind.
    Faults(FaultClass),
    /// Faults in files that have no row of their own.
    OtherFiles {
        /// The number of rows folded into this one.
        rows: u64,
    },
    /// The total.
    Total,
}

/// Properties that the faults of a row share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FaultClass {
    /// Their cause.
    pub cause: Cause,
    /// The page size, if larger than the base page.
    pub large_bytes: Option<u64>,
    /// The kind of the mapping; `None` if unknown.
    pub kind: Option<MappingKind>,
    /// The file, or the name of the memory.
    pub name: Option<Arc<str>>,
}
