//! The timeline of a recording, against what the kernel says at known moments.

use serde_json::Value;

use super::{Manner, Recorded, plain_fixture};
use crate::program::{Scratch, text};

/// What a program may have resident beside what the recording shows: pages of its arguments, and
/// those that the kernel touches for it.
const UNSEEN_BYTES: u64 = 512 << 10;

fn steps(report: &Value) -> &[Value] {
    report["timeline"]["steps"].as_array().expect("steps")
}

fn sum(report: &Value, key: &str) -> u64 {
    steps(report).iter().map(|step| step[key].as_u64().expect("it was seen")).sum()
}

/// Live and resident bytes at each moment of the program.
fn moments(recorded: &Recorded) -> Vec<(u64, u64)> {
    let said = text(&recorded.under.stdout);
    let lines = said.lines().filter_map(|line| line.strip_prefix("expect moment "));
    let moment = |line: &str| {
        let (live, resident) = line.split_once(' ').expect("two numbers");
        (live.parse().expect("a number"), resident.parse().expect("a number"))
    };
    lines.map(moment).collect()
}

#[test]
fn the_resident_bytes_are_those_of_the_kernel() {
    let scratch = Scratch::new();
    let Some(program) = plain_fixture("recorded_resident", &scratch) else { return };
    let manner = Manner::default();
    let Some(recorded) = Recorded::of(&[program.as_os_str()], manner, &scratch) else { return };
    let moments = moments(&recorded);
    assert_eq!(moments.len(), 10, "{}", text(&recorded.under.stdout));
    for (live, resident) in moments {
        // The program rests at the moment, whose block is its last act before.
        let step = steps(&recorded.report).iter().find(|step| step["live_end_bytes"] == live);
        let step = step.unwrap_or_else(|| panic!("{live}: {:#?}", steps(&recorded.report)));
        let found = step["resident_end_bytes"].as_u64().expect("it is known");
        assert!(found.abs_diff(resident) <= UNSEEN_BYTES, "{live}: {resident}, not {step}");
    }
    let report = &recorded.report;
    let totals = &report["totals"];
    let faults = recorded.total("minor_faults") + recorded.total("major_faults");
    assert_eq!(sum(report, "faults"), faults);
    assert_eq!(sum(report, "calls"), recorded.total("calls"));
    assert_eq!(sum(report, "syscalls"), recorded.total("syscalls"));
    let most = steps(report).iter().filter_map(|step| step["live_bytes"].as_u64()).max();
    assert_eq!(most, totals["peak_live_bytes"].as_u64());
    assert_eq!(report["timeline"]["moments"].as_array().map(Vec::len), Some(3));
}
