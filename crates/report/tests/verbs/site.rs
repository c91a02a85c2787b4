//! One row of a recording's table in full, and tables in other orders, from injected reports.

use report::{RecordingScreen, View};
use results::recording::{
    CallLatency, CallParts, CallerOrder, LatencyStep, RecordingReport, ReportFilter, Seen,
    ServedCalls, SiteCosts, SiteDetail, SizeStep, SkippedFunction, TimeStep, Toucher,
};

use crate::recording::{MIB, MS, costs, report_of, seen, usual};
use crate::{plain, snapshots};

fn toucher(function: &str, at: Option<&str>, faults: u64, fault_ns: u64) -> Toucher {
    Toucher { function: function.to_owned(), at: at.map(str::to_owned), faults, fault_ns }
}

/// The program of the blog post: one call for 100 MiB, which is touched later.
fn of_the_post() -> RecordingReport {
    let costs = SiteCosts {
        unreleased: 1,
        unreleased_bytes: 100 * MIB,
        frees: 0,
        at_peak_bytes: 100 * MIB,
        minor_faults: Some(25_601),
        touch_faults: Some(25_600),
        syscalls: Some(1),
        ..costs(1, 100 * MIB, [20_000, 62 * MS, 0])
    };
    let mut report = report_of(&[("main", Some("post.c:12"), costs)]);
    report.elapsed_ns = 90 * MS;
    report.sites[0].detail = SiteDetail {
        sizes: vec![SizeStep { from_bytes: 64 * MIB, calls: 1 }],
        latency: Some(CallLatency { timed: 1, p50_ns: 20_400, p99_ns: 20_400, max_ns: 20_400 }),
        latencies: vec![LatencyStep { upto_ns: 20_480, calls: 1 }],
        parts: CallParts { user_ns: 1_400, syscall_ns: 18_100, fault_ns: 500, touch_ns: 400 },
        served: ServedCalls { mmap: 1, ..ServedCalls::default() },
        touchers: vec![
            toucher("memset", Some("libc.so.6"), 25_599, 62 * MS - 400),
            toucher("malloc", Some("libc.so.6"), 1, 400),
        ],
        watched_bytes: 100 * MIB,
        never_touched_bytes: Some(0),
        ..SiteDetail::default()
    };
    report
}

/// The usual, with details: its second caller has two stacks.
fn detailed() -> RecordingReport {
    let mut report = usual();
    let detail = |[small, large]: [u64; 2]| SiteDetail {
        sizes: vec![
            SizeStep { from_bytes: 16, calls: small },
            SizeStep { from_bytes: 1024, calls: large },
        ],
        lifetimes: vec![
            TimeStep { from_ns: 1 << 12, blocks: small },
            TimeStep { from_ns: 1 << 14, blocks: large },
        ],
        latency: Some(CallLatency {
            timed: small + large,
            p50_ns: 100,
            p99_ns: 9_000,
            max_ns: 31_000,
        }),
        latencies: vec![
            LatencyStep { upto_ns: 100, calls: small },
            LatencyStep { upto_ns: 9_200, calls: large },
        ],
        parts: CallParts { user_ns: 5 * MS, syscall_ns: 3 * MS, fault_ns: MS, touch_ns: 40 * MS },
        served: ServedCalls { without_syscall: 8000, brk: 900, mmap: 20, ..ServedCalls::default() },
        touchers: vec![
            toucher("app::scan<std::string>(int)", Some("scan.rs:4"), 20_000, 35 * MS),
            toucher("0x4f20", Some("libjpeg.so.62"), 15_000, 20 * MS),
        ],
        other_thread_faults: 12,
        other_process_faults: 1,
        copied_faults: 3,
        copied_ns: 8_000,
        reused_faults: 2,
        reused_ns: 1_900,
        returned_faults: 900,
        watched_bytes: 150 * MIB,
        never_touched_bytes: Some(60 * MIB),
        returned_ns: 3 * MS,
        returned_bytes: 155 * MIB,
    };
    report.sites[1].detail = detail([5000, 41]);
    report.sites[12].detail = detail([4, 4796]);
    report.sites[12].detail.touchers.truncate(1);
    report.sites[0].detail.watched_bytes = 8 * MIB;
    report.sites[0].detail.never_touched_bytes = Some(8 * MIB);
    report.callers[1].sites.push(12);
    report
}

