//! The table of `trace -c`.

use std::sync::Arc;

use events::{Cause, MappingKind};

use super::TraceSummary;
use crate::start::ProgramStart;

/// The cost of calls and faults, one row per kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The rows, most expensive first.
    pub rows: Vec<TableRow>,
    /// The total of all rows.
    pub total: Option<TableRow>,
    /// The words of the command line that chose the program, from `--` on, or `-p` and the process.
    pub target: Vec<String>,
    /// Share of the time of the rows in the time of all observed threads, from 0 to 1. With one
    /// thread that is the time of the run. `None`: no time was observed.
    pub run_share: Option<f64>,
    /// The most of that time that recording can have taken; `None` if unknown.
    pub recording_ns: Option<u64>,
    /// Syscalls and faults in a second of observation.
    pub rates: Option<Rates>,
    /// What the program paid before its entry; `None`: not known.
    pub start: Option<ProgramStart>,
    /// The summary of the trace.
    pub summary: TraceSummary,
}

/// How often something happened while a process was observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Memory syscalls in a second; `None` if they were not observed.
    pub calls_per_s: Option<f64>,
    /// Page faults in a second; `None` if they were not observed.
    pub faults_per_s: Option<f64>,
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
    /// Rows whose shares round to zero.
    Small {
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

/// A share that a table shows as 0.0 %.
const SMALL_SHARE: f64 = 0.0005;

impl Table {
    /// The table with its small rows, those that show a share of 0.0 %, folded into one.
    #[must_use]
    pub fn folded(mut self) -> Table {
        let is_small = |row: &TableRow| row.wall_share < SMALL_SHARE;
        let rows = self.rows.iter().filter(|row| is_small(row)).count();
        // Without times there are no shares.
        if rows < 2 || rows == self.rows.len() {
            return self;
        }
        let (small, large): (Vec<_>, Vec<_>) = self.rows.into_iter().partition(is_small);
        self.rows = large;
        let group = Group::Small { rows: rows as u64 };
        self.rows.extend(TableRow::sum(group, &small));
        self
    }
}

impl TableRow {
    /// All of `rows` together; `None` if there are none. Bytes mapped and bytes unmapped have no
    /// meaningful sum, nor has a percentile over different kinds a meaning.
    #[must_use]
    pub fn sum(group: Group, rows: &[TableRow]) -> Option<TableRow> {
        let sum = |figure: fn(&TableRow) -> Option<u64>| {
            rows.iter().filter_map(figure).reduce(u64::saturating_add)
        };
        Some(TableRow {
            group,
            calls: sum(|row| Some(row.calls))?,
            errors: sum(|row| row.errors),
            bytes: None,
            major: sum(|row| row.major),
            wall_ns: sum(|row| Some(row.wall_ns))?,
            wall_share: rows.iter().map(|row| row.wall_share).sum(),
            cpu_ns: sum(|row| row.cpu_ns),
            untimed: sum(|row| Some(row.untimed))?,
            p50_ns: None,
            p99_ns: None,
            max_ns: rows.iter().filter_map(|row| row.max_ns).max(),
        })
    }
}
