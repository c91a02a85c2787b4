//! The screen of a recording, from injected reports.

use report::View;
use results::recording::{
    CallerRow, EndedEarly, RecorderCounts, RecordingReport, RecordingTotals, RestMemory, RestRow,
    SCHEMA, SampledRecording, Seen, SiteCosts, SiteRow, ThinnedRecording, Unnamed, UnnamedFile,
};

use crate::{plain, snapshots};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const MS: u64 = 1_000_000;

pub(crate) fn seen() -> Seen {
    Seen {
        allocations: true,
        syscalls: true,
        faults: true,
        kernel_faults: true,
        stops: false,
        absences: true,
    }
}

pub(crate) fn costs(calls: u64, bytes: u64, [apparent, touch, release]: [u64; 3]) -> SiteCosts {
    SiteCosts {
        calls,
        frees: calls,
        bytes,
        apparent_ns: apparent,
        first_touch_ns: Some(touch),
        release_ns: release,
        true_ns: Some(apparent + touch + release),
        minor_faults: Some(touch / 1500),
        touch_faults: Some(touch / 1500),
        ..SiteCosts::none(seen())
    }
}

/// Makes the callers, each with one site and with a stack of two frames.
pub(crate) fn report_of(callers: &[(&str, Option<&str>, SiteCosts)]) -> RecordingReport {
    let row =
        |(index, (function, at, costs)): (usize, &(&str, Option<&str>, SiteCosts))| CallerRow {
            maps: false,
            function: (*function).to_owned(),
            at: at.map(str::to_owned),
            sites: vec![index],
            costs: *costs,
            true_per_apparent: costs.true_per_apparent(),
            slowest: None,
        };
    let site = |(function, at, costs): &(&str, Option<&str>, SiteCosts)| SiteRow {
        stack: vec![
            "operator new(unsigned long) (libstdc++.so.6)".to_owned(),
            format!("{function} ({})", at.unwrap_or("unknown")),
        ],
        costs: *costs,
        peak_bytes: costs.bytes,
        ..SiteRow::default()
    };
    let all = SiteCosts::sum(seen(), callers.iter().map(|(.., costs)| costs));
    RecordingReport {
        mapping: None,
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        command: vec!["./app".to_owned(), "data file.bin".to_owned()],
        attached: None,
        redacted: false,
        elapsed_ns: 3210 * MS,
        seen: seen(),
        totals: RecordingTotals {
            calls: all.calls,
            timed_calls: all.calls,
            frees: all.frees,
            release_calls: all.frees,
            timed_release_calls: all.frees,
            allocated_bytes: all.bytes,
            peak_live_bytes: 120 * MIB,
            peak_ns: 1200 * MS,
            minor_faults: all.minor_faults,
            major_faults: Some(0),
            faults_attributed: all.minor_faults,
            faults_untimed: Some(0),
            processes: 1,
            threads: 1,
            threads_ns: 3210 * MS,
            probe_ns_per_call: Some(41.3),
            probe_ns_per_fault: Some(180),
            ..RecordingTotals::default()
        },
        ended_early: None,
        faults_until_ns: None,
        recorder: Some(RecorderCounts { processes: 1, threads: 1, ..RecorderCounts::default() }),
        costs: all,
        share: all.true_ns.map(|ns| ns as f64 / (3210 * MS) as f64),
        recording_ns: Some(131 * MS),
        recording_share: Some(0.041),
        thinned: None,
        sampled: None,
        sites: callers.iter().map(site).collect(),
        callers: callers.iter().enumerate().map(row).collect(),
        rest: vec![rest(RestMemory::File, 210, 600_000), rest(RestMemory::Stack, 12, 21_000)],
        start: Some(crate::start::usual()),
        ..RecordingReport::default()
    }
}

fn rest(kind: RestMemory, minor_faults: u64, fault_ns: u64) -> RestRow {
    RestRow { kind, minor_faults, major_faults: 0, fault_ns }
}

