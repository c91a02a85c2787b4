//! The screen of an address space: highest address first, areas to scale, gaps cut; and what moved
//! over several runs.

mod areas;
mod bars;
mod columns;
mod cost;
mod folding;
mod head;
mod runs;
mod svg;

use results::layout::{Layout, LayoutRun, RegionKind};

use self::areas::{Area, Place};
use self::columns::Columns;
use self::folding::Most;
use crate::number::bytes;
use crate::text::{BAD, BOLD, DIM, clean, hanging, styled, typed};
use crate::view::View;

pub use svg::document as svg;

/// Columns of sentences in a pipe, which has no width.
const PROSE_COLUMNS: usize = 100;
/// So many files, and so many other places of the mmap area, are shown one by one.
const MOST: Most = Most { files: 10, others: 10 };

/// Renders `layout` as `view` wants it; in a pipe sentences are wrapped all the same. With `-v`, or
/// if `all`, every place of the mmap area has a line of its own.
#[must_use]
pub fn screen(layout: &Layout, view: View, all: bool) -> String {
    let width = view.width;
    let Some(run) = shown(layout) else { return String::new() };
    let most = (!all && !view.verbose).then_some(MOST);
    let mut text = head::head(layout, run, view);
    if layout.runs.len() > 1 {
        text += &(runs::summary(layout, view) + "\n");
    }
    text += &picture(layout, run, view, most);
    for note in &layout.notes {
        text += &sentence(&styled(BAD, "note "), &clean(note), width);
    }
    text + &next(layout, run, width)
}

/// The picture alone, as it is redrawn while a program runs, with some `lines` for the mmap area.
#[must_use]
pub fn redrawn(layout: &Layout, width: usize, lines: usize) -> String {
    let Some(run) = shown(layout) else { return String::new() };
    let view = View::brief(Some(width));
    // Two lines are sums.
    let places = lines.saturating_sub(2).max(2);
    let most = Most { files: places / 2, others: places - places / 2 };
    head::head(layout, run, view) + &picture(layout, run, view, Some(most))
}

/// The run whose picture is shown: of several, the first with randomised addresses.
fn shown(layout: &Layout) -> Option<&LayoutRun> {
    layout.runs.iter().find(|run| run.aslr == Some(true)).or(layout.runs.first())
}

/// A sentence, which is wrapped in a pipe too.
fn sentence(head: &str, text: &str, width: Option<usize>) -> String {
    hanging(head, text, Some(width.unwrap_or(PROSE_COLUMNS)))
}

fn picture(layout: &Layout, run: &LayoutRun, view: View, most: Option<Most>) -> String {
    let mut areas = areas::areas(run);
    areas::name_by_paths(&mut areas, view.verbose);
    if let Some(most) = most {
        folding::gather(&mut areas, most);
    }
    let columns = Columns::new(&areas, run, view.width);
    let mut text = String::new();
    let mut above: Option<&Place> = None;
    for area in &areas {
        let cell_bytes = bars::cell_bytes(area, columns.letters);
        if let (Some(above), Some(first)) = (above, area.places.first()) {
            text += &gap(layout, run, (area, first), above, view);
        }
        text += &heading(area, run, cell_bytes, &columns, above.is_none());
        for place in &area.places {
            // A gap that is smaller than two letters cannot be seen at this scale.
            if place.free_above_bytes >= 2 * cell_bytes {
                let free = bytes(place.free_above_bytes as f64);
                text += &indented(&styled(DIM, &format!("gap {free}")));
            }
            text += &columns.line(place, cell_bytes);
        }
        above = area.places.last();
    }
    text + &legend(run, view)
}

fn indented(text: &str) -> String {
    format!("{}  {text}\n", " ".repeat(columns::ADDRESS))
}

/// The line between `above` and the area below it.
fn gap(
    layout: &Layout,
    run: &LayoutRun,
    (area, below): (&Area, &Place),
    above: &Place,
    view: View,
) -> String {
    let between = above.start.saturating_sub(below.end);
    let is_the_gap = area.is_program && above.is_heap && run.heap_gap_bytes == Some(between);
    let text = match (is_the_gap, between) {
        (true, 0) => "no gap between bss and heap".to_owned(),
        (true, _) => {
            // The table of several runs has it too.
            let varies = if view.verbose { varies(layout) } else { String::new() };
            format!("{} gap, bss to heap{varies}", bytes(between as f64))
        }
        (false, 0) => return String::new(),
        (false, _) => format!("... {} gap ...", bytes(between as f64)),
    };
    indented(&styled(DIM, &text))
}

