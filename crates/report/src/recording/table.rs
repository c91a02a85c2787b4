//! The table of callers: what their calls seem to cost, and what they do.

use std::collections::BTreeMap;

use results::recording::{CallerOrder, CallerRow, RecordingReport, SiteCosts, TouchedPart};
use textwrap::core::display_width;

use crate::number::{TimeUnit, bytes, digits, percent, rounded, several, whole};
use crate::table::{table, width_of};
use crate::text::{DIM, clean, styled};
use crate::view::View;

use super::{functions, story};

/// The columns that names need at least: figures go where they have fewer.
const NAME_WANTED: usize = 20;
/// They never have fewer than this.
const NAME_MIN: usize = 10;
/// The first columns to go on a narrow terminal, in this order.
const EXPENDABLE: [&str; 7] =
    ["touched in", "true/apparent", "calls", "bytes a call", "bytes", "release", "apparent"];
/// The widest that a row gets in a pipe: names of templates have no end.
const PIPE_COLUMNS: usize = 200;
/// The columns of a terminal from which on the parts of the costs have columns of their own.
const WIDE: usize = 110;
/// The most columns of a function that touched.
const TOUCHER_COLUMNS: usize = 16;

/// The row of all calls, where no stacks were recorded.
const WITHOUT_STACKS: &str = "all calls (no stacks were recorded)";

/// A column of figures.
struct Column<'a> {
    head: &'static str,
    cell: Box<dyn Fn(&Row) -> String + 'a>,
}

/// What columns are made of.
struct Row {
    costs: SiteCosts,
    touched: Option<TouchedPart>,
    /// The function that touched most of the memory; empty if it is not known.
    toucher: String,
}

/// A table of the first callers, at most so many.
pub(super) fn table_of_callers(report: &RecordingReport, most: usize, view: View) -> String {
    let most = most.min(report.callers.len());
    let shown = &report.callers[..most];
    let others = report.others(most);
    let other = others.map(|(_, costs)| Row {
        costs,
        touched: report.touched_of_all(&report.callers[most..]),
        toucher: String::new(),
    });
    let of_caller = |caller: &CallerRow| row_of(report, caller);
    let all: Vec<Row> = shown.iter().map(of_caller).chain(other).collect();
    let mut columns = columns(report, &all, view);
    let digits = shown.len().to_string().len();
    let room = |rows: &[Vec<String>]| {
        // In a pipe there is room for wider gaps.
        let (width, gap) = view.width.map_or((PIPE_COLUMNS, 2), |width| (width, 1));
        width.saturating_sub(width_of(rows, gap) + gap + digits + 1).max(NAME_MIN)
    };
    let mut rows = cells(&columns, &all);
    for head in EXPENDABLE.into_iter().filter(|&head| key(report.sorted_by) != Some(head)) {
        if room(&rows) < NAME_WANTED {
            columns.retain(|column| column.head != head);
            rows = cells(&columns, &all);
        }
    }
    let room = room(&rows);
    let head = format!("{:>digits$} site", "#");
    let names = if report.has_no_stacks() {
        let name = |caller: &CallerRow| name_of(WITHOUT_STACKS, caller.maps, None, Some(room));
        shown.iter().map(name).collect()
    } else {
        names(shown, room)
    };
    let numbered = |(index, name): (usize, &String)| format!("{:>digits$} {name}", index + 1);
    let other = others.map(|(sites, _)| {
        format!("{:digits$} {}", "", several(sites as u64, "other site", "other sites"))
    });
    let callers = names.iter().enumerate().map(numbered);
    for (row, name) in rows.iter_mut().zip(std::iter::once(head).chain(callers).chain(other)) {
        row.insert(0, name);
    }
    if let Some(heads) = rows.first_mut() {
        *heads = heads.iter().map(|head| styled(DIM, head)).collect();
    }
    table(rows, view.table_columns(), &[])
}

