//! The logarithmic axis of ratios, and what is drawn along it.

use std::fmt::Write;

use super::forest::Row;

/// Where the plot is, between the names and the ratios.
pub(super) const PLOT: f64 = 200.0;
pub(super) const PLOT_END: f64 = 450.0;
/// Two labels are at least so far apart.
const LABEL_GAP: f64 = 30.0;
/// From the ends of the axis to what is outermost, as a share of it.
const AIR: f64 = 0.04;

pub(super) struct Axis {
    /// Logarithms of the ratios at both ends.
    low: f64,
    high: f64,
}

impl Axis {
    /// Wide enough for every interval and for the margin around 1, and never so narrow that noise
    /// looks like news. `None` where no row can be drawn.
    pub(super) fn over(rows: &[&Row], margin: f64) -> Option<Self> {
        let (mut low, mut high) = (-margin.ln_1p(), margin.ln_1p());
        (low, high) = (low.min(0.9_f64.ln()), high.max(1.1_f64.ln()));
        let mut drawn = false;
        for end in rows.iter().flat_map(|row| [Some(row.ratio), row.low, row.high]).flatten() {
            if is_drawable(end) {
                (low, high) = (low.min(end.ln()), high.max(end.ln()));
                drawn = true;
            }
        }
        let air = AIR * (high - low);
        drawn.then_some(Axis { low: low - air, high: high + air })
    }

    fn x(&self, ratio: f64) -> f64 {
        PLOT + (PLOT_END - PLOT) * (ratio.ln() - self.low) / (self.high - self.low)
    }

    /// Round ratios that find room, 1 before all others.
    fn ticks(&self) -> Vec<f64> {
        let decades = |steps: &'static [f64]| {
            (-6..=6).flat_map(move |e| steps.iter().map(move |step| step * 10_f64.powi(e)))
        };
        let near = [0.95, 0.9, 0.8, 0.7, 1.05, 1.1, 1.2, 1.5];
        let wanted = std::iter::once(1.0)
            .chain(decades(&[1.0]))
            .chain(decades(&[2.0, 5.0]))
            .chain(near)
            .filter(|tick| (self.low..=self.high).contains(&tick.ln()));
        let mut ticks: Vec<f64> = Vec::new();
        for tick in wanted {
            if ticks.iter().all(|other| (self.x(*other) - self.x(tick)).abs() >= LABEL_GAP) {
                ticks.push(tick);
            }
        }
        ticks
    }

    /// The band of the margin, a line at each tick, and its label below.
    pub(super) fn background(&self, top: f64, bottom: f64, margin: f64) -> String {
        let mut text = String::new();
        let (from, to) = (self.x(1.0 / (1.0 + margin)), self.x(1.0 + margin));
        let _ = writeln!(
            text,
            "<rect class=\"band\" x=\"{from:.2}\" y=\"{top:.1}\" width=\"{:.2}\" \
             height=\"{:.1}\"/>",
            to - from,
            bottom - top
        );
        for tick in self.ticks() {
            let x = self.x(tick);
            let class = if (tick - 1.0).abs() < 1e-9 { "one" } else { "grid" };
            let label = (tick * 1e6).round() / 1e6;
            let _ = writeln!(
                text,
                "<line class=\"{class}\" x1=\"{x:.2}\" y1=\"{top:.1}\" x2=\"{x:.2}\" \
                 y2=\"{bottom:.1}\"/><text class=\"quiet\" x=\"{x:.2}\" y=\"{:.1}\" \
                 text-anchor=\"middle\">{label}x</text>",
                bottom + 14.0
            );
        }
        text
    }

    /// A bar from bound to bound, and a dot at the ratio. Nothing of a ratio that no logarithm has.
    pub(super) fn interval(&self, row: &Row, y: f64) -> String {
        if !is_drawable(row.ratio) {
            return String::new();
        }
        let class = if row.is_placebo { "placebo" } else { class(&row.word) };
        let x = self.x(row.ratio);
        let bounds =
            row.low.zip(row.high).filter(|(low, high)| is_drawable(*low) && is_drawable(*high));
        let bar = bounds.map_or_else(String::new, |(low, high)| {
            let (from, to) = (self.x(low), self.x(high));
            format!(
                "<path class=\"bar {class}\" \
                 d=\"M{from:.2} {y:.1}H{to:.2}M{from:.2} {:.1}v8M{to:.2} {:.1}v8\"/>",
                y - 4.0,
                y - 4.0
            )
        });
        format!("{bar}<circle class=\"{class}\" cx=\"{x:.2}\" cy=\"{y:.1}\" r=\"3.5\"/>\n")
    }
}

/// The style of a verdict: two for a difference, by its direction. One that the placebo questions
/// is drawn as what it is on a screen, undecided.
fn class(word: &str) -> &'static str {
    match word {
        "faster" | "smaller" | "fewer" | "lower" => "faster",
        "slower" | "larger" | "more" | "higher" => "slower",
        "same" => "same",
        _ => "unclear",
    }
}

fn is_drawable(ratio: f64) -> bool {
    ratio.is_finite() && ratio > 0.0
}
