//! One run: towers to scale at the left, and a line of words for each storey.

use std::fmt::Write;

use results::layout::{Layout, LayoutRun};

use super::strip::Strip;
use super::{MARGIN, class, drawn};
use crate::layout::areas::{Area, Place};
use crate::layout::columns::shortened;
use crate::layout::head::{circumstances, figures};
use crate::layout::varies;
use crate::number::bytes;
use crate::text::{clean, escaped};

/// Horizontal positions, from the left of a column.
const TOWER: f64 = MARGIN;
const TOWER_WIDTH: f64 = 72.0;
const NAME: f64 = 124.0;
const ADDRESS_END: f64 = 370.0;
const BAR: f64 = 384.0;
const BAR_WIDTH: f64 = 90.0;
const SIZE_END: f64 = 542.0;
const RESIDENT_END: f64 = 610.0;
const HUGE_END: f64 = 678.0;
pub(super) const WIDTH: f64 = RESIDENT_END + MARGIN;

/// Where the first area begins, with its name above it.
pub(super) const BELOW_CAPTION: f64 = 132.0;
const ROW: f64 = 20.0;
/// An area has a tower of this height at least.
const LEAST_TOWER: f64 = 44.0;
/// From a tower to the next one: a gap, and the area's name.
const BETWEEN: f64 = 58.0;
/// The least height in a tower.
const LEAST_STOREY: f64 = 2.0;
/// A gap within a tower that would be larger than this share of it is cut.
const LARGEST_GAP: f64 = 0.125;
const CUT: f64 = 14.0;
/// Letters of a name of 6.7 pixels each.
const NAME_LETTERS: usize = 22;

/// A part of a tower.
enum Storey<'a> {
    Place(&'a Place<'a>),
    Gap(u64),
    Cut(u64),
}

pub(super) struct Column<'a> {
    layout: &'a Layout,
    run: &'a LayoutRun,
    left: f64,
    with_huge: bool,
}

impl<'a> Column<'a> {
    pub(super) fn new(layout: &'a Layout, run: &'a LayoutRun, left: f64) -> Self {
        let with_huge =
            layout.runs.iter().flat_map(|run| &run.regions).any(|region| region.huge_bytes > 0);
        Column { layout, run, left, with_huge }
    }

    pub(super) fn width(&self) -> f64 {
        if self.with_huge { HUGE_END + MARGIN } else { WIDTH }
    }

    /// Draws it, and returns where it ends.
    pub(super) fn draw(&self, body: &mut String) -> f64 {
        self.words(body, "", TOWER, 60.0, &circumstances(self.layout, self.run));
        self.words(body, "", TOWER, 77.0, &figures(self.run));
        self.heads(body);
        let areas = drawn(self.run);
        let mut y = BELOW_CAPTION;
        let mut above: Option<&Place> = None;
        for area in &areas {
            if let (Some(above), Some(first)) = (above, area.places.first()) {
                self.between(body, area, (first, above), y);
                y += BETWEEN;
            }
            self.area_name(body, area, y - 7.0);
            y += self.tower(body, area, y);
            above = area.places.last();
        }
        y
    }

    fn heads(&self, body: &mut String) {
        let y = BELOW_CAPTION - 26.0;
        self.words(body, "quiet", NAME, y, "region");
        self.words(body, "quiet", BAR, y, "where resident");
        let mut ends = vec![(ADDRESS_END, "start"), (SIZE_END, "size"), (RESIDENT_END, "resident")];
        ends.extend(self.with_huge.then_some((HUGE_END, "huge")));
        for (end, words) in ends {
            self.words_before(body, "quiet", end, y, words);
        }
    }

    fn area_name(&self, body: &mut String, area: &Area, y: f64) {
        let heap = area.places.iter().any(|place| place.is_heap);
        self.words(body, "area", TOWER, y, area.name);
        if let Some(end) = self.run.program_break.filter(|_| heap) {
            self.words_before(body, "mono", ADDRESS_END, y, &format!("program break {end}"));
        }
    }

    /// Draws the storeys of an area from `top` on, and returns how high they are.
    fn tower(&self, body: &mut String, area: &Area, top: f64) -> f64 {
        let storeys = storeys(area);
        let rows = storeys.iter().filter(|storey| !matches!(storey, Storey::Gap(_))).count() as f64;
        let height = f64::max(rows * ROW, LEAST_TOWER);
        let (mut y, mut row) = (top, top + (height - rows * ROW) / 2.0 + ROW / 2.0);
        for (storey, high) in storeys.iter().zip(heights(&storeys, height)) {
            match storey {
                Storey::Place(place) => self.place(body, place, (y, high), row),
                Storey::Cut(bytes) => self.cut(body, *bytes, (y, high), row),
                Storey::Gap(_) => {}
            }
            if !matches!(storey, Storey::Gap(_)) {
                self.lead(body, y + high / 2.0, row);
                row += ROW;
            }
            y += high;
        }
        height
    }

    fn place(&self, body: &mut String, place: &Place, (y, height): (f64, f64), row: f64) {
        let class = class(place);
        let storey = Strip { x: self.left + TOWER, y, width: TOWER_WIDTH, height, upright: true };
        storey.draw(body, place, class);
        if height > 4.0 {
            storey.frame(body);
        }
        let bar = Strip {
            x: self.left + BAR,
            y: row - 6.0,
            width: BAR_WIDTH,
            height: 12.0,
            upright: false,
        };
        bar.draw(body, place, class);
        bar.frame(body);
        let base = row + 4.0;
        self.words(body, "mono", NAME, base, &shortened(&clean(&place.name), NAME_LETTERS));
        if !place.folded {
            self.words_before(body, "mono", ADDRESS_END, base, &format!("{:#x}", place.start));
        }
        self.words_before(body, "", SIZE_END, base, &bytes(place.size_bytes as f64));
        self.words_before(body, "", RESIDENT_END, base, &bytes(place.resident_bytes as f64));
        if place.huge_bytes > 0 {
            self.words_before(body, "", HUGE_END, base, &bytes(place.huge_bytes as f64));
        }
    }

