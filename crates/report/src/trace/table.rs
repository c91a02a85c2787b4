//! The table of `trace -c`: what cost most comes first.

use results::trace::{FaultClass, Group, Kind, Mapping, Row, Table};

use super::{missed, place, words};
use crate::number::{TimeUnit, bytes, count, digits, duration, percent};
use crate::table::{self, width_of};
use crate::text::hanging;

/// Renders `table` for a terminal of `width` columns; `None` for a file, where nothing is left out.
#[must_use]
pub fn screen(table: &Table, width: Option<usize>) -> String {
    let end = hanging("", &format!("{}.", missed(&table.summary)), width);
    let Some(total) = table.total.as_ref() else {
        return format!("No memory syscall and no page fault was seen.\n{end}");
    };
    let rows: Vec<&Row> = table.rows.iter().chain((table.rows.len() > 1).then_some(total)).collect();
    let wall = TimeUnit::for_largest(total.wall_ns as f64);
    let has = |figure: fn(&Row) -> bool| rows.iter().any(|row| figure(row));
    let mut there = [true; COLUMNS];
    there[CPU] = has(|row| row.cpu_ns.is_some_and(|cpu| cpu + row.wall_ns / 50 < row.wall_ns));
    there[ERRORS] = has(|row| row.errors.is_some_and(|errors| errors > 0));
    there[MAJOR] = has(|row| row.major.is_some_and(|major| major > 0));
    there[BYTES] = has(|row| row.bytes.is_some());
    let columns = Columns { there, wall, short: width.is_some() };
    let mut cells = vec![columns.head()];
    cells.extend(rows.iter().map(|row| columns.row(row)));
    let expendable = columns.expendable();
    let columns = width.unwrap_or_else(|| width_of(&cells, 2));
    format!("{}\n{end}", table::table(cells, columns, &expendable))
}

/// The columns that may be missing: those in which nothing differs from nothing, or from the wall time.
const CPU: usize = 3;
const ERRORS: usize = 5;
const MAJOR: usize = 6;
const BYTES: usize = 7;
const COLUMNS: usize = 11;

/// Which columns there are, and how they are written.
struct Columns {
    there: [bool; COLUMNS],
    wall: TimeUnit,
    /// Files by their last names only.
    short: bool,
}

impl Columns {
    fn head(&self) -> Vec<String> {
        let wall = format!("wall {}", self.wall.name());
        let cpu = format!("cpu {}", self.wall.name());
        self.pick(
            ["", &wall, "share", &cpu, "calls", "errors", "major", "bytes", "p50", "p99", "max"].map(String::from),
        )
    }

    fn row(&self, row: &Row) -> Vec<String> {
        let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| duration(ns as f64));
        let in_unit = |ns: u64| digits(ns as f64 / self.wall.ns(), 3);
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| count(number as f64));
        self.pick([
            self.name(&row.group),
            in_unit(row.wall_ns),
            percent(row.wall_share),
            row.cpu_ns.map_or_else(|| "-".to_owned(), in_unit),
            count(row.calls as f64),
            number(row.errors),
            number(row.major),
            row.bytes.map_or_else(|| "-".to_owned(), |sum| bytes(sum as f64)),
            time(row.p50_ns),
            time(row.p99_ns),
            time(row.max_ns),
        ])
    }

    fn pick(&self, cells: [String; COLUMNS]) -> Vec<String> {
        cells.into_iter().zip(self.there).filter_map(|(cell, there)| there.then_some(cell)).collect()
    }

    /// What a narrow terminal does without, first to last: max, bytes, cpu, p99.
    fn expendable(&self) -> Vec<usize> {
        let at = |column: usize| self.there[..column].iter().filter(|&&there| there).count();
        [COLUMNS - 1, BYTES, CPU, COLUMNS - 2].into_iter().filter(|&column| self.there[column]).map(at).collect()
    }

    fn name(&self, group: &Group) -> String {
        match group {
            Group::Syscall(name) => (*name).to_owned(),
            Group::Faults(class) => format!("fault: {}", self.class(class)),
            Group::OtherFiles { rows } => format!("fault: {} other files", count(*rows as f64)),
            Group::Total => "all".to_owned(),
        }
    }

    fn class(&self, FaultClass { cause, kind, name }: &FaultClass) -> String {
        let Some(kind) = *kind else { return words(*cause).to_owned() };
        let place = place(&Mapping { kind, name: name.clone(), start: 0 });
        let is_file = matches!(kind, Kind::PrivateFile | Kind::SharedFile);
        let place = if self.short && is_file { place.rsplit('/').next().unwrap_or(&place) } else { &place };
        if *cause == results::trace::Cause::Stack { place.to_owned() } else { format!("{}, {place}", words(*cause)) }
    }
}
