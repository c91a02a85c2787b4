//! The screen of a diagnosis, from injected ones.

use report::View;
use results::doctor::{Check, Diagnosis, SCHEMA, State};

use crate::{plain, snapshots};

fn diagnosis(checks: Vec<Check>) -> Diagnosis {
    Diagnosis { schema: SCHEMA.to_owned(), version: "0.1.0".to_owned(), checks }
}

pub(crate) fn every_state() -> Diagnosis {
    let switch = "/sys/kernel/mm/transparent_hugepage";
    diagnosis(vec![
        Check::new("thp", State::Warn, "always; defrag madvise; khugepaged every 10 s")
            .effect(
                "bench: every arm of 2 MiB or more may get huge pages without asking, so \
                ratios say little",
            )
            .fix(format!("echo madvise | sudo tee {switch}/enabled"))
            .touching("bench"),
        Check::new("swap", State::Ok, "none: what does not fit fails and does not wait"),
        Check::new("governor", State::Skip, "the host's affair: not shown to this guest"),
        Check::new("tracefs", State::Warn, "not mounted")
            .effect("hides: watching a program through the kernel's tracepoints; bench needs none")
            .fix("sudo mount -t tracefs tracefs /sys/kernel/tracing"),
        Check::new("mthp", State::Warn, "always for pages of 64 KiB")
            .effect("bench: one fault brings in several pages")
            .fix(format!("echo never | sudo tee {switch}/hugepages-64kB/enabled"))
            .touching("bench"),
        Check::new(
            "perf-refused",
            State::Blocked,
            "level 4 (ordinary users: nothing); tried: EACCES (Permission denied)",
        )
        .effect(
            "bench: traps are not counted; the kernel's count of minor faults stands in their \
            place, in brackets",
        )
        .fix("sudo sysctl kernel.perf_event_paranoid=2")
        .touching("bench"),
    ])
}

fn shown(diagnosis: &Diagnosis, view: View) -> String {
    plain(&report::doctor_screen(diagnosis, view), view)
}

#[test]
fn every_state_in_every_view() {
    snapshots("doctor", |view| report::doctor_screen(&every_state(), view));
}

#[test]
fn the_summary_counts_what_bench_measures() {
    let ends = |mut keep: Vec<&str>| {
        let mut some = every_state();
        keep.push("swap");
        some.checks.retain(|check| keep.contains(&check.id.as_str()));
        let screen = shown(&some, View::brief(None));
        let lines: Vec<&str> = screen.lines().collect();
        (lines[0].to_owned(), lines[lines.len() - 1].to_owned())
    };
    let (first, last) = ends(vec![]);
    assert_eq!(first, "This check found no problem.");
    assert_eq!(
        last,
        "Next: firsttouch bench    (which way of getting memory is cheapest, and why)"
    );
    assert_eq!(
        ends(vec!["tracefs"]).0,
        "1 of 2 checks found a problem; it does not touch what bench measures."
    );
    assert!(ends(vec!["thp"]).1.contains("(again, after the fix of thp)"));
    assert_eq!(
        ends(vec!["mthp"]).0,
        "1 of 2 checks found a problem; it distorts or hides what bench measures."
    );
    assert_eq!(
        ends(vec!["mthp", "tracefs"]).0,
        "2 of 3 checks found a problem; 1 of them distorts or hides what bench measures."
    );
    let mut busy = every_state();
    busy.checks =
        vec![Check::new("busy-machine", State::Warn, "others: 1.0 of 2").touching("bench")];
    assert!(shown(&busy, View::brief(None)).contains("Next: firsttouch bench --max-time 5m"));
}

#[test]
fn a_brief_effect_ends_before_its_details() {
    let mut one = every_state();
    one.checks.retain(|check| check.id == "perf-refused");
    let (brief, whole) = (View::brief(None), View::verbose(None));
    assert!(shown(&one, brief).contains("    bench: traps are not counted\n"));
    assert!(shown(&one, whole).contains("traps are not counted; the kernel's count of minor"));
}

#[test]
fn hostile_and_empty_diagnoses_are_printed_all_the_same() {
    let evil = "\u{1b}[2J\nevil".to_owned();
    let mut hostile = every_state();
    for check in &mut hostile.checks {
        (check.id, check.found) = (evil.clone(), evil.clone());
        (check.effect, check.fix) = (Some(evil.clone()), Some(evil.clone()));
    }
    for width in [None, Some(1), Some(80)] {
        let screen = shown(&hostile, View::brief(width));
        assert!(!screen.contains('\u{1b}') && !screen.contains("\nevil"), "{screen:?}");
    }
    assert!(shown(&diagnosis(vec![]), View::brief(Some(80))).contains("Next:"));
}
