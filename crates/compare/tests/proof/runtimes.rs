//! Programs with memory that malloc does not see: the arm runs, and a note says what it reaches.

use crate::fixture::{arm, installed, mimalloc, proved, tuned, with};

/// The notes of `command` under another allocator, whose malloc is used all the same.
fn notes(command: &[&str]) -> Option<Vec<String>> {
    let allocator = mimalloc()?;
    let proof = proved(&with(allocator.clone(), command));
    assert_eq!(proof.malloc, Some(allocator.origin), "{command:?}");
    assert_eq!(proved(&arm(command)).notes, [""; 0], "the baseline changes nothing");
    Some(proof.notes)
}

fn only(notes: &[String], expect: &str) {
    assert!(notes.len() == 1 && notes[0].contains(expect), "{expect}: {notes:?}");
}

#[test]
fn cpython_has_pools_of_its_own() {
    let Some(python) = installed("python3") else { return };
    let python = python.to_str().unwrap();
    let Some(found) = notes(&[python, "-c", "1"]) else { return };
    only(&found, "PYTHONMALLOC=malloc");
    let off = ["/usr/bin/env", "PYTHONMALLOC=malloc", python, "-c", "1"];
    assert_eq!(notes(&off).unwrap(), [""; 0]);
    if let Some(arm) = tuned(&["arena_max=1"], &[python, "-c", "1"]) {
        only(&proved(&arm).notes, "PYTHONMALLOC=malloc");
    }
}

#[test]
fn the_javascript_heap_is_out_of_reach() {
    let Some(node) = installed("node") else { return };
    let Some(found) = notes(&[node.to_str().unwrap(), "-e", "1"]) else { return };
    only(&found, "V8");
}

#[test]
fn the_java_heap_is_out_of_reach() {
    let Some(java) = installed("java") else { return };
    let Some(found) = notes(&[java.to_str().unwrap(), "-version"]) else { return };
    only(&found, "the JVM takes the Java heap");
}

/// Go's own command is linked with the C library.
#[test]
fn the_heap_of_go_is_out_of_reach() {
    let Some(go) = installed("go") else { return };
    let go = go.canonicalize().unwrap();
    let Some(found) = notes(&[go.to_str().unwrap(), "version"]) else { return };
    only(&found, "Go's runtime");
}
