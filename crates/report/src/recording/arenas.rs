//! Where glibc's malloc took blocks from, and its thresholds (`-v`).

use std::fmt::Write;

use results::recording::{ArenaMemory, ArenaRow, RecordingReport, ThresholdsRow};

use crate::number::{Nanoseconds, bytes, several, whole};
use crate::table::table;
use crate::text::{DIM, hanging, styled};
use crate::view::View;

use super::timeline::site;

/// Rows of the table.
const ROWS: usize = 10;
/// Rises of a threshold that are told.
const MOVES: usize = 5;
/// Processes whose thresholds are told.
const PROCESSES: usize = 3;

/// The table of arenas and the thresholds; nothing where there are none.
pub(super) fn arenas(report: &RecordingReport, view: View) -> String {
    let arenas = &report.arenas;
    if arenas.is_empty() {
        return not_glibc(report, view);
    }
    let several_processes = report.process_list.len() > 1;
    let mut order: Vec<&ArenaRow> = arenas.iter().collect();
    order.sort_by_key(|row| std::cmp::Reverse(row.calls));
    let left = order.len().checked_sub(ROWS).filter(|&left| left > 1);
    let heads = ["blocks from", "calls", "bytes", "resizes", "their time"];
    let mut rows = vec![heads.map(|head| styled(DIM, head)).to_vec()];
    for row in &order[..if left.is_some() { ROWS } else { order.len() }] {
        let pid = row.pid.filter(|_| several_processes);
        let of = pid.map_or(String::new(), |pid| format!(" of {pid}"));
        rows.push(vec![
            name(row) + &of,
            whole(row.calls),
            bytes(row.bytes as f64),
            row.resizes.map_or("-".to_owned(), whole),
            row.resize_ns.map_or("-".to_owned(), |ns| Nanoseconds(ns).to_string()),
        ]);
    }
    let mut text = "\n".to_owned() + &table(rows, view.table_columns(), &[3]);
    if let Some(left) = left {
        let _ = writeln!(text, "and {}", several(left as u64, "other", "others"));
    }
    for row in report.thresholds.iter().take(PROCESSES) {
        text += &thresholds(report, row, several_processes, view);
    }
    text
}

/// Says why there is nothing to say.
fn not_glibc(report: &RecordingReport, view: View) -> String {
    let allocators = &report.allocators;
    if report.thinned.is_some() || allocators.is_empty() || allocators == &["glibc"] {
        return String::new();
    }
    let sentence = format!(
        "Arenas and thresholds are known of glibc alone: this program has {}.",
        allocators.join(" and ")
    );
    "\n".to_owned() + &hanging("", &sentence, view.width)
}

fn name(row: &ArenaRow) -> String {
    match row.arena {
        _ if row.count > 1 => several(row.count, "other arena", "other arenas"),
        ArenaMemory::MainHeap => "main heap (brk)".to_owned(),
        ArenaMemory::ThreadHeap => {
            let tid = row.first_tid.map_or(String::new(), |tid| format!(", first by {tid}"));
            format!("heap {:#x}{tid}", row.start)
        }
        ArenaMemory::OwnMapping => "mappings of their own".to_owned(),
        ArenaMemory::Other => "other mappings".to_owned(),
    }
}

/// A sentence about the thresholds of a process.
fn thresholds(
    report: &RecordingReport,
    row: &ThresholdsRow,
    several_processes: bool,
    view: View,
) -> String {
    let of = if several_processes { format!(" of {}", row.pid) } else { String::new() };
    let mut parts = Vec::new();
    if let Some(smallest) = row.smallest_mapped_bytes {
        parts.push(format!("smallest block with a mapping of its own {}", bytes(smallest as f64)));
    }
    if row.largest_from_arena_bytes > 0 {
        parts.push(format!("largest without {}", bytes(row.largest_from_arena_bytes as f64)));
    }
    let mut text = hanging("", &format!("mmap threshold{of}: {}", parts.join(", ")), view.width);
    if row.is_fixed {
        text += &hanging("  ", "It did not move: a setting keeps it where it is.", view.width);
        return text;
    }
    for moved in row.moves.iter().take(MOVES) {
        let sentence = format!(
            "{} to {} at {}, by the free of a block of {}",
            bytes(moved.from_bytes as f64),
            bytes(moved.to_bytes as f64),
            Nanoseconds(moved.time_ns),
            site(report, moved.site)
        );
        text += &hanging("  from ", &sentence, view.width);
    }
    let more = row.moves.len().saturating_sub(MOVES) as u64;
    let more = more.saturating_add(row.more_moves);
    if more > 0 {
        let _ = writeln!(text, "  and {}", several(more, "later rise", "later rises"));
    }
    text
}
