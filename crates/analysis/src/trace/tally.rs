//! Adds up a trace for the table of `trace -c`.

use std::collections::{BTreeMap, HashMap};

use events::MappingKind;
use results::trace::{
    FaultClass, FaultLine, Group, Line, LineKind, Rates, SyscallLine, Table, TableRow, TraceSummary,
};

use super::durations::Durations;

/// The most classes of faults that are counted separately; a program may map more files.
const CLASSES: usize = 1000;
/// The most files with their own rows in the table.
const FILE_ROWS: usize = 8;

/// The sums so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    calls: BTreeMap<&'static str, Sum>,
    faults: HashMap<FaultClass, Sum>,
    others: Sum,
    others_rows: u64,
}

#[derive(Debug, Clone, Default)]
struct Sum {
    calls: u64,
    errors: u64,
    major: u64,
    bytes: Option<u64>,
    wall: Durations,
    cpu_ns: Option<u64>,
}

impl Tally {
    /// Adds `line`.
    pub fn take(&mut self, line: &Line) {
        match &line.kind {
            LineKind::Syscall(call) => self.calls.entry(call.name).or_default().add_call(call),
            LineKind::Fault(fault) => self.add_fault(fault),
            LineKind::Allocation(_)
            | LineKind::Process(_)
            | LineKind::Lost(_)
            | LineKind::Absence(_)
            | LineKind::Switched { .. } => {}
        }
    }

    fn add_fault(&mut self, fault: &FaultLine) {
        let mapping = fault.mapping.as_ref();
        let class = FaultClass {
            cause: fault.cause,
            large_bytes: fault.large_bytes(),
            kind: mapping.map(|mapping| mapping.kind),
            name: mapping.and_then(|mapping| mapping.name.clone()),
        };
        if self.faults.len() >= CLASSES && is_file(&class) && !self.faults.contains_key(&class) {
            self.others_rows += u64::from(self.others.calls == 0);
            self.others.add_fault(fault);
        } else {
            self.faults.entry(class).or_default().add_fault(fault);
        }
    }

    /// The table of `target`, with the summary of the trace.
    #[must_use]
    pub fn table(&self, target: Vec<String>, summary: TraceSummary) -> Table {
        let mut files: Vec<(&FaultClass, &Sum)> =
            self.faults.iter().filter(|(class, _)| is_file(class)).collect();
        files.sort_by(|(a, one), (b, other)| {
            other.wall.sum_ns.cmp(&one.wall.sum_ns).then_with(|| a.name.cmp(&b.name))
        });
        // A single leftover row is shown itself instead of "other files".
        let shown = if files.len() <= FILE_ROWS + 1 && self.others_rows == 0 {
            files.len()
        } else {
            FILE_ROWS
        };
        let (mut others, mut others_rows) = (self.others.clone(), self.others_rows);
        for (_, sum) in files.split_off(shown.min(files.len())) {
            others.merge(sum);
            others_rows += 1;
        }
        let plain = self.faults.iter().filter(|(class, _)| !is_file(class));
        let faults = plain.chain(files).map(|(class, sum)| (Group::Faults(class.clone()), sum));
        let calls = self.calls.iter().map(|(name, sum)| (Group::Syscall(name), sum));
        let others =
            (others_rows > 0).then_some((Group::OtherFiles { rows: others_rows }, &others));
        let sums: Vec<(Group, &Sum)> = calls.chain(faults).chain(others).collect();
        let all_ns =
            sums.iter().fold(0u64, |all_ns, (_, sum)| all_ns.saturating_add(sum.wall.sum_ns));
        let mut rows: Vec<TableRow> =
            sums.into_iter().map(|(group, sum)| sum.row(group, all_ns)).collect();
        rows.sort_by(|one, other| {
            (other.wall_ns, other.calls)
                .cmp(&(one.wall_ns, one.calls))
                .then_with(|| key(one).cmp(&key(other)))
        });
        let total = TableRow::sum(Group::Total, &rows).map(|mut total| {
            total.wall_share = if total.wall_ns == 0 { 0.0 } else { 1.0 };
            total
        });
        Table {
            target,
            run_share: (summary.threads_ns > 0).then(|| all_ns as f64 / summary.threads_ns as f64),
            start: None,
            recording_ns: recording_ns(&rows, &summary).filter(|_| all_ns > 0),
            rates: rates(&rows, &summary),
            total,
            rows,
            summary,
        }
    }
}

/// What recording can have added to the times, at most.
fn recording_ns(rows: &[TableRow], summary: &TraceSummary) -> Option<u64> {
    let added = |row: &TableRow| {
        let each_ns = if matches!(row.group, Group::Syscall(_)) {
            summary.recording_call_ns
        } else {
            summary.recording_ns
        };
        Some(each_ns?.saturating_mul(row.calls - row.untimed).min(row.wall_ns))
    };
    rows.iter().filter_map(added).reduce(u64::saturating_add)
}

fn rates(rows: &[TableRow], summary: &TraceSummary) -> Option<Rates> {
    let seconds = summary.observed_ns as f64 / 1e9;
    let per_second = |calls: bool| {
        let of = rows.iter().filter(|row| matches!(row.group, Group::Syscall(_)) == calls);
        of.map(|row| row.calls).sum::<u64>() as f64 / seconds
    };
    (seconds > 0.0).then(|| Rates {
        calls_per_s: summary.populating_calls.map(|_| per_second(true)),
        faults_per_s: summary.sees_faults.then(|| per_second(false)),
    })
}

fn is_file(class: &FaultClass) -> bool {
    class.kind.is_some_and(MappingKind::is_file) && class.name.is_some()
}

/// Sorts rows of equal time by name, so the same trace gives the same table.
fn key(row: &TableRow) -> String {
    format!("{:?}", row.group)
}

impl Sum {
    fn add_call(&mut self, call: &SyscallLine) {
        self.errors += u64::from(call.error.is_some());
        self.bytes = add(self.bytes, call.bytes);
        self.time(call.latency_ns, call.on_cpu_ns);
    }

    fn add_fault(&mut self, fault: &FaultLine) {
        self.major += u64::from(fault.major);
        self.time(fault.latency_ns, fault.on_cpu_ns);
    }

    fn time(&mut self, latency_ns: Option<u64>, on_cpu_ns: Option<u64>) {
        self.calls += 1;
        self.cpu_ns = add(self.cpu_ns, on_cpu_ns);
        if let Some(latency_ns) = latency_ns {
            self.wall.add(latency_ns);
        }
    }

    fn merge(&mut self, other: &Sum) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.major += other.major;
        self.bytes = add(self.bytes, other.bytes);
        self.cpu_ns = add(self.cpu_ns, other.cpu_ns);
        self.wall.merge(&other.wall);
    }

    fn row(&self, group: Group, all_ns: u64) -> TableRow {
        let is_call = matches!(group, Group::Syscall(_));
        TableRow {
            group,
            calls: self.calls,
            errors: is_call.then_some(self.errors),
            bytes: self.bytes,
            major: (!is_call).then_some(self.major),
            wall_ns: self.wall.sum_ns,
            wall_share: if all_ns == 0 { 0.0 } else { self.wall.sum_ns as f64 / all_ns as f64 },
            cpu_ns: self.cpu_ns,
            untimed: self.calls - self.wall.count,
            p50_ns: self.wall.quantile_ns(500),
            p99_ns: self.wall.quantile_ns(990),
            max_ns: self.wall.max_ns(),
        }
    }
}

/// The sum of known values.
fn add(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    match (sum, more) {
        (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
        (known, None) | (None, known) => known,
    }
}
