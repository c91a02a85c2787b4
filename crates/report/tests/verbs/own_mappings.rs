//! Rows of what the program maps itself.

use report::{RecordingScreen, View};
use results::recording::{CallParts, RecordingReport, ServedCalls, SiteDetail};

use crate::plain;
use crate::recording::{MIB, MS, costs, report_of, usual};

/// A function that maps, and its twin that asks the allocator.
fn mapped() -> RecordingReport {
    let rows = [
        ("pool", Some("pool.c:9"), costs(102, 640 * MIB, [MS, 240 * MS, 30 * MS])),
        ("pool", Some("pool.c:9"), costs(8, MIB, [MS, 20 * MS, MS])),
    ];
    let mut report = report_of(&rows);
    (report.sites[0].maps, report.callers[0].maps) = (true, true);
    report.costs = report.callers[0].costs.without_counts();
    let blocks = report.callers[1].costs;
    report.costs.add(&blocks);
    report.totals.calls = 8;
    (report.totals.mapping_calls, report.totals.mapped_bytes) = (102, 640 * MIB);
    report.sites[0].costs.unreleased = 2;
    report.callers[0].costs.unreleased = 2;
    report.callers[0].costs.unreleased_bytes = 48 * MIB;
    report.callers[0].costs.frees = 101;
    report.sites[0].detail = SiteDetail {
        parts: CallParts { user_ns: 2000, syscall_ns: MS, ..CallParts::default() },
        served: ServedCalls { mmap: 102, ..ServedCalls::default() },
        ..SiteDetail::default()
    };
    report
}

#[test]
fn mappings_are_told_from_blocks() {
    for width in [None, Some(80), Some(120)] {
        let view = View::brief(width);
        let screen = plain(&report::recording_screen(&mapped(), "a.ft", view), view);
        let joined = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "8 calls, 1 MiB asked for,",
            "102 calls of mmap or mremap (640 MiB)",
            "1 pool (mmap) pool.c:9 640 MiB",
            "2 pool pool.c:9 1 MiB",
            "pool at pool.c:9: its 102 calls of mmap say 1.00 ms, truly cost 271 ms",
        ] {
            assert!(joined.contains(part), "{part}: {screen}");
        }
    }
    let none = report::recording_screen(&usual(), "a.ft", View::brief(None));
    assert!(!none.contains("mmap"), "{none}");
}

#[test]
fn a_program_that_only_maps_has_no_line_of_calls() {
    let mut report = mapped();
    report.callers.truncate(1);
    report.sites.truncate(1);
    report.costs = report.callers[0].costs.without_counts();
    report.totals.calls = 0;
    let view = View::brief(None);
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(screen.contains("memory cost 271 ms"), "{screen}");
    assert!(screen.contains("\n102 calls of mmap or mremap (640 MiB)\n"), "{screen}");
}

#[test]
fn a_mapping_row_in_full_says_what_a_mapping_has() {
    let (view, report) = (View::brief(Some(120)), mapped());
    let wanted = RecordingScreen { file: "a.ft", ..RecordingScreen::default() };
    let screen = report::site_screen(&report, 1, &wanted, view).expect("a row");
    let screen = plain(&screen, view);
    for line in [
        "1 pool (mmap)  pool.c:9",
        "mapped         640 MiB in 102 calls",
        "mappings       101 times unmapped, wholly or in part, 2 (48 MiB) there at the end",
    ] {
        assert!(screen.contains(line), "{line}: {screen}");
    }
    assert!(screen.contains("2.00 us beside the syscalls, 1.00 ms in syscalls"), "{screen}");
    assert!(!screen.contains("served") && !screen.contains("in the allocator"), "{screen}");
}

#[test]
fn rows_without_stacks_are_two_where_the_program_maps() {
    let mut report = mapped();
    report.sites.iter_mut().for_each(|site| site.stack.clear());
    let view = View::brief(Some(120));
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(screen.contains("1 all calls (no stacks were recorded) (mmap)"), "{screen}");
    assert!(screen.contains("2 all calls (no stacks were recorded)  "), "{screen}");
}
