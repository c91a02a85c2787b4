//! The lines and the table of a trace, from injected ones.

use std::sync::Arc;

use events::{
    Absence, AbsenceReason, Allocation, AllocationFunction, Cause, Ending, MappingKind, StackId,
};
use report::{FileNames, View};
use results::trace::{
    Burst, BurstOrder, FaultClass, FaultLine, Group, LifeLine, Line, LineKind, MappingLabel, Rates,
    Shown, SyscallLine, Table, TableRow, TraceSummary,
};

use crate::{plain, snapshots, views};

const AT: u64 = 0x7f1c_2a00_0000;

#[expect(clippy::unnecessary_wraps, reason = "as calls and faults have it")]
fn mapping(kind: MappingKind, name: Option<&str>) -> Option<MappingLabel> {
    Some(MappingLabel { kind, name: name.map(Arc::from), start: AT })
}

fn line(time_ns: u64, kind: LineKind) -> Shown {
    Shown::Line(Line { time_ns, pid: 4123, tid: 4123, kind })
}

fn call(time_us: u64, name: &'static str, text: &str) -> (u64, SyscallLine) {
    let call = SyscallLine {
        name,
        text: text.into(),
        arguments: Some(Vec::new()),
        result: None,
        error: None,
        latency_ns: Some(4100),
        on_cpu_ns: Some(4000),
        bytes: None,
        mapping: None,
    };
    (1000 * time_us, call)
}

fn fault(cause: Cause, mapping: Option<MappingLabel>) -> FaultLine {
    FaultLine {
        address: AT + 0x1008,
        ip: 0,
        major: false,
        in_kernel: false,
        present: Some(false),
        cause,
        mapping,
        page_bytes: Some(4096),
        large: false,
        latency_ns: Some(1500),
        on_cpu_ns: Some(1500),
    }
}

fn burst(first: FaultLine) -> Burst {
    Burst {
        time_ns: 232_000,
        pid: 4123,
        tid: 4123,
        first,
        faults: 1023,
        major: 0,
        in_kernel: 0,
        low: AT + 0x1000,
        high: AT + 0x40_0000,
        order: BurstOrder::Upwards,
        sparse: false,
        apart_bytes: None,
        p50_ns: Some(1500),
        latency_ns: 1_700_000,
        timed: 1023,
    }
}

fn calls() -> Vec<Shown> {
    let (anonymous, file) = (
        mapping(MappingKind::Anonymous, None),
        mapping(MappingKind::PrivateFile, Some("/lib/libc.so.6")),
    );
    let mut calls = vec![
        call(
            216,
            "mmap",
            "mmap(NULL, 4198400, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = \
             0x7f1c2a000000",
        ),
        call(900, "mmap", "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f1c2a000000"),
        call(10_011, "brk", "brk(0x55d0c1a21000) = 0x55d0c1a21000"),
        call(61_000_000, "munmap", "munmap(0x7f1c2a000000, 1) = -1 EINVAL (Invalid argument)"),
        call(61_000_001, "memfd_create", "memfd_create(\"a\\\" = \\33[2J\", 0) = ?"),
    ];
    (calls[0].1.mapping, calls[1].1.mapping) = (anonymous.clone(), file);
    (calls[3].1.error, calls[3].1.mapping) = (Some("EINVAL".into()), anonymous);
    (calls[2].1.latency_ns, calls[2].1.on_cpu_ns) = (Some(4_020_000), Some(61_000));
    calls[4].1.latency_ns = None;
    calls.into_iter().map(|(time_ns, call)| line(time_ns, LineKind::Syscall(call))).collect()
}

