//! Sums: what sites and the rest pay is all that the program spent, by counts that are not the
//! recorder's: those of the kernel, and those of `trace -c` of another run.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::attributed::{Touched, number, sum};
use super::{Manner, plain_fixture, traced_table};
use crate::program::{Scratch, skip, text};

/// Faults before the program, in exec and in its start, that the recording does not have, and those
/// in the kernel that an ordinary user does not see.
const UNSEEN: u64 = 150;
/// Faults after the program has read the kernel's count.
const LATER: u64 = 60;
/// Syscalls by which the recorder's library is loaded and gets its memory.
const RECORDERS: u64 = 16;

/// Copies of pages that parent and child share: which of them writes first, and whether the other
/// one still finds it shared, is chance.
const EITHER: u64 = 64;

/// How many events have which name.
type Counts = BTreeMap<String, u64>;

/// The events between the marks of the fixture.
fn between(events: &[Value]) -> &[Value] {
    let mark = |address: &str| {
        let is_mark = |event: &Value| {
            event["name"] == "madvise" && event["args"][0] == address && event["args"][1] == 0
        };
        events.iter().position(is_mark).expect("a mark")
    };
    &events[mark("0x2000") + 1..mark("0x3000")]
}

fn counts<'a>(names: impl Iterator<Item = Option<&'a str>>) -> Counts {
    let mut counts = Counts::new();
    for name in names {
        *counts.entry(name.expect("a name").to_owned()).or_default() += 1;
    }
    counts
}

fn of_kind<'a>(events: &'a [Value], kind: &'static str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["kind"] == kind)
}

fn syscalls(events: &[Value]) -> Counts {
    counts(of_kind(events, "syscall").map(|event| event["name"].as_str()))
}

fn faults_on(events: &[Value], mapping: &'static str) -> Counts {
    let faults = of_kind(events, "fault").filter(move |event| event["mapping"] == mapping);
    counts(faults.map(|event| event["cause"].as_str()))
}

/// A number that the program says.
fn said(touched: &Touched, what: &str) -> u64 {
    let output = text(&touched.recorded.under.stdout);
    let counts = output.lines().filter_map(|line| line.strip_prefix("counted "));
    let line = counts.into_iter().find_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).expect("it says it")
}

#[test]
fn sites_and_the_rest_are_all_faults_and_the_kernel_counted_as_many() {
    let scratch = Scratch::new();
    let Some(touched) = Touched::with(None, &scratch) else { return };
    let report = &touched.recorded.report;
    let rows = |key: &str| report[key].as_array().expect("rows");
    let (costs, totals) = (&report["costs"], &report["totals"]);
    for part in ["sites", "callers"] {
        for key in ["minor_faults", "major_faults", "first_touch_ns", "true_ns"] {
            assert_eq!(sum(rows(part), key), number(costs, key), "{key}");
        }
        for (key, mapping) in [("calls", "mapping_calls"), ("bytes", "mapped_bytes")] {
            let of = |maps: bool| rows(part).iter().filter(move |row| row["maps"] == maps);
            assert_eq!(sum(of(false), key), number(costs, key), "{key}");
            assert_eq!(sum(of(true), key), number(totals, mapping), "{key}");
        }
    }
    for key in ["minor_faults", "major_faults"] {
        assert_eq!(number(costs, key) + sum(rows("rest"), key), number(totals, key), "{key}");
    }
    let parts = ["apparent_ns", "first_touch_ns", "release_ns"].map(|key| number(costs, key));
    assert_eq!(parts.iter().sum::<u64>(), number(costs, "true_ns"));
    let all = number(totals, "minor_faults") + number(totals, "major_faults");
    assert_eq!(of_kind(&touched.events, "fault").count() as u64, all);
    assert_eq!(of_kind(&touched.events, "syscall").count() as u64, number(totals, "syscalls"));
    for part in ["process_list", "threads"] {
        assert_eq!(sum(rows(part), "faults"), all, "{part}");
        assert_eq!(sum(rows(part), "syscalls"), number(totals, "syscalls"), "{part}");
    }
    // The kernel's count, from the first mark to the second.
    let pid = rows("process_list").iter().find(|row| row["comm"] == "recorded_touche");
    let pid = &pid.expect("the program")["pid"];
    let seen = of_kind(between(&touched.events), "fault").filter(|fault| fault["pid"] == *pid);
    let (seen, counted) = (seen.count() as u64, said(&touched, "between"));
    let unseen = if report["seen"]["kernel_faults"] == true { 0 } else { UNSEEN };
    assert!(seen <= counted && counted <= seen + unseen, "{seen}, not {counted}");
    assert!(seen > 5000, "{seen}");
    let counted = said(&touched, "all");
    assert!(all <= counted + LATER && counted <= all + UNSEEN, "{all}, not {counted}");
}

