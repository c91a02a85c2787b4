//! The table of `trace -c`: the time of each kind of call and fault, the costliest first.

use std::fmt::Write;

use results::trace::{Group, MappingLabel, Table, TableRow};
use textwrap::core::display_width;

use super::names::FileNames;
use super::{Large, reason, trace_end};
use crate::number::{Nanoseconds, TimeUnit, count, digits, several, whole};
use crate::start::start_line;
use crate::text::{BOLD, clean, hanging, quoted, typed};
use crate::view::View;

/// Columns of figures go where names would have fewer columns.
const NAME_COLUMNS: usize = 24;
/// The first columns to go on a narrow terminal, in this order.
const EXPENDABLE: [&str; 4] = ["cpu", "bytes", "major", "max"];

/// The most characters of a command in the head.
const COMMAND_CHARACTERS: usize = 60;

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
    let head = head(table, total, view);
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
        1 => "The time of 1 fault or call is not known: it is in no column of times.".to_owned(),
        many => format!(
            "The times of {} faults or calls are not known: they are in no column of times.",
            whole(many)
        ),
    };
    let notes = if untimed.is_empty() { String::new() } else { hanging("", &untimed, width) };
    let same = match typed(&table.target) {
        Some(target) => format!("firsttouch trace {target}    (the same, line by line)"),
        None => "the same command without -c shows it line by line (its words have bytes that are \
                 not text)"
            .to_owned(),
    };
    let command = table.target.get(1).map(String::as_str);
    let line = |start| start_line(start, command, true, view);
    let start = table.start.as_ref().map(line).unwrap_or_default();
    let next = hanging("Next: ", &same, width);
    format!("{head}\n{}\n{notes}{start}{end}{next}", lines(&rows, &columns, gap, view))
}

/// The words of a command line as a shell takes them.
fn words(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// How long the program was observed, and how much of that the rows are.
fn head(table: &Table, total: &TableRow, view: View) -> String {
    let Table { summary, target, .. } = table;
    let mut named = match &target[..] {
        [option, pid] if option == "-p" => format!("process {pid}"),
        [_, command @ ..] => words(command),
        [] => String::new(),
    };
    if let Some((at, _)) = named.char_indices().nth(COMMAND_CHARACTERS) {
        named.replace_range(at.., "...");
    }
    let mut text = format!("observed for {}", Nanoseconds(summary.observed_ns));
    let several_threads = summary.threads > 1;
    if several_threads {
        let threads = several(summary.threads, "thread", "threads");
        let processes = several(summary.processes, "process", "processes");
        let all = Nanoseconds(summary.threads_ns);
        let _ = write!(text, ", {threads} in {processes} that existed for {all} together");
    }
    let observed = match (summary.populating_calls.is_some(), summary.sees_faults) {
        (true, false) => "memory syscalls",
        (false, true) => "faults",
        _ => "memory syscalls and faults",
    };
    if is_timed(total) {
        let _ = write!(text, ". Its {observed} took {}", Nanoseconds(total.wall_ns));
        if let Some(recording_ns) = table.recording_ns {
            let all = summary.recording_call_ns.is_some() || total.calls == summary.faults_seen;
            let what = if all { "recording" } else { "recording of the faults" };
            let _ = write!(text, " (up to {} of it {what})", Nanoseconds(recording_ns));
        }
        if let Some(share) = table.run_share {
            let of = if several_threads { "the time of its threads" } else { "the run" };
            let _ = write!(text, ", {:.1} % of {of}", 100.0 * share);
        }
    } else {
        let _ = write!(text, ". How long its {observed} took is not known");
    }
    text.push('.');
    if let Some(rates) = table.rates.filter(|_| summary.ending.is_none()) {
        let calls = rates.calls_per_s.map(|rate| format!("{} memory syscalls/s", count(rate)));
        let faults = rates.faults_per_s.map(|rate| format!("{} faults/s", count(rate)));
        let rates: Vec<String> = calls.into_iter().chain(faults).collect();
        if !rates.is_empty() {
            let _ = write!(text, " {}.", rates.join(", "));
        }
    }
    hanging("", &format!("{BOLD}{named}{BOLD:#}: {text}"), view.width)
}

/// Whether the time of at least one of its calls is known.
fn is_timed(row: &TableRow) -> bool {
    row.untimed < row.calls
}

/// The columns with a figure other than 0.
fn columns(rows: &[&TableRow]) -> Vec<Column> {
    let counted = |head: &str, sort, figure: fn(&TableRow) -> Option<u64>| {
        let cells = rows.iter().map(|row| figure(row).map_or("-".to_owned(), whole)).collect();
        let tells = rows.iter().any(|row| figure(row).is_some_and(|figure| figure > 0));
        (tells || sort == "calls").then(|| Column { head: head.to_owned(), sort, cells })
    };
    let share = |row: &&TableRow| {
        if is_timed(row) { format!("{:.1}", 100.0 * row.wall_share) } else { "-".to_owned() }
    };
    let shares = rows.iter().any(|row| is_timed(row)).then(|| Column {
        head: "wall %".to_owned(),
        sort: "share",
        cells: rows.iter().map(share).collect(),
    });
    let all = [
        shares,
        timed("wall", rows, |row| is_timed(row).then_some(row.wall_ns)),
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

/// Times in one unit, which the head names; `None` if no time is known.
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

/// Times of single calls, which differ so much that each has its own unit; `None` if no time is
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

/// Bytes in one unit; `None` if no row has any.
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

/// The width of the figures and of the gaps behind them.
fn figures_width(columns: &[Column], gap: usize) -> usize {
    columns.iter().map(|column| column.width() + gap).sum()
}

fn lines(rows: &[&TableRow], columns: &[Column], gap: usize, view: View) -> String {
    let line = |cell: &dyn Fn(&Column) -> String| {
        let padded = |column: &Column| {
            let text = cell(column);
            " ".repeat(column.width() - display_width(&text)) + &text + &" ".repeat(gap)
        };
        columns.iter().map(padded).collect::<String>()
    };
    let mut text = format!("{BOLD}{}name{BOLD:#}\n", line(&|column| column.head.clone()));
    let labels: Vec<Option<MappingLabel>> = rows.iter().map(|row| label(row)).collect();
    let mut names = FileNames::new(view);
    names.know(labels.iter().flatten());
    for (index, row) in rows.iter().enumerate() {
        let figures = line(&|column| column.cells[index].clone());
        text += &named(&figures, &name(row, labels[index].as_ref(), &mut names), view.width);
    }
    text
}

/// A row. A name that is too long for its line continues below its beginning.
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

/// The mapping that a row of faults is about.
fn label(row: &TableRow) -> Option<MappingLabel> {
    let Group::Faults(class) = &row.group else { return None };
    class.kind.map(|kind| MappingLabel { kind, name: class.name.clone(), start: 0 })
}

/// What a row is about; `mapping` is its [`label`].
fn name(row: &TableRow, mapping: Option<&MappingLabel>, names: &mut FileNames) -> String {
    match &row.group {
        Group::Syscall(name) => clean(name),
        Group::Faults(class) => format!(
            "fault: {}, {}{}",
            names.place(mapping),
            reason(class.cause, class.kind),
            Large(class.large_bytes)
        ),
        Group::OtherFiles { rows } => format!("fault: other files and causes ({})", whole(*rows)),
        Group::Small { rows } => format!("other rows of less than 0.1 % ({})", whole(*rows)),
        Group::Total => "total".to_owned(),
    }
}
