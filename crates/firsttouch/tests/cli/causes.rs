//! The causes that `trace` gives to the faults of a program whose acts are known by construction,
//! for each way of tracing it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{Scratch, as_nobody, fixture, is_root, open_copy, skip, text};

/// How many faults have which cause.
pub(crate) type Causes = BTreeMap<String, u64>;
pub(crate) type Counts<'a> = &'a [(&'a str, u64)];

/// The ways of tracing: the user, and how syscalls are seen.
pub(crate) fn ways(scratch: &Scratch) -> Vec<(String, Command)> {
    let copy = open_copy(scratch);
    let mut ways = Vec::new();
    for way in ["ptrace", "tracepoints"].into_iter().filter(|&way| way == "ptrace" || is_root()) {
        let mut command = Command::new(&copy);
        command.args(["trace", "--syscalls", way]);
        ways.push((way.to_owned(), command));
    }
    if is_root() {
        let mut command = as_nobody(&copy);
        command.arg("trace");
        ways.push(("nobody".to_owned(), command));
    }
    ways
}

/// The lines of a trace of `act`; `None`, and the test says SKIPPED, where this way is refused.
fn lines(name: &str, way: Command, program: &Path, act: &[&str]) -> Option<Vec<Value>> {
    lines_of(name, way, program, act).map(|(_, lines)| lines)
}

/// The exit status of `act` and the lines of its trace.
pub(crate) fn lines_of(
    name: &str,
    mut way: Command,
    program: &Path,
    act: &[&str],
) -> Option<(Option<i32>, Vec<Value>)> {
    way.args(["--faults", "all", "--json", "-", "--"]).arg(program).args(act);
    let Ok(output) = way.output() else {
        skip(&format!("{name}: no setpriv"));
        return None;
    };
    let errors = text(&output.stderr);
    if errors.contains("refused")
        && (errors.contains("no page faults") || output.status.code() == Some(125))
    {
        skip(&format!("{name}: {errors}"));
        return None;
    }
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let summary = lines.last().unwrap_or_else(|| panic!("{name}: no line: {errors}"));
    assert_eq!(
        (summary["kind"].as_str(), summary["lost"].as_u64()),
        (Some("summary"), Some(0)),
        "{name} {act:?}"
    );
    assert_eq!(summary["faults_seen"], summary["faults_counted"], "{name} {act:?}");
    Some((output.status.code(), lines))
}

/// The causes of the faults in mappings of `bytes` that the program made without a file, of one
/// process or all.
pub(crate) fn causes(lines: &[Value], bytes: u64, of: impl Fn(&Value) -> bool) -> Causes {
    let address = |value: &Value| {
        let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).unwrap_or("0");
        u64::from_str_radix(digits, 16).expect("an address")
    };
    let mut mapped: Vec<u64> = Vec::new();
    let mut causes = Causes::new();
    for line in lines {
        if line["name"] == "mmap" && line["args"][1] == bytes && line["args"][4] == -1 {
            mapped.push(address(&line["result"]));
        } else if line["name"] == "munmap" && line["args"][1] == bytes {
            // Another thread may have got the same address from a call that began earlier: only one
            // of the two is unmapped.
            if let Some(at) = mapped.iter().position(|&start| start == address(&line["args"][0])) {
                mapped.remove(at);
            }
        }
        let is_there = |&start: &u64| (start..start + bytes).contains(&address(&line["address"]));
        if line["kind"] == "fault" && of(line) && mapped.iter().any(is_there) {
            *causes.entry(line["cause"].as_str().expect("a cause").to_owned()).or_default() += 1;
        }
    }
    causes
}

pub(crate) fn expect(causes: Counts<'_>) -> Causes {
    causes.iter().map(|&(cause, count)| (cause.to_owned(), count)).collect()
}

#[test]
fn every_act_has_its_cause() {
    let scratch = Scratch::new();
    let Some(program) = fixture("memory_acts", &scratch) else { return };
    // No other mapping has so many pages.
    let acts: [(&[&str], u64, Counts<'_>); 8] = [
        (&["touch", "301"], 301, &[("first-touch", 301)]),
        (&["again", "20"], 16, &[("first-touch", 320)]),
        (&["zero", "301"], 301, &[("first-touch", 301), ("copy-on-write", 301)]),
        (&["fork", "301"], 301, &[("first-touch", 301), ("copy-on-write", 301)]),
        (&["threads", "301"], 301, &[("first-touch", 4 * 301)]),
        (&["vfork", "301"], 301, &[("first-touch", 301)]),
        (&["exec", "301"], 301, &[("first-touch", 2 * 301)]),
        (&["loop", "50"], 256, &[("first-touch", 50)]),
    ];
    for (act, pages, counts) in acts {
        for (name, way) in ways(&scratch) {
            let Some(lines) = lines(&name, way, &program, act) else { continue };
            assert_eq!(causes(&lines, pages * 4096, |_| true), expect(counts), "{name} {act:?}");
        }
    }
}

#[test]
fn threads_that_race_for_addresses_have_first_touches() {
    let scratch = Scratch::new();
    let Some(program) = fixture("memory_acts", &scratch) else { return };
    for (name, way) in ways(&scratch).into_iter().filter(|(name, _)| name == "tracepoints") {
        let Some(lines) = lines(&name, way, &program, &["race", "5000"]) else { continue };
        let mut causes = Causes::new();
        for line in
            lines.iter().filter(|line| line["kind"] == "fault" && line["mapping"] == "[anonymous]")
        {
            *causes.entry(line["cause"].as_str().expect("a cause").to_owned()).or_default() += 1;
        }
        // Eight threads touch 2.5 pages a round. The C library reads a few pages before it writes
        // them.
        let copies = causes.get("copy-on-write").copied().unwrap_or(0);
        assert!(causes["first-touch"] >= 8 * 12_500 - 10 && copies <= 10, "{causes:?}");
    }
}

#[test]
fn after_a_fork_the_child_copies() {
    let scratch = Scratch::new();
    let Some(program) = fixture("memory_acts", &scratch) else { return };
    for (name, way) in ways(&scratch) {
        let Some(lines) = lines(&name, way, &program, &["fork", "301"]) else { continue };
        let pid = lines.last().map(|summary| summary["pid"].clone()).expect("a summary");
        let bytes = 301 * 4096;
        assert_eq!(
            causes(&lines, bytes, |line| line["pid"] == pid),
            expect(&[("first-touch", 301)]),
            "{name}"
        );
        assert_eq!(
            causes(&lines, bytes, |line| line["pid"] != pid),
            expect(&[("copy-on-write", 301)]),
            "{name}"
        );
    }
}

#[test]
fn a_mapped_file_is_a_file_and_a_refused_access_has_no_cause() {
    let scratch = Scratch::new();
    let Some(program) = fixture("memory_acts", &scratch) else { return };
    let file = scratch.file("data");
    std::fs::write(&file, vec![7u8; 64 * 4096]).expect("a file");
    let name_of = file.to_str().expect("a name");
    for (name, way) in ways(&scratch) {
        let Some(lines) = lines(&name, way, &program, &["file", "64", name_of]) else { continue };
        let faults: Vec<&Value> = lines
            .iter()
            .filter(|line| line["mapping"] == name_of && line["kind"] == "fault")
            .collect();
        assert!(
            !faults.is_empty() && faults.iter().all(|fault| fault["cause"] == "file"),
            "{name}: {faults:?}"
        );
    }
    for (name, way) in ways(&scratch) {
        let Some(lines) = lines(&name, way, &program, &["segv"]) else { continue };
        let summary = lines.last().expect("a summary");
        assert_eq!(summary["signal"], 11, "{name}");
        let last = lines.iter().rfind(|line| line["kind"] == "fault").expect("a fault");
        assert_eq!(
            (&last["cause"], &last["mapping"]),
            (&"unknown".into(), &"[anonymous]".into()),
            "{name}"
        );
    }
}

#[test]
fn the_kernels_pages_are_mapped_and_not_copied() {
    let scratch = Scratch::new();
    let Some(program) = fixture("memory_acts", &scratch) else { return };
    for (name, way) in ways(&scratch) {
        // The dynamic linker reads the vdso, which is mapped there.
        let Some(lines) = lines(&name, way, &program, &["fork", "3"]) else { continue };
        let is_kernels =
            |line: &&Value| line["mapping"].as_str().is_some_and(|name| name.starts_with("[v"));
        let faults: Vec<&Value> =
            lines.iter().filter(|line| line["kind"] == "fault").filter(is_kernels).collect();
        assert!(
            !faults.is_empty() && faults.iter().all(|fault| fault["cause"] == "file"),
            "{name}: {faults:?}"
        );
    }
}