fn varies(layout: &Layout) -> String {
    match (layout.summary.runs, layout.summary.varying_bits.heap_gap) {
        (2.., Some(bits)) if bits > 0 => {
            format!(" (varies in {bits} bits or more, {} runs)", layout.summary.runs)
        }
        _ => String::new(),
    }
}

/// The line above an area. The first one heads the columns.
fn heading(
    area: &Area,
    run: &LayoutRun,
    cell_bytes: u64,
    columns: &Columns,
    is_first: bool,
) -> String {
    let heap = area.places.iter().any(|place| place.is_heap);
    let up_to = run
        .program_break
        .filter(|_| heap)
        .map(|end| format!(", program break {end}"))
        .unwrap_or_default();
    let left = format!("{}{up_to}", area.name);
    let heads = if is_first { columns.heads(&left).split_off(left.len()) } else { String::new() };
    let right = format!("letter = {}", bytes(cell_bytes as f64));
    let space = columns.whole().saturating_sub(left.len() + heads.len() + right.len()).max(2);
    format!(
        "{}{}{}{}\n",
        styled(BOLD, &left),
        styled(DIM, &heads),
        " ".repeat(space),
        styled(DIM, &right)
    )
}

/// The letters of the picture. `-v` adds the direction of the bars, and the vsyscall page.
fn legend(run: &LayoutRun, view: View) -> String {
    let known = bars::LETTERS
        .iter()
        .filter(|(kinds, ..)| run.regions.iter().any(|region| kinds.contains(&region.kind)));
    // No line ends between a letter and its word.
    let words: Vec<String> =
        known.map(|(_, letter, word)| format!("{letter}\u{a0}{word}")).collect();
    let closed = run.regions.iter().any(|region| region.perms.starts_with("---"));
    let hyphen = if closed { " Hyphen: no access." } else { "" };
    let mut legend =
        format!("{}. Capital: at least half of it resident.{hyphen}", words.join(", "));
    if view.verbose {
        legend += " Left is the low end.";
        let vsyscall = run.regions.iter().find(|region| region.kind == RegionKind::Vsyscall);
        legend += &vsyscall
            .map(|region| format!(" Not drawn: vsyscall at {}.", region.start))
            .unwrap_or_default();
    }
    "\n".to_owned() + &sentence("", &legend, view.width)
}

/// The most useful next command, and what it shows.
fn next(layout: &Layout, run: &LayoutRun, width: Option<usize>) -> String {
    const MOVES: &str = "(what moves from run to run)";
    const WATCHED: &str = "(pages become resident while you look)";
    let command = command_of(&layout.program.command);
    let (command, why) = match (command, layout.runs.len()) {
        _ if layout.program.command.is_empty() => {
            (format!("firsttouch layout --watch -p {}", run.pid), WATCHED)
        }
        (Some(command), 1) => (format!("firsttouch layout --aslr both -- {command}"), MOVES),
        (Some(command), _) => (format!("firsttouch layout --watch -- {command}"), WATCHED),
        // Its name has bytes that are not text.
        (None, 1) => ("--aslr both before the same command".to_owned(), MOVES),
        (None, _) => ("--watch before the same command".to_owned(), WATCHED),
    };
    let together = format!("{command}    {why}");
    let fits = width
        .is_none_or(|width| "Next: ".len() + textwrap::core::display_width(&together) <= width);
    if fits {
        return format!("Next: {together}\n");
    }
    hanging("Next: ", &command, width) + &hanging("      ", why, width)
}

/// The command as it can be typed again. Of a long one only its program.
fn command_of(command: &[String]) -> Option<String> {
    let is_short = command.iter().map(String::len).sum::<usize>() < 60;
    if let Some(whole) = typed(command).filter(|_| is_short) {
        return Some(whole);
    }
    Some(format!("{} ...", typed(command.get(..1)?)?))
}