fn screen_of(report: &RecordingReport, number: usize, view: View) -> Option<String> {
    let wanted = RecordingScreen { file: "app.ft", ..RecordingScreen::default() };
    report::site_screen(report, number, &wanted, view).map(|screen| plain(&screen, view))
}

#[test]
fn a_site_in_every_view() {
    snapshots("site", |view| screen_of(&detailed(), 2, view).expect("a row"));
    snapshots("site_of_the_post", |view| screen_of(&of_the_post(), 1, view).expect("a row"));
    snapshots("recording_detailed", |view| report::recording_screen(&detailed(), "app.ft", view));
}

#[test]
fn the_post_comes_out_as_a_sentence() {
    let sentence = "main at post.c:12: its call says 20.0 us, truly costs 62.0 ms = 3,101x: 25,600 \
                    first-touch faults later, in memset.";
    let view = View::brief(None);
    let screen = plain(&report::recording_screen(&of_the_post(), "app.ft", view), view);
    assert!(screen.lines().any(|line| line == sentence), "{screen}");
    assert!(screen.ends_with("report app.ft --site 1    (its calls, blocks and stacks)\n"));
    let page = screen_of(&of_the_post(), 1, view).expect("a row");
    assert!(page.contains("\nIts call says 20.0 us, truly costs 62.0 ms"), "{page}");
    // What is a small part of the run, or no more than it says, is no story.
    let mut short = of_the_post();
    short.elapsed_ns = 9000 * MS;
    let screen = report::recording_screen(&short, "app.ft", view);
    assert!(!screen.contains("truly"), "{screen}");
    let honest = report_of(&[("main", None, costs(10, MIB, [900 * MS, MS, MS]))]);
    let screen = report::recording_screen(&honest, "app.ft", view);
    assert!(!screen.contains("truly"), "{screen}");
}

#[test]
fn where_and_when_memory_is_touched_is_said_as_far_as_it_is_known() {
    let view = View::brief(None);
    let sentence = |change: &dyn Fn(&mut SiteDetail)| {
        let mut report = of_the_post();
        change(&mut report.sites[0].detail);
        let page = screen_of(&report, 1, view).expect("a row");
        page.lines().nth(1).expect("a sentence").to_owned()
    };
    let inside = sentence(&|detail| {
        detail.parts.touch_ns = 62 * MS;
        detail.touchers = vec![toucher("memset", None, 25_600, 62 * MS)];
    });
    assert!(inside.ends_with("25,600 first-touch faults inside the calls, in memset."), "{inside}");
    let mostly = sentence(&|detail| detail.parts.touch_ns = MS);
    assert!(mostly.ends_with("25,600 first-touch faults mostly later, in memset."), "{mostly}");
    let several = sentence(&|detail| {
        let of = |name| toucher(name, Some("a.so"), 9, 20 * MS);
        detail.touchers = vec![of("0x10"), of("b"), of("c")];
    });
    assert!(several.ends_with("faults later, in 0x10 (a.so) and 2 other functions."), "{several}");
    let most = sentence(&|detail| detail.touchers[1].fault_ns = 30 * MS);
    assert!(most.ends_with("faults later, most of them in memset."), "{most}");
    let unknown = sentence(&|detail| detail.touchers.clear());
    assert!(unknown.ends_with("25,600 first-touch faults."), "{unknown}");
}

