//! The table of a trace.

use analysis::trace::Tally;
use events::Call;
use results::trace::{Group, Table, TableRow, TraceSummary};

use crate::script::{ANONYMOUS, PAGE, PRIVATE, READ, Script, WRITE};

const AT: u64 = 0x7f00_0000_0000;

fn table(mut script: Script) -> Table {
    script.builder.pause(&mut |line| script.lines.push(line));
    let mut tally = Tally::default();
    for line in &script.lines {
        tally.take(line);
    }
    tally.table(Vec::new(), script.builder.summary(0))
}

fn name(row: &TableRow) -> String {
    match &row.group {
        Group::Syscall(name) => (*name).to_owned(),
        Group::Faults(class) => {
            let kind = class
                .name
                .as_deref()
                .or(class.kind.map(events::MappingKind::label))
                .unwrap_or("nothing");
            format!("{} {kind}", class.cause.word())
        }
        Group::OtherFiles { rows } => format!("other {rows}"),
        Group::Small { rows } => format!("small {rows}"),
        Group::Total => "total".to_owned(),
    }
}

#[test]
fn rows_are_sorted_by_time_and_add_up() {
    let mut script = Script::new();
    script.mmap(AT, 10, WRITE, PRIVATE | ANONYMOUS);
    for page in [0, 1, 2, 0] {
        script.fault(AT + page * PAGE);
    }
    script.latency_ns = 10_000;
    script.munmap(AT, 4);
    script.call(Call::Munmap, &[AT, 1], (-22i64).cast_unsigned());
    script.latency_ns = 0;
    script.call(Call::Munlockall, &[], 0);
    let table = table(script);
    let names: Vec<String> = table.rows.iter().map(name).collect();
    assert_eq!(
        names,
        ["munmap", "first-touch [anonymous]", "copy-on-write [anonymous]", "mmap", "munlockall"]
            .map(str::to_owned)
    );
    let [munmap, touch, .., unlock] = &table.rows[..] else { panic!("{table:?}") };
    assert_eq!(
        (munmap.calls, munmap.errors, munmap.bytes, munmap.major),
        (2, Some(1), Some(4 * PAGE), None)
    );
    assert_eq!(
        (munmap.wall_ns, munmap.cpu_ns, munmap.max_ns),
        (20_000, Some(10_000), Some(10_000))
    );
    assert_eq!((touch.calls, touch.errors, touch.bytes, touch.major), (3, None, None, Some(0)));
    assert_eq!((touch.p50_ns, touch.p99_ns, touch.untimed), (Some(500), Some(500), 0));
    assert_eq!((unlock.calls, unlock.wall_ns, unlock.p50_ns, unlock.untimed), (1, 0, None, 1));
    let total = table.total.as_ref().unwrap();
    assert_eq!((total.calls, total.wall_ns, total.errors, total.bytes), (8, 22_500, Some(1), None));
    assert_eq!(total.wall_ns, table.rows.iter().map(|row| row.wall_ns).sum::<u64>());
    assert!((table.rows.iter().map(|row| row.wall_share).sum::<f64>() - 1.0).abs() < 1e-9);
    assert_eq!((table.summary.events, table.summary.faults_seen), (8, 4));
    // All of it in one thread, whose time is that of the run.
    let summary = &table.summary;
    assert_eq!((summary.threads, summary.threads_ns), (1, summary.observed_ns));
    let share = table.run_share.expect("time was observed");
    assert!((share - 22_500.0 / summary.observed_ns as f64).abs() < 1e-9, "{share}");
    assert_eq!(table.recording_ns, None, "not known");
}

#[test]
fn recording_is_at_most_the_time_of_a_row() {
    let mut script = Script::new();
    script.mmap(AT, 10, WRITE, PRIVATE | ANONYMOUS);
    script.fault(AT);
    script.fault(AT + PAGE);
    script.latency_ns = 10_000;
    script.munmap(AT, 4);
    let mut tally = Tally::default();
    script.builder.pause(&mut |line| script.lines.push(line));
    script.lines.iter().for_each(|line| tally.take(line));
    let summary = TraceSummary {
        recording_ns: Some(200),
        recording_call_ns: Some(20_000),
        observed_ns: 500_000_000,
        ..script.builder.summary(0)
    };
    let table = tally.table(Vec::new(), summary);
    let calls_ns: u64 =
        table.rows.iter().filter(|row| row.major.is_none()).map(|row| row.wall_ns).sum();
    assert_eq!(table.recording_ns, Some(400 + calls_ns));
    let rates = table.rates.expect("time was observed");
    assert_eq!((rates.faults_per_s, rates.calls_per_s), (Some(4.0), Some(4.0)));
    let no_faults = TraceSummary { sees_faults: false, ..table.summary };
    let rates = tally.table(Vec::new(), no_faults).rates.expect("time was observed");
    assert_eq!((rates.faults_per_s, rates.calls_per_s), (None, Some(4.0)), "not 0");
}

#[test]
fn many_files_share_a_row() {
    let mut script = Script::new();
    for file in 0..1200 {
        let start = AT + 100 * file * PAGE;
        script.mmap(start, 4, READ, PRIVATE);
        script.mapped(start, 4, 1, &format!("/lib/{file}"));
        script.latency_ns = 1_000 + file;
        script.fault(start);
    }
    let table = table(script);
    assert_eq!(table.rows.len(), 10);
    let others =
        table.rows.iter().find(|row| matches!(row.group, Group::OtherFiles { .. })).unwrap();
    assert_eq!(others.calls, 1192);
    let faults: u64 =
        table.rows.iter().filter(|row| row.major.is_some()).map(|row| row.calls).sum();
    assert_eq!(faults, 1200);
    assert!(others.p50_ns.is_some_and(|ns| (1595..=1611).contains(&ns)), "{others:?}");
}

#[test]
fn an_empty_trace_is_an_empty_table() {
    assert_eq!(Tally::default().table(Vec::new(), TraceSummary::default()), Table::default());
}

#[test]
fn the_size_of_brk_is_the_movement_of_the_break() {
    let mut script = Script::new();
    let at = 0x5600_0000_0000;
    for to in [0, at + 33 * PAGE, at + 40 * PAGE, at + 10 * PAGE] {
        script.call(Call::Brk, &[to], if to == 0 { at } else { to });
    }
    let of_brk = table(script).rows.into_iter().find(|row| name(row) == "brk").expect("a row");
    assert_eq!((of_brk.calls, of_brk.bytes), (4, Some((33 + 7 + 30) * PAGE)));
}
