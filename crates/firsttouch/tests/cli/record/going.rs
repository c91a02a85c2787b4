//! A program that does what it is told, under `record`, while its recording begins and ends.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;

use super::counts_below;
use crate::program::{Scratch, firsttouch, firsttouch_of_nobody, send, skip, text, wait_for};

/// The calls, and frees, of each thing that the program is told.
pub(super) const CALLS: u64 = 100;

/// The program, and `record` around it.
pub(super) struct Going {
    pub(super) firsttouch: Child,
    input: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
    pub(super) file: PathBuf,
    pub(super) notes: PathBuf,
}

/// Who runs `record`, and in which ways syscalls are seen: every user has other ones.
pub(super) fn users(scratch: &Scratch) -> Vec<(Command, &'static str)> {
    let mut users =
        vec![(firsttouch(&[]), "auto"), (firsttouch(&[]), "ptrace"), (firsttouch(&[]), "off")];
    if let Some(nobody) = firsttouch_of_nobody(scratch) {
        users.push((nobody, "auto"));
    }
    users
}

/// The report of a file, which must be whole.
pub(super) fn report(file: &Path) -> Value {
    let output = firsttouch(&["report"]).arg(file).args(["--json", "-"]).output();
    let output = output.expect("it starts");
    assert_eq!(text(&output.stderr), "", "the file is whole");
    serde_json::from_slice(&output.stdout).expect("a report")
}

impl Going {
    /// Starts it; `None` (and a skip) where it cannot be recorded.
    pub(super) fn start(
        mut command: Command,
        program: &Path,
        options: &[&str],
        scratch: &Scratch,
    ) -> Option<Going> {
        let (file, notes) = (scratch.file("going.ft"), scratch.file("notes"));
        let _ = std::fs::remove_file(&file);
        let errors = std::fs::File::create(&notes).expect("a scratch directory");
        let mut firsttouch = command
            .args(["record", "-o"])
            .arg(&file)
            .args(options)
            .arg("--")
            .arg(program)
            .env("XDG_CACHE_HOME", scratch.file("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .expect("it starts");
        let input = firsttouch.stdin.take();
        let lines = BufReader::new(firsttouch.stdout.take().expect("piped"));
        let mut going = Going { firsttouch, input, lines, file, notes };
        if going.line() == "ready" {
            return Some(going);
        }
        let status = going.firsttouch.wait().expect("a child");
        assert_eq!(status.code(), Some(125), "{}", going.notes());
        assert!(going.notes().contains("refused"), "{}", going.notes());
        skip(&going.notes());
        None
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    /// Tells it to do something, and waits until it is done.
    pub(super) fn tell(&mut self, what: &str) {
        let input = self.input.as_mut().expect("not closed yet");
        writeln!(input, "{what}").expect("it reads");
        let expected = if what == "run" { "ready".to_owned() } else { format!("did {what}") };
        assert_eq!(self.line(), expected, "{}", self.notes());
    }

    /// Sends a signal to firsttouch alone.
    pub(super) fn signal(&self, signal: &str) {
        send(signal, &self.firsttouch);
    }

    /// What firsttouch has said so far.
    pub(super) fn notes(&self) -> String {
        std::fs::read_to_string(&self.notes).expect("a file").replace("\n      ", " ")
    }

    /// Waits until firsttouch has said something that contains `part`.
    pub(super) fn says(&self, part: &str) {
        wait_for(part, || self.notes().contains(part).then_some(()));
    }

    /// The report of the file as it is now, which must be whole.
    pub(super) fn report(&self) -> Value {
        report(&self.file)
    }

    /// The calls and frees below a function that the file has now.
    pub(super) fn counts(&self, function: &str) -> (u64, u64) {
        counts_below(&self.report(), function)
    }

    /// Ends its input, and returns how firsttouch ends.
    pub(super) fn end(mut self) -> ExitStatus {
        drop(self.input.take());
        wait_for("the end", || self.firsttouch.try_wait().expect("a child"))
    }

    /// Waits for the end of firsttouch alone.
    pub(super) fn firsttouch_ends(&mut self) -> ExitStatus {
        wait_for("the end of firsttouch", || self.firsttouch.try_wait().expect("a child"))
    }
}