    /// Unmapped memory within an area that is too large to be drawn to scale.
    fn cut(&self, body: &mut String, size_bytes: u64, (y, height): (f64, f64), row: f64) {
        self.torn(body, y + 3.0);
        self.torn(body, y + height - 3.0);
        self.words(
            body,
            "quiet",
            NAME,
            row + 4.0,
            &format!("{} not mapped", bytes(size_bytes as f64)),
        );
    }

    /// The gap between two areas.
    fn between(&self, body: &mut String, area: &Area, (below, above): (&Place, &Place), y: f64) {
        let bytes_between = above.start.saturating_sub(below.end);
        let of_the_heap =
            area.is_program && above.is_heap && self.run.heap_gap_bytes == Some(bytes_between);
        let size = bytes(bytes_between as f64);
        let (class, text) = match (of_the_heap, bytes_between) {
            (true, 0) => ("", "no gap between bss and heap".to_owned()),
            (true, _) => {
                let of_these_runs = self.run.aslr == Some(true);
                let varies = if of_these_runs { varies(self.layout) } else { String::new() };
                ("", format!("{size} gap between bss and heap{varies}"))
            }
            _ => ("quiet", format!("{size} not mapped")),
        };
        if bytes_between > 0 {
            self.torn(body, y + 8.0);
            self.torn(body, y + 26.0);
        }
        self.words(body, class, NAME, y + 21.0, &text);
    }

    fn torn(&self, body: &mut String, y: f64) {
        let points = (0..=12).map(|step| {
            let x = self.left + TOWER + TOWER_WIDTH * f64::from(step) / 12.0;
            format!("{x:.0},{:.0}", y + if step % 2 == 0 { 2.0 } else { -2.0 })
        });
        let _ = writeln!(
            body,
            "<polyline class=\"line\" points=\"{}\"/>",
            points.collect::<Vec<_>>().join(" ")
        );
    }

    /// From a storey to its words.
    fn lead(&self, body: &mut String, from: f64, to: f64) {
        let (start, end) = (self.left + TOWER + TOWER_WIDTH + 2.0, self.left + NAME - 6.0);
        let middle = f64::midpoint(start, end);
        let _ = writeln!(
            body,
            "<path class=\"line\" d=\"M{start:.0} {from:.1}C{middle:.0} {from:.1} {middle:.0} \
             {to:.1} {end:.0} {to:.1}\"/>"
        );
    }

    fn words(&self, body: &mut String, class: &str, x: f64, y: f64, words: &str) {
        self.text(body, class, (x, y), "", words);
    }

    /// Words that end at `x`.
    fn words_before(&self, body: &mut String, class: &str, x: f64, y: f64, words: &str) {
        self.text(body, class, (x, y), " text-anchor=\"end\"", words);
    }

    fn text(&self, body: &mut String, class: &str, (x, y): (f64, f64), anchor: &str, words: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let _ = writeln!(
            body,
            "<text{class} x=\"{:.1}\" y=\"{y:.1}\"{anchor}>{}</text>",
            self.left + x,
            escaped(words)
        );
    }
}

/// The places of an area and the gaps between them, highest first.
fn storeys<'a>(area: &'a Area<'a>) -> Vec<Storey<'a>> {
    let mapped: u64 = area.places.iter().map(|place| place.size_bytes).sum();
    let mut storeys = Vec::new();
    let mut above: Option<&Place> = None;
    for place in &area.places {
        match above.map_or(0, |above| above.start.saturating_sub(place.end)) {
            0 => {}
            gap if gap as f64 > LARGEST_GAP * mapped as f64 => storeys.push(Storey::Cut(gap)),
            gap => storeys.push(Storey::Gap(gap)),
        }
        storeys.push(Storey::Place(place));
        above = Some(place);
    }
    storeys
}

/// Heights of storeys that together have `total`: to scale, except cuts and storeys that would be
/// too thin to be seen.
fn heights(storeys: &[Storey], total: f64) -> Vec<f64> {
    let mut fixed: Vec<Option<f64>> =
        storeys.iter().map(|storey| matches!(storey, Storey::Cut(_)).then_some(CUT)).collect();
    let size = |storey: &Storey| match storey {
        Storey::Place(place) => place.size_bytes as f64,
        Storey::Gap(bytes) | Storey::Cut(bytes) => *bytes as f64,
    };
    loop {
        let left = total - fixed.iter().flatten().sum::<f64>();
        let to_scale = storeys
            .iter()
            .zip(&fixed)
            .filter(|(_, fixed)| fixed.is_none())
            .map(|(storey, _)| size(storey));
        let scale = left / to_scale.sum::<f64>().max(1.0);
        let too_thin = |storey: &Storey| {
            matches!(storey, Storey::Place(_)) && size(storey) * scale < LEAST_STOREY
        };
        let mut settled = true;
        for (storey, fixed) in storeys.iter().zip(&mut fixed) {
            if fixed.is_none() && too_thin(storey) {
                (*fixed, settled) = (Some(LEAST_STOREY), false);
            }
        }
        if settled {
            return storeys
                .iter()
                .zip(fixed)
                .map(|(storey, fixed)| fixed.unwrap_or(size(storey) * scale))
                .collect();
        }
    }
}
