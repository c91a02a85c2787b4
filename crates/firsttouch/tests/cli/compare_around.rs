//! `compare`: what is done around the runs, and what is said of arms and figures that mean little.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use results::compare::ProgramResult;

use crate::program::{
    Scratch, firsttouch, firsttouch_of_nobody, run, runs, send, text, unique_seconds, wait_for,
};

fn result(output: &Output) -> ProgramResult {
    let parsed = serde_json::from_slice(&output.stdout);
    parsed.unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr)))
}

fn notes<'a>(result: &'a ProgramResult, arm: &str) -> &'a [String] {
    let arm = result.arms.iter().find(|found| found.name == arm).expect("the arm");
    &arm.proof.as_ref().expect("a proof").notes
}

/// Starts `compare` with `arguments`; its result goes to a pipe.
fn begun(arguments: &[&str]) -> Child {
    let mut command = firsttouch(&[&["compare", "--json", "-"], arguments].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn what_is_prepared_is_cleaned_up_however_the_run_ends() {
    let scratch = Scratch::new();
    let (made, cleaned) = (scratch.file("made"), scratch.file("cleaned"));
    let prepare = |then: &str| format!("touch {}; {then}", made.display());
    let cleanup = format!("rm {} && echo >> {}", made.display(), cleaned.display());
    let compare = |prepare: &str, program: &[&str]| {
        let around = ["compare", "--blocks", "1", "--prepare", prepare, "--cleanup", &cleanup];
        run(&[&around[..], &["--arm", "a:", "--"], program].concat())
    };
    // The line fails.
    let output = compare(&prepare("exit 3"), &["true"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--prepare"), "{}", text(&output.stderr));
    assert!(!made.exists() && cleaned.exists());
    // The program fails.
    std::fs::remove_file(&cleaned).unwrap();
    assert_eq!(compare(&prepare("true"), &["false"]).status.code(), Some(1));
    assert!(!made.exists() && cleaned.exists());
    // The user interrupts the program.
    std::fs::remove_file(&cleaned).unwrap();
    let around = ["--prepare", &prepare("true"), "--cleanup", &cleanup];
    let mut child = begun(&[&around[..], &["--arm", "a:", "--", "sleep", "100"]].concat());
    wait_for("the line before the run", || made.exists().then_some(()));
    send("-INT", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    assert!(!made.exists() && cleaned.exists());
}

#[test]
fn what_a_line_before_the_run_starts_ends_with_it_and_is_not_the_programs() {
    let scratch = Scratch::new();
    let started = scratch.file("started");
    // It keeps the pipes of its shell open, and has a session of its own.
    let mark = unique_seconds(6);
    let prepare = format!("setsid sleep {mark} & sleep {mark} & echo >> {}", started.display());
    let around = ["compare", "--json", "-", "--blocks", "1", "--arm", "a:", "--arm", "b:"];
    let output = run(&[&around[..], &["--prepare", &prepare, "--", "true"]].concat());
    let found = result(&output);
    let warnings: Vec<&str> = found.warnings.iter().map(|one| one.id.as_str()).collect();
    assert!(!warnings.contains(&"left-behind"), "{:?}", found.warnings);
    assert!(started.exists() && !runs(&["sleep", "sh"], &mark));
    // Neither is it in the memory of a program that stays, nor in its work.
    let busy = format!("sh -c 'while :; do :; done' {mark} &");
    let settle = ["--settle", "50ms", "--timeout", "10s", "--metric", "settled-rss"];
    let program = ["--prepare", &busy, "--", "sleep", "1000"];
    let output = run(&[&around[..], &settle, &program].concat());
    let found = result(&output);
    assert!(found.arms.iter().all(|arm| !arm.samples.is_empty()), "{}", text(&output.stderr));
    assert!(!found.warnings.iter().any(|one| one.id == "left-behind"), "{:?}", found.warnings);
    assert!(!runs(&["sleep", "sh"], &mark));
    // The line fails, or takes too long.
    for (line, words) in [
        (format!("setsid sleep {mark} & exit 3"), "exited with status 3"),
        (format!("setsid sleep {mark} & sleep {mark}; true"), "did not end within 1s"),
    ] {
        let timeout = ["--timeout", "1s", "--prepare", &line, "--", "true"];
        let output = run(&[&around[..], &timeout].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
        assert!(!runs(&["sleep", "sh"], &mark), "{line}");
    }
}

#[test]
fn nothing_begins_after_an_interrupt() {
    let scratch = Scratch::new();
    let (log, cleaning) = (scratch.file("log"), scratch.file("cleaning"));
    let program = format!("echo program >> {}", log.display());
    let cleanup =
        format!("touch {}; sleep 1; echo cleaned >> {}", cleaning.display(), log.display());
    let words = ["--shell", "--cleanup", &cleanup, "--arm", "a:", "--arm", "b:", "--", &program];
    let mut child = begun(&words);
    wait_for("the line after the run", || cleaning.exists().then_some(()));
    send("-INT", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "program\ncleaned\n");
}

#[test]
fn ctrl_backslash_leaves_nothing_running() {
    let scratch = Scratch::new();
    let pids = scratch.file("pids");
    let line = format!("sleep 100 & echo $! > {}; wait", pids.display());
    let mut child = begun(&["--shell", "--arm", "a:", "--", &line]);
    let pid = wait_for("the program", || {
        std::fs::read_to_string(&pids).ok().filter(|pid| pid.ends_with('\n'))
    });
    send("-QUIT", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(3));
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "{pid}");
}

/// firsttouch is stopped for longer than any run takes.
#[test]
fn a_stop_is_in_no_figure() {
    const STOP: Duration = Duration::from_secs(5);
    let scratch = Scratch::new();
    let runs = scratch.file("runs");
    let line = format!("echo >> {}; sleep 0.2", runs.display());
    let child = begun(&["--shell", "--blocks", "2", "--arm", "a:", "--", &line]);
    // Each arm has been tried out, and a block has begun.
    let count = || std::fs::read_to_string(&runs).map_or(0, |text| text.lines().count());
    wait_for("the first block", || (count() > 5).then_some(()));
    send("-STOP", &child);
    std::thread::sleep(STOP);
    send("-CONT", &child);
    let result = result(&child.wait_with_output().unwrap());
    for sample in result.arms.iter().flat_map(|arm| &arm.samples) {
        assert!(u128::from(sample.wall_ns) < STOP.as_nanos(), "{sample:?}");
    }
}

#[test]
fn a_file_that_cannot_be_executed_is_explained() {
    let scratch = Scratch::new();
    let refused = |content: &str, expect: &str| {
        let script = scratch.file("script");
        std::fs::write(&script, content).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let output = run(&["compare", "--arm", "a:", "--", &script.display().to_string()]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expect), "{said}");
    };
    refused("echo no first line\n", "--shell");
    refused("#!/nonexistent/interpreter\n", "the interpreter of a script");
}

#[test]
fn nobody_may_not_be_nicer_to_itself() {
    let scratch = Scratch::new();
    let Some(mut command) = firsttouch_of_nobody(&scratch) else { return };
    let arguments = ["compare", "--nice", "-5", "--arm", "a:", "--", "true"];
    let output = command.args(arguments).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--nice -5: this user may not"), "{said}");
}

#[test]
fn an_arm_that_changes_nothing_is_told_so() {
    let compare = |arms: &[&str]| {
        let arguments = [&["compare", "--blocks", "1", "--json", "-"], arms, &["--", "sleep", "0"]];
        result(&run(&arguments.concat()))
    };
    let says_so = |result: &ProgramResult, arm: &str| {
        notes(result, arm).iter().any(|note| note.contains("one more placebo"))
    };
    let alike = compare(&["--allocator", "unchanged,system"]);
    assert!(says_so(&alike, "system"), "{alike:?}");
    let different = compare(&["--tunable", "arena_max=1", "--arm", "other: A=1"]);
    assert!(!says_so(&different, "arena_max=1") && !says_so(&different, "other"));
}

#[test]
fn a_peak_that_may_be_our_own_is_told() {
    let small =
        result(&run(&["compare", "--blocks", "1", "--json", "-", "--arm", "a:", "--", "true"]));
    let warned =
        |result: &ProgramResult| result.warnings.iter().any(|warning| warning.id == "small-rss");
    let below = |result: &ProgramResult| result.arms[0].samples[0].max_rss_bytes < (3 << 20) / 2;
    assert_eq!(warned(&small), below(&small), "{small:?}");
    let program = "BEGIN { s = \"x\"; for (i = 0; i < 23; i++) s = s s }";
    let large = ["compare", "--blocks", "1", "--json", "-", "--arm", "a:", "--", "awk", program];
    assert!(!warned(&result(&run(&large))));
}
