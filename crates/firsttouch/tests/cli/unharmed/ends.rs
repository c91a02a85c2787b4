//! The end of a trace, asked for by a signal.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{ended, signal, ways};
use crate::program::{Scratch, firsttouch, state, text, wait_for};

#[test]
fn a_trace_can_end_before_the_descendants() {
    let scratch = Scratch::new();
    for way in ways() {
        let told = scratch.file("pid");
        let script = format!("sleep 600 2>/dev/null & echo $! > {}; exit 5", told.display());
        let mut trace = firsttouch(&[
            "trace",
            "--syscalls",
            way,
            "-o",
            scratch.file("trace").to_str().unwrap(),
        ])
        .args(["sh", "-c", &script])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
        let left = wait_for("its child", || {
            let pid = std::fs::read_to_string(&told).ok()?;
            let is_sleep =
                std::fs::read_to_string(format!("/proc/{}/comm", pid.trim())).ok()?.trim()
                    == "sleep";
            is_sleep.then(|| pid.trim().to_owned())
        });
        wait_for("the end of the shell", || {
            let trace = std::fs::read_to_string(scratch.file("trace")).ok()?;
            (way == &"tracepoints" || trace.contains("+++")).then_some(())
        });
        std::thread::sleep(Duration::from_millis(200));
        // firsttouch takes SIGINT again; the background processes of a shell ignore it.
        signal("INT", &trace.id().to_string());
        if *way == "ptrace" {
            std::thread::sleep(Duration::from_millis(300));
            signal("INT", &trace.id().to_string());
        }
        assert_eq!(ended(&mut trace).code(), Some(5), "{way}: the program's ending");
        let mut said = String::new();
        trace.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        if *way == "tracepoints" {
            assert_eq!(state(&left), Some('S'), "it goes on");
            signal("KILL", &left);
        } else {
            assert!(
                said.contains("SIGINT was sent to them") && said.contains("were killed"),
                "{said}"
            );
            wait_for("the end of what is left", || {
                state(&left).is_none_or(|state| state == 'Z').then_some(())
            });
        }
        std::fs::remove_file(told).expect("it was written");
    }
}

#[test]
fn a_signal_ends_a_trace_without_a_reader() {
    for way in ways() {
        let mut trace =
            firsttouch(&["trace", "-q", "--syscalls", way, "--json", "-", "--", "sleep", "600"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts");
        let program = wait_for("the program", || {
            let children = Command::new("pgrep")
                .args(["-P", &trace.id().to_string(), "-x", "sleep"])
                .output()
                .expect("pgrep");
            text(&children.stdout).lines().next().map(str::to_owned)
        });
        drop(trace.stdout.take());
        std::thread::sleep(Duration::from_millis(300));
        signal("TERM", &trace.id().to_string());
        assert_eq!(ended(&mut trace).signal(), Some(15), "{way}");
        assert!(state(&program).is_none(), "{way}");
    }
}

#[test]
fn a_signal_of_a_process_is_passed_on() {
    for way in ways() {
        let mut trace = firsttouch(&[
            "trace",
            "-q",
            "--syscalls",
            way,
            "-o",
            "/dev/null",
            "--",
            "sleep",
            "600",
        ])
        .spawn()
        .unwrap();
        let tracer = trace.id().to_string();
        wait_for("sleep", || {
            let children =
                Command::new("pgrep").args(["-P", &tracer, "-x", "sleep"]).output().expect("pgrep");
            (!children.stdout.is_empty()).then_some(())
        });
        std::thread::sleep(Duration::from_millis(200));
        signal("INT", &tracer);
        assert_eq!(ended(&mut trace).signal(), Some(2), "{way}");
    }
}
