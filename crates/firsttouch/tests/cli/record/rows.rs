//! `report` of a recording: which rows there are, in which order, and one of them in full.

use std::path::PathBuf;

use serde_json::Value;

use crate::program::{Scratch, firsttouch, fixture_with, skip, text};

/// The callers of the fixture, and how often each asks.
const CALLS: [(&str, u64); 4] = [("small", 100), ("large", 3), ("threaded", 10), ("forked", 7)];

struct Rows {
    file: PathBuf,
    /// The number of the second thread, and of the child.
    tid: String,
    child: String,
    _scratch: Scratch,
}

impl Rows {
    fn recorded() -> Option<Rows> {
        let scratch = Scratch::new();
        let place = scratch.file("recorded_rows");
        let program = fixture_with("recorded_rows", &["-fno-builtin", "-pthread"], place)?;
        let file = scratch.file("rows.ft");
        let mut command = firsttouch(&["record", "--quiet", "-o"]);
        command.arg(&file).arg("--").arg(program);
        let output = command.env("XDG_CACHE_HOME", scratch.file("cache")).output();
        let output = output.expect("it starts");
        let said = text(&output.stderr);
        if output.status.code() == Some(125) && said.contains("refused") {
            skip(&said);
            return None;
        }
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
        let said = text(&output.stdout);
        let number = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            line.expect("the fixture says it").trim().to_owned()
        };
        let (tid, child) = (number("thread"), number("child"));
        Some(Rows { file, tid, child, _scratch: scratch })
    }

    fn report(&self, options: &[&str]) -> Value {
        let mut command = firsttouch(&["report"]);
        let output = command.arg(&self.file).args(options).args(["--json", "-"]).output();
        let output = output.expect("it starts");
        assert_eq!(text(&output.stderr), "", "{options:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn screen(&self, options: &[&str]) -> String {
        let output = firsttouch(&["report"]).arg(&self.file).args(options).output();
        let output = output.expect("it starts");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
        text(&output.stdout)
    }
}

/// The calls of each of the fixture's functions that is a caller.
fn callers(report: &Value) -> Vec<(&str, u64)> {
    let rows = report["callers"].as_array().expect("callers").iter();
    let own = |name: &str| name == "xmalloc" || CALLS.iter().any(|(function, _)| *function == name);
    rows.map(|row| {
        (row["function"].as_str().expect("a name"), row["calls"].as_u64().expect("calls"))
    })
    .filter(|(name, _)| own(name))
    .collect()
}

fn sorted(mut callers: Vec<(&str, u64)>) -> Vec<(&str, u64)> {
    callers.sort_unstable();
    callers
}

#[test]
fn a_wrapper_takes_all_calls_unless_it_is_skipped() {
    let Some(rows) = Rows::recorded() else { return };
    let all: u64 = CALLS.iter().map(|(_, calls)| calls).sum();
    assert_eq!(callers(&rows.report(&[])), [("xmalloc", all)]);
    let report = rows.report(&["--skip", "xmalloc"]);
    assert_eq!(sorted(callers(&report)), sorted(CALLS.to_vec()));
    assert_eq!(report["skipped"][0]["function"], "xmalloc");
    // The innermost frame of all of them is the one call in the wrapper.
    let cut = rows.report(&["--depth", "1"]);
    let of_wrapper = |site: &&Value| {
        let frame = site["stack"][0].as_str();
        frame.is_some_and(|frame| frame.starts_with("xmalloc "))
    };
    let sites: Vec<&Value> =
        cut["sites"].as_array().expect("sites").iter().filter(of_wrapper).collect();
    assert_eq!(sites.len(), 1);
    assert_eq!(
        (&sites[0]["calls"], sites[0]["stack"].as_array().map(Vec::len)),
        (&all.into(), Some(1))
    );
    let typo = rows.screen(&["--skip", "xmaloc"]);
    assert!(typo.contains("--skip changed nothing: xmaloc asks for no memory here."), "{typo}");
}

