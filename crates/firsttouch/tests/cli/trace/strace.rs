//! The lines of `trace`, by both ways and beside those of strace.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{PROGRAM, Scratch, fixture, skip, text};

/// A line without its thread, its times and its mapping, which differ from run to run.
fn essence(line: &str) -> Option<String> {
    let call = line.split_once("] ")?.1.split_once(' ')?.1;
    call.contains(") = ").then(|| call.split(" <").next().unwrap_or(call).to_owned())
}

/// The calls of `command` with the same addresses each time, as `trace` prints them.
fn calls(way: &str, command: &[&str], scratch: &Scratch) -> Option<Vec<String>> {
    let file = scratch.file(&format!("{way}.trace"));
    let status = Command::new("setarch")
        .args(["-R", PROGRAM, "trace", "-q", "--faults", "off", "--syscalls", way, "-o"])
        .arg(&file)
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output();
    match status {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            skip(&text(&output.stderr));
            return None;
        }
        Err(error) => {
            skip(&format!("setarch: {error}"));
            return None;
        }
    }
    Some(std::fs::read_to_string(file).expect("the trace").lines().filter_map(essence).collect())
}

/// The lines of strace, without the blanks in front of `=`.
fn strace(command: &[&str], scratch: &Scratch) -> Option<Vec<String>> {
    let file = scratch.file("strace");
    let output = Command::new("setarch")
        .args([
            "-R",
            "strace",
            "-qq",
            "-s",
            "4096",
            "-e",
            "verbose=none",
            "-e",
            "trace=memory",
            "-o",
        ])
        .arg(&file)
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output();
    if !output.is_ok_and(|output| output.status.success()) {
        skip("strace is missing, or may not trace");
        return None;
    }
    let text = std::fs::read_to_string(file).expect("strace's output");
    let line = |line: &str| {
        let (call, outcome) = line.rsplit_once(" = ")?;
        Some(format!("{} = {outcome}", call.trim_end()))
    };
    Some(text.lines().filter_map(line).collect())
}

#[test]
fn both_ways_and_strace_show_the_same_lines() {
    let scratch = Scratch::new();
    let acts = fixture("memory_acts", &scratch);
    let acts = acts.as_deref().and_then(Path::to_str);
    let loops: Vec<&str> = acts.into_iter().flat_map(|acts| [acts, "loop", "20"]).collect();
    for command in [&["ls", "/"][..], &["sort", "/etc/passwd"], &loops] {
        if command.is_empty() {
            continue;
        }
        let Some(stops) = calls("ptrace", command, &scratch) else { continue };
        assert!(stops.len() > 5, "{stops:?}");
        if let Some(strace) = strace(command, &scratch) {
            // strace -e trace=memory leaves out memfd_create and memfd_secret.
            let common: Vec<&String> =
                stops.iter().filter(|line| !line.starts_with("memfd_")).collect();
            assert_eq!(common, strace.iter().collect::<Vec<_>>(), "{command:?}");
        }
        if let Some(tracepoints) = calls("tracepoints", command, &scratch) {
            assert_eq!(tracepoints, stops, "{command:?}");
        }
    }
}
