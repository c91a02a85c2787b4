//! The picture of a race: time against memory, and the Pareto front.

use results::compare::{Race, RacedArm};

use super::super::metric::named;
use super::{MEMORY, WALL};
use crate::text::hanging;
use crate::view::View;

/// The rows of the picture.
const ROWS: usize = 10;
/// An axis spans this ratio at least: less is mostly noise.
const LEAST_SPAN: f64 = 1.05;

/// A letter for each arm of `race`, in the order of the table: a capital one on the Pareto front, a
/// blank where letters have run out.
pub(super) fn letters(race: &Race) -> Vec<char> {
    let places = places(race);
    let letter = |(index, place): (usize, &Option<(f64, f64)>)| {
        let letter = ('a'..='z').nth(index).unwrap_or(' ');
        let Some(place) = place else { return ' ' };
        if is_on_front(*place, &places) { letter.to_ascii_uppercase() } else { letter }
    };
    places.iter().enumerate().map(letter).collect()
}

/// By arm: the logarithms of its time and of its memory. Ratios within blocks are better than
/// medians of arms that ran at different times.
fn places(race: &Race) -> Vec<Option<(f64, f64)>> {
    let of_baseline = |key: &str| {
        let arm = race.arms.iter().find(|arm| arm.baseline)?;
        arm.medians.get(key).copied()
    };
    let value = |arm: &RacedArm, key: &str| {
        let ratio = if arm.baseline { 1.0 } else { *arm.ratios.get(key)? };
        let value = (of_baseline(key)? * ratio).ln();
        value.is_finite().then_some(value)
    };
    race.arms.iter().map(|arm| Some((value(arm, WALL)?, value(arm, MEMORY)?))).collect()
}

/// Whether no other arm is at least as good in both, and better in one.
fn is_on_front((time, memory): (f64, f64), all: &[Option<(f64, f64)>]) -> bool {
    !all.iter().flatten().any(|(other_time, other_memory)| {
        *other_time <= time
            && *other_memory <= memory
            && (*other_time < time || *other_memory < memory)
    })
}

/// The picture; nothing without two arms to draw.
pub(super) fn picture(race: &Race, view: View) -> String {
    let (places, letters) = (places(race), letters(race));
    let drawn: Vec<(char, (f64, f64))> = letters
        .into_iter()
        .zip(&places)
        .filter_map(|(letter, place)| Some((letter, (*place)?)))
        .filter(|(letter, _)| *letter != ' ')
        .collect();
    if drawn.len() < 2 {
        return String::new();
    }
    let times = Axis::over(drawn.iter().map(|(_, (time, _))| *time));
    let memories = Axis::over(drawn.iter().map(|(_, (_, memory))| *memory));
    let [least, most] = memories.ends(MEMORY);
    let margin = least.len().max(most.len()).max(named(MEMORY).name.len());
    let columns = view.plot_columns().saturating_sub(margin + 3).clamp(20, 90);
    let cells = cells(&drawn, &times, &memories, columns);
    let mut text = format!("{:>margin$}\n", named(MEMORY).name);
    for (row, line) in cells.iter().enumerate() {
        let label = match row {
            0 => &most,
            _ if row + 1 == ROWS => &least,
            _ => "",
        };
        let line: String = line.iter().collect();
        text += format!("{label:>margin$} |{line}").trim_end();
        text.push('\n');
    }
    let [fast, slow] = times.ends(WALL);
    let gap = columns.saturating_sub(fast.len() + slow.len());
    let word = format!("{:^gap$}", named(WALL).name);
    let foot =
        format!("{0:margin$} +{1}\n{0:margin$}  {fast}{word}{slow}\n", "", "-".repeat(columns));
    let legend = "Capitals: no other arm is both faster and smaller (the Pareto front).";
    text + &foot + &hanging(&" ".repeat(margin + 2), legend, view.width)
}

/// The cells of the picture, row by row from the top. A letter whose cell is taken goes to the next
/// free one on the same row.
fn cells(
    drawn: &[(char, (f64, f64))],
    times: &Axis,
    memories: &Axis,
    columns: usize,
) -> Vec<Vec<char>> {
    let mut cells = vec![vec![' '; columns]; ROWS];
    for (letter, (time, memory)) in drawn {
        let row = &mut cells[ROWS - 1 - memories.place(*memory, ROWS)];
        let wanted = times.place(*time, columns);
        let free = |column: &usize| row[*column] == ' ';
        let found = (wanted..columns).find(free).or_else(|| (0..wanted).rev().find(free));
        if let Some(column) = found {
            row[column] = *letter;
        }
    }
    cells
}

/// A logarithmic axis.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let missing = (LEAST_SPAN.ln() - (high - low)).max(0.0) / 2.0;
        Axis { low: low - missing, high: high + missing }
    }

    /// The cell of `value`, of so many `cells`.
    fn place(&self, value: f64, cells: usize) -> usize {
        let share = (value - self.low) / (self.high - self.low);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of the cells, rounded"
        )]
        let cell = (share.clamp(0.0, 1.0) * (cells - 1) as f64).round() as usize;
        cell
    }

    /// Its ends as values of the metric with this key.
    fn ends(&self, key: &str) -> [String; 2] {
        let shown = named(key).values(&[Some(self.low.exp()), Some(self.high.exp())]);
        [shown[0].clone(), shown[1].clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn race(arms: &[(f64, f64)]) -> Race {
        let arm = |(index, (time, memory)): (usize, &(f64, f64))| {
            let both = |time, memory| [(WALL.to_owned(), time), (MEMORY.to_owned(), memory)].into();
            RacedArm {
                name: index.to_string(),
                baseline: index == 0,
                medians: both(1e9, 1e8),
                ratios: if index == 0 { [].into() } else { both(*time, *memory) },
                ..RacedArm::default()
            }
        };
        Race { arms: arms.iter().enumerate().map(arm).collect(), ..Race::default() }
    }

    #[test]
    fn the_front_is_what_no_other_arm_beats_in_both() {
        let of = |arms: &[(f64, f64)]| letters(&race(arms)).iter().collect::<String>();
        assert_eq!(of(&[(1.0, 1.0), (0.8, 1.5), (0.9, 1.2), (0.9, 1.6), (1.1, 1.1)]), "ABCde");
        assert_eq!(of(&[(1.0, 1.0), (0.8, 0.8)]), "aB");
        assert_eq!(of(&[(1.0, 1.0), (1.0, 1.0)]), "AB", "equals beat each other in nothing");
        assert_eq!(of(&[(1.0, 1.0), (0.0, 1.0)]), "A ", "a ratio that is none");
        assert_eq!(letters(&race(&[(1.0, 1.0); 30]))[26..], [' '; 4], "letters run out");
    }

    #[test]
    fn every_letter_is_in_the_picture() {
        let crowd = race(&[(1.0, 1.0); 26]);
        let drawn = picture(&crowd, View::brief(Some(80)));
        for letter in 'A'..='Z' {
            assert!(
                drawn.lines().any(|line| line.contains('|') && line.contains(letter)),
                "{drawn}"
            );
        }
        assert_eq!(picture(&race(&[(1.0, 1.0)]), View::default()), "");
    }
}