pub(crate) fn usual() -> RecordingReport {
    let long = "app::formats::jpeg::Decoder<app::io::Buffered<std::fs::File>>::decode_all_scans";
    let mut callers = vec![
        ("Image::decode", Some("img.rs:212"), costs(48, 1200 * MIB, [300_000, 180 * MS, 6 * MS])),
        (long, Some("jpeg.rs:77"), costs(9841, 310 * MIB, [9 * MS, 60 * MS, 5 * MS])),
        ("0x4f20", Some("libplugin.so"), costs(3, 4096, [900, 0, 100])),
        ("0x7f1200004f20", None, costs(1, 64, [80, 0, 0])),
    ];
    let small = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    callers.splice(2..2, small.map(|name| (name, Some("x.c:1"), costs(1000, MIB, [MS, MS, MS]))));
    report_of(&callers)
}

fn troubled() -> RecordingReport {
    let costs = SiteCosts {
        failed: 2,
        unreleased: 3,
        unreleased_bytes: 96,
        ..costs(5, 160, [50, 9000, 0])
    };
    let mut report = report_of(&[("main", Some("main.c:9"), costs)]);
    report.command.clear();
    (report.attached, report.seen.kernel_faults, report.seen.stops) = (Some(1234), false, true);
    report.redacted = true;
    report.ended_early = Some(EndedEarly::Limit);
    report.thinned = Some(ThinnedRecording {
        from_ns: 800 * MS,
        one_in: 64,
        first_touch_error_ns: 1_200,
        calls_without_site: 2,
    });
    report.totals = RecordingTotals {
        lost: 17,
        damaged: 1,
        failed: 2,
        unknown_releases: 1,
        lost_releases: 4,
        release_calls: 640,
        timed_release_calls: 10,
        threads: 4,
        processes: 2,
        minor_faults: Some(318),
        ..report.totals
    };
    report.rest.push(rest(RestMemory::Unknown, 90, 100_000));
    let unnamed =
        |path: &str, why| UnnamedFile { path: path.to_owned(), why, ..UnnamedFile::default() };
    report.unnamed = vec![
        unnamed("/opt/app", Unnamed::Changed),
        unnamed("/lib/a.so", Unnamed::Missing),
        unnamed("/lib/b.so", Unnamed::Missing),
    ];
    report
}

/// The usual, but only some calls have their stack.
fn sampled() -> RecordingReport {
    let mut report = usual();
    report.sampled = Some(SampledRecording { mean_bytes: 64 << 10, chosen_calls: 12_410 });
    let error = |costs: &mut SiteCosts| {
        // One call in a hundred, but the largest are chosen for certain.
        let calls = costs.calls * u64::from(costs.bytes / costs.calls < MIB);
        costs.calls_error = Some(10 * calls.isqrt());
        costs.bytes_error = costs.calls_error.map(|error| error * (costs.bytes / costs.calls));
        let of_time = |ns: Option<u64>| Some(ns.unwrap_or(0) / 17 * u64::from(calls > 0));
        costs.first_touch_error_ns = of_time(costs.first_touch_ns);
        costs.true_error_ns = of_time(costs.true_ns);
    };
    report.callers.iter_mut().for_each(|caller| error(&mut caller.costs));
    report.sites.iter_mut().for_each(|site| error(&mut site.costs));
    report.callers[1].costs.calls = 9_841_237;
    report
}

#[test]
fn the_usual_and_the_troubled_in_every_view() {
    snapshots("recording", |view| report::recording_screen(&usual(), "app.ft", view));
    snapshots("recording_sampled", |view| report::recording_screen(&sampled(), "app.ft", view));
    snapshots("recording_troubled", |view| report::recording_screen(&troubled(), "a b.ft", view));
}

