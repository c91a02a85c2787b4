//! What a program maps itself, by call site: against what the program counts with getrusage(2).

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::allocators::library;
use super::attributed::number;
use super::{Manner, Recorded, plain_fixture};
use crate::program::{Scratch, firsttouch, skip, text};

/// That of the C library, and others by the names of their files.
const ALLOCATORS: [Option<&str>; 4] =
    [None, Some("libjemalloc.so.2"), Some("libmimalloc.so.2"), Some("libtcmalloc_minimal.so.4")];

/// Calls, bytes and faults of a function that maps.
type Counts = BTreeMap<String, (u64, u64, u64)>;

/// What `fixtures/recorded_mappings.c` says of its functions.
fn said(output: &str) -> Counts {
    let lines = output.lines().filter_map(|line| line.strip_prefix("counted "));
    let counts = lines.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().expect("a number");
        (words[0].to_owned(), (number(1), number(2), number(3)))
    });
    counts.collect()
}

/// What a report says of the callers that map.
fn reported(report: &Value) -> Counts {
    let rows = report["callers"].as_array().expect("callers");
    let own = rows.iter().filter(|row| row["maps"] == true);
    let counts = own.map(|row| {
        let faults = row["touch_faults"].as_u64().unwrap_or(0);
        let calls = number(row, "calls") - number(row, "failed");
        (
            row["function"].as_str().expect("a name").to_owned(),
            (calls, number(row, "bytes"), faults),
        )
    });
    counts.collect()
}

/// Each function that maps by the C library has what it counted; `said` is that.
fn agrees(report: &Value, said: &Counts) {
    let reported = reported(report);
    for (name, counts) in said.iter().filter(|(name, _)| *name != "by_hand") {
        assert_eq!(reported.get(name), Some(counts), "{name} of {reported:?}");
    }
    assert_eq!(reported.get("by_hand"), None, "who makes a syscall by hand is not seen");
    assert!(said["churn"].2 >= 20 * 64 && said["of_thread"].2 == 48, "{said:?}");
    let totals = &report["totals"];
    let calls: u64 = reported.values().map(|counts| counts.0).sum();
    assert!(number(totals, "mapping_calls") >= calls);
}

#[test]
fn a_mapping_belongs_to_the_call_site_that_made_it() {
    for allocator in ALLOCATORS {
        let scratch = Scratch::new();
        let preload = match allocator.map(library) {
            None => None,
            Some(Some(library)) => Some(library),
            Some(None) => continue,
        };
        let Some(program) = plain_fixture("recorded_mappings", &scratch) else { return };
        let manner = Manner { preload: preload.as_deref(), ..Manner::default() };
        let command = [program.as_os_str(), "/bin/sh".as_ref()];
        let Some(recorded) = Recorded::of(&command, manner, &scratch) else { return };
        recorded.lost_nothing();
        let report = &recorded.report;
        if report["seen"]["kernel_faults"] == false {
            skip("faults in the kernel are not seen");
        }
        let said = said(&text(&recorded.under.stdout));
        agrees(report, &said);
        // What the allocator maps is its own, and so is what it maps in its calls.
        let rows = report["callers"].as_array().expect("callers");
        let row = |name: &str| {
            rows.iter().find(|row| row["function"] == name && row["maps"] == true).expect("a row")
        };
        assert_eq!(number(row("churn"), "frees"), 20);
        assert_eq!(number(row("churn"), "unreleased"), 0);
        assert_eq!(number(row("moved"), "unreleased_bytes"), 0);
        assert_eq!(number(row("pool"), "unreleased_bytes"), 2 << 20, "the rest of 3 MiB");
        assert!(number(row("churn"), "release_ns") > 0);
        let served: u64 = number(&report["totals"], "allocated_bytes");
        assert!(served < 1 << 20, "{allocator:?}: mappings are not asked for by {served} bytes");
    }
}

#[test]
fn without_syscalls_the_calls_say_whose_mapping_it_is() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_mappings", &scratch) else { return };
    let file = scratch.file("recording.ft");
    let mut record = firsttouch(&["record", "--syscalls", "off", "-o"]);
    record.arg(&file).arg("--").arg(&program).arg("/bin/sh");
    let output = record.output().expect("it starts");
    let errors = text(&output.stderr);
    if output.status.code() == Some(125) && errors.contains("refused") {
        return skip(&errors);
    }
    let report = firsttouch(&["report"]).arg(&file).args(["--json", "-"]).output();
    let report: Value = serde_json::from_slice(&report.expect("it starts").stdout).expect("JSON");
    agrees(&report, &said(&text(&output.stdout)));
}

#[test]
fn a_program_that_only_maps_has_its_sites() {
    let scratch = Scratch::new();
    let source = scratch.file("only.c");
    let code = "#include <sys/mman.h>\n\
        int main(void) {\n\
            volatile char *all = mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n\
            for (int at = 0; at < 1 << 20; at += 4096) all[at] = 1;\n\
            return 0;\n\
        }\n";
    std::fs::write(&source, code).expect("a folder to write to");
    let program = scratch.file("only");
    let built = Command::new("cc").arg("-g").arg(&source).arg("-o").arg(&program).status();
    if !built.is_ok_and(|status| status.success()) {
        return skip("there is no C compiler");
    }
    let file = scratch.file("only.ft");
    let mut record = firsttouch(&["record", "-o"]);
    let output = record.arg(&file).arg("--").arg(&program).output().expect("it starts");
    let errors = text(&output.stderr);
    if output.status.code() == Some(125) && errors.contains("refused") {
        return skip(&errors);
    }
    let screen = firsttouch(&["report"]).arg(&file).output().expect("it starts");
    let screen = text(&screen.stdout);
    assert!(screen.contains("1 call of mmap or mremap (1 MiB)"), "{screen}");
    assert!(screen.contains("1 main (mmap)"), "{screen}");
    assert!(screen.contains("main at only.c:3: its call of mmap says"), "{screen}");
}
