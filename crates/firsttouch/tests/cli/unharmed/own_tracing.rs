//! Programs that use seccomp(2) and ptrace(2) themselves behave as without firsttouch, where the
//! kernel allows it, and their refused calls are shown.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::ways;
use crate::program::{AS_NOBODY, PROGRAM, Scratch, fixture, nobody_may, text};

/// `act` of the fixture, traced by `way`; as another user if `prefix` says so.
fn traced(prefix: &[&str], way: &str, program: &Path, act: &str, json: &Path) -> Output {
    let mut words = prefix.to_vec();
    words.extend([PROGRAM, "trace", "--syscalls", way, "-o", "/dev/null", "--json"]);
    words.extend([json.to_str().unwrap(), "--", program.to_str().unwrap()]);
    words.extend(act.split_whitespace());
    Command::new(words[0]).args(&words[1..]).output().expect("it starts")
}

/// The ways in which the tests trace: those of this user, and by ptrace as an ordinary user.
fn users(scratch: &Scratch) -> Vec<(Vec<&'static str>, &'static str)> {
    let mut users: Vec<_> = ways().iter().map(|&way| (Vec::new(), way)).collect();
    if nobody_may(&["-x", PROGRAM, "-a", "-w", scratch.0.to_str().unwrap()]) {
        users.push((AS_NOBODY.to_vec(), "ptrace"));
    }
    users
}

#[test]
fn seccomp_works_as_without_a_tracer() {
    let scratch = Scratch::new();
    let Some(program) = fixture("under_a_tracer", &scratch) else { return };
    let acts =
        ["strict", "strict ask", "kill", "thread", "both", "mode", "leave", "refuse", "refuse-all"];
    for act in acts {
        let bare = Command::new(&program).args(act.split_whitespace()).output().expect("it runs");
        for (number, (prefix, way)) in users(&scratch).into_iter().enumerate() {
            let json = scratch.file(&format!("{}-{number}", act.replace(' ', "-")));
            let output = traced(&prefix, way, &program, act, &json);
            let said = text(&output.stderr);
            assert_eq!(text(&output.stdout), text(&bare.stdout), "{act} {way}: {said}");
            assert_eq!(output.status, bare.status, "{act} {way}: {said}");
        }
    }
}

#[test]
fn calls_that_a_filter_refuses_are_shown() {
    let scratch = Scratch::new();
    let Some(program) = fixture("under_a_tracer", &scratch) else { return };
    for (number, (prefix, way)) in users(&scratch).into_iter().enumerate() {
        for (act, refused) in [("refuse", 2), ("refuse-all", 1)] {
            let json = scratch.file(&format!("{act}-{number}"));
            let output = traced(&prefix, way, &program, act, &json);
            assert!(output.status.success(), "{act} {way}: {}", text(&output.stderr));
            let lines = std::fs::read_to_string(&json).expect("lines");
            let calls: Vec<Value> = lines
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .filter(|line: &Value| line["kind"] == "syscall")
                .collect();
            let of = |name: &'static str| calls.iter().filter(move |call| call["name"] == name);
            let unmapped: Vec<_> = of("munmap").filter(|call| call["error"] == "EPERM").collect();
            // The C library unmaps too, for its threads.
            assert!(unmapped.len() >= refused, "{act} {way}: {unmapped:?}");
            let known = unmapped.iter().filter(|call| call["args"][1] == 16 * 4096).count();
            if way == "ptrace" {
                assert_eq!(known, refused, "{unmapped:?}");
                assert!(unmapped[0]["mapping"] == "[anonymous]", "{unmapped:?}");
            } else {
                assert!(unmapped.iter().all(|call| call["args"].is_null()), "{unmapped:?}");
            }
            if act == "refuse" {
                let trapped: Vec<_> = of("madvise").collect();
                assert!(matches!(trapped[..], [call] if call["result"].is_null()), "{trapped:?}");
                assert!(of("mlock").any(|call| call["result"] == 0), "a logged call is made");
            }
        }
    }
}

#[test]
fn a_program_can_neither_stop_its_tracer_nor_have_another_unnoticed() {
    let scratch = Scratch::new();
    let Some(program) = fixture("under_a_tracer", &scratch) else { return };
    for (number, (prefix, way)) in users(&scratch).into_iter().enumerate() {
        let (refusal, said) = match way {
            "ptrace" => ("Operation not permitted", 1),
            _ => ("works", 0),
        };
        for (act, expect) in [
            ("child", format!("traceme {refusal}\n")),
            ("seize", format!("seize {refusal}\nwent on\n")),
        ] {
            let json = scratch.file(&format!("{act}-{number}"));
            let output = traced(&prefix, way, &program, act, &json);
            let notes = text(&output.stderr);
            assert!(output.status.success(), "{act} {way}: {notes}");
            let expect =
                if act == "seize" && said == 0 { "no tracer\n".to_owned() } else { expect };
            assert_eq!(text(&output.stdout), expect, "{way}: {notes}");
            assert_eq!(notes.matches("ptrace(2) was refused").count(), said, "{act}: {notes}");
        }
    }
}
