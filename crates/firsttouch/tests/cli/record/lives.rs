//! Ways to begin, to go on and to end, of processes and threads.

use super::{Recorded, check, plain_fixture};
use crate::program::{Scratch, fixture_with, is_root, skip};

fn lives(ways: &[&str]) {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_lives", &scratch) else { return };
    for way in ways {
        check(&program, &[way], &scratch);
    }
}

#[test]
fn a_program_loses_no_call_however_it_ends() {
    lives(&["exit", "quick", "abort", "kill", "exec", "badexec"]);
}

#[test]
fn children_are_recorded_whatever_the_parent_does_meanwhile() {
    lives(&["fork", "forks", "forkbusy", "vfork"]);
}

#[test]
fn children_that_the_c_library_does_not_know_are_recorded() {
    lives(&["cloned", "clonevm"]);
}

#[test]
fn threads_are_recorded_however_short_or_many_they_are() {
    lives(&["outlive", "brief", "crowd"]);
}

#[test]
fn a_daemon_that_closes_every_descriptor_is_recorded() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_lives", &scratch) else { return };
    let made = scratch.file("made");
    check(&program, &["daemon", made.to_str().expect("a name of UTF-8")], &scratch);
    assert!(made.exists(), "the recording lasts until its end");
}

#[test]
fn what_cannot_load_the_library_is_named_and_its_faults_are_recorded() {
    let scratch = Scratch::new();
    let program = scratch.file("recorded_static");
    let Some(program) = fixture_with("recorded_lives", &["-static"], program) else { return };
    let command = [program.as_os_str(), "fork".as_ref()];
    if let Some(recorded) = Recorded::of(&command, super::Manner::default(), &scratch) {
        let notes = recorded.notes();
        assert!(notes.contains("no process has loaded the library"), "{notes}");
        assert_eq!(recorded.total("calls"), 0);
        assert!(recorded.total("minor_faults") > 10, "{}", recorded.report["totals"]);
    }
    // The shell is recorded, and the other one is missed.
    let script = format!("cat /dev/null; {} exit", program.display());
    let command = ["sh", "-c", &script].map(AsRef::as_ref);
    if let Some(recorded) = Recorded::of(&command, super::Manner::default(), &scratch) {
        let notes = recorded.notes();
        assert!(notes.contains("1 of 3 programs has not loaded the library"), "{notes}");
        assert!(notes.contains("(recorded_static)"), "{notes}");
    }
}

#[test]
fn a_program_that_gains_privileges_is_named() {
    if !is_root() {
        skip("a program of another user takes root");
        return;
    }
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_lives", &scratch) else { return };
    let name = program.to_str().expect("a name of UTF-8");
    for change in [&["chown", "65534"][..], &["chmod", "4755"]] {
        let status = std::process::Command::new(change[0]).arg(change[1]).arg(&program).status();
        assert!(status.is_ok_and(|status| status.success()), "{change:?}");
    }
    let command = ["setpriv", "--reuid=1234", "--clear-groups", name, "fork"].map(AsRef::as_ref);
    if let Some(recorded) = Recorded::of(&command, super::Manner::default(), &scratch) {
        let notes = recorded.notes();
        assert!(notes.contains("1 of 2 programs has not loaded the library"), "{notes}");
        assert_eq!(recorded.counts("at_first"), (0, 0));
        assert!(recorded.total("minor_faults") > 10, "{}", recorded.report["totals"]);
    }
}
