//! The head of a picture: the program, its sums, its layout, and the moment of the picture.

use results::layout::{Layout, LayoutRun, Moment, ProgramFile};

use super::cost;
use crate::number::{bytes, count};
use crate::text::{clean, hanging};
use crate::view::View;

/// The lines above the letters.
pub(super) fn head(layout: &Layout, run: &LayoutRun, view: View) -> String {
    let width = view.width;
    let path = &layout.program.path;
    let file = if view.verbose { path } else { path.rsplit('/').next().unwrap_or(path) };
    let name = format!("pid {} {}", run.pid, clean(file));
    // The number of mappings is in the line below, with its limit.
    let figures = sizes(run).join("   ");
    let together = format!("{}    {figures}", name.trim_end());
    let fits = width.is_none_or(|width| textwrap::core::display_width(&together) <= width);
    let first = if fits {
        together + "\n"
    } else {
        hanging("", &name, width) + &hanging("", &figures, width)
    };
    first + &cost::lines(run, width) + &hanging("", &circumstances(layout, run), width) + "\n"
}

/// `virtual 3.74 MiB, resident 2.15 MiB (peak 2.40 MiB), 49 mappings`.
pub(super) fn figures(run: &LayoutRun) -> String {
    let mappings = match run.cost.mappings {
        1 => "1 mapping".to_owned(),
        number => format!("{} mappings", count(number as f64)),
    };
    let [mapped, resident] = sizes(run);
    [mapped, resident, mappings].join(", ")
}

/// `virtual 3.74 MiB` and `resident 2.15 MiB (peak 2.40 MiB)`.
fn sizes(run: &LayoutRun) -> [String; 2] {
    let (mapped, resident) = (bytes(run.mapped_bytes() as f64), bytes(run.resident_bytes() as f64));
    // The kernel's counters lag behind by some pages: a lower peak means nothing.
    let peak = run.peak_resident_bytes.filter(|peak| *peak > run.resident_bytes());
    let peak = peak.map(|peak| format!(" (peak {})", bytes(peak as f64))).unwrap_or_default();
    [format!("virtual {mapped}"), format!("resident {resident}{peak}")]
}

/// `64-bit PIE, dynamic; ASLR on; seen as it exited`.
pub(super) fn circumstances(layout: &Layout, run: &LayoutRun) -> String {
    let aslr = match run.aslr {
        Some(true) => "ASLR on",
        Some(false) => "ASLR off",
        None => "ASLR unknown",
    };
    let moment = match run.at {
        Moment::Exec => "just mapped, before it ran",
        Moment::Exit => "as it exited",
        Moment::Time => "at the time set by --at",
        Moment::Interrupted => "when it was interrupted",
        Moment::Running => "while it runs",
    };
    format!("{}; {aslr}; seen {moment}", kind_of(&layout.program))
}

fn kind_of(program: &ProgramFile) -> String {
    let (Some(bits), Some(movable)) = (program.bits, program.position_independent) else {
        return "program file unreadable".to_owned();
    };
    let place = if movable { "PIE" } else { "non-PIE (fixed addresses)" };
    let linked = if program.dynamic == Some(true) { "dynamic" } else { "static" };
    format!("{bits}-bit {place}, {linked}")
}
