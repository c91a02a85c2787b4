//! The table of two recordings: a row for each call site that changed, and rows that add up to the
//! change of all of them.

use anstyle::{AnsiColor, Style};
use results::recording_diff::{
    CallerChange, ChangeCause, ChangeVerdict, CostChange, RecordingDiff, RestChange,
};

use crate::number::{TimeUnit, digits, several, whole};
use crate::recording::{name_in_table, word as memory};
use crate::table::{table, width_of};
use crate::text::{DIM, styled};
use crate::view::View;

/// The rows of a brief and of a detailed screen.
const ROWS: (usize, usize) = (10, 30);
/// A change that is a smaller part of the cost of all sites is not told alone: one in so many.
const SMALL: u64 = 1000;
/// The columns that names need at least: figures go where they have fewer.
const NAME_WANTED: usize = 20;
/// They never have fewer than this.
const NAME_MIN: usize = 10;
/// The widest that a row gets in a pipe.
const PIPE_COLUMNS: usize = 200;
/// The first columns to go on a narrow terminal, in this order.
const EXPENDABLE: [&str; 5] = ["calls", "by price", "old", "by counts", "faults"];
/// Blue and orange, as far as a terminal has them: those who cannot tell red and green apart see
/// the difference.
const CHEAPER: Style = AnsiColor::Blue.on_default();
const DEARER: Style = AnsiColor::Yellow.on_default();

/// A line of the table.
struct Row {
    name: String,
    /// Whether it maps memory itself.
    maps: bool,
    /// The place, if it is a call site.
    at: Option<String>,
    calls: String,
    faults: String,
    cost: CostChange,
    by_counts_ns: Option<i64>,
    by_price_ns: Option<i64>,
    word: &'static str,
    style: Style,
}

pub(super) fn table_of_changes(diff: &RecordingDiff, view: View) -> String {
    let rows = rows(diff, view);
    let numbers = rows.iter().filter(|row| row.at.is_some()).count();
    let unit = |of: fn(&Row) -> i64| {
        let largest = rows.iter().map(|row| of(row).unsigned_abs()).max().unwrap_or(0);
        TimeUnit::for_largest(largest as f64)
    };
    let (costs, changes) = (unit(|row| row.cost.larger_ns()), unit(|row| row.cost.change_ns));
    let columns = |row: &Row| -> Vec<(&'static str, String)> {
        let signed = |ns: Option<i64>| ns.map_or(String::new(), |ns| signed(ns, changes));
        vec![
            ("calls", row.calls.clone()),
            ("faults", row.faults.clone()),
            ("old", time(row.cost.old_ns, costs)),
            ("new", time(row.cost.new_ns, costs)),
            ("change", signed(Some(row.cost.change_ns))),
            ("by counts", signed(row.by_counts_ns)),
            ("by price", signed(row.by_price_ns)),
            ("", styled(row.style, row.word)),
        ]
    };
    let mut gone: Vec<&str> = Vec::new();
    let cells = |gone: &[&str]| -> Vec<Vec<String>> {
        let kept = |(head, _): &(&str, String)| !gone.contains(head);
        let Some(first) = rows.first() else { return Vec::new() };
        let heads = columns(first).into_iter().filter(kept).map(|(head, _)| head.to_owned());
        let of = |row: &Row| columns(row).into_iter().filter(kept).map(|(_, cell)| cell).collect();
        std::iter::once(heads.collect()).chain(rows.iter().map(of)).collect()
    };
    let digits = numbers.to_string().len();
    let room = |cells: &[Vec<String>]| {
        let (width, gap) = view.width.map_or((PIPE_COLUMNS, 2), |width| (width, 1));
        width.saturating_sub(width_of(cells, gap) + gap + digits + 1).max(NAME_MIN)
    };
    // Names of sums are not cut.
    let whole = rows.iter().filter(|row| row.at.is_none()).map(|row| row.name.chars().count());
    let wanted = whole.max().unwrap_or(0).max(NAME_WANTED);
    for head in EXPENDABLE {
        if room(&cells(&gone)) < wanted {
            gone.push(head);
        }
    }
    let mut cells = cells(&gone);
    let room = room(&cells);
    let mut number = 0;
    let mut name = |row: &Row| {
        let Some(at) = &row.at else { return format!("{:digits$} {}", "", row.name) };
        number += 1;
        let at = Some(at.as_str()).filter(|at| !at.is_empty());
        let name = name_in_table(&row.name, row.maps, at, Some(room));
        styled(row.style, &format!("{number:>digits$} {name}"))
    };
    let names: Vec<String> = rows.iter().map(&mut name).collect();
    let head = format!("{:>digits$} site", "#");
    for (row, name) in cells.iter_mut().zip(std::iter::once(head).chain(names)) {
        row.insert(0, name);
    }
    if let Some(heads) = cells.first_mut() {
        *heads = heads.iter().map(|head| styled(DIM, head)).collect();
    }
    table(cells, view.table_columns(), &[])
}

