//! Programs that forbid themselves something, or that are forbidden something.

use super::{Manner, Recorded, check, plain_fixture};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::process::Command;

use crate::program::{PROGRAM, Scratch, as_nobody, is_root, nobody_may, on_own_disk, skip, text};

#[test]
fn a_program_may_forbid_itself_all_other_system_calls() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_limits", &scratch) else { return };
    check(&program, &["seccomp"], &scratch);
    check(&program, &["first"], &scratch);
}

#[test]
fn a_program_may_have_little_address_space_or_lock_all_of_it() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_limits", &scratch) else { return };
    let name = program.to_str().expect("a name of UTF-8");
    for bytes in ["60000000", "200000000"] {
        let limit = format!("--as={bytes}");
        let command = ["prlimit", &limit, name, "space"].map(AsRef::as_ref);
        if let Some(recorded) = Recorded::of(&command, Manner::default(), &scratch) {
            recorded.has_all_calls();
        }
    }
    if is_root() {
        check(&program, &["locked"], &scratch);
    } else {
        skip("locking more than the limit takes root");
    }
}

#[test]
fn a_program_may_become_a_user_who_cannot_look_into_the_home_directory() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_limits", &scratch) else { return };
    if !nobody_may(&["-x", &program.display().to_string()]) {
        return;
    }
    let home = scratch.file("home");
    DirBuilder::new().mode(0o700).create(&home).expect("a scratch directory");
    let as_nobody = as_nobody(&program);
    let words = [as_nobody.get_program()].into_iter().chain(as_nobody.get_args());
    let command: Vec<_> = words.chain(["first".as_ref()]).collect();
    let manner = Manner { home: Some(&home), ..Manner::default() };
    if let Some(recorded) = Recorded::of(&command, manner, &scratch) {
        recorded.has_all_calls();
    }
}

#[test]
fn the_cache_may_be_where_no_code_is_loaded_from() {
    let script = "XDG_CACHE_HOME=$PWD $P record -o r.ft -- true; echo $?\n\
                  $P report r.ft --json - | grep '\"processes\"'";
    let Some(output) = on_own_disk("noexec", script) else { return };
    assert_eq!(text(&output.stdout).lines().next(), Some("0"), "{output:?}");
    assert!(!text(&output.stderr).contains("ld.so"), "{output:?}");
    assert!(text(&output.stdout).contains("\"processes\": 1"), "{output:?}");
}

#[test]
fn few_open_files_are_enough_or_named() {
    let scratch = Scratch::new();
    let file = scratch.file("file");
    let mut ran = 0;
    for (verb, files) in ["trace", "record"].iter().flat_map(|verb| (4..40).map(move |n| (verb, n)))
    {
        let output = Command::new("prlimit")
            .args([&format!("--nofile={files}"), PROGRAM, verb, "-q", "-o"])
            .arg(&file)
            .args(["--", "sh", "-c", "exit 3"])
            .output();
        let Ok(output) = output else {
            skip("no prlimit");
            return;
        };
        let said = text(&output.stderr);
        match output.status.code() {
            Some(3) => ran += 1,
            Some(125) => assert!(said.contains("files"), "{verb} with {files}: {said}"),
            other => panic!("{verb} with {files}: {other:?}: {said}"),
        }
    }
    assert!(ran > 10, "{ran} of 72");
}

#[test]
fn a_program_may_be_left_without_descriptors_or_in_another_root() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_limits", &scratch) else { return };
    check(&program, &["files"], &scratch);
    if is_root() {
        let root = scratch.0.to_str().expect("a name of UTF-8");
        check(&program, &["chroot", root], &scratch);
    } else {
        skip("another root takes root");
    }
}

#[test]
fn a_program_may_number_processes_on_its_own() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_lives", &scratch) else { return };
    if !is_root() {
        skip("a PID namespace takes root");
        return;
    }
    let name = program.to_str().expect("a name of UTF-8");
    for way in ["exit", "brief", "forks"] {
        let command = ["unshare", "-fp", name, way].map(AsRef::as_ref);
        if let Some(recorded) = Recorded::of(&command, Manner::default(), &scratch) {
            recorded.has_all_calls();
        }
    }
}
