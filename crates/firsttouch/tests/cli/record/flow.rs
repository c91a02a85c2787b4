//! Stacks, signals, code that comes and goes, and the whole interface.

use super::{Manner, Recorded, check, check_in, plain_fixture};
use crate::program::{Scratch, cxx_fixture, fixture_with};

#[test]
fn calls_of_signal_handlers_are_recorded() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_signals", &scratch) else { return };
    check(&program, &["storm"], &scratch);
    check(&program, &["tiny"], &scratch);
}

#[test]
fn a_handler_may_interrupt_an_allocation_call_and_leave_it() {
    let scratch = Scratch::new();
    let flags = ["-shared", "-fPIC", "-fno-builtin"];
    let library = fixture_with("recorded_raising", &flags, scratch.file("raising.so"));
    let Some(library) = library else { return };
    let Some(program) = plain_fixture("recorded_signals", &scratch) else { return };
    for way in ["inside", "insidealt", "jump"] {
        let manner = Manner { preload: Some(&library), ..Manner::default() };
        check_in(&program, &[way], manner, &scratch);
    }
}

#[test]
fn deep_stacks_and_stacks_that_come_and_go_are_right() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_signals", &scratch) else { return };
    check(&program, &["coroutines"], &scratch);
    for depth in ["300", "2000", "100000"] {
        check(&program, &["deep", depth], &scratch);
    }
}

#[test]
fn the_whole_interface_behaves_as_without_a_recorder() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_api", &scratch) else { return };
    check(&program, &[], &scratch);
}

#[test]
fn libraries_at_the_same_address_are_told_apart() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_libraries", &scratch) else { return };
    let library = |name: &str, flags: &[&str]| {
        let name_flag = format!("-DNAME={name}_library");
        let flags = [&["-shared", "-fPIC", &name_flag], flags].concat();
        fixture_with("recorded_libraries", &flags, scratch.file(&format!("{name}.so")))
    };
    let (Some(first), Some(second)) = (library("first", &[]), library("second", &["-DSECOND"]))
    else {
        return;
    };
    let deep = [program.as_os_str(), "deep".as_ref(), first.as_os_str()];
    if let Some(recorded) = Recorded::of(&deep, Manner::default(), &scratch) {
        let notes = recorded.lost_nothing().notes();
        assert!(notes.contains("opened with RTLD_DEEPBIND: 1;"), "{notes}");
        assert_eq!(recorded.counts("here"), recorded.expected()["here"]);
    }
    let [first, second] = [&first, &second].map(|path| path.to_str().expect("a name of UTF-8"));
    check(&program, &[first, second], &scratch);
}

#[test]
fn libraries_that_the_c_library_unloads_are_told_apart() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_conversions", &scratch) else { return };
    let modules = "module FIRST// INTERNAL FIRST 1\nmodule SECOND// INTERNAL SECOND 1\n";
    std::fs::write(scratch.file("gconv-modules"), modules).expect("the folder is ours");
    for (name, function, room) in [("FIRST", "first", 300_000), ("SECOND", "second", 200)] {
        let (name_flag, room_flag) =
            (format!("-DNAME={function}_module"), format!("-DROOM={room}"));
        let flags = ["-shared", "-fPIC", &name_flag, &room_flag];
        let module = scratch.file(&format!("{name}.so"));
        if fixture_with("recorded_conversions", &flags, module).is_none() {
            return;
        }
    }
    let mut modules_path = std::ffi::OsString::from("GCONV_PATH=");
    modules_path.push(scratch.file(""));
    let command = ["env".as_ref(), modules_path.as_os_str(), program.as_os_str()];
    if let Some(recorded) = Recorded::of(&command, Manner::default(), &scratch) {
        recorded.has_all_calls();
    }
}

#[test]
fn destructors_and_exceptions_are_recorded() {
    let scratch = Scratch::new();
    let Some(program) = cxx_fixture("recorded_cxx", &scratch) else { return };
    check(&program, &[], &scratch);
}
