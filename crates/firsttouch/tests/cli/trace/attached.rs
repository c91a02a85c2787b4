//! `trace -p` of processes with several threads, some of which have ended.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::of_kind;
use crate::program::{Scratch, firsttouch, fixture, skip, state, text, wait_for};

/// The lines of `trace -p` for `hard_lives await WHAT`, which goes on once it is attached to; the
/// last is the summary. `None`, and the test says SKIPPED, where this user may not see it so.
fn lines(way: &str, program: &Path, what: &str, scratch: &Scratch) -> Option<Vec<Value>> {
    let mut child =
        Command::new(program).args(["await", what]).stdin(Stdio::piped()).spawn().expect("it runs");
    let pid = child.id().to_string();
    wait_for("the last thread", || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.count();
        let asleep = if what == "gone" { 'Z' } else { 'S' };
        let expect = if what == "idle" { 4 } else { 5 };
        (threads == expect && state(&pid) == Some(asleep)).then_some(())
    });
    let file = scratch.file("lines");
    let _ = std::fs::remove_file(&file);
    let arguments = ["trace", "-q", "--syscalls", way, "-p", &pid, "-o", "/dev/null", "--json"];
    let mut command = firsttouch(&arguments);
    let mut trace = command.arg(&file).stderr(Stdio::piped()).spawn().expect("firsttouch starts");
    let so_far = || std::fs::read_to_string(&file).unwrap_or_default();
    let is_there = wait_for("the first line", || {
        let has_ended = trace.try_wait().expect("a child of ours").is_some();
        (has_ended || so_far().contains(r#""met""#)).then_some(!has_ended)
    });
    drop(child.stdin.take());
    child.wait().expect("it ends");
    let output = trace.wait_with_output().expect("it ends");
    if !is_there {
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(125) && said.contains("refused"), "{what}: {said}");
        skip(&said);
        return None;
    }
    Some(so_far().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

/// The lines in each way to see syscalls.
fn in_each_way(what: &str, check: impl Fn(&str, &[Value])) {
    let scratch = Scratch::new();
    let Some(program) = fixture("hard_lives", &scratch) else { return };
    for way in ["tracepoints", "ptrace", "off"] {
        if let Some(lines) = lines(way, &program, what, &scratch) {
            check(way, &lines);
        }
    }
}

/// The processes, threads and executed programs of the summary.
fn counts(lines: &[Value]) -> [u64; 3] {
    let summary = lines.last().expect("a summary");
    ["processes", "threads", "executions"].map(|key| summary[key].as_u64().expect("a number"))
}

/// The events of processes; `end` for that of a process, whose status only ptrace knows.
fn lives(lines: &[Value]) -> Vec<&str> {
    fn event(line: &Value) -> &str {
        match line["event"].as_str().expect("text") {
            "ended" | "exited" => "end",
            event => event,
        }
    }
    of_kind(lines, "process").map(event).collect()
}

/// How many lines of the first touch of anonymous memory follow the line of the first thread's end.
fn touches_after_the_first_thread(lines: &[Value]) -> usize {
    let is_end = |line: &&Value| line["event"] == "thread-ended" && line["tid"] == line["pid"];
    let begin = lines.iter().position(|line| is_end(&line)).unwrap_or(0);
    of_kind(&lines[begin..], "fault").filter(|fault| fault["cause"] == "first-touch").count()
}

#[test]
fn threads_that_only_sleep_are_counted() {
    in_each_way("idle", |way, lines| {
        assert_eq!(counts(lines), [1, 4, 0], "{way}");
        let summary = lines.last().expect("a summary");
        let (threads, whole) = (&summary["threads_ns"], &summary["observed_ns"]);
        let all = 4 * whole.as_u64().expect("a number");
        // They end one after another.
        assert!(threads.as_u64().is_some_and(|ns| ns <= all && ns > all / 2), "{way}: {summary}");
        assert_eq!((lives(lines)[0], lives(lines).pop()), ("met", Some("end")), "{way}");
    });
}

#[test]
fn a_process_goes_on_when_its_first_thread_ends() {
    in_each_way("leader", |way, lines| {
        assert_eq!(counts(lines), [1, 5, 0], "{way}");
        let lives = lives(lines);
        assert_eq!(lives[..2], ["met", "thread-ended"], "{way}");
        assert_eq!(lives.iter().position(|&life| life == "end"), Some(lives.len() - 1), "{way}");
        assert!(touches_after_the_first_thread(lines) >= 16, "{way}");
        let end = of_kind(lines, "process").last().expect("the end");
        assert!(way != "ptrace" || end["status"] == 6, "{end}");
    });
}

#[test]
fn a_first_thread_that_has_ended_is_no_thread() {
    in_each_way("gone", |way, lines| {
        assert_eq!(counts(lines), [1, 4, 0], "{way}");
        assert!(touches_after_the_first_thread(lines) >= 16, "{way}");
        assert_eq!(lives(lines).pop(), Some("end"), "{way}");
        assert!(of_kind(lines, "fault").all(|fault| fault["cause"] != "unknown"), "{way}");
    });
}

#[test]
fn a_thread_that_executes_a_program_ends_no_process() {
    in_each_way("exec", |way, lines| {
        assert_eq!(counts(lines), [1, 5, 1], "{way}");
        let lives = lives(lines);
        let at = |event| lives.iter().position(|&life| life == event);
        assert!(at("executed").is_some() && at("end") == Some(lives.len() - 1), "{way} {lives:?}");
    });
}
