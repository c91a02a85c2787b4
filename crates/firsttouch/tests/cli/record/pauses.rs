//! Recordings that begin paused and pause again: what is recorded is what happened between a start
//! and a pause, and the file says when that was.

use std::ops::Range;

use super::going::{CALLS, Going, users};
use super::plain_fixture;
use crate::program::{Scratch, firsttouch, text, wait_for};

/// Waits until the file says that its pauses are such.
fn wait_until(going: &Going, what: &str, is: impl Fn(&[Range<u64>]) -> bool) {
    wait_for(what, || {
        let file = std::fs::File::open(&going.file).expect("it is there");
        let reader = recording::Reader::open(file).ok()?;
        is(&reader.pauses()).then_some(())
    });
}

/// The recording goes on after `pauses` pauses.
fn wait_for_start(going: &Going, pauses: usize) {
    wait_until(going, "the start", |all| {
        all.len() == pauses && all.last().is_some_and(|last| last.end < u64::MAX)
    });
}

/// The recording is in the pause of this number.
fn wait_for_pause(going: &Going, number: usize) {
    wait_until(going, "the pause", |all| {
        all.len() == number && all.last().is_some_and(|last| last.end == u64::MAX)
    });
}

#[test]
fn a_program_starts_and_pauses_its_recording() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_going", &scratch) else { return };
    for (command, way) in users(&scratch) {
        let options = ["--start-paused", "--syscalls", way];
        let Some(mut going) = Going::start(command, &program, &options, &scratch) else { continue };
        going.says("nothing is recorded until firsttouch");
        going.tell("first");
        going.tell("start");
        wait_for_start(&going, 1);
        for what in ["second", "keep", "pause"] {
            going.tell(what);
        }
        wait_for_pause(&going, 2);
        // The frees of the pause are missed, and the addresses are given out again.
        for what in ["third", "give", "start"] {
            going.tell(what);
        }
        wait_for_start(&going, 2);
        going.tell("keep");
        going.tell("give");
        let file = going.file.clone();
        assert_eq!(going.end().code(), Some(7), "{way}");
        let report = super::going::report(&file);
        let counts = |function| super::counts_below(&report, function);
        assert_eq!((counts("first"), counts("third")), ((0, 0), (0, 0)), "{way}");
        assert_eq!(counts("second"), (CALLS, CALLS), "{way}");
        assert_eq!(counts("keep"), (2 * CALLS, CALLS), "{way}: the second ones");
        let total = |key: &str| report["totals"][key].as_u64().expect("a number");
        assert_eq!(total("lost_releases") + total("across_pauses"), CALLS, "{way}");
        assert_eq!((total("unknown_releases"), total("pauses"), total("lost")), (0, 2, 0), "{way}");
        let (paused_ns, elapsed_ns) = (total("paused_ns"), report["elapsed_ns"].as_u64());
        assert!(paused_ns > 0 && Some(paused_ns) < elapsed_ns, "{way}: {elapsed_ns:?}");
        let keep =
            report["sites"].as_array().expect("sites").iter().find(|site| {
                site["stack"].to_string().contains("keep ") && site["unreleased"] != 0
            });
        assert_eq!(keep, None, "{way}: no leak that is none");
        let screen = firsttouch(&["report"]).arg(&file).output().expect("it starts");
        let screen = text(&screen.stdout);
        assert!(screen.contains("The recording was paused for"), "{way}: {screen}");
        let events = firsttouch(&["report", "--events"]).arg(&file).output().expect("it starts");
        for (what, times) in [("pauses", 2), ("goes on", 2)] {
            let line = format!("+++ the recording {what} +++");
            assert_eq!(text(&events.stdout).matches(&line).count(), times, "{way}: {what}");
        }
        let counted = |what: &str| text(&events.stdout).matches(what).count();
        assert_eq!(counted("call munmap("), 20, "{way}: of second alone");
        let unmapped = counted("munmap(") - counted("call munmap(");
        let expected = if way == "off" { 0..=0 } else { 20..=39 };
        assert!(expected.contains(&unmapped), "{way}: {unmapped} of second alone");
    }
}

#[test]
fn a_program_that_starts_in_a_pause_is_quiet_until_the_pause_ends() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_going", &scratch) else { return };
    let options = ["--start-paused"];
    let Some(mut going) = Going::start(firsttouch(&[]), &program, &options, &scratch) else {
        return;
    };
    for what in ["first", "run", "second"] {
        going.tell(what);
    }
    going.signal("-USR1");
    wait_for_start(&going, 1);
    going.tell("third");
    going.signal("-TERM");
    going.says("the recording is complete");
    let counts = ["first", "second", "third"].map(|function| going.counts(function));
    assert_eq!(counts, [(0, 0), (0, 0), (CALLS, CALLS)]);
    // After the end of the recording nothing starts it again.
    going.signal("-USR1");
    going.tell("first");
    assert_eq!(going.counts("first"), (0, 0));
    assert_eq!(going.end().code(), Some(7));
}

#[test]
fn a_recording_that_never_starts_is_whole_and_says_so() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_going", &scratch) else { return };
    let options = ["--start-paused"];
    let Some(mut going) = Going::start(firsttouch(&[]), &program, &options, &scratch) else {
        return;
    };
    going.tell("first");
    let (file, notes) = (going.file.clone(), going.notes.clone());
    assert_eq!(going.end().code(), Some(7));
    let report = super::going::report(&file);
    assert_eq!((&report["totals"]["calls"], &report["totals"]["pauses"]), (&0.into(), &1.into()));
    let notes = std::fs::read_to_string(notes).expect("a file");
    assert!(notes.contains("the recording was never started"), "{notes}");
}
