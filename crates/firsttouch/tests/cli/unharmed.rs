//! Tracing does not harm the program: programs that a tracer easily breaks, and the end of a trace.

mod ends;
mod inherited;
mod own_tracing;
mod signals;

use std::fs::File;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::program::{PROGRAM, Scratch, firsttouch, fixture, is_root, run, state, text, wait_for};

/// The ways in which this user sees syscalls.
fn ways() -> &'static [&'static str] {
    if is_root() { &["tracepoints", "ptrace"] } else { &["ptrace"] }
}

fn signal(name: &str, target: &str) {
    assert!(
        Command::new("kill").args(["-s", name, "--", target]).status().expect("kill").success(),
        "{name} {target}"
    );
}

fn ended(child: &mut Child) -> std::process::ExitStatus {
    wait_for("the end", || child.try_wait().expect("a child"))
}

#[test]
fn an_unread_output_does_not_block_the_program() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    for way in ways() {
        let marker = scratch.file(way);
        // Events refer to the names of these files: a table of names that is locked while lines
        // are written would stop the program.
        let script = format!("{} names 5000 && echo done > {}", acts.display(), marker.display());
        let mut trace = firsttouch(&[
            "trace",
            "-q",
            "--syscalls",
            way,
            "--json",
            "-",
            "--",
            "sh",
            "-c",
            &script,
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
        wait_for("the end of the program", || {
            std::fs::read(&marker).ok().filter(|text| text == b"done\n")
        });
        let mut lines = String::new();
        trace.stdout.take().expect("piped").read_to_string(&mut lines).expect("lines");
        assert_eq!(lines.matches(r#""name":"memfd_create""#).count(), 5000, "{way}");
        assert!(lines.contains(r#""lost":0,"#), "{way}");
        // Tracepoints report an address, and the program has ended before its text is read.
        assert!(lines.contains(r#""file 4999""#) || *way == "tracepoints");
        assert!(ended(&mut trace).success());
    }
}

#[test]
fn a_thread_in_vfork_blocks_neither_trace_nor_layout() {
    let scratch = Scratch::new();
    let Some(lives) = fixture("hard_lives", &scratch) else { return };
    for wish in [&["trace", "-q"][..], &["trace", "-q", "--syscalls", "ptrace"]] {
        let mut program = Command::new(&lives)
            .arg("vfork")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut dots = program.stdout.take().expect("piped");
        let mut several = || dots.read_exact(&mut [0; 20]).expect("it goes on");
        several();
        let pid = program.id().to_string();
        let mut trace = firsttouch(wish)
            .args(["-p", &pid, "-o", scratch.file("trace").to_str().unwrap()])
            .spawn()
            .expect("it starts");
        let tracer = trace.id().to_string();
        wait_for("the drain", || {
            let threads = std::fs::read_dir(format!("/proc/{tracer}/task")).ok()?;
            threads.flatten().find(|thread| {
                std::fs::read_to_string(thread.path().join("comm"))
                    .is_ok_and(|name| name.starts_with("firsttouch-drai"))
            })
        });
        several();
        signal("INT", &tracer);
        assert_eq!(ended(&mut trace).signal(), Some(2));
        several();
        assert_ne!(state(&pid), Some('t'), "{wish:?}");
        program.kill().expect("it runs");
        program.wait().expect("it ends");
    }
    let mut layout = firsttouch(&[
        "layout",
        "--at",
        "200ms",
        "--json",
        scratch.file("json").to_str().unwrap(),
        "--",
    ])
    .args([lives.to_str().unwrap(), "vfork"])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .expect("it starts");
    let mut dots = layout.stdout.take().expect("piped");
    dots.read_exact(&mut [0; 100]).expect("it goes on after the picture");
    signal("TERM", &layout.id().to_string());
    drop(layout.stdin.take());
    ended(&mut layout);
    let taken = std::fs::read_to_string(scratch.file("json")).expect("a picture");
    assert!(taken.contains("\"at\": \"time\"") || taken.contains("\"at\":\"time\""), "{taken}");
}

#[test]
fn a_process_can_be_attached_to_while_it_execs() {
    let scratch = Scratch::new();
    let Some(lives) = fixture("hard_lives", &scratch) else { return };
    let mut program = Command::new(&lives).args(["exec", "400"]).spawn().expect("it starts");
    let pid = program.id().to_string();
    let file = scratch.file("trace");
    let mut attached = 0;
    while program.try_wait().expect("a child").is_none() {
        let way = ways()[attached % ways().len()];
        let mut trace = firsttouch(&[
            "trace",
            "-q",
            "--syscalls",
            way,
            "-p",
            &pid,
            "-o",
            file.to_str().unwrap(),
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let _ = Command::new("kill")
            .args(["-INT", &trace.id().to_string()])
            .stderr(Stdio::null())
            .status();
        ended(&mut trace);
        attached += 1;
    }
    assert!(program.wait().expect("ended").success(), "after {attached} traces");
    for at in ["1ms", "5ms", "20ms", "60ms"] {
        let output = run(&[
            "layout",
            "--at",
            at,
            "--json",
            file.to_str().unwrap(),
            "--",
            lives.to_str().unwrap(),
            "exec",
            "50",
        ]);
        assert!(output.status.success(), "{at}: {}", text(&output.stderr));
    }
}

/// A process that leads a group; all that is left of the group is killed in the end.
struct Leader(Child);

impl Drop for Leader {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).output();
        let _ = self.0.wait();
    }
}

/// Whether the child that this process has started last is stopped, by a tracer or a signal.
fn program_is_stopped(pid: &str) -> bool {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    children
        .split_whitespace()
        .last()
        .is_none_or(|program| state(program).is_none_or(|state| state.eq_ignore_ascii_case(&'t')))
}

#[test]
fn a_stopped_program_can_be_continued() {
    let scratch = Scratch::new();
    let Some(lives) = fixture("hard_lives", &scratch) else { return };
    let (file, said) = (scratch.file("trace"), scratch.file("said"));
    // The first stop comes right after the start; those that follow are close to each other. Where
    // the program does not wait for its tracer, the signal that continues both has to reach both
    // before the next stop, or it takes back that one.
    for (way, times) in ways().iter().flat_map(|way| [(way, 60)].into_iter().chain([(way, 1); 20]))
    {
        let mut trace = Leader(
            firsttouch(&["trace", "-q", "--syscalls", way, "-o", file.to_str().unwrap()])
                .args([lives.to_str().unwrap(), "stop", &times.to_string()])
                .args((*way == "tracepoints").then_some("5"))
                .stdout(File::create(&said).expect("a scratch directory"))
                .process_group(0)
                .spawn()
                .expect("it starts"),
        );
        let pid = trace.0.id().to_string();
        for time in 1..=times {
            wait_for(&format!("stop {time} by {way}"), || {
                (state(&pid) == Some('T') && program_is_stopped(&pid)).then_some(())
            });
            signal("CONT", &format!("-{pid}"));
            let line = format!("went on {time}\n");
            wait_for(&format!("{way}, {line}"), || {
                std::fs::read_to_string(&said).ok().filter(|said| said.ends_with(&line))
            });
        }
        assert!(ended(&mut trace.0).success(), "{way}");
    }
}

#[test]
fn a_start_can_be_stopped_and_continued() {
    let scratch = Scratch::new();
    let file = scratch.file("file");
    for (verb, way) in
        ["trace", "record"].into_iter().flat_map(|verb| ways().iter().map(move |way| (verb, way)))
    {
        for after_ms in (0..40).step_by(4) {
            let mut observer = Leader(
                firsttouch(&[verb, "-q", "--syscalls", way, "-o", file.to_str().unwrap()])
                    .args(["--", "sleep", "0.2"])
                    .process_group(0)
                    .spawn()
                    .expect("it starts"),
            );
            let pid = observer.0.id().to_string();
            std::thread::sleep(Duration::from_millis(after_ms));
            let group = format!("-{pid}");
            signal("TSTP", &group);
            wait_for(&format!("the stop of {verb} by {way} after {after_ms} ms"), || {
                assert!(state(&pid) != Some('Z'), "{verb} by {way} lost it after {after_ms} ms");
                (state(&pid) == Some('T')).then_some(())
            });
            signal("CONT", &group);
            assert!(ended(&mut observer.0).success(), "{verb}, {way}, {after_ms} ms");
        }
    }
}

#[test]
fn a_failing_standard_error_ends_no_program() {
    for redirection in ["2>/dev/full", "2>&-", "2> >(exec true)"] {
        for way in ways() {
            let script = format!(
                "{PROGRAM} trace --syscalls {way} -- sh -c 'sleep 0.2; exit 3' {redirection}"
            );
            let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
            // A full disk is our failure, a reader that has gone is not.
            let expected = if redirection.ends_with("full") { 125 } else { 3 };
            assert_eq!(output.status.code(), Some(expected), "{redirection} {way}");
        }
    }
    for verb in [
        "bench nonsense",
        "doctor --nonsense",
        "layout -- /nonexistent",
        "claims nonsense",
        "report /nonexistent",
    ] {
        let script = format!("{PROGRAM} {verb} 2>/dev/full");
        let status =
            Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).status().expect("sh");
        assert!(status.code().is_some_and(|code| code > 0 && code < 128), "{verb}: {status}");
    }
}

#[test]
fn a_process_without_its_first_thread_can_be_traced() {
    let scratch = Scratch::new();
    let Some(lives) = fixture("hard_lives", &scratch) else { return };
    let mut program = Command::new(&lives).arg("leaderless").spawn().expect("it starts");
    let pid = program.id().to_string();
    wait_for("the end of its first thread", || (state(&pid) == Some('Z')).then_some(()));
    for way in ways() {
        let file = scratch.file(way);
        let arguments =
            ["trace", "-q", "--syscalls", way, "-p", &pid, "-o", file.to_str().unwrap()];
        let mut trace = firsttouch(&arguments).spawn().expect("it starts");
        let touches = "x16 anonymous, first touch";
        wait_for("its touches", || {
            let said = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(trace.try_wait().expect("a child").is_none(), "{way}: {said}");
            (said.matches(touches).count() > 2).then_some(())
        });
        signal("INT", &trace.id().to_string());
        assert_eq!(ended(&mut trace).signal(), Some(2), "{way}");
    }
    program.kill().expect("it runs");
    program.wait().expect("it ends");
}
