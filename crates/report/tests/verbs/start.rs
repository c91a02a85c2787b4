//! The line about the start, from injected figures.

use report::View;
use results::start::{ProgramStart, StartCause, StartCauseRow, StartUntil, StartedImages};

use crate::{plain, trace};

pub(crate) fn usual() -> ProgramStart {
    let row = |cause, path: &str, faults, fault_ns| StartCauseRow {
        cause,
        faults,
        major_faults: u64::from(cause == StartCause::ColdPages),
        fault_ns,
        bytes: faults * 4096,
        path: Some(path).filter(|path| !path.is_empty()).map(str::to_owned),
    };
    let libc = "/usr/lib/x86_64-linux-gnu/libc.so.6";
    ProgramStart {
        program: Some("/usr/bin/app".to_owned()),
        until: StartUntil::Entry,
        elapsed_ns: 2_300_000,
        faults: 1214,
        major_faults: 1,
        fault_ns: 1_912_000,
        bytes: 1214 * 4096,
        by_cause: vec![
            row(StartCause::Exec, "", 3, 900_000),
            row(StartCause::Relocations, "/usr/lib/libpython3.11.so.1.0", 1061, 800_000),
            row(StartCause::ColdPages, libc, 120, 190_000),
            row(StartCause::Constructors, libc, 20, 20_000),
            row(StartCause::Memory, "", 10, 2_000),
        ],
        images: StartedImages { images: 1, ..StartedImages::default() },
        ..ProgramStart::default()
    }
}

/// The sentence about `start` in the table of a trace.
fn sentence(start: ProgramStart, view: View) -> String {
    let mut table = trace::table();
    table.start = Some(start);
    let screen = plain(&report::trace_table(&table, view), view);
    let mut lines = screen.lines().skip_while(|line| !line.starts_with("Start"));
    let first = lines.next().unwrap_or_default().to_owned();
    lines.take_while(|line| line.starts_with(' ')).fold(first, |all, line| all + " " + line.trim())
}

#[test]
fn the_line_says_what_was_paid_until_when_and_for_what() {
    let wide = View::brief(None);
    let expect = "Start: 1,214 faults, 1.91 ms of the 2.30 ms before its entry (_start): exec \
                  itself 900 us (3), relocations 800 us (1,061; most: libpython3.11.so.1.0), cold \
                  pages 190 us (120, 1 major), constructors 20.0 us (20), the linker's memory 2.00 \
                  us (10).";
    for view in [wide, View::brief(Some(80)), View::brief(Some(120))] {
        assert_eq!(sentence(usual(), view), expect);
    }
    let verbose = sentence(usual(), View { verbose: true, ..wide });
    assert!(verbose.contains("(120, 1 major; most: libc.so.6)"), "{verbose}");
}

#[test]
fn other_programs_and_doubts_are_said() {
    let wide = View::brief(None);
    let other = ProgramStart {
        program: Some("/usr/bin/dash".to_owned()),
        until: StartUntil::Main,
        unsure_faults: Some(900),
        unsure_ns: Some(700_000),
        by_cause: Vec::new(),
        images: StartedImages {
            images: 45,
            faults: 9800,
            fault_ns: 61_000_000,
            ..StartedImages::default()
        },
        ..usual()
    };
    let expect = "Start of dash: 1,214 faults, 1.91 ms of the 2.30 ms before main. 900 more (700 \
                  us) came before main or in it. All 45 programs until their entries: 9,800 \
                  faults, 61.0 ms.";
    assert_eq!(sentence(other, wide), expect);
    let ends = [
        (StartUntil::Constructor, "until the last constructor that was seen."),
        (StartUntil::Relro, "until its relocations were done."),
    ];
    for (until, words) in ends {
        let start = ProgramStart { until, by_cause: Vec::new(), ..usual() };
        assert!(sentence(start, wide).ends_with(words));
    }
    let untimed = ProgramStart { untimed_faults: 1214, by_cause: Vec::new(), ..usual() };
    assert!(sentence(untimed, wide).contains(", of unknown time of the 2.30 ms before"));
    let none = ProgramStart { faults: 0, by_cause: Vec::new(), ..usual() };
    assert!(sentence(none, wide).contains("0 faults in the 2.30 ms before"));
}
