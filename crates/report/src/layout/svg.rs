//! The picture as SVG for a web page: no scripts, nothing loaded, light or dark by the reader's
//! settings.

mod column;
mod strip;

use std::fmt::Write;

use results::layout::{Layout, LayoutRun, RegionKind};

use self::column::{BELOW_CAPTION, Column};
use super::areas::{Area, MMAP_AREA, Place, areas};
use super::columns::shortened;
use super::folding::join_neighbours;
use super::head::{circumstances, figures};
use crate::number::bytes;
use crate::text::{clean, escaped};

const MARGIN: f64 = 20.0;
/// So many places of the mmap area are drawn one by one.
const PLACES: usize = 14;
/// Letters of the program's name in the title.
const TITLE_LETTERS: usize = 32;
const LEGEND_LINE: f64 = 20.0;

/// The document: runs without and with ASLR beside each other, where there are both.
#[must_use]
pub fn document(layout: &Layout) -> String {
    let first = |aslr: Option<bool>| layout.runs.iter().find(|run| run.aslr == aslr);
    let runs: Vec<&LayoutRun> = match (first(Some(false)), first(Some(true))) {
        (Some(off), Some(on)) => vec![off, on],
        _ => layout.runs.first().into_iter().collect(),
    };
    let (mut body, mut left, mut bottom) = (String::new(), 0.0, BELOW_CAPTION);
    for run in &runs {
        let column = Column::new(layout, run, left);
        bottom = f64::max(bottom, column.draw(&mut body));
        left += column.width();
    }
    let width = f64::max(left, column::WIDTH);
    let legend = legend(&runs, width, bottom + 34.0);
    let height = legend.bottom + 46.0;
    let title = format!("The address space of {}", program_name(layout));
    // Several pictures may be in one page.
    let id = runs.first().map_or(0, |run| run.pid);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"firsttouch\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" style=\"max-width:100%;height:auto\" role=\"img\" \
         aria-labelledby=\"title-{id} desc-{id}\">\n\
         <title id=\"title-{id}\">{}</title>\n<desc id=\"desc-{id}\">{}</desc>\n{STYLE}",
        escaped(&title),
        escaped(&described(layout, &runs))
    );
    let _ = writeln!(text, "<rect class=\"page\" width=\"{width:.0}\" height=\"{height:.0}\"/>");
    let _ =
        writeln!(text, "<text class=\"title\" x=\"{MARGIN}\" y=\"36\">{}</text>", escaped(&title));
    text += &body;
    text += &legend.drawn;
    let foot = [
        "High addresses are at the top. At the left each area is to scale, with nothing thinner \
         than two pixels,"
            .to_owned(),
        format!(
            "torn or blank where nothing is mapped. In small bars the low end is at the left. \
             firsttouch {}",
            layout.version
        ),
    ];
    for (words, y) in foot.iter().zip([14.0, 29.0]) {
        let y = legend.bottom + y;
        let _ = writeln!(
            text,
            "<text class=\"quiet\" x=\"{MARGIN}\" y=\"{y:.0}\">{}</text>",
            escaped(words)
        );
    }
    text + "</svg>\n"
}

