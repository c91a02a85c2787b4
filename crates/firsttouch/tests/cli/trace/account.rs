//! The kernel's own account of faults beside those of the trace, for programs whose processes are
//! waited for, or not.

use serde_json::Value;

use crate::program::{Scratch, fixture, is_root, run, skip, text};

/// The summary of a trace of `act` with 301 pages, and the line with the account.
fn traced(way: &str, act: &str, scratch: &Scratch) -> Option<(Value, String)> {
    let program = fixture("memory_acts", scratch)?;
    let (json, screen) = (scratch.file("account.json"), scratch.file("account.txt"));
    let [json_name, screen_name, program] =
        [&json, &screen, &program].map(|path| path.to_str().expect("a name of UTF-8"));
    let output = run(&[
        "trace",
        "-v",
        "--syscalls",
        way,
        "--json",
        json_name,
        "-o",
        screen_name,
        "--",
        program,
        act,
        "301",
    ]);
    let errors = text(&output.stderr);
    if errors.contains("refused") && !errors.contains("tracepoints are refused") {
        skip(&errors);
        return None;
    }
    let read = |name: &str| std::fs::read_to_string(name).expect("an output");
    let summary =
        read(json_name).lines().last().map(|line| serde_json::from_str(line).expect(line));
    let screen = read(screen_name);
    let account = screen.lines().find(|line| line.starts_with("The kernel's account"));
    Some((summary.expect("a summary"), account.expect("with -v").to_owned()))
}

fn figure(summary: &Value, key: &str) -> u64 {
    summary[key].as_u64().unwrap_or_else(|| panic!("{key} of {summary}"))
}

/// All faults in the kernel's account.
fn counted(summary: &Value) -> u64 {
    figure(summary, "rusage_minor_faults") + figure(summary, "rusage_major_faults")
}

fn ways() -> impl Iterator<Item = &'static str> {
    ["ptrace", "tracepoints"].into_iter().filter(|&way| way == "ptrace" || is_root())
}

#[test]
fn a_program_alone_is_compared_with_all_of_its_faults() {
    let scratch = Scratch::new();
    for way in ways() {
        let Some((summary, account)) = traced(way, "touch", &scratch) else { return };
        let counted = counted(&summary);
        let more = counted - figure(&summary, "faults_seen");
        let before_exec = figure(&summary, "before_exec_faults");
        assert!((1..=more).contains(&before_exec) && more < 100, "{way}: {summary}");
        assert_eq!(figure(&summary, "own_faults_seen"), figure(&summary, "faults_seen"), "{way}");
        let told = format!("That is {more} more than were traced: {before_exec} from before exec");
        assert!(account.contains(&told), "{way}: {account}");
        // The trace of an ordinary user misses faults in the kernel.
        assert_eq!(account.contains("in the kernel"), !is_root(), "{way}: {account}");
    }
}

#[test]
fn a_daemon_is_left_out_of_both_sides() {
    let scratch = Scratch::new();
    for way in ways() {
        let Some((summary, account)) = traced(way, "daemon", &scratch) else { return };
        let (left, seen) = (figure(&summary, "left_faults_seen"), figure(&summary, "faults_seen"));
        assert_eq!((figure(&summary, "left_processes"), figure(&summary, "processes")), (1, 3));
        let counted = figure(&summary, "rusage_minor_faults");
        assert!(left >= 301 && counted < seen, "{way}: the daemon is not in it: {summary}");
        assert!((seen - left..seen - left + 100).contains(&counted), "{way}: {summary}");
        assert!(account.contains(&format!("without 1 process ({left} faults)")), "{account}");
        assert!(account.contains("more than were traced"), "{way}: {account}");
    }
}

#[test]
fn a_child_that_nobody_waits_for_is_said_to_be_missing() {
    let scratch = Scratch::new();
    for way in ways() {
        let Some((summary, account)) = traced(way, "ignored", &scratch) else { return };
        let counted = counted(&summary);
        assert!(counted < figure(&summary, "faults_seen"), "{way}: {summary}");
        let (own, told) = match way {
            "ptrace" => (Value::Null, "some were never waited for, and which is not known"),
            _ => (counted.into(), "Not all of the others were waited for"),
        };
        assert_eq!(summary["own_faults"], own, "{way}");
        assert!(account.contains(told), "{way}: {account}");
    }
}

#[test]
fn refused_faults_are_in_no_account() {
    let scratch = Scratch::new();
    for way in ways() {
        let Some((summary, account)) = traced(way, "refused", &scratch) else { return };
        assert_eq!(figure(&summary, "refused_faults"), 301, "{way}: {summary}");
        let counted = counted(&summary);
        let more = counted - (figure(&summary, "faults_seen") - 301);
        assert!(more < 100, "{way}: {summary}");
        let told = format!(
            "without 301 faults that came to nothing (refused accesses). That is \
                            {more} more than were traced"
        );
        assert!(account.contains(&told), "{way}: {account}");
    }
}

#[test]
fn a_subreaper_waits_for_what_outlives_its_parent() {
    let scratch = Scratch::new();
    for way in ways() {
        let Some((summary, account)) = traced(way, "subreaper", &scratch) else { return };
        let left = figure(&summary, "left_faults_seen");
        assert!(left >= 301 && figure(&summary, "left_processes") == 1, "{way}: {summary}");
        let told = format!("and perhaps 1 process ({left} faults) that outlived the parent");
        assert!(account.contains(&told), "{way}: {account}");
    }
}