#[test]
fn what_was_not_recorded_is_said() {
    let mut nothing = report_of(&[]);
    nothing.costs = SiteCosts::none(seen());
    let screen =
        plain(&report::recording_screen(&nothing, "a.ft", View::brief(None)), View::brief(None));
    assert!(screen.contains("No call of an allocator was recorded:"), "{screen}");
    let head = "./app 'data file.bin': ran 3,210 ms, no allocation calls seen; 222 faults took \
                621 us = 0.02 % of it\n";
    assert!(screen.starts_with(head), "{screen}");
    assert!(screen.ends_with(
        "Next: firsttouch report a.ft --events    (line by line, in the order of time)\n"
    ));
    nothing.totals.pauses = 1;
    let screen = report::recording_screen(&nothing, "a.ft", View::brief(None));
    assert!(screen.contains("was recorded in the time without pauses."), "{screen}");
    nothing.totals.pauses = 0;
    let mut still = RecordingReport { recording_ns: Some(0), ..nothing.clone() };
    still.rest.clear();
    let screen = report::recording_screen(&still, "a.ft", View::brief(None));
    assert!(screen.contains("no allocation calls seen; no faults\n"), "{screen}");
    assert!(!screen.contains("recording cost"), "{screen}");
    nothing.seen.allocations = false;
    let screen = report::recording_screen(&nothing, "a.ft", View::brief(None));
    assert!(screen.contains("Calls of the allocator were not recorded"), "{screen}");
    assert!(screen.contains("allocation calls not recorded; 222 faults took"), "{screen}");
    // Of a file that was cut, nobody knows.
    nothing.seen.allocations = true;
    nothing.ended_early = Some(EndedEarly::Unknown);
    let screen = report::recording_screen(&nothing, "a.ft", View::brief(None));
    assert!(screen.contains("or longer, allocation calls unknown; 222 faults took"), "{screen}");
    assert!(screen.contains("is not known: the file ends before any"), "{screen}");

    let blind = Seen { faults: false, ..seen() };
    let half = SiteCosts { calls: 2, apparent_ns: 700, release_ns: 30, ..SiteCosts::none(blind) };
    let mut report = report_of(&[("main", None, half)]);
    (report.seen, report.costs, report.share) = (blind, half, None);
    let screen = plain(
        &report::recording_screen(&report, "a.ft", View::brief(Some(80))),
        View::brief(Some(80)),
    );
    assert!(screen.contains("first touch unknown") && screen.contains("known in part"), "{screen}");
    assert!(!screen.contains("true"), "no column that is not known: {screen}");
}

#[test]
fn hostile_names_are_inert_on_any_terminal() {
    let evil = "\u{1b}[2J\nevil";
    let mut hostile = report_of(&[(evil, Some(evil), costs(1, 8, [1, 1, 1]))]);
    hostile.command = vec![evil.to_owned()];
    hostile.sites[0].stack = vec![evil.repeat(90); 40];
    hostile.unnamed =
        [Unnamed::Missing, Unnamed::Unreadable, Unnamed::Unchecked, Unnamed::Stripped]
            .map(|why| UnnamedFile {
                path: evil.to_owned(),
                why,
                build_id: Some(evil.to_owned()),
                reason: (why == Unnamed::Unreadable).then(|| evil.to_owned()),
                cost_ns: 3,
            })
            .to_vec();
    for width in [None, Some(1), Some(40), Some(80), Some(200)] {
        let view = View::verbose(width);
        let screen = plain(&report::recording_screen(&hostile, evil, view), view);
        assert!(!screen.contains('\u{1b}') && !screen.contains("\nevil"), "{screen:?}");
    }
}

#[test]
fn the_rows_are_all_callers() {
    let callers: Vec<_> =
        (0..12).map(|_| ("f", Some("f.c:1"), costs(10, MIB, [MS, MS, MS]))).collect();
    for (count, rows, others) in [(10, 10, false), (11, 11, false), (12, 10, true)] {
        let report = report_of(&callers[..count]);
        let screen = report::recording_screen(&report, "a.ft", View::brief(Some(80)));
        let screen = plain(&screen, View::brief(Some(80)));
        let shown = screen.lines().filter(|line| line.contains(" f  f.c:1")).count();
        assert_eq!((shown, screen.contains("2 other sites")), (rows, others), "{screen}");
    }
}

