//! `record`: every allocation call of programs of all kinds, which behave as they do without it.
//!
//! The fixtures `recorded_*` say how many calls they make below which function. Each is run alone
//! and under `record`, with every stack found in two ways.

mod allocators;
mod attributed;
mod endings;
mod flow;
mod going;
mod interposed;
mod limits;
mod lives;
mod mapped;
mod mapping_calls;
mod musl;
mod pauses;
mod programs;
mod redacted;
mod rows;
mod sampled;
mod sized;
mod slow;
mod start;
mod sums;
mod timeline;
mod unruled;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{Scratch, firsttouch, fixture_with, run, skip, text};

/// A program that was run alone and under `record`.
struct Recorded {
    alone: Output,
    under: Output,
    report: Value,
}

/// How a program is run.
#[derive(Clone, Copy, Default)]
struct Manner<'a> {
    /// The library that it is made to load.
    preload: Option<&'a Path>,
    /// The folder that it runs in.
    folder: Option<&'a Path>,
    /// The home directory of the user, whose cache is where it is by default.
    home: Option<&'a Path>,
}

impl Manner<'_> {
    fn apply(self, command: &mut Command, scratch: &Scratch) {
        command.stdin(Stdio::null()).env("XDG_CACHE_HOME", scratch.file("cache"));
        if let Some(library) = self.preload {
            command.env("LD_PRELOAD", library);
        }
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        if let Some(home) = self.home {
            command.env("HOME", home).env_remove("XDG_CACHE_HOME");
        }
    }
}

impl Recorded {
    /// Runs a program twice and compares what it says and how it ends. `None`, and a skip, where it
    /// cannot be recorded here.
    fn of(command: &[&OsStr], manner: Manner<'_>, scratch: &Scratch) -> Option<Recorded> {
        let mut alone = Command::new(command[0]);
        alone.args(&command[1..]);
        manner.apply(&mut alone, scratch);
        let alone = alone.output().expect("it starts");
        let file = scratch.file("recording.ft");
        let mut under = firsttouch(&["record", "--stacks", "checked", "-o"]);
        under.arg(&file).arg("--").args(command);
        manner.apply(&mut under, scratch);
        let under = under.output().expect("it starts");
        let said = text(&under.stderr);
        if under.status.code() == Some(125) && said.contains("refused") {
            skip(&said);
            return None;
        }
        assert_eq!(without_counts(&alone), without_counts(&under), "{command:?}: {said}");
        assert_eq!(alone.status, under.status, "{command:?}: {said}");
        let report = firsttouch(&["report"]).arg(&file).args(["--json", "-"]).output();
        let report = report.expect("the program starts");
        let report = serde_json::from_slice(&report.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", text(&report.stderr)));
        Some(Recorded { alone, under, report })
    }

    /// Checks that nothing was lost, and that what was found of stacks by comparing is what
    /// unwinding finds.
    fn lost_nothing(&self) -> &Self {
        let notes = self.notes();
        for fact in ["lost", "damaged", "lost_releases"] {
            assert_eq!(self.report["totals"][fact], 0, "{fact}: {notes}");
        }
        assert!(notes.contains(" stacks, 0 are not what unwinding finds"), "{notes}");
        assert_eq!(self.report["ended_early"], Value::Null, "{notes}");
        // The file says the same of itself.
        let recorder = &self.report["recorder"];
        assert_eq!((&recorder["lost_calls"], &recorder["wrong_stacks"]), (&0.into(), &0.into()));
        assert!(recorder["checked_stacks"].as_u64() > Some(0), "{recorder}");
        let probe_ns = self.report["totals"]["probe_ns_per_call"].as_f64();
        assert!(probe_ns > Some(0.0), "{}", self.report["totals"]);
        self
    }

    /// Checks that the recording has exactly the calls that the program says it made.
    fn has_all_calls(&self) {
        self.lost_nothing();
        let expected = self.expected();
        assert!(!expected.is_empty(), "{}", text(&self.under.stdout));
        let found = expected.keys().map(|name| (name.clone(), self.counts(name)));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "{}", self.notes());
    }

    /// The calls and frees below each function, as the program says.
    fn expected(&self) -> BTreeMap<String, (u64, u64)> {
        let said = text(&self.under.stdout);
        let lines = said.lines().filter_map(|line| line.strip_prefix("expect "));
        let parts = lines.map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let number = |at: usize| words[at].parse().expect("a number");
            (words[0].to_owned(), (number(1), number(2)))
        });
        parts.collect()
    }

    /// The calls and frees below a function, as the report says.
    fn counts(&self, function: &str) -> (u64, u64) {
        counts_below(&self.report, function)
    }

    fn total(&self, key: &str) -> u64 {
        self.report["totals"][key].as_u64().expect("a number")
    }

    fn notes(&self) -> String {
        text(&self.under.stderr)
    }
}

/// The calls of the allocator and frees below a function, as a report says.
fn counts_below(report: &Value, function: &str) -> (u64, u64) {
    let is_below = |site: &&Value| {
        if site["maps"] == true {
            return false;
        }
        let frames = site["stack"].as_array().expect("a stack");
        let names = frames.iter().filter_map(Value::as_str);
        // In C++ a name has parameters.
        names.into_iter().any(|frame| {
            let rest = frame.strip_prefix(function);
            rest.is_some_and(|rest| rest.starts_with([' ', '(']))
        })
    };
    let sites = report["sites"].as_array().expect("sites");
    sites.iter().filter(is_below).fold((0, 0), |(calls, frees), site| {
        let number = |key: &str| site[key].as_u64().expect("a number");
        (calls + number("calls"), frees + number("frees"))
    })
}

/// What a program wrote, but for its counts, which may differ from run to run.
fn without_counts(output: &Output) -> Vec<String> {
    let said = text(&output.stdout);
    let is_count = |line: &&str| line.starts_with("expect ") || line.starts_with("counted ");
    said.lines().filter(|line| !is_count(line)).map(str::to_owned).collect()
}

/// Runs a fixture with its arguments, and checks its calls.
fn check(program: &Path, arguments: &[&str], scratch: &Scratch) {
    check_in(program, arguments, Manner::default(), scratch);
}

/// The same, in a manner.
fn check_in(program: &Path, arguments: &[&str], manner: Manner<'_>, scratch: &Scratch) {
    let mut command = vec![program.as_os_str()];
    command.extend(arguments.iter().map(OsStr::new));
    if let Some(recorded) = Recorded::of(&command, manner, scratch) {
        recorded.has_all_calls();
    }
}

/// A fixture whose calls the compiler leaves as they are.
fn plain_fixture(name: &str, scratch: &Scratch) -> Option<PathBuf> {
    fixture_with(name, &["-fno-builtin"], scratch.file(name))
}

/// The lines of JSON of `trace -c` with `option`, and its table; `None`, and a skip, where tracing
/// is refused.
fn traced_table(option: &str, command: &[&str], scratch: &Scratch) -> Option<(String, String)> {
    let [json, screen] = ["traced.json", "traced.txt"].map(|name| scratch.file(name));
    let [json, screen] = [&json, &screen].map(|path| path.to_str().expect("a name of UTF-8"));
    let arguments = ["trace", "-c", option, "--json", json, "-o", screen, "--"];
    let output = run(&[&arguments[..], command].concat());
    let errors = text(&output.stderr);
    if output.status.code() == Some(125) && errors.contains("refused") {
        skip(&errors);
        return None;
    }
    let read = |name: &str| std::fs::read_to_string(name).expect("an output");
    Some((read(json), read(screen)))
}
