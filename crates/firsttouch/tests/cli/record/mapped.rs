//! What the mappings of a program took: the report has what the kernel said at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::plain_fixture;
use crate::program::{PROGRAM, Scratch, firsttouch, skip, text};

/// Page tables that need not follow from faults: of pages that the kernel mapped by itself, such
/// as large folios of a file.
const TABLES_DIFFER_BYTES: u64 = 64 << 10;

/// What the program says, and the report.
struct Mapped {
    said: BTreeMap<String, u64>,
    report: Value,
}

impl Mapped {
    /// Records `command`, the options of `record` first. `None`, and a skip, where that cannot be
    /// done here.
    fn of(program: &Path, act: &str, options: &[&str], scratch: &Scratch) -> Option<Mapped> {
        let mut record = firsttouch(&["record", "-q"]);
        record.args(options);
        Mapped::by(record, program, act, scratch)
    }

    fn by(mut record: Command, program: &Path, act: &str, scratch: &Scratch) -> Option<Mapped> {
        let file = scratch.file("mapped.ft");
        record.arg("-o").arg(&file).arg("--").arg(program).arg(act).stdin(Stdio::null());
        let output = record.output().expect("it starts");
        let errors = text(&output.stderr);
        if output.status.code() == Some(77) || output.status.code() == Some(125) {
            skip(&format!("{act} cannot be recorded here: {errors}"));
            return None;
        }
        assert!(output.status.success(), "{act}: {errors}");
        let report = firsttouch(&["report"]).arg(&file).args(["--json", "-"]).output();
        let report = report.expect("the program starts");
        let report = serde_json::from_slice(&report.stdout).expect("JSON");
        let said = text(&output.stdout);
        let pairs = said.lines().filter_map(|line| line.split_once(' '));
        let said = pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a number")));
        Some(Mapped { said: said.collect(), report })
    }

    fn mapping(&self) -> &Value {
        &self.report["mapping"]
    }

    fn figure(&self, part: &str, key: &str) -> u64 {
        let value = self.mapping()[part][key].as_u64();
        value.unwrap_or_else(|| panic!("{part} {key}: {}", self.mapping()))
    }

    /// Checks the figures at the end against those of the kernel.
    fn agrees(&self, act: &str) {
        for (key, said) in &self.said {
            let found = self.figure("end", key);
            if key == "page_tables_bytes" {
                assert!(found.abs_diff(*said) <= TABLES_DIFFER_BYTES, "{act} {key} {said} {found}");
            } else {
                assert_eq!(found, *said, "{act} {key}");
            }
            assert!(self.figure("peak", key) >= found, "{act} {key}");
        }
    }

    /// Checks that sites and the rest are all of the peaks.
    fn adds_up(&self, act: &str) {
        for (key, peak) in [
            ("bytes", "address_space_bytes"),
            ("mappings", "mappings"),
            ("accounted_bytes", "accounted_bytes"),
        ] {
            let parts = ["by_site", "rest"]
                .iter()
                .flat_map(|part| self.mapping()[part].as_array().expect("a list").iter());
            let sum: u64 = parts.map(|row| row[key].as_u64().expect("a number")).sum();
            assert_eq!(sum, self.figure("peak", peak), "{act} {key}: {}", self.mapping());
        }
    }

    /// What the sites below a function held.
    fn held_below(&self, function: &str, key: &str) -> u64 {
        let rows = self.mapping()["by_site"].as_array().expect("a list").iter();
        let is_below = |row: &&Value| {
            let site = usize::try_from(row["site"].as_u64().expect("a site")).expect("an index");
            self.report["sites"][site]["stack"].to_string().contains(function)
        };
        rows.filter(is_below).map(|row| row[key].as_u64().expect("a number")).sum()
    }
}

#[test]
fn the_report_has_what_the_kernel_says_of_mappings() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("mapped", &scratch) else { return };
    for act in ["nothing", "turns", "sparse", "reserved", "moved", "arenas", "allocated", "forked"]
    {
        let Some(mapped) = Mapped::of(&program, act, &[], &scratch) else { continue };
        mapped.agrees(act);
        mapped.adds_up(act);
        match act {
            "turns" => assert!(mapped.figure("peak", "mappings") > 20_000),
            "sparse" => assert!(mapped.figure("end", "page_tables_bytes") > 2 << 20),
            "reserved" => assert!(mapped.figure("end", "address_space_bytes") > 65 << 30),
            "arenas" => assert!(mapped.held_below("asked", "bytes") > 8 << 26),
            "allocated" => assert!(mapped.held_below("asked", "bytes") > 50 << 20),
            // Those of the child.
            "forked" => {
                assert!(mapped.figure("peak", "mappings") > mapped.figure("end", "mappings") + 900);
            }
            _ => {}
        }
    }
}

#[test]
fn the_limits_are_those_of_the_recording() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("mapped", &scratch) else { return };
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 8000000 && exec \"$@\"", "sh", PROGRAM, "record", "-q"]);
    let Some(mapped) = Mapped::by(limited, &program, "nothing", &scratch) else { return };
    let limits = &mapped.mapping()["limits"];
    assert_eq!(limits["address_space_max_bytes"], 8_000_000_u64 * 1024);
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").expect("proc");
    assert_eq!(limits["mappings_max"].to_string(), most.trim());
}

#[test]
fn mappings_are_unknown_without_syscalls() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("mapped", &scratch) else { return };
    if let Some(mapped) = Mapped::of(&program, "nothing", &["--syscalls", "off"], &scratch) {
        assert_eq!(mapped.report["mapping"], Value::Null);
    }
}
