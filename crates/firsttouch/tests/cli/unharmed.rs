//! What is watched lives as it would alone: lives that a tracer can spoil, and how to get out of
//! watching.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{PROGRAM, Scratch, firsttouch, fixture, is_root, run, text};

/// By which ways this user sees syscalls.
fn ways() -> &'static [&'static str] {
    if is_root() { &["tracepoints", "ptrace"] } else { &["ptrace"] }
}

fn signal(name: &str, target: &str) {
    assert!(
        Command::new("kill").args(["-s", name, "--", target]).status().expect("kill").success(),
        "{name} {target}"
    );
}

/// What `look` finds; it looks again until a minute is over.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The letter of `State:` (proc(5)); `None` of a process that is gone.
fn state(pid: &str) -> Option<char> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("State:"))?.trim().chars().next()
}

fn ended(child: &mut Child) -> std::process::ExitStatus {
    wait_for("the end", || child.try_wait().expect("a child"))
}

#[test]
fn an_output_that_is_not_read_does_not_hold_the_program_up() {
    let scratch = Scratch::new();
    let Some(acts) = fixture("memory_acts", &scratch) else { return };
    for way in ways() {
        let marker = scratch.file(way);
        // Each file has a name that events refer to: a table of texts that is locked while lines
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
        // Tracepoints have an address; the program that it is of has ended when the text would be
        // read.
        assert!(lines.contains(r#""file 4999""#) || *way == "tracepoints");
        assert!(ended(&mut trace).success());
    }
}

#[test]
fn a_thread_in_vfork_holds_nobody_up() {
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
fn a_process_that_turns_into_others_can_be_met_and_left() {
    let scratch = Scratch::new();
    let Some(lives) = fixture("hard_lives", &scratch) else { return };
    let mut program = Command::new(&lives).args(["exec", "400"]).spawn().expect("it starts");
    let pid = program.id().to_string();
    let file = scratch.file("trace");
    let mut met = 0;
    while program.try_wait().expect("a child").is_none() {
        let way = ways()[met % ways().len()];
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
        met += 1;
    }
    assert!(program.wait().expect("ended").success(), "after {met} meetings");
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

#[test]
fn a_stopped_editor_comes_back() {
    let scratch = Scratch::new();
    let Some(lives) = fixture("hard_lives", &scratch) else { return };
    for way in ways() {
        let mut trace = firsttouch(&[
            "trace",
            "-q",
            "--syscalls",
            way,
            "-o",
            scratch.file("trace").to_str().unwrap(),
        ])
        .args([lives.to_str().unwrap(), "stop", "5"])
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("it starts");
        let pid = trace.id().to_string();
        let mut said = trace.stdout.take().expect("piped");
        for time in 1..=5 {
            wait_for("the stop", || (state(&pid) == Some('T')).then_some(()));
            signal("CONT", &format!("-{pid}"));
            let mut line = [0; 10];
            said.read_exact(&mut line).unwrap_or_else(|e| panic!("{way}, time {time}: {e}"));
            assert_eq!(text(&line), format!("went on {time}\n"), "{way}");
        }
        assert!(ended(&mut trace).success(), "{way}");
    }
}

#[test]
fn signals_are_inherited_as_from_a_shell() {
    let blocked = run(&["layout", "--", "grep", "SigBlk", "/proc/self/status"]);
    assert!(
        text(&blocked.stdout).contains("SigBlk:\t0000000000000000"),
        "{}",
        text(&blocked.stdout)
    );
    for verb in ["layout", "trace -o /dev/null"] {
        let output = Command::new("env")
            .args(["--ignore-signal=PIPE", "--ignore-signal=CHLD", PROGRAM])
            .args(verb.split_whitespace())
            .args(["--", "grep", "-h", "-e", "SigIgn", "/proc/self/status", "no-file"])
            .output()
            .expect("env");
        let mask = text(&output.stdout)
            .lines()
            .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
        let both = 1 << (libc_number("PIPE") - 1) | 1 << (libc_number("CHLD") - 1);
        assert_eq!(mask.map(|mask| mask & both), Some(both), "{verb}: {}", text(&output.stderr));
        if verb != "layout" {
            assert_eq!(output.status.code(), Some(2), "grep's status for a file that is not there");
        }
    }
}

/// The number of a signal, as kill(1) has it.
fn libc_number(name: &str) -> u32 {
    let output = Command::new("kill").args(["-l", name]).output().expect("kill");
    text(&output.stdout).trim().parse().expect("a number")
}

#[test]
fn errors_that_cannot_be_told_end_nothing() {
    for redirection in ["2>/dev/full", "2>&-", "2> >(exec true)"] {
        for way in ways() {
            let script = format!(
                "{PROGRAM} trace --syscalls {way} -- sh -c 'sleep 0.2; exit 3' {redirection}"
            );
            let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
            // What could not be written is our failure, unless nobody was there to read it.
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
fn what_a_program_left_behind_can_be_left() {
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
        // The keyboard is its own again. A shell's background processes ignore it.
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
fn asking_for_the_end_works_when_nobody_reads_any_more() {
    for way in ways() {
        let mut trace =
            firsttouch(&["trace", "-q", "--syscalls", way, "--json", "-", "--", "sleep", "600"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts");
        let program = wait_for("the program", || {
            let children = Command::new("pgrep")
                .args(["-P", &trace.id().to_string()])
                .output()
                .expect("pgrep");
            text(&children.stdout).lines().next().map(str::to_owned)
        });
        wait_for("sleep", || {
            let is_sleep =
                std::fs::read_to_string(format!("/proc/{program}/comm")).ok()?.trim() == "sleep";
            is_sleep.then_some(())
        });
        drop(trace.stdout.take());
        std::thread::sleep(Duration::from_millis(300));
        signal("TERM", &trace.id().to_string());
        assert_eq!(ended(&mut trace).signal(), Some(15), "{way}");
        assert!(state(&program).is_none(), "{way}");
    }
}

#[test]
fn what_a_process_sends_is_passed_on_like_a_key() {
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

#[test]
fn a_process_without_its_first_thread_is_met() {
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
