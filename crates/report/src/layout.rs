//! The screen of an address space: highest address first, areas to scale, gaps cut; and what moved over several runs.

mod areas;
mod bars;
mod runs;
mod svg;

use results::layout::{Layout, Moment, Program, Run};

use self::areas::{Area, Place};
use crate::number::{bytes, count};
use crate::text::{BAD, BOLD, DIM, clean, hanging, styled};

pub use svg::document as svg;

/// Columns of what is before the letters.
const ADDRESS_COLUMNS: usize = 14;
const NAME_COLUMNS: usize = 16;
const SIZE_COLUMNS: usize = 9;
/// Letters in a pipe, which has no width: those of a terminal of 120 columns.
const PIPE_COLUMNS: usize = 120;

/// Renders `layout` for a terminal of `width` columns; `None` for a pipe, where nothing is wrapped. No more than `most` places of
/// the mmap area have a line of their own.
#[must_use]
pub fn screen(layout: &Layout, width: Option<usize>, most: Option<usize>) -> String {
    let Some(run) = shown(layout) else { return String::new() };
    let mut text = frame(layout, width, most);
    if layout.runs.len() > 1 {
        text += "\n";
        text += &runs::summary(layout, width);
    }
    for note in &layout.notes {
        text += &hanging(&styled(BAD, "note "), &clean(note), width);
    }
    let command = next(layout, run);
    text + &hanging("Next: ", &clean(&command), width)
}

/// The picture alone, as it is redrawn while a program runs.
#[must_use]
pub fn redrawn(layout: &Layout, width: usize, most: usize) -> String {
    frame(layout, Some(width), Some(most))
}

/// The run whose picture is shown: of several, the first with randomised addresses.
fn shown(layout: &Layout) -> Option<&Run> {
    layout.runs.iter().find(|run| run.aslr == Some(true)).or(layout.runs.first())
}

fn frame(layout: &Layout, width: Option<usize>, most: Option<usize>) -> String {
    let Some(run) = shown(layout) else { return String::new() };
    let columns = width.unwrap_or(PIPE_COLUMNS);
    let with_huge = run.regions.iter().any(|region| region.huge_bytes > 0);
    let before = ADDRESS_COLUMNS + 2 + NAME_COLUMNS + (SIZE_COLUMNS + 1) * if with_huge { 3 } else { 2 } + 2;
    let cells = columns.saturating_sub(before + 2).max(8);
    let mut text = head(layout, run, width);
    let areas = areas::areas(run, most);
    let mut above: Option<&Place> = None;
    for area in &areas {
        let cell_bytes = bars::cell_bytes(area, cells);
        if let (Some(above), Some(first)) = (above, area.places.first()) {
            text += &gap(layout, run, area, first, above);
        }
        text += &heading(area, run, cell_bytes, columns);
        for (place, higher) in area.places.iter().zip(std::iter::once(None).chain(area.places.iter().map(Some))) {
            if let Some(between) = higher.and_then(|higher| higher.start.checked_sub(place.end)) {
                // What is not to be seen at this scale is not said.
                if between >= 2 * cell_bytes && higher.is_some_and(|higher| !higher.folded && !place.folded) {
                    text += &indented(&styled(DIM, &format!("gap {}", bytes(between as f64))));
                }
            }
            text += &line(place, cell_bytes, with_huge);
        }
        above = area.places.last();
    }
    text + &legend(run, width)
}

fn head(layout: &Layout, run: &Run, width: Option<usize>) -> String {
    let figures = format!(
        "pid {} {}    virtual {}   resident {}   {} mappings",
        run.pid,
        clean(&layout.program.path),
        bytes(run.mapped_bytes() as f64),
        bytes(run.resident_bytes() as f64),
        count(run.regions.len() as f64)
    );
    let aslr = match run.aslr {
        Some(true) => "ASLR on",
        Some(false) => "ASLR off",
        None => "ASLR unknown",
    };
    let moment = match run.at {
        Moment::Exec => "just mapped, before it ran",
        Moment::Exit => "as it exited",
        Moment::Time => "at the time asked for",
        Moment::Interrupted => "when it was interrupted",
        Moment::Running => "while it runs",
    };
    let what = format!("{}; {aslr}; seen {moment}", kind_of(&layout.program));
    hanging("", &figures, width) + &hanging("", &what, width) + "\n"
}