#[test]
fn filters_choose_calls_and_say_what_is_left() {
    let Some(rows) = Rows::recorded() else { return };
    let whole = rows.report(&[]);
    assert_eq!(whole["filter"], Value::Null);
    let (tid, child) = (rows.tid.as_str(), rows.child.as_str());
    for (options, expect) in [
        (&["--thread", tid][..], &[("threaded", 10)][..]),
        (&["--process", child], &[("forked", 7)]),
        (&["--size", "1MiB"], &[("large", 3)]),
        (&["--size", "64..300", "--process", child], &[("forked", 7)]),
        (&["--size", "4KiB..1MiB"], &[("large", 3), ("threaded", 10)]),
        (&["--time", "1h.."], &[]),
        (&["--time", "..1h", "--thread", tid], &[("threaded", 10)]),
    ] {
        let options = [&["--skip", "xmalloc"], options].concat();
        let report = rows.report(&options);
        assert_eq!(sorted(callers(&report)), expect, "{options:?}");
        let calls = |value: &Value| value["calls"].as_u64().expect("calls");
        let (chosen, left) = (calls(&report["costs"]), calls(&report["filter"]["left_out"]));
        assert_eq!(chosen + left, calls(&whole["totals"]), "{options:?}");
        assert_eq!(report["totals"], whole["totals"], "{options:?}");
        let screen = rows.screen(&options);
        assert!(screen.contains("\nchosen: ") && screen.contains("; not chosen: "), "{screen}");
    }
    let large = rows.report(&["--size", "1MiB"]);
    assert_eq!(large["costs"]["bytes"], 3 << 20);
    assert_eq!(
        (&large["filter"]["min_bytes"], &large["filter"]["tid"]),
        (&(1 << 20).into(), &Value::Null)
    );
}

#[test]
fn rows_are_sorted_and_counted_as_was_asked_for() {
    let Some(rows) = Rows::recorded() else { return };
    for (order, key) in [("calls", "calls"), ("bytes", "bytes"), ("apparent", "apparent_ns")] {
        let report = rows.report(&["--skip", "xmalloc", "--sort", order]);
        assert_eq!(report["sorted_by"], order);
        let callers = report["callers"].as_array().expect("callers").iter();
        let figures: Vec<u64> = callers.map(|row| row[key].as_u64().expect("a number")).collect();
        assert!(figures.len() >= 4 && figures.is_sorted_by(|one, next| one >= next), "{figures:?}");
    }
    let screen = rows.screen(&["--skip", "xmalloc", "--sort", "name", "--top", "2"]);
    let shown = screen.lines().filter(|line| line.starts_with("1 ") || line.starts_with("2 "));
    assert_eq!(shown.count(), 2, "{screen}");
    assert!(screen.contains(" other site") && !screen.contains("\n3 "), "{screen}");
    let next = "--sort name --skip xmalloc --site 1    (its calls, blocks and stacks)\n";
    assert!(screen.ends_with(next), "{screen}");
}

#[test]
fn a_row_in_full_is_that_of_the_table() {
    let Some(rows) = Rows::recorded() else { return };
    let options = ["--skip", "xmalloc", "--sort", "calls"];
    let report = rows.report(&options);
    let place = callers(&report).iter().position(|(name, _)| *name == "large");
    assert!(place.is_some(), "{report:#}");
    let table = report["callers"].as_array().expect("callers");
    let number = table.iter().position(|row| row["function"] == "large").expect("it is there") + 1;
    let page = rows.screen(&[&options[..], &["--site", &number.to_string()]].concat());
    assert!(page.starts_with(&format!("{number} large")), "{page}");
    for part in
        ["\nIts 3 calls say ", "\nasked for      3 MiB in 3 calls\n", "\n1 stack\n", "    large"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    // The JSON has everything, whichever row is shown.
    let json = rows.report(&[&options[..], &["--site", "1"]].concat());
    assert_eq!(json, report);
    for (number, part) in [
        ("999", "--site 999: the table has the rows 1 to "),
        ("0", "write the number of a row of the table, such as 1"),
        ("main", "write the number of a row of the table, such as 1"),
    ] {
        let output = firsttouch(&["report"]).arg(&rows.file).args(["--site", number]).output();
        let output = output.expect("it starts");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn what_needs_a_recording_says_so() {
    let scratch = Scratch::new();
    let file = scratch.file("result.json");
    std::fs::write(&file, "{}").expect("a file");
    for (options, part) in [
        (&["--site", "1"][..], "--site needs a recording, which record makes"),
        (&["--sort", "bytes"], "--sort needs a recording"),
        (&["--size", "1.."], "--size needs a recording"),
        (&["--site", "1", "--events"], "cannot be used with"),
        (&["--time", "2s"], "write 1.5s..2s, ..200ms or 2s.."),
        (&["--thread", "x"], "write the number of a thread"),
    ] {
        let output = firsttouch(&["report"]).arg(&file).args(options).output();
        let output = output.expect("it starts");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {said}");
        assert!(said.contains(part), "{options:?}: {said}");
    }
}