fn faults() -> Vec<Shown> {
    let libc = || mapping(MappingKind::PrivateFile, Some("/lib/libc.so.6"));
    let plain = |fault| line(232_000, LineKind::Fault(fault));
    vec![
        plain(fault(Cause::FirstTouch, mapping(MappingKind::Heap, None))),
        plain(fault(Cause::CopyOnWrite, mapping(MappingKind::ThreadStack, None))),
        plain(fault(Cause::Stack, mapping(MappingKind::Stack, None))),
        plain(FaultLine { major: true, on_cpu_ns: Some(9), ..fault(Cause::File, libc()) }),
        plain(FaultLine { in_kernel: true, latency_ns: None, ..fault(Cause::File, libc()) }),
        plain(fault(Cause::Unknown, None)),
        Shown::Burst(burst(fault(Cause::FirstTouch, mapping(MappingKind::Anonymous, None)))),
        Shown::Burst(Burst {
            major: 12,
            order: BurstOrder::Mixed,
            sparse: true,
            timed: 1000,
            ..burst(fault(Cause::File, libc()))
        }),
        Shown::Burst(Burst {
            major: 1023,
            order: BurstOrder::Downwards,
            sparse: true,
            ..burst(fault(Cause::File, libc()))
        }),
        Shown::Burst(Burst {
            order: BurstOrder::Mixed,
            ..burst(fault(Cause::FirstTouch, mapping(MappingKind::Heap, None)))
        }),
        Shown::Burst(Burst {
            apart_bytes: Some(2 << 20),
            ..burst(fault(Cause::FirstTouch, mapping(MappingKind::Anonymous, None)))
        }),
        Shown::Burst(Burst {
            in_kernel: 7,
            p50_ns: None,
            timed: 0,
            ..burst(fault(
                Cause::FirstTouch,
                mapping(MappingKind::Anonymous, Some("[anon:evil\u{1b}[2J\n]")),
            ))
        }),
    ]
}

fn lives() -> Vec<Shown> {
    let mut lives: Vec<Shown> = [
        LifeLine::Attached,
        LifeLine::Started { by: 4122 },
        LifeLine::ThreadStarted { by: 4123 },
        LifeLine::Executed { name: "cat\n".into() },
        LifeLine::ThreadEnded,
        LifeLine::Over(Ending::Exited(7)),
        LifeLine::Over(Ending::Killed(9)),
        LifeLine::Over(Ending::Killed(35)),
        LifeLine::Over(Ending::Unknown),
    ]
    .map(|process| line(1_000_000_000, LineKind::Process(process)))
    .into();
    lives.push(Shown::Line(Line {
        time_ns: 2_000_000_000,
        pid: 0,
        tid: 0,
        kind: LineKind::Lost(1234),
    }));
    for reason in [
        AbsenceReason::Preempted,
        AbsenceReason::Blocked,
        AbsenceReason::Stopped,
        AbsenceReason::Unknown,
        AbsenceReason::LeftOut { absences: 1, sum_ns: 700 },
    ] {
        let kind = LineKind::Absence(Absence { latency_ns: 1_234_000, reason });
        lives.push(line(1_500_000_000, kind));
    }
    for records in [false, true] {
        let kind = LineKind::Switched { records };
        lives.push(Shown::Line(Line { time_ns: 2_000_000_000, pid: 0, tid: 0, kind }));
    }
    lives
}

