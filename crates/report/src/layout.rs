//! The screen of an address space: highest address first, areas to scale, gaps cut; and what moved
//! over several runs.

mod areas;
mod bars;
mod columns;
mod head;
mod runs;
mod svg;

use results::layout::{Layout, LayoutRun, RegionKind};

use self::areas::{Area, Place};
use self::columns::Columns;
use crate::number::bytes;
use crate::text::{BAD, BOLD, DIM, clean, hanging, styled};
use crate::view::View;

pub use svg::document as svg;

/// Columns of sentences in a pipe, which has no width.
const PROSE_COLUMNS: usize = 100;

/// Renders `layout` as `view` wants it; in a pipe sentences are wrapped all the same. No more than
/// `most` places of the mmap area have a line of their own.
#[must_use]
pub fn screen(layout: &Layout, view: View, most: Option<usize>) -> String {
    let width = view.width;
    let Some(run) = shown(layout) else { return String::new() };
    let mut text = frame(layout, width, most);
    if layout.runs.len() > 1 {
        text += "\n";
        text += &runs::summary(layout, width);
    }
    for note in &layout.notes {
        text += &sentence(&styled(BAD, "note "), &clean(note), width);
    }
    text + &next(layout, run, width)
}

/// The picture alone, as it is redrawn while a program runs.
#[must_use]
pub fn redrawn(layout: &Layout, width: usize, most: usize) -> String {
    frame(layout, Some(width), Some(most))
}

/// The run whose picture is shown: of several, the first with randomised addresses.
fn shown(layout: &Layout) -> Option<&LayoutRun> {
    layout.runs.iter().find(|run| run.aslr == Some(true)).or(layout.runs.first())
}

/// Prose is wrapped in a pipe too.
fn sentence(head: &str, text: &str, width: Option<usize>) -> String {
    hanging(head, text, Some(width.unwrap_or(PROSE_COLUMNS)))
}

fn frame(layout: &Layout, width: Option<usize>, most: Option<usize>) -> String {
    let Some(run) = shown(layout) else { return String::new() };
    let areas = areas::areas(run, most);
    let columns = Columns::new(&areas, run, width);
    let mut text = head::head(layout, run, width);
    let mut above: Option<&Place> = None;
    for area in &areas {
        let cell_bytes = bars::cell_bytes(area, columns.letters);
        if let (Some(above), Some(first)) = (above, area.places.first()) {
            text += &gap(layout, run, area, first, above);
        }
        text += &heading(area, run, cell_bytes, &columns, above.is_none());
        for (place, higher) in
            area.places.iter().zip(std::iter::once(None).chain(area.places.iter().map(Some)))
        {
            if let Some(between) = higher.and_then(|higher| higher.start.checked_sub(place.end)) {
                // What is not to be seen at this scale is not said.
                if between >= 2 * cell_bytes
                    && higher.is_some_and(|higher| !higher.folded && !place.folded)
                {
                    text += &indented(&styled(DIM, &format!("gap {}", bytes(between as f64))));
                }
            }
            text += &columns.line(place, cell_bytes);
        }
        above = area.places.last();
    }
    text + &legend(run, width)
}

fn indented(text: &str) -> String {
    format!("{}  {text}\n", " ".repeat(columns::ADDRESS))
}

/// What lies between two areas.
fn gap(layout: &Layout, run: &LayoutRun, area: &Area, below: &Place, above: &Place) -> String {
    let between = above.start.saturating_sub(below.end);
    let is_the_gap = area.is_program && above.is_heap && run.heap_gap_bytes == Some(between);
    let text = match (is_the_gap, between) {
        (true, 0) => "no gap between bss and heap".to_owned(),
        (true, _) => format!("{} gap, bss to heap{}", bytes(between as f64), varies(layout)),
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

/// The first one says what the figures below are.
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

fn legend(run: &LayoutRun, width: Option<usize>) -> String {
    let known = bars::LETTERS
        .iter()
        .filter(|(kinds, ..)| run.regions.iter().any(|region| kinds.contains(&region.kind)));
    // No line ends between a letter and its word.
    let words: Vec<String> =
        known.map(|(_, letter, word)| format!("{letter}\u{a0}{word}")).collect();
    let closed = run.regions.iter().any(|region| region.perms.starts_with("---"));
    let hyphen = if closed { " Hyphen: no access." } else { "" };
    let legend = format!(
        "{}. Capital: at least half of it resident.{hyphen} Left is the low end.",
        words.join(", ")
    );
    let vsyscall = run.regions.iter().find(|region| region.kind == RegionKind::Vsyscall);
    let above = vsyscall
        .map(|region| format!(" Not drawn: vsyscall at {}.", region.start))
        .unwrap_or_default();
    "\n".to_owned() + &sentence("", &(legend + &above), width)
}

/// The most useful next command, and what it is good for.
fn next(layout: &Layout, run: &LayoutRun, width: Option<usize>) -> String {
    const MOVES: &str = "(what moves from run to run)";
    const WATCHED: &str = "(pages become resident while you look)";
    let (command, why) = match (command_of(layout), layout.runs.len()) {
        (None, _) => (format!("firsttouch layout --watch -p {}", run.pid), WATCHED),
        (Some(command), 1) => (format!("firsttouch layout --aslr both -- {command}"), MOVES),
        (Some(command), _) => (format!("firsttouch layout --watch -- {command}"), WATCHED),
    };
    let command = clean(&command);
    let together = format!("{command}    {why}");
    let fits = width
        .is_none_or(|width| "Next: ".len() + textwrap::core::display_width(&together) <= width);
    if fits {
        return format!("Next: {together}\n");
    }
    hanging("Next: ", &command, width) + &hanging("      ", why, width)
}

/// The command as it can be typed again, or understood at least: a script of many lines is neither.
fn command_of(layout: &Layout) -> Option<String> {
    let command = &layout.program.command;
    let first = command.first()?;
    let plain =
        |word: &String| word.chars().all(|c| c.is_alphanumeric() || "-_./=,:+@%".contains(c));
    let whole = command.iter().all(plain) && command.iter().map(String::len).sum::<usize>() < 60;
    Some(if whole { command.join(" ") } else { format!("{first} ...") })
}
