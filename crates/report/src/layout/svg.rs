//! The picture as SVG, to be put into a page: no scripts, light and dark by the reader's wish, every box with its words.

use std::fmt::Write;

use results::layout::{Kind, Layout, Run};

use super::areas::{Area, Place, areas};
use super::bars::resident_share;
use super::kind_of;
use crate::number::bytes;
use crate::text::clean;

const COLUMN: f64 = 560.0;
const BOX_LEFT: f64 = 150.0;
const BOX_WIDTH: f64 = 200.0;
const TOP: f64 = 76.0;
const GAP: f64 = 40.0;
/// So many places of the mmap area have a box of their own.
const PLACES: usize = 14;
/// Stripes in which a box shows where it is resident.
const STRIPES: u32 = 50;

/// The document: runs without and with ASLR beside each other, where there are both.
#[must_use]
pub fn document(layout: &Layout) -> String {
    let first = |aslr: Option<bool>| layout.runs.iter().find(|run| run.aslr == aslr);
    let columns: Vec<&Run> = match (first(Some(false)), first(Some(true))) {
        (Some(off), Some(on)) => vec![off, on],
        _ => layout.runs.first().into_iter().collect(),
    };
    let mut body = String::new();
    let mut height = TOP;
    for (number, run) in columns.iter().enumerate() {
        height = height.max(column(&mut body, layout, run, number as f64 * COLUMN));
    }
    let width = COLUMN * columns.len().max(1) as f64;
    let height = height + 52.0;
    let program = escaped(&layout.program.path);
    let title = format!("The address space of {program}");
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">{title}</title>\n<desc id=\"desc\">{}</desc>\n{STYLE}\
         <rect class=\"page\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n",
        escaped(&described(layout, &columns))
    );
    let _ = writeln!(text, "<text class=\"title\" x=\"16\" y=\"28\">{title}</text>");
    text += &body;
    let _ = writeln!(
        text,
        "<text class=\"quiet\" x=\"16\" y=\"{:.0}\">High addresses are at the top; heights are to scale within an area as far as words \
         allow.</text>\n<text class=\"quiet\" x=\"16\" y=\"{:.0}\">Filled: resident. Left is the low end of a box. firsttouch {}</text>\n</svg>",
        height - 26.0,
        height - 10.0,
        escaped(&layout.version)
    );
    text
}