#[test]
fn what_the_recorder_says_of_itself_is_shown_where_it_matters() {
    let screen = |report: &RecordingReport, view| {
        plain(&report::recording_screen(report, "a.ft", view), view)
    };
    let mut report = usual();
    let recorder = RecorderCounts {
        waited_ns: 900_000,
        cut_stacks: 40,
        clock_error_ns: Some(800),
        ..RecorderCounts::default()
    };
    report.recorder = Some(recorder);
    let brief = screen(&report, View::brief(None));
    assert!(!brief.contains("waited") && !brief.contains("end early"), "{brief}");
    let verbose = screen(&report, View::verbose(None));
    for line in ["waited 900 us", "Stacks of 40 calls end early", "800 ns"] {
        assert!(verbose.contains(line), "{line}: {verbose}");
    }
    report.recorder = Some(RecorderCounts {
        lost_calls: 3,
        waited_ns: 400 * MS,
        nested_calls: 2,
        cut_stacks: 9000,
        unknown_stacks: 7,
        checked_stacks: 100,
        wrong_stacks: 1,
        own_allocators: 1,
        deep_libraries: 2,
        gave_up: 1,
        silent_programs: 2,
        ..recorder
    });
    let brief = screen(&report, View::brief(None));
    for line in [
        "3 calls are missing",
        "The calls of 2 programs are missing",
        "waited 400 ms",
        "2 calls of signal handlers",
        "Stacks of 9,000 calls end early",
        "Stacks of 7 calls are unknown",
        "Of 100 stacks that were checked, 1 was wrong",
        "allocator of its own: 1",
        "RTLD_DEEPBIND: 2",
    ] {
        assert!(brief.contains(line), "{line}: {brief}");
    }
}

#[test]
fn blocks_at_an_early_end_are_no_leaks() {
    let mut report = troubled();
    report.ended_early = None;
    let view = View::brief(None);
    let screen = |report: &_| plain(&report::recording_screen(report, "a.ft", view), view);
    assert!(screen(&report).contains("3 blocks (96 B) never freed"));
    report.ended_early = Some(EndedEarly::Limit);
    let early = screen(&report);
    assert!(
        early.contains("3 blocks (96 B) live at the end") && !early.contains("never"),
        "{early}"
    );
}

#[test]
fn a_pause_is_one_line_and_no_leak() {
    let mut report = usual();
    let pauses = RecordingTotals {
        pauses: 2,
        paused_ns: 1605 * MS,
        across_pauses: 3,
        across_pauses_bytes: 96,
        lost_releases: 4,
        ..report.totals
    };
    report.totals = pauses;
    let view = View::brief(None);
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    let line = "The recording was paused for 1,605 ms of 3,210 ms: 4 blocks whose release was not \
                seen, 3 blocks (96 B) from before a pause that may have been freed in it.";
    assert!(screen.contains(line), "{screen}");
    assert!(screen.contains("of what was recorded"), "{screen}");
    report.totals = RecordingTotals { across_pauses: 0, lost_releases: 0, ..pauses };
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(screen.contains("paused for 1,605 ms of 3,210 ms."), "{screen}");
}

#[test]
fn what_memory_cost_that_was_not_allocated_is_in_the_first_line() {
    let mut report = usual();
    report.rest.push(rest(RestMemory::Anonymous, 102_250, 1070 * MS));
    report.rest.push(rest(RestMemory::Recorder, 20, 900 * MS));
    let view = View::brief(None);
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    let head = "ran 3,210 ms, allocations cost 287 ms = 9.0 % of it; 102,472 other faults took \
                1,071 ms = 33.4 %\n";
    assert!(screen.contains(head), "{screen}");
}

#[test]
fn the_cost_of_recording_is_a_lower_bound_and_says_of_what() {
    let screen = |report: &RecordingReport| {
        let view = View::brief(None);
        plain(&report::recording_screen(report, "a.ft", view), view)
    };
    let mut report = usual();
    let line = "recording cost about 131 ms = 4.1 % (41.3 ns a call, 180 ns a fault; what \
                syscalls cost is not known)";
    assert!(screen(&report).contains(line), "{}", screen(&report));
    report.totals.probe_ns_per_syscall = Some(250);
    let line = "(41.3 ns a call, 180 ns a fault, 250 ns a syscall)";
    assert!(screen(&report).contains(line), "{}", screen(&report));
    report.recording_ns = None;
    assert!(!screen(&report).contains("recording cost"), "{}", screen(&report));
}

