//! `record --max-size`: the file stays below it, and says what is exact and what is estimated.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use recording::Reader;
use serde_json::Value;

use super::plain_fixture;
use crate::program::{Scratch, firsttouch, run, send, skip, text, wait_for};

const SIZE_BYTES: u64 = 1_000_000;

/// A recording of the fixture.
struct Sized {
    output: Output,
    report: Value,
    file_bytes: u64,
}

/// Records the fixture; `None`, and a skip, where it cannot be recorded.
fn recorded(program: &Path, what: [&str; 2], options: &[&str], scratch: &Scratch) -> Option<Sized> {
    let file = scratch.file("recording.ft");
    let mut command = firsttouch(&["record", "-o"]);
    command.arg(&file).args(options).arg("--").arg(program).args(what);
    let output = command.env("XDG_CACHE_HOME", scratch.file("cache")).output().expect("it starts");
    let said = text(&output.stderr);
    if output.status.code() == Some(125) && said.contains("refused") {
        skip(&said);
        return None;
    }
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(text(&output.stdout).ends_with("done\n"), "the program runs to its end");
    let file_bytes = std::fs::metadata(&file).expect("a file").len();
    let report = firsttouch(&["report"]).arg(&file).args(["--json", "-"]).output();
    let report = report.expect("the program starts");
    assert_eq!(text(&report.stderr), "", "the file is whole");
    let report = serde_json::from_slice(&report.stdout).expect("JSON");
    Some(Sized { output, report, file_bytes })
}

impl Sized {
    /// A figure of all sites below a function.
    fn below(&self, function: &str, key: &str) -> u64 {
        let is_below = |site: &&Value| {
            let frames = site["stack"].as_array().expect("a stack");
            frames.iter().any(|frame| frame.as_str().is_some_and(|name| name.starts_with(function)))
        };
        let sites = self.report["sites"].as_array().expect("sites").iter();
        sites.filter(is_below).map(|site| site[key].as_u64().unwrap_or(0)).sum()
    }

    fn total(&self, key: &str) -> u64 {
        self.report["totals"][key].as_u64().unwrap_or(0)
    }

    fn notes(&self) -> String {
        text(&self.output.stderr).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn counts_stay_exact_however_small_the_file_is() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_sizes", &scratch) else { return };
    let what = ["churn", "400000"];
    let Some(whole) = recorded(&program, what, &[], &scratch) else { return };
    assert!(whole.file_bytes > 2 * SIZE_BYTES && whole.report["thinned"].is_null());
    let Some(sized) = recorded(&program, what, &["--max-size", "1MB"], &scratch) else { return };
    assert!(sized.file_bytes <= SIZE_BYTES, "{}", sized.file_bytes);
    assert_eq!(sized.report["ended_early"], serde_json::Value::Null, "{}", sized.notes());
    let one_in = sized.report["thinned"]["one_in"].as_u64().expect("it is thinned");
    assert!((2..=4096).contains(&one_in), "{one_in}");
    let said = format!("on 1 block in {} (--max-size)", report::whole(one_in));
    assert!(sized.notes().contains(&said), "{}", sized.notes());

    // What the program says of itself is what both say of it.
    let said = text(&sized.output.stdout);
    assert_eq!(said, text(&whole.output.stdout));
    let mut functions = 0;
    for line in said.lines().filter_map(|line| line.strip_prefix("made ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().expect("a number");
        for recording in [&whole, &sized] {
            let found = ["calls", "bytes"].map(|key| recording.below(words[0], key));
            assert_eq!(found, [number(1), number(2)], "{line}");
        }
        functions += 1;
    }
    assert_eq!(functions, 4);
    for key in ["calls", "allocated_bytes", "timed_calls", "failed", "release_calls"] {
        assert_eq!(sized.total(key), whole.total(key), "{key}");
    }
    for key in ["lost", "damaged", "lost_releases"] {
        assert_eq!(sized.total(key), 0, "{key}");
    }
    assert_eq!(sized.report["thinned"]["calls_without_site"], 0);
}

#[test]
fn what_depends_on_blocks_is_estimated_without_bias() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_sizes", &scratch) else { return };
    let what = ["churn", "400000"];
    let Some(whole) = recorded(&program, what, &[], &scratch) else { return };
    let Some(sized) = recorded(&program, what, &["--max-size", "4MB"], &scratch) else { return };
    let one_in = sized.report["thinned"]["one_in"].as_u64().expect("it is thinned");
    assert!((2..=256).contains(&one_in), "{one_in}");
    // Of some ten thousand addresses hundreds are followed: far within a factor of two.
    for function in ["small_blocks", "grown_blocks"] {
        let (found, exact) = (sized.below(function, "frees"), whole.below(function, "frees"));
        assert!(found > exact / 2 && found < 2 * exact, "{function}: {found} of {exact}");
    }
}

#[test]
fn a_thinned_recording_says_so_on_its_screen() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_sizes", &scratch) else { return };
    let options = ["--max-size", "1MB", "--quiet"];
    let Some(sized) = recorded(&program, ["churn", "200000"], &options, &scratch) else { return };
    assert_eq!(sized.notes(), "");
    let screen = firsttouch(&["report"]).arg(scratch.file("recording.ft")).output().unwrap();
    let screen = text(&screen.stdout);
    assert!(screen.contains("calls are counted and exact"), "{screen}");
}

