//! The slowest calls: each cause is made, and found, as root and as an ordinary user.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{Scratch, firsttouch, firsttouch_of_nobody, fixture_with, skip, text};

const MIB: u64 = 1 << 20;

/// A program that was recorded.
struct Slow {
    report: Value,
    file: PathBuf,
}

impl Slow {
    /// Records what `slow_calls` does in one `way`, as whoever `record` runs as. `None`, and a
    /// skip, where that is refused.
    fn of(mut record: Command, program: &Path, way: &str, scratch: &Scratch) -> Option<Slow> {
        let file = scratch.file(&format!("{way}.ft"));
        // Another user cannot replace it.
        let _ = std::fs::remove_file(&file);
        record.args(["record", "--quiet", "-o"]).arg(&file).arg("--").arg(program).arg(way);
        let recorded = record.env("HOME", scratch.file("home")).output().expect("it starts");
        let said = text(&recorded.stderr);
        if recorded.status.code() == Some(125) && said.contains("refused") {
            skip(&said);
            return None;
        }
        assert!(recorded.status.success(), "{way}: {said}");
        let report = firsttouch(&["report", "--json", "-"]).arg(&file).output();
        let report = report.expect("the program starts");
        let report: Value = serde_json::from_slice(&report.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", text(&report.stderr)));
        if report["seen"]["absences"] != true || report["seen"]["faults"] != true {
            skip("perf events are refused: causes of slow calls are unknown");
            return None;
        }
        Some(Slow { report, file })
    }

    fn calls(&self) -> &[Value] {
        self.report["slowest"].as_array().expect("slow calls")
    }

    /// The slow calls of a function with this size.
    fn of_size(&self, function: &str, size_bytes: u64) -> impl Iterator<Item = &Value> {
        let is_it =
            move |call: &&Value| call["function"] == function && call["size_bytes"] == size_bytes;
        self.calls().iter().filter(is_it)
    }

    /// Checks what holds for all.
    fn adds_up(&self) {
        let mut before = u64::MAX;
        for call in self.calls() {
            let parts = parts(call);
            let sum: u64 = parts.iter().map(|(_, ns)| ns).sum();
            let latency_ns = number(&call["latency_ns"]);
            assert_eq!(sum, latency_ns, "{call}");
            assert!(latency_ns <= before, "{call}");
            assert_eq!(call["cause"], parts[0].0, "{call}");
            assert!(parts.is_sorted_by_key(|(_, ns)| std::cmp::Reverse(*ns)), "{call}");
            before = latency_ns;
        }
        let of = |part: &str| number(&self.report["totals"][format!("off_cpu_{part}ns")]);
        let parts = ["preempted_", "waited_", "stopped_", "unknown_"].map(of);
        assert_eq!(parts.iter().sum::<u64>(), of(""), "{}", self.report["totals"]);
        let true_ns = number(&self.report["costs"]["true_ns"]);
        assert!(of("") <= true_ns, "{true_ns}: {}", self.report["totals"]);
    }

    /// The time that threads were off their processors, for this reason, in what memory cost.
    fn off_cpu_ns(&self, reason: &str) -> u64 {
        number(&self.report["totals"][format!("off_cpu_{reason}_ns")])
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

/// What the call did, and how long.
fn parts(call: &Value) -> Vec<(&str, u64)> {
    let parts = call["parts"].as_array().expect("parts").iter();
    parts.map(|part| (part["what"].as_str().expect("a word"), number(&part["ns"]))).collect()
}

/// The cause of a call, if others had not had its processor and the recorder had not stopped it:
/// tests run beside others.
fn own_cause(call: &Value) -> &str {
    let own = parts(call).into_iter().find(|(what, _)| !["preempted", "stopped"].contains(what));
    own.expect("it did something").0
}

fn program(scratch: &Scratch) -> Option<PathBuf> {
    let flags = ["-fno-builtin", "-pthread"];
    fixture_with("slow_calls", &flags, scratch.file("slow_calls"))
}

/// Records as this user, and as an ordinary one.
fn each(way: &str, check: impl Fn(&Slow)) {
    let scratch = Scratch::new();
    let Some(program) = program(&scratch) else { return };
    let this = Some(firsttouch(&[]));
    for record in [this, firsttouch_of_nobody(&scratch)].into_iter().flatten() {
        if let Some(slow) = Slow::of(record, &program, way, &scratch) {
            slow.adds_up();
            check(&slow);
        }
    }
}

#[test]
fn a_call_that_fills_its_block_is_slow_by_its_faults() {
    each("fault", |slow| {
        let call = slow.of_size("malloc", 128 * MIB).next().expect("it is slow");
        assert_eq!(own_cause(call), "own-faults", "{call}");
        let faults = call["parts"].as_array().expect("parts");
        let faults = faults.iter().find(|part| part["what"] == "own-faults").expect("faults");
        assert!(number(&faults["times"]) >= 128 * MIB / 4096, "{call}");
        let site = &slow.report["sites"][usize::try_from(number(&call["site"])).expect("small")];
        assert!(
            site["stack"][0].as_str().is_some_and(|frame| frame.starts_with("fault ")),
            "{site}"
        );
        let callers = slow.report["callers"].as_array().expect("callers");
        assert!(callers.iter().any(|caller| &caller["slowest"] == call), "{callers:?}");
        let screen = firsttouch(&["report"]).arg(&slow.file).output().expect("it starts");
        let screen = text(&screen.stdout);
        assert!(screen.contains("Slowest call: malloc 128 MiB  fault"), "{screen}");
    });
}

#[test]
fn a_call_that_gives_much_back_is_slow_by_its_syscall() {
    each("syscall", |slow| {
        let call = slow.of_size("realloc", MIB).next().expect("it is slow");
        assert_eq!(own_cause(call), "mremap", "{call}");
    });
}

#[test]
fn a_call_that_waits_for_a_lock_is_slow_by_waiting() {
    each("lock", |slow| {
        let is_of_asker = |call: &&Value| call["function"] == "realloc";
        let mut asked = slow.calls().iter().filter(is_of_asker);
        assert!(asked.any(|call| own_cause(call) == "waited"), "{:?}", slow.calls());
        assert!(slow.off_cpu_ns("waited") > 0, "{}", slow.report["totals"]);
        let events = firsttouch(&["report", "--events", "--json", "-"]).arg(&slow.file).output();
        let events = text(&events.expect("it starts").stdout);
        let blocked = r#""kind":"off-cpu","reason":"blocked","latency_ns":"#;
        assert!(events.contains(blocked), "{} bytes of events", events.len());
    });
}

#[test]
fn a_call_whose_processor_others_have_is_slow_by_preemption() {
    each("hog", |slow| {
        let mut cleared = slow.of_size("calloc", 31 * MIB);
        let slowest = cleared.find(|call| call["cause"] == "preempted");
        let slowest = slowest.unwrap_or_else(|| panic!("{:?}", slow.calls()));
        let preempted = parts(slowest).into_iter().find(|(what, _)| *what == "preempted");
        let (_, preempted_ns) = preempted.expect("its cause");
        assert!(slow.off_cpu_ns("preempted") >= preempted_ns, "{}", slow.report["totals"]);
    });
}

#[test]
fn trace_does_not_tell_of_absences() {
    let scratch = Scratch::new();
    let Some(program) = program(&scratch) else { return };
    let traced = firsttouch(&["trace", "--json", "-", "--"]).arg(&program).arg("syscall").output();
    let lines = text(&traced.expect("it starts").stdout);
    assert!(lines.contains(r#""summary""#) && !lines.contains("off-cpu"), "{lines}");
}
