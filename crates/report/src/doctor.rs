//! The screen of a diagnosis: the worst first, what is well on a line.

use anstyle::Style;
use results::doctor::{Check, Diagnosis, State};

use crate::text::{ALARM, BAD, DIM, GOOD, clean, hanging, styled};
use crate::view::View;

/// The columns of the states and of the ids: the longest of each.
const STATE_COLUMNS: usize = 7;
const ID_COLUMNS: usize = 15;
/// Commands and effects start near the edge: most commands then fit a line of 80 columns.
const INDENT: &str = "    ";

/// Renders `diagnosis` as `view` wants it.
#[must_use]
pub fn screen(diagnosis: &Diagnosis, view: View) -> String {
    let width = view.width;
    let mut checks: Vec<&Check> = diagnosis.checks.iter().collect();
    // Stable: the file's order where all else is equal.
    checks.sort_by_key(|check| (check.state, check.is_trouble() && check.touches.is_empty()));
    let (trouble, rest): (Vec<&Check>, Vec<&Check>) =
        checks.into_iter().partition(|check| check.is_trouble());
    let block =
        |checks: &[&Check]| checks.iter().map(|check| entry(check, width)).collect::<String>();
    let summary =
        hanging("", &summary(diagnosis), width) + &hanging("Next: ", &next(diagnosis), width);
    let paragraphs = [block(&trouble), block(&rest), summary];
    paragraphs
        .iter()
        .filter(|paragraph| !paragraph.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join("\n")
}

fn entry(check: &Check, width: Option<usize>) -> String {
    let word = check.state.word();
    let head = format!(
        "{}{} {:ID_COLUMNS$}  ",
        styled(style(check.state), word),
        " ".repeat(STATE_COLUMNS - word.len()),
        clean(&check.id)
    );
    let mut text = hanging(&head, &clean(&check.found), width);
    if let Some(effect) = &check.effect {
        text += &hanging(INDENT, &clean(effect), width);
    }
    if let Some(fix) = &check.fix {
        text += &command(&clean(fix), width);
    }
    text
}

fn style(state: State) -> Style {
    match state {
        State::Blocked => ALARM,
        State::Warn => BAD,
        State::Ok => GOOD,
        State::Skip => DIM,
    }
}

/// A command is broken behind a pipe rather than elsewhere: a shell then still reads it as one.
fn command(fix: &str, width: Option<usize>) -> String {
    let head = format!("{INDENT}fix: ");
    match width {
        Some(_) => hanging(&head, &fix.replace("sudo tee ", "sudo\u{a0}tee\u{a0}"), width),
        None => hanging(&head, fix, None),
    }
}

fn summary(diagnosis: &Diagnosis) -> String {
    let all = diagnosis.checks.len();
    let unseen = match diagnosis.count(State::Skip) {
        0 => String::new(),
        1 => " 1 does not apply or cannot be seen (skip).".to_owned(),
        skipped => format!(" {skipped} do not apply or cannot be seen (skip)."),
    };
    match (diagnosis.troubles(), diagnosis.troubles_of("bench")) {
        (0, _) => format!(
            "None of {all} checks found anything that distorts or hides a measurement.{unseen}"
        ),
        (troubles, 0) => {
            format!(
                "{troubles} of {all} checks hide a measurement here, none what bench measures.{unseen}"
            )
        }
        (troubles, bench) if troubles == bench => {
            format!("{bench} of {all} checks distort or hide what bench measures here.{unseen}")
        }
        (troubles, bench) => format!(
            "{troubles} of {all} checks distort or hide a measurement here, {bench} of them what bench measures.{unseen}"
        ),
    }
}

/// The most useful next command.
fn next(diagnosis: &Diagnosis) -> String {
    let trouble =
        |id: &str| diagnosis.checks.iter().any(|check| check.id == id && check.is_trouble());
    let first = diagnosis.checks.iter().find(|check| {
        check.fix.is_some()
            && (check.state == State::Blocked || (check.id == "thp" && check.is_trouble()))
    });
    if let Some(check) = first {
        return format!("firsttouch doctor    (again, after the fix of {})", clean(&check.id));
    }
    if trouble("busy-machine") || trouble("steal") {
        return "firsttouch bench --max-time 5m    (more blocks, since the machine is busy)"
            .to_owned();
    }
    "firsttouch bench    (which way of getting memory is cheapest here, and why)".to_owned()
}
