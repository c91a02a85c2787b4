//! `record --stacks sampled`: sums are exact, sites are estimates within the error that is said.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use events::{Batch, EventKind, StackId};
use recording::Reader;
use serde_json::Value;

use crate::program::{Scratch, firsttouch, fixture_with, skip, text};

/// The mean distance of samples in these tests.
const MEAN_BYTES: f64 = 16384.0;
/// Errors are normal, so this many of them are exceeded once in two million times.
const ERRORS: f64 = 5.0;

/// What the fixture says of one of its functions.
struct Made {
    function: String,
    calls: f64,
    bytes: f64,
}

/// The fixture, recorded.
struct Sampled {
    made: Vec<Made>,
    report: Value,
}

fn recorded(program: &Path, way: &str, stacks: &str, scratch: &Scratch) -> Option<Sampled> {
    let file = scratch.file("recording.ft");
    let mut command = firsttouch(&["record", "--quiet", "--stacks", stacks, "-o"]);
    command.arg(&file).arg("--").arg(program).arg(way);
    let output = command.env("XDG_CACHE_HOME", scratch.file("cache")).output().expect("it starts");
    let said = text(&output.stderr);
    if output.status.code() == Some(125) && said.contains("refused") {
        skip(&said);
        return None;
    }
    assert_eq!((output.status.code(), said.as_str()), (Some(7), ""));
    let said = text(&output.stdout);
    let lines = said.lines().filter_map(|line| line.strip_prefix("made "));
    let made = lines.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().expect("a number");
        Made { function: words[0].to_owned(), calls: number(1), bytes: number(2) }
    });
    let made: Vec<Made> = made.collect();
    assert_eq!(made.len(), 3);
    let report = firsttouch(&["report"]).arg(&file).args(["--json", "-"]).output();
    let report = report.expect("the program starts");
    assert_eq!(text(&report.stderr), "", "the file is whole");
    Some(Sampled { made, report: serde_json::from_slice(&report.stdout).expect("JSON") })
}

impl Sampled {
    /// A figure of all sites below a function, and its standard error.
    fn below(&self, function: &str, key: &str) -> (f64, f64) {
        let is_below = |site: &&Value| {
            let frames = site["stack"].as_array().expect("a stack");
            frames.iter().any(|frame| frame.as_str().is_some_and(|name| name.starts_with(function)))
        };
        let sites = self.report["sites"].as_array().expect("sites").iter();
        sites.filter(is_below).fold((0.0, 0.0_f64), |(sum, error), site| {
            let error_of = site[format!("{key}_error")].as_f64().unwrap_or(0.0);
            (sum + site[key].as_f64().expect("a number"), error.hypot(error_of))
        })
    }

    fn total(&self, key: &str) -> u64 {
        self.report["totals"][key].as_u64().expect("a number")
    }
}

/// The mean and the variance of the number of calls that are chosen of so many of a size.
fn chosen(made: &Made) -> (f64, f64) {
    let chance = -(-made.bytes / made.calls / MEAN_BYTES).exp_m1();
    (made.calls * chance, made.calls * chance * (1.0 - chance))
}