/// As they look where styles are stripped.
fn lines(shown: &[Shown], view: View) -> String {
    let (mut text, mut names) = (String::new(), FileNames::new(view));
    for one in shown {
        report::trace_line(one, &mut names, true, &mut text);
    }
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn lines_of_calls_faults_and_lives() {
    let all = [calls(), faults(), lives()].concat();
    let (brief, verbose) = (lines(&all, View::brief(None)), lines(&all, View::verbose(None)));
    assert_eq!(brief.lines().count(), 34, "a name does not begin a line:\n{brief}");
    assert!(!brief.contains('\u{1b}'));
    assert_eq!(verbose, brief.replace(" libc.so.6", " /lib/libc.so.6"));
    insta::assert_snapshot!(brief);
}

fn row(group: Group, calls: u64, wall_ns: u64) -> TableRow {
    let is_call = matches!(group, Group::Syscall(_));
    TableRow {
        calls,
        errors: is_call.then_some(0),
        bytes: (group == Group::Syscall("munmap")).then_some(137 << 20),
        major: (!is_call).then_some(0),
        wall_ns,
        wall_share: wall_ns as f64 / 91_600_000.0,
        cpu_ns: Some(wall_ns - wall_ns / 40),
        untimed: 0,
        p50_ns: Some(wall_ns / calls),
        p99_ns: Some(3 * wall_ns / calls),
        max_ns: Some(5 * wall_ns / calls),
        group,
    }
}

fn faulting(cause: Cause, kind: Option<MappingKind>, name: Option<&str>) -> Group {
    Group::Faults(FaultClass { cause, large_bytes: None, kind, name: name.map(Arc::from) })
}

pub(crate) fn summary() -> TraceSummary {
    TraceSummary {
        foreign: 0,
        time_ns: 1_200_000_000,
        pid: 4123,
        ending: Some(Ending::Exited(7)),
        events: 19_412,
        lost: 0,
        late: 0,
        faults_seen: 19_187,
        faults_counted: Some(19_187),
        rusage_minor_faults: None,
        rusage_major_faults: None,
        recording_ns: Some(240),
        recording_call_ns: Some(310),
        processes: 1,
        threads: 1,
        executions: 1,
        own_faults_seen: 19_187,
        before_exec_faults: Some(39),
        populating_calls: Some(0),
        sees_faults: true,
        sees_kernel_faults: true,
        observed_ns: 1_200_000_000,
        threads_ns: 1_200_000_000,
        ..TraceSummary::default()
    }
}

pub(crate) fn table() -> Table {
    let libc = "/usr/lib/x86_64-linux-gnu/libc.so.6";
    let mut rows = vec![
        row(faulting(Cause::FirstTouch, Some(MappingKind::Anonymous), None), 17_992, 71_800_000),
        row(faulting(Cause::File, Some(MappingKind::PrivateFile), Some(libc)), 412, 9_100_000),
        row(Group::Syscall("munmap"), 61, 5_500_000),
        row(faulting(Cause::CopyOnWrite, Some(MappingKind::Heap), None), 700, 2_900_000),
        row(Group::OtherFiles { rows: 12 }, 80, 1_800_000),
        row(Group::Syscall("mmap"), 140, 490_000),
        row(faulting(Cause::Unknown, None, None), 3, 10_000),
    ];
    (rows[1].major, rows[2].errors, rows[6].untimed) = (Some(9), Some(1), 2);
    let mut total = row(Group::Total, 19_388, 91_600_000);
    (total.errors, total.bytes, total.major) = (Some(1), Some(137 << 20), Some(9));
    (total.p50_ns, total.p99_ns, total.untimed) = (None, None, 2);
    Table {
        target: ["--", "./app", "a b"].map(str::to_owned).to_vec(),
        rows,
        total: Some(total),
        run_share: Some(0.0763),
        recording_ns: Some(4_600_000),
        rates: Some(Rates { calls_per_s: Some(168.0), faults_per_s: Some(15_989.0) }),
        start: Some(crate::start::usual()),
        summary: summary(),
    }
}

fn shown(table: &Table, view: View) -> String {
    plain(&report::trace_table(table, view), view)
}

#[test]
fn a_table_in_every_view() {
    snapshots("trace_table", |view| report::trace_table(&table(), view));
}

#[test]
fn the_head_of_a_table_says_of_what_its_shares_are() {
    let head = |table: &Table| {
        let screen = shown(table, View::brief(None));
        let next = screen.lines().find(|line| line.starts_with("Next: ")).unwrap_or_default();
        (screen.lines().next().unwrap_or_default().to_owned(), next.to_owned())
    };
    let (run, next) = head(&table());
    assert!(run.starts_with("./app 'a b': observed for 1,200 ms. "), "{run}");
    assert!(run.ends_with(" (up to 4.60 ms of it recording), 7.6 % of the run."), "{run}");
    assert!(next.starts_with("Next: firsttouch trace -- ./app 'a b' "), "{next}");
    let mut odd = table();
    odd.target = ["--", "./a\n1"].map(str::to_owned).to_vec();
    assert!(head(&odd).1.starts_with("Next: firsttouch trace -- $'./a\\0121' "), "{odd:?}");
    odd.target = ["--", "./\u{fffd}"].map(str::to_owned).to_vec();
    assert!(head(&odd).1.starts_with("Next: the same command without -c "), "{odd:?}");
    let mut attached = table();
    attached.target = ["-p", "12"].map(str::to_owned).to_vec();
    attached.summary = TraceSummary {
        ending: None,
        threads: 4,
        processes: 2,
        threads_ns: 4_000_000_000,
        recording_call_ns: None,
        ..attached.summary
    };
    let (run, next) = head(&attached);
    assert!(
        run.starts_with("process 12: observed for 1,200 ms, 4 threads in 2 processes"),
        "{run}"
    );
    assert!(run.contains(" of it recording of the faults), 7.6 % of the time of its threads."));
    assert!(run.ends_with("168 memory syscalls/s, 15,989 faults/s."), "{run}");
    assert!(next.starts_with("Next: firsttouch trace -p 12 "), "{next}");
}

#[test]
fn what_was_not_observed_is_no_zero() {
    let head = |table: &Table| {
        let screen = shown(table, View::brief(None));
        screen.lines().next().unwrap_or_default().to_owned()
    };
    let mut table = table();
    table.summary.ending = None;
    table.rates = Some(Rates { calls_per_s: None, faults_per_s: Some(12.0) });
    table.summary.populating_calls = None;
    let faults = head(&table);
    assert!(faults.contains("Its faults took ") && faults.ends_with(" 12 faults/s."), "{faults}");
    table.summary = TraceSummary { populating_calls: Some(0), sees_faults: false, ..table.summary };
    table.rates = Some(Rates { calls_per_s: Some(12.0), faults_per_s: None });
    table.rows.retain(|row| matches!(row.group, Group::Syscall(_)));
    for row in &mut table.rows {
        *row = TableRow {
            untimed: row.calls,
            wall_ns: 0,
            wall_share: 0.0,
            cpu_ns: None,
            ..row.clone()
        };
        (row.p50_ns, row.p99_ns, row.max_ns) = (None, None, None);
    }
    table.total = TableRow::sum(Group::Total, &table.rows);
    let calls = head(&table);
    assert!(calls.contains("How long its memory syscalls took is not known."), "{calls}");
    assert!(calls.ends_with(" 12 memory syscalls/s."), "{calls}");
    let screen = shown(&table, View::brief(None));
    assert!(screen.contains("they are in no column of times"), "{screen}");
    let columns = screen.lines().find(|line| line.ends_with(" name")).expect("names of columns");
    assert!(!columns.contains("wall") && columns.contains("calls"), "{columns}");
}

#[test]
fn small_rows_are_one() {
    let mut table = table();
    let small = [("mincore", 20_000), ("mbind", 25_000)];
    table.rows.extend(small.map(|(name, wall_ns)| row(Group::Syscall(name), 7, wall_ns)));
    table.rows[7].errors = Some(2);
    let folded = table.clone().folded();
    let last = folded.rows.last().expect("a row");
    assert_eq!((folded.rows.len(), &last.group), (7, &Group::Small { rows: 3 }));
    assert_eq!((last.calls, last.wall_ns, last.errors, last.untimed), (17, 55_000, Some(2), 2));
    assert!(shown(&folded, View::brief(None)).contains("other rows of less than 0.1 % (3)"));
    table.rows.truncate(7);
    assert_eq!(table.clone().folded(), table, "a single one says more");
}

#[test]
fn a_file_has_its_path_where_another_has_its_name() {
    let named = |view: View| {
        let mut table = table();
        let twin = Some("/opt/lib/libc.so.6");
        let heap = faulting(Cause::CopyOnWrite, Some(MappingKind::PrivateFile), twin);
        table.rows[3].group = heap;
        let screen = shown(&table, view);
        (screen.contains(" /usr/lib/x86_64-linux-gnu/libc.so.6,"), screen.contains(" /opt/lib/"))
    };
    assert_eq!(named(View::brief(Some(160))), (true, true));
    let path = " /usr/lib/x86_64-linux-gnu/libc.so.6,";
    assert!(!shown(&table(), View::brief(Some(160))).contains(path));
    assert!(shown(&table(), View::verbose(Some(160))).contains(path));
}

/// A program to which a call gave most of its pages.
pub(crate) fn populated() -> TraceSummary {
    TraceSummary {
        rusage_minor_faults: Some(25_600 + 19_187),
        rusage_major_faults: Some(0),
        populating_calls: Some(1),
        ..summary()
    }
}

#[test]
fn an_end_in_every_view() {
    let few = TraceSummary {
        rusage_minor_faults: Some(19_243),
        rusage_major_faults: Some(0),
        ..summary()
    };
    snapshots("trace_end", |view| report::trace_end(&few, view));
    snapshots("trace_end_populated", |view| report::trace_end(&populated(), view));
}

#[test]
fn what_the_kernel_counts_is_shown_if_it_is_much_more() {
    let shown = |minor, seen, counted| {
        let summary = TraceSummary {
            rusage_minor_faults: Some(minor),
            rusage_major_faults: Some(1),
            faults_seen: seen,
            own_faults_seen: seen,
            faults_counted: counted,
            ..summary()
        };
        report::trace_end(&summary, View::brief(None)).contains("The kernel's account")
    };
    assert!(!shown(226, 100, Some(100)), "127 more: from before exec");
    assert!(shown(227, 100, Some(100)), "128 more");
    assert!(!shown(10_998, 10_000, Some(10_000)), "not a tenth more");
    assert!(shown(10_999, 10_000, Some(10_000)), "a tenth more");
    assert!(!shown(5_000, 0, None), "faults are not traced");
}

#[test]
fn the_account_of_the_kernel_names_its_processes_and_reasons() {
    let account = |minor, change: TraceSummary| {
        let summary = TraceSummary {
            rusage_minor_faults: Some(minor),
            rusage_major_faults: Some(0),
            faults_seen: 300,
            faults_counted: Some(300),
            processes: 3,
            own_faults_seen: 100,
            before_exec_faults: Some(9),
            ..change
        };
        let screen = plain(&report::trace_end(&summary, View::verbose(None)), View::verbose(None));
        screen.lines().nth(1).unwrap_or_default().to_owned()
    };
    let summary = summary();
    let daemon =
        TraceSummary { left_processes: 1, left_faults_seen: 150, own_faults: Some(112), ..summary };
    let ignored = TraceSummary { own_faults: Some(112), ..summary };
    let user = TraceSummary { sees_kernel_faults: false, populating_calls: Some(2), ..summary };
    let shown = [
        account(312, summary),
        account(165, daemon),
        account(112, ignored),
        account(112, summary),
        account(3000, user),
        account(300, TraceSummary { before_exec_faults: None, ..summary }),
    ];
    insta::assert_snapshot!("trace_account", shown.join("\n"));
}

#[test]
fn columns_without_a_figure_are_left_out() {
    let mut table = table();
    for row in table.rows.iter_mut().chain(&mut table.total) {
        (row.cpu_ns, row.errors, row.bytes, row.major, row.untimed) =
            (None, Some(0), None, Some(0), 0);
    }
    let screen = shown(&table, View::brief(Some(80)));
    let head: Vec<&str> =
        screen.lines().find(|line| line.ends_with(" name")).unwrap().split_whitespace().collect();
    assert_eq!(head, ["wall", "%", "wall", "ms", "calls", "p50", "p99", "max", "name"]);
}

#[test]
fn an_empty_table_says_so_and_what_was_lost() {
    let lost = TraceSummary {
        ending: Some(Ending::Killed(11)),
        lost: 5,
        late: 2,
        events: 1,
        faults_seen: 0,
        faults_counted: Some(4),
        rusage_minor_faults: Some(90),
        rusage_major_faults: Some(1),
        ..summary()
    };
    let empty = Table { summary: lost, ..Table::default() };
    snapshots("trace_table_empty", |view| report::trace_table(&empty, view));
}

#[test]
fn a_table_holds_at_any_width() {
    let mut table = table();
    table.rows[1].group = faulting(
        Cause::File,
        Some(MappingKind::PrivateFile),
        Some(&"/very/long/\u{1b}name".repeat(40)),
    );
    let narrow = [1, 20].map(|width| View::verbose(Some(width)));
    for view in views().into_iter().map(|(_, view)| view).chain(narrow) {
        let screen = shown(&table, view);
        assert!(!screen.contains('\u{1b}') && screen.lines().count() > 9);
    }
}

#[test]
fn allocation_calls_read_as_they_were_written() {
    let call = |function, released, size_bytes, address| {
        let kind = LineKind::Allocation(Allocation {
            address,
            released,
            size_bytes,
            latency_ns: None,
            stack: StackId::NONE,
            function,
            alignment_log2: 0,
        });
        Shown::Line(Line { time_ns: 0, pid: 1, tid: 1, kind })
    };
    let calls = [
        call(AllocationFunction::Malloc, 0, u64::MAX, 0),
        call(AllocationFunction::Malloc, 0, (1 << 48) - 2, 0),
        call(AllocationFunction::Realloc, 0, 65, 0x10),
        call(AllocationFunction::Realloc, 0x10, 650, 0x20),
        call(AllocationFunction::Free, 0x20, 0, 0),
        call(AllocationFunction::Mmap, 0, 4096, 0x1000),
        call(AllocationFunction::Mmap, 0, 0, 0),
        call(AllocationFunction::Mremap, 0x1000, 8192, 0x3000),
        call(AllocationFunction::Munmap, 0x3000, 8192, 0),
        call(AllocationFunction::Munmap, 0, 1, 0),
    ];
    assert_eq!(
        lines(&calls, View::brief(None)),
        "[1] 0.000000 malloc(>= 256 TiB) = NULL\n\
         [1] 0.000000 malloc(281474976710654) = NULL\n\
         [1] 0.000000 realloc(NULL, 65) = 0x10\n\
         [1] 0.000000 realloc(0x10, 650) = 0x20\n\
         [1] 0.000000 free(0x20)\n\
         [1] 0.000000 call mmap(4096) = 0x1000\n\
         [1] 0.000000 call mmap(0) = MAP_FAILED\n\
         [1] 0.000000 call mremap(0x1000, 8192) = 0x3000\n\
         [1] 0.000000 call munmap(0x3000, 8192)\n\
         [1] 0.000000 call munmap(0x0, 1) failed\n"
    );
}
