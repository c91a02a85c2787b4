//! The columns of a picture, and the lines of its places.

use results::layout::LayoutRun;
use textwrap::core::display_width;

use super::areas::{Area, Place};
use super::bars;
use crate::number::bytes;
use crate::text::clean;

/// Columns of an address.
pub(super) const ADDRESS: usize = 14;
const FIGURE: usize = 9;
/// The columns that a name and a bar have at least.
const LEAST_NAME: usize = 16;
const LEAST_LETTERS: usize = 8;
/// In a pipe, which has no width, no name is cut: a longer one pushes the rest of its line to the
/// right.
const PIPE_NAME: usize = 40;
const PIPE_LETTERS: usize = 64;

/// Widths in columns of a terminal.
pub(super) struct Columns {
    pub(super) letters: usize,
    name: usize,
    with_huge: bool,
    may_cut: bool,
}

impl Columns {
    /// For the places of `areas` on a terminal of `width` columns, or in a pipe.
    pub(super) fn new(areas: &[Area], run: &LayoutRun, width: Option<usize>) -> Self {
        let with_huge = run.regions.iter().any(|region| region.huge_bytes > 0);
        let names = areas
            .iter()
            .flat_map(|area| &area.places)
            .map(|place| display_width(&clean(&place.name)));
        let longest = names.max().unwrap_or(0);
        let mut columns =
            Columns { letters: PIPE_LETTERS, name: 0, with_huge, may_cut: width.is_some() };
        columns.name = match width {
            None => longest.clamp(LEAST_NAME, PIPE_NAME),
            Some(width) => {
                let room = width.saturating_sub(columns.fixed());
                // A name may have half of the columns that are left.
                let name = longest.clamp(LEAST_NAME, LEAST_NAME.max(room / 2));
                columns.letters = room.saturating_sub(name).max(LEAST_LETTERS);
                name
            }
        };
        columns
    }

    /// Everything but name and letters: the address, the figures, the blanks, two brackets.
    fn fixed(&self) -> usize {
        ADDRESS + 2 + (FIGURE + 1) * if self.with_huge { 3 } else { 2 } + 4
    }

    /// Of a whole line.
    pub(super) fn whole(&self) -> usize {
        self.fixed() + self.name + self.letters
    }

    /// The heads of the figures, over their columns, behind `left`.
    pub(super) fn heads(&self, left: &str) -> String {
        let huge = if self.with_huge { format!(" {:>FIGURE$}", "huge") } else { String::new() };
        let until_size = (ADDRESS + 2 + self.name + 1 + FIGURE).saturating_sub(left.len());
        format!("{left}{:>until_size$} {:>FIGURE$}{huge}", "size", "resident")
    }

    /// The line of a place.
    pub(super) fn line(&self, place: &Place, cell_bytes: u64) -> String {
        let huge = match (self.with_huge, place.huge_bytes) {
            (false, _) => String::new(),
            (true, 0) => format!(" {:>FIGURE$}", "-"),
            (true, huge) => format!(" {:>FIGURE$}", bytes(huge as f64)),
        };
        let address = if place.folded { "other".to_owned() } else { format!("{:#x}", place.start) };
        let letters = if place.folded {
            String::new()
        } else {
            format!("  [{}]", bars::letters(place, cell_bytes))
        };
        let name = clean(&place.name);
        let name = match self.may_cut {
            true if name.contains('/') => path_end(&name, self.name),
            true => shortened(&name, self.name),
            false => name,
        };
        let padding = " ".repeat(self.name.saturating_sub(display_width(&name)));
        format!(
            "{address:>ADDRESS$}  {name}{padding} {:>FIGURE$} {:>FIGURE$}{huge}{letters}\n",
            bytes(place.size_bytes as f64),
            bytes(place.resident_bytes as f64),
        )
    }
}

/// The beginning of a name, with two dots if that is not all.
pub(super) fn shortened(name: &str, columns: usize) -> String {
    if display_width(name) <= columns {
        return name.to_owned();
    }
    let mut short = String::new();
    for letter in name.chars() {
        short.push(letter);
        if display_width(&short) > columns.saturating_sub(2) {
            short.pop();
            break;
        }
    }
    short + ".."
}

/// The end of a path, where its file is, behind two dots if that is not all.
fn path_end(path: &str, columns: usize) -> String {
    if display_width(path) <= columns {
        return path.to_owned();
    }
    let mut end = path;
    while display_width(end) > columns.saturating_sub(2) {
        let mut letters = end.chars();
        letters.next();
        end = letters.as_str();
    }
    format!("..{end}")
}
