//! A plot in text: a cost against a size or a number, with a letter for each arm.

use crate::number::digits;
use crate::text::hanging;

/// Rows of the plot.
const ROWS: usize = 12;

/// One line of the plot.
pub(super) struct Series {
    pub(super) name: String,
    /// One value for each label of the axis.
    pub(super) values: Vec<Option<f64>>,
}

/// Draws `series` over `labels` in `columns` columns, the costs on a logarithmic axis; nothing if
/// there is nothing to draw.
///
/// Where arms share a spot, it shows the first of them: the table has the figures.
pub(super) fn draw(title: &str, labels: &[String], series: &[Series], columns: usize) -> String {
    let drawable = |value: &f64| value.is_finite() && *value > 0.0;
    let values = || series.iter().flat_map(|s| s.values.iter().flatten().copied()).filter(drawable);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    if high <= 0.0 || labels.is_empty() {
        return String::new();
    }
    // More points than columns: the table shows them all.
    if labels.len() > columns {
        return String::new();
    }
    let axis = Axis::over(low, high);
    let room = columns.saturating_sub(LEFT + 2);
    let step = (room / labels.len()).clamp(1, 10);
    let mut rows = vec![vec![b' '; step * labels.len()]; ROWS];
    let mut met = false;
    for (letter, one) in (b'a'..=b'z').zip(series) {
        for (index, value) in one.values.iter().enumerate() {
            let Some(value) = value.filter(drawable) else { continue };
            let cell = &mut rows[axis.row(value)][index * step + step / 2];
            if *cell == b' ' {
                *cell = letter;
            } else {
                met = true;
            }
        }
    }
    let mut plot = format!("{title}\n");
    for (index, row) in rows.iter().enumerate() {
        let label = if index % 3 == 0 || index == ROWS - 1 {
            digits(axis.value(index), 2)
        } else {
            String::new()
        };
        let row = String::from_utf8_lossy(row);
        plot.push_str(format!("{label:>LEFT$} |{row}").trim_end());
        plot.push('\n');
    }
    let key: Vec<String> = ('a'..='z')
        .zip(series)
        .map(|(letter, one)| format!("{letter}\u{a0}{}", one.name.replace(' ', "\u{a0}")))
        .collect();
    let indent = " ".repeat(LEFT + 2);
    let key = hanging(&indent, &key.join("   "), Some(columns)).replace('\u{a0}', " ");
    let (line, under) = ("-".repeat(step * labels.len()), below(labels, step));
    let note = if met {
        format!("{indent}where arms share a spot, it shows the first\n")
    } else {
        String::new()
    };
    plot + &format!("{:LEFT$} +{line}\n{indent}{under}\n{key}{note}", "")
}

/// Columns of the labels at the left.
const LEFT: usize = 7;

/// As many labels as find room, each under its column.
fn below(labels: &[String], step: usize) -> String {
    let mut row = String::new();
    for (index, label) in labels.iter().enumerate() {
        let start = (index * step + step / 2).saturating_sub(label.len() / 2);
        if row.is_empty() || start > row.len() {
            row.push_str(&" ".repeat(start - row.len()));
            row.push_str(label);
        }
    }
    row
}

struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// Spans a factor of 1.5 at least, so that noise does not look like a difference.
    fn over(low: f64, high: f64) -> Self {
        let (mut low, mut high) = (low.ln(), high.ln());
        let lacking = 1.5_f64.ln() - (high - low);
        if lacking > 0.0 {
            low -= lacking / 2.0;
            high += lacking / 2.0;
        }
        Axis { low, high }
    }

    /// The row of a value, from the top.
    fn row(&self, value: f64) -> usize {
        let share = (self.high - value.ln()) / (self.high - self.low);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the rows"
        )]
        let row = (share * (ROWS - 1) as f64).round().clamp(0.0, (ROWS - 1) as f64) as usize;
        row
    }

    /// The value in the middle of a row.
    fn value(&self, row: usize) -> f64 {
        (self.high - (self.high - self.low) * row as f64 / (ROWS - 1) as f64).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_lie_where_they_are() {
        let labels = ["4K", "64K", "1M"].map(str::to_owned);
        let falling = Series {
            name: "falling".to_owned(),
            values: vec![Some(1000.0), Some(100.0), Some(10.0)],
        };
        let missing = Series { name: "missing".to_owned(), values: vec![None, None, Some(1000.0)] };
        let plot = draw("t", &labels, &[falling, missing], 80);
        let rows: Vec<&str> = plot.lines().collect();
        assert!(
            rows[1].trim_start().starts_with("1,000 |")
                && rows[1].contains('a')
                && rows[1].contains('b'),
            "{plot}"
        );
        assert!(rows[ROWS].trim_start().starts_with("10 |") && rows[ROWS].ends_with('a'), "{plot}");
        assert!(rows[ROWS + 2].contains("4K") && rows[ROWS + 2].contains("1M"), "{plot}");
        assert!(
            rows[1].find('b').unwrap().abs_diff(rows[ROWS + 2].find("1M").unwrap() + 1) <= 1,
            "{plot}"
        );
        assert_eq!(draw("t", &labels, &[], 80), "");
        assert!(draw("t", &vec!["1,024K".to_owned(); 40], &[], 20).is_empty());
    }

    #[test]
    fn many_points_fit_a_narrow_terminal() {
        let labels: Vec<String> = (0..30).map(|i| format!("{i}K")).collect();
        let series = [Series {
            name: "x".to_owned(),
            values: (1..=30).map(|i| Some(f64::from(i))).collect(),
        }];
        let plot = draw("t", &labels, &series, 80);
        assert!(plot.lines().all(|line| line.len() <= 80), "{plot}");
    }
}