/// The rows of the table of a trace, and the events.
fn traced(command: &[&str], scratch: &Scratch) -> Option<(Counts, Vec<Value>)> {
    let (lines, screen) = traced_table("-v", command, scratch)?;
    let events = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        words.next()?.parse::<f64>().ok()?;
        let calls = words.nth(2)?.replace(',', "").parse().ok()?;
        // Behind the bytes and three latencies.
        Some((words.skip(7).collect::<Vec<_>>().join(" "), calls))
    };
    Some((screen.lines().filter_map(row).collect(), events))
}

/// Whether two runs had the same faults, but for pages that parent and child share.
fn alike(one: &Counts, other: &Counts) {
    let causes: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for cause in causes {
        let of = |counts: &Counts| counts.get(cause).copied().unwrap_or(0);
        let is_shared = ["copy-on-write", "reuse"].contains(&cause.as_str());
        let chance = if is_shared { EITHER } else { 0 };
        assert!(of(one).abs_diff(of(other)) <= chance, "{cause}: {one:?}, {other:?}");
    }
}

#[test]
fn a_trace_of_the_same_program_has_the_same_counts() {
    let scratch = Scratch::new();
    // Where the heap begins decides which blocks share a page.
    let fixed = Command::new("setarch").args(["-R", "true"]).status();
    if !fixed.is_ok_and(|status| status.success()) {
        skip("addresses cannot be fixed here (setarch -R)");
        return;
    }
    let Some(program) = plain_fixture("recorded_touched", &scratch) else { return };
    let command = ["setarch", "-R", program.to_str().expect("a name of UTF-8")];
    let Some((table, traced)) = traced(&command, &scratch) else { return };
    let recorded = Touched::of(&command.map(AsRef::as_ref), Manner::default(), &scratch);
    let Some(recorded) = recorded else { return };
    let recorded = &recorded.events[..];

    assert_eq!(syscalls(between(recorded)), syscalls(between(&traced)));
    for mapping in ["[heap]", "[thread stack]"] {
        let found = faults_on(between(recorded), mapping);
        alike(&found, &faults_on(between(&traced), mapping));
        assert!(!found.is_empty(), "{mapping}");
    }
    // The whole run, as the table has it: more by what the recorder's library does.
    let all = syscalls(recorded);
    for (name, more) in [
        ("brk", 0),
        ("munmap", 0),
        ("mremap", 0),
        ("mmap", RECORDERS),
        ("madvise", RECORDERS),
        ("mprotect", RECORDERS),
    ] {
        let (found, row) = (all[name], table[name]);
        assert!((row..=row + more).contains(&found), "{name}: {found}, not {row}: {table:?}");
    }
    let heap = faults_on(recorded, "[heap]");
    assert_eq!(heap["first-touch"], table["fault: heap, first touch"], "{table:?}");
    let (found, row) = (heap["copy-on-write"], table["fault: heap, copy on write"]);
    assert!(found.abs_diff(row) <= EITHER, "{found}, not {row}: {table:?}");
}
