//! A recording that ends before the program: the file is whole at that moment, and the program goes
//! on, unharmed.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::going::{CALLS, Going, users};
use super::plain_fixture;
use crate::program::{
    Scratch, firsttouch, fixture_with, is_root, send, signalled_firsttouch, skip, text, wait_for,
};

#[test]
fn at_the_end_of_its_time_the_file_is_whole_and_the_program_goes_on() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_going", &scratch) else { return };
    for (command, way) in users(&scratch) {
        let options = ["--for", "200ms", "--syscalls", way];
        let Some(mut going) = Going::start(command, &program, &options, &scratch) else { continue };
        going.says("the time is up: the recording is complete");
        going.says("the program goes on");
        let before = going.report();
        assert!(before["totals"]["calls"].as_u64() > Some(0), "{way}: {before}");
        assert_eq!(before["ended_early"], "stopped", "{way}");
        // It waits most of the time, which is part of its life.
        let lived_ns = before["totals"]["threads_ns"].as_u64();
        let most_ns = before["elapsed_ns"].as_u64().map(|ns| ns / 2);
        assert!(lived_ns > most_ns, "{way}: {lived_ns:?} {most_ns:?}");
        for what in ["second", "run", "third"] {
            going.tell(what);
        }
        assert_eq!(going.report(), before, "{way}: nothing is written any more");
        assert_eq!(going.end().code(), Some(7), "{way}: the status is passed on");
    }
}

#[test]
fn a_request_to_end_ends_the_recording_and_not_the_program() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_going", &scratch) else { return };
    for (command, way) in users(&scratch) {
        for signal in ["-INT", "-TERM"] {
            let mut again = Command::new(command.get_program());
            again.args(command.get_args());
            let options = ["--syscalls", way];
            let Some(mut going) = Going::start(again, &program, &options, &scratch) else {
                continue;
            };
            going.tell("first");
            going.signal(signal);
            going.says("a signal has asked for the end: the recording is complete");
            going.says("the program goes on");
            assert_eq!(going.counts("first"), (CALLS, CALLS), "{way} {signal}");
            going.tell("second");
            assert_eq!(going.counts("second"), (0, 0), "{way} {signal}");
            assert_eq!(going.end().code(), Some(7), "{way} {signal}");
        }
    }
}

#[test]
fn a_second_request_ends_firsttouch_alone() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_going", &scratch) else { return };
    let ways = if is_root() { &["auto", "off"][..] } else { &["off"] };
    for way in ways {
        let options = ["--syscalls", way];
        let Some(mut going) = Going::start(firsttouch(&[]), &program, &options, &scratch) else {
            continue;
        };
        going.tell("keep");
        going.signal("-TERM");
        going.says("the program goes on");
        going.signal("-INT");
        assert_eq!(going.firsttouch_ends().signal(), Some(2), "{way}");
        // It goes on without firsttouch: it allocates, maps memory, and starts a program.
        for what in ["give", "second", "run", "third"] {
            going.tell(what);
        }
        assert_eq!(going.counts("keep"), (CALLS, 0), "{way}");
        assert_eq!(going.report()["ended_early"], "stopped", "{way}");
    }
}

#[test]
fn a_program_that_needs_its_tracer_is_not_left() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_going", &scratch) else { return };
    let options = ["--syscalls", "ptrace"];
    let Some(mut going) = Going::start(firsttouch(&[]), &program, &options, &scratch) else {
        return;
    };
    going.tell("first");
    going.signal("-INT");
    going.says("firsttouch stays until its end");
    let screen = firsttouch(&["report"]).arg(&going.file).output().expect("it starts");
    let screen = text(&screen.stdout);
    assert!(screen.contains(": recorded for its first ") && screen.contains("went on"), "{screen}");
    assert!(screen.contains("stopped at each memory syscall (ptrace)"), "{screen}");
    going.signal("-INT");
    going.says("firsttouch cannot leave after SIGINT");
    for what in ["second", "run", "third"] {
        going.tell(what);
    }
    assert_eq!(going.counts("first"), (CALLS, CALLS));
    assert_eq!(going.end().code(), Some(7));
}

#[test]
fn a_request_ends_the_recording_of_a_running_process_with_success() {
    let scratch = Scratch::new();
    let file = scratch.file("running.ft");
    let mut program = Command::new("sleep").arg("1000").spawn().expect("it starts");
    let record = firsttouch(&["record", "-p", &program.id().to_string(), "-o"])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn();
    let mut record = record.expect("it starts");
    let begun = || std::fs::metadata(&file).is_ok_and(|file| file.len() > 100).then_some(Ok(()));
    let begun =
        wait_for("the recording", || record.try_wait().expect("a child").map(Err).or_else(begun));
    if begun.is_ok() {
        send("-INT", &record);
    }
    let output = record.wait_with_output().expect("a child");
    let notes = text(&output.stderr);
    if begun.is_err() && output.status.code() == Some(125) {
        skip(&notes);
    } else {
        assert_eq!(output.status.code(), Some(0), "{notes}");
        assert!(notes.contains("the recording is complete"), "{notes}");
        let report = firsttouch(&["report"]).arg(&file).output().expect("it starts");
        assert_eq!(text(&report.stderr), "", "the file is whole");
        let head = format!("sleep 1000 (process {}): recorded for", program.id());
        assert!(text(&report.stdout).starts_with(&head), "{}", text(&report.stdout));
        assert!(text(&report.stdout).contains("allocation calls not recorded; "), "{head}");
        assert_eq!(program.try_wait().expect("a child"), None, "the process goes on");
    }
    program.kill().expect("it runs");
    program.wait().expect("it ends");
}

#[test]
fn other_signals_are_the_programs() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_going", &scratch) else { return };
    for way in ["auto", "ptrace", "off"] {
        let options = ["--syscalls", way];
        let command = signalled_firsttouch(&[]);
        let Some(mut going) = Going::start(command, &program, &options, &scratch) else {
            continue;
        };
        going.tell("first");
        let file = going.file.clone();
        going.signal("-HUP");
        assert_eq!(going.firsttouch_ends().signal(), Some(1), "{way}: as the program");
        let report = super::going::report(&file);
        assert_eq!(super::counts_below(&report, "first"), (CALLS, CALLS), "{way}");
    }
}

#[test]
fn that_a_program_gave_its_recorder_up_is_said() {
    let scratch = Scratch::new();
    let flags = ["-O1", "-pthread"];
    let program = fixture_with("allocation_churn", &flags, scratch.file("churn"));
    let Some(program) = program else { return };
    let file = scratch.file("recording.ft");
    let mut command = firsttouch(&["record", "--syscalls", "off", "-o"]);
    command.arg(&file).arg("--").arg(&program).args(["2", "1", "60000000"]);
    command.env("XDG_CACHE_HOME", scratch.file("cache"));
    let recorder = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_for("calls in the file", || {
        std::fs::metadata(&file).ok().filter(|metadata| metadata.len() > 100_000)
    });
    send("-STOP", &recorder);
    // It waits for three seconds.
    std::thread::sleep(std::time::Duration::from_millis(4500));
    send("-CONT", &recorder);
    let output = recorder.wait_with_output().expect("it ends");
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("processes that stopped recording"), "{said}");
    let report = firsttouch(&["report"]).arg(&file).args(["--json", "-"]).output();
    let report: serde_json::Value =
        serde_json::from_slice(&report.expect("it starts").stdout).expect("JSON");
    assert_eq!(report["recorder"]["gave_up"], 1, "{said}");
}