fn row_of(report: &RecordingReport, caller: &CallerRow) -> Row {
    let detail = report.detail_of(caller);
    let toucher = detail.costliest_toucher().map(|(toucher, _)| {
        let name = story::toucher_name(&toucher.function, None);
        functions::fitted(&name, TOUCHER_COLUMNS)
    });
    Row {
        costs: caller.costs,
        touched: report.touched_of(caller),
        toucher: toucher.unwrap_or_default(),
    }
}

/// The column with the figure that callers are sorted by.
fn key(order: CallerOrder) -> Option<&'static str> {
    Some(match order {
        CallerOrder::True => "true",
        CallerOrder::Apparent => "apparent",
        CallerOrder::FirstTouch => "first touch",
        CallerOrder::Release => "release",
        CallerOrder::Bytes => "bytes",
        CallerOrder::Calls => "calls",
        CallerOrder::Faults => "faults",
        CallerOrder::Peak => "at peak",
        CallerOrder::Unreleased => "unreleased",
        CallerOrder::Untouched => "untouched",
        CallerOrder::Name => return None,
    })
}

/// The columns that tell something, each time in one unit.
fn columns<'a>(report: &RecordingReport, rows: &'a [Row], view: View) -> Vec<Column<'a>> {
    let wide = view.width.is_none_or(|width| width >= WIDE);
    let with_faults = report.seen.faults;
    let is_key = |head| key(report.sorted_by) == Some(head);
    let column = |head, cell: fn(&Row) -> String| Column { head, cell: Box::new(cell) };
    let wanted = |head, is_wanted: bool, cell: fn(&Row) -> String| {
        (is_wanted || is_key(head)).then(|| column(head, cell))
    };
    let timed = |head, is_wanted: bool, of: fn(&SiteCosts) -> Option<u64>, within: Within| {
        let largest = rows.iter().filter_map(|row| of(&row.costs)).max();
        let unit = TimeUnit::for_largest(largest? as f64);
        let cell = move |row: &Row| match of(&row.costs) {
            Some(ns) => {
                let time = format!("{} {}", digits(ns as f64 / unit.ns(), 2), unit.name());
                time + &give_or_take(within(&row.costs))
            }
            None => "-".to_owned(),
        };
        (is_wanted || is_key(head)).then(|| Column { head, cell: Box::new(cell) })
    };
    let touched_in = wide && rows.iter().any(|row| !row.toucher.is_empty());
    let all = [
        wanted("bytes", true, |row| sized(&row.costs)),
        wanted("own pages", is_key("untouched"), |row| part(row, |part| part.watched_bytes)),
        wanted("untouched", false, |row| part(row, |part| part.never_touched_bytes)),
        // Of large blocks a part is easily left over.
        wanted("bytes a call", is_key("untouched"), |row| a_call(&row.costs)),
        wanted("at peak", false, |row| bytes(row.costs.at_peak_bytes as f64)),
        wanted("unreleased", false, |row| bytes(row.costs.unreleased_bytes as f64)),
        wanted("calls", true, |row| called(&row.costs)),
        wanted("faults", wide && with_faults, |row| known(row.costs.faults())),
        timed("apparent", true, |costs| Some(costs.apparent_ns), |_| None),
        timed("first touch", wide, |costs| costs.first_touch_ns, |_| None),
        timed("release", wide || !with_faults, |costs| Some(costs.release_ns), |_| None),
        timed("true", true, |costs| costs.true_ns, SiteCosts::true_within),
        wanted("true/apparent", with_faults, |row| ratio(&row.costs)),
        wanted("touched in", touched_in, |row| row.toucher.clone()),
    ];
    all.into_iter().flatten().collect()
}

fn known(figure: Option<u64>) -> String {
    figure.map_or("-".to_owned(), whole)
}

fn part(row: &Row, of: fn(&TouchedPart) -> u64) -> String {
    row.touched.map_or("-".to_owned(), |touched| bytes(of(&touched) as f64))
}

fn a_call(costs: &SiteCosts) -> String {
    let calls = costs.calls.saturating_sub(costs.failed);
    if calls == 0 { "-".to_owned() } else { bytes(costs.bytes as f64 / calls as f64) }
}