/// The sites that changed, what is folded, and the sums.
fn rows(diff: &RecordingDiff, view: View) -> Vec<Row> {
    let most = if view.verbose { ROWS.1 } else { ROWS.0 };
    let is_told = |row: &&CallerChange| view.verbose || !RecordingDiff::is_noise(row);
    let told: Vec<&CallerChange> = diff.callers.iter().filter(is_told).collect();
    // The largest changes come first.
    let least = diff.sites.larger_ns().unsigned_abs() / SMALL;
    let matters = |row: &&&CallerChange| view.verbose || row.cost.change_ns.unsigned_abs() >= least;
    let shown = told.iter().take(most).filter(matters).count();
    let mut rows: Vec<Row> = told[..shown].iter().map(|row| of_caller(row)).collect();
    let others = &told[shown..];
    if !others.is_empty() {
        let name = several(others.len() as u64, "other site", "other sites");
        let cost = CostChange::sum(others.iter().map(|row| row.cost));
        let sum = |of: fn(&CallerChange) -> i64| {
            Some(others.iter().fold(0_i64, |sum, row| sum.saturating_add(of(row))))
        };
        let by_counts_ns = sum(|row| row.by_counts_ns);
        let by_price_ns = sum(|row| row.by_price_ns);
        rows.push(Row { by_counts_ns, by_price_ns, ..sum_row(&name, cost) });
    }
    if diff.noise.callers > 0 && !view.verbose {
        let name = several(diff.noise.callers, "site", "sites") + " within the noise";
        let row = sum_row(&name, diff.noise.cost);
        rows.push(Row { word: "~", style: DIM, ..row });
    }
    if diff.remainder != CostChange::default() {
        rows.push(sum_row("(estimates against their sum)", diff.remainder));
    }
    if !diff.callers.is_empty() {
        rows.push(sum_row("all call sites", diff.sites));
    }
    if !diff.rest.is_empty() {
        rows.extend(diff.rest.iter().filter(|_| view.verbose).map(of_rest));
        let old = sum_of(&diff.rest, |row| row.old_faults);
        let new = sum_of(&diff.rest, |row| row.new_faults);
        let row = sum_row("faults not for blocks", diff.rest_total);
        rows.push(Row { faults: count(old, new), ..row });
        if !diff.callers.is_empty() {
            rows.push(sum_row("both together", diff.total));
        }
    }
    if let Some(start) = &diff.start {
        let faults = count(start.old_faults, start.new_faults);
        rows.push(Row { faults, ..sum_row("of it before main", start.cost) });
    }
    rows
}

fn sum_of(rest: &[RestChange], of: fn(&RestChange) -> u64) -> u64 {
    rest.iter().fold(0, |sum, row| sum.saturating_add(of(row)))
}

fn sum_row(name: &str, cost: CostChange) -> Row {
    Row {
        name: name.to_owned(),
        maps: false,
        at: None,
        calls: String::new(),
        faults: String::new(),
        cost,
        by_counts_ns: None,
        by_price_ns: None,
        word: "",
        style: Style::new(),
    }
}

fn of_rest(rest: &RestChange) -> Row {
    let row = sum_row(&format!("  {}", memory(rest.kind)), rest.cost);
    Row { faults: count(rest.old_faults, rest.new_faults), ..row }
}

fn of_caller(row: &CallerChange) -> Row {
    let counted = |of: fn(&results::recording::SiteCosts) -> Option<u64>| {
        let of = |costs: Option<&results::recording::SiteCosts>| costs.map_or(Some(0), of);
        let both = of(row.old.as_ref()).zip(of(row.new.as_ref()));
        both.map_or("-".to_owned(), |(old, new)| count(old, new))
    };
    let (word, style) = verdict(row);
    Row {
        name: row.function.clone(),
        maps: row.maps,
        at: Some(row.at.clone().unwrap_or_default()),
        calls: counted(|costs| Some(costs.calls)),
        faults: counted(results::recording::SiteCosts::faults),
        cost: row.cost,
        by_counts_ns: Some(row.by_counts_ns),
        by_price_ns: Some(row.by_price_ns),
        word,
        style,
    }
}

/// The verdict on a row. A price alone may be noise that the other sites do not show.
fn verdict(row: &CallerChange) -> (&'static str, Style) {
    let is_less = row.cost.change_ns < 0;
    let style = if is_less { CHEAPER } else { DEARER };
    match (row.verdict, row.because) {
        (ChangeVerdict::Different, Some(ChangeCause::New)) => ("new", style),
        (ChangeVerdict::Different, Some(ChangeCause::Gone)) => ("gone", style),
        (ChangeVerdict::Different, Some(ChangeCause::Price)) if is_less => ("faster?", style),
        (ChangeVerdict::Different, Some(ChangeCause::Price)) => ("slower?", style),
        (ChangeVerdict::Different, _) if is_less => ("faster", style),
        (ChangeVerdict::Different, _) => ("slower", style),
        (ChangeVerdict::Same, _) => ("same", DIM),
        (ChangeVerdict::Noise, _) => ("~", DIM),
        (ChangeVerdict::Unclear, _) => ("unclear", DIM),
    }
}

/// The change of a count.
fn count(old: u64, new: u64) -> String {
    match new.cmp(&old) {
        std::cmp::Ordering::Equal => "same".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", whole(new - old)),
        std::cmp::Ordering::Less => format!("-{}", whole(old - new)),
    }
}

fn time(ns: i64, unit: TimeUnit) -> String {
    format!("{} {}", digits(ns as f64 / unit.ns(), 2), unit.name())
}

fn signed(ns: i64, unit: TimeUnit) -> String {
    let sign = match ns {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    let size = digits(ns.unsigned_abs() as f64 / unit.ns(), 2);
    // A change that is too small for the unit has no sign that one would look at.
    if size.starts_with('<') {
        format!("{size} {}", unit.name())
    } else {
        format!("{sign}{size} {}", unit.name())
    }
}
