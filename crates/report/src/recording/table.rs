//! The table of callers: what their calls seem to cost, and what they do.

use results::recording::{CallerRow, RecordingReport, SiteCosts};
use textwrap::core::display_width;

use crate::number::{TimeUnit, bytes, digits, percent, rounded, several, whole};
use crate::table::{table, width_of};
use crate::text::{DIM, clean, styled};
use crate::view::View;

use super::functions;

/// The columns that names need at least: figures go where they have fewer.
const NAME_WANTED: usize = 20;
/// They never have fewer than this.
const NAME_MIN: usize = 10;
/// The first columns to go on a narrow terminal, in this order.
const EXPENDABLE: [&str; 4] = ["true/apparent", "calls", "bytes", "release"];
/// The widest that a row gets in a pipe: names of templates have no end.
const PIPE_COLUMNS: usize = 200;
/// The columns of a terminal from which on the parts of the costs have columns of their own.
const WIDE: usize = 110;

/// The row of all calls, where no stacks were recorded.
const WITHOUT_STACKS: &str = "all calls (no stacks were recorded)";

/// A column of figures.
struct Column<'a> {
    head: &'static str,
    cell: Box<dyn Fn(&SiteCosts) -> String + 'a>,
}

pub(super) fn table_of_callers(report: &RecordingReport, most: usize, view: View) -> String {
    // A single caller more needs no line that says so.
    let most = if report.callers.len() == most + 1 { most + 1 } else { most };
    let shown = &report.callers[..most.min(report.callers.len())];
    let mut columns = columns(report, shown, view);
    let others = report.others(most);
    let costs = shown.iter().map(|caller| caller.costs).chain(others.map(|(_, costs)| costs));
    let costs: Vec<SiteCosts> = costs.collect();
    let digits = shown.len().to_string().len();
    let room = |rows: &[Vec<String>]| {
        // In a pipe there is room for wider gaps.
        let (width, gap) = view.width.map_or((PIPE_COLUMNS, 2), |width| (width, 1));
        width.saturating_sub(width_of(rows, gap) + gap + digits + 1).max(NAME_MIN)
    };
    let mut rows = cells(&columns, &costs);
    for head in EXPENDABLE {
        if room(&rows) < NAME_WANTED {
            columns.retain(|column| column.head != head);
            rows = cells(&columns, &costs);
        }
    }
    let room = room(&rows);
    let head = format!("{:>digits$} site", "#");
    let numbered = |(index, caller): (usize, &CallerRow)| {
        let name = if report.has_no_stacks() {
            WITHOUT_STACKS.to_owned()
        } else {
            name(caller, Some(room))
        };
        format!("{:>digits$} {name}", index + 1)
    };
    let other = others.map(|(sites, _)| {
        format!("{:digits$} {}", "", several(sites as u64, "other site", "other sites"))
    });
    let callers = shown.iter().enumerate().map(numbered);
    for (row, name) in rows.iter_mut().zip(std::iter::once(head).chain(callers).chain(other)) {
        row.insert(0, name);
    }
    if let Some(heads) = rows.first_mut() {
        *heads = heads.iter().map(|head| styled(DIM, head)).collect();
    }
    table(rows, view.table_columns(), &[])
}

/// The columns that tell something, each time in one unit.
fn columns<'a>(report: &RecordingReport, shown: &'a [CallerRow], view: View) -> Vec<Column<'a>> {
    let wide = view.width.is_none_or(|width| width >= WIDE);
    let timed = |head, of: fn(&SiteCosts) -> Option<u64>, within: Within| {
        let largest = shown.iter().filter_map(|caller| of(&caller.costs)).max()?;
        let unit = TimeUnit::for_largest(largest as f64);
        let cell = move |costs: &SiteCosts| match of(costs) {
            Some(ns) => {
                let time = format!("{} {}", digits(ns as f64 / unit.ns(), 2), unit.name());
                time + &give_or_take(within(costs))
            }
            None => "-".to_owned(),
        };
        Some(Column { head, cell: Box::new(cell) })
    };
    let sized = Column { head: "bytes", cell: Box::new(sized) };
    let called = Column { head: "calls", cell: Box::new(called) };
    let faults = |costs: &SiteCosts| {
        let sum = costs.minor_faults.zip(costs.major_faults);
        sum.map_or("-".to_owned(), |(minor, major)| whole(minor.saturating_add(major)))
    };
    let faulted = Column { head: "faults", cell: Box::new(faults) };
    let ratio = |costs: &SiteCosts| {
        costs.true_per_apparent().map_or("-".to_owned(), |ratio| format!("{}x", digits(ratio, 2)))
    };
    let compared = Column { head: "true/apparent", cell: Box::new(ratio) };
    let with_faults = report.seen.faults;
    let all = [
        Some(sized),
        Some(called),
        (wide && with_faults).then_some(faulted),
        timed("apparent", |costs| Some(costs.apparent_ns), |_| None),
        wide.then(|| timed("first touch", |costs| costs.first_touch_ns, |_| None)).flatten(),
        (wide || !with_faults)
            .then(|| timed("release", |costs| Some(costs.release_ns), |_| None))
            .flatten(),
        timed("true", |costs| costs.true_ns, SiteCosts::true_within),
        with_faults.then_some(compared),
    ];
    all.into_iter().flatten().collect()
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

/// The heads of the columns, and below them a row for each of `costs`.
fn cells(columns: &[Column<'_>], costs: &[SiteCosts]) -> Vec<Vec<String>> {
    let heads = columns.iter().map(|column| column.head.to_owned()).collect();
    let row = |costs: &SiteCosts| columns.iter().map(|column| (column.cell)(costs)).collect();
    std::iter::once(heads).chain(costs.iter().map(row)).collect()
}

/// The function and its line. Where there is no room, what the function takes goes, and then its
/// beginning.
pub(super) fn name(caller: &CallerRow, room: Option<usize>) -> String {
    let function = functions::with_short_strings(&clean(&caller.function));
    let at = caller.at.as_deref().map(|at| format!("  {}", clean(at))).unwrap_or_default();
    let Some(room) = room else { return function + &at };
    let whole = format!("{function}{at}");
    if display_width(&whole) <= room {
        return whole;
    }
    // The function tells more than the file.
    let for_function = room.saturating_sub(display_width(&at));
    if at.is_empty() || for_function < room / 2 {
        return functions::shortened(&(functions::fitted(&function, room) + &at), room);
    }
    functions::fitted(&function, for_function) + &at
}
