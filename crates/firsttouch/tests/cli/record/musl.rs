//! Programs for musl, whose dynamic linker starts none with a library that misses a function.

use super::{Manner, Recorded, check};
use crate::program::{Scratch, musl_fixture};

#[test]
fn programs_for_musl_are_recorded_however_they_live_and_end() {
    let scratch = Scratch::new();
    let program = musl_fixture("recorded_lives", &[], scratch.file("musl_lives"));
    let Some(program) = program else { return };
    for way in ["exit", "quick", "kill", "exec", "badexec", "forks", "forkbusy", "vfork"] {
        check(&program, &[way], &scratch);
    }
    for way in ["cloned", "clonevm", "outlive", "brief", "crowd"] {
        check(&program, &[way], &scratch);
    }
}

#[test]
fn the_whole_interface_of_musl_behaves_as_without_a_recorder() {
    let scratch = Scratch::new();
    // It has no pvalloc.
    let program = musl_fixture("recorded_api", &["-Dpvalloc=valloc"], scratch.file("musl_api"));
    let Some(program) = program else { return };
    let command = [program.as_os_str()];
    if let Some(recorded) = Recorded::of(&command, Manner::default(), &scratch) {
        recorded.lost_nothing();
        assert_eq!(recorded.counts("plain"), recorded.expected()["plain"]);
        // Of strdup the stack ends in musl, which has no rules for unwinding; and it gives memory
        // for a size of zero.
        assert_eq!(recorded.counts("again"), (9, 6));
    }
}

#[test]
fn a_program_for_musl_may_be_started_by_one_for_glibc() {
    let scratch = Scratch::new();
    let program = musl_fixture("recorded_lives", &[], scratch.file("musl_lives"));
    let Some(program) = program else { return };
    let script = format!("{} fork; echo status $?", program.display());
    let command = ["sh", "-c", &script].map(AsRef::as_ref);
    if let Some(recorded) = Recorded::of(&command, Manner::default(), &scratch) {
        assert!(crate::program::text(&recorded.under.stdout).contains("status 3"));
        recorded.has_all_calls();
    }
}
