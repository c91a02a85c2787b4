//! Stacks through code that has no unwind rules, or whose rules are far from it.

use std::process::Command;

use serde_json::Value;

use super::{Manner, Recorded, check};
use crate::program::{Scratch, fixture_with, skip};

/// The parts of such a program are so far apart that the loader knows each by itself.
const HOLES: [&str; 4] =
    ["-no-pie", "-fno-builtin", "-Wl,-z,max-page-size=0x200000", "-Wl,-z,separate-code"];

#[test]
fn a_program_with_holes_between_its_parts_has_whole_stacks() {
    let scratch = Scratch::new();
    let Some(program) = fixture_with("recorded_made", &HOLES, scratch.file("holes")) else {
        return;
    };
    check(&program, &[], &scratch);
}

#[test]
fn frame_pointers_lead_through_code_that_is_made_at_run_time_and_nowhere_else() {
    let scratch = Scratch::new();
    if let Some(program) = super::plain_fixture("recorded_made", &scratch) {
        check(&program, &[], &scratch);
    }
}

/// The frames of a site, the innermost first.
fn frames(site: &Value) -> Vec<&str> {
    site["stack"].as_array().expect("a stack").iter().filter_map(Value::as_str).collect()
}

/// Whether a frame is of V8's builtins, or of code that it made.
fn is_javascript(frame: &str) -> bool {
    frame.starts_with("Builtins_") || frame.ends_with("(unknown)")
}

#[test]
fn stacks_of_node_lead_through_its_javascript_to_main() {
    if Command::new("node").arg("--version").output().is_err() {
        skip("no node");
        return;
    }
    let scratch = Scratch::new();
    let job = "const made = []; for (let i = 0; i < 300; i++) made.push(Buffer.alloc(i)); \
               console.log(made.length)";
    let command = ["node", "-e", job].map(AsRef::as_ref);
    let Some(recorded) = Recorded::of(&command, Manner::default(), &scratch) else { return };
    recorded.lost_nothing();
    let sites = recorded.report["sites"].as_array().expect("sites");
    let sites: Vec<_> = sites.iter().map(frames).collect();
    if !sites.iter().flatten().any(|frame| frame.starts_with("v8::")) {
        skip("the functions of node have no names");
        return;
    }
    // The deoptimizer leaves no frame pointers; and a stack may be deeper than is kept.
    let is_through = |frames: &&Vec<&str>| {
        frames.iter().any(|frame| is_javascript(frame))
            && !frames.iter().any(|frame| frame.starts_with("Builtins_Deoptimization"))
            && frames.len() < 300
    };
    let through: Vec<_> = sites.iter().filter(is_through).collect();
    assert!(through.len() > 10, "{}", through.len());
    for frames in through {
        let outside = frames.iter().rev().take_while(|frame| !is_javascript(frame));
        let is_native = |frame: &&str| frame.starts_with("node::") || frame.starts_with("main ");
        assert!(outside.copied().any(|frame| is_native(&frame)), "{frames:#?}");
    }
}
