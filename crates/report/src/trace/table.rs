//! The table of `trace -c`: what cost how much, the costliest first.

use results::trace::{Group, MappingLabel, Table, TableRow};
use textwrap::core::display_width;

use super::{Large, Place, reason, trace_end, whole};
use crate::number::{Nanoseconds, TimeUnit, digits};
use crate::text::{BOLD, clean, hanging};
use crate::view::View;

/// Columns that names have at least, before columns of figures go.
const NAME_COLUMNS: usize = 24;
/// What goes first on a narrow terminal.
const EXPENDABLE: [&str; 4] = ["cpu", "bytes", "major", "max"];

/// A column of figures.
struct Column {
    head: String,
    sort: &'static str,
    cells: Vec<String>,
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().map(|cell| display_width(cell)).max().unwrap_or(0).max(self.head.len())
    }
}

/// Renders `table` as `view` wants it.
#[must_use]
pub fn screen(table: &Table, view: View) -> String {
    let width = view.width;
    let end = trace_end(&table.summary, view);
    let Some(total) = &table.total else {
        return hanging("", "No fault and no memory syscall was seen.", width) + &end;
    };
    let rows: Vec<&TableRow> = table.rows.iter().chain([total]).collect();
    let mut columns = columns(&rows);
    let fits = |columns: &[Column], gap| {
        width.is_none_or(|width| figures_width(columns, gap) + NAME_COLUMNS <= width)
    };
    for sort in EXPENDABLE {
        if !fits(&columns, 1) {
            columns.retain(|column| column.sort != sort);
        }
    }
    let gap = if fits(&columns, 2) { 2 } else { 1 };
    let untimed = match total.untimed {
        0 => String::new(),
        1 => "Of 1 of them the time is not known: it counts as a call only.".to_owned(),
        many => {
            format!("Of {} of them the time is not known: they count as calls only.", whole(many))
        }
    };
    let notes = if untimed.is_empty() { String::new() } else { hanging("", &untimed, width) };
    let next = hanging("Next: ", "firsttouch trace -- CMD    (the same, line by line)", width);
    format!("{}\n{notes}{end}{next}", lines(&rows, &columns, gap, width))
}

/// The columns that tell something: those without a figure but 0 are left out.
fn columns(rows: &[&TableRow]) -> Vec<Column> {
    let counted = |head: &str, sort, figure: fn(&TableRow) -> Option<u64>| {
        let cells = rows.iter().map(|row| figure(row).map_or("-".to_owned(), whole)).collect();
        let tells = rows.iter().any(|row| figure(row).is_some_and(|figure| figure > 0));
        (tells || sort == "calls").then(|| Column { head: head.to_owned(), sort, cells })
    };
    let share = |row: &&TableRow| format!("{:.1}", 100.0 * row.wall_share);
    let shares = Column {
        head: "wall %".to_owned(),
        sort: "share",
        cells: rows.iter().map(share).collect(),
    };
    let all = [
        Some(shares),
        timed("wall", rows, |row| Some(row.wall_ns)),
        timed("cpu", rows, |row| row.cpu_ns),
        counted("calls", "calls", |row| Some(row.calls)),
        counted("errors", "errors", |row| row.errors),
        counted("major", "major", |row| row.major),
        bytes(rows),
        single("p50", rows, |row| row.p50_ns),
        single("p99", rows, |row| row.p99_ns),
        single("max", rows, |row| row.max_ns),
    ];
    all.into_iter().flatten().collect()
}

/// Times in one unit, which the head names; nothing if none is known.
fn timed(
    sort: &'static str,
    rows: &[&TableRow],
    time_ns: fn(&TableRow) -> Option<u64>,
) -> Option<Column> {
    let largest_ns = rows.iter().filter_map(|row| time_ns(row)).max()?;
    let unit = TimeUnit::for_largest(largest_ns as f64);
    let cell = |row: &&TableRow| {
        time_ns(row).map_or("-".to_owned(), |ns| digits(ns as f64 / unit.ns(), 3))
    };
    Some(Column {
        head: format!("{sort} {}", unit.name()),
        sort,
        cells: rows.iter().map(cell).collect(),
    })
}

