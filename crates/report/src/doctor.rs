//! The screen of a diagnosis: how many checks found something, what they found and how to mend it,
//! then the checks that found nothing. `-v` shows each of these too, and effects in full.

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
    // The sort is stable: equal checks stay in the order of the file.
    checks.sort_by_key(|check| (check.state, check.is_trouble() && check.touches.is_empty()));
    let (trouble, rest): (Vec<&Check>, Vec<&Check>) =
        checks.into_iter().partition(|check| check.is_trouble());
    let block = |checks: &[&Check]| checks.iter().map(|check| entry(check, view)).collect();
    let quiet = if view.verbose { block(&rest) } else { named(&rest, width) };
    let next = hanging("Next: ", &next(diagnosis), width);
    let more =
        if view.verbose || rest.is_empty() { "" } else { "-v shows what each check found.\n" };
    let paragraphs: [String; 4] =
        [hanging("", &summary(diagnosis), width), block(&trouble), quiet, more.to_owned() + &next];
    let some: Vec<String> = paragraphs.into_iter().filter(|part| !part.is_empty()).collect();
    some.join("\n")
}

fn entry(check: &Check, view: View) -> String {
    let width = view.width;
    let mut text = hanging(&head(check.state, &clean(&check.id)), &clean(&check.found), width);
    if let Some(effect) = &check.effect {
        let effect = clean(effect);
        // What comes behind a semicolon is a detail of what comes before it.
        let short = effect.split("; ").next().unwrap_or(&effect);
        text += &hanging(INDENT, if view.verbose { &effect } else { short }, width);
    }
    if let Some(fix) = &check.fix {
        text += &command(&clean(fix), width);
    }
    text
}

fn head(state: State, id: &str) -> String {
    let word = state.word();
    let gap = " ".repeat(STATE_COLUMNS - word.len());
    format!("{}{gap} {id:ID_COLUMNS$}  ", styled(style(state), word))
}

/// The ids of `checks`, a line for each state.
fn named(checks: &[&Check], width: Option<usize>) -> String {
    let line = |state: State| {
        let ids: Vec<String> = checks
            .iter()
            .filter(|check| check.state == state)
            .map(|check| clean(&check.id))
            .collect();
        if ids.is_empty() {
            return String::new();
        }
        let word = styled(style(state), state.word());
        let head = format!("{word}{}", " ".repeat(STATE_COLUMNS + 1 - state.word().len()));
        let found = match (state, ids.len()) {
            (State::Skip, 1) => "1 check does not apply or cannot be seen".to_owned(),
            (State::Skip, several) => format!("{several} checks do not apply or cannot be seen"),
            (_, 1) => "1 check".to_owned(),
            (_, several) => format!("{several} checks"),
        };
        hanging(&head, &format!("{found}: {}", ids.join(", ")), width)
    };
    [State::Ok, State::Skip].map(line).concat()
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
    let all = match diagnosis.checks.len() {
        1 => "1 check".to_owned(),
        several => format!("{several} checks"),
    };
    let troubles = diagnosis.troubles();
    if troubles == 0 {
        let unseen = diagnosis.checks.iter().filter(|check| check.state == State::Skip).count();
        return match (diagnosis.checks.len(), unseen) {
            (1, 0) => "This check found no problem.".to_owned(),
            (1, _) => "This check does not apply here, or cannot be made.".to_owned(),
            _ => format!("None of {all} found anything that distorts or hides a measurement."),
        };
    }
    let whose = match (diagnosis.troubles_of("bench"), troubles) {
        (0, 1) => "it does not touch what bench measures".to_owned(),
        (0, _) => "none touches what bench measures".to_owned(),
        (1, 1) => "it distorts or hides what bench measures".to_owned(),
        (bench, _) if bench == troubles => "all distort or hide what bench measures".to_owned(),
        (1, _) => "1 of them distorts or hides what bench measures".to_owned(),
        (bench, _) => format!("{bench} of them distort or hide what bench measures"),
    };
    format!("{troubles} of {all} found a problem; {whose}.")
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
        return "firsttouch bench --max-time 5m    (more blocks, since others take processor time)"
            .to_owned();
    }
    "firsttouch bench    (which way of getting memory is cheapest, and why)".to_owned()
}