#[test]
fn lines_that_say_nothing_are_left_out() {
    let bare = report_of(&[("main", None, costs(3, 64, [500, 0, 0]))]);
    let page = screen_of(&bare, 1, View::brief(Some(80))).expect("a row");
    for word in ["served", "latency", "touched", "sizes", "lifetimes", "syscalls", "never", "  -"] {
        assert!(!page.contains(word), "{word}: {page}");
    }
    assert!(page.contains("Its 3 calls say 500 ns, truly cost 500 ns.\n"), "{page}");
    let none = Seen { faults: false, ..seen() };
    let blind = SiteCosts { calls: 2, apparent_ns: 700, ..SiteCosts::none(none) };
    let mut report = report_of(&[("main", None, blind)]);
    report.seen = none;
    let page = screen_of(&report, 1, View::brief(None)).expect("a row");
    assert!(page.contains("first touch is not known"), "{page}");
    assert!(page.contains("\nfirst touch          -\n"), "{page}");
    assert_eq!(
        (screen_of(&report, 0, View::brief(None)), screen_of(&report, 2, view())),
        (None, None)
    );
}

fn view() -> View {
    View::brief(None)
}

#[test]
fn hostile_names_are_inert_on_any_terminal() {
    let evil = "\u{1b}[2J\nevil";
    let mut hostile = report_of(&[(evil, Some(evil), costs(1, 8 * MIB, [1, 900 * MS, 1]))]);
    hostile.sites[0].stack = vec![evil.repeat(90); 40];
    hostile.sites[0].detail.touchers =
        vec![toucher(&evil.repeat(9), Some(evil), 1, 1), toucher("0x1", Some(evil), 2, 2)];
    hostile.skipped = vec![SkippedFunction { function: evil.to_owned(), sites: 0 }];
    for width in [None, Some(1), Some(40), Some(80), Some(200)] {
        let view = View::verbose(width);
        let page = screen_of(&hostile, 1, view).expect("a row");
        let screen = plain(&report::recording_screen(&hostile, evil, view), view);
        for screen in [page, screen] {
            assert!(!screen.contains('\u{1b}') && !screen.contains("\nevil"), "{screen:?}");
        }
    }
}

#[test]
fn the_column_of_the_order_is_always_there() {
    for (order, head) in [
        (CallerOrder::True, "true"),
        (CallerOrder::Apparent, "apparent"),
        (CallerOrder::FirstTouch, "first touch"),
        (CallerOrder::Release, "release"),
        (CallerOrder::Bytes, "bytes"),
        (CallerOrder::Calls, "calls"),
        (CallerOrder::Faults, "faults"),
        (CallerOrder::Peak, "at peak"),
        (CallerOrder::Unreleased, "unreleased"),
        (CallerOrder::Untouched, "untouched"),
        (CallerOrder::Name, "site"),
    ] {
        for width in [Some(60), Some(80), Some(120), None] {
            let mut report = detailed();
            report.sort(order);
            let screen = report::recording_screen(&report, "a.ft", View::brief(width));
            let screen = plain(&screen, View::brief(width));
            let heads = screen.lines().find(|line| line.contains("# site")).expect("heads");
            assert!(heads.contains(head), "{order:?} at {width:?}: {heads}");
        }
    }
}

#[test]
fn what_was_never_touched_is_a_table_of_its_own() {
    let mut report = detailed();
    report.sort(CallerOrder::Untouched);
    let view = View::brief(Some(80));
    let wanted = RecordingScreen { file: "a.ft", untouched: true, ..RecordingScreen::default() };
    let screen = plain(&report::recording_screen_of(&report, &wanted, view), view);
    let sentence = "Never touched: 128 MiB = 42 % of 308 MiB asked for (in whole pages of one";
    assert!(screen.contains(sentence), "{screen}");
    let rows = screen.lines().filter(|line| line.contains(" MiB") && line.contains(" ms"));
    assert!(rows.count() >= 2 && !screen.contains(" 3 "), "{screen}");
    report.sites.iter_mut().for_each(|site| site.detail.never_touched_bytes = None);
    report.seen.kernel_faults = false;
    let screen = plain(&report::recording_screen_of(&report, &wanted, view), view);
    assert!(screen.contains("Which memory was touched is not known"), "{screen}");
}