#[test]
fn what_an_ordinary_user_cannot_see_is_said() {
    let screen = |seen| {
        let view = View::brief(None);
        let report = RecordingReport { seen, ..usual() };
        plain(&report::recording_screen(&report, "a.ft", view), view)
    };
    assert!(!screen(seen()).contains("note"), "{}", screen(seen()));
    let ordinary = Seen { kernel_faults: false, stops: true, ..seen() };
    for part in ["page faults in the kernel", "stopped at each memory syscall", "Root records"] {
        assert!(screen(ordinary).contains(part), "{}", screen(ordinary));
    }
    let without_calls = Seen { kernel_faults: false, syscalls: false, ..seen() };
    for part in ["Page faults in the kernel", "Memory syscalls were not recorded"] {
        assert!(screen(without_calls).contains(part), "{}", screen(without_calls));
    }
    let stopped = screen(Seen { stops: true, ..seen() });
    assert!(stopped.contains("stopped at each") && !stopped.contains("ordinary"), "{stopped}");
}

#[test]
fn a_recording_of_a_part_says_which() {
    let screen = |report: &RecordingReport| {
        let view = View::brief(None);
        plain(&report::recording_screen(report, "a.ft", view), view)
    };
    let mut report = usual();
    report.ended_early = Some(EndedEarly::Stopped);
    let first = ": recorded for its first 3,210 ms (it went on), memory cost";
    assert!(screen(&report).contains(first), "{}", screen(&report));
    report.attached = Some(77);
    let head = "./app 'data file.bin' (process 77): recorded for 3,210 ms (it went on), ";
    assert!(screen(&report).starts_with(head), "{}", screen(&report));
    (report.command, report.ended_early) = (Vec::new(), None);
    assert!(screen(&report).starts_with("Process 77: recorded for 3,210 ms, "));
}

#[test]
fn calls_without_stacks_are_one_row() {
    let mut report = report_of(&[("unknown", None, costs(9, MIB, [MS, MS, MS]))]);
    report.sites[0].stack.clear();
    let view = View::verbose(Some(80));
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(screen.contains("1 all calls (no stacks"), "{screen}");
    assert!(!screen.contains("-v") && !screen.contains("unknown"), "{screen}");
}

/// The screen of a recording whose callers cost 100 ms, with `file` unnamed.
fn with_unnamed(file: UnnamedFile) -> String {
    let mut report =
        report_of(&[("0x13", Some("sort"), costs(9, MIB, [20 * MS, 70 * MS, 10 * MS]))]);
    report.unnamed = vec![file];
    report::recording_screen(&report, "a.ft", View::brief(None))
}

