//! The lines and the table of a trace, from injected ones.

use std::sync::Arc;

use events::{Cause, Ending, MappingKind};
use results::trace::{
    Burst, BurstOrder, FaultClass, FaultLine, Group, LifeLine, Line, LineKind, MappingLabel, Shown,
    SyscallLine, Table, TableRow, TraceSummary,
};

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
        arguments: Vec::new(),
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
            "mmap(NULL, 4198400, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f1c2a000000",
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
            timed: 1000,
            ..burst(fault(Cause::File, libc()))
        }),
        Shown::Burst(Burst {
            major: 1023,
            order: BurstOrder::Downwards,
            ..burst(fault(Cause::File, libc()))
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
    lives
}

/// As it looks where styles are stripped.
fn plain(shown: &[Shown]) -> String {
    let mut text = String::new();
    for one in shown {
        report::trace_line(one, true, &mut text);
    }
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn lines_of_calls_faults_and_lives() {
    let text = plain(&[calls(), faults(), lives()].concat());
    assert_eq!(text.lines().count(), 26, "a name does not begin a line:\n{text}");
    assert!(!text.contains('\u{1b}'));
    insta::assert_snapshot!(text);
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

fn summary() -> TraceSummary {
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
    }
}

fn table() -> Table {
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
    Table { rows, total: Some(total), summary: summary() }
}

fn plain_table(table: &Table, width: Option<usize>) -> String {
    anstream::adapter::strip_str(&report::trace_table(table, report::View::verbose(width)))
        .to_string()
}

#[test]
fn a_table_at_80_columns() {
    let screen = plain_table(&table(), Some(80));
    assert!(
        screen.lines().all(|line| line.chars().count() <= 80),
        "wider than 80 columns:\n{screen}"
    );
    insta::assert_snapshot!(screen);
}

#[test]
fn a_table_at_120_columns() {
    let screen = plain_table(&table(), Some(120));
    assert!(
        screen.lines().all(|line| line.chars().count() <= 120),
        "wider than 120 columns:\n{screen}"
    );
    insta::assert_snapshot!(screen);
}

#[test]
fn a_file_has_all_of_its_name_where_there_is_room() {
    let name = |width| {
        let screen = plain_table(&table(), Some(width));
        let line = screen
            .lines()
            .find(|line| line.contains("libc.so.6"))
            .unwrap_or_else(|| panic!("{screen}"));
        line.split_once("fault: ").map(|(_, name)| name.to_owned())
    };
    let whole = "/usr/lib/x86_64-linux-gnu/libc.so.6, file page";
    assert_eq!(
        (name(200).as_deref(), name(120).as_deref()),
        (Some(whole), Some("libc.so.6, file page"))
    );
}

#[test]
fn a_table_in_a_pipe() {
    insta::assert_snapshot!(plain_table(&table(), None));
}

#[test]
fn columns_without_a_figure_are_left_out() {
    let mut table = table();
    for row in table.rows.iter_mut().chain(&mut table.total) {
        (row.cpu_ns, row.errors, row.bytes, row.major, row.untimed) =
            (None, Some(0), None, Some(0), 0);
    }
    let screen = plain_table(&table, Some(80));
    let head: Vec<&str> = screen.lines().next().unwrap().split_whitespace().collect();
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
    insta::assert_snapshot!(plain_table(&empty, Some(80)));
}

#[test]
fn a_table_holds_at_any_width() {
    let mut table = table();
    table.rows[1].group = faulting(
        Cause::File,
        Some(MappingKind::PrivateFile),
        Some(&"/very/long/\u{1b}name".repeat(40)),
    );
    for width in [1, 20, 40, 80, 200] {
        let screen = plain_table(&table, Some(width));
        assert!(!screen.contains('\u{1b}') && screen.lines().count() > 9);
        assert!(
            width < 80 || screen.lines().all(|line| line.chars().count() <= width),
            "{width}:\n{screen}"
        );
    }
}