#[test]
fn events_of_the_kernel_are_kept_until_the_file_is_full() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_sizes", &scratch) else { return };
    let options = ["--max-size", "1MB", "--syscalls", "off"];
    let Some(full) = recorded(&program, ["faults", "2000"], &options, &scratch) else { return };
    if full.report["seen"]["faults"] == false {
        skip("faults are not seen here");
        return;
    }
    assert!(
        full.file_bytes <= SIZE_BYTES && full.file_bytes > SIZE_BYTES / 2,
        "{}",
        full.file_bytes
    );
    assert_eq!(full.report["ended_early"], "limit", "{}", full.notes());
    let notes = full.notes();
    assert!(notes.contains("the file has reached --max-size"), "{notes}");
    assert!(full.total("minor_faults") > 10_000, "{}", full.report["totals"]);
    let screen = firsttouch(&["report"]).arg(scratch.file("recording.ft")).output().unwrap();
    let screen = text(&screen.stdout);
    assert!(screen.contains("The recording ended: its file has its full size"), "{screen}");
}

#[test]
fn a_file_that_is_cut_says_until_when_it_has_faults() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_sizes", &scratch) else { return };
    let options = ["--syscalls", "off"];
    let Some(whole) = recorded(&program, ["churn", "200000"], &options, &scratch) else { return };
    assert!(whole.report["faults_until_ns"].is_null());
    if whole.report["seen"]["faults"] == false {
        skip("faults are not seen here");
        return;
    }
    let all = std::fs::read(scratch.file("recording.ft")).expect("a file");
    let cut = scratch.file("cut.ft");
    let mut without_faults = 0;
    for parts in 1..16 {
        std::fs::write(&cut, &all[..all.len() * parts / 16]).expect("a scratch directory");
        let report = firsttouch(&["report"]).arg(&cut).args(["--json", "-"]).output().unwrap();
        let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
        let until_ns = report["faults_until_ns"].as_u64().expect("it is cut");
        assert!(until_ns <= report["elapsed_ns"].as_u64().unwrap(), "{report}");
        let is_unknown = report["totals"]["minor_faults"].is_null();
        assert_eq!(is_unknown, until_ns == 0, "{report}");
        if report["totals"]["calls"] != 0 && is_unknown {
            without_faults += 1;
            assert!(report["costs"]["true_ns"].is_null(), "{report}");
            let screen = firsttouch(&["report"]).arg(&cut).output().unwrap();
            let screen = text(&screen.stdout);
            assert!(screen.contains("first touch unknown"), "{screen}");
            assert!(screen.contains("cut before the first page fault"), "{screen}");
        }
    }
    if without_faults == 0 {
        skip("faults were written before the first calls this time");
    }
}

#[test]
fn a_recorder_that_is_killed_leaves_a_file_that_says_what_is_missing() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_sizes", &scratch) else { return };
    let file = scratch.file("recording.ft");
    let mut command = firsttouch(&["record", "-q", "--syscalls", "off", "--max-size", "1MB", "-o"]);
    command.arg(&file).arg("--").arg(&program).args(["churn", "300000000"]);
    command.env("XDG_CACHE_HOME", scratch.file("cache")).stdout(Stdio::null());
    let mut recorder = command.spawn().expect("it starts");
    let mut is_thinned = || {
        if recorder.try_wait().is_ok_and(|status| status.is_some()) {
            return Some(false);
        }
        let reader = Reader::open(BufReader::new(File::open(&file).ok()?)).ok()?;
        (!reader.thinning().is_empty()).then_some(true)
    };
    if !wait_for("a level", &mut is_thinned) {
        skip("the program cannot be recorded here");
        return;
    }
    // Which files are mapped comes later than the calls of their code.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let children = format!("/proc/{0}/task/{0}/children", recorder.id());
    let children = std::fs::read_to_string(children).unwrap_or_default();
    send("-KILL", &recorder);
    recorder.wait().expect("it was started");
    for child in children.split_whitespace() {
        let _ = Command::new("kill").args(["-KILL", child]).status();
    }
    let report = firsttouch(&["report"]).arg(&file).output().expect("the program starts");
    let said = text(&report.stderr);
    assert!(said.contains("the file has no end"), "{said}");
    assert!(said.contains("the counts of calls are written at the end"), "{said}");
    assert!(text(&report.stdout).contains("small_blocks"), "{}", text(&report.stdout));
}

#[test]
fn a_size_that_is_too_small_is_refused() {
    for (size, hint) in [("999999", "1 MB at least"), ("1KiB", "1 MB at least"), ("x", "size")] {
        let output = run(&["record", "-o", "/dev/null", "--max-size", size, "--", "true"]);
        assert_eq!(output.status.code(), Some(2), "{size}");
        let said = text(&output.stderr);
        assert!(said.contains(hint), "{size}: {said}");
    }
}