#[test]
fn as_many_rows_as_were_asked_for() {
    let view = View::brief(Some(80));
    for (rows, others) in [(1, "12 other sites"), (3, "10 other sites"), (99, "")] {
        let options = ["--sort calls".to_owned()];
        let wanted = RecordingScreen {
            file: "a b.ft",
            options: &options,
            rows: Some(rows),
            untouched: false,
        };
        let screen = plain(&report::recording_screen_of(&usual(), &wanted, view), view);
        assert!(screen.contains(others), "{screen}");
        assert_eq!(screen.contains("other site"), !others.is_empty(), "{screen}");
        assert!(screen.contains("report 'a b.ft' --sort calls --site 1 "), "{screen}");
    }
}

#[test]
fn a_filter_says_what_it_leaves_out() {
    let mut report = usual();
    let left_out = costs(900, 3 * MIB, [MS, 2 * MS, MS]);
    report.totals.calls = report.costs.calls + left_out.calls;
    report.filter = Some(ReportFilter { left_out, ..ReportFilter::default() });
    let screen = |filter: ReportFilter, report: &RecordingReport| {
        let report = RecordingReport { filter: Some(filter), ..report.clone() };
        let screen = plain(&report::recording_screen(&report, "a.ft", view()), view());
        screen.lines().find(|line| line.starts_with("chosen")).expect("a line").to_owned()
    };
    let bounds = ReportFilter { left_out, ..ReportFilter::default() };
    let rest = "; not chosen: 900 calls of 3 MiB and 4.00 ms of cost.";
    for (filter, words) in [
        (ReportFilter { tid: Some(7), ..bounds }, "of thread 7"),
        (
            ReportFilter { pid: Some(8), from_ns: Some(MS), ..bounds },
            "of process 8 from 1.00 ms on",
        ),
        (ReportFilter { until_ns: Some(2 * MS), ..bounds }, "before 2.00 ms"),
        (ReportFilter { min_bytes: Some(4096), ..bounds }, "for 4 KiB or more"),
        (ReportFilter { max_bytes: Some(4097), ..bounds }, "for 4,097 B or less"),
        (ReportFilter { min_bytes: Some(8), max_bytes: Some(8), ..bounds }, "for 8 B"),
        (ReportFilter { min_bytes: Some(1), max_bytes: Some(MIB), ..bounds }, "for 1 B to 1 MiB"),
        (
            ReportFilter { from_ns: Some(MS), until_ns: Some(2 * MS), ..bounds },
            "from 1.00 ms until 2.00 ms",
        ),
    ] {
        let line = screen(filter, &report);
        assert_eq!(line, format!("chosen: 18,893 calls {words}{rest}"));
    }
    let empty = RecordingReport {
        callers: Vec::new(),
        sites: Vec::new(),
        costs: SiteCosts::none(seen()),
        ..report.clone()
    };
    let screen = plain(&report::recording_screen(&empty, "a.ft", view()), view());
    assert!(screen.contains("ran 3,210 ms, the chosen calls cost 0 ns"), "{screen}");
    assert!(screen.contains("none is of this time, thread, process and size"), "{screen}");
    assert!(screen.contains("chosen: 0 calls"), "{screen}");
}

#[test]
fn a_function_that_is_nowhere_skipped_is_said() {
    let mut report = usual();
    let skipped = |function: &str, sites| SkippedFunction { function: function.to_owned(), sites };
    report.skipped = vec![skipped("xmalloc", 3), skipped("g_malloc", 0)];
    let screen = plain(&report::recording_screen(&report, "a.ft", view()), view());
    let note = "note --skip changed nothing: g_malloc asks for no memory here.";
    assert!(screen.contains(note), "{screen}");
}

#[test]
fn idle_threads_do_not_hide_the_cost() {
    let mut report = usual();
    (report.totals.threads, report.totals.threads_ns) = (40, 40 * 3210 * MS);
    (report.share, report.elapsed_share) = (Some(0.0022), Some(0.0895));
    let screen = plain(&report::recording_screen(&report, "a.ft", view()), view());
    let head = "memory cost 287 ms = 0.2 % of the time of its 40 threads (8.9 % of the time that \
                it ran)\n";
    assert!(screen.contains(head), "{screen}");
    report.totals.threads_ns = 3210 * MS;
    let screen = plain(&report::recording_screen(&report, "a.ft", view()), view());
    assert!(!screen.contains("that it ran)"), "{screen}");
}