/// Times of single calls, which differ so much that each has its own unit; nothing if none is
/// known.
fn single(
    sort: &'static str,
    rows: &[&TableRow],
    time_ns: fn(&TableRow) -> Option<u64>,
) -> Option<Column> {
    rows.iter().find_map(|row| time_ns(row))?;
    let cell =
        |row: &&TableRow| time_ns(row).map_or("-".to_owned(), |ns| Nanoseconds(ns).to_string());
    Some(Column { head: sort.to_owned(), sort, cells: rows.iter().map(cell).collect() })
}

/// Bytes in one unit; nothing if no row has any.
fn bytes(rows: &[&TableRow]) -> Option<Column> {
    let largest = rows.iter().filter_map(|row| row.bytes).max()?;
    let (unit, name) = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(unit, _)| largest >= *unit)
        .unwrap_or((1, "B"));
    let cell = |row: &&TableRow| {
        row.bytes.map_or("-".to_owned(), |bytes| digits(bytes as f64 / unit as f64, 3))
    };
    Some(Column { head: name.to_owned(), sort: "bytes", cells: rows.iter().map(cell).collect() })
}

/// Columns that the figures need, with what separates them and the names.
fn figures_width(columns: &[Column], gap: usize) -> usize {
    columns.iter().map(|column| column.width() + gap).sum()
}

fn lines(rows: &[&TableRow], columns: &[Column], gap: usize, width: Option<usize>) -> String {
    let line = |cell: &dyn Fn(&Column) -> String| {
        let padded = |column: &Column| {
            let text = cell(column);
            " ".repeat(column.width() - display_width(&text)) + &text + &" ".repeat(gap)
        };
        columns.iter().map(padded).collect::<String>()
    };
    let mut text = format!("{BOLD}{}name{BOLD:#}\n", line(&|column| column.head.clone()));
    for (index, row) in rows.iter().enumerate() {
        let figures = line(&|column| column.cells[index].clone());
        let room = width.map(|width| width.saturating_sub(figures.len()));
        text += &named(&figures, &name(row, room), width);
    }
    text
}

/// A row: a name that is too long for its line goes on below its beginning, broken where it must
/// be.
fn named(figures: &str, name: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return format!("{figures}{name}\n") };
    let indent = " ".repeat(figures.len());
    let room = width.saturating_sub(figures.len()).max(8);
    let options = textwrap::Options::new(room)
        .subsequent_indent("  ")
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let parts = textwrap::wrap(name, options);
    let line = |(index, part): (usize, &std::borrow::Cow<str>)| {
        format!("{}{}\n", if index == 0 { figures } else { &indent }, part.trim_end())
    };
    parts.iter().enumerate().map(line).collect()
}

/// What a row is about. Where there is no room for all of its name, a file goes by its last one.
fn name(row: &TableRow, room: Option<usize>) -> String {
    match &row.group {
        Group::Syscall(name) => clean(name),
        Group::Faults(class) => {
            let mapping =
                class.kind.map(|kind| MappingLabel { kind, name: class.name.clone(), start: 0 });
            let place = Place(mapping.as_ref()).to_string();
            let whole = |place: &str| {
                format!("fault: {place}, {}{}", reason(class.cause), Large(class.large_bytes))
            };
            let name = whole(&place);
            match room {
                Some(room) if display_width(&name) > room => {
                    whole(place.rsplit('/').next().unwrap_or(&place))
                }
                _ => name,
            }
        }
        Group::OtherFiles { rows } => format!("fault: other files ({})", whole(*rows)),
        Group::Total => "total".to_owned(),
    }
}
