//! Recordings of a real program against each other.

use std::path::Path;

use results::recording_diff::{CallerChange, ChangeCause, ChangeVerdict, RecordingDiff, SCHEMA};

use crate::diff::{of_a_program, refused};
use crate::program::{Scratch, firsttouch, fixture_with, run, skip, text};

/// A recording of the fixture, which asks for so many MiB in one place; `None`, and a skip, where
/// it cannot be recorded here.
fn recorded(scratch: &Scratch, program: &Path, mib: &str, name: &str) -> Option<String> {
    let file = scratch.file(name);
    let mut command = firsttouch(&["record", "--quiet", "-o"]);
    command.arg(&file).arg("--").arg(program).arg(mib);
    let output = command.env("XDG_CACHE_HOME", scratch.file("cache")).output().expect("it starts");
    let said = text(&output.stderr);
    if output.status.code() == Some(125) && said.contains("refused") {
        skip(&said);
        return None;
    }
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    Some(file.to_str().expect("a path of this test").to_owned())
}

fn compared(arguments: &[&str]) -> RecordingDiff {
    let output = run(&[&["report"], arguments, &["--json", "-"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    let diff: RecordingDiff = serde_json::from_slice(&output.stdout).expect("a diff");
    assert_eq!(diff.schema, SCHEMA);
    diff
}

fn row<'a>(diff: &'a RecordingDiff, function: &str) -> &'a CallerChange {
    let row = diff.callers.iter().find(|row| row.function == function);
    row.unwrap_or_else(|| panic!("no {function} in {:#?}", diff.callers))
}

fn calls(row: &CallerChange) -> (u64, u64) {
    (row.old.expect("in the old one").calls, row.new.expect("in the new one").calls)
}

#[test]
fn what_changed_is_told_by_call_site() {
    let scratch = Scratch::new();
    let flags = ["-fno-builtin", "-g"];
    let Some(program) = fixture_with("recorded_diff", &flags, scratch.file("recorded_diff")) else {
        return;
    };
    let record = |mib, name| recorded(&scratch, &program, mib, name);
    let Some(old) = record("4", "old.ft") else { return };
    let again = record("4", "again.ft").expect("as before");
    let more = record("12", "more.ft").expect("as before");

    let diff = compared(&["--diff", &old, &again]);
    for function in ["steady", "changing"] {
        let row = row(&diff, function);
        let count = calls(row);
        assert_eq!(count.0, count.1);
        assert_ne!(row.because, Some(ChangeCause::Counts), "{row:?}");
        assert_eq!(row.by_counts_ns, 0, "{row:?}");
    }
    assert_eq!((diff.matching.gone, diff.matching.new), (0, 0));

    let diff = compared(&["--diff", &old, &more]);
    let (steady, changing) = (row(&diff, "steady"), row(&diff, "changing"));
    assert_eq!((calls(steady), calls(changing)), ((8, 8), (4, 12)));
    assert_ne!(steady.because, Some(ChangeCause::Counts), "{steady:?}");
    let verdict = (changing.verdict, changing.because);
    assert_eq!(verdict, (ChangeVerdict::Different, Some(ChangeCause::Counts)), "{changing:?}");
    assert!(changing.by_counts_ns > 0, "{changing:?}");
    assert!(diff.differences.iter().any(|one| one.what == "command"), "{:?}", diff.differences);
    // The other way to name them.
    let other_way = compared(&[&more, "--diff", &old]);
    assert_eq!(other_way, diff);
    assert_eq!(compared(&[&old, "--diff", &more]).total.change_ns, -diff.total.change_ns);
    the_screen(&old, &more);
    reports_do_as_well(&scratch, &old, &more, &diff);
    other_files(&scratch, &old, &more);
}

fn the_screen(old: &str, more: &str) {
    let screen = text(&run(&["report", "--diff", old, more]).stdout);
    for words in ["the new recording against the old", "changing", "more first-touch faults"] {
        assert!(screen.contains(words), "no {words:?} in {screen}");
    }
    let answer = screen.lines().position(|line| line.starts_with("changing at recorded_diff.c:"));
    assert_eq!(answer, Some(3), "{screen}");
    for words in ["slower", "all call sites", "differs  command", "Next: "] {
        assert!(screen.contains(words), "no {words:?} in {screen}");
    }
}

/// A report as JSON takes the place of its recording.
fn reports_do_as_well(scratch: &Scratch, old: &str, more: &str, expect: &RecordingDiff) {
    let path = scratch.file("old.json");
    let json = path.to_str().unwrap();
    assert!(run(&["report", old, "--json", json]).status.success());
    let diff = compared(&["--diff", json, more]);
    assert_eq!((&diff.callers, diff.total), (&expect.callers, expect.total));
    assert_eq!((diff.old.started, diff.apart_ns), (None, None), "a report does not say when");
    refused(&["report", "--diff", json, old], 1, &["the same recording", "everything is the same"]);
    refused(&["report", "--diff", old, more, "--json", more], 2, &["would overwrite"]);
}

fn other_files(scratch: &Scratch, old: &str, more: &str) {
    let result = of_a_program(scratch, "result.json", 1, 10_000_000);
    let said = ["is a recording", "of bench or compare", "two of one kind"];
    refused(&["report", "--diff", old, &result], 2, &said);
    refused(&["report", "--diff", &result, old], 2, &said);
    refused(&["report", "--diff", old, old], 2, &["the same file", "everything is the same"]);
    refused(&["report", old, "--diff", old, more], 2, &["a third cannot be used with it"]);
    refused(&["report", "--diff", old], 2, &["two files"]);
    refused(&["report", "--diff", old, "/nonexistent.ft"], 1, &["/nonexistent.ft", "No such file"]);
    let broken = scratch.file("broken.ft");
    std::fs::write(&broken, "no recording").unwrap();
    refused(&["report", "--diff", old, broken.to_str().unwrap()], 1, &["broken.ft"]);
    let newer = scratch.file("newer.json");
    std::fs::write(&newer, r#"{"schema": "firsttouch.report/2"}"#).unwrap();
    let said = ["firsttouch.report/2", "--diff compares recordings"];
    refused(&["report", "--diff", old, newer.to_str().unwrap()], 1, &said);
}
