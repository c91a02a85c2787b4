//! A place as a strip: where its memory is resident, and where it has no access.

use std::fmt::Write;

use super::{NO_ACCESS, PALE};
use crate::layout::areas::Place;
use crate::layout::bars::resident_share;

/// Shades between pale and full.
const SHADES: f64 = 4.0;
/// The least width of a band in pixels: a smaller one cannot be told from its neighbours.
const SMALLEST_BAND: f64 = 2.0;

/// A rectangle, whose low end is at the left, or at the bottom of an upright one.
#[derive(Clone, Copy)]
pub(super) struct Strip {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) upright: bool,
}

impl Strip {
    pub(super) fn draw(&self, body: &mut String, place: &Place, class: &str) {
        let size = place.size_bytes.max(1) as f64;
        if place.folded {
            // The sum of many places has no parts: only its resident share is shown.
            return self.shaded(body, class, (0.0, 1.0), place.resident_bytes as f64 / size);
        }
        let mut from = 0.0;
        for region in &place.regions {
            let to = from + region.bytes() as f64 / size;
            if region.perms.starts_with("---") {
                self.shaded(body, class, (from, to), 0.0);
                self.part(body, NO_ACCESS, (from, to));
            } else {
                let length = (to - from) * if self.upright { self.height } else { self.width };
                let bands = (length / SMALLEST_BAND).floor().max(1.0);
                let share = |band: f64| resident_share(region, band / bands, (band + 1.0) / bands);
                self.bands(body, class, (from, to), bands, share);
            }
            from = to;
        }
    }

    pub(super) fn frame(&self, body: &mut String) {
        self.part(body, "class=\"frame\"", (0.0, 1.0));
    }

    /// Neighbouring bands of one shade are drawn as one.
    fn bands(
        &self,
        body: &mut String,
        class: &str,
        (from, to): (f64, f64),
        bands: f64,
        share: impl Fn(f64) -> f64,
    ) {
        let at = |band: f64| from + (to - from) * band / bands;
        let (mut begin, mut band) = (0.0, 0.0);
        while band < bands {
            let next = band + 1.0;
            if next >= bands || opacity(share(next)) != opacity(share(begin)) {
                self.shaded(body, class, (at(begin), at(next)), share(begin));
                begin = next;
            }
            band = next;
        }
    }

    fn shaded(&self, body: &mut String, class: &str, ends: (f64, f64), share: f64) {
        self.part(body, &format!("class=\"{class}\" fill-opacity=\"{}\"", opacity(share)), ends);
    }

    /// The part between two shares of its length, from the low end.
    fn part(&self, body: &mut String, attributes: &str, (from, to): (f64, f64)) {
        let Strip { x, y, width, height, upright } = *self;
        let (x, y, width, height) = if upright {
            (x, y + height * (1.0 - to), width, height * (to - from))
        } else {
            (x + width * from, y, width * (to - from), height)
        };
        let _ = writeln!(
            body,
            "<rect {attributes} x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" \
             height=\"{height:.2}\"/>"
        );
    }
}

/// The opacity of a resident share, in steps. Any resident page is one step at least.
fn opacity(share: f64) -> String {
    let least = if share > 0.0 { 1.0 } else { 0.0 };
    format!("{:.2}", PALE + (1.0 - PALE) * (share * SHADES).round().clamp(least, SHADES) / SHADES)
}
