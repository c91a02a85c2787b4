//! The slowest calls on the screen of a recording.

use report::View;
use results::recording::{OffCpu, RecordingReport, SlowCallRow, SlowPartRow};

use crate::plain;
use crate::recording::usual;

const MS: u64 = 1_000_000;

fn call(latency_ns: u64, parts: &[(&str, u64, u64)]) -> SlowCallRow {
    let part = |&(what, ns, waited_ns): &(&str, u64, u64)| SlowPartRow {
        what: what.to_owned(),
        ns,
        waited_ns: Some(waited_ns),
        times: Some(3),
    };
    SlowCallRow {
        time_ns: 1240 * MS,
        pid: 4123,
        tid: 4125,
        function: "calloc".to_owned(),
        size_bytes: Some(64 << 20),
        site: Some(0),
        latency_ns,
        cause: parts[0].0.to_owned(),
        parts: parts.iter().map(part).collect(),
    }
}

fn screen(slowest: Vec<SlowCallRow>, view: View) -> String {
    let report = RecordingReport { slowest, ..usual() };
    plain(&report::recording_screen(&report, "a.ft", view), view)
}

#[test]
fn the_slowest_call_is_said_if_it_is_a_part_of_the_run_that_matters() {
    let half = 100 * MS;
    let slow = call(half, &[(SlowPartRow::OWN_FAULTS, 98 * MS, 0), ("munmap", 2 * MS, 0)]);
    let brief = View::brief(None);
    let said = "Slowest call: calloc 64 MiB  Image::decode  img.rs:212 took 100 ms, at 1,240 ms: \
                faults on its block 98 %.\n";
    let screen_of_it = screen(vec![slow.clone()], brief);
    assert!(screen_of_it.contains(said), "{screen_of_it}");
    assert!(!screen_of_it.contains("slowest calls"), "{screen_of_it}");
    let quick = screen(vec![SlowCallRow { latency_ns: 60 * MS, ..slow }], brief);
    assert!(!quick.contains("Slowest call"), "{quick}");
    assert_eq!(screen(Vec::new(), View::verbose(None)), {
        let view = View::verbose(None);
        plain(&report::recording_screen(&usual(), "a.ft", view), view)
    });
}

#[test]
fn each_cause_has_its_words() {
    for (parts, words) in [
        ([(SlowPartRow::WAITED, 9 * MS, 9 * MS)], "waited (a lock?) 90 %"),
        ([(SlowPartRow::PREEMPTED, 9 * MS, 0)], "preempted 90 %"),
        ([("munmap", 9 * MS, 0)], "munmap 90 %"),
        ([("munmap", 9 * MS, 5 * MS)], "munmap, waiting 90 %"),
        ([(SlowPartRow::OTHER_FAULTS, 9 * MS, 0)], "other faults 90 %"),
        ([(SlowPartRow::STOPPED, 9 * MS, 0)], "stopped by the recorder 90 %"),
        ([(SlowPartRow::OFF_CPU, 9 * MS, 0)], "waited or preempted 90 %"),
        ([(SlowPartRow::NESTED, 9 * MS, 0)], "a call inside it 90 %"),
        ([(SlowPartRow::USER_SPACE, 9 * MS, 0)], "user space 90 %"),
        ([(SlowPartRow::UNKNOWN, 9 * MS, 0)], "unknown 90 %"),
    ] {
        let calls = vec![call(10 * MS, &parts)];
        let table = screen(calls, View::verbose(None));
        assert!(table.contains(words), "{words}: {table}");
    }
}

#[test]
fn what_else_took_much_is_said_where_there_is_room() {
    let parts = [("brk", 5 * MS, 0), (SlowPartRow::PREEMPTED, 4 * MS, 0), ("munmap", MS / 2, 0)];
    let calls = vec![call(10 * MS, &parts)];
    for (width, words) in [(Some(80), " brk 50 %\n"), (None, " brk 50 %, preempted 40 %\n")] {
        let table = screen(calls.clone(), View::verbose(width));
        assert!(table.contains(words), "{words}: {table}");
    }
}

#[test]
fn the_table_holds_at_every_width() {
    let calls = |count: usize| -> Vec<SlowCallRow> {
        let row = |n: usize| SlowCallRow {
            site: [Some(0), Some(1), None][n % 3],
            size_bytes: [None, Some(8), Some(1 << 40)][n % 3],
            ..call(9 * MS, &[(SlowPartRow::STOPPED, 9 * MS, 0)])
        };
        (0..count).map(row).collect()
    };
    for width in [40, 60, 80, 120] {
        let text = screen(calls(12), View::verbose(Some(width)));
        let table = text.lines().skip_while(|line| !line.starts_with("slowest calls"));
        let table: Vec<&str> = table.take_while(|line| !line.is_empty()).collect();
        let took = table.iter().filter(|line| line.contains("calloc")).count();
        assert!(took == 10 && (width < 60 || table.len() == 11), "{text}");
    }
    let mut report = RecordingReport { slowest: calls(1), ..usual() };
    report.seen.absences = false;
    let view = View::verbose(None);
    let text = plain(&report::recording_screen(&report, "a.ft", view), view);
    assert!(text.contains("Which threads were on a processor was not recorded"), "{text}");
}

#[test]
fn time_off_the_processor_is_said_if_it_is_much_of_what_memory_cost() {
    let usual = usual();
    let true_ns = usual.costs.true_ns.unwrap();
    let screen = |off_cpu, threads, left_out| {
        let mut report = usual.clone();
        report.totals.off_cpu = off_cpu;
        report.totals.threads = threads;
        report.totals.absences_left_out = left_out;
        let view = View::brief(None);
        plain(&report::recording_screen(&report, "a.ft", view), view)
    };
    let half = OffCpu {
        off_cpu_ns: Some(true_ns / 2),
        off_cpu_preempted_ns: Some(true_ns / 2 - MS),
        off_cpu_waited_ns: Some(MS),
        off_cpu_stopped_ns: Some(0),
        off_cpu_unknown_ns: Some(0),
    };
    let said = screen(half, 1, 0);
    let line = said.lines().find(|line| line.starts_with("off its processor ")).expect(&said);
    assert!(line.contains(" ms of it = 50.0 % (preempted "), "{line}");
    assert!(line.ends_with(" ms, waited 1.00 ms)"), "{line}");
    assert!(screen(half, 2, 3).contains("\noff their processors at least "));
    let tenth = OffCpu { off_cpu_ns: Some(true_ns / 10 - 1), ..half };
    for quiet in [tenth, OffCpu::default()] {
        assert!(!screen(quiet, 1, 0).contains("processor"));
    }
}
