//! Interrupted runs: by the user, by a kill of a child, by the death of the parent.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use results::Stopped;

use crate::program::{firsttouch, text, wait_for};

const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;

fn start(arguments: &[&str]) -> Child {
    firsttouch(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn signal(pid: u32, number: i32) {
    let _ = Command::new("kill").arg(format!("-{number}")).arg(pid.to_string()).status();
}

/// The present children of `pid`.
fn children(pid: u32) -> Vec<u32> {
    let list =
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Waits for the `n`-th different child.
fn nth_child(pid: u32, n: usize) -> u32 {
    let mut seen = std::collections::BTreeSet::new();
    wait_for("the child", || {
        let child = children(pid).first().copied()?;
        (seen.insert(child) && seen.len() >= n).then_some(child)
    })
}

fn exists(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

fn output(mut child: Child) -> (std::process::ExitStatus, Vec<u8>, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_end(&mut err).unwrap();
    (child.wait().unwrap(), out, text(&err))
}

#[test]
fn an_interrupt_prints_the_blocks_so_far_and_dies_by_the_signal() {
    let program = start(&["bench", "--size", "4MiB", "--blocks", "5000", "--json", "-"]);
    let pid = program.id();
    // Six observed runs and some blocks of six; the last child seen must be gone afterwards.
    let last = nth_child(pid, 40);
    signal(pid, SIGINT);
    let (status, out, error) = output(program);
    assert_eq!(status.signal(), Some(SIGINT), "{error}");
    let result = results::read(&out[..]).expect("a whole result");
    assert_eq!(result.stopped, Some(Stopped::Interrupted));
    assert!(!result.arms[0].samples.is_empty() && result.arms[0].samples.len() < 5000);
    assert!(
        result.arms.windows(2).all(|pair| pair[0].samples.len() == pair[1].samples.len()),
        "whole blocks only"
    );
    assert!(!exists(last), "the child {last} is still there");
}

#[test]
fn an_interrupt_keeps_the_floors_so_far() {
    let program = start(&["bench", "floors", "--size", "4MiB", "--max-time", "50s", "--json", "-"]);
    let pid = program.id();
    // Observed runs, and two blocks of every source and five groups of floors, with a warm-up
    // before each.
    let last = nth_child(pid, 150);
    signal(pid, SIGINT);
    let (status, out, error) = output(program);
    assert_eq!(status.signal(), Some(SIGINT), "{error}");
    let result = results::read(&out[..]).expect("a whole result");
    assert_eq!(result.stopped, Some(Stopped::Interrupted));
    let floors = result.floors.unwrap();
    assert!(
        !floors.estimates.is_empty() && floors.samples.len() <= result.blocks.len(),
        "whole blocks only"
    );
    assert!(!exists(last), "the child {last} is still there");
}

#[test]
fn an_interrupt_before_the_first_sample_leaves_no_file() {
    let scratch = crate::program::Scratch::new();
    let file = scratch.file("none.json");
    let program = start(&["bench", "--size", "512MiB", "--json", file.to_str().unwrap()]);
    let pid = program.id();
    wait_for("a child", || children(pid).first().copied());
    signal(pid, SIGINT);
    let (status, out, error) = output(program);
    assert_eq!(status.signal(), Some(SIGINT), "{error}");
    assert!(out.is_empty() && error.contains("before anything was measured"), "{error}");
    assert!(!file.exists());
}

#[test]
fn a_killed_child_is_named_and_other_samples_are_kept() {
    let program = start(&["bench", "--size", "16MiB", "--blocks", "12", "--json", "-"]);
    let pid = program.id();
    let killed = nth_child(pid, 30);
    signal(killed, SIGKILL);
    let (status, out, error) = output(program);
    if status.success() {
        return crate::program::skip("the child had just ended by itself");
    }
    assert_eq!(status.code(), Some(1), "{error}");
    let result = results::read(&out[..]).expect("a whole result");
    let refused = result.refused.iter().find(|refused| refused.failed).expect("the arm is named");
    assert!(refused.reason.contains("SIGKILL"), "{}", refused.reason);
    assert!(!result.arms.is_empty(), "other arms are kept");
}

#[test]
fn a_child_ends_with_its_parent() {
    let program = start(&["bench", "--size", "1GiB", "--blocks", "50"]);
    let pid = program.id();
    let child = wait_for("a child", || children(pid).first().copied());
    signal(pid, SIGKILL);
    wait_for("the end", || (!exists(child)).then_some(()));
    let (status, ..) = output(program);
    assert_eq!(status.signal(), Some(SIGKILL));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut program = start(&["bench", "--size", "64KiB", "--blocks", "2"]);
    drop(program.stdout.take());
    let mut error = String::new();
    program.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(program.wait().unwrap().success() && error.is_empty(), "{error}");
}
