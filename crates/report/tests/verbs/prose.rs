//! Brief screens are short: at most seven lines of prose.

use report::View;

use crate::claims::every_verdict;
use crate::doctor::every_state;
use crate::{diff, layout, plain, recording_diff, trace, tune};

/// The lines of `screen` that are sentences: no blank ones, no rows (they begin with one of `rows`,
/// or are indented), no notes of trouble.
fn prose<'a>(screen: &'a str, rows: &[&str]) -> Vec<&'a str> {
    let is_row = |line: &str| {
        line.starts_with(' ')
            || line.starts_with("note ")
            || rows.iter().any(|row| line.starts_with(row))
    };
    screen.lines().filter(|line| !line.is_empty() && !is_row(line)).collect()
}

#[test]
fn brief_screens_have_seven_lines_of_prose_at_most() {
    let ids = ["demand-paging", "file-demand-paging", "malloc-slower", "large-equal"];
    let states = ["blocked", "warn", "ok", "skip"];
    let diffed = ["differs ", "warning ", "as is ", "jemalloc ", "m", "calloc "];
    let numbers = ["# ", "1 ", "2 ", "3 ", "4 ", "5 ", "differs "];
    // The rows of the race, with their letters, and of the picture.
    let letters: Vec<String> =
        ('A'..='Z').chain('a'..='z').map(|letter| format!("{letter} ")).collect();
    let raced: Vec<&str> =
        letters.iter().map(String::as_str).chain(["peak RSS", "132 MiB |", "warning "]).collect();
    let places = ["0x", "stack", "mmap area", "heap", "program", "text", "gap", "vdso"];
    for width in [Some(80), Some(120), None] {
        let view = View::brief(width);
        let screens = [
            (report::claims_screen(&every_verdict(), view), &ids[..]),
            (report::doctor_screen(&every_state(), view), &states),
            (report::diff_screen(&diff::of_bench(), view), &diffed),
            (report::diff_screen(&diff::of_compare(), view), &diffed),
            (report::recording_diff_screen(&recording_diff::of_many(), view), &numbers),
            (report::layout_screen(&layout::one(), view, false), &places),
            (report::layout_screen(&layout::both(), view, false), &places),
            (report::compare_screen(&tune::better(), view), &raced[..]),
            (report::compare_screen(&tune::nothing(), view), &raced),
            (report::trace_table(&trace::table(), view), &["wall"]),
            (report::trace_end(&trace::summary(), view), &[]),
            (report::trace_end(&trace::populated(), view), &[]),
        ];
        for (screen, rows) in screens {
            let screen = plain(&screen, view);
            let prose = prose(&screen, rows);
            assert!(!prose.is_empty() && prose.len() <= 7, "{prose:#?}\n{screen}");
        }
    }
}