#[test]
fn sites_are_what_they_are_within_their_error() {
    let scratch = Scratch::new();
    let flags = ["-fno-builtin", "-pthread"];
    let place = scratch.file("recorded_samples");
    let Some(program) = fixture_with("recorded_samples", &flags, place) else { return };
    for way in ["alone", "threads", "forks"] {
        let Some(found) = recorded(&program, way, "sampled=16KiB", &scratch) else { return };
        assert_eq!(found.report["sampled"]["mean_bytes"].as_f64(), Some(MEAN_BYTES));
        for made in &found.made {
            for (key, exact) in [("calls", made.calls), ("bytes", made.bytes)] {
                let (estimate, error) = found.below(&made.function, key);
                let name = &made.function;
                let off = (estimate - exact).abs();
                assert!(off <= ERRORS * error, "{way}: {key} of {name}: {estimate} +- {error}");
            }
            // Those that are much larger than the distance are all there.
            let is_certain = made.bytes / made.calls > 100.0 * MEAN_BYTES;
            let error = found.below(&made.function, "calls").1;
            assert_eq!(error == 0.0, is_certain, "{way}: {}", made.function);
        }
        let (mean, variance) = found
            .made
            .iter()
            .map(chosen)
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let count = found.report["sampled"]["chosen_calls"].as_f64().expect("a number");
        // The C library makes some calls of its own.
        let off = (count - mean).abs();
        assert!(off < ERRORS * variance.sqrt() + 10.0, "{way}: {count} calls, not {mean}");
        // Sums need no stack. Threads may get their memory anew or not.
        let Some(full) = recorded(&program, way, "full", &scratch) else { return };
        assert_eq!(full.report["sampled"], Value::Null);
        for key in ["calls", "allocated_bytes", "frees", "release_calls", "failed"] {
            let (sampled, full) = (found.total(key), full.total(key));
            let is_alike = sampled == full || way == "threads" && sampled.abs_diff(full) < 5000;
            assert!(is_alike, "{way}: {key}: {sampled} of {full}");
        }
        for key in ["lost", "damaged", "lost_releases"] {
            assert_eq!(found.total(key), 0, "{way}: {key}");
        }
    }
}

#[test]
fn no_two_processes_choose_the_same_calls() {
    let scratch = Scratch::new();
    let flags = ["-fno-builtin", "-pthread"];
    let place = scratch.file("recorded_samples");
    let Some(program) = fixture_with("recorded_samples", &flags, place) else { return };
    let Some(_) = recorded(&program, "forks", "sampled=16KiB", &scratch) else { return };
    let file = File::open(scratch.file("recording.ft")).expect("a file");
    let mut reader = Reader::open(BufReader::new(file)).expect("a recording");
    // The calls of each process that have their stack, by their number.
    let mut calls: BTreeMap<u32, (u64, Vec<u64>)> = BTreeMap::new();
    let mut batch = Batch::default();
    while reader.next_batch(&mut batch).expect("it can be read") {
        for event in &batch.events {
            let EventKind::Allocation(call) = event.kind else { continue };
            if call.only_gives_back() {
                assert_eq!(call.stack, StackId::NOT_TAKEN, "a free is never chosen");
                continue;
            }
            let (count, chosen) = calls.entry(event.thread.pid).or_default();
            *count += 1;
            if call.stack != StackId::NOT_TAKEN {
                chosen.push(*count);
            }
        }
    }
    let children: Vec<&Vec<u64>> =
        calls.values().filter(|(count, _)| *count > 50_000).map(|(_, chosen)| chosen).collect();
    assert_eq!(children.len(), 4);
    for (index, one) in children.iter().enumerate() {
        for other in &children[index + 1..] {
            // Big ones are always chosen, others now and then by chance.
            let shared = one.iter().filter(|call| other.contains(call)).count();
            assert!(shared < one.len() * 3 / 4, "{shared} of {}", one.len());
        }
    }
}

#[test]
fn a_sampled_recording_says_so() {
    let scratch = Scratch::new();
    let flags = ["-fno-builtin", "-pthread"];
    let place = scratch.file("recorded_samples");
    let Some(program) = fixture_with("recorded_samples", &flags, place) else { return };
    let Some(found) = recorded(&program, "alone", "sampled", &scratch) else { return };
    assert_eq!(found.report["sampled"]["mean_bytes"], 65536);
    let file = scratch.file("recording.ft");
    for options in [&[][..], &["-v"]] {
        let screen = firsttouch(&["report"]).arg(&file).args(options).output().unwrap();
        let screen = text(&screen.stdout);
        for part in ["(one per 64 KiB allocated, at random)", "big_blocks", " ±"] {
            assert!(screen.contains(part), "{part}: {screen}");
        }
    }
    let events = firsttouch(&["report", "--events"]).arg(&file).output().unwrap();
    let events = text(&events.stdout);
    let calls = |without: bool| {
        let is = |line: &&str| line.contains("malloc(4194304)");
        events.lines().filter(is).filter(|line| line.contains("no stack") == without).count()
    };
    assert_eq!((calls(false), calls(true)), (20, 0), "all big ones have a stack");
    assert!(events.contains(" no stack"));
    assert!(events.lines().all(|line| !(line.contains("free(") && line.contains("no stack"))));
}
