//! `report --diff`: two real runs against each other, and what is no pair of runs.

mod recordings;

use std::path::PathBuf;

use results::compare::{EXPERIMENT, ProgramArm, ProgramResult, ProgramSample};
use results::diff::{Change, Diff, SCHEMA};
use results::{AnyResult, Verdict};

use crate::program::{Scratch, run, text};

const SECOND: i64 = 1_000_000_000;

/// A short run with `more` options, as a file.
fn measured(scratch: &Scratch, name: &str, more: &[&str]) -> PathBuf {
    let file = scratch.file(name);
    let path = file.to_str().unwrap();
    let bench = ["bench", "--size", "64KiB", "--arm", "malloc", "-q", "--json", path];
    let output = run(&[&bench[..], more].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    file
}

fn diffed(arguments: &[&str]) -> Diff {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(value["schema"], SCHEMA);
    assert_eq!(value["randomised_together"], false);
    serde_json::from_value(value).expect("a diff")
}

#[test]
fn two_runs_are_compared_arm_by_arm() {
    let scratch = Scratch::new();
    let old = measured(&scratch, "old.json", &["--blocks", "12"]);
    let new = measured(&scratch, "new.json", &["--blocks", "13", "--margin", "5%"]);
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let diff = diffed(&["report", "--diff", old, new, "--json", "-"]);
    assert_eq!((diff.experiment.as_str(), diff.margin), ("anonymous", 0.05));
    assert_eq!((diff.old.file.as_str(), diff.new.file.as_str()), (old, new));
    assert!(diff.apart_ns.is_some_and(|apart_ns| apart_ns > 0), "{diff:?}");
    let arms: Vec<&str> = diff.comparisons.iter().map(|change| change.arm.as_str()).collect();
    assert_eq!(arms, ["mmap", "malloc"], "and no placebo");
    for change in &diff.comparisons {
        agrees_with_the_files(change, old, new);
    }
    let beside = diff.comparisons[1].against_baseline.as_ref().expect("malloc has a baseline");
    assert!(beside.baseline == "mmap" && beside.low.is_some(), "{beside:?}");
    let what: Vec<&str> = diff.differences.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(what, ["blocks", "margin"], "one machine, other options");

    let file = scratch.file("diff.json");
    let output = run(&["report", "--diff", old, new, "--json", file.to_str().unwrap()]);
    let screen = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in ["old  20", "Not randomised together", "new / old [95 % CI]", "malloc", "Next: "] {
        assert!(screen.contains(words), "no {words:?} in {screen}");
    }
    assert!(screen.contains("differs  margin: 3 % -> 5 %"), "{screen}");
    let written: Diff = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(written, diff, "the screen besides the file, and the same figures each time");

    let piped = std::process::Command::new("sh")
        .args(["-c", &format!("{} report --diff - {new} <{old}", crate::program::PROGRAM)])
        .output()
        .expect("a shell");
    assert!(text(&piped.stdout).contains("malloc"), "{}", text(&piped.stderr));
}

/// The medians and bounds are those of the samples in the files.
fn agrees_with_the_files(change: &Change, old: &str, new: &str) {
    let times = |file: &str| -> Vec<f64> {
        let result = results::read_any(std::fs::File::open(file).unwrap()).unwrap();
        let AnyResult::Lab(result) = result else { panic!("a result of bench") };
        let arm = result.arms.iter().find(|arm| arm.name == change.arm).expect("the arm");
        let time = |one: &results::Sample| one.total_ns as f64 / one.operations as f64;
        let mut times: Vec<f64> = arm.samples.iter().map(time).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let (olds, news) = (times(old), times(new));
    assert_eq!((change.old_samples, change.new_samples), (12, 13), "{change:?}");
    let geometric = (olds[5] * olds[6]).sqrt();
    assert!((change.old / geometric - 1.0).abs() < 1e-9, "{change:?}");
    assert!((change.new / news[6] - 1.0).abs() < 1e-9, "{change:?}");
    assert!((change.new / change.old / change.ratio - 1.0).abs() < 1e-9, "{change:?}");
    let (low, high) = change.low.zip(change.high).expect("an interval of twelve samples");
    let within = news[0] / olds[11] <= low && low <= change.ratio;
    assert!(within && change.ratio <= high && high <= news[12] / olds[0], "{change:?}");
    assert_eq!(
        change.verdict == Verdict::Different,
        low > 1.05 || high < 1.0 / 1.05 || {
            (low > 1.0 || high < 1.0) && !(low >= 1.0 / 1.05 && high <= 1.05)
        }
    );
}

/// `arguments` fail with `status` and say `words`.
fn refused(arguments: &[&str], status: i32, words: &[&str]) {
    let output = run(arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty() && !error.contains("panicked"), "{arguments:?}: {error}");
    for word in words {
        assert!(error.contains(word), "{arguments:?}: no {word:?} in {error}");
    }
}

#[test]
fn what_is_no_pair_of_runs_is_refused() {
    let scratch = Scratch::new();
    let old = measured(&scratch, "old.json", &["--blocks", "1"]);
    let new = measured(&scratch, "new.json", &["--blocks", "1"]);
    let other = scratch.file("other.json");
    let path = other.to_str().unwrap();
    let bench = ["bench", "populate", "--size", "64KiB", "--blocks", "1", "-q", "--json", path];
    assert!(run(&bench).status.success());
    let [old, new, other] = [&old, &new, &other].map(|file| file.to_str().unwrap());
    let file = |name: &str, contents: &str| {
        let path = scratch.file(name);
        std::fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let copy = file("copy.json", &std::fs::read_to_string(old).unwrap());
    let claims = file("claims.json", r#"{"schema":"firsttouch.claims/1","claims":[]}"#);
    let layout = file("layout.json", r#"{"schema":"firsttouch.layout/1"}"#);
    let trace = file("trace.json", r#"{"time_ns":0,"kind":"fault"}"#);
    let name = format!("{other} of populate");

    refused(&["report", "--diff", old, other], 1, &["experiment anonymous", &name]);
    refused(&["report", "--diff", old, &copy], 1, &["the same run"]);
    refused(&["report", "--diff", old, "/nonexistent"], 1, &["/nonexistent", "No such file"]);
    refused(&["report", "--diff", "/", new], 1, &["is a directory"]);
    refused(&["report", "--diff", old, &claims], 1, &[&claims, "firsttouch.claims/1"]);
    refused(&["report", "--diff", &layout, new], 1, &[&layout, "firsttouch.layout/1"]);
    refused(&["report", "--diff", old, &trace], 1, &[&trace, "trace --json"]);
    refused(&["report", "--diff", old, old], 2, &["the same file"]);
    refused(&["report", "--diff", "-", "-"], 2, &["standard input"]);
    refused(&["report", "--diff", old], 2, &["two files"]);
    refused(&["report", "--diff", old, new, other], 2, &["cannot be used with"]);
    refused(&["report", "--diff", old, new, "--csv", "-"], 2, &["--csv"]);
    refused(&["report", "--diff", old, new, "--markdown"], 2, &["--markdown"]);
    refused(&["report", old, "--json", "-"], 2, &["--diff"]);
    refused(&["report", "--diff", old, new, "--json", old], 2, &["would overwrite"]);
    assert!(results::read(std::fs::File::open(old).unwrap()).is_ok(), "kept");
    let nowhere = "/nonexistent/x.json";
    refused(&["report", "--diff", old, new, "--json", nowhere], 1, &[nowhere]);
}

/// A result of `compare` with a run of `./app` in each of twelve blocks, as a file.
fn of_a_program(scratch: &Scratch, name: &str, day: u64, wall_ns: u64) -> String {
    let sample = |block: u64| ProgramSample {
        block,
        wall_ns: wall_ns + block * 1_000,
        user_ns: wall_ns / 2,
        sys_ns: wall_ns / 4,
        max_rss_bytes: 5 << 20,
        minor_faults: 1_000,
        exit_code: Some(0),
        ..ProgramSample::default()
    };
    let mut result = ProgramResult {
        started: format!("2026-11-0{day}T00:00:00Z"),
        arms: vec![ProgramArm {
            name: "as is".to_owned(),
            baseline: true,
            command: vec!["./app".to_owned()],
            samples: (0..12).map(sample).collect(),
            ..ProgramArm::default()
        }],
        ..ProgramResult::empty("0.1.0")
    };
    EXPERIMENT.clone_into(&mut result.experiment.name);
    "wall_ns".clone_into(&mut result.experiment.metric);
    result.experiment.command = vec!["./app".to_owned()];
    result.experiment.margin = 0.03;
    let path = scratch.file(name);
    results::write(&result, std::fs::File::create(&path).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn results_of_a_program_are_compared_by_each_figure() {
    let scratch = Scratch::new();
    let old = of_a_program(&scratch, "old.json", 1, 10_000_000);
    let new = of_a_program(&scratch, "new.json", 3, 20_000_000);
    let diff = diffed(&["report", "--diff", &old, &new, "--json", "-"]);
    assert_eq!((diff.command, diff.apart_ns), (vec!["./app".to_owned()], Some(172_800 * SECOND)));
    let found: Vec<(&str, Verdict)> =
        diff.comparisons.iter().map(|one| (one.metric.as_str(), one.verdict)).collect();
    let (different, same) = (Verdict::Different, Verdict::Equivalent);
    assert_eq!(
        found,
        [
            ("wall_ns", different),
            ("user_ns", different),
            ("sys_ns", different),
            ("cpu_ns", different),
            ("max_rss_bytes", same),
            ("faults", same),
        ]
    );
    let screen = text(&run(&["report", "--diff", &old, &new]).stdout);
    assert!(screen.starts_with("compare -- ./app: the new run against the old, 2 days later"));
    assert!(screen.contains("slower: as is wall"), "{screen}");

    let other = std::fs::read_to_string(&new).unwrap().replace("./app", "./other");
    let path = scratch.file("other.json");
    std::fs::write(&path, other).unwrap();
    let path = path.to_str().unwrap();
    refused(&["report", "--diff", &old, path], 1, &["ran \"./app\"", "ran \"./other\""]);
    let bench = measured(&scratch, "bench.json", &["--blocks", "1"]);
    let bench = bench.to_str().unwrap();
    refused(&["report", "--diff", &old, bench], 1, &["experiment compare", "anonymous"]);
}

/// Names that turn a line around come from files; damaged files are refused by what is wrong.
#[test]
fn hostile_files_are_inert() {
    const EVIL: &str = "a\u{202e}b\u{1b}[2J";
    let scratch = Scratch::new();
    let good = measured(&scratch, "old.json", &["--blocks", "1"]);
    let AnyResult::Lab(mut result) =
        results::read_any(std::fs::File::open(&good).unwrap()).unwrap()
    else {
        panic!("a result of bench")
    };
    let write = |result: &results::LabResult| {
        let path = scratch.file("evil.json");
        results::write(result, std::fs::File::create(&path).unwrap()).unwrap();
        path
    };
    result.machine.kernel = Some(EVIL.to_owned());
    result.started = EVIL.to_owned();
    result.arms[0].name = EVIL.to_owned();
    let evil = write(&result);
    for more in [&[][..], &["-v"], &["--color", "always"]] {
        let files = ["report", "--diff", good.to_str().unwrap(), evil.to_str().unwrap()];
        let output = run(&[&files[..], more].concat());
        let screen = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!screen.contains('\u{202e}') && !screen.contains("\u{1b}[2J"), "{screen:?}");
        assert!(screen.contains("\\u{202e}"), "{screen:?}");
    }
    result.arms[1].samples[0].operations = 0;
    let damaged = write(&result);
    let files = ["report", "--diff", good.to_str().unwrap(), damaged.to_str().unwrap()];
    refused(&files, 1, &["a result that no run can have", "arms[1].samples[0].operations"]);
}
