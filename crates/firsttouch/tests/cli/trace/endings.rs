//! How processes end, in the JSON.

use serde_json::{Value, json};

use super::{lines, of_kind};
use crate::program::{Scratch, fixture};

/// The endings of processes in the order of their times: whether it is that of the first process,
/// the event, and the status or signal.
fn endings(lines: &[Value]) -> Vec<(bool, String, Value)> {
    let first = &lines.last().expect("a summary")["pid"];
    let mut endings = Vec::new();
    for line in of_kind(lines, "process") {
        let event = line["event"].as_str().expect("text");
        let how = match event {
            "exited" => line["status"].clone(),
            "killed" => line["signal"].clone(),
            "ended" => Value::Null,
            _ => continue,
        };
        endings.push((&line["pid"] == first, event.to_owned(), how));
    }
    endings
}

#[test]
fn the_ending_of_the_program_is_an_event() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    let acts = acts.to_str().unwrap();
    for way in ["tracepoints", "ptrace", "off"] {
        for (act, event, how) in [
            (&["exit", "7"][..], "exited", json!(7)),
            (&["kill", "9"], "killed", json!(9)),
            (&["segv"], "killed", json!(11)),
            (&["threads", "20"], "exited", json!(0)),
        ] {
            let Some(lines) = lines(way, &[&[acts], act].concat()) else { continue };
            let expect = vec![(true, event.to_owned(), how)];
            assert_eq!(endings(&lines), expect, "{way} {act:?}");
            assert_eq!(lines.last().unwrap()["late"], 0, "{way} {act:?}");
        }
    }
}

#[test]
fn a_thread_that_executes_a_program_is_one_thread() {
    let scratch = Scratch::new();
    let Some(program) = fixture("hard_lives", &scratch) else { return };
    for way in ["tracepoints", "ptrace", "off"] {
        let Some(lines) = lines(way, &[program.to_str().unwrap(), "exec", "3"]) else { continue };
        let summary = lines.last().expect("a summary");
        let counted = (&summary["processes"], &summary["threads"], &summary["executions"]);
        // The first thread, and four that each of three programs starts before one of them calls
        // execve(2).
        assert_eq!(counted, (&json!(1), &json!(13), &json!(4)), "{way}");
    }
}

#[test]
fn the_endings_of_children_are_known_by_ptrace() {
    let script = "(exit 3); (kill -9 $BASHPID); exit 5";
    for way in ["tracepoints", "ptrace"] {
        let Some(lines) = lines(way, &["bash", "-c", script]) else { continue };
        let mut endings = endings(&lines);
        let (first, event, status) = endings.pop().expect("endings");
        assert_eq!((first, event.as_str(), status), (true, "exited", json!(5)), "{way}");
        let child = |event: &str, how: Value| (false, event.to_owned(), how);
        let expect = if way == "ptrace" {
            [child("exited", json!(3)), child("killed", json!(9))]
        } else {
            [child("ended", Value::Null), child("ended", Value::Null)]
        };
        assert_eq!(endings, expect, "{way}");
    }
}
