//! Each signal reaches the program as often as without firsttouch, and none ends firsttouch, and
//! with it the program, that would not have ended the program.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{ended, signal};
use crate::program::{
    AS_NOBODY, PROGRAM, Scratch, fixture, nobody_may, signalled_firsttouch, skip, text, wait_for,
};

/// Signals that programs use: name and number. The first four ask for the end.
const SIGNALS: [(&str, i32); 13] = [
    ("TERM", 15),
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("USR1", 10),
    ("USR2", 12),
    ("ALRM", 14),
    ("XCPU", 24),
    ("VTALRM", 26),
    ("PROF", 27),
    ("IO", 29),
    ("PWR", 30),
    ("RTMIN+3", 37),
];

/// The ways in which a program is observed, those without syscalls included.
fn ways() -> Vec<&'static str> {
    let mut ways = super::ways().to_vec();
    ways.push("off");
    ways
}

/// A program that tells its signals, started by firsttouch in a process group of its own.
struct Told {
    firsttouch: Child,
    lines: BufReader<ChildStdout>,
}

impl Told {
    fn start(mut command: Command, program: &std::path::Path) -> Told {
        let mut firsttouch = command
            .arg("--")
            .args([program.to_str().unwrap(), "count"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(firsttouch.stdout.take().expect("piped"));
        let mut told = Told { firsttouch, lines };
        assert_eq!(told.line(), "ready");
        told
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    fn pid(&self) -> String {
        self.firsttouch.id().to_string()
    }

    /// The signals until the program ends, and its status.
    fn rest(mut self) -> (Vec<String>, Option<i32>) {
        drop(self.firsttouch.stdin.take());
        let lines = self.lines.lines().map_while(Result::ok);
        let lines = lines.take_while(|line| line.starts_with("got")).collect();
        (lines, ended(&mut self.firsttouch).code())
    }
}

fn trace(way: &str) -> Command {
    signalled_firsttouch(&["trace", "-q", "--syscalls", way, "-o", "/dev/null"])
}

#[test]
fn a_signal_arrives_once() {
    let scratch = Scratch::new();
    let Some(program) = fixture("signals", &scratch) else { return };
    for way in ways() {
        for (name, number) in SIGNALS {
            for to_group in [true, false] {
                let mut told = Told::start(trace(way), &program);
                let pid = told.pid();
                signal(name, &if to_group { format!("-{pid}") } else { pid.clone() });
                assert_eq!(told.line(), format!("got {number}"), "{way} {name} {to_group}");
                // Passed on after anything else that was to be.
                signal("RTMIN+9", &pid);
                assert_eq!(told.line(), "got 43", "{way} {name} {to_group}");
                let (rest, status) = told.rest();
                assert!(rest.is_empty(), "{way} {name} {to_group}: {rest:?}");
                assert_eq!(status, Some(4), "{way} {name} {to_group}");
            }
        }
    }
}

#[test]
fn a_signal_arrives_with_its_value() {
    let scratch = Scratch::new();
    let Some(program) = fixture("signals", &scratch) else { return };
    for way in ways() {
        let mut told = Told::start(trace(way), &program);
        for value in ["41", "42"] {
            let sent =
                Command::new("kill").args(["-q", value, "-s", "RTMIN+3", &told.pid()]).output();
            if !sent.is_ok_and(|output| output.status.success()) {
                skip("kill(1) sends no values");
                return;
            }
        }
        assert_eq!((&*told.line(), &*told.line()), ("got 37 value 41", "got 37 value 42"), "{way}");
        assert_eq!(told.rest(), (Vec::new(), Some(4)), "{way}");
    }
}

#[test]
fn signals_one_after_the_other_to_each_process_of_the_group_arrive_once() {
    let scratch = Scratch::new();
    let Some(program) = fixture("signals", &scratch) else { return };
    for way in ways() {
        let mut told = Told::start(trace(way), &program);
        let pid = told.pid();
        // As a service manager ends all processes of a service. The last one first: then it does
        // not matter how long it takes.
        let members = wait_for("the group", || {
            let output = Command::new("pgrep").args(["-g", &pid]).output().expect("pgrep");
            let members = text(&output.stdout);
            let members: Vec<String> = members.lines().rev().map(str::to_owned).collect();
            (members.len() > 2).then_some(members)
        });
        let sent = Command::new("kill").args(["-s", "TERM"]).args(members).status();
        assert!(sent.expect("kill").success());
        assert_eq!(told.line(), "got 15", "{way}");
        signal("USR1", &pid);
        assert_eq!(told.line(), "got 10", "{way}");
        assert_eq!(told.rest(), (Vec::new(), Some(4)), "{way}");
    }
}

#[test]
fn a_program_in_its_own_group_gets_what_firsttouch_gets() {
    let scratch = Scratch::new();
    let Some(program) = fixture("signals", &scratch) else { return };
    for way in ways() {
        let mut command = trace(way);
        command.args(["--", "setsid"]);
        // After the second --, setsid(1) executes the program without a fork: it leads no group.
        let mut told = Told::start(command, &program);
        signal("TERM", &format!("-{}", told.pid()));
        assert_eq!(told.line(), "got 15", "{way}");
        assert_eq!(told.rest(), (Vec::new(), Some(4)), "{way}");
    }
}

#[test]
fn layout_passes_signals_on_once() {
    let scratch = Scratch::new();
    let Some(program) = fixture("signals", &scratch) else { return };
    let file = scratch.file("layout");
    for (name, number) in SIGNALS.into_iter().filter(|&(name, _)| name != "QUIT") {
        for to_group in [true, false] {
            let what = format!("{name} to the group: {to_group}");
            let command = signalled_firsttouch(&["layout", "--json", file.to_str().unwrap()]);
            let mut told = Told::start(command, &program);
            let pid = told.pid();
            signal(name, &if to_group { format!("-{pid}") } else { pid.clone() });
            assert_eq!(told.line(), format!("got {number}"), "{what}");
            signal("RTMIN+9", &pid);
            assert_eq!(told.line(), "got 43", "{what}");
            let (rest, _) = told.rest();
            assert!(rest.is_empty(), "{what}: {rest:?}");
            let picture = std::fs::read_to_string(&file).expect("a picture");
            assert!(picture.contains("\"runs\""), "{what}");
            std::fs::remove_file(&file).expect("it is there");
        }
    }
}

#[test]
fn the_processor_time_of_firsttouch_ends_no_program() {
    let scratch = Scratch::new();
    let Some(program) = fixture("signals", &scratch) else { return };
    let mut users = vec![Vec::new()];
    if nobody_may(&["-x", PROGRAM]) {
        users.push(AS_NOBODY.to_vec());
    }
    for user in users {
        let script = format!(
            "ulimit -S -t 1; exec {} {PROGRAM} trace -q --syscalls ptrace -o /dev/null -- {} burn \
             2200",
            user.join(" "),
            program.display()
        );
        let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
        assert_eq!(output.status.code(), Some(4), "{user:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "done\n", "{user:?}");
    }
}
