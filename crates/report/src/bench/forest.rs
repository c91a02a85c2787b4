//! The forest plot: one line per comparison, its interval on a logarithmic axis of ratios.

use results::{Comparison, LabResult, Placebo};

use crate::number::percent;
use crate::text::clean;
use crate::view::View;

/// A line of the plot.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) ratio: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Text to the right of the line.
    pub(crate) remark: String,
}

impl Line {
    /// A line without a remark; `None` without an interval.
    pub(super) fn new(name: &str, ratio: f64, bounds: Option<(f64, f64)>) -> Option<Self> {
        let (low, high) = bounds?;
        Some(Line { name: clean(name), ratio, low, high, remark: String::new() })
    }
}

/// The comparisons of a run at one point, the smallest ratio first, and the placebo.
pub(super) fn plot(result: &LabResult, view: View) -> String {
    let plotted = lines(&result.comparisons, result.placebo.as_ref());
    let name_width = result.arms.iter().map(|arm| arm.name.len()).max().unwrap_or(0).min(24);
    draw(&plotted, name_width, view.plot_columns())
}

/// The lines of `comparisons`, the smallest ratio first, and of the placebo.
pub(crate) fn lines<'a>(
    comparisons: impl IntoIterator<Item = &'a Comparison>,
    placebo: Option<&Placebo>,
) -> Vec<Line> {
    let line = |c: &Comparison| Line::new(&c.arm, c.ratio, c.low.zip(c.high));
    let mut lines: Vec<Line> = comparisons.into_iter().filter_map(line).collect();
    lines.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    lines.extend(placebo.and_then(placebo_line));
    lines
}

/// The placebo's line in a plot.
pub(super) fn placebo_line(placebo: &Placebo) -> Option<Line> {
    let line = Line::new("placebo", placebo.ratio, placebo.low.zip(placebo.high))?;
    let floor = placebo.noise_floor();
    let remark = floor.map(|floor| format!("noise floor {}", percent(floor))).unwrap_or_default();
    Some(Line { remark, ..line })
}

/// Draws `lines` in `width` columns behind names of `name_width`; nothing if no line can be drawn.
pub(crate) fn draw(lines: &[Line], name_width: usize, width: usize) -> String {
    let sound =
        |l: &&Line| l.low > 0.0 && l.low <= l.ratio && l.ratio <= l.high && l.high.is_finite();
    let drawable: Vec<&Line> = lines.iter().filter(sound).collect();
    if drawable.is_empty() {
        return String::new();
    }
    let remarks = drawable.iter().map(|l| l.remark.len()).max().unwrap_or(0);
    let columns = width.saturating_sub(name_width + 2 + remarks + 2).clamp(24, 72);
    let axis = Axis::over(&drawable, columns);
    let mut plot = format!("{:name_width$}  {}\n", "", axis.labels());
    for line in drawable {
        let row =
            format!("{:name_width$}  {:columns$}  {}", line.name, axis.interval(line), line.remark);
        plot.push_str(row.trim_end());
        plot.push('\n');
    }
    plot
}

struct Axis {
    low: f64,
    high: f64,
    columns: usize,
}

impl Axis {
    /// Spans all intervals and 1 with a small margin, and 0.9 to 1.1 at least, so that noise does
    /// not look like a difference.
    fn over(lines: &[&Line], columns: usize) -> Self {
        let low = lines.iter().map(|l| l.low).fold(0.9, f64::min) * 0.95;
        let high = lines.iter().map(|l| l.high).fold(1.1, f64::max) * 1.05;
        Axis { low: low.ln(), high: high.ln(), columns }
    }

    fn column(&self, ratio: f64) -> usize {
        let share = (ratio.ln() - self.low) / (self.high - self.low);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the columns"
        )]
        let column = (share * (self.columns - 1) as f64)
            .round()
            .clamp(0.0, (self.columns - 1) as f64) as usize;
        column
    }

    /// Round ratios, as many as there is room for; 1 takes precedence.
    fn labels(&self) -> String {
        let decades = (-4..=4).flat_map(|e| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(e)));
        let mut ticks: Vec<f64> =
            std::iter::once(1.0).chain(decades.filter(|t| (t - 1.0).abs() > 1e-9)).collect();
        ticks.extend([0.9, 0.8, 0.7, 1.1, 1.2, 1.5]);
        let mut row = vec![b' '; self.columns + 4];
        for tick in ticks.into_iter().filter(|t| (self.low..=self.high).contains(&t.ln())) {
            let label = format!("{}x", (tick * 1e4).round() / 1e4);
            let start = self.column(tick).saturating_sub(label.len() / 2);
            let reach = start.saturating_sub(2)..(start + label.len() + 2).min(row.len());
            if start + label.len() <= row.len() && row[reach].iter().all(|c| *c == b' ') {
                row[start..start + label.len()].copy_from_slice(label.as_bytes());
            }
        }
        String::from_utf8(row).expect("ASCII").trim_end().to_owned()
    }

    /// `[==o==]`, with a colon where 1 is.
    fn interval(&self, line: &Line) -> String {
        let mut row = vec![b' '; self.columns];
        row[self.column(1.0)] = b':';
        let (mut low, mut high) = (self.column(line.low), self.column(line.high));
        if high == low + 1 {
            // Three characters need three columns: half a column more on each side, rounded.
            if high + 1 < self.columns { high += 1 } else { low -= 1 }
        }
        row[low..=high].fill(b'=');
        row[low] = b'[';
        row[high] = b']';
        // Where there is room, the estimate leaves both brackets standing.
        let inside = if high >= low + 2 { low + 1..=high - 1 } else { low..=high };
        row[self.column(line.ratio).clamp(*inside.start(), *inside.end())] = b'o';
        String::from_utf8(row).expect("ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, ratio: f64, low: f64, high: f64) -> Line {
        Line { name: name.to_owned(), ratio, low, high, remark: String::new() }
    }

    #[test]
    fn intervals_lie_where_they_are() {
        let plot = draw(&[line("half", 0.5, 0.45, 0.55), line("same", 1.0, 0.99, 1.01)], 6, 60);
        let rows: Vec<&str> = plot.lines().collect();
        assert!(rows[0].contains("0.5x") && rows[0].contains("1x"), "{plot}");
        let center = |row: &str| row.find('o').unwrap();
        assert!(center(rows[1]).abs_diff(rows[0].find("0.5x").unwrap() + 2) <= 1, "{plot}");
        assert!(center(rows[2]).abs_diff(rows[0].find("1x").unwrap() + 1) <= 1, "{plot}");
        assert!(rows[1].contains("[=") && rows[1].contains(':'), "{plot}");
    }

    #[test]
    fn impossible_lines_are_left_out() {
        assert_eq!(draw(&[line("x", 0.0, 0.0, f64::NAN)], 6, 80), "");
        assert_eq!(draw(&[line("crossed", 1.0, 2.0, 0.5)], 6, 80), "");
        assert_eq!(draw(&[], 6, 80), "");
    }
}
