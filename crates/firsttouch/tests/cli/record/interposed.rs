//! Other libraries in the place of system calls of the C library, before they have started.

use super::{Manner, Recorded, check, check_in};
use crate::program::{Scratch, cxx_fixture, fixture_with};

/// The loader allocates for a program of C++ before the library's constructor has run.
#[test]
fn a_library_in_the_place_of_system_calls_may_not_have_started() {
    let scratch = Scratch::new();
    let Some(program) = cxx_fixture("recorded_cxx", &scratch) else { return };
    for (name, flag) in [("all.so", "-DALL"), ("maps.so", "-DONLY_MAPS")] {
        let flags = ["-shared", "-fPIC", flag];
        let Some(library) = fixture_with("interposes", &flags, scratch.file(name)) else { return };
        let manner = Manner { preload: Some(&library), ..Manner::default() };
        check_in(&program, &[], manner, &scratch);
    }
}

#[test]
fn a_program_with_a_thread_sanitizer_is_recorded() {
    let scratch = Scratch::new();
    let flags = ["-fno-builtin", "-fsanitize=thread"];
    let program = fixture_with("recorded_lives", &flags, scratch.file("sanitized"));
    let Some(program) = program else { return };
    for way in ["exit", "brief"] {
        check(&program, &[way], &scratch);
    }
}

/// The sanitizer of addresses refuses to start behind a library that is preloaded, unless told.
#[test]
fn a_program_with_an_address_sanitizer_is_unharmed() {
    let scratch = Scratch::new();
    let flags = ["-fno-builtin", "-fsanitize=address"];
    let program = fixture_with("recorded_lives", &flags, scratch.file("sanitized"));
    let Some(program) = program else { return };
    let option = "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0";
    let command = ["env".as_ref(), option.as_ref(), program.as_os_str(), "exit".as_ref()];
    Recorded::of(&command, Manner::default(), &scratch);
}
