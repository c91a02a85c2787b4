//! What programs pay before their main, by `report` and by `trace -c`.

use serde_json::Value;

use super::{Manner, Recorded, traced_table};
use crate::program::{Scratch, fixture_with, is_root};

/// The pages of the table of `fixtures/start.c`, which has 20,480 pointers of 8 bytes.
const TABLE_PAGES: u64 = 40;
/// What the constructor touches.
const CONSTRUCTED: u64 = 300;
/// What main touches.
const IN_MAIN: u64 = 500;
/// The pages of a process that is about to execute a program, of exec and of reads into fresh
/// memory, which an ordinary user does not see.
const UNSEEN: u64 = 100;

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} of {value}"))
}

fn of_cause(start: &Value, cause: &str) -> u64 {
    let rows = start["by_cause"].as_array().expect("causes");
    rows.iter().find(|row| row["cause"] == cause).map_or(0, |row| number(row, "faults"))
}

/// All sums of `start` are those of its parts.
fn adds_up(start: &Value) {
    for key in ["faults", "major_faults", "fault_ns", "bytes"] {
        for parts in ["by_cause", "by_file"] {
            let parts = start[parts].as_array().expect("rows");
            let sum: u64 = parts.iter().map(|part| number(part, key)).sum();
            assert_eq!(sum, number(start, key), "{key}: {start}");
        }
    }
    assert!(number(start, "fault_ns") <= number(start, "elapsed_ns"), "{start}");
    // Faults in the kernel are those that an ordinary user does not see.
    assert_eq!(of_cause(start, "exec") > 0, is_root(), "{start}");
}

/// The summary of a trace and its table; `None`, and a skip, where tracing is refused.
fn traced(command: &[&str], scratch: &Scratch) -> Option<(Value, String)> {
    let (lines, screen) = traced_table("-q", command, scratch)?;
    let summary = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
    Some((summary, screen))
}

#[test]
fn relocations_and_constructors_are_before_main_and_what_it_touches_is_not() {
    let scratch = Scratch::new();
    let flags = ["-fPIE", "-pie", "-g"];
    let Some(program) = fixture_with("start", &flags, scratch.file("start")) else { return };
    let command = [program.as_os_str()];
    let Some(recorded) = Recorded::of(&command, Manner::default(), &scratch) else { return };
    let start = &recorded.report["start"];
    adds_up(start);
    assert_eq!(start["until"], "main", "{start}");
    assert!(start["program"].as_str().is_some_and(|path| path.ends_with("/start")), "{start}");
    assert!(of_cause(start, "relocations") >= TABLE_PAGES, "{start}");
    assert!(of_cause(start, "constructors") >= CONSTRUCTED, "{start}");
    let files = start["by_file"].as_array().expect("files");
    let own = files.iter().find(|file| file["path"] == start["program"]).expect("the program");
    assert!(number(own, "faults") >= TABLE_PAGES + CONSTRUCTED, "{start}");
    assert!(number(start, "recorder_faults") > 0, "{start}");
    // The kernel's own count, when main began.
    let (counted, _) = recorded.expected()["faults"];
    let seen = number(start, "faults") + number(start, "recorder_faults");
    let unsure = number(start, "unsure_faults");
    assert!(unsure < 50, "{start}");
    assert!(seen <= counted && counted <= seen + unsure + UNSEEN, "{counted}: {start}");
    let all = recorded.total("minor_faults") + recorded.total("major_faults");
    assert!(seen + IN_MAIN <= all, "{all}: {start}");
}

#[test]
fn a_trace_adds_up_the_start_until_the_entry() {
    let scratch = Scratch::new();
    for (name, flags, until) in [
        ("start", &["-fPIE", "-pie"][..], "entry"),
        ("start-static-pie", &["-static-pie"], "relro"),
    ] {
        let Some(program) = fixture_with("start", flags, scratch.file(name)) else { continue };
        let program = program.to_str().expect("a name of UTF-8");
        let Some((summary, screen)) = traced(&[program], &scratch) else { return };
        let start = &summary["start"];
        adds_up(start);
        assert_eq!(start["until"], until, "{start}");
        assert!(of_cause(start, "relocations") >= TABLE_PAGES, "{start}");
        // The constructor of the program itself comes later.
        assert!(number(start, "faults") < TABLE_PAGES + CONSTRUCTED, "{start}");
        assert_eq!(start["unsure_faults"], Value::Null);
        assert_eq!(number(start, "recorder_faults"), 0);
        assert!(screen.contains("\nStart: "), "{screen}");
    }
}

#[test]
fn each_program_of_a_script_has_a_start_and_the_last_of_the_command_is_shown() {
    let scratch = Scratch::new();
    let script = "cat /dev/null; cat /dev/null; exec cat /dev/null";
    let Some((summary, screen)) = traced(&["sh", "-c", script], &scratch) else { return };
    let start = &summary["start"];
    adds_up(start);
    assert!(start["program"].as_str().is_some_and(|path| !path.ends_with("sh")), "{start}");
    let images = &start["images"];
    assert_eq!((number(images, "images"), number(images, "unknown")), (4, 0), "{start}");
    assert!(number(images, "faults") > 3 * number(start, "faults"), "{start}");
    assert!(screen.contains("All 4 programs"), "{screen}");
}
