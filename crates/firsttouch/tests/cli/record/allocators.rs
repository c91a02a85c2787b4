//! Other allocators: below the recorder, linked to the program, inside the program.

use std::path::{Path, PathBuf};

use super::{Manner, Recorded, check, check_in, plain_fixture};
use crate::program::{Scratch, cxx_fixture, fixture_with, skip};

/// The library, where this machine has it; a skip where it does not.
pub(super) fn library(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];
    let found = folders.map(|folder| Path::new(folder).join(name)).into_iter();
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        skip(&format!("no {name}"));
    }
    found
}

fn below(name: &str) {
    let scratch = Scratch::new();
    let Some(library) = library(name) else { return };
    let manner = Manner { preload: Some(&library), ..Manner::default() };
    if let Some(program) = plain_fixture("recorded_lives", &scratch) {
        for way in ["exit", "forkbusy", "vfork", "brief", "crowd"] {
            check_in(&program, &[way], manner, &scratch);
        }
    }
    if let Some(program) = plain_fixture("recorded_signals", &scratch) {
        check_in(&program, &["storm"], manner, &scratch);
    }
    if let Some(program) = cxx_fixture("recorded_cxx", &scratch) {
        check_in(&program, &[], manner, &scratch);
    }
}

#[test]
fn jemalloc_may_be_below() {
    below("libjemalloc.so.2");
}

#[test]
fn mimalloc_may_be_below() {
    below("libmimalloc.so.2");
}

#[test]
fn tcmalloc_may_be_below() {
    below("libtcmalloc_minimal.so.4");
}

#[test]
fn a_program_may_be_linked_to_an_allocator() {
    let scratch = Scratch::new();
    let Some(library) = library("libjemalloc.so.2") else { return };
    let library = library.to_str().expect("a name of UTF-8");
    // The library is named before the program that needs it.
    let flags = ["-fno-builtin", "-Wl,--no-as-needed", library];
    let program = fixture_with("recorded_lives", &flags, scratch.file("linked"));
    if let Some(program) = program {
        check(&program, &["forks"], &scratch);
    }
}

#[test]
fn a_program_with_an_allocator_of_its_own_is_named() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_own", &scratch) else { return };
    let recorded = Recorded::of(&[program.as_os_str()], Manner::default(), &scratch);
    let Some(recorded) = recorded else { return };
    assert_eq!(recorded.alone.status.code(), Some(3));
    let notes = recorded.notes();
    assert!(notes.contains("programs with an allocator of their own: 1"), "{notes}");
}
