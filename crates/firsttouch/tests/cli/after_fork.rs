//! Writes after fork(2), held against the frames of the pages, which the program reads of itself:
//! a page that was copied is in another one.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::causes::{Causes, causes, expect, ways};
use crate::program::{Scratch, fixture, skip, text};

/// No other mapping has so many pages.
const PAGES: u64 = 301;

/// What the program says: who wrote, and how many pages stayed in their frames, and did not.
type Said = (String, u64, u64);

/// The lines of a trace, and what the program says.
fn traced(
    name: &str,
    mut way: Command,
    program: &Path,
    act: &str,
) -> Option<(Vec<Value>, Vec<Said>)> {
    way.args(["--faults", "all", "--json", "-", "--"]).arg(program);
    let output = way.args([act, &PAGES.to_string()]).output().ok()?;
    let errors = text(&output.stderr);
    if errors.contains("no page faults") || output.status.code() == Some(125) {
        skip(&format!("{name}: {errors}"));
        return None;
    }
    assert!(output.status.success(), "{name} {act}: {errors}");
    let lines = text(&output.stdout);
    let lines = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let said = errors.lines().filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [who @ ("parent" | "child"), same, other] = words[..] else { return None };
        Some((who.to_owned(), same.parse().ok()?, other.parse().ok()?))
    });
    Some((lines, said.collect()))
}

#[test]
fn only_pages_that_others_have_are_copied() {
    let scratch = Scratch::new();
    let Some(program) = fixture("forked_writes", &scratch) else { return };
    let touched = ("first-touch", PAGES);
    let (copied, reused) = (("copy-on-write", PAGES), ("reuse", PAGES));
    for (act, of_parent, of_child) in [
        ("end", vec![touched, reused], vec![]),
        ("exec", vec![touched, reused], vec![]),
        ("wait", vec![touched, copied], vec![reused]),
    ] {
        for (name, way) in ways(&scratch) {
            let Some((lines, said)) = traced(&name, way, &program, act) else { continue };
            let parent = lines.last().expect("a summary")["pid"].clone();
            // Another program may have other memory at these addresses.
            let is_over = |line: &Value| line["event"] == "executed" && line["pid"] != parent;
            let until = lines.iter().position(is_over).unwrap_or(lines.len());
            let of = |is_parent: bool| {
                let lines = if is_parent { &lines } else { &lines[..until] };
                causes(lines, PAGES * 4096, |line| (line["pid"] == parent) == is_parent)
            };
            assert_eq!(of(true), expect(&of_parent), "{name} {act}");
            assert_eq!(of(false), expect(&of_child), "{name} {act}");
            // An ordinary user may not see frames.
            for (who, same, other) in said {
                let found: Causes = of(who == "parent");
                let count = |cause: &str| found.get(cause).copied().unwrap_or(0);
                let counted = (count("reuse"), count("copy-on-write"));
                assert_eq!(counted, (same, other), "{name} {act}: {who}");
            }
        }
    }
}
