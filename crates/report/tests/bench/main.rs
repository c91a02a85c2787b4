//! What users see of a lab result, from injected results: states that a machine shows rarely are
//! here too.

mod factorial;
mod floors;
mod injected;
mod one_point;
mod small;
mod sweeps;

use report::View;
use results::LabResult;

/// The most lines of prose that a screen has by default.
const PROSE_MAX: usize = 7;
/// The answer stands in the first lines.
const ANSWER_BY_LINE: usize = 5;

/// A screen without its styles, which holds in its width.
fn shown(result: &LabResult, view: View) -> String {
    let screen = anstream::adapter::strip_str(&report::screen(result, view)).to_string();
    let widest = screen.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    // A table does not cut names, however long: hostile ones may be wider.
    let narrow = view.width.is_some_and(|width| width < 40);
    let fits = view.width.is_none_or(|width| widest <= width) || narrow || screen.contains("evil");
    assert!(fits, "{widest} columns:\n{screen}");
    screen
}

/// Snapshots of a screen on a narrow and on a wide terminal, and of everything that `-v` adds.
fn at_every_width(name: &str, result: &LabResult) {
    for width in [80, 120] {
        let screen = shown(result, View::brief(Some(width)));
        is_brief(result, &screen);
        insta::assert_snapshot!(format!("{name}_{width}"), screen);
    }
    is_brief(result, &shown(result, View::brief(None)));
    insta::assert_snapshot!(format!("{name}_verbose"), shown(result, View::verbose(Some(100))));
}

/// The head and the question, then the answer; little prose in all.
fn is_brief(result: &LabResult, screen: &str) {
    let all: Vec<&str> = screen.lines().collect();
    let is_heading = |index: usize| all.get(index + 1).is_some_and(|next| next.starts_with("  "));
    let prose: Vec<&str> = (0..all.len())
        .filter(|&index| is_prose(all[index]) && !is_heading(index))
        .map(|index| all[index])
        .collect();
    assert!(prose.len() <= PROSE_MAX, "{} lines of prose: {prose:#?}\n{screen}", prose.len());
    let words: Vec<&str> = result.experiment.question.split_whitespace().collect();
    let last = words.last().copied().unwrap_or_default();
    let question_ends = screen.lines().position(|line| line.ends_with(last));
    assert!(question_ends.is_some_and(|line| line + 2 <= ANSWER_BY_LINE), "{screen}");
}

/// A line of a table or a picture has columns, and so has the head; trouble is named at once.
fn is_prose(line: &str) -> bool {
    let trouble =
        ["warning ", "refused ", "failed ", "firsttouch doctor ", " ", "stopped ", "interrupted"];
    !line.is_empty() && !line.contains("  ") && !trouble.iter().any(|start| line.starts_with(start))
}