/// `64-bit PIE, dynamically linked`.
fn kind_of(program: &Program) -> String {
    let (Some(bits), Some(movable)) = (program.bits, program.position_independent) else {
        return "program file unknown".to_owned();
    };
    let place = if movable { "PIE" } else { "non-PIE (its own addresses are fixed)" };
    let linked = if program.dynamic == Some(true) { "dynamic" } else { "static" };
    format!("{bits}-bit {place}, {linked}")
}

fn indented(text: &str) -> String {
    format!("{}  {text}\n", " ".repeat(ADDRESS_COLUMNS))
}

/// What lies between two areas.
fn gap(layout: &Layout, run: &Run, area: &Area, below: &Place, above: &Place) -> String {
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
        (2.., Some(bits)) if bits > 0 => format!(" (varies in {bits} bits or more, {} runs)", layout.summary.runs),
        _ => String::new(),
    }
}

fn heading(area: &Area, run: &Run, cell_bytes: u64, columns: usize) -> String {
    let heap = area.places.iter().any(|place| place.is_heap);
    let up_to = run.program_break.filter(|_| heap).map(|end| format!(", program break {end}")).unwrap_or_default();
    let left = format!("{}{up_to}", area.name);
    let right = format!("1 letter = {}", bytes(cell_bytes as f64));
    let space = columns.min(PIPE_COLUMNS).saturating_sub(left.len() + right.len()).max(2);
    format!("{}{}{}\n", styled(BOLD, &left), " ".repeat(space), styled(DIM, &right))
}

fn line(place: &Place, cell_bytes: u64, with_huge: bool) -> String {
    let huge = match (with_huge, place.huge_bytes) {
        (false, _) => String::new(),
        (true, 0) => format!(" {:>SIZE_COLUMNS$}", "-"),
        (true, huge) => format!(" {:>SIZE_COLUMNS$}", bytes(huge as f64)),
    };
    let address = if place.folded { String::new() } else { format!("{:#x}", place.start) };
    let letters = if place.folded { String::new() } else { format!("  [{}]", bars::letters(place, cell_bytes)) };
    format!(
        "{address:>ADDRESS_COLUMNS$}  {:NAME_COLUMNS$} {:>SIZE_COLUMNS$} {:>SIZE_COLUMNS$}{huge}{letters}\n",
        shortened(&clean(&place.name)),
        bytes(place.size_bytes as f64),
        bytes(place.resident_bytes as f64),
    )
}

/// The end of a name says more than its beginning does: libraries have versions, paths have files.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME_COLUMNS {
        return name.to_owned();
    }
    name.chars().take(NAME_COLUMNS - 2).collect::<String>() + ".."
}

fn legend(run: &Run, width: Option<usize>) -> String {
    let known =
        bars::LETTERS.iter().filter(|(kinds, ..)| run.regions.iter().any(|region| kinds.contains(&region.kind)));
    let mut words: Vec<String> = known.map(|(_, letter, word)| format!("{letter} {word}")).collect();
    if run.regions.iter().any(|region| region.perms.starts_with("---")) {
        words.push("- no access".to_owned());
    }
    let legend = format!("{}; capital: at least half of it resident. Left is the low end.", words.join(", "));
    let vsyscall = run.regions.iter().find(|region| region.kind == results::layout::Kind::Vsyscall);
    let above = vsyscall.map(|region| format!(" The vsyscall page is at {}.", region.start)).unwrap_or_default();
    "\n".to_owned() + &hanging("", &(legend + &above), width)
}

/// The most useful next command.
fn next(layout: &Layout, run: &Run) -> String {
    let command = &layout.program.command;
    if command.is_empty() {
        return format!("firsttouch layout --watch -p {}    (pages become resident while you look)", run.pid);
    }
    // To be copied, or to be understood at least: a script of many lines is neither.
    let plain = |word: &&String| word.chars().all(|c| c.is_alphanumeric() || "-_./=,:+@%".contains(c));
    let whole = command.iter().all(|word| plain(&word)) && command.iter().map(String::len).sum::<usize>() < 60;
    let command = if whole { command.join(" ") } else { format!("{} ...", command[0]) };
    if layout.runs.len() == 1 {
        return format!("firsttouch layout --aslr both -- {command}    (what moves from run to run)");
    }
    format!("firsttouch layout --watch -- {command}    (pages become resident while you look)")
}
