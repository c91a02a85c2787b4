//! The processes and the threads, if there are several (`-v`).

use results::recording::{OthersRow, RecordingReport, TalliedCosts};

use crate::number::{Nanoseconds, bytes, several, whole};
use crate::table::table;
use crate::text::{DIM, clean, styled};
use crate::view::View;

/// Rows of a table.
const ROWS: usize = 10;
/// The columns that go on a narrow terminal, in this order: lifetimes, syscalls, bytes.
const EXPENDABLE: [usize; 3] = [1, 5, 3];

/// A table of processes and one of threads, each if there are several.
pub(super) fn processes(report: &RecordingReport, view: View) -> String {
    let mut text = String::new();
    if report.process_list.len() > 1 {
        text += &of_processes(report, view);
    }
    if report.threads.len() > 1 && report.threads.len() > report.process_list.len() {
        text += &of_threads(report, view);
    }
    text
}

fn of_processes(report: &RecordingReport, view: View) -> String {
    let list = &report.process_list;
    let shown = shown(list.len(), report.other_processes);
    let mut rows = vec![heads(["process", "lived", "peak live", "peak resident"])];
    for process in &list[..shown] {
        let comm = process.comm.as_deref().map(clean);
        let name = format!("{} {}", process.pid, comm.unwrap_or_else(|| "-".to_owned()));
        let resident = process.peak_resident_bytes;
        let own = vec![
            name,
            Nanoseconds(process.lived_ns).to_string(),
            bytes(process.peak_live_bytes as f64),
            resident.map_or("-".to_owned(), |resident| bytes(resident as f64)),
        ];
        rows.push([own, cells(&process.costs)].concat());
    }
    let rest = list[shown..].iter().map(|process| &process.costs);
    if let Some(others) = OthersRow::of(rest, report.other_processes) {
        let name = several(others.count, "other process", "other processes");
        rows.push(
            [vec![name, String::new(), "-".into(), "-".into()], cells(&others.costs)].concat(),
        );
    }
    "\n".to_owned() + &table(rows, view.table_columns(), &EXPENDABLE)
}

fn of_threads(report: &RecordingReport, view: View) -> String {
    let list = &report.threads;
    let shown = shown(list.len(), report.other_threads);
    let mut rows = vec![heads(["thread", "lived", "of process", "bytes"])];
    let given = |costs: &TalliedCosts| {
        costs.allocated_bytes.map_or("-".to_owned(), |given| bytes(given as f64))
    };
    for thread in &list[..shown] {
        let comm = thread.comm.as_deref().map(clean);
        let own = vec![
            format!("{} {}", thread.tid, comm.unwrap_or_else(|| "-".to_owned())),
            Nanoseconds(thread.lived_ns).to_string(),
            thread.pid.to_string(),
            given(&thread.costs),
        ];
        rows.push([own, cells(&thread.costs)].concat());
    }
    let rest = list[shown..].iter().map(|thread| &thread.costs);
    if let Some(others) = OthersRow::of(rest, report.other_threads) {
        let name = several(others.count, "other thread", "other threads");
        let own = vec![name, String::new(), "-".into(), given(&others.costs)];
        rows.push([own, cells(&others.costs)].concat());
    }
    "\n".to_owned() + &table(rows, view.table_columns(), &EXPENDABLE)
}

/// How many of so many rows are shown: one more needs no line that says so.
fn shown(rows: usize, others: Option<OthersRow>) -> usize {
    if rows == ROWS + 1 && others.is_none() { rows } else { rows.min(ROWS) }
}

fn heads(own: [&str; 4]) -> Vec<String> {
    let costs = ["calls", "syscalls", "faults", "cost"];
    own.iter().chain(&costs).map(|head| styled(DIM, head)).collect()
}

fn cells(costs: &TalliedCosts) -> Vec<String> {
    let count = |figure: Option<u64>| figure.map_or("-".to_owned(), whole);
    vec![
        count(costs.calls),
        count(costs.syscalls),
        count(costs.faults),
        Nanoseconds(costs.cost_ns).to_string(),
    ]
}
