//! What a program inherits from firsttouch is what it would inherit from a shell.

use std::process::{Command, Stdio};

use super::ways;
use crate::program::{PROGRAM, Scratch, run, text, without, without_proc};

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
fn closed_standard_streams_stay_closed() {
    let scratch = Scratch::new();
    let (script, told) = (scratch.file("script"), scratch.file("told"));
    let look = "if [ -e /proc/self/fd/$n ]; then echo $n open >&9; else echo $n closed >&9; fi";
    let lines = format!("for n in 0 1 2; do {look}; done 9>{}\n", told.display());
    std::fs::write(&script, lines).expect("a scratch directory");
    let sees = |prefix: &str, redirection: &str| {
        let command = format!("{prefix} sh {} {redirection}", script.display());
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::null());
        let status = shell.status();
        assert!(status.expect("sh").success(), "{command}");
        let seen = std::fs::read_to_string(&told).expect("it was written");
        std::fs::remove_file(&told).expect("it was written");
        seen
    };
    let mut prefixes = vec![format!("{PROGRAM} layout --")];
    prefixes.extend(
        ways().iter().map(|way| format!("{PROGRAM} trace -q --syscalls {way} -o /dev/null --")),
    );
    for redirection in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        let bare = sees("", redirection);
        assert!(bare.contains("closed"), "{redirection}: {bare}");
        for prefix in &prefixes {
            assert_eq!(sees(prefix, redirection), bare, "{prefix} {redirection}");
        }
    }
}

#[test]
fn a_root_directory_without_devices_or_proc_is_enough_or_named() {
    let scratch = Scratch::new();
    let file = scratch.file("trace");
    for way in ways() {
        let arguments = format!("trace -q --syscalls {way} -o {} -- true", file.display());
        let Some(output) = without("/dev", &arguments) else { return };
        assert!(output.status.success(), "{way}: {}", text(&output.stderr));
        let lines = std::fs::read_to_string(&file).expect("lines");
        assert!(lines.contains("+++ exited with 0 +++"), "{way}: {lines}");
    }
    let Some(output) = without("/dev", "layout -- true") else { return };
    assert!(output.status.success(), "{}", text(&output.stderr));
    let Some(output) = without("/dev", "layout --json - -- true") else { return };
    assert!(text(&output.stderr).contains("no /dev/null"), "{}", text(&output.stderr));
    for (arguments, status) in [("trace -p 1", 125), ("layout -p 1", 1), ("layout -- true", 1)] {
        let Some(output) = without_proc(arguments) else { return };
        let said = text(&output.stderr);
        assert!(said.contains("/proc is not mounted"), "{arguments}: {said}");
        assert_eq!(output.status.code(), Some(status), "{arguments}");
    }
}
