//! The screen of a diagnosis, from injected ones.

use results::doctor::{Check, Diagnosis, SCHEMA, State};

fn diagnosis(checks: Vec<Check>) -> Diagnosis {
    Diagnosis { schema: SCHEMA.to_owned(), version: "0.1.0".to_owned(), checks }
}

fn every_state() -> Diagnosis {
    let switch = "/sys/kernel/mm/transparent_hugepage";
    diagnosis(vec![
        Check::new("thp", State::Warn, "always; defrag madvise; khugepaged every 10 s")
            .effect("bench: every arm of 2 MiB or more may get huge pages without asking, so ratios say little")
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
        .effect("bench: traps are not counted; the kernel's count of minor faults stands in their place, in brackets")
        .fix("sudo sysctl kernel.perf_event_paranoid=2")
        .touching("bench"),
    ])
}

/// As it looks where styles are stripped.
fn plain(diagnosis: &Diagnosis, width: Option<usize>) -> String {
    anstream::adapter::strip_str(&report::doctor_screen(diagnosis, report::View::verbose(width)))
        .to_string()
}

#[test]
fn every_state_at_80_columns() {
    let screen = plain(&every_state(), Some(80));
    assert!(
        screen.lines().all(|line| line.chars().count() <= 80),
        "wider than 80 columns:\n{screen}"
    );
    insta::assert_snapshot!(screen);
}

#[test]
fn every_state_in_a_pipe() {
    insta::assert_snapshot!(plain(&every_state(), None));
}

#[test]
fn the_summary_counts_what_bench_measures() {
    let last_lines = |mut keep: Vec<&str>, width| {
        let mut some = every_state();
        keep.push("swap");
        some.checks.retain(|check| keep.contains(&check.id.as_str()));
        let screen = plain(&some, width);
        screen.lines().rev().take(2).map(str::to_owned).collect::<Vec<_>>().join(" <- ")
    };
    assert_eq!(
        last_lines(vec![], None),
        "Next: firsttouch bench    (which way of getting memory is cheapest here, and why) <- \
         None of 1 checks found anything that distorts or hides a measurement."
    );
    assert!(
        last_lines(vec!["tracefs"], None)
            .ends_with("1 of 2 checks hide a measurement here, none what bench measures.")
    );
    assert!(last_lines(vec!["thp"], None).contains("(again, after the fix of thp)"));
    assert!(
        last_lines(vec!["mthp"], None)
            .ends_with("1 of 2 checks distort or hide what bench measures here.")
    );
    let mut busy = every_state();
    busy.checks =
        vec![Check::new("busy-machine", State::Warn, "others: 1.0 of 2").touching("bench")];
    assert!(plain(&busy, None).contains("Next: firsttouch bench --max-time 5m"));
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
        let screen = plain(&hostile, width);
        assert!(!screen.contains('\u{1b}') && !screen.contains("\nevil"), "{screen:?}");
    }
    assert!(plain(&diagnosis(vec![]), Some(80)).contains("Next:"));
}
