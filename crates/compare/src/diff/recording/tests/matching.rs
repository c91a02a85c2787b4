//! Which site is which.

use results::recording_diff::{ChangeCause, ChangeVerdict, MatchedBy};

use super::*;

/// How each new site was matched.
fn matches(diff: &RecordingDiff) -> Vec<(&str, Option<MatchedBy>, Option<&str>)> {
    let mut found: Vec<_> = diff
        .callers
        .iter()
        .map(|row| (&*row.function, row.matched_by, row.moved_from.as_deref()))
        .collect();
    found.sort_unstable_by_key(|(function, _, from)| (*function, *from));
    found
}

#[test]
fn sites_are_matched_although_their_lines_move() {
    let old = [
        site("same", "a.c:10", 10, 1),
        site("moved", "a.c:20", 20, 2),
        site("moved", "a.c:30", 30, 3),
        site("to_another_file", "a.c:40", 40, 4),
        site("gone", "a.c:50", 50, 5),
        site("0x1234", "libx.so.1", 60, 6),
    ];
    let new = [
        site("moved", "a.c:35", 31, 3),
        site("same", "a.c:10", 11, 1),
        site("moved", "a.c:25", 21, 2),
        site("to_another_file", "b.c:4", 41, 4),
        site("fresh", "a.c:55", 51, 5),
        site("0x1234", "libx.so.2", 60, 6),
    ];
    let diff = compared(&report(&old), &report(&new));
    assert_eq!(
        matches(&diff),
        [
            ("0x1234", None, None),
            ("0x1234", None, None),
            ("fresh", None, None),
            ("gone", None, None),
            ("moved", Some(MatchedBy::File), Some("a.c:20")),
            ("moved", Some(MatchedBy::File), Some("a.c:30")),
            ("same", Some(MatchedBy::Line), None),
            ("to_another_file", Some(MatchedBy::Function), Some("a.c:40")),
        ]
    );
    for row in diff.callers.iter().filter(|row| row.function == "moved") {
        let calls = (row.old.unwrap().calls, row.new.unwrap().calls);
        let expect = if row.at.as_deref() == Some("a.c:25") { (20, 21) } else { (30, 31) };
        assert_eq!(calls, expect, "lines keep their order");
    }
    let counts = diff.matching;
    assert_eq!((counts.by_line, counts.by_file, counts.by_function), (1, 2, 1));
    assert_eq!((counts.gone, counts.new), (2, 2));
    let causes = |function: &str| {
        let row = diff.callers.iter().find(|row| row.function == function).unwrap();
        (row.verdict, row.because, row.by_price_ns)
    };
    assert_eq!(causes("gone"), (ChangeVerdict::Different, Some(ChangeCause::Gone), 0));
    assert_eq!(causes("fresh"), (ChangeVerdict::Different, Some(ChangeCause::New), 0));
}

#[test]
fn functions_that_both_have_twice_are_told_apart_by_their_stacks() {
    let sites = |lines: [u64; 2], callers: [&str; 2]| {
        let made = lines.map(|line| site("grow", &format!("x{line}.c:{line}"), line, line));
        let mut report = report(&made);
        for (site, caller) in report.sites.iter_mut().zip(callers) {
            site.stack.push(format!("{caller} (main.c:{})", lines[0]));
        }
        report
    };
    let diff = compared(&sites([10, 20], ["read", "write"]), &sites([31, 12], ["write", "read"]));
    let found: Vec<_> =
        diff.callers.iter().map(|row| (row.moved_from.as_deref(), row.at.as_deref())).collect();
    assert!(found.contains(&(Some("x10.c:10"), Some("x12.c:12"))), "{found:?}");
    assert!(found.contains(&(Some("x20.c:20"), Some("x31.c:31"))), "{found:?}");
    assert_eq!(diff.matching.by_stacks, 2);
}