const STYLE: &str = "<style>
.page{fill:#fff}text{font:12px system-ui,sans-serif;fill:#222}.title{font-weight:bold;font-size:16px}.quiet{fill:#555;font-size:11px}
.address{font-family:ui-monospace,monospace;font-size:11px}.frame{fill:none;stroke:#222}.cut{fill:none;stroke:#555;stroke-dasharray:3 3}
.program{fill:#0072B2}.heap{fill:#D55E00}.file{fill:#009E73}.memory{fill:#CC79A7}.stack{fill:#56707a}.name{stroke:#fff;stroke-width:3px;paint-order:stroke;stroke-opacity:.85}
@media (prefers-color-scheme:dark){.page{fill:#16181c}text{fill:#eee}.quiet{fill:#bbb}.frame{stroke:#ddd}.cut{stroke:#aaa}.name{stroke:#16181c}}
</style>
";

/// What a reader who sees no picture is told.
fn described(layout: &Layout, columns: &[&Run]) -> String {
    let each = columns.iter().map(|run| {
        let places = areas(run, Some(PLACES));
        let lines = places.iter().flat_map(|area| &area.places).map(|place| {
            let at = if place.folded { String::new() } else { format!(" at {:#x}", place.start) };
            format!(
                "{}{at}, {}, {} resident",
                clean(&place.name),
                bytes(place.size_bytes as f64),
                bytes(place.resident_bytes as f64)
            )
        });
        format!("{}. From high to low: {}.", caption(layout, run), lines.collect::<Vec<_>>().join("; "))
    });
    each.collect::<Vec<_>>().join(" ")
}

fn caption(layout: &Layout, run: &Run) -> String {
    let aslr = match run.aslr {
        Some(true) => "ASLR on",
        Some(false) => "ASLR off",
        None => "ASLR unknown",
    };
    format!(
        "{}; {aslr}; virtual {}, resident {}",
        kind_of(&layout.program),
        bytes(run.mapped_bytes() as f64),
        bytes(run.resident_bytes() as f64)
    )
}

/// Draws a run from `left` on, and returns where it ends.
fn column(body: &mut String, layout: &Layout, run: &Run, left: f64) -> f64 {
    let _ = writeln!(body, "<text x=\"{:.0}\" y=\"50\">{}</text>", left + 16.0, escaped(&caption(layout, run)));
    let mut y = TOP;
    let areas = areas(run, Some(PLACES));
    let mut above: Option<u64> = None;
    for area in &areas {
        if let (Some(above), Some(first)) = (above, area.places.first()) {
            gap(body, run, area, above.saturating_sub(first.end), (left, y));
            y += GAP;
        }
        let largest = area.places.iter().map(|place| place.size_bytes).max().unwrap_or(1).max(1);
        for place in &area.places {
            // Words need 20, and the largest has 90; what is between is to scale.
            let height = (90.0 * place.size_bytes as f64 / largest as f64).max(20.0);
            drawn(body, place, (left, y), height);
            y += height;
        }
        above = area.places.last().map(|place| place.start);
    }
    y
}

fn gap(body: &mut String, run: &Run, area: &Area, between: u64, (left, y): (f64, f64)) {
    let of_the_heap = area.is_program && run.heap_gap_bytes == Some(between);
    let text = match (of_the_heap, between) {
        (true, 0) => "no gap between bss and heap".to_owned(),
        (true, _) => format!("{} between bss and heap", bytes(between as f64)),
        _ => format!("{} unmapped", bytes(between as f64)),
    };
    let (start, end) = (left + BOX_LEFT, left + BOX_LEFT + BOX_WIDTH);
    if between > 0 {
        // Two torn edges.
        for edge in [y + 6.0, y + GAP - 6.0] {
            let steps: Vec<String> = (0..=10)
                .map(|step| {
                    format!(
                        "{:.0},{:.0}",
                        start + (end - start) * f64::from(step) / 10.0,
                        edge + f64::from(step % 2) * 4.0
                    )
                })
                .collect();
            let _ = writeln!(body, "<polyline class=\"cut\" points=\"{}\"/>", steps.join(" "));
        }
    }
    let _ = writeln!(
        body,
        "<text class=\"quiet\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(start, end),
        y + GAP / 2.0 + 4.0,
        escaped(&text)
    );
}

fn drawn(body: &mut String, place: &Place, (left, y): (f64, f64), height: f64) {
    let x = left + BOX_LEFT;
    let class = match place.regions[0].kind {
        _ if place.folded => "stack",
        Kind::Text | Kind::Rodata | Kind::Data | Kind::Bss => "program",
        Kind::Heap => "heap",
        Kind::File => "file",
        Kind::Mmap | Kind::Arena => "memory",
        _ => "stack",
    };
    let _ = writeln!(
        body,
        "<rect class=\"{class}\" x=\"{x:.0}\" y=\"{y:.1}\" width=\"{BOX_WIDTH:.0}\" height=\"{height:.1}\" fill-opacity=\".18\"/>"
    );
    if !place.folded {
        stripes(body, place, class, (x, y), height);
        let _ = writeln!(
            body,
            "<text class=\"address\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{:#x}</text>",
            x - 8.0,
            y + height - 4.0,
            place.start
        );
    }
    if place.is_heap {
        let _ = writeln!(
            body,
            "<text class=\"address\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">break {:#x}</text>",
            x - 8.0,
            y + 10.0,
            place.end
        );
    }
    let huge = match place.huge_bytes {
        0 => String::new(),
        huge => format!(", {} huge", bytes(huge as f64)),
    };
    let _ = writeln!(
        body,
        "<rect class=\"frame\" x=\"{x:.0}\" y=\"{y:.1}\" width=\"{BOX_WIDTH:.0}\" height=\"{height:.1}\"/>\
         <text class=\"name\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text class=\"quiet\" x=\"{:.0}\" y=\"{:.1}\">{}, {} resident{huge}</text>",
        x + BOX_WIDTH / 2.0,
        y + height / 2.0 + 4.0,
        escaped(&clean(&place.name)),
        x + BOX_WIDTH + 8.0,
        y + height / 2.0 + 4.0,
        bytes(place.size_bytes as f64),
        bytes(place.resident_bytes as f64),
    );
}

/// Where it is resident, from its low end at the left to its high end at the right.
fn stripes(body: &mut String, place: &Place, class: &str, (x, y): (f64, f64), height: f64) {
    let width = BOX_WIDTH / f64::from(STRIPES);
    for stripe in 0..STRIPES {
        let at = f64::from(stripe) / f64::from(STRIPES);
        let share = share_at(place, at, at + 1.0 / f64::from(STRIPES));
        if share > 0.0 {
            let _ = writeln!(
                body,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill-opacity=\"{:.2}\"/>",
                x + f64::from(stripe) * width,
                0.15 + 0.65 * share
            );
        }
    }
}

/// The resident share of a place between two shares of its size.
fn share_at(place: &Place, from: f64, to: f64) -> f64 {
    let size = place.size_bytes.max(1) as f64;
    let (mut before, mut resident) = (0.0, 0.0);
    for region in &place.regions {
        let length = region.bytes() as f64;
        let (start, end) = ((from * size - before).max(0.0), (to * size - before).min(length));
        if end > start {
            resident += resident_share(region, start / length, end / length) * (end - start);
        }
        before += length;
    }
    (resident / ((to - from) * size)).clamp(0.0, 1.0)
}

fn escaped(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
