//! The table of a race.

use results::compare::{ProgramResult, Race, RacedArm};

use super::super::metric::named;
use super::{MEMORY, WALL};
use crate::number::fixed;
use crate::table::table;
use crate::text::{BAD, BOLD, DIM, clean, styled};
use crate::view::View;

/// The longest name that the table shows.
const NAME: usize = 28;

/// All arms of `race`, the best first.
pub(super) fn table_of_arms(result: &ProgramResult, race: &Race, view: View) -> String {
    let keys = columns(result);
    let mut heading = vec![styled(DIM, "  arm")];
    for key in &keys {
        heading.extend([styled(DIM, named(key).name), styled(DIM, "ratio")]);
    }
    heading.push(styled(DIM, "left the race"));
    let values: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            let medians: Vec<Option<f64>> =
                race.arms.iter().map(|arm| arm.medians.get(*key).copied()).collect();
            named(key).values(&medians)
        })
        .collect();
    let letters = super::front::letters(race);
    let row = |(place, arm): (usize, &RacedArm)| {
        let name: String = clean(&arm.name).chars().take(NAME).collect();
        let mut row = vec![format!("{} {name}", letters[place])];
        for (column, key) in keys.iter().enumerate() {
            let ratio = arm
                .ratios
                .get(*key)
                .map_or(String::new(), |ratio| format!("{}x", fixed(*ratio, 2)));
            row.extend([values[column][place].clone(), ratio]);
        }
        row.push(left(arm));
        row
    };
    let rows = std::iter::once(heading).chain(race.arms.iter().enumerate().map(row)).collect();
    table(rows, view.table_columns(), &[])
}

/// The metrics of the table: that of the race, the time and the memory.
fn columns(result: &ProgramResult) -> Vec<&str> {
    let mut keys = vec![result.experiment.metric.as_str(), WALL, MEMORY];
    let mut seen: Vec<&str> = Vec::new();
    keys.retain(|key| {
        let is_new = !key.is_empty() && !seen.contains(key);
        seen.push(key);
        is_new
    });
    keys
}

fn left(arm: &RacedArm) -> String {
    let blocks = |number: u64| if number == 1 { "block" } else { "blocks" };
    match arm.left_after {
        _ if arm.baseline => styled(DIM, "as it is"),
        Some(after) if arm.failed => {
            styled(BAD, &format!("failed after {after} {}", blocks(after)))
        }
        _ if arm.chosen => styled(BOLD, "chosen"),
        Some(after) => format!("after {after} {}", blocks(after)),
        None => String::new(),
    }
}