/// All selectors begin with the class of the root: styles of an SVG within a page are the page's.
/// Colours are Okabe and Ito's, lighter on dark.
const STYLE: &str = "<style>
.firsttouch text{font:12px system-ui,sans-serif;fill:#1f2328}
.firsttouch .title{font-weight:600;font-size:18px}
.firsttouch .quiet{fill:#59636e;font-size:11px}
.firsttouch .mono{font:11px ui-monospace,monospace}.firsttouch .area{font-weight:600}
.firsttouch .page{fill:#fff}.firsttouch .line{fill:none;stroke:#8c959f;stroke-width:.75}
.firsttouch .frame{fill:none;stroke:#59636e;stroke-width:.75}
.firsttouch .hatch{stroke:#59636e;stroke-width:1}
.firsttouch .program{fill:#0072b2}.firsttouch .heap{fill:#d55e00}
.firsttouch .file{fill:#009e73}.firsttouch .memory{fill:#c0609b}
.firsttouch .stack{fill:#5b6f7d}.firsttouch .mixed{fill:#8c959f}
@media (prefers-color-scheme:dark){.firsttouch text{fill:#e6edf3}
.firsttouch .quiet{fill:#a9b4c0}.firsttouch .page{fill:#0d1117}
.firsttouch .line{stroke:#6e7681}.firsttouch .frame{stroke:#a9b4c0}
.firsttouch .hatch{stroke:#a9b4c0}.firsttouch .program{fill:#56b4e9}
.firsttouch .heap{fill:#f0883e}.firsttouch .file{fill:#2bb58c}
.firsttouch .memory{fill:#dd8fbf}.firsttouch .stack{fill:#9fb3c0}}
</style>
<defs><pattern id=\"firsttouch-no-access\" width=\"5\" height=\"5\" \
patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<line class=\"hatch\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"5\"/></pattern></defs>
";
/// The filling of memory without access, over its colour.
const NO_ACCESS: &str = "fill=\"url(#firsttouch-no-access)\"";
/// Opacity of memory that is not resident. Resident memory has 1.
const PALE: f64 = 0.18;

/// The areas of `run` as they are drawn.
fn drawn(run: &LayoutRun) -> Vec<Area<'_>> {
    let mut areas = areas(run);
    for area in areas.iter_mut().filter(|area| area.name == MMAP_AREA) {
        join_neighbours(&mut area.places, PLACES);
    }
    areas
}

/// The class of a place's colour.
fn class(place: &Place) -> &'static str {
    match place.regions[0].kind {
        _ if place.folded => "mixed",
        kind => class_of(kind),
    }
}

fn class_of(kind: RegionKind) -> &'static str {
    match kind {
        RegionKind::Text | RegionKind::Rodata | RegionKind::Data | RegionKind::Bss => "program",
        RegionKind::Heap => "heap",
        RegionKind::File => "file",
        RegionKind::Mmap | RegionKind::Arena => "memory",
        RegionKind::Stack
        | RegionKind::ThreadStack
        | RegionKind::Vdso
        | RegionKind::Vvar
        | RegionKind::Vsyscall
        | RegionKind::Other => "stack",
    }
}

struct Legend {
    drawn: String,
    bottom: f64,
}

/// The meaning of the colours and fillings that the picture has.
fn legend(runs: &[&LayoutRun], width: f64, top: f64) -> Legend {
    let regions = || runs.iter().flat_map(|run| &run.regions);
    let colour = |class: &'static str, words| {
        regions()
            .any(|region| class_of(region.kind) == class)
            .then(|| (format!("class=\"{class}\""), words))
    };
    let closed = regions().any(|region| region.perms.starts_with("---"));
    let entries = [
        colour("program", "the program"),
        colour("heap", "heap"),
        colour("file", "libraries and files"),
        colour("memory", "anonymous, arenas"),
        colour("stack", "stacks, vdso, other"),
        Some(("class=\"mixed\"".to_owned(), "resident")),
        Some((format!("class=\"mixed\" fill-opacity=\"{PALE}\""), "not resident")),
        closed.then(|| (NO_ACCESS.to_owned(), "no access")),
    ];
    let (mut drawn, mut x, mut y) = (String::new(), MARGIN, top);
    for (fill, words) in entries.into_iter().flatten() {
        // Seven is a wide letter on average at this size.
        let length = 18.0 + 7.0 * words.len() as f64 + 14.0;
        if x + length > width {
            (x, y) = (MARGIN, y + LEGEND_LINE);
        }
        let _ = writeln!(
            drawn,
            "<rect {fill} x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\"/><rect \
             class=\"frame\" x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" \
             height=\"12\"/><text x=\"{:.1}\" y=\"{y:.1}\">{words}</text>",
            y - 10.0,
            y - 10.0,
            x + 18.0
        );
        x += length;
    }
    Legend { drawn, bottom: y + 10.0 }
}

/// The file's name without its folder: the folder is in the description.
fn program_name(layout: &Layout) -> String {
    match clean(layout.program.path.rsplit('/').next().unwrap_or_default()) {
        name if name.is_empty() => "a process".to_owned(),
        name => shortened(&name, TITLE_LETTERS),
    }
}

/// The description for a reader who cannot see the picture.
fn described(layout: &Layout, runs: &[&LayoutRun]) -> String {
    let each = runs.iter().map(|run| {
        let places = drawn(run);
        let lines = places.iter().flat_map(|area| &area.places).map(|place| {
            let at = if place.folded { String::new() } else { format!(" at {:#x}", place.start) };
            format!(
                "{}{at}, {}, {} resident",
                clean(&place.name),
                bytes(place.size_bytes as f64),
                bytes(place.resident_bytes as f64)
            )
        });
        format!(
            "{}; {}. From high to low: {}.",
            circumstances(layout, run),
            figures(run),
            lines.collect::<Vec<_>>().join("; ")
        )
    });
    format!("{}: {}", clean(&layout.program.path), each.collect::<Vec<_>>().join(" "))
}
