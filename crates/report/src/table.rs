//! Tables without rules that fit the width of a terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table};
use textwrap::core::display_width;

/// A table without rules, the first column aligned left and the others right. On a narrow terminal
/// the columns move closer, and then those in `expendable` are dropped, one after the other.
pub(crate) fn table(mut rows: Vec<Vec<String>>, columns: usize, expendable: &[usize]) -> String {
    let mut gone: Vec<usize> = Vec::new();
    for &column in expendable {
        if width_of(&rows, 1) <= columns {
            break;
        }
        // The numbers in `expendable` are those of the full table.
        let index = column - gone.iter().filter(|&&other| other < column).count();
        for row in &mut rows {
            row.remove(index);
        }
        gone.push(column);
    }
    let gap = if width_of(&rows, 2) <= columns { 2 } else { 1 };
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.add_rows(rows);
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { gap }));
        column.set_cell_alignment(if index == 0 {
            CellAlignment::Left
        } else {
            CellAlignment::Right
        });
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A table that drops nothing: columns without room continue in a table below, which repeats the
/// first column.
pub(crate) fn stacked(rows: &[Vec<String>], columns: usize) -> String {
    let part = |range: std::ops::Range<usize>| -> Vec<Vec<String>> {
        let row = |row: &Vec<String>| [&row[..1], &row[range.clone()]].concat();
        rows.iter().map(row).collect()
    };
    let count = rows.first().map_or(0, Vec::len);
    let mut tables = Vec::new();
    let mut start = 1;
    while start < count {
        let fits = |end: &usize| width_of(&part(start..*end), 1) <= columns;
        let end = (start + 1..=count).rev().find(fits).unwrap_or(start + 1);
        tables.push(table(part(start..end), columns, &[]));
        start = end;
    }
    tables.join("\n")
}

/// The columns that `rows` need with gaps of `gap`.
pub(crate) fn width_of(rows: &[Vec<String>], gap: usize) -> usize {
    let count = rows.first().map_or(0, Vec::len);
    let widest =
        |column: usize| rows.iter().map(|row| display_width(&row[column])).max().unwrap_or(0);
    (0..count).map(widest).sum::<usize>() + gap * count.saturating_sub(1)
}
