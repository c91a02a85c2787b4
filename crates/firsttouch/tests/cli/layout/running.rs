//! `layout` of a process that runs, and of a program whose end comes early or late.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use results::layout::{Moment, RegionKind};

use super::{of, regions};
use crate::program::{Scratch, firsttouch, fixture, run, state, text, wait_for};

#[test]
fn a_running_process_goes_on() {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = child.id().to_string();
    let found = wait_for("sleep", || {
        let output = run(&["layout", "-p", &pid, "--json", "-"]);
        // It may not have become sleep yet.
        let layout = results::read_layout(&output.stdout[..]).ok()?;
        layout.program.path.ends_with("sleep").then_some(layout)
    });
    assert!(child.try_wait().unwrap().is_none(), "it still runs");
    let _ = (child.kill(), child.wait());
    assert_eq!((found.runs[0].at, found.runs[0].pid.to_string()), (Moment::Running, pid));
    assert!(!regions(&found.runs[0], RegionKind::Text).is_empty());
}

#[test]
fn a_process_outlives_its_first_thread() {
    let scratch = Scratch::new();
    let Some(program) = fixture("hard_lives", &scratch) else { return };
    let mut child =
        Command::new(program).args(["await", "gone"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    wait_for("the end of the first thread", || (state(&pid) == Some('Z')).then_some(()));
    let output = run(&["layout", "-p", &pid, "--json", "-"]);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(6));
    let layout = results::read_layout(&output.stdout[..]).unwrap_or_else(|error| {
        panic!("{error}: {}", text(&output.stderr));
    });
    assert!(layout.program.path.ends_with("hard_lives"), "{}", layout.program.path);
    assert!(!regions(&layout.runs[0], RegionKind::Text).is_empty());
}

/// The program that firsttouch runs and the witness of its signals, as folders of /proc.
fn children(pid: u32) -> Vec<PathBuf> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let children: Vec<_> =
        list.split_whitespace().map(|pid| Path::new("/proc").join(pid)).collect();
    assert_eq!(children.len(), 2, "{list}");
    children
}

/// Starts a program that waits for ever, sends the signal `number`, and checks that both end.
fn interrupted(wish: &str, number: i32) {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let mut command = firsttouch(&["layout", "--", program.to_str().unwrap(), wish]);
    let mut own = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = own.stdout.take().unwrap();
    let mut begin = [0; 8];
    stdout.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"waiting\n");
    let children = children(own.id());
    let _ = Command::new("kill").arg(format!("-{number}")).arg(own.id().to_string()).status();
    let mut screen = String::new();
    stdout.read_to_string(&mut screen).unwrap();
    assert_eq!(own.wait().unwrap().signal(), Some(number), "{screen}");
    assert!(screen.contains("when it was interrupted") && screen.contains("heap"), "{screen}");
    let left = children.iter().find(|child| child.exists());
    assert_eq!(left, None, "the program, or the witness, is still there");
}

#[test]
fn an_interrupt_shows_a_picture_and_ends_the_program() {
    interrupted("wait", 2);
    interrupted("stubborn", 15);
}

#[test]
fn the_program_dies_with_its_tracer() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let mut command = firsttouch(&["layout", "--", program.to_str().unwrap(), "wait"]);
    let mut own = command.stdout(Stdio::piped()).spawn().unwrap();
    own.stdout.take().unwrap().read_exact(&mut [0; 8]).unwrap();
    let children = children(own.id());
    let _ = (own.kill(), own.wait());
    // Who reaps them may take a while; what has ended has no exe.
    let ended = || children.iter().all(|child| !child.join("exe").exists()).then_some(());
    wait_for("the end", ended);
}

#[test]
fn a_daemon_is_not_waited_for() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let layout = of(&[], &program, &["daemon", "100"]);
    assert_eq!(layout.runs[0].at, Moment::Exit);
}