fn ratio(costs: &SiteCosts) -> String {
    costs.true_per_apparent().map_or("-".to_owned(), |ratio| format!("{}x", digits(ratio, 2)))
}

/// How far a figure may be off, as a part of it.
type Within = fn(&SiteCosts) -> Option<f64>;

/// The bytes, and where they are estimated how far they may be off.
pub(super) fn sized(costs: &SiteCosts) -> String {
    bytes(costs.bytes as f64) + &give_or_take(costs.bytes_within())
}

/// The same of the calls, with no more digits than they have.
pub(super) fn called(costs: &SiteCosts) -> String {
    let within = costs.calls_within();
    let calls = if within.is_some() { rounded(costs.calls) } else { costs.calls };
    whole(calls) + &give_or_take(within)
}

fn give_or_take(within: Option<f64>) -> String {
    within.map(|within| format!(" ±{}", percent(within))).unwrap_or_default()
}

/// The heads of the columns, and below them the figures of `rows`.
fn cells(columns: &[Column<'_>], rows: &[Row]) -> Vec<Vec<String>> {
    let heads = columns.iter().map(|column| column.head.to_owned()).collect();
    let row = |row: &Row| columns.iter().map(|column| (column.cell)(row)).collect();
    std::iter::once(heads).chain(rows.iter().map(row)).collect()
}

/// What is said of a function whose calls map memory themselves.
const MAPS: &str = " (mmap)";

/// The names of `callers` in so much `room` each. Functions that would read the same, such as of
/// one template, get a part in which they differ.
fn names(callers: &[CallerRow], room: usize) -> Vec<String> {
    let mut names: Vec<String> = callers.iter().map(|caller| name(caller, Some(room))).collect();
    let mut same: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        same.entry(name.clone()).or_default().push(index);
    }
    for indices in same.into_values().filter(|indices| indices.len() > 1) {
        let function =
            |&index: &usize| functions::with_short_strings(&clean(&callers[index].function));
        let functions: Vec<String> = indices.iter().map(function).collect();
        let parts = functions::differences(&functions, room / 2);
        for ((index, function), part) in indices.into_iter().zip(functions).zip(parts) {
            if !part.is_empty() {
                let CallerRow { at, maps, .. } = &callers[index];
                let at = at.as_deref().map(clean).unwrap_or_default();
                let own = format!("{} [{part}]", if *maps { MAPS } else { "" });
                let both = format!("{own}  {at}");
                // The place is the same.
                let has_room = display_width(&both) + NAME_MIN <= room;
                let behind = if has_room { both.trim_end() } else { &own };
                names[index] = fit(&function, behind, room);
            }
        }
    }
    names
}

/// The function and its line. Where there is no room, what the function takes goes, and then its
/// beginning.
pub(super) fn name(caller: &CallerRow, room: Option<usize>) -> String {
    name_of(&caller.function, caller.maps, caller.at.as_deref(), room)
}

/// The same of a function at a place, which may map memory itself.
pub(crate) fn name_of(function: &str, maps: bool, at: Option<&str>, room: Option<usize>) -> String {
    let function = functions::with_short_strings(&clean(function));
    let at = at.map(|at| format!("  {}", clean(at))).unwrap_or_default();
    let at = if maps { MAPS.to_owned() + &at } else { at };
    match room {
        Some(room) => fit(&function, &at, room),
        None => function + &at,
    }
}

/// A function with what stands behind it, in so much room.
fn fit(function: &str, behind: &str, room: usize) -> String {
    let whole = format!("{function}{behind}");
    if display_width(&whole) <= room {
        return whole;
    }
    // The function tells more than the file.
    let for_function = room.saturating_sub(display_width(behind));
    if behind.is_empty() || for_function < room / 2 {
        return functions::shortened(&(functions::fitted(function, room) + behind), room);
    }
    functions::fitted(function, for_function) + behind
}