#[test]
fn code_without_names_has_a_hint_where_it_is_most_of_the_cost() {
    let file = |why, cost_ns, build_id: Option<&str>| UnnamedFile {
        path: "/usr/bin/sort".to_owned(),
        why,
        build_id: build_id.map(str::to_owned),
        cost_ns,
        ..UnnamedFile::default()
    };
    let shown = with_unnamed(file(Unnamed::Stripped, 51 * MS, Some("0123456789abcdef")));
    for part in [
        "51 % of the cost is in code without names, such as /usr/bin/sort (build 0123456789ab): ",
        "`debuginfod-find debuginfo 0123456789abcdef`",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let shown = with_unnamed(file(Unnamed::NoLines, 51 * MS, None));
    assert!(shown.contains("without lines, such as /usr/bin/sort (no build id)"), "{shown}");
    assert!(!shown.contains("debuginfod-find"), "{shown}");
    for (why, cost_ns) in [(Unnamed::Stripped, 49 * MS), (Unnamed::Missing, 90 * MS)] {
        let shown = with_unnamed(file(why, cost_ns, None));
        assert!(!shown.contains("code without"), "{shown}");
    }
    let shown = with_unnamed(file(Unnamed::Unchecked, 1, None));
    assert!(shown.contains("Names in /usr/bin/sort are those of the file"), "{shown}");
    assert!(!with_unnamed(file(Unnamed::Unchecked, 0, None)).contains("Names in"));
}

#[test]
fn what_is_wrong_with_a_file_or_its_debug_file_is_said() {
    let file = |why, cost_ns| UnnamedFile {
        path: "/opt/app".to_owned(),
        why,
        reason: Some("/opt/app.debug: it is of another build".to_owned()),
        cost_ns,
        ..UnnamedFile::default()
    };
    let shown = with_unnamed(file(Unnamed::NoLines, 11 * MS));
    let said = "11 % of the cost is in /opt/app, without lines: /opt/app.debug: it is of another";
    assert!(shown.contains(said), "{shown}");
    assert!(!with_unnamed(file(Unnamed::NoLines, 9 * MS)).contains("without lines"));
    let shown = with_unnamed(UnnamedFile {
        reason: Some("permission denied".to_owned()),
        ..file(Unnamed::Unreadable, 0)
    });
    assert!(shown.contains("No names for the code of /opt/app: permission denied."), "{shown}");
}

#[test]
fn few_faults_of_unknown_memory_are_not_worth_a_line() {
    let view = View::brief(None);
    let mut report = usual();
    report.totals.minor_faults = Some(67);
    report.rest.push(rest(RestMemory::Unknown, 2, 10));
    let screen = report::recording_screen(&report, "a.ft", view);
    assert!(!screen.contains("of unknown memory"), "{screen}");
    report.totals.minor_faults = Some(6700);
    report.rest.push(rest(RestMemory::Unknown, 200, 10));
    let screen = report::recording_screen(&report, "a.ft", view);
    assert!(screen.contains("3 % of the faults are of unknown memory"), "{screen}");
}

#[test]
fn the_release_line_says_what_the_estimate_hangs_on() {
    let mut report = usual();
    (report.totals.release_calls, report.totals.timed_release_calls) = (800, 100);
    let many = report::recording_screen(&report, "a.ft", View::brief(None));
    assert!(many.contains("(estimated: 1 of 8 frees was timed)"), "{many}");
    (report.totals.release_calls, report.totals.timed_release_calls) = (24, 3);
    let few = report::recording_screen(&report, "a.ft", View::brief(None));
    assert!(few.contains("(estimated: 1 of 8 frees was timed; only 3, so it is coarse)"), "{few}");
    (report.totals.release_calls, report.totals.timed_release_calls) = (9, 0);
    let view = View::brief(None);
    let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(screen.contains("release unknown (none was timed)"), "{screen}");
}

#[test]
fn a_recording_without_a_chosen_call_has_its_sums() {
    let mut report = sampled();
    report.callers.clear();
    report.sites.clear();
    report.sampled = Some(SampledRecording { mean_bytes: 1 << 30, chosen_calls: 0 });
    let screen = report::recording_screen(&report, "a.ft", View::brief(None));
    assert!(screen.contains("memory cost 287 ms"), "{screen}");
    assert!(screen.contains("No call was chosen to have its stack"), "{screen}");
}

/// Functions of one template, or with other arguments alone.
#[test]
fn names_that_would_read_the_same_are_told_apart() {
    let long = "std::map<std::string, app::Settings, std::less<std::string> >";
    let function =
        |kind: &str| format!("void app::fill_all<{long}, {kind}>({long}&, std::vector<{long} >)");
    let [first, second] = ["app::Reader", "app::Writer"].map(function);
    let at = Some("fill.h:20");
    let report = report_of(&[
        (&first, at, costs(10, MIB, [5 * MS, 4 * MS, MS])),
        (&second, at, costs(9, MIB, [4 * MS, 4 * MS, MS])),
        (&function("app::Other"), Some("fill.h:30"), costs(8, MIB, [3 * MS, 4 * MS, MS])),
    ]);
    for width in [Some(80), Some(100), Some(120), None] {
        let view = View::brief(width);
        let screen = plain(&report::recording_screen(&report, "a.ft", view), view);
        let line = |number: &str| {
            screen
                .lines()
                .find(|line| line.starts_with(number))
                .unwrap_or_else(|| panic!("{screen}"))
        };
        assert!(line("1 ").contains("[Reader]"), "{width:?}: {screen}");
        assert!(line("2 ").contains("[Writer]"), "{width:?}: {screen}");
        assert!(!line("3 ").contains('['), "its place tells it apart: {screen}");
        assert!(width.is_none_or(|width| screen.lines().all(|line| line.chars().count() <= width)));
    }
}
